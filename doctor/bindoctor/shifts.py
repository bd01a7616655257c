"""Holds the columns of a part against those of the training rows: shifted distributions, unseen levels."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bindoctor.column_profile import ColumnProfile, Distribution
from bindoctor.parts import Shift, Unseen
from bindoctor.profile import Profile

MAX_RANGES = 10
MIN_EXPECTED = 5
MAX_LISTED_LEVELS = 10
NOT_COMPARED = ("identifier", "date", "text")
"""Roles of columns that differ between parts by their nature."""

Floats = npt.NDArray[np.float64]


def shifts_of(training: Profile, part: Profile) -> Iterator[Shift]:
    """Compare each column that is neither identifier, date nor running text; see ``Shift``."""
    shares = _class_shares(training, part)
    sizes = np.array(training.class_counts, dtype=np.float64)
    per_row = np.divide(shares, sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    effective = 1.0 / float((shares * per_row).sum())
    for name, column in training.columns.items():
        other = part.columns.get(name)
        if other is None or column.role in NOT_COMPARED or (other.kind != column.kind and other.count):
            continue
        if column.kind == "number":
            yield _number_shift(column, other, per_row, effective, part.rows)
        elif column.levels_complete and (column.count or other.count):
            yield _text_shift(column, other, per_row, effective, part.rows)


def unseen_of(training: Profile, part: Profile) -> Iterator[Unseen]:
    """Find values that no training row has.

    Of text only where all of its training levels were counted, and where it is not mostly numbers.
    """
    for name, column in training.columns.items():
        other = part.columns.get(name)
        if other is None or column.role in NOT_COMPARED or not other.levels_complete:
            continue
        if column.kind == "number":
            new = [level for level in other.levels if other.kind == "text" and _number(level.value) is None]
        elif column.levels_complete and column.count and column.parsed < column.count / 2:
            known = {_same(level.value) for level in column.levels}
            new = [level for level in other.levels if _same(level.value) not in known]
        else:
            continue
        if new:
            listed = tuple((level.value, level.count) for level in new[:MAX_LISTED_LEVELS])
            yield Unseen(name, listed, len(new), sum(level.count for level in new), column.kind == "number")


def _class_shares(training: Profile, part: Profile) -> Floats:
    """Return the share of each training class in the part, shape (classes,); the training's own where it has none."""
    counts = dict(zip(part.classes, part.class_counts, strict=True))
    sizes = np.array(training.class_counts, dtype=np.float64)
    found = np.array([counts.get(label, 0) if size else 0 for label, size in zip(training.classes, sizes, strict=True)])
    counted = found if found.any() else sizes
    return np.asarray(counted / counted.sum())


