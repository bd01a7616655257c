"""The mergeable state of a scan: what has been seen of each column, of the rows and of their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.bins import Counts, Floats, bin_count, standardise
from bindoctor.cells import Cells
from bindoctor.column_states import ColumnPlan, ColumnState, Limits, Shape
from bindoctor.dataset import Dataset
from bindoctor.dates import date_format, days_array
from bindoctor.errors import InputError
from bindoctor.hashing import encode, row_number_hash, text_hash
from bindoctor.levels import RowCodes
from bindoctor.number_states import NumberState
from bindoctor.order_states import OrderState
from bindoctor.profile import EVERYTHING, Profile, State
from bindoctor.row_states import RowPart, RowState
from bindoctor.sample_state import SampleState
from bindoctor.selection import Chunk
from bindoctor.series import taken
from bindoctor.summary import summarise

MAX_CLASSES = 100
HEAD_ROWS = 4096
MIN_SHAPED_SHARE = 0.9
MAX_BIN_BYTES = 256 << 20
MAX_ALL_LEVELS = 4 << 20
MAX_ALL_HASHES = 8 << 20
UUID = r"^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,128})$"


class Plan(msgspec.Struct, frozen=True):
    """What states must agree on to be merged: the columns, the target, and a centre and a scale for each column."""

    source: str
    target: str
    positive: str
    columns: tuple[ColumnPlan, ...]
    limits: Limits = msgspec.field(default_factory=Limits)
    states: frozenset[State] = EVERYTHING

    @property
    def numeric(self) -> tuple[ColumnPlan, ...]:
        """Return the columns whose numbers' statistics are kept."""
        return tuple(column for column in self.columns if column.numeric)


def plan_of(head: Chunk, dataset: Dataset, states: frozenset[State] = EVERYTHING) -> Plan:
    """Plan a scan after a look at its first chunk."""
    columns = tuple(_column_plan(name, cells) for name, cells in head.columns.items())
    classes = head.labels.head(HEAD_ROWS).n_unique()
    limits = _limits(len(columns), classes)
    return Plan(dataset.source.name, dataset.target, dataset.positive, columns, limits, states)


