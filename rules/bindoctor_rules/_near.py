"""Pairs of rows that are all but equal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bindoctor import Rows
from bindoctor_rules._spread import Counts, Floats

GRID = 10
OFFSETS = 3
NEIGHBOURS = 2

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Near:
    """Rows that nearly repeat an earlier one, as positions in the sample, ascending.

    Attributes:
        one_field: rows that differ from an earlier row in one column only.
        fields: that column of each, as its position.
        rounding: rows that differ in several number columns, and in each by next to nothing.
    """

    one_field: Counts
    fields: Counts
    rounding: Counts


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of p columns of n rows as hashes, and how many bits it tells that a row has its cell; (n, p) each."""

    hashes: Hashes
    bits: Floats


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
    cells = _cells(rows, names)
    weights = rng.integers(1, 2**63, size=p, dtype=np.uint64) | np.uint64(1)
    mixed = cells.hashes * weights
    whole = mixed.sum(axis=1, dtype=np.uint64)
    first = np.sort(np.unique(whole, return_index=True)[1])
    needed = min_surprise * (2 * np.log2(n) - 1 + np.log2(p))
    told = cells.bits.sum(axis=1)
    field = np.full(n, -1, dtype=np.int64)
    for column in range(p):
        later = _repeats(whole[first] - mixed[first, column])
        at = first[later[told[first[later]] - cells.bits[first[later], column] >= needed]]
        field[at[field[at] < 0]] = column
    one_field = np.flatnonzero(field >= 0)
    columns = np.isin(names, numbers)
    rounding = _rounded(rows, names, columns, cells, first, needed, max_difference, rng)
    return Near(one_field, field[one_field], np.setdiff1d(rounding, one_field))


def _cells(rows: Rows, names: Sequence[str]) -> _Cells:
    n = len(rows)
    hashes, bits = np.empty((n, len(names)), dtype=np.uint64), np.empty((n, len(names)))
    for position, name in enumerate(names):
        hashes[:, position] = rows.features[name].hash(seed=0).to_numpy()
        _, inverse, counts = np.unique(hashes[:, position], return_inverse=True, return_counts=True)
        bits[:, position] = -np.log2(counts[inverse] / n)
    return _Cells(hashes, bits)


def _repeats(keys: Hashes) -> Counts:
    """Return the positions whose key occurs before."""
    order = np.argsort(keys, kind="stable")
    return np.asarray(order[1:][keys[order[1:]] == keys[order[:-1]]])


def _rounded(
    rows: Rows,
    names: Sequence[str],
    numbers: npt.NDArray[np.bool_],
    cells: _Cells,
    first: Counts,
    needed: float,
    max_difference: float,
    rng: np.random.Generator,
) -> Counts:
    """Return the positions of rows of ``first`` that differ from an earlier one in several numbers, by rounding."""
    values = np.array([rows.features[name].to_numpy() for name, number in zip(names, numbers, strict=True) if number]).T
    if not values.size or values.shape[1] < 2:
        return np.empty(0, dtype=np.int64)
    with np.errstate(all="ignore"):
        low, high = np.quantile(np.nan_to_num(values), [0.05, 0.95], axis=0)
        spread = np.where(high > low, (high - low) / 3.29, np.inf)
        z = values / spread
    # Columns that hardly vary, and missing numbers, have to be equal.
    loose = np.isfinite(spread) & (np.abs(z) < 1e12).all(axis=0)
    if loose.sum() < 2:
        return np.empty(0, dtype=np.int64)
    z, gaps = np.nan_to_num(z[:, loose]), np.isnan(values[:, loose])
    tight = np.ones(len(names), dtype=np.bool_)
    tight[np.flatnonzero(numbers)[loose]] = False
    others = cells.hashes[:, tight] * (rng.integers(1, 2**63, size=int(tight.sum()), dtype=np.uint64) | np.uint64(1))
    key = others.sum(axis=1, dtype=np.uint64)
    key += gaps @ rng.integers(1, 2**63, size=z.shape[1], dtype=np.uint64)
    bits = cells.bits[:, tight].sum(axis=1) + _bits_near(z, max_difference)
    surprising = first[bits[first] >= needed]
    found = [np.empty(0, dtype=np.int64)]
    for _ in range(OFFSETS):
        cell = np.floor(z[surprising] / (GRID * max_difference) + rng.random(z.shape[1])).astype(np.int64)
        grid = cell.view(np.uint64) @ rng.integers(1, 2**63, size=z.shape[1], dtype=np.uint64) + key[surprising]
        order = np.argsort(grid, kind="stable")
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(grid[order[step:]] == grid[order[:-step]])
            one, other = surprising[order[same]], surprising[order[same + step]]
            near = (np.abs(z[one] - z[other]) <= max_difference).all(axis=1)
            found.append(other[near])
    return np.unique(np.concatenate(found))


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
