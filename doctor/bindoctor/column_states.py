"""The mergeable statistics of one column: counts, levels while there are few, and a sketch with a histogram beyond."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.hashing import Hashes, mix
from bindoctor.selection import Cells
from bindoctor.tokens import count_lookalikes

MAX_LEVELS = 4096
SKETCH_SIZE = 16_384
MAX_UNPARSED = 5

BINS_PER_OCTAVE_LOG2 = 8
OCTAVES = 24
BINS_PER_SIDE = OCTAVES << BINS_PER_OCTAVE_LOG2

Shape = Literal["", "date", "uuid"]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def with_classes(counts: Counts, codes: Counts, size: int) -> Counts:
    """Give counts whose first axis is the class code other codes: row i becomes row ``codes[i]`` of ``size`` rows."""
    if len(counts) == size and np.array_equal(codes, np.arange(size)):
        return counts
    spread = np.zeros((size, *counts.shape[1:]), dtype=counts.dtype)
    spread[codes] = counts
    return spread


def bin_of(numbers: Floats, centre: float, scale: float) -> Counts:
    """Return the histogram bin of each number, shape (n,): log-linear in 1 + |x − centre| / scale on both sides.

    The width is 1/256 of the scale at the centre and grows in proportion to the distance, as in HDR histograms. Integer
    arithmetic on the bits gives a number the same bin wherever it stands in an array, which vectorised logarithms do
    not.
    """
    z = (numbers - centre) / scale
    bits = (np.abs(z) + 1.0).view(np.int64) >> (52 - BINS_PER_OCTAVE_LOG2)
    distance = np.minimum(bits - (1023 << BINS_PER_OCTAVE_LOG2), BINS_PER_SIDE - 1)
    bins: Counts = np.where(z < 0, BINS_PER_SIDE - 1 - distance, BINS_PER_SIDE + distance)
    return bins


def bin_edges(centre: float, scale: float) -> Floats:
    """Return the edges of the histogram's bins, ascending, shape (2 × BINS_PER_SIDE + 1,)."""
    whole, part = np.divmod(np.arange(BINS_PER_SIDE + 1), 1 << BINS_PER_OCTAVE_LOG2)
    distance = np.ldexp(1.0 + part / (1 << BINS_PER_OCTAVE_LOG2), whole) - 1.0
    return centre + scale * np.concatenate([-distance[:0:-1], distance])


@dataclass(frozen=True)
class ColumnPlan:
    """What the head of the data says about a column, fixed before the scan so that states can be merged.

    Attributes:
        name: the column's name.
        numeric: whether every non-missing cell of the head is a number; only then are numbers' statistics kept.
        centre: about the median of the head's numbers.
        scale: about their spread.
        shape: "date" or "uuid" when most of the head's texts look like one, else "".
    """

    name: str
    numeric: bool
    centre: float
    scale: float
    shape: Shape


