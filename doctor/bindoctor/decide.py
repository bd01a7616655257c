"""How probabilities become answers: calibrators and thresholds, fitted on rows the model did not see."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, logsumexp, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from bindoctor.errors import InputError
from bindoctor.predictions import Predictions
from bindoctor.recipe_sections import Decide
from bindoctor.scores import MIN_PROBABILITY, tuning_score

Classes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MAX_TEMPERATURE = 100.0


class Uncalibrated(msgspec.Struct, frozen=True, tag="none"):
    """Leaves probabilities as they are."""

    def apply(self, probability: Floats) -> Floats:
        """Return ``probability``."""
        return probability


class Temperature(msgspec.Struct, frozen=True, tag="temperature"):
    """Divides the logits by one number (Guo et al. 2017); above 1 it makes a model less sure."""

    temperature: float

    def apply(self, probability: Floats) -> Floats:
        """Return calibrated probabilities of the same shape (n, classes)."""
        return np.asarray(softmax(np.log(_clipped(probability)) / self.temperature, axis=1))


class Platt(msgspec.Struct, frozen=True, tag="platt"):
    """A logistic curve over the logit (Platt 1999): one slope and intercept a class, or the positive class's alone."""

    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    def apply(self, probability: Floats) -> Floats:
        """Return calibrated probabilities of the same shape (n, classes)."""
        of_class = _one_vs_rest(probability)
        return _joined(expit(np.array(self.slope) * logit(of_class) + np.array(self.intercept)))


class Isotonic(msgspec.Struct, frozen=True, tag="isotonic"):
    """A rising line through (probability, share) points (Zadrozny & Elkan 2002): one a class, as in ``Platt``."""

    probability: tuple[tuple[float, ...], ...]
    share: tuple[tuple[float, ...], ...]

    def apply(self, probability: Floats) -> Floats:
        """Return calibrated probabilities of the same shape (n, classes)."""
        of_class = _one_vs_rest(probability)
        curves = zip(of_class.T, self.probability, self.share, strict=True)
        return _joined(np.column_stack([np.interp(p, points, share) for p, points, share in curves]))


Calibrator = Uncalibrated | Temperature | Platt | Isotonic


class Decision(msgspec.Struct, frozen=True):
    """How a finished model answers: calibrate, then compare the positive class's probability with the threshold."""

    threshold: float = 0.5
    calibrator: Calibrator = Uncalibrated()

    def answer(self, probability: Floats) -> Classes:
        """Return class indices for calibrated probabilities: by threshold for two classes, the likeliest otherwise."""
        if probability.shape[1] == 2:
            return np.asarray(probability[:, 1] >= self.threshold, dtype=np.int64)
        return np.asarray(probability.argmax(axis=1), dtype=np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        built: dict[str, Any] = msgspec.to_builtins(self)
        return built

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Decision":
        """Read what ``to_dict`` wrote.

        Raises:
            InputError: the values are no decision.
        """
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"the saved threshold and calibrator cannot be read: {error}.") from error


def fit_calibrator(
    kind: Literal["none", "temperature", "platt", "isotonic"], truth: Classes, probability: Floats
) -> Calibrator:
    """Fit a calibrator on rows that the model was not trained on.

    With more than two classes "platt" and "isotonic" are fitted one class against the rest, and renormalised. Rows of
    one class alone show nothing about calibration, and leave probabilities as they are.

    Args:
        kind: the recipe's ``decide.calibrate``.
        truth: class indices, shape (n,).
        probability: shape (n, classes).
    """
    if kind == "none" or len(np.unique(truth)) < 2:
        return Uncalibrated()
    if kind == "temperature":
        return _fit_temperature(truth, probability)
    of_class = _one_vs_rest(probability)
    hits = [truth == (k if of_class.shape[1] > 1 else 1) for k in range(of_class.shape[1])]
    if kind == "platt":
        curves = [_platt(hit, logit(p)) for hit, p in zip(hits, of_class.T, strict=True)]
        return Platt(tuple(slope for slope, _ in curves), tuple(intercept for _, intercept in curves))
    steps = [_isotonic(hit, p) for hit, p in zip(hits, of_class.T, strict=True)]
    return Isotonic(tuple(points for points, _ in steps), tuple(share for _, share in steps))


