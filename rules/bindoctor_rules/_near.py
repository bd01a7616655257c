"""Pairs of rows that are all but equal."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import Rows
from bindoctor_rules._spread import Counts, Floats

GRID = 10
OFFSETS = 3
NEIGHBOURS = 2
SPREAD_OF_NORMAL = 3.29
MAX_SPREADS = 1e12

Hashes = npt.NDArray[np.uint64]


class Near(NamedTuple):
    """Rows that nearly repeat an earlier one, as positions in the sample, ascending.

    Attributes:
        one_field: rows that differ from an earlier row in one column only.
        fields: that column of each, as its position.
        rounding: rows that differ in several number columns, and in each by next to nothing.
    """

    one_field: Counts
    fields: Counts
    rounding: Counts


def nearly_equal(
    rows: Rows, names: Sequence[str], numbers: Sequence[str], *, min_surprise: float, max_difference: float
) -> Near:
    """Find rows that differ from another in one column only, or by rounding, and are not so by chance.

    Rows are hashed with each column left out in turn, and rounded to grids that are shifted at random (with a fixed
    seed), so that it takes O(p n log n). What two rows have in common must be as surprising as n²p/2 draws can make
    nothing, ``min_surprise`` times over in bits: a cell tells -log2 of the share of the rows that have it (or, rounded,
    one as near), as if columns were independent, which they are not.

    Args:
        rows: the rows, those that are equal in all of ``names`` counting once.
        names: the columns that are compared, p of them.
        numbers: those of them that are numbers.
        min_surprise: how many times the bits of chance are asked for.
        max_difference: the largest difference that counts as rounding, in the spread of a column (the distance of its
            5% and 95% quantiles over 3.29, a normal column's standard deviation).
    """
    n, p = len(rows), len(names)
    rng = np.random.default_rng(0)
    hashes = np.array([rows.features[name].hash(seed=0).to_numpy() for name in names]).T
    mixed = hashes * (rng.integers(1, 2**63, size=p, dtype=np.uint64) | np.uint64(1))
    whole = mixed.sum(axis=1, dtype=np.uint64)
    first = np.sort(np.unique(whole, return_index=True)[1])
    candidates = {column: first[_repeats((whole - mixed[:, column])[first])] for column in range(p)}
    candidates = {column: at for column, at in candidates.items() if len(at)}
    close, tight, near = _rounded(rows, names, numbers, hashes, first, max_difference, rng)
    field = np.full(n, -1, dtype=np.int64)
    needed = min_surprise * (2 * np.log2(n) - 1 + np.log2(p))
    if candidates or len(close):
        bits = np.array([_bits(column) for column in hashes.T]).T
        told = bits.sum(axis=1)
        for column, at in candidates.items():
            sure = at[told[at] - bits[at, column] >= needed]
            field[sure[field[sure] < 0]] = column
        if len(close):
            close = close[(bits[:, tight].sum(axis=1) + _bits_near(near, max_difference))[close] >= needed]
    one_field = np.flatnonzero(field >= 0)
    return Near(one_field, field[one_field], np.setdiff1d(close, one_field))


def _bits(hashes: Hashes) -> Floats:
    """Return how many bits it tells of each row that it has its cell, shape (n,)."""
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return np.asarray(-np.log2(counts[inverse] / len(hashes)))


def _repeats(keys: Hashes) -> Counts:
    """Return the positions whose key occurs before."""
    order = np.argsort(keys, kind="stable")
    return np.asarray(order[1:][keys[order[1:]] == keys[order[:-1]]])


def _rounded(
    rows: Rows,
    names: Sequence[str],
    numbers: Sequence[str],
    hashes: Hashes,
    first: Counts,
    max_difference: float,
    rng: np.random.Generator,
) -> tuple[Counts, npt.NDArray[np.bool_], Floats]:
    """Find rows of ``first`` that differ from an earlier one in several numbers, by rounding.

    Returns:
        Their positions; which of the p columns have to be equal (text, and numbers that hardly vary); and the others'
        numbers in units of their spread.
    """
    tight = np.ones(len(names), dtype=np.bool_)
    scaled = []
    for name in numbers:
        values = rows.features[name].to_numpy()
        low, high = np.quantile(np.nan_to_num(values), [0.05, 0.95])
        spread = (high - low) / SPREAD_OF_NORMAL
        if spread > 0 and np.isfinite(spread) and np.nanmax(np.abs(values)) < MAX_SPREADS * spread:
            tight[names.index(name)] = False
            scaled.append(values / spread)
    if len(scaled) < 2:
        return np.empty(0, dtype=np.int64), tight, np.empty((len(rows), 0))
    z = np.array(scaled).T
    key = (hashes[:, tight] * _odd(rng, int(tight.sum()))).sum(axis=1, dtype=np.uint64)
    key += (np.isnan(z) * _odd(rng, z.shape[1])).sum(axis=1, dtype=np.uint64)
    z = np.nan_to_num(z)
    found = [np.empty(0, dtype=np.int64)]
    for _ in range(OFFSETS):
        cells = np.floor(z[first] / (GRID * max_difference) + rng.random(z.shape[1])).astype(np.int64)
        grid = (cells.view(np.uint64) * _odd(rng, z.shape[1])).sum(axis=1, dtype=np.uint64) + key[first]
        order = np.argsort(grid, kind="stable")
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(grid[order[step:]] == grid[order[:-step]])
            one, other = first[order[same]], first[order[same + step]]
            found.append(other[(np.abs(z[one] - z[other]) <= max_difference).all(axis=1)])
    return np.unique(np.concatenate(found)), tight, z


def _odd(rng: np.random.Generator, size: int) -> Hashes:
    return rng.integers(1, 2**63, size=size, dtype=np.uint64) | np.uint64(1)


def _bits_near(z: Floats, max_difference: float) -> Floats:
    """Return how many bits it tells of each row that another is as near as that in all columns, shape (n,)."""
    bits = np.zeros(len(z))
    for column in z.T:
        ordered = np.sort(column)
        near = np.searchsorted(ordered, column + max_difference, side="right") - np.searchsorted(
            ordered, column - max_difference
        )
        bits -= np.log2(near / len(z))
    return bits
