"""Trains the user's own scikit-learn estimator, or one of an installed package, on prepared rows."""

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from bindoctor import scores
from bindoctor.errors import InputError
from bindoctor.history import Epoch, History
from bindoctor.losses import class_weights
from bindoctor.own_code import call, failure, load_function, users_folder
from bindoctor.prepare import Matrix, Part, Prepared
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Model

Floats = npt.NDArray[np.float64]

SETTING = "recipe.model.estimator"


def make_estimator(model: Model, seed: int) -> Any:
    """Return a fresh, unfitted estimator of ``model.estimator``; every ``random_state`` in it is the seed.

    Raises:
        InputError: it is not there, fails, is no classifier of scikit-learn's interface, or answers no probabilities.
    """
    function = load_function(model.estimator, SETTING)
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in model.options.items()}
    made = call(function, (), options, model.estimator, SETTING)
    who = f"{SETTING}: {model.estimator}"
    if inspect.isclass(made) or not all(hasattr(made, name) for name in ("fit", "get_params", "set_params")):
        raise InputError(
            f"{who} returns {made if inspect.isclass(made) else type(made).__name__}, and no estimator of "
            "scikit-learn's interface (fit, get_params, set_params); return one that is not fitted."
        )
    # A factory may hand out the same object again and again.
    estimator = clone(made)
    if not hasattr(estimator, "predict_proba"):
        hint = "; wrap it in CalibratedClassifierCV, or use probability=True, where it has that"
        raise InputError(f"{who} gives a {type(estimator).__name__}, which has no predict_proba{hint}.")
    random = {name: seed for name in estimator.get_params() if name.rpartition("__")[2] == "random_state"}
    return estimator.set_params(**random)


def weighs_rows(estimator: Any) -> bool:
    """Tell whether an estimator takes a weight for each row; a pipeline takes none."""
    return bool(has_fit_parameter(estimator, "sample_weight"))


def train_estimator(recipe: Recipe, prepared: Prepared, *, seed: int) -> tuple[Any, History]:
    """Fit the recipe's own estimator.

    Of the recipe's loss, optimizer and train sections only ``class_weight`` has a meaning for it. The curve has one
    epoch: the losses of the training rows and of the held-out ones after fitting.

    Raises:
        InputError: it cannot be made, does not take the weights that the recipe gives, or fails.
    """
    estimator = make_estimator(recipe.model, seed)
    counts = np.bincount(prepared.train.labels, minlength=len(prepared.classes))
    weights = class_weights(recipe.loss, counts.tolist())[prepared.train.labels]
    weighted = recipe.loss.class_weight != "none" or prepared.weights is not None
    if prepared.weights is not None:
        weights = weights * prepared.weights
    if weighted and not weighs_rows(estimator):
        raise InputError(
            f"weights cannot be carried out: {recipe.model.estimator} gives a {type(estimator).__name__}, whose fit "
            "takes no sample_weight; unset recipe.loss.class-weight and recipe.data.weight, or set class_weight in it."
        )
    given = {"sample_weight": weights} if weighted else {}
    # Folds have threads of their own.
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"), users_folder():
        try:
            estimator.fit(prepared.train.matrix, prepared.train.labels, **given)
        except Exception as error:
            raise failure(error, f"fitting the {type(estimator).__name__} of {recipe.model.estimator}") from error
    train = _measured(recipe, estimator, prepared.train, len(prepared.classes))
    test = None if prepared.test is None else _measured(recipe, estimator, prepared.test, len(prepared.classes))
    shares = np.tile(counts / counts.sum(), (len(prepared.train.labels), 1))
    valid = (None, None) if test is None else test
    epoch = Epoch(1, train_loss=train[0], valid_loss=valid[0], train_score=train[1], valid_score=valid[1])
    return estimator, History((epoch,), scores.log_loss(prepared.train.labels, shares))


def estimator_probability(estimator: Any, matrix: Matrix, classes: int) -> Floats:
    """Return class probabilities, float64 of shape (n, classes); 0 for a class without training rows.

    Raises:
        InputError: the estimator fails, or answers with another shape.
    """
    with threadpool_limits(torch.get_num_threads(), user_api="openmp"), users_folder():
        try:
            answered = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
        except Exception as error:
            raise failure(error, f"predict_proba of the {type(estimator).__name__}") from error
    known = np.asarray(estimator.classes_)
    if answered.shape != (len(matrix), len(known)):
        raise InputError(
            f"predict_proba of the {type(estimator).__name__} answers with shape {answered.shape} for {len(matrix)} "
            f"rows and {len(known)} classes."
        )
    probability = np.zeros((len(matrix), classes))
    probability[:, known] = answered
    return probability


def _measured(recipe: Recipe, estimator: Any, part: Part, classes: int) -> tuple[float, float]:
    probability = estimator_probability(estimator, part.matrix, classes)
    if recipe.train.monitor == "average-precision":
        return scores.log_loss(part.labels, probability), scores.average_precision(part.labels, probability)
    return scores.log_loss(part.labels, probability), float((probability.argmax(axis=1) == part.labels).mean())
