"""How often do folds in time, or of groups, take a swap of noise for an improvement?

    python benchmarks/correlated_folds.py [--draws 400] [--rows 600]

Two setups differ in four columns that either are pure noise or help a little, the one's exchangeable with the other's:
no setup is better, and every gain is an accident of the rows. Each draw makes new rows, measures the gain in log loss
of linear discriminant analysis on 6 × 5 folds, and takes its corrected resampled t. Printed are, for each kind of rows
and of folds: the overlap that `splits.overlap` gives; the overlap at which t would have the spread 1, which is what the
gains' correlation comes to; and the share of draws with |t| > 1.3, by which log loss is judged, and > 0.86.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.model_selection import TimeSeriesSplit

from bindoctor import Rows
from bindoctor.recipe_sections import Split
from bindoctor.splits import Fold, overlap, repeated_folds
from bindoctor.verdict import corrected_t

Floats = npt.NDArray[np.float64]
Repeated = Sequence[Sequence[Fold]]

REPEATS, FOLDS = 6, 5
SHARED, SWAPPED = 3, 4
DRIFT = 0.97


@dataclass(frozen=True)
class Case:
    """Rows of one kind, the folds that they are measured on, and the overlap: that of the folds where it is None."""

    rows: str
    folds: str
    part: Callable[[Rows, int], Repeated]
    swapped: float = 0.0
    groups: int = 0
    drifting: bool = False
    overlap: float | None = None


def at_random(rows: Rows, seed: int) -> Repeated:
    return repeated_folds(rows, Split(), repeats=REPEATS, folds=FOLDS, seed=seed)


def equal_in_time(rows: Rows, seed: int) -> Repeated:
    return [[(train, test) for train, test in TimeSeriesSplit(FOLDS).split(rows.row_ids)]] * REPEATS


def in_time(rows: Rows, seed: int) -> Repeated:
    timed = Rows(rows.features, rows.labels, rows.classes, rows.row_ids, order=rows.row_ids.astype(float))
    return repeated_folds(timed, Split(), repeats=REPEATS, folds=FOLDS, seed=seed)


def drawn(case: Case, rows: int, random: np.random.Generator) -> tuple[Floats, Rows]:
    """Return columns (shared, one setup's own, the other's own) and the rows that they belong to."""
    groups = np.repeat(np.arange(case.groups), rows // case.groups) if case.groups else None

    def columns(count: int) -> Floats:
        fresh = random.normal(size=(rows, count))
        if groups is not None:
            return 0.8 * random.normal(size=(case.groups, count))[groups] + 0.6 * fresh
        for row in range(1, rows if case.drifting else 0):
            fresh[row] = DRIFT * fresh[row - 1] + math.sqrt(1 - DRIFT**2) * fresh[row]
        return fresh

    matrix, unseen = columns(SHARED + 2 * SWAPPED), columns(1)[:, 0]
    logit = matrix[:, :SHARED].sum(axis=1) + case.swapped * matrix[:, SHARED:].sum(axis=1) - 0.5
    logit += unseen if case.drifting or case.groups else 0
    labels = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    return matrix, Rows(pl.DataFrame({"x": labels}), labels, ("no", "yes"), np.arange(rows), groups)


def log_loss(matrix: Floats, labels: npt.NDArray[np.int64], train: Floats, test: Floats) -> float:
    """Fit linear discriminant analysis on the training rows; return its log loss on the held-out rows."""
    x, y = matrix[train], labels[train]
    means = np.stack([x[y == k].mean(axis=0) for k in (0, 1)])
    spread = np.cov((x - means[y]).T) + 1e-3 * np.eye(x.shape[1])
    weights = np.linalg.solve(spread, means[1] - means[0])
    logit = matrix[test] @ weights - means.sum(axis=0) @ weights / 2 + math.log(y.mean() / (1 - y.mean()))
    return float(np.logaddexp(0, np.where(labels[test] == 1, -logit, logit)).mean())


def measured(case: Case, rows: int, draws: int) -> Iterator[str]:
    shared = list(range(SHARED))
    setups = [[*shared, *range(SHARED + SWAPPED * own, SHARED + SWAPPED * (own + 1))] for own in (0, 1)]
    means, spreads, overlaps, statistics = [], [], [], []
    for draw in range(draws):
        matrix, drawn_rows = drawn(case, rows, np.random.default_rng(draw))
        parts = case.part(drawn_rows, draw)
        gains = np.array(
            [
                np.subtract(*(log_loss(matrix[:, setup], drawn_rows.labels, *fold) for setup in setups))
                for folds in parts
                for fold in folds
            ]
        )
        means.append(gains.mean())
        spreads.append(gains.var(ddof=1))
        overlaps.append(overlap(parts) if case.overlap is None else case.overlap)
        statistics.append(abs(corrected_t(gains, overlaps[-1])))
    yield from (case.rows, case.folds, f"{np.mean(overlaps):.2f}")
    yield f"{np.var(means) / np.mean(spreads) - 1 / (REPEATS * FOLDS):.2f}"
    yield from (f"{100 * np.mean(np.array(statistics) > limit):.1f} %" for limit in (1.3, 0.86))


CASES = [
    Case(f"{what} is swapped{where}", *folds, swapped=swapped, drifting=bool(where))
    for what, swapped in (("noise", 0.0), ("some help", 0.3))
    for where in ("", ", rows that drift")
    for folds in (("at random", at_random), ("in time", in_time))
]
CASES += [
    Case("noise is swapped", "equal in time", equal_in_time, overlap=1 / (FOLDS - 1)),
    Case("some help is swapped", "equal in time", equal_in_time, swapped=0.3, overlap=1 / (FOLDS - 1)),
    *(Case(f"noise is swapped, {count} groups", "of groups", at_random, groups=count) for count in (100, 50, 12)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--rows", type=int, default=600)
    given = parser.parse_args()
    print("| rows | folds | overlap | measured | t > 1.3 | t > 0.86 |\n|---|---|---:|---:|---:|---:|")
    for case in CASES:
        print(f"| {' | '.join(measured(case, given.rows, given.draws))} |", flush=True)


if __name__ == "__main__":
    main()
