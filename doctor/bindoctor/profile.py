"""What a scan found out about a data set: counts and per-column statistics, per class."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import Rows
from bindoctor.findings import RowList

MIN_IDENTIFIER_ROWS = 20
MIN_UNIQUE_SHARE = 0.9
MIN_NAMED_UNIQUE_SHARE = 0.7
MIN_SKETCHED_UNIQUE_SHARE = 0.95
MIN_DENSE_SHARE = 0.8
MIN_NUMBERS_SHARE = 0.5
MAX_IDENTIFIER_LENGTH = 200
MAX_CATEGORY_LENGTH = 100
MAX_IDENTIFIER_WORDS = 8
MAX_READ_TEXTS = 256
IDENTIFIER_NAME = re.compile(
    r"(?i:\b|_)(?i:id|uuid|guid|key|index|no|nr|num|number|row|obs|seq|sequence|serial|unnamed)(?i:\b|_)|[a-z]I[dD]$"
)
TIME_NAME = re.compile(r"(?i:\b|_)(?i:year|yr|date|time|timestamp|day|days|month|week)(?i:\b|_)|[a-z](?:Date|Time)$")
AMOUNT = re.compile(r"(?=.*[$€£¥₹%,])[-+]?[$€£¥₹]?\s?[-+]?\d[\d,]*(?:\.\d+)?\s?[%$€£¥₹]?")


State = Literal["cells", "correlations", "pairs", "repeats", "order", "sample"]
"""A part of the scan that a rule can ask for; "cells" is all that is known of the columns one by one."""

EVERYTHING: frozenset[State] = frozenset(get_args(State))

Role = Literal["number", "category", "identifier", "date", "constant", "text"]


@dataclass(frozen=True)
class Level:
    """One distinct value of a column: its text as written, how often it occurs, and how often in each class."""

    value: str
    count: int
    by_class: tuple[int, ...]


class LevelList(Sequence[Level]):
    """Levels, most frequent first, made of counts when they are first looked at: most columns' never are."""

    def __init__(self, texts: pl.Series, counts: npt.NDArray[np.int64], by_class: npt.NDArray[np.int64]) -> None:
        """Keep the values' texts, their counts, shape (m,), and those by class, shape (classes, m)."""
        self._texts, self._counts, self._by_class = texts, counts, by_class

    @cached_property
    def _levels(self) -> tuple[Level, ...]:
        rows = zip(self._texts.to_list(), self._counts.tolist(), self._by_class.T.tolist(), strict=True)
        levels = [Level(text, count, tuple(by_class)) for text, count, by_class in rows]
        return tuple(sorted(levels, key=lambda level: (-level.count, level.value)))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Level: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Level]: ...

    def __getitem__(self, index: int | slice) -> Level | Sequence[Level]:
        return self._levels[index]

    def __iter__(self) -> Iterator[Level]:
        return iter(self._levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._levels == tuple(other)

    def __repr__(self) -> str:
        return repr(self._levels)


NO_LEVELS: Sequence[Level] = ()


@dataclass(frozen=True, eq=False)
class Distribution:
    """How the values of a number or date column are spread: m occupied bins, ascending, with their rows by class.

    Attributes:
        lows: smallest value each bin can hold, shape (m,).
        highs: largest value it can hold, shape (m,); equal to ``lows`` where every distinct value was counted.
        counts: labelled rows by class and bin, shape (classes, m).
        unlabelled: rows without a target, shape (m,).
    """

    lows: npt.NDArray[np.float64]
    highs: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    unlabelled: npt.NDArray[np.int64]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (self.lows, other.lows),
                (self.highs, other.highs),
                (self.counts, other.counts),
                (self.unlabelled, other.unlabelled),
            )
        )

    @property
    def exact(self) -> bool:
        """Tell whether the bins are the distinct values themselves."""
        return bool((self.lows == self.highs).all())

    @cached_property
    def totals(self) -> npt.NDArray[np.int64]:
        """Return the rows of each bin, shape (m,)."""
        return np.asarray(self.counts.sum(axis=0) + self.unlabelled)

    def share_below(
        self, values: npt.ArrayLike, weights: npt.NDArray[np.float64] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the share of the rows whose value is at most each of ``values``; bins are filled evenly.

        ``weights`` say how much each bin's rows count instead of once each, shape (m,).
        """
        at = np.asarray(values, dtype=np.float64)
        rows = self.totals if weights is None else weights
        ends = np.concatenate([[0], np.cumsum(rows)]).astype(np.float64)
        whole = np.searchsorted(self.highs, at, side="right")
        bin_ = np.minimum(whole, len(self.lows) - 1)
        width = self.highs[bin_] - self.lows[bin_]
        part = np.clip((at - self.lows[bin_]) / np.where(width > 0, width, 1.0), 0.0, 1.0) * (width > 0)
        below = ends[whole] + np.where(whole < len(self.lows), part * rows[bin_], 0.0)
        return np.asarray(below / (ends[-1] or 1.0))


@dataclass(frozen=True)
class Extremes:
    """A column's most extreme numbers with their rows: up to 128 smallest, ascending, and 128 largest, descending."""

    smallest: tuple[tuple[float, int], ...]
    largest: tuple[tuple[float, int], ...]


@dataclass(frozen=True, eq=False)
class Blocks:
    """What stretches of consecutive rows hold, to see what changes along the file: b blocks of ``size`` rows each.

    Attributes:
        size: rows of a block by row number; the last one may be shorter.
        class_counts: labelled rows by class and block, shape (classes, b).
        columns: the number columns, p of them.
        counts: their non-missing cells by block, shape (p, b).
        means: their means by block, NaN where a block has none, shape (p, b).
    """

    size: int
    class_counts: npt.NDArray[np.int64]
    columns: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Blocks)
            and (self.size, self.columns) == (other.size, other.columns)
            and np.array_equal(self.class_counts, other.class_counts)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.means, other.means, equal_nan=True)
        )