def _number_shift(column: ColumnProfile, other: ColumnProfile, per_row: Floats, effective: float, rows: int) -> Shift:
    masses = np.empty(0) if column.distribution is None else per_row @ column.distribution.counts
    missing = float(per_row @ np.array(column.missing_by_class))
    share_missing = other.missing / rows
    if column.distribution is None or not masses.sum():
        cells, found, ks, by = [missing, 1 - missing], [share_missing, 1 - share_missing], None, None
        at_random = 1.0
    else:
        edges = _edges(column.distribution, masses, min(MAX_RANGES, max(2, rows // MIN_EXPECTED)))
        below = column.distribution.share_below(edges, masses)
        spread = other.distribution
        theirs = below if spread is None else spread.share_below(edges)
        cells = [*(np.diff(below, prepend=0.0, append=1.0) * (1 - missing)), missing]
        found = [*(np.diff(theirs, prepend=0.0, append=1.0) * (1 - share_missing)), share_missing]
        ks, at_random, by = None, 1.0, None
        if spread is not None:
            ks = _distance(column.distribution, masses, spread)
            at_random = _kolmogorov(ks, effective * (1 - missing), rows * (1 - share_missing))
            by = _moved(column, other)
    psi, noise, p = _compared(np.array(cells), np.array(found), effective, rows)
    return Shift(column.name, psi, noise, ks, min(1.0, 2 * min(p, at_random)), by)


def _text_shift(column: ColumnProfile, other: ColumnProfile, per_row: Floats, effective: float, rows: int) -> Shift:
    expected = {_same(level.value): float(per_row @ np.array(level.by_class)) for level in column.levels}
    # Which levels are rare is decided by the training rows alone, and new levels are counted with them: of many levels
    # some are always new, and those that chance made common would otherwise look as if they had become rarer.
    common = {name: share for name, share in expected.items() if share * min(effective, rows) >= MIN_EXPECTED}
    found = dict.fromkeys(common, 0.0)
    for level in other.levels:
        if (name := _same(level.value)) in found:
            found[name] += level.count / rows
    missing, share_missing = float(per_row @ np.array(column.missing_by_class)), other.missing / rows
    cells = [*common.values(), max(0.0, 1 - missing - sum(common.values())), missing]
    shares = [*found.values(), max(0.0, 1 - share_missing - sum(found.values())), share_missing]
    psi, noise, p = _compared(np.array(cells), np.array(shares), effective, rows)
    return Shift(column.name, psi, noise, None, p, None)


def _edges(distribution: Distribution, masses: Floats, ranges: int) -> Floats:
    """Return upper edges, inside the column's values, of ranges of about equal mass; around the only value, if any."""
    ends = np.cumsum(masses)
    if masses.astype(bool).sum() == 1 and distribution.exact:
        only = distribution.highs[int(masses.argmax())]
        return np.array([np.nextafter(only, -np.inf), only])
    at = np.searchsorted(ends, np.arange(1, ranges) / ranges * ends[-1] * (1 - 1e-12))
    return np.unique(distribution.highs[at[ends[at] < ends[-1] * (1 - 1e-12)]])


def _distance(distribution: Distribution, masses: Floats, other: Distribution) -> float:
    """Return the Kolmogorov–Smirnov distance, at the ends of the bins of both."""
    at = np.union1d(distribution.highs, other.highs)
    return float(np.abs(distribution.share_below(at, masses) - other.share_below(at)).max())


def _moved(column: ColumnProfile, other: ColumnProfile) -> float | None:
    if column.moments is None or other.moments is None or not column.moments.std > 0:
        return None
    moved = (other.moments.mean - column.moments.mean) / column.moments.std
    return moved if math.isfinite(moved) else None


def _compared(cells: Floats, found: Floats, size: float, other_size: float) -> tuple[float, float, float]:
    """Return PSI, its expectation between samples of one distribution, and the p-value of Pearson's chi-squared.

    Cells with fewer than ``MIN_EXPECTED`` rows expected in the smaller sample are taken as one. Half a row is added to
    each cell, so that an empty one leaves the index finite.
    """
    pooled = (cells * size + found * other_size) / (size + other_size)
    small = pooled * min(size, other_size) < MIN_EXPECTED
    p = np.append(cells[~small], cells[small].sum())
    q = np.append(found[~small], found[small].sum())
    used = (p > 1e-12) | (q > 1e-12)
    p, q, count = p[used], q[used], int(used.sum())
    if count < 2:
        return 0.0, 0.0, 1.0
    spread = 1 / size + 1 / other_size
    pooled = (p * size + q * other_size) / (size + other_size)
    chi2 = float(((q - p) ** 2 / pooled).sum() / spread)
    p, q = (p * size + 0.5) / (size + 0.5 * count), (q * other_size + 0.5) / (other_size + 0.5 * count)
    return float(((q - p) * np.log(q / p)).sum()), (count - 1) * spread, _chi2_above(chi2, count - 1)


def _chi2_above(value: float, freedom: int) -> float:
    """Return P(χ² ≥ value): exact for one and two degrees of freedom, else by Wilson & Hilferty (1931)."""
    if freedom == 1:
        return math.erfc(math.sqrt(value / 2))
    if freedom == 2:
        return math.exp(-value / 2)
    width = 2 / (9 * freedom)
    return math.erfc(((value / freedom) ** (1 / 3) - (1 - width)) / math.sqrt(2 * width)) / 2


def _kolmogorov(distance: float, size: float, other_size: float) -> float:
    """Return the asymptotic probability of at least this distance, corrected for small samples (Stephens 1970)."""
    if size <= 0 or other_size <= 0:
        return 1.0
    root = math.sqrt(size * other_size / (size + other_size))
    at = (root + 0.12 + 0.11 / root) * distance
    if at < 0.2:
        return 1.0
    terms = (math.exp(-2 * (k * at) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def _number(text: str) -> float | None:
    try:
        # Python also reads 1_000 as a number.
        value = float(text.replace("_", "?"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _same(text: str) -> str | float:
    """Return what two spellings of one level have in common, as the scan sees it: the number, or the text."""
    number = _number(text)
    return text if number is None else number
