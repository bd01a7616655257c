"""The mergeable statistics of one column: counts, levels while there are few, and a sketch with a histogram beyond."""

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec.structs import replace

from bindoctor.bins import Counts, Floats, bin_count, bins_of, standardise
from bindoctor.cells import Cells
from bindoctor.dates import days_array
from bindoctor.hashing import NULL_HASH, Hashes
from bindoctor.levels import Levels, RowCodes, count_levels
from bindoctor.series import numbers_in
from bindoctor.sketch import Sketch, smallest_of, smallest_of_both
from bindoctor.texts import TextFacts

Flags = npt.NDArray[np.bool_]

MAX_HASH = np.uint64(2**64 - 1)

Shape = Literal["", "date", "uuid"]


class Limits(msgspec.Struct, frozen=True):
    """How much is kept of each column, smaller the more columns there are.

    Attributes:
        levels: distinct values up to which each is counted.
        hashes: hashes in the sketch of a column with more; the number of distinct values is then known to
            1 / √hashes.
        sample: sampled values in it.
        octave_bits: logarithm of the histogram's bins per octave.
    """

    levels: int = 4096
    hashes: int = 4096
    sample: int = 1024
    octave_bits: int = 8


class ColumnPlan(msgspec.Struct, frozen=True):
    """What the head of the data says about a column, fixed before the scan so that states can be merged.

    Attributes:
        name: the column's name.
        numeric: whether every non-missing cell of the head is a number; only then are numbers' statistics kept.
        whole: whether every number of the head is whole; only then, and for text, are values sampled.
        centre: about the median of the head's numbers, or of its dates as days.
        scale: about their spread.
        shape: "date" or "uuid" when most of the head's texts look like one, else "".
        date_format: how the head's dates are written, "" when they are none.
    """

    name: str
    numeric: bool
    whole: bool
    centre: float
    scale: float
    shape: Shape = ""
    date_format: str = ""

    @property
    def sampled(self) -> bool:
        """Tell whether the column's values are sampled: those of an amount with fractions say nothing one by one."""
        return self.whole or not self.numeric

    @property
    def binned(self) -> bool:
        """Tell whether the column has a histogram: of its numbers, or of its dates."""
        return self.numeric or bool(self.date_format)

    def positions(self, written: pl.Series) -> Floats:
        """Return texts as numbers or days, NaN where they are neither, shape (n,)."""
        if self.date_format:
            return days_array(written.str.strip_chars(), self.date_format)
        return numbers_in(written).to_numpy()