@dataclass(frozen=True)
class Moments:
    """Statistics of a number column over its non-missing cells; ``std`` is the population's."""

    minimum: float
    maximum: float
    mean: float
    std: float
    skew: float
    q01: float
    q25: float
    median: float
    q75: float
    q99: float
    integer: bool
    increasing: bool
    zeros_by_class: tuple[int, ...]
    extremes: Extremes
    mean_by_class: tuple[float, ...]
    std_by_class: tuple[float, ...]
    auc: float
    """AUC₁: area under the ROC curve of this column alone, the larger of it and 1 − it; the largest one-vs-rest AUC₁
    for more than two classes. 0.5 where one class is absent."""


@dataclass(frozen=True)
class ColumnProfile:
    """One feature column, under the recipe's missing tokens and casts.

    Attributes:
        kind: "number" when every non-missing cell parses as a number (and there is one), otherwise "text".
        count: non-missing cells.
        missing: blank cells and cells that the recipe reads as missing.
        missing_by_class: the missing cells of each class.
        distinct: distinct non-missing values; exact up to 4 096, within about 3 % beyond.
        parsed: non-missing cells that parse as a number (all of them in a number column).
        levels: most frequent values first; empty when there are more than 4 096.
        levels_complete: whether ``levels`` holds every distinct value.
        tokens: cells that look like a missing value but are not read as one ("?", "N/A", "-999" …): text and count.
        padded: non-missing cells with blanks around them.
        unparsed: up to five of the cells that do not parse as a number, in a column that mostly does.
        moments: statistics of a number column, else ``None``.
        max_length: characters of the longest cell.
        shape: "date" or "uuid" (hex digits count as one) when at least 90 % of the texts at the head of the file look
            like one, else "".
        value_sample: when ``levels`` is not complete, up to 1 024 values drawn evenly from all distinct ones, each with
            all of its rows counted; empty for numbers with fractions.
        distribution: how the values of a number column are spread; of a date column, its days since 1970-01-01.
        date_format: how the dates of a date column are written, as ``strptime`` takes it ("%Y-%m-%d"), else "".
        dates: cells of a date column that are such dates.
    """

    name: str
    kind: Literal["number", "text"]
    count: int
    missing: int
    missing_by_class: tuple[int, ...]
    distinct: int
    parsed: int
    levels: Sequence[Level]
    levels_complete: bool
    tokens: tuple[tuple[str, int], ...]
    padded: int
    unparsed: tuple[str, ...]
    moments: Moments | None
    max_length: int
    shape: Literal["", "date", "uuid"] = ""
    value_sample: Sequence[Level] = NO_LEVELS
    distribution: Distribution | None = None
    date_format: str = ""
    dates: int = 0

    @property
    def role(self) -> Role:
        """Return what the column seems to be for."""
        if self.constant:
            return "constant"
        if self.identifier:
            return "identifier"
        if self.date_format:
            return "date"
        if self.kind == "text":
            running = self.max_length > MAX_CATEGORY_LENGTH or _is_running_text(self)
            return "text" if running else "category"
        return "number"

    @property
    def constant(self) -> bool:
        """Tell whether the column holds one value in all non-missing cells, or none at all."""
        return self.distinct <= 1

    @property
    def identifier(self) -> bool:
        """Tell whether the values name the row instead of describing it; see ``identifier_evidence``."""
        return bool(self.identifier_evidence)

    @property
    def identifier_evidence(self) -> str:
        """Say why the column looks like a row identifier, or "" when it does not."""
        return _identifier_evidence(self)


@dataclass(frozen=True)
class Correlation:
    """Pearson's r of two number columns over rows where both are present."""

    first: str
    second: str
    r: float