@dataclass(frozen=True, eq=False)
class Levels:
    """Every distinct value with its counts.

    Attributes:
        keys: hashes of the m values, ascending, shape (m,).
        texts: how each is written where it occurs first, String of shape (m,).
        first_rows: the row of that, shape (m,).
        counts: rows by class code and level, shape (codes, m).
        row_sums: sum of the row-number hashes of each level's rows, modulo 2⁶⁴, shape (m,).
    """

    keys: Hashes
    texts: pl.Series
    first_rows: Counts
    counts: Counts
    row_sums: Hashes

    @classmethod
    def of(
        cls, hashes: Hashes, texts: pl.Series, rows: Counts, codes: Counts, row_hashes: Hashes, size: int
    ) -> "Levels":
        """Count non-missing cells; all arguments but ``size``, the number of class codes, have shape (n,)."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(order) else order
        level = np.empty(len(order), dtype=np.int64)
        level[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
        first = order[starts]
        counts = np.bincount(codes * len(starts) + level, minlength=size * len(starts)).reshape(size, len(starts))
        sums = np.add.reduceat(row_hashes[order], starts) if len(order) else row_hashes
        return cls(ordered[starts], texts.gather(first), rows[first], counts, sums)

    def merged(self, other: "Levels") -> "Levels":
        """Return the counts of both; their class codes must be the same."""
        keys, level = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        first_rows = np.concatenate([self.first_rows, other.first_rows])
        earliest = np.lexsort([first_rows, level])
        chosen = earliest[np.searchsorted(level[earliest], np.arange(len(keys)))]
        counts = np.zeros((len(self.counts), len(keys)), dtype=np.int64)
        row_sums = np.zeros(len(keys), dtype=np.uint64)
        for part, at in ((self, level[: len(self.keys)]), (other, level[len(self.keys) :])):
            counts[:, at] += part.counts
            row_sums[at] += part.row_sums
        return Levels(keys, pl.concat([self.texts, other.texts]).gather(chosen), first_rows[chosen], counts, row_sums)

    @cached_property
    def numbers(self) -> Floats:
        """Return the levels as numbers, NaN where they are none, shape (m,)."""
        return self.texts.str.strip_chars().cast(pl.Float64, strict=False).to_numpy()


@dataclass(frozen=True, eq=False)
class Sketch:
    """What is left of the values when there are too many to count each.

    Attributes:
        smallest: the smallest hashes, ascending, at most ``SKETCH_SIZE``: a KMV sketch (Bar-Yossef et al. 2002).
        bins: histogram of the numbers by class code, shape (codes, 2 × BINS_PER_SIDE); without columns for text.
    """

    smallest: Hashes
    bins: Counts

    @classmethod
    def of_levels(cls, levels: Levels, plan: ColumnPlan) -> "Sketch":
        """Sketch what has been counted so far."""
        size = len(levels.counts)
        if not plan.numeric:
            return cls(_smallest(mix(levels.keys)), np.zeros((size, 0), dtype=np.int64))
        bins = np.zeros((size, 2 * BINS_PER_SIDE), dtype=np.int64)
        numbers = levels.numbers
        parsed = np.isfinite(numbers)
        at = bin_of(numbers[parsed], plan.centre, plan.scale)
        for code in range(size):
            np.add.at(bins[code], at, levels.counts[code, parsed])
        return cls(_smallest(mix(levels.keys)), bins)

    def merged(self, other: "Sketch") -> "Sketch":
        """Return the sketch of both; their class codes must be the same."""
        return Sketch(_smallest(np.concatenate([self.smallest, other.smallest])), self.bins + other.bins)

    def extended(self, hashes: Hashes, numbers: Floats, codes: Counts, plan: ColumnPlan) -> "Sketch":
        """Return the sketch with more non-missing cells, each argument of shape (n,)."""
        values = mix(hashes)
        if len(self.smallest) == SKETCH_SIZE:
            values = values[values < self.smallest[-1]]
        smallest = _smallest(np.concatenate([self.smallest, values])) if len(values) else self.smallest
        return Sketch(smallest, self.bins + _histogram(numbers, codes, plan, len(self.bins)))

    @property
    def distinct(self) -> int:
        """Return about how many distinct values there are: (k − 1) over the k-th smallest hash as a share of 2⁶⁴."""
        if len(self.smallest) < SKETCH_SIZE:
            return len(self.smallest)
        return round((SKETCH_SIZE - 1) / (float(self.smallest[-1]) / 2.0**64))


def _smallest(values: Hashes) -> Hashes:
    """Return the smallest distinct values, ascending, at most ``SKETCH_SIZE``."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new][:SKETCH_SIZE]


def _histogram(numbers: Floats, codes: Counts, plan: ColumnPlan, size: int) -> Counts:
    if not plan.numeric:
        return np.zeros((size, 0), dtype=np.int64)
    parsed = np.isfinite(numbers)
    at = codes[parsed] * (2 * BINS_PER_SIDE) + bin_of(numbers[parsed], plan.centre, plan.scale)
    return np.bincount(at, minlength=size * 2 * BINS_PER_SIDE).reshape(size, 2 * BINS_PER_SIDE)