def tune_threshold(truth: Classes, positive: Floats, decide: Decide) -> float:
    """Return the threshold at which answers score best, or cost least, on these rows.

    Thresholds are tried half-way between neighbouring probabilities, below the lowest and above the highest; of equally
    good ones the nearest to 0.5 is taken.

    Args:
        truth: class indices 0 and 1, shape (n,).
        positive: the positive class's probability, shape (n,).
        decide: what it is tuned for.
    """
    levels, level = np.unique(positive, return_inverse=True)
    edges = np.concatenate([[0.0], levels, [1.0]])
    thresholds = (edges[:-1] + edges[1:]) / 2
    rows = np.array([np.bincount(level[truth == k], minlength=len(levels)) for k in (0, 1)])
    below = np.concatenate([np.zeros((2, 1)), np.cumsum(rows, axis=1)], axis=1)
    tables = np.stack([below, below[:, -1:] - below], axis=-1).transpose(1, 0, 2)
    score = tuning_score(decide)(tables)
    # Where the highest probability is 1, no threshold answers "negative" to it, whatever such a table would score.
    possible = thresholds > np.append(-1.0, levels)
    best = thresholds[possible & (score >= score[possible].max() - 1e-12)]
    return float(best[np.abs(best - 0.5).argmin()])


def fit_decision(predictions: Predictions, decide: Decide) -> Decision:
    """Fit the recipe's calibrator and threshold on all out-of-fold predictions, for the final model.

    Raises:
        InputError: the recipe tunes a threshold or knows costs, and there are more than two classes.
    """
    require_two_classes(decide, len(predictions.classes))
    return _fit(predictions.truth, predictions.probability, decide)


def cross_decided(predictions: Predictions, decide: Decide) -> Predictions:
    """Calibrate and answer out-of-fold predictions, each row by what was fitted without its label.

    For each fold the calibrator and the threshold are fitted on the other folds' rows (less those that occur in the
    fold under another repeat). With a time it is those that are earlier than all of the fold's, as whoever used the
    model then would have had them (prequential evaluation, Dawid 1984); the first rows are answered as long as nothing
    is known: with their probabilities as they are, from 0.5 on. What is fitted so gains nothing on them, and looks
    worse than it is rather than better. The rows of a single fold are parted into two halves, which serve as folds:
    stratified, of whole groups, or the earlier and the later ones.

    Returns:
        The predictions with calibrated probabilities, each row's ``decided`` class, and the threshold that
        ``fit_decision`` gives the final model.

    Raises:
        InputError: the recipe tunes a threshold or knows costs, and there are more than two classes.
    """
    require_two_classes(decide, len(predictions.classes))
    predictions = replace(predictions, costs=decide.costs)
    if not needs_fitting(decide):
        return replace(predictions, threshold=decide.fixed_threshold, decided=None)
    folds = predictions.fold
    if len(np.unique(folds)) == 1:
        folds = _halves(predictions)
    probability = np.empty_like(predictions.probability)
    decided = np.empty_like(predictions.truth)
    for fold in np.unique(folds):
        here = folds == fold
        others = _fitted_on(predictions, here)
        decision = Decision(decide.fixed_threshold)
        if others.any():
            decision = _fit(predictions.truth[others], predictions.probability[others], decide)
        probability[here] = decision.calibrator.apply(predictions.probability[here])
        decided[here] = decision.answer(probability[here])
    final = fit_decision(predictions, decide)
    return replace(predictions, probability=probability, threshold=final.threshold, decided=decided)


