"""Trains a recipe on rows, or once a fold, and answers the rows that were held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.compose import ColumnTransformer
from torch import nn

from bindoctor.boosting import boosting_probability, train_boosting
from bindoctor.dataset import Rows
from bindoctor.decide import cross_decided
from bindoctor.engineering import Columns, Learned
from bindoctor.history import History, TrainingFailed
from bindoctor.loop import MAX_ROWS_AT_ONCE, network_probability, train_network, training_device
from bindoctor.own_estimator import estimator_probability, make_estimator, train_estimator, weighs_rows
from bindoctor.predictions import Predictions
from bindoctor.prepare import Matrix, Prepared, preparation_key, prepare, random_preparation, transformed
from bindoctor.recipe import Recipe
from bindoctor.splits import Fold
from bindoctor.stacked import Member, Trained, stacks, train_stack

__all__ = [
    "Fitted",
    "Member",
    "Prepared",
    "Run",
    "TrainingFailed",
    "constant_probability",
    "cross_fit",
    "fit",
    "fit_or_stand_in",
    "fit_prepared",
    "fit_stacked",
    "moves_weights",
    "preparation_key",
    "prepare",
    "random_preparation",
    "trains_stacked",
]

Floats = npt.NDArray[np.float64]

MIN_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model with what it needs to read rows.

    Attributes:
        recipe: what was trained.
        classes: class labels, in the order of the probabilities.
        columns: the feature columns by name.
        learned: what columns are made and inputs chosen with, learnt from the training rows.
        preprocessor: fitted on the training rows.
        network: the trained network, in evaluation mode on the CPU; None for an estimator.
        estimator: the trained gradient boosting, or the user's own estimator; None for a network.
        history: the curve.
        shape: of a row that is an array; empty for a table.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    columns: Columns
    learned: Learned
    preprocessor: ColumnTransformer
    network: nn.Module | None
    estimator: Any
    history: History
    shape: tuple[int, ...] = ()

    def probability(self, features: pl.DataFrame) -> Floats:
        """Return class probabilities, float64 of shape (n, classes).

        Args:
            features: at least the columns of ``columns``, typed as in training.

        Raises:
            InputError: a missing number that the recipe does not impute, or one too large.
        """
        model = _Model(self.recipe.model.kind, self.network, self.estimator, self.history)
        found = []
        for start in range(0, max(features.height, 1), MAX_ROWS_AT_ONCE):
            some = features.slice(start, MAX_ROWS_AT_ONCE)
            matrix = transformed(self.recipe, self.learned, self.preprocessor, self.columns, some)
            found.append(model.probability(matrix, len(self.classes)))
        return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Run:
    """What training a recipe on folds produced.

    Attributes:
        history: the mean curve over folds.
        predictions: out-of-fold predictions.
        failures: why training failed, for each fold that always answering the class shares stands in for.
    """

    history: History
    predictions: Predictions
    failures: tuple[str, ...] = ()


def fit(
    recipe: Recipe,
    rows: Rows,
    *,
    seed: int,
    watch: Rows | None = None,
    valid: Rows | None = None,
    plain: bool = True,
) -> Fitted:
    """Train the recipe on ``rows``.

    On the CPU the result depends on nothing but the arguments, and with plain PyTorch's steps an exported script comes
    to the same. Early stopping watches ``valid``, or a part that is cut out of ``rows`` first.

    Args:
        recipe: what to train.
        rows: the training rows.
        seed: for everything random: preprocessing, resampling, initial weights, dropout and the order of rows.
        watch: rows whose loss is logged, and which decide nothing; not looked at with early stopping.
        valid: rows for early stopping to watch.
        plain: whether to take plain PyTorch's steps; compiled ones differ by rounding.

    Raises:
        InputError: the recipe does not fit the rows.
        TrainingFailed: the loss or the answers are no numbers, or every row is answered alike.
    """
    prepared = prepare(recipe, rows, watch, seed=seed, valid=valid)
    model = _train(recipe, prepared, seed=seed, plain=plain)
    matrix = prepared.train.matrix[:MAX_ROWS_AT_ONCE]
    _require_answers(model.probability(matrix, len(prepared.classes)), matrix, model.history)
    return Fitted(
        recipe,
        prepared.classes,
        prepared.columns,
        prepared.learned,
        prepared.preprocessor,
        model.network,
        model.estimator,
        model.history,
        prepared.shape,
    )


def fit_prepared(recipe: Recipe, prepared: Prepared, *, seed: int, plain: bool = False) -> tuple[Floats, History]:
    """Train on prepared rows and answer the held-out ones.

    Args:
        recipe: what to train; its ``preparation_key`` is that of the recipe which ``prepared`` was made for.
        prepared: with held-out rows.
        seed: for everything random in training.
        plain: whether to take plain PyTorch's steps; compiled ones differ by rounding.

    Returns:
        The held-out rows' class probabilities, float64 of shape (n, classes), and the curve.

    Raises:
        InputError: the recipe does not fit the rows.
        TrainingFailed: the loss or the answers are no numbers, or all held-out rows are answered alike: to within 1e-6,
            which only a network whose units are all dead, or whose weights were all driven to zero, comes to. A
            network that is nearly constant still ranks rows, and its score says how well.
    """
    if prepared.test is None:
        raise ValueError("fit_prepared answers held-out rows, and none were prepared")
    model = _train(recipe, prepared, seed=seed, plain=plain)
    probability = model.probability(prepared.test.matrix, len(prepared.classes))
    _require_answers(probability, prepared.test.matrix, model.history)
    return probability, model.history


def fit_stacked(members: Sequence[Member]) -> list[tuple[Floats, History] | TrainingFailed]:
    """Train networks side by side on the GPU, and answer each one's held-out rows.

    Returns:
        For each member what ``fit_prepared`` returns or raises.

    Raises:
        InputError: a recipe does not fit its rows.
    """
    found: dict[int, tuple[Floats, History] | TrainingFailed] = {}
    for positions in stacks(members):
        stack = [members[position] for position in positions]
        for position, member, trained in zip(
            positions, stack, train_stack(stack, training_device(stack[0].recipe)), strict=True
        ):
            try:
                found[position] = trained if isinstance(trained, TrainingFailed) else _answered(member, trained)
            except TrainingFailed as error:
                found[position] = error
    return [found[position] for position in range(len(members))]


def trains_stacked(recipe: Recipe) -> bool:
    """Tell whether the recipe's trainings are to be stacked: networks of ours on a GPU."""
    return recipe.model.kind in ("mlp", "logistic") and training_device(recipe).type == "cuda"


