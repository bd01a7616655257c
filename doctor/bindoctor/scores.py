"""Scores of probabilities and of decisions, on NumPy alone, so that a check needs no training packages."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from bindoctor.errors import InputError
from bindoctor.predictions import Predictions
from bindoctor.recipe_sections import Decide

MIN_PROBABILITY = 1e-7

Classes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def log_losses(truth: Classes, probability: Floats) -> Floats:
    """Return each row's negative log-likelihood in nats, shape (n,).

    Probabilities are clipped at 1e-7, so that one confidently wrong row costs at most 16.1 nats instead of infinity.

    Args:
        truth: class indices, shape (n,).
        probability: shape (n, classes).
    """
    answered = probability[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(answered, MIN_PROBABILITY, 1.0)))


def log_loss(truth: Classes, probability: Floats) -> float:
    """Return the mean of ``log_losses``, in nats per row."""
    return float(log_losses(truth, probability).mean())


def brier(truth: Classes, probability: Floats) -> float:
    """Return the Brier score (Brier 1950): in [0, 1] for two classes, in [0, 2] for more.

    Two classes: the mean squared error of the positive class's probability. More: summed over all classes.
    """
    hits = np.eye(probability.shape[1])[truth]
    squared = ((probability - hits) ** 2).sum(axis=1).mean()
    return float(squared / 2 if probability.shape[1] == 2 else squared)


def average_precision(truth: Classes, probability: Floats) -> float:
    """Return the area under the precision-recall steps; more than two classes: the mean over one-vs-rest problems.

    The mean is scikit-learn's ``average="macro"``. Rows with equal probability enter together. A class without rows has
    no such area: it is left out of the mean, and a binary problem without positive rows scores NaN.
    """
    return _one_vs_rest(_binary_average_precision, truth, probability)


def roc_auc(truth: Classes, probability: Floats) -> float:
    """Return the area under the ROC curve, ties counting half; more than two classes: the mean over one-vs-rest.

    The mean is scikit-learn's ``multi_class="ovr", average="macro"``. A class without rows, or the only one, has no
    such area: it is left out of the mean, and the score is NaN if none is left.
    """
    return _one_vs_rest(_binary_roc_auc, truth, probability)


def confusion(truth: Classes, decision: Classes, classes: int) -> Floats:
    """Return how many rows of class i (first axis) were answered j (second axis), shape (classes, classes)."""
    cells = np.bincount(truth * classes + decision, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.float64)


def accuracy(table: Floats) -> Floats:
    """Return the share of right answers, for confusion tables of shape (..., classes, classes)."""
    return _ratio(_hits(table).sum(axis=-1), table.sum(axis=(-2, -1)))


def balanced_accuracy(table: Floats) -> Floats:
    """Return the mean recall over the classes that have rows, for confusion tables of shape (..., classes, classes)."""
    of_class = table.sum(axis=-1)
    return _ratio(_ratio(_hits(table), of_class).sum(axis=-1), (of_class > 0).sum(axis=-1))


def f1(table: Floats) -> Floats:
    """Return F1 of class 1 for two classes, the mean over classes seen or answered for more (0 where nothing was hit).

    The mean is scikit-learn's ``average="macro"``.

    ``table`` holds confusion tables of shape (..., classes, classes).
    """
    involved = table.sum(axis=-1) + table.sum(axis=-2)
    of_class = _ratio(2 * _hits(table), involved)
    if table.shape[-1] == 2:
        return np.asarray(of_class[..., 1])
    return _ratio(of_class.sum(axis=-1), (involved > 0).sum(axis=-1))


def mcc(table: Floats) -> Floats:
    """Return Matthews' correlation coefficient, for more classes Gorodkin's R_K (2004); 0 where it is undefined.

    ``table`` holds confusion tables of shape (..., classes, classes).
    """
    rows = table.sum(axis=(-2, -1))
    true, answered = table.sum(axis=-1), table.sum(axis=-2)
    covariance = _hits(table).sum(axis=-1) * rows - (true * answered).sum(axis=-1)
    spread = (rows**2 - (true**2).sum(axis=-1)) * (rows**2 - (answered**2).sum(axis=-1))
    return _ratio(covariance, np.sqrt(spread))


def mean_cost(table: Floats, costs: tuple[float, float]) -> Floats:
    """Return the mean cost a row, in the unit of the costs; right answers cost nothing.

    Args:
        table: confusion tables of two classes, shape (..., 2, 2).
        costs: of a false positive and of a false negative.
    """
    return _ratio(costs[0] * table[..., 0, 1] + costs[1] * table[..., 1, 0], table.sum(axis=(-2, -1)))


PROBABILITY_SCORES: Mapping[str, Callable[[Classes, Floats], float]] = {
    "log-loss": log_loss,
    "brier": brier,
    "average-precision": average_precision,
    "roc-auc": roc_auc,
}
DECISION_SCORES: Mapping[str, Callable[[Floats], Floats]] = {
    "accuracy": accuracy,
    "balanced-accuracy": balanced_accuracy,
    "f1": f1,
    "mcc": mcc,
}
LOSSES = frozenset({"log-loss", "brier", "cost"})


def tuning_score(decide: Decide) -> Callable[[Floats], Floats]:
    """Return what a threshold is tuned for, as a function of confusion tables that is the larger the better."""
    costs = decide.costs
    if costs is not None:
        return lambda table: -mean_cost(table, costs)
    return DECISION_SCORES[decide.tune_for]


def measure(name: str, predictions: Predictions) -> float:
    """Score predictions, by probability or by decision as the score asks.

    Args:
        name: a score of the recipe ("log-loss", "average-precision", …) or "brier".
        predictions: at least one row; with the costs of errors for "cost".

    Raises:
        InputError: there is no such score.
    """
    _require(name)
    if name in PROBABILITY_SCORES:
        return PROBABILITY_SCORES[name](predictions.truth, predictions.probability)
    table = confusion(predictions.truth, predictions.decision, len(predictions.classes))
    if name == "cost":
        if predictions.costs is None:
            raise InputError("the score 'cost' needs to know what errors cost; set recipe.decide.cost.")
        return float(mean_cost(table, predictions.costs))
    return float(DECISION_SCORES[name](table))


def higher_is_better(name: str) -> bool:
    """Tell whether a larger value of the score is the better one.

    Raises:
        InputError: there is no such score.
    """
    _require(name)
    return name not in LOSSES


def mean_over_folds(by_fold: Mapping[str, Floats]) -> dict[str, float]:
    """Return each score's mean over the folds in which it is defined, without scores that are so in none."""
    defined = {name: values[np.isfinite(values)] for name, values in by_fold.items()}
    return {name: float(values.mean()) for name, values in defined.items() if len(values)}


