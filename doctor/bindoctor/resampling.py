"""Resamples the rows of a training matrix so that rare classes weigh more."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from bindoctor.errors import InputError
from bindoctor.recipe_sections import Resample

Matrix = npt.NDArray[np.float32]
Classes = npt.NDArray[np.int64]

SYNTHETIC = ("smote", "smotenc", "borderline-smote", "adasyn", "smote-tomek", "smote-enn")


def resample_targets(resample: Resample, counts: Sequence[int]) -> dict[int, int]:
    """Return how many rows each class that changes shall have, by class index.

    Over-sampling raises every class to ``ratio`` × the largest; random under-sampling lowers every class to the
    smallest ÷ ``ratio``. Cleaning (Tomek links, ENN) removes rows after that. Classes without rows stay so.
    """
    present = [count for count in counts if count]
    if resample.method == "random-under":
        most = round(min(present) / resample.ratio)
        return {k: most for k, count in enumerate(counts) if count > most}
    least = round(max(present) * resample.ratio)
    return {k: least for k, count in enumerate(counts) if 0 < count < least}


def build_resampler(
    resample: Resample, targets: dict[int, int], *, seed: int, categorical_mask: npt.NDArray[np.bool_]
) -> Any:
    """Build the unfitted imbalanced-learn sampler that gives each class its number of rows in ``targets``.

    ``categorical_mask`` tells which columns SMOTENC takes for category codes.
    """
    neighbors = resample.neighbors
    match resample.method:
        case "smote":
            return SMOTE(sampling_strategy=targets, k_neighbors=neighbors, random_state=seed)
        case "smotenc":
            coded = np.flatnonzero(categorical_mask).tolist()
            return SMOTENC(coded, sampling_strategy=targets, k_neighbors=neighbors, random_state=seed)
        case "borderline-smote":
            return BorderlineSMOTE(sampling_strategy=targets, k_neighbors=neighbors, random_state=seed)
        case "adasyn":
            return ADASYN(sampling_strategy=targets, n_neighbors=neighbors, random_state=seed)
        case "random-over":
            return RandomOverSampler(sampling_strategy=targets, random_state=seed)
        case "random-under":
            return RandomUnderSampler(sampling_strategy=targets, random_state=seed)
        case "smote-tomek":
            smote = SMOTE(sampling_strategy=targets, k_neighbors=neighbors, random_state=seed)
            return SMOTETomek(smote=smote, random_state=seed)
        case "smote-enn":
            smote = SMOTE(sampling_strategy=targets, k_neighbors=neighbors, random_state=seed)
            return SMOTEENN(smote=smote, random_state=seed)
    raise ValueError(f"no sampler for {resample.method!r}")


def resampled(
    resample: Resample,
    matrix: Matrix,
    labels: Classes,
    classes: tuple[str, ...],
    blocks: Sequence[slice],
    *,
    seed: int,
) -> tuple[Matrix, Classes]:
    """Return the training rows after resampling; unchanged when every class already has the rows it shall have.

    Args:
        resample: the recipe's section.
        matrix: preprocessed training rows, shape (n, width).
        labels: class indices, shape (n,).
        classes: class labels.
        blocks: matrix columns that hold one category together. SMOTENC (Chawla et al. 2002) sees each as one
            category, so that a synthetic row gets a level that exists; the other methods see plain columns.
        seed: for the draws.

    Raises:
        InputError: a class has too few rows for the neighbours, the matrix has missing cells, or the sampler found
            nothing to do or left a class without rows.
    """
    counts = np.bincount(labels, minlength=len(classes))
    targets = {} if resample.method == "none" else resample_targets(resample, counts.tolist())
    if not targets:
        return matrix, labels
    _check(resample, matrix, classes, counts, targets)
    by_category = resample.method == "smotenc"
    if by_category and not (blocks and len(_others(blocks, matrix.shape[1]))):
        raise InputError(
            "recipe.resample.method 'smotenc' needs number and text columns; without text columns use 'smote', without "
            "number columns 'random-over'."
        )
    rows = _compact(matrix, blocks) if by_category else matrix
    mask = np.arange(rows.shape[1]) >= rows.shape[1] - len(blocks)
    sampler = build_resampler(resample, targets, seed=seed, categorical_mask=mask)
    try:
        found, kinds = sampler.fit_resample(rows, labels)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"recipe.resample.method {resample.method!r} failed on the training rows: {error}") from error
    left = np.bincount(kinds, minlength=len(classes))
    for k in np.flatnonzero((counts > 0) & (left == 0)):
        raise InputError(
            f"recipe.resample.method {resample.method!r} leaves class {classes[k]!r} without training rows."
        )
    found = _expand(found, blocks, matrix.shape[1]) if by_category else found
    return np.ascontiguousarray(found, dtype=np.float32), kinds.astype(np.int64)


def _check(
    resample: Resample, matrix: Matrix, classes: tuple[str, ...], counts: npt.NDArray[np.int64], targets: dict[int, int]
) -> None:
    if resample.method not in SYNTHETIC:
        return
    if np.isnan(matrix).any():
        raise InputError(
            f"recipe.resample.method {resample.method!r} cannot use missing cells; set recipe.features.impute."
        )
    for k in targets:
        if counts[k] <= resample.neighbors:
            raise InputError(
                f"recipe.resample.method {resample.method!r} needs more rows of a class than neighbors "
                f"({resample.neighbors}), but class {classes[k]!r} has {counts[k]} training rows; "
                "set recipe.resample.neighbors lower or use 'random-over'."
            )


def _compact(matrix: Matrix, blocks: Sequence[slice]) -> Matrix:
    """Put one column of category codes for each block behind the other columns: 0 for no level, 1 for the first, …"""
    codes = [matrix[:, block] @ np.arange(1, block.stop - block.start + 1, dtype=np.float32) for block in blocks]
    return np.column_stack([matrix[:, _others(blocks, matrix.shape[1])], *codes])


def _expand(compact: Matrix, blocks: Sequence[slice], width: int) -> Matrix:
    """Undo ``_compact``."""
    matrix = np.zeros((len(compact), width), dtype=np.float32)
    others = _others(blocks, width)
    matrix[:, others] = compact[:, : len(others)]
    for column, block in enumerate(blocks, start=len(others)):
        rows = np.flatnonzero(compact[:, column])
        matrix[rows, block.start + compact[rows, column].astype(np.int64) - 1] = 1
    return matrix


def _others(blocks: Sequence[slice], width: int) -> npt.NDArray[np.int64]:
    inside = np.zeros(width, dtype=np.bool_)
    for block in blocks:
        inside[block] = True
    return np.flatnonzero(~inside)
