"""Whether the validation loss has turned while the training loss goes on falling."""

import math
from typing import NamedTuple

import numpy as np

from bindoctor import History
from bindoctor_rules._curves import jitter, points

MIN_EPOCHS = 6
MIN_RISE = 0.05
MIN_RISE_OF_NOTHING = 0.02
MIN_FALL = 0.05
MIN_NOISE_RATIO = 2.0


class Gap(NamedTuple):
    """Where a validation loss turned: the best epoch and its place in the log, and what both losses did since."""

    best: int
    place: int
    since: int
    lowest: float
    rise: float
    fall: float
    noise: float
    beyond: float
    before: float
    after: float


def gap(
    history: History,
    *,
    min_epochs: int = MIN_EPOCHS,
    min_rise: float = MIN_RISE,
    min_fall: float = MIN_FALL,
    min_noise_ratio: float = MIN_NOISE_RATIO,
    constant: float = math.nan,
) -> Gap | None:
    """Find the epoch since which the validation loss has risen and the training loss fallen; see train-val-gap.

    A validation loss that never gets below ``constant``, while the training loss falls a tenth below it, need only
    rise by ``MIN_RISE_OF_NOTHING``.
    """
    epochs, valid = points(history, "valid_loss")
    training = dict(zip(*points(history, "train_loss"), strict=True))
    if len(valid) < min_epochs:
        return None
    best = int(valid.argmin())
    since = len(valid) - 1 - best
    if since < 2 or epochs[best] not in training or epochs[-1] not in training:
        return None
    lowest = float(valid[max(best - 1, 0) : best + 2].mean())
    last = valid[-max(2, since // 3) :]
    # A spike moves the mean, and jitter the median: the gap must show in both.
    end = min(float(np.median(last)), float(last.mean()))
    noise = jitter(valid)
    before, after = float(training[epochs[best]]), float(training[epochs[-1]])
    if not (lowest > 0 and before > 0):
        return None
    rise, fall = end / lowest - 1, 1 - after / before
    if valid.min() >= constant and after < 0.9 * constant:
        min_rise = min(min_rise, MIN_RISE_OF_NOTHING)
    if rise < min_rise or fall < min_fall or end - lowest < min_noise_ratio * noise:
        return None
    beyond = (end - lowest) / noise if noise else np.inf
    place = int(epochs[best] - history.epochs[0].epoch) + 1
    return Gap(int(epochs[best]), place, since, float(valid[best]), rise, fall, noise, float(beyond), before, after)