@dataclass(frozen=True)
class Profile:
    """A finished scan of the rows that a recipe selects.

    What was not asked for is empty: ``columns`` without "cells", ``correlations`` without "correlations",
    ``one_to_one`` without "pairs", ``duplicates`` and ``conflicts`` without "repeats", ``blocks`` without "order",
    ``sample`` without "sample".

    Attributes:
        rows: data rows, with and without a target.
        classes: target labels; index 1 is the positive class of a binary problem.
        class_counts: rows of each class.
        missing_target: the rows without a target.
        columns: the feature columns by name, in file order, without those that the recipe drops.
        duplicates: rows that repeat an earlier row, features and target.
        conflicts: rows whose features equal those of a row with another label.
        conflict_floor: share of the rows that every model must get wrong because of conflicts.
        correlations: pairs with |r| >= 0.9, strongest first.
        one_to_one: pairs of columns whose values determine each other (equal columns included).
        order_auc: AUC₁ of the row number alone, to about 1e-5.
        blocks: what changes along the file.
        sample: at most 20 000 labelled rows drawn evenly and reproducibly (all of them when there are no more), in file
            order, with number columns as numbers and text columns as written.
        remarks: what the scan left out to stay within its memory.
        states: what was asked for.
    """

    rows: int
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    missing_target: RowList
    columns: Mapping[str, ColumnProfile]
    duplicates: RowList
    conflicts: RowList
    conflict_floor: float
    correlations: tuple[Correlation, ...]
    one_to_one: tuple[tuple[str, str], ...]
    order_auc: float
    blocks: Blocks | None = None
    sample: Rows | None = None
    remarks: tuple[str, ...] = ()
    states: frozenset[State] = EVERYTHING

    @property
    def labelled(self) -> int:
        """Return the number of rows with a target."""
        return sum(self.class_counts)

    @property
    def rare_class(self) -> str:
        """Return the label of the rarest class."""
        return self.classes[self.class_counts.index(min(self.class_counts))]

    @property
    def rare_count(self) -> int:
        """Return the rows of the rarest class."""
        return min(self.class_counts)

    @property
    def rare_share(self) -> float:
        """Return the rarest class's share of the labelled rows."""
        return self.rare_count / self.labelled

    @property
    def prior_entropy(self) -> float:
        """Return H(π) in nats: the log loss of always answering the class shares."""
        shares = [count / self.labelled for count in self.class_counts if count]
        return -sum(share * math.log(share) for share in shares)

    @property
    def numbers(self) -> tuple[ColumnProfile, ...]:
        """Return the number columns that are features: not constant, no row identifier."""
        return tuple(c for c in self.columns.values() if c.kind == "number" and not c.constant and not c.identifier)

    @property
    def categories(self) -> tuple[ColumnProfile, ...]:
        """Return the text columns that are features: not constant, no row identifier."""
        return tuple(c for c in self.columns.values() if c.kind == "text" and not c.constant and not c.identifier)


def _identifier_evidence(column: ColumnProfile) -> str:
    """Say why a column names the row, or "".

    Integers name the row when they rise from row to row, or when none repeats and they fill their range (an index
    that has been shuffled), unless their name says that they are times; integers with gaps and without order may be
    amounts, and count only under a name that says identifier. Texts name the row when hardly any repeats, unless they
    are dates, mostly numbers (dollars, per cent and thousands included), or running text: over 200 characters, or more
    than eight words on average (the names of the Titanic's passengers have four). Numbers with a fraction never do.
    """
    if column.count < MIN_IDENTIFIER_ROWS or column.shape == "date":
        return ""
    named = bool(IDENTIFIER_NAME.search(column.name))
    distinct = f"{'' if column.levels_complete else 'about '}{column.distinct} distinct"
    if column.kind == "text":
        unique = column.distinct >= (MIN_NAMED_UNIQUE_SHARE if named else MIN_UNIQUE_SHARE) * column.count
        numbers = column.parsed >= MIN_NUMBERS_SHARE * column.count
        if (
            not unique
            or numbers
            or column.max_length > MAX_IDENTIFIER_LENGTH
            or _is_running_text(column)
            or _are_amounts(column)
        ):
            return ""
        what = "uuids or hex hashes" if column.shape == "uuid" else "texts"
        return f"{distinct} {what} in {column.count} rows"
    moments = column.moments
    if moments is None or not moments.integer or TIME_NAME.search(column.name):
        return ""
    if moments.increasing:
        return f"{column.count} distinct integers in file order"
    if column.distinct < (1.0 if column.levels_complete else MIN_SKETCHED_UNIQUE_SHARE) * column.count:
        return ""
    span = moments.maximum - moments.minimum + 1
    if column.count >= MIN_DENSE_SHARE * span:
        return f"{distinct} integers that fill {moments.minimum:.0f} to {moments.maximum:.0f}"
    if named and moments.minimum >= 0:
        return f"{distinct} integers in {column.count} rows, and its name"
    return ""


def _is_running_text(column: ColumnProfile) -> bool:
    if column.max_length <= 2 * MAX_IDENTIFIER_WORDS:
        return False
    texts = [level.value for level in (column.levels or column.value_sample)[:MAX_READ_TEXTS]]
    return sum(len(text.split()) for text in texts) > MAX_IDENTIFIER_WORDS * len(texts)


def _are_amounts(column: ColumnProfile) -> bool:
    texts = [level.value.strip() for level in (column.levels or column.value_sample)[:MAX_READ_TEXTS]]
    return bool(texts) and sum(map(bool, map(AMOUNT.fullmatch, texts))) >= MIN_UNIQUE_SHARE * len(texts)
