"""How well a linear model tells the rows of a part from the training rows."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import Part, Profile

MAX_ROWS = 2000
MAX_INPUTS = 256
MAX_LEVELS = 8
MIN_ROWS = 30
MIN_LEVEL_ROWS = 10
PENALTY = 0.1

Floats = npt.NDArray[np.float64]


class Domain(NamedTuple):
    """A cross-validated answer to "is this row of the part?": its AUC with standard error, from so many rows in all."""

    auc: float
    error: float
    rows: int


def tell_apart(training: Profile, part: Part, columns: Sequence[str]) -> Domain | None:
    """Cross-validate in two halves a ridge classifier of part against training rows; None where rows are too few.

    Rows come from the samples of both scans, up to 2 000 each, the training rows with the part's class shares, so that
    a difference of the classes alone is none. Columns become standardised numbers within three standard deviations,
    indicators of missing values, and of up to eight common levels; beyond 256 of these inputs, the first ones count.
    The standard error is that of Hanley & McNeil (1982) at an AUC of 0.5.
    """
    ours, theirs = training.sample, part.profile.sample
    if ours is None or theirs is None or not columns:
        return None
    random = np.random.default_rng(0)
    there = _drawn(random, np.arange(len(theirs)), MAX_ROWS)
    here = _matched(random, ours.labels, ours.classes, theirs.labels[there], theirs.classes)
    if min(len(here), len(there)) < MIN_ROWS:
        return None
    inputs: list[Floats] = []
    for name in columns:
        if len(inputs) >= MAX_INPUTS:
            break
        pair = ours.features[name].to_numpy()[here], theirs.features[name].to_numpy()[there]
        inputs += _inputs_of(np.concatenate(pair), training.columns[name].kind == "number")
    if not inputs:
        return None
    matrix = np.column_stack(inputs[:MAX_INPUTS])
    is_part = np.repeat([False, True], [len(here), len(there)])
    half = np.empty(len(is_part), dtype=np.bool_)
    for side in (False, True):
        rows = np.flatnonzero(is_part == side)
        half[rows] = random.permutation(np.arange(len(rows)) % 2 == 0)
    aucs = [
        _auc(_ridge(matrix[half == fold], is_part[half == fold], matrix[half != fold]), is_part[half != fold])
        for fold in (False, True)
    ]
    error = math.sqrt((len(here) + len(there) + 1) / (12 * len(here) * len(there)))
    return Domain(float(np.mean(aucs)), error, len(is_part))


def _drawn(random: "np.random.Generator", rows: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def _matched(
    random: "np.random.Generator",
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    other_labels: npt.NDArray[np.int64],
    other_classes: tuple[str, ...],
) -> npt.NDArray[np.int64]:
    """Draw rows of ``labels`` with the class shares of ``other_labels``, as many as these allow."""
    codes = {label: code for code, label in enumerate(classes)}
    wanted = np.zeros(len(classes))
    for code, count in enumerate(np.bincount(other_labels, minlength=len(other_classes))):
        if other_classes[code] in codes:
            wanted[codes[other_classes[code]]] = count
    if not wanted.sum():
        return np.empty(0, dtype=np.int64)
    shares, there = wanted / wanted.sum(), np.bincount(labels, minlength=len(classes))
    used = shares > 0
    total = min(MAX_ROWS, float((there[used] / shares[used]).min()))
    drawn = [
        _drawn(random, np.flatnonzero(labels == code), round(total * share))
        for code, share in enumerate(shares)
        if share
    ]
    return np.sort(np.concatenate(drawn))


def _inputs_of(cells: npt.NDArray[np.object_] | Floats, number: bool) -> list[Floats]:
    """Return one column as inputs of mean 0 and spread 1, those that vary, each of shape (n,)."""
    if number and cells.dtype.kind == "f":
        missing = np.isnan(cells)
        values = cells[~missing]
        if not len(values):
            return []
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        spread = (high - low) / 1.349 or float(np.abs(values - middle).mean()) or 1.0
        filled = np.where(missing, 0.0, np.clip((cells - middle) / spread, -3.0, 3.0))
        columns = [filled, missing.astype(np.float64)]
    else:
        texts = np.array(["" if cell is None else str(cell) for cell in cells])
        _, at, counts = np.unique(texts, return_inverse=True, return_counts=True)
        common = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
        columns = [(at == level).astype(np.float64) for level in common if counts[level] >= MIN_LEVEL_ROWS]
    deviations = [float(column.std()) for column in columns]
    return [(c - c.mean()) / s for c, s in zip(columns, deviations, strict=True) if s > 1e-9]


def _ridge(matrix: Floats, is_part: npt.NDArray[np.bool_], new: Floats) -> Floats:
    """Fit a ridge classifier in which both sides weigh the same, and return its scores of new rows."""
    weights = np.where(is_part, 0.5 / is_part.sum(), 0.5 / (~is_part).sum())
    centre = weights @ matrix
    centred = (matrix - centre) * np.sqrt(weights)[:, None]
    answers = np.where(is_part, 1.0, -1.0) * np.sqrt(weights)
    if len(centred) < centred.shape[1]:
        kernel = centred @ centred.T
        kernel[np.diag_indices_from(kernel)] += PENALTY
        slope = centred.T @ np.linalg.solve(kernel, answers)
    else:
        moments = centred.T @ centred
        moments[np.diag_indices_from(moments)] += PENALTY
        slope = np.linalg.solve(moments, centred.T @ answers)
    return np.asarray((new - centre) @ slope)


def _auc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    _, at, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[at]
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))
