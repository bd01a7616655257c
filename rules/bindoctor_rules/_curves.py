"""What run rules read off a logged curve: its points, its jitter, and whether it is still falling."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bindoctor import Epoch, History

Floats = npt.NDArray[np.float64]


def logged(train: Sequence[float], valid: Sequence[float] = (), first_loss: float | None = None) -> History:
    """Make the history of an example: epochs from 1 on, with these losses."""
    return History(
        tuple(
            Epoch(number, train_loss=loss, valid_loss=valid[number - 1] if valid else None)
            for number, loss in enumerate(train, start=1)
        ),
        first_loss,
    )


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
