"""The values of a column that lie apart from all others, on one side or on both."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile
from bindoctor_rules._isolated import Isolated, isolated
from bindoctor_rules._spread import Counts, Floats, counted_values, quantiles


class Limits(NamedTuple):
    """When values count as outside; see the rule on extreme values for each."""

    min_reach: float
    min_ratio: float
    min_clear_ratio: float
    min_log_reach: float
    min_sure_ratio: float
    max_sure_by_chance: float
    max_share: float
    max_by_chance: float


@dataclass(frozen=True)
class Outside:
    """The outside values of a column.

    Attributes:
        count: their cells.
        low: where the others start, None if none of the outside values is below them.
        high: where the others end, None if none is above them.
        floor: half way from there to the outside values; what is below it is outside. None as ``low``.
        ceiling: the same above.
        reach: interquartile ranges from the quartiles to the nearest of them.
        ratio: how many times as far from the median the nearest of them is as the furthest of the others.
        by_chance: how many such groups the table's columns are expected to have by chance.
    """

    count: int
    low: float | None
    high: float | None
    floor: float | None
    ceiling: float | None
    reach: float
    ratio: float
    by_chance: float

    def holds(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Tell which values of the column are outside."""
        below = values < (-math.inf if self.floor is None else self.floor)
        above = values > (math.inf if self.ceiling is None else self.ceiling)
        return np.asarray(below | above)


class _Side(NamedTuple):
    """Distances from the median, ascending, of the cells on one side: interquartile ranges are ``unit``, the quartile
    is ``start`` away, and a value ``log_start`` and ``log_unit`` in logarithms (0: not to be taken)."""

    distances: Floats
    counts: Counts
    start: float
    unit: float
    median: float = 0.0
    log_start: float = 0.0
    log_unit: float = 0.0

    def accepted(self, rows: int, limits: Limits, tests: int) -> tuple[Isolated, float] | None:
        """Return the outermost group and its reach, if it is outside within ``limits``."""
        found = isolated(self.distances, self.counts, rows=rows, max_share=limits.max_share, min_ratio=limits.min_ratio)
        if found is None:
            return None
        ratio, by_chance = found.nearest / found.rest, found.by_chance * tests
        reach = (found.nearest - self.start) / self.unit if self.unit > 0 else 0.0
        apart = (
            ratio >= limits.min_clear_ratio
            or (ratio >= limits.min_sure_ratio and by_chance <= limits.max_sure_by_chance)
            or self._log_reach(found.nearest) >= limits.min_log_reach
        )
        return (found, reach) if apart and reach >= limits.min_reach and by_chance <= limits.max_by_chance else None

    def _log_reach(self, distance: float) -> float:
        return (math.log(self.median + distance) - self.log_start) / self.log_unit if self.log_unit > 0 else 0.0


def outside_values(column: ColumnProfile, limits: Limits, tests: int) -> Outside | None:
    """Return the values that lie apart from all others; numbers that stand for a missing value are passed over.

    Both sides are looked at, each by itself and, for the case that either holds too few to tell, together with each
    side's distances in the distance of its quartile.

    Args:
        column: a number column.
        limits: what counts as outside.
        tests: how many sides of columns of the table are looked at in all.
    """
    values, counts = counted_values(column, without_tokens=True)
    if len(values) < 2 or not np.isfinite(values[-1] - values[0]):
        return None
    low, median, high = quantiles(values, counts, 0.25, 0.5, 0.75)
    if max(values[-1] - high, low - values[0]) < limits.min_reach * (high - low):
        return None
    rows = int(counts.sum())
    above, below = _upper(values, counts, low, median, high), _lower(values, counts, low, median, high)
    up, down = above.accepted(rows, limits, tests), below.accepted(rows, limits, tests)
    found = [one for one in (up, down) if one]
    apart = Outside(
        sum(one.count for one, _ in found),
        median - down[0].rest if down else None,
        median + up[0].rest if up else None,
        median - _middle(down[0]) if down else None,
        median + _middle(up[0]) if up else None,
        min((reach for _, reach in found), default=0.0),
        min((one.nearest / one.rest for one, _ in found), default=0.0),
        max((one.by_chance * tests for one, _ in found), default=1.0),
    )
    together = _together(above, below).accepted(rows, limits, tests) if low < median < high else None
    if together and together[0].count > apart.count:
        one, reach = together
        floor, ceiling = median - _middle(one) * (median - low), median + _middle(one) * (high - median)
        start, end = float(values[np.searchsorted(values, floor)]), float(values[np.searchsorted(values, ceiling) - 1])
        is_below, is_above = values[0] < floor, values[-1] > ceiling
        return Outside(
            one.count,
            start if is_below else None,
            end if is_above else None,
            floor if is_below else None,
            ceiling if is_above else None,
            reach,
            one.nearest / one.rest,
            one.by_chance * tests,
        )
    return apart if found else None


def _middle(group: Isolated) -> float:
    return (group.rest + group.nearest) / 2


def _upper(values: Floats, counts: Counts, low: float, median: float, high: float) -> _Side:
    side = _side(values - median, counts, high - median, high - low)
    positive = values > 0
    if 2 * counts[positive].sum() < counts.sum():
        return side
    first, last = quantiles(values[positive], counts[positive], 0.25, 0.75)
    return _Side(
        side.distances, side.counts, side.start, side.unit, median, math.log(last), math.log(last) - math.log(first)
    )


def _lower(values: Floats, counts: Counts, low: float, median: float, high: float) -> _Side:
    return _side((median - values)[::-1], counts[::-1], median - low, high - low)


def _side(distances: Floats, counts: Counts, start: float, spread: float) -> _Side:
    beyond = distances > 0
    distances, counts = distances[beyond], counts[beyond]
    # Where half of the cells are equal, the others say what an ordinary distance is.
    unit = spread if spread > 0 or not len(distances) else quantiles(distances, counts, 0.5)[0]
    return _Side(distances, counts, start, unit)


def _together(above: _Side, below: _Side) -> _Side:
    distances = np.concatenate([above.distances / above.start, below.distances / below.start])
    order = np.argsort(distances, kind="stable")
    return _Side(distances[order], np.concatenate([above.counts, below.counts])[order], 1.0, 2.0)