def require_two_classes(decide: Decide, classes: int) -> None:
    """Refuse a tuned threshold and costs for more classes than they fit.

    Raises:
        InputError: there are more than two classes.
    """
    setting = "cost" if decide.cost else "threshold 'tuned'" if decide.cut == "tuned" else ""
    if setting and classes != 2:
        raise InputError(
            f"recipe.decide.{setting} fits two classes, but the target has {classes}; remove it: the likeliest class "
            "is answered."
        )


def needs_fitting(decide: Decide) -> bool:
    """Tell whether the recipe's threshold or calibrator is learned from out-of-fold predictions."""
    return decide.cut == "tuned" or decide.calibrate != "none"


def _fit(truth: Classes, probability: Floats, decide: Decide) -> Decision:
    calibrator = fit_calibrator(decide.calibrate, truth, probability)
    if decide.cut != "tuned" or len(np.unique(truth)) < 2:
        return Decision(decide.fixed_threshold, calibrator)
    return Decision(tune_threshold(truth, calibrator.apply(probability)[:, 1], decide), calibrator)


def _fitted_on(predictions: Predictions, here: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the rows that the answers to some may be learned from."""
    if predictions.order is not None:
        return np.asarray(predictions.order < predictions.order[here].min())
    return ~np.isin(predictions.row_ids, predictions.row_ids[here])


def _halves(predictions: Predictions) -> Classes:
    """Return 0 or 1 for each row: at random with every class in both, by whole groups, or by time."""
    truth, order = predictions.truth, predictions.order
    if order is not None:
        return np.asarray(order >= np.median(order), dtype=np.int64)
    if predictions.groups is not None:
        group_of, members = np.unique(predictions.groups, return_inverse=True)
        return np.random.default_rng(0).permutation(len(group_of))[members] % 2
    shuffled = np.random.default_rng(0).permutation(len(truth))
    by_class = shuffled[np.argsort(truth[shuffled], kind="stable")]
    halves = np.empty_like(truth)
    halves[by_class] = np.arange(len(truth)) % 2
    return halves


def _fit_temperature(truth: Classes, probability: Floats) -> Temperature:
    logits = np.log(_clipped(probability))
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((logsumexp(scaled, axis=1) - scaled[rows, truth]).mean())

    limit = np.log(MAX_TEMPERATURE)
    return Temperature(float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x)))


def _platt(hit: npt.NDArray[np.bool_], logits: Floats) -> tuple[float, float]:
    # Platt's targets (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2) keep separable rows from an infinite slope; a soft target is a
    # row that counts for both classes, by weight.
    hits, misses = hit.sum(), (~hit).sum()
    target = np.where(hit, (hits + 1) / (hits + 2), 1 / (misses + 2))
    curve = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.tile(logits, 2)[:, None],
        np.repeat([1, 0], len(hit)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return float(curve.coef_[0, 0]), float(curve.intercept_[0])


def _isotonic(hit: npt.NDArray[np.bool_], probability: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    # n rows cannot prove certainty, so shares stay 1/(n + 2) away from 0 and 1 (the rule of succession).
    margin = 1 / (len(hit) + 2)
    steps = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(probability, hit)
    return tuple(steps.X_thresholds_.tolist()), tuple(steps.y_thresholds_.tolist())


def _clipped(probability: Floats) -> Floats:
    return np.clip(probability, MIN_PROBABILITY, 1 - MIN_PROBABILITY)


def _one_vs_rest(probability: Floats) -> Floats:
    """Return one column a class, or the positive class's alone for two classes."""
    return _clipped(probability[:, 1:] if probability.shape[1] == 2 else probability)


def _joined(of_class: Floats) -> Floats:
    """Undo ``_one_vs_rest``, renormalising more than two classes."""
    if of_class.shape[1] == 1:
        return np.hstack([1 - of_class, of_class])
    return np.asarray(of_class / of_class.sum(axis=1, keepdims=True))
