"""What counted or binned values say about a column: quantiles, AUC₁ and the distribution that rules read."""

import numpy as np

from bindoctor.bins import Counts, Floats, bin_edges, bins_of, standardise
from bindoctor.column_profile import Distribution
from bindoctor.column_states import ColumnState
from bindoctor.sketch import Sketch

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


def distribution_of(state: ColumnState, codes: Counts, low: float, high: float) -> Distribution:
    """Return how a column's numbers or days are spread.

    Args:
        state: of a number or date column with values.
        codes: the class code of each class, shape (classes,).
        low: the smallest number or day known.
        high: the largest.
    """
    values = state.values
    assert values is not None
    if isinstance(values, Sketch):
        used = np.flatnonzero(values.bins.any(axis=0))
        edges = np.clip(bin_edges(state.plan.centre, state.plan.scale, state.limits.octave_bits), low, high)
        return Distribution(edges[used], edges[used + 1], values.bins[np.ix_(codes, used)], values.bins[0, used])
    numbers = state.plan.positions(values.texts)
    order = np.argsort(numbers)[: int(np.isfinite(numbers).sum())]
    return Distribution(numbers[order], numbers[order], values.counts[np.ix_(codes, order)], values.counts[0, order])


def quantiles_of(spread: Distribution) -> list[float]:
    """Return the quantiles of ``QUANTILES``: as ``numpy.quantile`` defines them where every value was counted.

    Otherwise the cells of a bin are taken to be spread evenly over it.
    """
    totals = spread.totals
    ends = np.cumsum(totals)
    if spread.exact:
        position = np.array(QUANTILES) * (ends[-1] - 1)
        below, above = (
            spread.lows[np.searchsorted(ends, at, side="right")] for at in (np.floor(position), np.ceil(position))
        )
        return [float(q) for q in below + (above - below) * (position - np.floor(position))]
    position = np.array(QUANTILES) * ends[-1]
    at = np.minimum(np.searchsorted(ends, position), len(ends) - 1)
    inside = 1.0 - (ends[at] - position) / totals[at]
    return [float(q) for q in spread.lows[at] + (spread.highs[at] - spread.lows[at]) * inside]


def auc_of(counts: Counts) -> float:
    """Return AUC₁ from counts by class of ascending values or bins, shape (classes, m); equals share their rank.

    With more than two classes it is the largest one-vs-rest AUC₁, 0.5 where no class can be told from another.
    """
    totals = counts.sum(axis=0)
    ranks = np.cumsum(totals) - (totals - 1) / 2
    sums, of_class = counts @ ranks, counts.sum(axis=1)
    rest = of_class.sum() - of_class
    present = (of_class > 0) & (rest > 0)
    if not present.any():
        return 0.5
    n, others = of_class[present].astype(float), rest[present].astype(float)
    auc = (sums[present] - n * (n + 1) / 2) / (n * others)
    return float(np.maximum(auc, 1 - auc).max())


def known_values(spread: Distribution, candidates: Floats, state: ColumnState) -> Floats:
    """Return one number for each bin: the value itself where it is known, or the candidate that falls into it.

    A value that is neither an end of the column nor a candidate shows only as its bin, whose middle stands for it.
    """
    if spread.exact:
        return spread.lows
    assert isinstance(state.values, Sketch)
    values = (spread.lows + spread.highs) / 2
    used = np.flatnonzero(state.values.bins.any(axis=0))
    bins = bins_of(standardise(candidates, state.plan.centre, state.plan.scale), state.limits.octave_bits)
    at = np.minimum(np.searchsorted(used, bins), len(used) - 1)
    inside = used[at] == bins
    values[at[inside]] = candidates[inside]
    values[0], values[-1] = spread.lows[0], spread.highs[-1]
    return np.asarray(values)