def gain(name: str, before: float, after: float) -> float:
    """Return how much better ``after`` is than ``before`` on this score; negative when it is worse."""
    return after - before if higher_is_better(name) else before - after


def _require(name: str) -> None:
    known = [*PROBABILITY_SCORES, *DECISION_SCORES, "cost"]
    if name not in known:
        raise InputError(f"there is no score {name!r}; choose one of {', '.join(known)}.")


def _one_vs_rest(score: Callable[[npt.NDArray[np.bool_], Floats], float], truth: Classes, probability: Floats) -> float:
    if probability.shape[1] == 2:
        return score(truth == 1, probability[:, 1])
    of_class = np.array([score(truth == k, probability[:, k]) for k in range(probability.shape[1])])
    defined = of_class[~np.isnan(of_class)]
    return float(defined.mean()) if len(defined) else float("nan")


def _binary_average_precision(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    total = int(positive.sum())
    if total == 0:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[last_of_tie]
    return float((np.diff(hits, prepend=0) * hits / (last_of_tie + 1)).sum() / total)


def _binary_roc_auc(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits == 0 or misses == 0:
        return float("nan")
    _, level, ties = np.unique(score, return_inverse=True, return_counts=True)
    midrank = np.cumsum(ties) - (ties - 1) / 2
    return float((midrank[level][positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _hits(table: Floats) -> Floats:
    return np.diagonal(table, axis1=-2, axis2=-1)


def _ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    numerator, denominator = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
