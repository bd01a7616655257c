"""Values that lie further out than even a heavy tail reaches."""

import math
from dataclasses import dataclass

import numpy as np

from bindoctor_rules._spread import Counts, Floats

MIN_TAIL_ROWS = 10
TAIL_SHARE = 0.1
MIN_TAIL_SPREAD = 0.02
MAX_CANDIDATES = 64


@dataclass(frozen=True)
class Isolated:
    """The outermost values on one side of a column, cut off from the others.

    Attributes:
        count: their rows.
        nearest: the smallest distance among them.
        rest: the largest distance among the other values.
        by_chance: the probability that so many rows lie as far out if the others' tail is a power law.
    """

    count: int
    nearest: float
    rest: float
    by_chance: float


def isolated(distances: Floats, counts: Counts, *, rows: int, max_share: float, min_ratio: float) -> Isolated | None:
    """Find the outermost group of distances that the tail of the others does not explain, if there is a gap at all.

    The tail is taken to be a power law, the heaviest that occurs in practice (a lognormal or exponential tail reaches
    less far). Of the distances within the gap the outermost tenth, k of them from u on, gives its exponent by Hill's
    estimator; that k further rows of the law, the exponent being uncertain, exceed t is expected
    k (1 + ln(t/u) / (k h))^-k times, where h is the mean of ln(x/u) (the predictive distribution under Jeffreys'
    prior). More rows than that are as likely as a Poisson count is to exceed its mean so far.

    Args:
        distances: distinct distances > 0 from the middle on one side, ascending, shape (m,).
        counts: the rows of each, shape (m,).
        rows: the rows of the whole column.
        max_share: the largest share of ``rows`` that can be isolated.
        min_ratio: how many times further out than the other values the group must be.

    References: Hill, B. M. (1975). A simple general approach to inference about the tail of a distribution. Annals of
    Statistics 3(5).
    """
    if len(distances) < 2:
        return None
    outside = np.cumsum(counts[::-1])[::-1]
    gaps = np.flatnonzero(
        (distances[1:] >= min_ratio * distances[:-1])
        & (outside[1:] <= max_share * rows)
        # Fewer rows than this say nothing about a tail.
        & (outside[0] - outside[1:] >= MIN_TAIL_ROWS)
    )
    best: Isolated | None = None
    for gap in gaps[-MAX_CANDIDATES:].tolist():
        inner, count = gap + 1, int(outside[gap + 1])
        log_chance = _log_chance(distances[:inner], counts[:inner], float(distances[inner]), count)
        if best is None or log_chance < math.log(max(best.by_chance, 1e-300)):
            best = Isolated(count, float(distances[inner]), float(distances[gap]), math.exp(max(log_chance, -690.0)))
    return best


def _log_chance(distances: Floats, counts: Counts, beyond: float, found: int) -> float:
    """Return the logarithm of a bound of the probability that ``found`` rows or more lie ``beyond``."""
    total = int(counts.sum())
    k = max(MIN_TAIL_ROWS, math.ceil(TAIL_SHARE * total))
    within = np.cumsum(counts[::-1])[::-1]
    start = int(np.flatnonzero(within >= min(k, total))[-1])
    tail, weight = np.log(distances[start:] / distances[start]), counts[start:]
    k = int(weight.sum())
    h = max(float(weight @ tail) / k, MIN_TAIL_SPREAD)
    reach = math.log(beyond / float(distances[start]))
    log_expected = math.log(k) - k * math.log1p(reach / (k * h))
    return min(0.0, found * log_expected - math.lgamma(found + 1))
