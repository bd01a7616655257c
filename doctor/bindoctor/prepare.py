"""Turns rows into the matrices that training sees: preprocessed and resampled, with nothing fitted on held-out rows."""

import warnings
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest

from bindoctor.build import (
    build_preprocessor,
    categorical_blocks,
    check_columns,
    check_matrix_size,
    column_kinds,
    input_frame,
)
from bindoctor.channels import as_rows, channel_columns, channel_frame, check_array_settings, row_shape_of
from bindoctor.dataset import Rows
from bindoctor.engineering import Columns, Learned, engineered, engineered_columns, learn
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
        learned: what columns are made and inputs chosen with, learnt from the training rows.
        preprocessor: fitted on the training rows, before they were resampled.
        train: the training rows, resampled.
        valid: the rows that early stopping watches: given, or cut from the training rows before anything was fitted;
            None without early stopping.
        test: the held-out rows, or None.
        epoch_rows: how many training rows there were before they were resampled: so many an epoch goes through.
        weights: how much each training row counts, float32 of shape (n,) with mean 1, or None where all count alike.
        shape: of a row that is an array, whose cells are the columns of the matrices; empty for a table.
    """

    classes: tuple[str, ...]
    columns: Columns
    learned: Learned
    preprocessor: ColumnTransformer
    train: Part
    valid: Part | None
    test: Part | None
    epoch_rows: int
    weights: Matrix | None = None
    shape: tuple[int, ...] = ()


def preparation_key(recipe: Recipe) -> str:
    """Return a key that is equal for recipes whose ``prepare`` gives the same result for the same rows and seed."""
    sections: list[Any] = [recipe.data, recipe.split, recipe.features, recipe.resample]
    settings = [_watches(recipe), _takes_missing(recipe)]
    return msgspec.json.encode([*sections, *settings], order="deterministic").decode()


def random_preparation(recipe: Recipe) -> bool:
    """Tell whether the seed has a bearing on what ``prepare`` gives."""
    features = recipe.features
    encoded = "target" in (features.encode, *features.encode_columns.values())
    by_quantiles = "quantile" in (features.scale, *features.transform.values())
    return encoded or by_quantiles or recipe.resample.method != "none" or _watches(recipe)


def prepare(recipe: Recipe, train: Rows, test: Rows | None = None, *, seed: int, valid: Rows | None = None) -> Prepared:
    """Fit the recipe's preprocessing on ``train``, apply it to every part, and resample the training rows only.

    Args:
        recipe: what is trained.
        train: the training rows.
        test: rows to answer.
        seed: for everything random.
        valid: rows for early stopping to watch; without them, they are cut from the training rows.

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
    shape = row_shape_of(train.features)
    if shape:
        check_array_settings(recipe, train.features)
    else:
        check_columns(recipe.data, recipe.features, columns)
    watched = None
    if _watches(recipe) and valid is not None:
        watched = valid
    elif _watches(recipe):
        kept, cut = inner_validation(train, recipe.split, seed=seed)
        train, watched = train.take(kept), train.take(cut)
    must_be_there = recipe.features.impute == "none" and not _takes_missing(recipe)
    if shape:
        learned, made, made_columns = Learned(), channel_frame(train.features), channel_columns(shape)
    else:
        learned, made = learn(recipe.features, columns, train.features, fill=must_be_there)
        made_columns = engineered_columns(recipe.features, columns)
    frame = _input(recipe, made_columns, made)
    features = msgspec.structs.replace(recipe.features, rare=recipe.rare_below)
    check_matrix_size(features, frame)
    preprocessor = build_preprocessor(features, made_columns, classes=len(train.classes), rows=len(frame), seed=seed)
    # Cells near the largest float overflow in sums of squares; the matrix is checked for what comes of that.
    with np.errstate(all="ignore"):
        fitted = preprocessor.fit_transform(frame, None if shape else train.labels)
    matrix = _checked(recipe, preprocessor, fitted)
    matrix = as_rows(matrix, shape) if shape else matrix
    learned = msgspec.structs.replace(learned, kept=informative_inputs(recipe.features.keep, matrix, train.labels))
    matrix, labels = resampled(
        recipe.resample,
        _kept(learned, matrix),
        train.labels,
        train.classes,
        _kept_blocks(learned, categorical_blocks(preprocessor)),
        seed=seed,
    )

    def part(rows: Rows | None) -> Part | None:
        if rows is None:
            return None
        return Part(transformed(recipe, learned, preprocessor, columns, rows.features), rows.labels)

    return Prepared(
        train.classes,
        columns,
        learned,
        preprocessor,
        Part(matrix, labels),
        part(watched),
        part(test),
        len(train),
        None if train.weights is None else _mean_one(train.weights),
        shape,
    )


def transformed(
    recipe: Recipe, learned: Learned, preprocessor: ColumnTransformer, columns: Columns, features: pl.DataFrame
) -> Matrix:
    """Return rows as the fitted preprocessing gives them, float32 of shape (n, width).

    Raises:
        InputError: missing numbers are not imputed, or a value is too large for float32.
    """
    shape = row_shape_of(features)
    if shape:
        cells = _input(recipe, channel_columns(shape), channel_frame(features))
        with np.errstate(all="ignore"):
            return as_rows(_checked(recipe, preprocessor, preprocessor.transform(cells)), shape)
    made = engineered(recipe.features, columns, learned, features)
    frame = _input(recipe, engineered_columns(recipe.features, columns), made)
    with np.errstate(all="ignore"):
        return _kept(learned, _checked(recipe, preprocessor, preprocessor.transform(frame)))


def informative_inputs(count: int, matrix: Matrix, labels: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """Return the positions of the ``count`` columns with the largest F of the analysis of variance over the classes.

    Empty, which stands for all, when there are no more or ``count`` is 0. A missing number counts as its column's mean.
    """
    if not 0 < count < matrix.shape[1]:
        return ()
    exact = matrix.astype(np.float64)
    missing = np.isnan(exact)
    if missing.any():
        present = np.maximum((~missing).sum(axis=0), 1)
        exact = np.where(missing, np.where(missing, 0.0, exact).sum(axis=0) / present, exact)
    # A column without any spread has no F; it goes first.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        selector = SelectKBest(k=count).fit(exact, labels)
    return tuple(selector.get_support(indices=True).tolist())


def _kept(learned: Learned, matrix: Matrix) -> Matrix:
    return np.ascontiguousarray(matrix[:, learned.kept]) if learned.kept else matrix


def _kept_blocks(learned: Learned, blocks: list[slice]) -> list[slice]:
    """Return where the inputs of each category stand among the kept ones; what is left of one stays together."""
    if not learned.kept:
        return blocks
    edges = [np.searchsorted(learned.kept, (block.start, block.stop)).tolist() for block in blocks]
    return [slice(start, stop) for start, stop in edges if stop > start]


def _mean_one(weights: npt.NDArray[np.float64]) -> Matrix:
    mean = weights.mean()
    if not 0 < mean < np.inf:
        raise InputError(
            f"the weights of recipe.data.weight have the mean {mean:g} over the training rows; unset it, or fill in "
            "others."
        )
    return np.asarray(weights / mean, dtype=np.float32)


def _watches(recipe: Recipe) -> bool:
    """Tell whether early stopping watches rows; the user's own estimator is fitted at once."""
    return recipe.train.patience > 0 and recipe.model.kind != "estimator"


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