@dataclass(eq=False)
class ColumnState:
    """The running statistics of one column; the first axis of counts is the class code, 0 for rows without target."""

    plan: ColumnPlan
    count: int = 0
    parsed: int = 0
    padded: int = 0
    max_length: int = 0
    missing: Counts = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    missing_rows: int = 0
    digest: int = 0
    lookalikes: Counter[str] = field(default_factory=Counter)
    unparsed: dict[str, int] = field(default_factory=dict)
    values: Levels | Sketch | None = None

    def update(self, cells: Cells, codes: Counts, rows: Counts, row_hashes: Hashes, size: int) -> None:
        """Take in a chunk's cells, each argument but ``size``, the number of class codes, of shape (n,)."""
        self._recode(np.arange(len(self.missing)), size)
        hashes = cells.hashes
        present = cells.written.is_not_null().to_numpy()
        self.digest = (self.digest + _sum(hashes * row_hashes)) % 2**64
        self.max_length = max(self.max_length, _longest(cells.written, self.max_length))
        self.parsed += len(cells.numbers) - cells.numbers.null_count()
        if cells.stripped is not cells.written:
            self.padded += int((cells.stripped.str.len_bytes() != cells.written.str.len_bytes()).sum())
        if cells.numbers.null_count() > cells.written.null_count():
            self._take_texts(cells, present, rows)
        written, numbers = cells.written, cells.numbers.to_numpy()
        if not present.all():
            self.missing += np.bincount(codes[~present], minlength=size)
            self.missing_rows = (self.missing_rows + _sum(row_hashes[~present])) % 2**64
            written = written.drop_nulls()
            hashes, numbers, codes, rows, row_hashes = (a[present] for a in (hashes, numbers, codes, rows, row_hashes))
        self.count += len(hashes)
        if not len(hashes):
            return
        self._take_values(hashes, written, numbers, codes, rows, row_hashes, size)

    def merge(self, other: "ColumnState", codes: Counts, size: int) -> None:
        """Take in another state of the same plan, whose class codes become ``codes`` of ``size``."""
        self._recode(np.arange(len(self.missing)), size)
        self.count += other.count
        self.parsed += other.parsed
        self.padded += other.padded
        self.max_length = max(self.max_length, other.max_length)
        self.missing += with_classes(other.missing, codes, size)
        self.missing_rows = (self.missing_rows + other.missing_rows) % 2**64
        self.digest = (self.digest + other.digest) % 2**64
        self.lookalikes += other.lookalikes
        self._take_unparsed(other.unparsed)
        if other.values is not None:
            self._merge_values(_recoded(other.values, codes, size))

    def _take_values(
        self,
        hashes: Hashes,
        written: pl.Series,
        numbers: Floats,
        codes: Counts,
        rows: Counts,
        row_hashes: Hashes,
        size: int,
    ) -> None:
        if isinstance(self.values, Sketch):
            self.values = self.values.extended(hashes, numbers, codes, self.plan)
            return
        levels = Levels.of(hashes, written, rows, codes, row_hashes, size)
        self._merge_values(levels if len(levels.keys) <= MAX_LEVELS else Sketch.of_levels(levels, self.plan))

    def _merge_values(self, values: Levels | Sketch) -> None:
        if self.values is None:
            self.values = values
        elif isinstance(self.values, Levels) and isinstance(values, Levels):
            levels = self.values.merged(values)
            self.values = levels if len(levels.keys) <= MAX_LEVELS else Sketch.of_levels(levels, self.plan)
        else:
            self.values = _sketched(self.values, self.plan).merged(_sketched(values, self.plan))

    def _take_texts(self, cells: Cells, present: npt.NDArray[np.bool_], rows: Counts) -> None:
        other = present & cells.numbers.is_null().to_numpy()
        texts = cells.stripped.filter(pl.Series(other))
        self.lookalikes.update(count_lookalikes(texts))
        firsts = texts.to_frame("text").with_row_index().unique("text", keep="first", maintain_order=True)
        rows = rows[other]
        self._take_unparsed({text: int(rows[index]) for index, text in firsts.head(MAX_UNPARSED).iter_rows()})

    def _take_unparsed(self, found: dict[str, int]) -> None:
        merged = {text: min(row, self.unparsed.get(text, row)) for text, row in found.items()}
        every = sorted((self.unparsed | merged).items(), key=lambda item: item[1])
        self.unparsed = dict(every[:MAX_UNPARSED])

    def _recode(self, codes: Counts, size: int) -> None:
        self.missing = with_classes(self.missing, codes, size)
        if self.values is not None:
            self.values = _recoded(self.values, codes, size)


def _longest(texts: pl.Series, known: int) -> int:
    """Return the characters of the longest text, or ``known`` when none can be longer (bytes are cheaper to count)."""
    lengths = texts.str.len_bytes().to_numpy()
    return int(texts.str.len_chars().max()) if np.nanmax(lengths, initial=0) > known else known  # type: ignore[arg-type]


def _sum(hashes: Hashes) -> int:
    return int(hashes.sum(dtype=np.uint64))


def _recoded(values: Levels | Sketch, codes: Counts, size: int) -> Levels | Sketch:
    if isinstance(values, Sketch):
        return Sketch(values.smallest, with_classes(values.bins, codes, size))
    counts = with_classes(values.counts, codes, size)
    return Levels(values.keys, values.texts, values.first_rows, counts, values.row_sums)


def _sketched(values: Levels | Sketch, plan: ColumnPlan) -> Sketch:
    return Sketch.of_levels(values, plan) if isinstance(values, Levels) else values
