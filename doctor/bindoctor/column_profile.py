"""What a scan found out about one column: its levels, its spread, its moments, and what the column seems to be for."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal, overload

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

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

Role = Literal["number", "category", "identifier", "date", "constant", "text"]


class Level(msgspec.Struct, frozen=True):
    """One distinct value of a column: its text as written, how often it occurs, and how often in each class."""

    value: str
    count: int
    by_class: tuple[int, ...]


class LevelList(Sequence[Level]):
    """Levels, most frequent first, then by text; made of arrays when they are looked at, as most columns' never are."""

    def __init__(self, texts: pl.Series, counts: npt.NDArray[np.int64], by_class: npt.NDArray[np.int64]) -> None:
        """Keep the values' texts, their counts, shape (m,), and those by class, shape (classes, m), in any order."""
        self._texts, self._counts, self._by_class = texts, counts, by_class

    @cached_property
    def _order(self) -> npt.NDArray[np.int64]:
        texts = self._texts.to_list()
        by_text = np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)
        return by_text[np.argsort(-self._counts[by_text], kind="stable")]

    @cached_property
    def texts(self) -> list[str]:
        """Return the values as written."""
        texts = self._texts.to_list()
        return [texts[position] for position in self._order.tolist()]

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Return how often each occurs, shape (m,)."""
        return self._counts[self._order]

    @cached_property
    def by_class(self) -> npt.NDArray[np.int64]:
        """Return how often each occurs in each class, shape (classes, m)."""
        return self._by_class[:, self._order]

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """Return the values as numbers, NaN where they are none, shape (m,)."""
        numbers = self._texts.cast(pl.Float64, strict=False)
        if numbers.null_count():
            numbers = self._texts.str.strip_chars().cast(pl.Float64, strict=False)
        return np.asarray(numbers.to_numpy()[self._order])

    def __len__(self) -> int:
        return len(self._counts)

    @overload
    def __getitem__(self, index: int) -> Level: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Level]: ...

    def __getitem__(self, index: int | slice) -> Level | Sequence[Level]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        at = int(self._order[index])
        return Level(self._texts[at], int(self._counts[at]), tuple(self._by_class[:, at].tolist()))

    def __iter__(self) -> Iterator[Level]:
        rows = zip(self.texts, self.counts.tolist(), self.by_class.T.tolist(), strict=True)
        return (Level(text, count, tuple(by_class)) for text, count, by_class in rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LevelList) and tuple(self) == tuple(other)

    def __repr__(self) -> str:
        return f"LevelList({list(self)!r})"


NO_LEVELS = LevelList(pl.Series([], dtype=pl.String), np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.int64))


class Distribution(msgspec.Struct, frozen=True, eq=False, dict=True):
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


class Extremes(msgspec.Struct, frozen=True):
    """A column's most extreme numbers with their rows: up to 128 smallest, ascending, and 128 largest, descending."""

    smallest: tuple[tuple[float, int], ...]
    largest: tuple[tuple[float, int], ...]


class Moments(msgspec.Struct, frozen=True):
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


class ColumnProfile(msgspec.Struct, frozen=True):
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
    levels: LevelList
    levels_complete: bool
    tokens: tuple[tuple[str, int], ...]
    padded: int
    unparsed: tuple[str, ...]
    moments: Moments | None
    max_length: int
    shape: Literal["", "date", "uuid"] = ""
    value_sample: LevelList = msgspec.field(default_factory=lambda: NO_LEVELS)
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
    texts = _read_texts(column)
    return sum(len(text.split()) for text in texts) > MAX_IDENTIFIER_WORDS * len(texts)


def _are_amounts(column: ColumnProfile) -> bool:
    texts = _read_texts(column)
    return bool(texts) and sum(bool(AMOUNT.fullmatch(text.strip())) for text in texts) >= MIN_UNIQUE_SHARE * len(texts)


def _read_texts(column: ColumnProfile) -> list[str]:
    return (column.levels or column.value_sample).texts[:MAX_READ_TEXTS]
