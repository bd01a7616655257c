"""Gradient boosting, the estimator beside the networks: scikit-learn's, with the recipe's rows and class weights."""

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
from bindoctor.recipe import MIN_ROWS_IN_LEAF, Recipe

Floats = npt.NDArray[np.float64]


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
