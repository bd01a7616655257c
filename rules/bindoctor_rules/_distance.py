"""How far rows lie from the middle of a table, in robust units."""

import numpy as np

from bindoctor import ColumnProfile, Profile
from bindoctor_rules._spread import Floats, counted_values, quantiles

WRAP_FROM, WRAP_TO = 1.5, 4.0
SHRINKAGE = 0.01
MAX_ONE_THREAD_PRODUCTS = 262_144
NORMAL_QUANTILE = 1.6448536269514722


def robust_scores(profile: Profile, max_columns: int) -> tuple[tuple[str, ...], Floats]:
    """Return the sample's number columns in robust units: distance from the median, 0 where missing.

    A unit above and below the median is the distance of the column's 95% and 5% quantile over 1.645, so that skewed
    columns have two of them and a normal column's is its standard deviation. Columns without a spread on either side
    are left out, and of more than ``max_columns`` evenly chosen ones stay.

    Returns:
        The columns' names, p of them, and their scores, shape (n, p).
    """
    rows = profile.sample
    columns = [column for column in profile.numbers if _spreads(column)]
    if rows is None or not columns:
        return (), np.empty((0, 0))
    chosen = np.unique(np.linspace(0, len(columns) - 1, min(max_columns, len(columns))).astype(np.int64))
    names, scores = [], []
    for column in (columns[i] for i in chosen.tolist()):
        x = rows.features[column.name].to_numpy()
        low, median, high = quantiles(*counted_values(column), 0.05, 0.5, 0.95)
        with np.errstate(all="ignore"):
            below, above = (median - low) / NORMAL_QUANTILE, (high - median) / NORMAL_QUANTILE
        if not (np.isfinite(high - low) and below > 0 and above > 0):
            continue
        z = np.where(x < median, (x - median) / below, (x - median) / above)
        names.append(column.name)
        scores.append(np.nan_to_num(z, nan=0.0))
    return tuple(names), np.array(scores).T if names else np.empty((0, 0))


def robust_distances(scores: Floats) -> Floats:
    """Return each row's Mahalanobis distance from the middle, by a covariance that no outlier can move, shape (n,).

    The covariance is that of wrapped scores: unchanged up to 1.5 units, brought back to zero from there to 4 units, so
    that a cell far out counts for nothing (Raymaekers, J., & Rousseeuw, P. J. (2021). Fast robust correlation for
    high-dimensional data. Technometrics 63(2)). It is shrunk a hundredth of the way to its diagonal, so that
    columns that are sums of others do not blow up rounding.

    Args:
        scores: robust scores, shape (n, p).
    """
    wrapped = _wrapped(scores)
    wrapped = wrapped - wrapped.mean(axis=0)
    blocks = _blocks(wrapped)
    covariance = (blocks.transpose(0, 2, 1) @ blocks).sum(axis=0) / len(wrapped)
    scale = np.sqrt(np.diag(covariance))
    keep = scale > 0
    if not keep.any():
        return np.zeros(len(scores))
    z = scores[:, keep] / scale[keep]
    correlation = covariance[np.ix_(keep, keep)] / np.outer(scale[keep], scale[keep])
    correlation = (1 - SHRINKAGE) * correlation + SHRINKAGE * np.eye(len(correlation))
    whitened = _blocks(z) @ np.linalg.inv(np.linalg.cholesky(correlation)).T
    return np.asarray(np.sqrt((whitened**2).sum(axis=2)).ravel()[: len(z)])


def _blocks(rows: Floats) -> Floats:
    """Return rows in blocks small enough for OpenBLAS to leave each to one thread, the last filled up with zeros.

    On narrow matrices its threads cost more than they save, many times more on a machine that is busy.
    """
    n, p = rows.shape
    size = max(MAX_ONE_THREAD_PRODUCTS // (p * p), 1)
    padded = np.zeros((-(-n // size) * size, p))
    padded[:n] = rows
    return padded.reshape(-1, size, p)


def _spreads(column: ColumnProfile) -> bool:
    moments = column.moments
    return moments is not None and moments.q01 < moments.median < moments.q99


def _wrapped(scores: Floats) -> Floats:
    """Return scores that fall back to zero between 1.5 and 4, with the hyperbolic tangent between."""
    size = np.abs(scores)
    fall = np.tanh(np.clip(WRAP_TO - size, 0.0, None)) * WRAP_FROM / np.tanh(WRAP_TO - WRAP_FROM)
    return np.sign(scores) * np.where(size <= WRAP_FROM, size, fall)
