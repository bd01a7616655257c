"""The model that a user keeps: trained on all rows, with its threshold and calibrator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from bindoctor.dataset import Rows
from bindoctor.decide import Decision, fit_decision, needs_fitting, require_two_classes
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.own_inspection import with_own_model
from bindoctor.predictions import Predictions
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Decide, Split
from bindoctor.rows import rows_of
from bindoctor.splits import Fold, repeated_folds, training_rows, user_split, validation_rows
from bindoctor.train import Fitted, cross_fit, fit

MAX_CROSS_FITTED = 20_000


@dataclass(frozen=True, eq=False)
class FinalModel:
    """A fitted recipe and how it answers.

    ``medians`` holds the training median of each number column where neither the recipe nor the estimator has an answer
    to a missing number: training had none, but rows to predict may.
    """

    fitted: Fitted
    decision: Decision
    medians: Mapping[str, float]

    def predict(self, features: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Return calibrated class probabilities, float64 of shape (n, classes).

        Levels that training never saw are encoded as the recipe's preprocessing encodes unknown ones. Missing numbers
        are imputed as the recipe says; without an imputer, gradient boosting takes them as they are and a network gets
        the training median.

        Args:
            features: at least the columns of ``fitted.columns``, typed as in training.

        Raises:
            InputError: a number is too large.
        """
        filled = features.with_columns(pl.col(name).fill_null(value) for name, value in self.medians.items())
        return self.decision.calibrator.apply(self.fitted.probability(filled))

    def decide(self, features: pl.DataFrame) -> npt.NDArray[np.int64]:
        """Return the answered class's index for each row, int64 of shape (n,)."""
        return self.decision.answer(self.predict(features))

    def predictions(self, rows: Rows) -> Predictions:
        """Return the model's answers beside the truth, for rows it was not trained on."""
        every, fold = np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64)
        answered = Predictions.of_rows(rows, every, self.predict(rows.features), fold, self.decision.threshold)
        return replace(answered, costs=self.fitted.recipe.decide.costs)


def train_final(recipe: Recipe, rows: Rows, *, seed: int, plain: bool = True) -> FinalModel:
    """Train the recipe on all rows; a threshold or calibrator that is learned comes from ``split.folds`` folds of them.

    Rows that the split's column keeps back are not trained on. Those of them that it calls validation rows are what
    early stopping watches. Beyond 20 000 rows the last of the folds is plenty for a threshold, and is the only one.

    Args:
        recipe: what to train.
        rows: the training rows.
        seed: for everything random.
        plain: whether to take plain PyTorch's steps, as an exported script does; compiled ones, which differ by
            rounding, are taken beyond 20 000 rows in any case: plain ones take minutes there.

    Raises:
        InputError: the recipe does not fit the rows.
        TrainingFailed: training collapsed.
    """
    valid, rows = validation_rows(rows), training_rows(rows)
    require_two_classes(recipe.decide, len(rows.classes))
    plain = plain and len(rows) <= MAX_CROSS_FITTED
    decision = Decision(recipe.decide.fixed_threshold)
    if needs_fitting(recipe.decide):
        raw = msgspec.structs.replace(recipe, decide=Decide())
        (folds,) = repeated_folds(rows, recipe.split, repeats=1, folds=recipe.split.folds, seed=seed)
        if len(rows) > MAX_CROSS_FITTED:
            folds = folds[-1:]
        decision = fit_decision(cross_fit(raw, rows, folds, seed=seed, plain=plain).predictions, recipe.decide)
    return FinalModel(fit(recipe, rows, seed=seed, plain=plain, valid=valid), decision, _medians(recipe, rows))


def train_evidence(evidence: Evidence) -> tuple[Evidence, str]:
    """Train the recipe as its own split says, on folds where that is a random holdout; see ``checked_split``.

    Returns:
        The evidence with that run, and what must be said of trainings that collapsed, or "".

    Raises:
        InputError: there is no data set or recipe, or they do not fit each other.
    """
    if evidence.dataset is None or evidence.recipe is None:
        raise InputError("training needs a data set and a recipe.")
    recipe, seed = evidence.recipe, evidence.recipe.train.seed
    rows = rows_of(evidence.dataset, recipe, evidence.profile)
    parts = checked_split(rows, recipe.split, seed=seed)
    parts, valid = _watched_apart(recipe, rows, parts)
    run = cross_fit(recipe, rows, parts, seed=seed, valid=valid)
    note = ""
    if run.failures:
        note = (
            f"{len(run.failures)} of {len(parts)} trainings collapsed ({run.failures[0]}); "
            "always answering the class shares stands in for them."
        )
    return with_own_model(evidence).with_run(run.history, run.predictions), note


def checked_split(rows: Rows, split: Split, *, seed: int) -> tuple[Fold, ...]:
    """Part the rows for a run that is looked at: as the recipe says, but for a random holdout ``split.folds`` folds.

    Every row is then answered once by a model that has not seen it. A holdout stays one where it says more than chance
    (the latest rows, the last ones, a part that a column names), where a class or the groups have too few rows for
    folds, and beyond 20 000 rows, where a fifth of them is plenty.

    Raises:
        InputError: there are too few rows of a class or too few groups for the recipe's split.
    """
    random = split.kind == "holdout" and split.shuffle and not split.time and not split.column
    kinds = rows.labels if rows.groups is None else rows.groups
    _, counts = np.unique(kinds, return_counts=True)
    enough = counts.min() >= split.folds if rows.groups is None else len(counts) >= split.folds
    if random and enough and len(rows) <= MAX_CROSS_FITTED:
        return user_split(rows, msgspec.structs.replace(split, kind="folds", repeats=1), seed=seed)
    return user_split(rows, split, seed=seed)


def _watched_apart(recipe: Recipe, rows: Rows, parts: tuple[Fold, ...]) -> tuple[tuple[Fold, ...], Rows | None]:
    """Let early stopping watch the column's validation rows, and answer only those that it has not seen.

    Where the column keeps no others back, they are answered, and early stopping cuts a part of the training rows.
    """
    valid = validation_rows(rows)
    if not recipe.train.patience or valid is None or rows.validation is None:
        return parts, None
    left = tuple((train, test[~rows.validation[test]]) for train, test in parts)
    return (left, valid) if all(len(test) for _, test in left) else (parts, None)


def _medians(recipe: Recipe, rows: Rows) -> dict[str, float]:
    if recipe.features.impute != "none" or recipe.model.kind == "gradient-boosting":
        return {}
    return {column.name: float(column[0]) for column in rows.features.select(cs.numeric().median())}
