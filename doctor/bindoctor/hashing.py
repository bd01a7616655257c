"""64-bit hashes of cells and rows, equal in every batch, process and machine that runs the same Polars."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]

SLOT_BITS = 16
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


NULL_HASH = np.uint64(pl.Series([None], dtype=pl.String).hash()[0])
"""What a missing cell hashes to, whatever its column's type."""


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit values: every bit then depends on every bit (SplitMix64's finaliser, Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def text_hash(texts: pl.Series) -> Hashes:
    """Hash texts, shape (n,); null has a hash of its own."""
    return texts.hash().to_numpy()


def hash_cells(written: pl.Series, numbers: pl.Series) -> Hashes:
    """Hash cells, shape (n,): by value where they are numbers, by text otherwise; null has a hash of its own.

    Polars hashes −0 and 0 alike, and null alike whatever its type.
    """
    parsed = len(numbers) - numbers.null_count()
    if parsed + written.null_count() == len(written):
        return numbers.hash().to_numpy()
    if not parsed:
        return text_hash(written)
    return np.where(numbers.is_null().to_numpy(), text_hash(written), numbers.hash().to_numpy())


def encode(hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct hashes among n.

    One pass without sorting: each hash claims a slot by its first 16 bits, and whoever finds its slot taken by another
    hash stands for itself. So a hash may get more than one number, and does so the more often the more there are.

    Returns:
        The position of one cell of each number, shape (m,), and the number of each cell, shape (n,).
    """
    slots = (hashes >> np.uint64(64 - SLOT_BITS)).view(np.int64)
    holder = np.empty(1 << SLOT_BITS, dtype=np.int64)
    # Backwards, so that the first of several equal cells stays: it is the one that is shown.
    holder[slots[::-1]] = np.arange(len(hashes) - 1, -1, -1)
    holder_of = holder[slots]
    alone = np.flatnonzero(hashes[holder_of] != hashes)
    holder_of[alone] = alone
    chosen = np.zeros(len(hashes), dtype=np.bool_)
    chosen[holder_of] = True
    positions = np.flatnonzero(chosen)
    number = np.empty(len(hashes), dtype=np.int64)
    number[positions] = np.arange(len(positions))
    return positions, number[holder_of]


class KeyTable:
    """Finds hashes among m known ones, most of them with one look."""

    def __init__(self, keys: Hashes) -> None:
        """Keep the known hashes, which must differ."""
        self.keys = keys
        self._holder = np.zeros(1 << SLOT_BITS, dtype=np.int64)
        self._holder[(keys >> np.uint64(64 - SLOT_BITS)).view(np.int64)] = np.arange(len(keys))
        self._order = np.argsort(keys)

    def find(self, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the position of each hash among the keys, shape (n,), and which of them are none of the keys."""
        if not len(self.keys):
            return np.zeros(len(hashes), dtype=np.int64), np.arange(len(hashes))
        found = self._holder[(hashes >> np.uint64(64 - SLOT_BITS)).view(np.int64)]
        rest = np.flatnonzero(self.keys[found] != hashes)
        if len(rest):
            # Another key holds the slot, or there is no such key.
            at = np.searchsorted(self.keys, hashes[rest], sorter=self._order)
            found[rest] = self._order[np.minimum(at, len(self.keys) - 1)]
            rest = rest[self.keys[found[rest]] != hashes[rest]]
        return found, rest


def hash_rows(columns: Iterable[Hashes], rows: int) -> Hashes:
    """Combine the hashes of a row's cells, each (n,), into one, shape (n,); the order of the columns matters."""
    combined, term = np.zeros(rows, dtype=np.uint64), np.empty(rows, dtype=np.uint64)
    every = list(columns)
    factors = mix(np.arange(1, len(every) + 1, dtype=np.uint64) * GOLDEN) | np.uint64(1)
    for hashes, factor in zip(every, factors, strict=True):
        np.multiply(hashes, factor, out=term)
        combined += term
    return mix(combined)


def row_number_hash(rows: npt.NDArray[np.int64]) -> Hashes:
    """Hash row numbers, shape (n,), so that sums over different sets of rows differ."""
    return mix(rows.astype(np.uint64) * GOLDEN + GOLDEN)