def _limits(columns: int, classes: int) -> Limits:
    """Keep less of each column the more there are, so that memory stays bounded."""
    most = Limits()
    bits = most.octave_bits
    while bits > 2 and columns * (classes + 1) * bin_count(bits) * 8 > MAX_BIN_BYTES:
        bits -= 1
    levels = min(most.levels, max(MAX_ALL_LEVELS // max(columns, 1), 64))
    hashes = min(most.hashes, max(MAX_ALL_HASHES // max(columns, 1), 512))
    return Limits(levels, hashes, min(most.sample, levels), bits)


@dataclass(eq=False)
class ScanState:
    """The running statistics of a scan.

    States of the same plan that have seen different runs of rows can be merged in any order: counts come out the
    same, sums equal but for rounding. One state takes in its own chunks in file order.
    """

    plan: Plan
    labels: list[str] = field(default_factory=list)
    class_counts: Counts = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    unlabelled: list[Counts] = field(default_factory=list)
    columns: list[ColumnState] = field(init=False)
    numbers: NumberState = field(init=False)
    order: OrderState = field(init=False)
    repeats: RowState = field(default_factory=RowState)
    sample: SampleState = field(init=False)

    def __post_init__(self) -> None:
        numeric = self.plan.numeric
        self.columns = [ColumnState(column, self.plan.limits) for column in self.plan.columns]
        self.numbers = NumberState(numeric, "correlations" in self.plan.states)
        self.order = OrderState(len(numeric))
        self.sample = SampleState.of(len(self.plan.columns))

    def update(self, chunk: Chunk) -> None:
        """Take in the next rows.

        Raises:
            InputError: the target has more than ``MAX_CLASSES`` levels.
        """
        codes = self._codes(chunk.labels)
        rows = RowCodes.of(chunk.rows, row_number_hash(chunk.rows), codes, len(self.labels) + 1)
        self.class_counts = self.class_counts + np.bincount(codes, minlength=rows.size)
        self.unlabelled.append(chunk.rows[codes == 0])
        states = self.plan.states
        if "cells" in states:
            z, missing = self._take_columns(chunk, rows)
            self.numbers.take_chunk(z, missing, rows)
            if "order" in states:
                self.order.update(chunk.rows, codes, rows.size, z, missing)
        if "repeats" in states:
            self.repeats.update(
                RowPart(chunk.identity_hashes, chunk.feature_hashes, codes.astype(np.int16), chunk.rows)
            )
        if "sample" in states:
            self.sample.update(chunk.columns, rows)

    def merge(self, other: "ScanState") -> None:
        """Take in what another state of the same plan has seen.

        Raises:
            InputError: the target has more than ``MAX_CLASSES`` levels.
        """
        self._add_labels(other.labels)
        codes = np.array([0, *(self.labels.index(label) + 1 for label in other.labels)], dtype=np.int64)
        size = len(self.labels) + 1
        self.class_counts[codes] += other.class_counts
        self.unlabelled += other.unlabelled
        for mine, theirs in zip(self.columns, other.columns, strict=True):
            mine.merge(theirs, codes, size)
        self.numbers.merge(other.numbers, codes, size)
        self.order.merge(other.order, codes, size)
        self.repeats.merge(other.repeats, codes)
        self.sample.merge(other.sample, codes)

    def finish(self, min_classes: int = 2) -> Profile:
        """Return the profile of all rows seen; the state stays as it is.

        Raises:
            InputError: the target has fewer than ``min_classes`` classes, or the given positive class is none of them.
        """
        where, found = f"{self.plan.source}: the target {self.plan.target!r}", sorted(self.labels)
        if not found and min_classes:
            raise InputError(f"{where} is missing in every row; name another column with --target.")
        if len(found) == 1 < min_classes:
            raise InputError(f"{where} is {found[0]!r} in every row; a classifier needs two classes.")
        if self.plan.positive and self.plan.positive not in found:
            raise InputError(
                f"{where} has no level {self.plan.positive!r}; its levels are {', '.join(map(repr, found))}."
            )
        return summarise(self)

    def _take_columns(self, chunk: Chunk, rows: RowCodes) -> tuple[Floats, dict[int, npt.NDArray[np.bool_]]]:
        """Take in each column by itself.

        Returns:
            The numeric columns' standardised numbers, 0 where missing, shape (p, n), good until the next chunk, and
            where those that lack some lack them.
        """
        z = self.numbers.room(len(chunk.rows))
        missing: dict[int, npt.NDArray[np.bool_]] = {}
        numbers: list[Floats] = []
        position = 0
        if rows.size > len(self.numbers.zeros):
            self.numbers.recode(np.arange(len(self.numbers.zeros)), rows.size)
        with np.errstate(over="ignore", invalid="ignore"):
            for state, (name, cells) in zip(self.columns, chunk.columns.items(), strict=True):
                hashes = chunk.hashes[name]
                if not state.plan.numeric:
                    state.update(cells, hashes, rows, None)
                    continue
                values = cells.numbers.to_numpy()
                standardise(values, state.plan.centre, state.plan.scale, out=z[position])
                if cells.numbers.null_count():
                    missing[position] = np.isnan(values)
                    z[position, missing[position]] = 0.0
                self.numbers.take_column(position, cells, values, rows)
                state.update(cells, hashes, rows, z[position], missing.get(position))
                numbers.append(values)
                position += 1
        self.numbers.take_order(numbers, int(chunk.rows[0]))
        return z, missing

    def _codes(self, labels: pl.Series) -> Counts:
        positions, number = encode(text_hash(labels))
        distinct = taken(labels, positions).to_list()
        self._add_labels(dict.fromkeys(label for label in distinct if label is not None))
        known: dict[str | None, int] = {label: code for code, label in enumerate(self.labels, start=1)}
        known[None] = 0
        return np.array([known[label] for label in distinct], dtype=np.int64)[number]

    def _add_labels(self, labels: Sequence[str] | Mapping[str, None]) -> None:
        self.labels.extend(label for label in labels if label not in self.labels)
        if len(self.labels) > MAX_CLASSES:
            raise InputError(
                f"{self.plan.source}: the target {self.plan.target!r} has over {MAX_CLASSES} different values, such as "
                f"{', '.join(map(repr, self.labels[:3]))}: no class but an amount or a name; name another --target."
            )
        more = len(self.labels) + 1 - len(self.class_counts)
        if more:
            self.class_counts = np.pad(self.class_counts, (0, more))


def _column_plan(name: str, cells: Cells) -> ColumnPlan:
    texts = pl.Series([], dtype=pl.String)
    if not cells.all_numbers:
        texts = cells.stripped.filter(cells.written.is_not_null() & cells.numbers.is_null()).head(HEAD_ROWS)
    form = date_format(texts)
    numbers = days_array(texts, form) if form else cells.numbers.to_numpy()
    numbers = numbers[~np.isnan(numbers)][:HEAD_ROWS]
    centre, scale = 0.0, 1.0
    if len(numbers):
        quarters = np.arange(1, 4) * (len(numbers) - 1) // 4
        low, centre, high = np.sort(numbers)[quarters].tolist()
        # The floor keeps (x − centre) / scale from overflowing where the quartiles are equal but for rounding.
        scale = max(high - low or float(np.std(numbers)), 1e-12 * float(np.abs(numbers).max()))
    return ColumnPlan(
        name,
        numeric=not len(texts),
        whole=bool((numbers == np.floor(numbers)).all()),
        centre=centre,
        scale=scale if 0 < scale < np.inf else 1.0,
        shape=_shape(texts, form),
        date_format=form,
    )


def _shape(texts: pl.Series, form: str) -> Shape:
    if form:
        return "date"
    return "uuid" if len(texts) and texts.str.contains(UUID).sum() >= MIN_SHAPED_SHARE * len(texts) else ""
