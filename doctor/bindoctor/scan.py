"""Scans the rows that a recipe selects, chunk by chunk, into a profile."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from bindoctor.column_states import ColumnPlan, ColumnState, Counts, Floats, Shape
from bindoctor.dataset import Dataset, Rows
from bindoctor.dates import date_format, days_of
from bindoctor.errors import InputError
from bindoctor.hashing import row_number_hash
from bindoctor.number_states import NumberState
from bindoctor.profile import Blocks, Distribution, Extremes, Profile
from bindoctor.recipe import Recipe
from bindoctor.row_states import RowState
from bindoctor.selection import Cells, Chunk, select
from bindoctor.summary import summarise

MAX_CLASSES = 100
HEAD_ROWS = 4096
MIN_SHAPED_SHARE = 0.9
SHAPES: Mapping[Shape, str] = {
    "date": r"^(?:\d{1,4}[-/.](?:\d{1,2}|[A-Za-z]{3})[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2} [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4})$",
    "uuid": r"^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,128})$",
}


def scan(dataset: Dataset, recipe: Recipe, *, min_classes: int = 2) -> Profile:
    """Read the rows that ``recipe`` selects once, in bounded memory, and return their profile.

    Args:
        dataset: the source and its target.
        recipe: what is selected.
        min_classes: how many classes the rows must have; a part that is only looked at may lack some, or all.

    Raises:
        InputError: the source cannot be read, the recipe does not fit it, no row is left, the target has fewer than
            ``min_classes`` classes or more than ``MAX_CLASSES``, or the given positive class is none of them.
    """
    state: ScanState | None = None
    for chunk in select(dataset, recipe):
        if state is None:
            state = ScanState(plan_of(chunk, dataset))
        state.update(chunk)
    if state is None:
        raise InputError(f"{dataset.source.name}: the recipe leaves no row of it; relax [recipe.data].")
    return _completed(state.finish(min_classes), dataset, recipe)


def _completed(profile: Profile, dataset: Dataset, recipe: Recipe) -> Profile:
    chunks = list(select(dataset, recipe))
    labels = pl.concat([c.labels for c in chunks])
    codes = np.array([profile.classes.index(x) if x is not None else -1 for x in labels.to_list()])
    row = np.concatenate([c.rows for c in chunks])
    k = len(profile.classes)

    def spread(values: Floats) -> Distribution:
        present = ~np.isnan(values)
        levels, at = np.unique(values[present], return_inverse=True)
        c = codes[present]
        counts = np.array([np.bincount(at[c == j], minlength=len(levels)) for j in range(k)]).reshape(k, len(levels))
        return Distribution(levels, levels, counts, np.bincount(at[c < 0], minlength=len(levels)))

    columns, features = {}, {}
    for name, column in profile.columns.items():
        cells = [c.columns[name] for c in chunks]
        written = pl.concat([c.written for c in cells])
        numbers = pl.concat([c.numbers for c in cells]).to_numpy()
        features[name] = pl.Series(name, numbers).fill_nan(None) if column.kind == "number" else written.alias(name)
        moments, values, form, dates, sample = column.moments, None, "", 0, ()
        if moments is not None:
            values = spread(numbers)
            order = np.argsort(numbers, kind="stable")[: column.count]
            pairs = [(float(numbers[i]), int(row[i])) for i in order]
            of = [numbers[(codes == j) & ~np.isnan(numbers)] for j in range(k)]
            moments = replace(
                moments,
                extremes=Extremes(tuple(pairs[:128]), tuple(pairs[::-1][:128])),
                mean_by_class=tuple(float(x.mean()) if len(x) else math.nan for x in of),
                std_by_class=tuple(float(x.std()) if len(x) else math.nan for x in of),
            )
        elif column.shape == "date":
            form = date_format(written)
            if form:
                days = days_of(written, form).to_numpy()
                dates = int((~np.isnan(days)).sum())
                values = spread(days)
        columns[name] = replace(
            column, moments=moments, distribution=values, date_format=form, dates=dates, value_sample=sample
        )
    size = 64
    while len(row) > 256 * size:
        size *= 2
    block = row // size
    b = int(block.max()) + 1
    names = tuple(n for n, c in columns.items() if c.kind == "number")
    counts, means = np.zeros((len(names), b), dtype=np.int64), np.full((len(names), b), np.nan)
    for i, n in enumerate(names):
        x = features[n].to_numpy()
        ok = ~np.isnan(x)
        counts[i] = np.bincount(block[ok], minlength=b)
        with np.errstate(all="ignore"):
            means[i] = np.bincount(block[ok], weights=x[ok], minlength=b) / counts[i]
    blocks = Blocks(
        size, np.array([np.bincount(block[codes == j], minlength=b) for j in range(k)]), names, counts, means
    )
    keep = np.flatnonzero(codes >= 0)
    if len(keep) > 20_000:
        keep = np.sort(keep[np.argsort(row_number_hash(row[keep]), kind="stable")[:20_000]])
    frame = pl.DataFrame(features)
    sample = Rows(frame[keep] if features else frame, codes[keep], profile.classes, row[keep])
    return replace(profile, columns=columns, blocks=blocks, sample=sample)


@dataclass(frozen=True)
class Plan:
    """What states must agree on to be merged: the columns, the target, and a centre and a scale for each column."""

    source: str
    target: str
    positive: str
    columns: tuple[ColumnPlan, ...]

    @property
    def numeric(self) -> tuple[ColumnPlan, ...]:
        """Return the columns whose numbers' statistics are kept."""
        return tuple(column for column in self.columns if column.numeric)