class ColumnState(msgspec.Struct, eq=False):
    """The running statistics of one column.

    States of the same plan that have seen different rows can be merged in any order. ``values`` is None until a
    non-missing cell has been seen.
    """

    plan: ColumnPlan
    limits: Limits
    count: int = 0
    parsed: int = 0
    padded: int = 0
    missing: Counts = msgspec.field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    missing_rows: int = 0
    values: Levels | Sketch | None = None

    def update(
        self, cells: Cells, hashes: Hashes, rows: RowCodes, z: Floats | None, unknown: Flags | None = None
    ) -> None:
        """Take in a chunk's cells.

        Args:
            cells: the column's cells, n of them, in file order.
            hashes: a hash of each, shape (n,).
            rows: what they are counted by.
            z: for a numeric column its standardised numbers, 0 where there is none, shape (n,).
            unknown: for a numeric column where there is none, shape (n,), if there is none anywhere.
        """
        if rows.size > len(self.missing):
            self._recode(np.arange(len(self.missing)), rows.size)
        absent = np.empty(0, dtype=np.int64)
        if cells.written.null_count():
            known_missing = unknown if unknown is not None and cells.all_numbers else cells.written.is_null().to_numpy()
            absent = np.flatnonzero(known_missing)
            self.missing += np.bincount(rows.codes[absent], minlength=rows.size)
            self.missing_rows = (self.missing_rows + int(rows.hashes[absent].sum())) % 2**64
        self.parsed += len(cells) - cells.numbers.null_count()
        self.count += len(cells) - len(absent)
        self.padded += cells.padded
        if len(absent) < len(cells):
            self._take_values(cells, hashes, rows, z, unknown, absent)

    @property
    def texts(self) -> TextFacts:
        """Return what the cells that are no numbers look like."""
        if self.values is None:
            return TextFacts()
        return self.values.texts if isinstance(self.values, Sketch) else TextFacts.of_levels(self.values)

    @property
    def digest(self) -> tuple[int, int] | None:
        """Return what is equal for columns of equal cells: sums of hashes over the cells and over the missing ones.

        None for a column without cells.
        """
        return None if self.values is None else (self.values.digest, self.missing_rows)

    def merge(self, other: "ColumnState", codes: Counts, size: int) -> None:
        """Take in another state of the same plan, whose class codes become ``codes`` of ``size``."""
        self._recode(np.arange(len(self.missing)), size)
        self.count += other.count
        self.parsed += other.parsed
        self.padded += other.padded
        self.missing = self.missing + with_classes(other.missing, codes, size)
        self.missing_rows = (self.missing_rows + other.missing_rows) % 2**64
        if other.values is not None:
            theirs = _recoded(other.values, codes, size)
            # Each state adds to the histogram of its own.
            self._merge_values(theirs if isinstance(theirs, Levels) else replace(theirs, bins=theirs.bins.copy()))

    def _take_values(
        self,
        cells: Cells,
        hashes: Hashes,
        rows: RowCodes,
        z: Floats | None,
        unknown: Flags | None,
        absent: Counts,
    ) -> None:
        if not isinstance(self.values, Sketch):
            levels = count_levels(cells, hashes, rows, most=self.limits.levels, known=self.values)
            if levels is not None:
                self._merge_values(levels)
                return
            self.values = self._empty_sketch(rows.size) if self.values is None else self._sketched(self.values)
        if self.plan.binned:
            self._add_to_histogram(self.values.bins, cells, rows, z, unknown)
        self.values = self._extended(self.values, cells, hashes, rows, absent)

    def _merge_values(self, values: Levels | Sketch) -> None:
        if self.values is None:
            self.values = values
        elif isinstance(self.values, Levels) and isinstance(values, Levels):
            levels = self.values.merged(values)
            self.values = levels if len(levels.keys) <= self.limits.levels else self._sketched(levels)
        else:
            self.values = self._sketched(self.values).merged(self._sketched(values), self.limits.sample)

    def _empty_sketch(self, size: int) -> Sketch:
        none = np.empty(0, dtype=np.uint64)
        levels = Levels(
            none, pl.Series([], dtype=pl.String), np.empty(0, dtype=np.int64), np.zeros((size, 0), dtype=np.int64), none
        )
        return self._sketched(levels)

    def _sketched(self, values: Levels | Sketch) -> Sketch:
        """Sketch what has been counted so far."""
        if isinstance(values, Sketch):
            return values
        size = len(values.counts)
        bins = np.zeros((size, bin_count(self.limits.octave_bits) if self.plan.binned else 0), dtype=np.int64)
        if self.plan.binned and len(values.keys):
            positions = self.plan.positions(values.texts)
            known = np.isfinite(positions)
            at = self._bins(standardise(positions[known], self.plan.centre, self.plan.scale))
            for code in range(size):
                np.add.at(bins[code], at, values.counts[code, known])
        sampled = values if self.plan.sampled else values.smallest(0)
        return Sketch(
            smallest_of(values.keys, self.limits.hashes),
            self.limits.hashes,
            bins,
            sampled.smallest(self.limits.sample),
            TextFacts.of_levels(values),
            values.digest,
        )

    def _extended(self, sketch: Sketch, cells: Cells, hashes: Hashes, rows: RowCodes, absent: Counts) -> Sketch:
        """Return the sketch with more cells, of which those at ``absent`` are missing; its histogram stays."""
        new = hashes if len(sketch.smallest) < sketch.size else hashes[hashes < sketch.smallest[-1]]
        if len(absent):
            new = new[new != NULL_HASH]
        smallest = sketch.smallest
        if len(new):
            smallest = smallest_of_both(smallest, smallest_of(new, sketch.size), sketch.size)
        sample = sketch.sample
        if self.plan.sampled:
            # A value that was left out once has a hash too large to come back, so the counts of those kept are whole.
            most = sample.keys[-1] if len(sample.keys) == self.limits.sample else MAX_HASH
            chosen = np.flatnonzero((hashes <= most) & (hashes != NULL_HASH))
            found = (
                count_levels(cells.take(chosen), hashes[chosen], rows.take(chosen), most=len(chosen))
                if len(chosen)
                else None
            )
            sample = sample.merged(found).smallest(self.limits.sample) if found is not None else sample
        texts = sketch.texts if cells.plain else sketch.texts.merged(TextFacts.of(cells, rows.rows))
        # A missing cell's hash counts as well, and is taken off again.
        digest = sketch.digest + int(np.dot(hashes, rows.hashes)) - int(NULL_HASH) * int(rows.hashes[absent].sum())
        return Sketch(smallest, sketch.size, sketch.bins, sample, texts, digest % 2**64)

    def _add_to_histogram(
        self, bins: Counts, cells: Cells, rows: RowCodes, z: Floats | None, unknown: Flags | None
    ) -> None:
        """Count a chunk's numbers or dates in ``bins``, by class code and bin, shape (codes, bins)."""
        if z is None:
            days = self.plan.positions(cells.written)
            z = standardise(np.nan_to_num(days, nan=self.plan.centre), self.plan.centre, self.plan.scale)
            unknown = np.isnan(days)
        at = bins_of(z, self.limits.octave_bits, rows.room)
        low, high = int(at.min()), int(at.max())
        # Only the bins between are counted: mostly a tenth of all.
        at -= low
        at *= rows.size
        at += rows.codes
        found = np.bincount(at, minlength=(high - low + 1) * rows.size)
        bins[:, low : high + 1] += found.reshape(-1, rows.size).T
        if unknown is not None and unknown.any():
            # They have been counted as standing at the centre.
            (centre,) = self._bins(np.zeros(1))
            bins[:, centre] -= np.bincount(rows.codes[unknown], minlength=rows.size)

    def _bins(self, z: Floats) -> Counts:
        return bins_of(z, self.limits.octave_bits)

    def _recode(self, codes: Counts, size: int) -> None:
        self.missing = with_classes(self.missing, codes, size)
        if self.values is not None:
            self.values = _recoded(self.values, codes, size)


def with_classes(counts: Counts, codes: Counts, size: int) -> Counts:
    """Give counts whose first axis is the class code other codes: row i becomes row ``codes[i]`` of ``size`` rows."""
    if len(counts) == size and np.array_equal(codes, np.arange(size)):
        return counts
    spread = np.zeros((size, *counts.shape[1:]), dtype=counts.dtype)
    spread[codes] = counts
    return spread


def _recoded(values: Levels | Sketch, codes: Counts, size: int) -> Levels | Sketch:
    if isinstance(values, Levels):
        return values.recoded(with_classes(values.counts, codes, size))
    sample = values.sample.recoded(with_classes(values.sample.counts, codes, size))
    return replace(values, bins=with_classes(values.bins, codes, size), sample=sample)
