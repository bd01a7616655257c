"""Gradient boosting, the estimator beside the networks: scikit-learn's, with the recipe's rows and class weights."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from bindoctor import scores
from bindoctor.errors import InputError
from bindoctor.history import Epoch, History
from bindoctor.losses import class_weights
from bindoctor.prepare import Matrix, Part, Prepared
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import MIN_ROWS_IN_LEAF

Floats = npt.NDArray[np.float64]

MOVED = 0.1
"""The standard deviation of the factor by which a placebo moves each row's weight."""


def train_boosting(recipe: Recipe, prepared: Prepared, *, seed: int) -> tuple[HistGradientBoostingClassifier, History]:
    """Train scikit-learn's histogram gradient boosting (Ke et al. 2017) with its own defaults.

    Of the recipe's loss, optimizer and train sections only ``class_weight`` and ``patience`` have a meaning for trees;
    early stopping watches the loss and keeps the trees it stopped at. An epoch of the curve is one round. It runs on as
    many threads as the caller has given to PyTorch.

    Raises:
        InputError: the training rows hold one class only.
    """
    counts = np.bincount(prepared.train.labels, minlength=len(prepared.classes))
    if np.count_nonzero(counts) < 2:
        raise InputError("the training rows hold one class only; gradient boosting needs two.")
    weights = class_weights(recipe.loss, counts.tolist())[prepared.train.labels]
    if prepared.weights is not None:
        weights = weights * prepared.weights
    # Bins are cut by weighted percentiles once weights are given, which takes ten times as long as the trees.
    weighted = recipe.loss.class_weight != "none" or prepared.weights is not None
    valid = prepared.valid
    estimator = HistGradientBoostingClassifier(
        min_samples_leaf=MIN_ROWS_IN_LEAF,
        early_stopping=valid is not None,
        n_iter_no_change=max(recipe.train.patience, 1),
        random_state=seed,
    )
    watched = valid or prepared.test
    # On rows as few as a trial's, threads that wait for each other cost more than the trees.
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"):
        estimator.fit(
            prepared.train.matrix,
            prepared.train.labels,
            sample_weight=weights if weighted else None,
            X_val=None if valid is None else valid.matrix,
            y_val=None if valid is None else valid.labels,
            sample_weight_val=np.ones(len(valid.labels)) if valid is not None and weighted else None,
        )
        train_curve = _curve(recipe, estimator, prepared.train, len(prepared.classes))
        valid_curve = [] if watched is None else _curve(recipe, estimator, watched, len(prepared.classes))
    epochs = tuple(
        Epoch(
            number,
            train_loss=train_curve[number - 1][0],
            train_score=train_curve[number - 1][1],
            valid_loss=valid_curve[number - 1][0] if valid_curve else None,
            valid_score=valid_curve[number - 1][1] if valid_curve else None,
            learning_rate=estimator.learning_rate,
        )
        for number in range(1, estimator.n_iter_ + 1)
    )
    shares = np.tile(counts / counts.sum(), (len(prepared.train.labels), 1))
    return estimator, History(
        epochs,
        scores.log_loss(prepared.train.labels, shares),
        1 + int(np.argmin([loss for loss, _ in valid_curve])) if valid else None,
    )


def with_moved_weights(prepared: Prepared, *, seed: int) -> Prepared:
    """Return the rows with weights that are moved at random: gamma-distributed around what they were, by a tenth.

    This is what doing nothing is to a learner without chance. On the CPU the trees are the same whatever the seed and
    the order of the rows: up to 200 000 of them all are binned, every column is looked at, and the rows that early
    stopping watches are given. Their scores still are an accident of the rows at hand, as any small change shows. On
    four public sets of 768 to 1 000 rows such weights move a fold's log loss by a standard deviation of 0.005 to 0.028,
    a third to all of what a column of noise does, and do not make it worse (|t| < 0.3), as replacing a tenth of the
    rows or a bootstrap does (t down to −1.2 and −3.3). Moved by a tenth, n rows weigh as much as 0.99 n.
    """
    random = np.random.default_rng(seed)
    moved = random.gamma(1 / MOVED**2, MOVED**2, len(prepared.train.labels)).astype(np.float32)
    return replace(prepared, weights=moved if prepared.weights is None else moved * prepared.weights)


def boosting_probability(estimator: HistGradientBoostingClassifier, matrix: Matrix, classes: int) -> Floats:
    """Return class probabilities, float64 of shape (n, classes); 0 for a class without training rows."""
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"):
        return _all_classes(estimator, estimator.predict_proba(matrix), classes)


def _curve(
    recipe: Recipe, estimator: HistGradientBoostingClassifier, part: Part, classes: int
) -> list[tuple[float, float]]:
    measured = []
    for answered in estimator.staged_predict_proba(part.matrix):
        probability = _all_classes(estimator, answered, classes)
        if recipe.train.monitor == "average-precision":
            score = scores.average_precision(part.labels, probability)
        else:
            score = float((probability.argmax(axis=1) == part.labels).mean())
        measured.append((scores.log_loss(part.labels, probability), score))
    return measured


def _all_classes(estimator: HistGradientBoostingClassifier, answered: Floats, classes: int) -> Floats:
    probability = np.zeros((len(answered), classes))
    probability[:, estimator.classes_] = answered
    return probability
