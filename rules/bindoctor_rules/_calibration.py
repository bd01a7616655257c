"""Calibration measured: logistic recalibration with intervals, and the calibration error beside its own noise."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import Predictions, scores

BINS = 10
DRAWS = 200
CONFIDENT = 2.576
"""Standard errors on either side of a 99% interval."""
MAX_STEPS = 50
MAX_CONDITION = 1e12
SETTLED = 1e-8
FARTHEST = 20.0
"""A coefficient of standardised log-odds beyond this means that the classes are separated, and has no interval."""

Floats = npt.NDArray[np.float64]


class Fitted(NamedTuple):
    """A fitted coefficient and its standard error."""

    value: float
    error: float

    @property
    def interval(self) -> list[float]:
        """Return the value, and the ends of its 99% interval."""
        return [self.value, self.value - CONFIDENT * self.error, self.value + CONFIDENT * self.error]

    def covers(self, value: float) -> bool:
        """Tell whether the 99% interval holds a value."""
        return abs(self.value - value) <= CONFIDENT * self.error

    def __str__(self) -> str:
        value, low, high = (round(end, 2) + 0.0 for end in self.interval)
        return f"{value:.2f} ({low:.2f} to {high:.2f})"


class CalibrationError(NamedTuple):
    """The expected calibration error, and the median and 99th percentile of it under perfect calibration."""

    observed: float
    by_chance: float
    by_chance_99: float


def recalibration(predictions: Predictions) -> tuple[Fitted | None, Fitted | None, float]:
    """Return the calibration slope, the intercept at slope 1 (two classes only), and what recalibrating gains in nats.

    Two classes: Cox's logistic recalibration, by Newton's method. More: one slope on all log-probabilities, which is
    the inverse of the temperature of Guo et al. (2017). ``None`` where the fit does not settle because the classes are
    separated.
    """
    log_p = np.log(np.clip(predictions.probability, scores.MIN_PROBABILITY, 1.0))
    before = scores.log_loss(predictions.truth, predictions.probability)
    if not predictions.binary:
        slope, after = _scaled(log_p, predictions.truth)
        return slope, None, before - after
    odds = log_p[:, 1] - log_p[:, 0]
    spread = max(float(odds.std()), SETTLED)
    both, after = _logistic(
        np.column_stack([np.ones_like(odds), (odds - odds.mean()) / spread]), np.zeros_like(odds), predictions.truth
    )
    level, _ = _logistic(np.ones((len(odds), 1)), odds, predictions.truth)
    slope = Fitted(both[1].value / spread, both[1].error / spread) if both else None
    return slope, level[0] if level else None, before - after if both else 0.0


def recalibrated(predictions: Predictions) -> Floats | None:
    """Return the probabilities after ``recalibration`` of all rows at once, of the same shape; None where it fails."""
    log_p = np.log(np.clip(predictions.probability, scores.MIN_PROBABILITY, 1.0))
    if not predictions.binary:
        slope, _ = _scaled(log_p, predictions.truth)
        if slope is None:
            return None
        scaled = np.exp(slope.value * (log_p - log_p.max(axis=1, keepdims=True)))
        return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))
    odds = log_p[:, 1] - log_p[:, 0]
    design = np.column_stack([np.ones_like(odds), (odds - odds.mean()) / max(float(odds.std()), SETTLED)])
    both, _ = _logistic(design, np.zeros_like(odds), predictions.truth)
    if not both:
        return None
    positive = 1 / (1 + np.exp(-(design @ np.array([fitted.value for fitted in both]))))
    return np.column_stack([1 - positive, positive])


def _logistic(design: Floats, offset: Floats, truth: npt.NDArray[np.int64]) -> tuple[tuple[Fitted, ...], float]:
    """Fit a logistic regression of (n, p) inputs; return its coefficients, or none, and the loss in nats a row."""
    sign = 1.0 - 2.0 * truth

    def loss(weights: Floats) -> float:
        return float(np.logaddexp(0.0, sign * (offset + design @ weights)).mean())

    weights = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        probability = np.exp(-np.logaddexp(0.0, -(offset + design @ weights)))
        information = (design * (probability * (1 - probability))[:, None]).T @ design
        if np.linalg.cond(information) > MAX_CONDITION or np.abs(weights).max() > FARTHEST:
            return (), np.nan
        step = np.linalg.solve(information, design.T @ (truth - probability))
        if np.abs(step).max() < SETTLED:
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            return tuple(Fitted(float(w), float(e)) for w, e in zip(weights, errors, strict=True)), loss(weights)
        # Newton's method overshoots where probabilities are all but certain.
        while loss(weights + step) > loss(weights) and np.abs(step).max() >= SETTLED:
            step = step / 2
        weights = weights + step
    return (), np.nan


def _scaled(log_p: Floats, truth: npt.NDArray[np.int64]) -> tuple[Fitted | None, float]:
    """Fit one factor on (n, classes) log-probabilities; return it, or ``None``, and the loss in nats."""
    factor = 1.0
    chosen = log_p[np.arange(len(truth)), truth]
    for _ in range(MAX_STEPS):
        scaled = np.exp(factor * log_p - (factor * log_p).max(axis=1, keepdims=True))
        probability = scaled / scaled.sum(axis=1, keepdims=True)
        mean = (probability * log_p).sum(axis=1)
        information = float((probability * (log_p - mean[:, None]) ** 2).sum())
        if information < 1e-9 or not 0 < factor < FARTHEST:
            return None, scores.log_loss(truth, np.exp(log_p))
        step = float((chosen - mean).sum()) / information
        factor = float(np.clip(factor + step, factor / 2, factor * 2))
        if abs(step) < SETTLED:
            return Fitted(factor, information**-0.5), scores.log_loss(truth, probability)
    return None, scores.log_loss(truth, np.exp(log_p))


def calibration_error(predictions: Predictions, seed: int = 0) -> CalibrationError:
    """Return the expected calibration error in ten bins of equal size, and its distribution under perfect calibration.

    Consistency resampling (Bröcker & Smith 2007): labels are drawn from the probabilities themselves. Two classes: of
    the positive class's probability; more: of the answered class's (Guo et al. 2017).
    """
    if predictions.binary:
        claimed, happened = predictions.positive, predictions.truth == 1
    else:
        claimed, happened = predictions.probability.max(axis=1), predictions.truth == predictions.decision
    edges = np.unique(np.quantile(claimed, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, claimed, side="right")
    bins = len(edges) + 1

    def error(outcome: npt.NDArray[np.bool_]) -> float:
        return float(np.abs(np.bincount(place, outcome - claimed, minlength=bins)).sum() / len(claimed))

    generator = np.random.default_rng(seed)
    drawn = [error(generator.random(len(claimed)) < claimed) for _ in range(DRAWS)]
    return CalibrationError(error(happened), float(np.median(drawn)), float(np.quantile(drawn, 0.99)))
