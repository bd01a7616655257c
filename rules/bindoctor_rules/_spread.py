"""How the numbers of a column are spread, from its counted values."""

import math

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def counted_values(column: ColumnProfile, *, without_tokens: bool = False) -> tuple[Floats, Counts]:
    """Return the labelled rows' values of a number column, ascending, and how often each occurs, both of shape (m,).

    Where the scan counted ranges instead of values, a range's middle stands for it; the smallest and the largest value
    are exact. Numbers that stand for a missing value (-999) are left out with ``without_tokens``.
    """
    spread, moments = column.distribution, column.moments
    if spread is None or moments is None:
        return np.empty(0), np.empty(0, dtype=np.int64)
    values, counts = spread.lows + (spread.highs - spread.lows) / 2, spread.counts.sum(axis=0)
    if len(values) and not spread.exact:
        values[0], values[-1] = moments.minimum, moments.maximum
    kept = counts > 0
    if without_tokens and column.tokens:
        kept &= ~np.isin(values, codes_of(column))
    return values[kept], counts[kept]


def quantiles(values: Floats, counts: Counts, *shares: float) -> tuple[float, ...]:
    """Return the smallest values that at least these shares of the rows do not exceed; ``values`` ascend."""
    ends = np.cumsum(counts)
    at = np.searchsorted(ends, np.array(shares) * ends[-1])
    return tuple(float(value) for value in values[np.minimum(at, len(values) - 1)])


def codes_of(column: ColumnProfile) -> list[float]:
    """Return the numbers of a column that stand for a missing value, which are another rule's."""
    return [number for text, _ in column.tokens if math.isfinite(number := _as_number(text))]


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
