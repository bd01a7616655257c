"""Counts of a column's distinct values: all of them while there are few, an even sample of them beyond."""

from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.bins import Counts, Floats
from bindoctor.cells import Cells
from bindoctor.hashing import Hashes, KeyTable, encode
from bindoctor.series import numbers_in, taken

LOW_HALF = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


class Levels(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Distinct values with their counts.

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

    @cached_property
    def table(self) -> KeyTable:
        """Return what finds cells among the levels."""
        return KeyTable(self.keys)

    def merged(self, other: "Levels") -> "Levels":
        """Return the counts of both; their class codes must be the same."""
        if self.keys is other.keys:
            first_rows = np.minimum(self.first_rows, other.first_rows)
            levels = Levels(
                self.keys, self.texts, first_rows, self.counts + other.counts, self.row_sums + other.row_sums
            )
            levels.__dict__["table"] = self.table
            return levels
        keys, level = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        first_rows = np.concatenate([self.first_rows, other.first_rows])
        earliest = np.lexsort([first_rows, level])
        chosen = earliest[np.searchsorted(level[earliest], np.arange(len(keys)))]
        counts = np.zeros((len(self.counts), len(keys)), dtype=np.int64)
        row_sums = np.zeros(len(keys), dtype=np.uint64)
        for part, at in ((self, level[: len(self.keys)]), (other, level[len(self.keys) :])):
            counts[:, at] += part.counts
            row_sums[at] += part.row_sums
        return Levels(keys, taken(pl.concat([self.texts, other.texts]), chosen), first_rows[chosen], counts, row_sums)

    def smallest(self, size: int) -> "Levels":
        """Return the ``size`` levels with the smallest hashes."""
        if len(self.keys) <= size:
            return self
        return Levels(
            self.keys[:size], self.texts.head(size), self.first_rows[:size], self.counts[:, :size], self.row_sums[:size]
        )

    def recoded(self, counts: Counts) -> "Levels":
        """Return the same levels with other counts, shape (codes, m)."""
        return Levels(self.keys, self.texts, self.first_rows, counts, self.row_sums)

    @property
    def digest(self) -> int:
        """Return the sum of all cells' hashes times their rows' hashes, modulo 2⁶⁴."""
        return int(np.dot(self.keys, self.row_sums))

    @cached_property
    def numbers(self) -> Floats:
        """Return the levels as numbers, NaN where they are none, shape (m,)."""
        return numbers_in(self.texts).to_numpy()


class RowCodes(msgspec.Struct, frozen=True, eq=False, dict=True):
    """What a chunk's rows are counted by, each of shape (n,).

    Attributes:
        rows: row numbers.
        hashes: their hashes.
        low, high: the halves of these, as floats whose sums stay exact.
        codes: class codes, 0 without target.
        size: the number of class codes.
    """

    rows: Counts
    hashes: Hashes
    low: Floats
    high: Floats
    codes: Counts
    size: int

    @cached_property
    def room(self) -> Floats:
        """Return memory for intermediate results of one column, shape (2, n)."""
        return np.empty((2, len(self.rows)))

    @classmethod
    def of(cls, rows: Counts, hashes: Hashes, codes: Counts, size: int) -> "RowCodes":
        """Split the hashes into halves."""
        low, high = (hashes & LOW_HALF).astype(np.float64), (hashes >> HALF).astype(np.float64)
        return cls(rows, hashes, low, high, codes, size)

    def take(self, at: Counts | npt.NDArray[np.bool_]) -> "RowCodes":
        """Return some of the rows."""
        return RowCodes(self.rows[at], self.hashes[at], self.low[at], self.high[at], self.codes[at], self.size)

    def hash_sums(self, number: Counts, size: int) -> Hashes:
        """Return the sum of the row hashes of each number, modulo 2⁶⁴, shape (size,)."""
        low = np.bincount(number, weights=self.low, minlength=size).astype(np.uint64)
        high = np.bincount(number, weights=self.high, minlength=size).astype(np.uint64)
        return low + (high << HALF)


def count_levels(
    cells: Cells, hashes: Hashes, rows: RowCodes, *, most: int, known: Levels | None = None
) -> Levels | None:
    """Count the distinct cells of a chunk that are not missing, or return None when there are more than ``most``.

    Args:
        cells: n cells of a column.
        hashes: a hash of each, shape (n,).
        rows: what they are counted by.
        most: the limit.
        known: levels that the cells are probably of; then nothing has to be sorted.
    """
    if known is not None and not cells.written.null_count():
        number, new = known.table.find(hashes if cells.coded is None else cells.coded.distinct.hashes)
        if not len(new):
            number = number if cells.coded is None else number[cells.coded.number]
            m = len(known.keys)
            counts = np.bincount(rows.codes * m + number, minlength=rows.size * m).reshape(rows.size, m)
            return Levels(known.keys, known.texts, known.first_rows, counts, rows.hash_sums(number, m))
    if cells.coded is not None:
        number, keys, texts = cells.coded.number, cells.coded.distinct.hashes, cells.coded.distinct.written
        first_rows = np.full(len(keys), len(number), dtype=np.int64)
        first_rows[number[::-1]] = np.arange(len(number) - 1, -1, -1)
    else:
        positions, number = encode(hashes)
        if len(positions) > 4 * most:
            return None
        keys, texts, first_rows = hashes[positions], taken(cells.written, positions), positions
    m = len(keys)
    counts = np.bincount(rows.codes * m + number, minlength=rows.size * m).reshape(rows.size, m)
    sums = rows.hash_sums(number, m)
    present = first_rows < len(number)
    if texts.null_count():
        present &= texts.is_not_null().to_numpy()
    if not present.all():
        keys, texts, counts, sums = keys[present], texts.filter(pl.Series(present)), counts[:, present], sums[present]
        first_rows = first_rows[present]
    return _grouped(keys, texts, rows.rows[first_rows], counts, sums, most=most)


def _grouped(
    keys: Hashes, texts: pl.Series, first_rows: Counts, counts: Counts, sums: Hashes, *, most: int
) -> Levels | None:
    """Sort levels by key and join those that stand there twice."""
    unique, level = np.unique(keys, return_inverse=True)
    if len(unique) > most:
        return None
    if len(unique) == len(keys):
        order = np.argsort(keys)
        return Levels(unique, taken(texts, order), first_rows[order], counts[:, order], sums[order])
    chosen = np.lexsort([first_rows, level])
    chosen = chosen[np.searchsorted(level[chosen], np.arange(len(unique)))]
    joined = np.zeros((len(unique), len(counts)), dtype=np.int64)
    np.add.at(joined, level, counts.T)
    joined_sums = np.zeros(len(unique), dtype=np.uint64)
    np.add.at(joined_sums, level, sums)
    return Levels(unique, taken(texts, chosen), first_rows[chosen], joined.T, joined_sums)
