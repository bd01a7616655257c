"""What run rules read off a logged curve: its points, its jitter, and whether it is still falling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bindoctor import Epoch, History

Floats = npt.NDArray[np.float64]

MIN_PERFECT = 0.995


def logged(
    train: Sequence[float],
    valid: Sequence[float] = (),
    first_loss: float | None = None,
    *,
    valid_score: Sequence[float] = (),
    **facts: Any,
) -> History:
    """Make the history of an example: epochs from 1 on with these losses and validation scores.

    ``facts`` are further fields of the history.
    """
    length = max(len(train), len(valid), len(valid_score))

    def at(values: Sequence[float], i: int) -> float | None:
        return values[i] if i < len(values) else None

    epochs = tuple(
        Epoch(
            i + 1,
            train_loss=at(train, i),
            valid_loss=at(valid, i),
            valid_score=at(valid_score, i),
        )
        for i in range(length)
    )
    return History(epochs, first_loss, **facts)


def points(history: History, name: str) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the epochs at which a column holds a finite number, and these numbers, both of shape (points,)."""
    curve = history.curve(name)
    known = np.isfinite(curve)
    return np.array([epoch.epoch for epoch in history.epochs], dtype=np.int64)[known], curve[known]


def watched(history: History) -> tuple[str, Floats]:
    """Return the validation loss's points, or the training loss's where no validation was logged, and which it is."""
    _, valid = points(history, "valid_loss")
    if len(valid):
        return "validation", valid
    return "training", points(history, "train_loss")[1]


def start_of(history: History, curve: Floats) -> float:
    """Return the loss before any step, or what was logged first; NaN where nothing was.

    A training loss that was logged within the first epoch comes before ``curve``'s first point, the mean of an epoch.
    """
    if history.first_loss is not None and np.isfinite(history.first_loss):
        return float(history.first_loss)
    for series in history.series:
        every = series.part == "train" and series.metric == "loss" and series.run == history.runs - 1
        if every and len(series.values) > len(history.epochs) and np.isfinite(series.values[0]):
            return float(series.values[0])
    return float(curve[0]) if len(curve) else float("nan")


def hardly_wrong(history: History) -> bool:
    """Tell whether hardly an answer is wrong in any of the last two thirds of the evaluations."""
    _, scores = points(history, "valid_score")
    return history.score == "accuracy" and len(scores) > 0 and bool(scores[len(scores) // 3 :].min() >= MIN_PERFECT)


def jitter(curve: Floats) -> float:
    """Estimate the standard deviation of one point around its smooth curve; at least three points.

    The median absolute second difference, scaled as for Gaussian noise (whose second difference has six times its
    variance): a trend cancels out of it, and a few steps or spikes do not move a median.
    """
    return float(np.median(np.abs(np.diff(curve, 2))) * 1.4826 / np.sqrt(6))


def trend(curve: Floats) -> tuple[float, float]:
    """Return the least-squares change a point and its standard error from the residuals; at least three points."""
    place = np.arange(len(curve)) - (len(curve) - 1) / 2
    slope = float(place @ curve / (place @ place))
    residual = curve - curve.mean() - slope * place
    return slope, float(np.sqrt(residual @ residual / (len(curve) - 2) / (place @ place)))


def turns(curve: Floats) -> float:
    """Return the share of inner points at which a curve turns: 2/3 for noise, 0 for what only rises or falls."""
    steps = np.diff(curve)
    return float(np.mean(steps[1:] * steps[:-1] < 0)) if len(steps) > 1 else 0.0