def constant_probability(labels: npt.NDArray[np.int64], classes: int, rows: int) -> Floats:
    """Return the class shares of ``labels`` for every row, shape (rows, classes): the answer that ignores features."""
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return np.tile(shares, (rows, 1))


def fit_or_stand_in(
    recipe: Recipe, prepared: Prepared, labels: npt.NDArray[np.int64], *, seed: int, plain: bool = False
) -> tuple[Floats, History, str]:
    """Train like ``fit_prepared``, and where that fails always answer the class shares of ``labels`` instead.

    Returns:
        The held-out rows' class probabilities, the curve, and why training failed or "".

    Raises:
        InputError: the recipe does not fit the rows.
    """
    try:
        return *fit_prepared(recipe, prepared, seed=seed, plain=plain), ""
    except TrainingFailed as error:
        rows = 0 if prepared.test is None else len(prepared.test.labels)
        return constant_probability(labels, len(prepared.classes), rows), error.history, str(error)


def moves_weights(recipe: Recipe) -> bool:
    """Tell whether a placebo of the recipe moves the weights of rows: another seed alone may change nothing."""
    if recipe.model.kind == "estimator":
        return weighs_rows(make_estimator(recipe.model, 0))
    return recipe.model.kind == "gradient-boosting"


def cross_fit(
    recipe: Recipe, rows: Rows, folds: Sequence[Fold], *, seed: int, plain: bool = False, valid: Rows | None = None
) -> Run:
    """Train the recipe once a fold and collect the held-out rows' answers, as the recipe decides them.

    Early stopping watches ``valid``, or else a part of each fold's training rows.

    Raises:
        InputError: the recipe does not fit the rows.
    """
    probabilities, histories, failures = [], [], []
    for train, test in folds:
        prepared = prepare(recipe, rows.take(train), rows.take(test), seed=seed, valid=valid)
        probability, history, failure = fit_or_stand_in(recipe, prepared, rows.labels[train], seed=seed, plain=plain)
        probabilities.append(probability)
        histories.append(history)
        failures += [failure] if failure else []
    held_out = np.concatenate([test for _, test in folds])
    fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    predictions = Predictions.of_rows(rows, held_out, np.concatenate(probabilities), fold)
    return Run(History.mean(histories), cross_decided(predictions, recipe.decide), tuple(failures))


@dataclass(frozen=True, eq=False)
class _Model:
    kind: str
    network: nn.Module | None
    estimator: Any
    history: History

    def probability(self, matrix: Matrix, classes: int) -> Floats:
        if self.network is not None:
            return network_probability(self.network, matrix)
        if self.kind == "estimator":
            return estimator_probability(self.estimator, matrix, classes)
        return boosting_probability(self.estimator, matrix, classes)


def _train(recipe: Recipe, prepared: Prepared, *, seed: int, plain: bool) -> _Model:
    kind = recipe.model.kind
    if kind in ("gradient-boosting", "estimator"):
        trained = train_boosting if kind == "gradient-boosting" else train_estimator
        estimator, history = trained(recipe, prepared, seed=seed)
        return _Model(kind, None, estimator, history)
    network, history = train_network(recipe, prepared, seed=seed, plain=plain)
    return _Model(kind, network, None, history)


def _answered(member: Member, trained: Trained) -> tuple[Floats, History]:
    test = member.prepared.test
    assert test is not None
    probability = network_probability(trained.network, test.matrix)
    _require_answers(probability, test.matrix, trained.history)
    return probability, trained.history


def _require_answers(probability: Floats, matrix: Matrix, history: History) -> None:
    epochs = len(history.epochs)
    if not np.isfinite(probability).all():
        raise TrainingFailed(f"answers are no numbers after epoch {epochs}", history)
    # Rows that are all alike are rightly answered alike.
    if np.ptp(probability, axis=0).max() < MIN_SPREAD and (matrix != matrix[:1]).any():
        raise TrainingFailed(f"answers {probability[0, -1]:.3f} for every row after epoch {epochs}", history)