def plan_of(head: Chunk, dataset: Dataset) -> Plan:
    """Plan a scan after a look at its first chunk."""
    columns = tuple(_column_plan(name, cells) for name, cells in head.columns.items())
    return Plan(dataset.source.name, dataset.target, dataset.positive, columns)


@dataclass(eq=False)
class ScanState:
    """The running statistics of a scan.

    States of the same plan that have seen different runs of rows can be merged in any order: counts come out the
    same, sums equal but for rounding.
    """

    plan: Plan
    labels: list[str] = field(default_factory=list)
    columns: list[ColumnState] = field(init=False)
    numbers: NumberState = field(init=False)
    rows: RowState = field(default_factory=RowState)

    def __post_init__(self) -> None:
        self.columns = [ColumnState(column) for column in self.plan.columns]
        self.numbers = NumberState(self.plan.numeric)

    def update(self, chunk: Chunk) -> None:
        """Take in the next rows.

        Raises:
            InputError: the target has more than ``MAX_CLASSES`` levels.
        """
        codes = self._codes(chunk.labels)
        size = len(self.labels) + 1
        row_hashes = row_number_hash(chunk.rows)
        for state, cells in zip(self.columns, chunk.columns.values(), strict=True):
            state.update(cells, codes, chunk.rows, row_hashes, size)
        self.numbers.update(self._matrix(chunk), codes, chunk.rows, size)
        self.rows.update(chunk.feature_hashes, codes, chunk.rows)

    def merge(self, other: "ScanState") -> None:
        """Take in what another state of the same plan has seen.

        Raises:
            InputError: the target has more than ``MAX_CLASSES`` levels.
        """
        self._add_labels(other.labels)
        codes = np.array([0, *(self.labels.index(label) + 1 for label in other.labels)], dtype=np.int64)
        size = len(self.labels) + 1
        for mine, theirs in zip(self.columns, other.columns, strict=True):
            mine.merge(theirs, codes, size)
        self.numbers.merge(other.numbers, codes, size)
        self.rows.merge(other.rows, codes)

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
        return summarise(self.columns, self.numbers, self.rows, self.labels, self.plan.positive)

    def _matrix(self, chunk: Chunk) -> Floats:
        """Return the numeric columns' numbers, shape (n, p), NaN where missing."""
        matrix = np.empty((len(chunk.rows), len(self.plan.numeric)))
        for position, column in enumerate(self.plan.numeric):
            matrix[:, position] = chunk.columns[column.name].numbers.to_numpy()
        return matrix

    def _codes(self, labels: pl.Series) -> Counts:
        self._add_labels(labels.drop_nulls().unique(maintain_order=True).to_list())
        codes = {label: code for code, label in enumerate(self.labels, start=1)}
        replaced = labels.replace_strict(list(codes), list(codes.values()), default=0, return_dtype=pl.Int64)
        return replaced.fill_null(0).to_numpy()

    def _add_labels(self, labels: Sequence[str]) -> None:
        self.labels.extend(label for label in labels if label not in self.labels)
        if len(self.labels) > MAX_CLASSES:
            raise InputError(
                f"{self.plan.source}: the target {self.plan.target!r} has over {MAX_CLASSES} different values, such as "
                f"{', '.join(map(repr, self.labels[:3]))}: no class but an amount or a name; name another --target."
            )


def _column_plan(name: str, cells: Cells) -> ColumnPlan:
    texts = cells.stripped.filter(cells.stripped.is_not_null() & cells.numbers.is_null())
    numbers = cells.numbers.drop_nulls().head(HEAD_ROWS).to_numpy()
    centre, scale = 0.0, 1.0
    if len(numbers):
        low, centre, high = (float(q) for q in np.quantile(numbers, [0.25, 0.5, 0.75]))
        # The floor keeps (x − centre) / scale from overflowing where the quartiles are equal but for rounding.
        scale = max(high - low or float(np.std(numbers)), 1e-12 * float(np.abs(numbers).max()))
    return ColumnPlan(name, not len(texts), centre, scale if 0 < scale < np.inf else 1.0, _shape(texts.head(HEAD_ROWS)))


def _shape(texts: pl.Series) -> Shape:
    for shape, pattern in SHAPES.items():
        if len(texts) and texts.str.contains(pattern).sum() >= MIN_SHAPED_SHARE * len(texts):
            return shape
    return ""
