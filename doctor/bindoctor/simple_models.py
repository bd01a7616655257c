"""What logistic regression and gradient boosting make of a run's rows: trained on its folds, or on a sample of them."""

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from bindoctor.boosting import boosting_probability, train_boosting
from bindoctor.dataset import Dataset, Rows
from bindoctor.decide import cross_decided
from bindoctor.errors import InputError, TooFewRows
from bindoctor.evidence import Evidence
from bindoctor.predictions import Importance, Predictions, SimpleModel
from bindoctor.prepare import Prepared, prepare, transformed
from bindoctor.profile import Profile
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.scores import log_losses
from bindoctor.splits import Fold, derived_seed, user_split
from bindoctor.train import TrainingFailed, fit_prepared

MAX_ROWS = 5000
MAX_SHUFFLED_CELLS = 2_000_000
MIN_SHUFFLED_ROWS = 20
MAX_ARRAY_CELLS = 2048
"""Cells of rows that are arrays, from which on simple models say little and cost more than the network."""

Floats = npt.NDArray[np.float64]


class SimpleModels:
    """Trains the simple models beside a run, and remembers what it trained for which recipe and rows."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], tuple[SimpleModel, ...] | None] = {}

    def beside(self, evidence: Evidence) -> tuple[SimpleModel, ...] | None:
        """Return the simple models' answers beside the evidence's run; None where there is none of these rows.

        Raises:
            InputError: the recipe does not fit the file.
        """
        dataset, recipe, seen = evidence.dataset, evidence.recipe, evidence.predictions
        if dataset is None or recipe is None or seen is None:
            return None
        key = (recipe.digest(), seen.row_ids.tobytes() + seen.fold.tobytes())
        if key not in self._known:
            self._known[key] = train_simple_models(dataset, recipe, seen, evidence.profile)
        return self._known[key]


def train_simple_models(
    dataset: Dataset, recipe: Recipe, seen: Predictions, profile: Profile | None = None
) -> tuple[SimpleModel, ...] | None:
    """Train logistic regression and gradient boosting as ``recipe`` would, and answer rows that a run has answered.

    The run's own folds part the rows; where it has one fold, the rows that it has not answered are trained on, or where
    there are none, folds of the recipe's number are drawn. In time, all rows before a fold are. Of more than 5 000 rows
    as many are drawn for both. A model that cannot be trained on them is left out.

    Args:
        dataset: the data.
        recipe: the run's.
        seen: the run's answers, each row once or more often.
        profile: the scan of the data under the recipe; scanned anew when not given.

    Returns:
        One model each, or None where the answers are not about these rows (numbers that are not in the file, or another
        truth than it holds), or where rows are arrays of more than 2 048 cells.

    Raises:
        InputError: the recipe does not fit the file.
    """
    if math.prod(dataset.row_shape) > MAX_ARRAY_CELLS:
        return None
    rows = rows_of(dataset, recipe, profile)
    found = _folds(rows, recipe, seen)
    if found is None:
        return None
    rows, folds = found
    models = (_trained(recipe, kind, edits, rows, folds) for kind, edits in simple_edits(recipe, rows).items())
    return tuple(model for model in models if model is not None)


def simple_edits(recipe: Recipe, rows: Rows) -> Mapping[str, Mapping[str, Any]]:
    """Return by kind which edits make a recipe that of a simple model; it keeps everything else."""
    logistic: dict[str, Any] = {
        "model.kind": "logistic",
        "optimizer.kind": "adam",
        "optimizer.learning-rate": 0.01,
    }
    numbers = rows.features.select(pl.exclude(pl.String))
    if recipe.features.scale == "none" and numbers.width:
        logistic["features.scale"] = "standard"
    if recipe.features.impute == "none" and any(column.null_count() > 0 for column in numbers):
        logistic["features.impute"] = "median"
    return {"logistic": logistic, "gradient-boosting": {"model.kind": "gradient-boosting"}}


def _folds(rows: Rows, recipe: Recipe, seen: Predictions) -> tuple[Rows, tuple[Fold, ...]] | None:
    """Return the rows that a run is about and how it parted them; None where these are others."""
    _, first = np.unique(seen.row_ids, return_index=True)
    order = np.argsort(rows.row_ids)
    place = order[np.searchsorted(rows.row_ids, seen.row_ids[first], sorter=order).clip(0, len(order) - 1)]
    there = rows.row_ids[place] == seen.row_ids[first]
    first, place = first[there], place[there]
    if not len(first) or seen.classes != rows.classes or (seen.truth[first] != rows.labels[place]).any():
        return None
    fold_of = np.full(len(rows), -1, dtype=np.int64)
    fold_of[place] = np.unique(seen.fold[first], return_inverse=True)[1]
    several = fold_of.max() > 0
    kept = np.arange(len(rows))
    if several:
        # What several folds leave out has been put away, but in time the first of them is trained on what comes before.
        answered = fold_of >= 0
        kept = np.flatnonzero(answered if rows.order is None else rows.order <= rows.order[answered].max())
    kept = _drawn(kept, fold_of[kept] >= 0)
    rows, fold_of = rows.take(kept), fold_of[kept]
    if not several and (fold_of >= 0).all():
        split = msgspec.structs.replace(recipe.split, kind="folds", repeats=1, column="")
        try:
            return rows, user_split(rows, split, seed=recipe.train.seed)
        except TooFewRows:
            return rows, ()
    folds = (_fold(rows, fold_of, number) for number in range(int(fold_of.max()) + 1))
    return rows, tuple((train, test) for train, test in folds if len(train) and len(test))


def _drawn(kept: npt.NDArray[np.int64], answered: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return at most ``MAX_ROWS`` positions, ascending; a fifth of them answered where their share would come to less.

    Args:
        kept: the positions to draw from.
        answered: which of them the run has answered.
    """
    if len(kept) <= MAX_ROWS:
        return kept
    order = np.random.default_rng(0).permutation(len(kept))
    held, others = order[answered[order]], order[~answered[order]]
    count = max(round(MAX_ROWS * len(held) / len(kept)), min(len(held), MAX_ROWS // 5))
    return np.sort(kept[np.concatenate([held[:count], others[: MAX_ROWS - count]])])


def _fold(rows: Rows, fold_of: npt.NDArray[np.int64], number: int) -> Fold:
    test = fold_of == number
    train = ~test if rows.order is None or not test.any() else rows.order < rows.order[test].min()
    return np.flatnonzero(train), np.flatnonzero(test)


def _trained(
    recipe: Recipe, kind: str, edits: Mapping[str, Any], rows: Rows, folds: tuple[Fold, ...]
) -> SimpleModel | None:
    simple = recipe.edited(edits)

    def fitted(number: int) -> tuple[Floats, Floats]:
        train, test = folds[number]
        seed = derived_seed(recipe.train.seed, number)
        prepared = prepare(simple, rows.take(train), rows.take(test), seed=seed)
        if kind != "gradient-boosting":
            return fit_prepared(simple, prepared, seed=seed)[0], np.empty((0, rows.features.width))
        return _boosted(simple, prepared, rows.take(test), seed)

    if not folds:
        return None
    try:
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(os.cpu_count() or 1, len(folds))) as pool:
            answers, rises = zip(*pool.map(fitted, range(len(folds))), strict=True)
    except (InputError, TrainingFailed):
        return None
    held = np.concatenate([test for _, test in folds])
    fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    predictions = Predictions.of_rows(rows, held, np.concatenate(answers), fold)
    rise = np.concatenate(rises)
    importance = {
        name: Importance(float(values.mean()), float(values.std(ddof=1)) / np.sqrt(len(values)))
        for name, values in zip(rows.features.columns, rise.T, strict=True)
        if len(values) > 1
    }
    return SimpleModel(kind, dict(edits), cross_decided(predictions, simple.decide), importance)


def _boosted(recipe: Recipe, prepared: Prepared, test: Rows, seed: int) -> tuple[Floats, Floats]:
    """Return the answers to held-out rows, and how much the loss of some rises with each column shuffled among them."""
    estimator, _ = train_boosting(recipe, prepared, seed=seed)
    assert prepared.test is not None
    classes = len(prepared.classes)
    answers = boosting_probability(estimator, prepared.test.matrix, classes)
    generator = np.random.default_rng(seed)
    width = test.features.width
    count = min(len(test), MAX_SHUFFLED_CELLS // width**2)
    if count < min(MIN_SHUFFLED_ROWS, len(test)):
        return answers, np.empty((0, width))
    drawn = generator.permutation(len(test))[:count]
    rows = test.take(drawn)
    order = generator.permutation(count)
    shuffled = pl.concat(
        [rows.features.with_columns(rows.features[name][order]) for name in rows.features.columns], rechunk=True
    )
    matrix = transformed(recipe, prepared.learned, prepared.preprocessor, prepared.columns, shuffled)
    changed = boosting_probability(estimator, matrix, classes)
    before = log_losses(rows.labels, answers[drawn])
    after = log_losses(np.tile(rows.labels, width), changed).reshape(width, count)
    return answers, (after - before).T
