"""Whether the validation loss has turned while the training loss goes on falling."""

import math
from typing import NamedTuple

import numpy as np

from bindoctor import History
from bindoctor_rules._curves import hardly_wrong, jitter, points

MIN_EPOCHS = 6
MIN_RISE = 0.05
MIN_RISE_OF_NOTHING = 0.02
MIN_FALL = 0.05
MIN_NOISE_RATIO = 2.0
MIN_SHORT_EPOCHS = 3
MIN_SHORT_RISE = 0.2
MIN_SHORT_FALL = 0.3
MIN_STANDING_EPOCHS = 12
MIN_STANDING_FALL = 0.1
MIN_STANDING_RATIO = 1.5
MIN_SCORES_APART = 0.05
MAX_DRIFT = 0.02
MIN_PLATEAU_EPOCHS = 20


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


class Standing(NamedTuple):
    """A validation loss that stands still, and where the training loss went meanwhile; medians of thirds."""

    since: int
    points: int
    level: float
    before: float
    after: float
    ratio: float


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
    rise by ``MIN_RISE_OF_NOTHING``. Fewer than ``min_epochs`` epochs tell where the validation loss rises in each one
    since its best, by a fifth in all, while the training loss falls by three tenths.
    """
    epochs, valid = points(history, "valid_loss")
    training = dict(zip(*points(history, "train_loss"), strict=True))
    if len(valid) < MIN_SHORT_EPOCHS:
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
    if len(valid) < min_epochs:
        # So few points leave no jitter to hold a rise against.
        lowest, end = float(valid[best]), float(valid[-1])
        rise = end / lowest - 1
        if rise < MIN_SHORT_RISE or fall < MIN_SHORT_FALL or np.any(np.diff(valid[best:]) <= 0):
            return None
    elif rise < min_rise or fall < min_fall or end - lowest < min_noise_ratio * noise:
        return None
    beyond = (end - lowest) / noise if noise else np.inf
    place = int(epochs[best] - history.epochs[0].epoch) + 1
    return Gap(int(epochs[best]), place, since, float(valid[best]), rise, fall, noise, float(beyond), before, after)


def standing(history: History) -> Standing | None:
    """Find a validation loss that no longer falls over the last two thirds of a run, while the training loss does.

    Compared are the first and the last third of that span. The validation loss may drift down by 2%, the training loss
    must fall by a tenth and end below two thirds of the validation loss. Where accuracies of both parts were logged
    these must lie apart too: a loss alone may differ for dropout, augmentation or penalties. None where hardly an
    answer is wrong.
    """
    epochs, valid = points(history, "valid_loss")
    train_epochs, train = points(history, "train_loss")
    if len(valid) < MIN_STANDING_EPOCHS or not np.array_equal(epochs, train_epochs) or history.entropy_scale is False:
        return None
    if hardly_wrong(history):
        return None
    start = len(valid) // 3
    third = (len(valid) - start) // 3
    first, last = slice(start, start + third), slice(len(valid) - third, None)
    level, before, after = float(np.median(valid[last])), float(np.median(train[first])), float(np.median(train[last]))
    if not after > 0 or level < (1 - MAX_DRIFT) * float(np.median(valid[first])):
        return None
    if after > (1 - MIN_STANDING_FALL) * before or level < MIN_STANDING_RATIO * after:
        return None
    if _scores_apart(history, third) < MIN_SCORES_APART:
        return None
    return Standing(int(epochs[start]), len(valid) - start, level, before, after, level / after)


class Plateau(NamedTuple):
    """Both losses over a span at the end of a run in which neither moves; medians of its last third."""

    since: int
    points: int
    train: float
    valid: float


def plateau(history: History) -> Plateau | None:
    """Find the last two thirds of a run in which neither loss moves by 2%; None where hardly an answer is wrong."""
    epochs, valid = points(history, "valid_loss")
    train_epochs, train = points(history, "train_loss")
    if len(valid) < MIN_PLATEAU_EPOCHS or not np.array_equal(epochs, train_epochs) or hardly_wrong(history):
        return None
    start = len(valid) // 3
    third = (len(valid) - start) // 3
    ends = []
    for curve in (train, valid):
        before, after = float(np.median(curve[start : start + third])), float(np.median(curve[-third:]))
        if not after > 0 or abs(after / before - 1) > MAX_DRIFT:
            return None
        ends.append(after)
    return Plateau(int(epochs[start]), len(valid) - start, *ends)


def _scores_apart(history: History, last: int) -> float:
    """Return by how much the accuracy of the training rows is the higher one at the end; infinity where not known."""
    ends = {
        series.part: float(np.nanmedian(series.values[-last:]))
        for series in history.series
        if series.metric == "accuracy" and series.run == history.runs - 1 and np.isfinite(series.values[-last:]).any()
    }
    return ends["train"] - ends["valid"] if {"train", "valid"} <= ends.keys() else math.inf
