"""Turns rows into the matrices that training sees: preprocessed and resampled, with nothing fitted on held-out rows."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.compose import ColumnTransformer

from bindoctor.build import (
    Columns,
    build_preprocessor,
    categorical_blocks,
    check_columns,
    check_matrix_size,
    column_kinds,
    input_frame,
)
from bindoctor.dataset import Rows
from bindoctor.errors import InputError
from bindoctor.recipe import Recipe
from bindoctor.resampling import resampled
from bindoctor.splits import inner_validation

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Part:
    """Preprocessed rows: a float32 matrix of shape (n, width) and class indices of shape (n,)."""

    matrix: Matrix
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What training needs of the rows; the same for all recipes with an equal ``preparation_key``.

    Attributes:
        classes: class labels.
        columns: the feature columns by name.
        preprocessor: fitted on the training rows, before they were resampled.
        train: the training rows, resampled.
        valid: the rows that early stopping watches, cut from the training rows before anything was fitted; None without
            early stopping.
        test: the held-out rows, or None.
        weights: how much each training row counts, float32 of shape (n,) with mean 1, or None where all count alike.
    """

    classes: tuple[str, ...]
    columns: Columns
    preprocessor: ColumnTransformer
    train: Part
    valid: Part | None
    test: Part | None
    weights: Matrix | None = None


def preparation_key(recipe: Recipe) -> str:
    """Return a key that is equal for recipes whose ``prepare`` gives the same result for the same rows and seed."""
    sections: list[Any] = [recipe.data, recipe.split, recipe.features, recipe.resample]
    settings = [recipe.train.patience > 0, _takes_missing(recipe)]
    return msgspec.json.encode([*sections, *settings], order="deterministic").decode()


def prepare(recipe: Recipe, train: Rows, test: Rows | None = None, *, seed: int) -> Prepared:
    """Fit the recipe's preprocessing on ``train``, apply it to both parts, and resample the training rows only.

    Raises:
        InputError: the recipe does not fit the columns, missing numbers are not imputed, a value is too large for
            float32, or the rows cannot be split or resampled as the recipe says.
    """
    columns = column_kinds(train.features)
    if train.weights is not None and recipe.resample.method != "none":
        raise InputError(
            "recipe.data.weight and recipe.resample.method cannot both be set: rows that are made up have no weight; "
            "unset one of them."
        )
    check_columns(recipe.data, recipe.features, columns)
    watched = None
    if recipe.train.patience:
        kept, cut = inner_validation(train, recipe.split, seed=seed)
        train, watched = train.take(kept), train.take(cut)
    frame = _input(recipe, columns, train.features)
    features = msgspec.structs.replace(recipe.features, rare=recipe.rare_below)
    check_matrix_size(features, frame)
    preprocessor = build_preprocessor(features, columns, classes=len(train.classes), rows=len(train), seed=seed)
    # Cells near the largest float overflow in sums of squares; the matrix is checked for what comes of that.
    with np.errstate(all="ignore"):
        fitted = preprocessor.fit_transform(frame, train.labels)
    matrix, labels = resampled(
        recipe.resample,
        _checked(recipe, preprocessor, fitted),
        train.labels,
        train.classes,
        categorical_blocks(preprocessor),
        seed=seed,
    )

    def part(rows: Rows | None) -> Part | None:
        return None if rows is None else Part(transformed(recipe, preprocessor, columns, rows.features), rows.labels)

    weights = None if train.weights is None else _mean_one(train.weights)
    return Prepared(train.classes, columns, preprocessor, Part(matrix, labels), part(watched), part(test), weights)


def transformed(recipe: Recipe, preprocessor: ColumnTransformer, columns: Columns, features: pl.DataFrame) -> Matrix:
    """Return rows as the fitted preprocessor sees them, float32 of shape (n, width).

    Raises:
        InputError: missing numbers are not imputed, or a value is too large for float32.
    """
    with np.errstate(all="ignore"):
        return _checked(recipe, preprocessor, preprocessor.transform(_input(recipe, columns, features)))


def _mean_one(weights: npt.NDArray[np.float64]) -> Matrix:
    mean = weights.mean()
    if not 0 < mean < np.inf:
        raise InputError(
            f"the weights of recipe.data.weight have the mean {mean:g} over the training rows; unset it, or fill in "
            "others."
        )
    return np.asarray(weights / mean, dtype=np.float32)


def _takes_missing(recipe: Recipe) -> bool:
    return recipe.model.kind == "gradient-boosting"


def _input(recipe: Recipe, columns: Columns, features: pl.DataFrame) -> pl.DataFrame:
    if recipe.features.impute == "none" and not _takes_missing(recipe):
        numbers = [name for name, kind in columns.items() if kind == "number"]
        missing = {name: count for name in numbers if (count := features[name].null_count())}
        if missing:
            worst = max(missing, key=lambda name: missing[name])
            others = f" (and {len(missing) - 1} more columns have some)" if len(missing) > 1 else ""
            raise InputError(
                f"column {worst!r} has {missing[worst]} missing cells{others} and recipe.features.impute is 'none'; "
                "a network cannot train on missing numbers: set it to 'median', for example."
            )
    return input_frame(features, columns)


def _checked(recipe: Recipe, preprocessor: ColumnTransformer, values: npt.NDArray[Any]) -> Matrix:
    with np.errstate(over="ignore"):
        matrix = np.ascontiguousarray(values, dtype=np.float32)
    bad = np.isinf(matrix) if _takes_missing(recipe) else ~np.isfinite(matrix)
    if bad.any():
        name = preprocessor.get_feature_names_out()[int(bad.any(axis=0).argmax())].partition("__")[2]
        raise InputError(
            f"column {name!r} holds values that are too large to train on after recipe.features has been applied; "
            "transform or drop the column."
        )
    return matrix
