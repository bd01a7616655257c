"""Whether a run's steps were too large or too small: its losses explode, swing, or creep."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from bindoctor import Epoch, History, Series, Task
from bindoctor_rules._curves import Floats, hardly_wrong, jitter, points, start_of, trend, turns

MIN_RATIO = 10.0
MIN_FINAL_RATIO = 2.0
MIN_PEAK = 1.0
"""A cross-entropy below this many nats has not exploded: it is near what an even guess between two or three costs."""
MIN_SWINGING_POINTS = 8
MIN_TRAIN_SWING = 0.1
MIN_VALID_SWING = 0.2
MIN_AMPLITUDE = 0.05
MIN_TURNS = 0.4
MIN_NATS = 0.01
"""A cross-entropy that swings by less has swung by nothing, wherever it starts."""
MIN_LEAPS = 0.2
"""From this share of steps on that are as large as the level, a training loss leaps, though its median is calm."""
MIN_CREEPING_POINTS = 8
MAX_CREEP = 0.01
MIN_STEADINESS = 0.7


class Explosion(NamedTuple):
    """A loss that is not finite, or far above its start: where, how far, and whether the run came back."""

    part: str
    epoch: float
    value: float
    start: float
    recovered: bool
    hidden: bool = False


class Swings(NamedTuple):
    """A loss that goes up and down: the standard deviation around its smooth curve, and its level."""

    part: str
    amplitude: float
    level: float
    turns: float
    points: int


class Creep(NamedTuple):
    """A loss that falls steadily and hardly: from where to where, and the fall a point as a share of the level."""

    part: str
    first: float
    last: float
    fall: float
    points: int


def explosion(
    history: History, min_ratio: float = MIN_RATIO, min_final_ratio: float = MIN_FINAL_RATIO
) -> Explosion | None:
    """Find the first loss that is NaN or infinite, or else a loss far above its start.

    A training loss counts from ``min_ratio`` times its start on, or from ``min_final_ratio`` times where the last third
    of the run stays there. A validation loss of ``min_ratio`` times its start counts only where the training loss
    jumps with it: one that rises alone tells of overfitting, or of statistics of batches.
    """
    return _not_finite(history) or _hidden(history) or _risen(history, min_ratio, min_final_ratio)


def _not_finite(history: History) -> Explosion | None:
    for name, part in (("train_loss", "training"), ("valid_loss", "validation")):
        values = [(e.epoch, v) for e in history.epochs if (v := getattr(e, name)) is not None]
        broken = next(((epoch, value) for epoch, value in values if not math.isfinite(value)), None)
        if broken is not None:
            finite = [value for _, value in values if math.isfinite(value)]
            start = finite[0] if finite else math.nan
            return Explosion(part, broken[0], broken[1], start, math.isfinite(values[-1][1]))
    for series in _losses(history):
        finite_at = np.isfinite(series.values)
        if not finite_at.all():
            i = int(finite_at.argmin())
            part = {"train": "training"}.get(series.part, "validation")
            return Explosion(part, _epoch_at(series, i), series.values[i], series.values[0], bool(finite_at[-1]))
    return None


def _hidden(history: History) -> Explosion | None:
    """Find a training loss that drops to exactly 0 and stays there: what a filter of NaNs writes."""
    epochs, curve = points(history, "train_loss")
    if last := _last_before_zeros(curve):
        return Explosion("training", float(epochs[last]), 0.0, float(curve[last - 1]), recovered=False, hidden=True)
    for series in _losses(history):
        if series.part == "train" and (last := _last_before_zeros(np.array(series.values))):
            start = series.values[last - 1]
            return Explosion("training", _epoch_at(series, last), 0.0, start, recovered=False, hidden=True)
    return None


def _last_before_zeros(loss: Floats) -> int:
    """Return how many points come before the zeros that a loss of 0.1 or more drops to at its end; 0 without."""
    zeros = int(np.argmax(loss[::-1] != 0)) if np.any(loss) else 0
    before = len(loss) - zeros
    return before if zeros >= 2 and loss[before - 1] >= 0.1 else 0


def _losses(history: History) -> Iterator[Series]:
    """Yield the losses of the last run, on their own grids."""
    for series in history.series:
        if series.metric == "loss" and series.part in ("train", "valid") and series.run == history.runs - 1:
            yield series


def _epoch_at(series: Series, place: int) -> float:
    return series.epochs[place] if place < len(series.epochs) else math.nan


def _risen(history: History, min_ratio: float, min_final_ratio: float) -> Explosion | None:
    epochs, loss = points(history, "train_loss")
    floor = 0.0 if history.entropy_scale is False else MIN_PEAK
    start = start_of(history, loss)
    if len(loss) and start > 0:
        peak = int(loss.argmax())
        final = float(np.median(loss[-max(len(loss) // 3, 1) :]))
        # A first loss without class weights, beside a training loss with them, is no start to measure from.
        stays = len(loss) >= 6 and final >= max(min_final_ratio * start, 0.9 * loss[0])
        if loss[peak] >= floor and (loss[peak] >= min_ratio * start or stays):
            return Explosion("training", float(epochs[peak]), float(loss[peak]), start, recovered=final < start)
    at, valid = points(history, "valid_loss")
    if not (len(valid) > 1 and valid[0] > 0):
        return None
    peak = int(valid.argmax())
    before = loss[epochs < at[peak]]
    beside = loss[epochs == at[peak]]
    jumps = len(before) and len(beside) and beside[0] >= 1.5 * before.min()
    if jumps and valid[peak] >= max(floor, min_ratio * valid[0]):
        return Explosion(
            "validation", float(at[peak]), float(valid[peak]), float(valid[0]), recovered=bool(valid[-1] < valid[0])
        )
    return None


def swings(
    history: History,
    *,
    min_points: int = MIN_SWINGING_POINTS,
    min_train_swing: float = MIN_TRAIN_SWING,
    min_valid_swing: float = MIN_VALID_SWING,
    min_amplitude: float = MIN_AMPLITUDE,
) -> Swings | None:
    """Find the loss that swings most over the last two thirds of its points.

    None where hardly an answer is wrong in any of them: what swings then is the loss of a few rows.
    """
    if hardly_wrong(history):
        return None
    found: list[tuple[float, Swings]] = []
    for name, part, min_swing in (
        ("train_loss", "training", min_train_swing),
        ("valid_loss", "validation", min_valid_swing),
    ):
        _, curve = points(history, name)
        if len(curve) < min_points:
            continue
        settled = curve[len(curve) // 3 :]
        amplitude, level = jitter(settled), float(np.median(settled))
        if part == "training":
            amplitude -= _sampling(history)
        start = float(curve[0])
        scale = start if history.entropy_scale is False else min(start, 1.0)
        if part == "training" and np.mean(np.abs(np.diff(settled)) > level) >= MIN_LEAPS:
            amplitude = max(amplitude, float(np.mean(np.abs(np.diff(settled)))))
        least = min_amplitude * scale if history.entropy_scale is False else max(min_amplitude * scale, MIN_NATS)
        far = level > 0 and scale > 0 and amplitude >= min_swing * level and amplitude >= least
        if far and turns(settled) >= MIN_TURNS:
            found.append((amplitude / level / min_swing, Swings(part, amplitude, level, turns(settled), len(settled))))
    return max(found, default=(0.0, None))[1]


def _sampling(history: History) -> float:
    """Return the standard error that an epoch's training loss has where it is the mean of a few logged batches."""
    if history.source.startswith("bindoctor"):
        return 0.0
    for series in _losses(history):
        if series.part == "train":
            values = np.array(series.values)[np.isfinite(series.values)]
            each = len(values) / max(len(history.epochs), 1)
            if each > 1.5 and len(values) >= 3:
                return 2 * jitter(values) / math.sqrt(each)
    return 0.0


def creep(
    history: History,
    task: Task | None = None,
    *,
    min_points: int = MIN_CREEPING_POINTS,
    max_creep: float = MAX_CREEP,
    min_steadiness: float = MIN_STEADINESS,
) -> Creep | None:
    """Find a training loss that falls by less than ``max_creep`` a point and does not slow down.

    Steady: nine steps of ten go down, and the second half falls at ``min_steadiness`` of the first half's slope or
    more. A run that has learned half of what there is to learn, or whose validation loss rises, does not creep.
    """
    part, curve = "training", points(history, "train_loss")[1]
    if len(curve) < min_points or curve.min() <= 0:
        return None
    half = len(curve) // 2
    first, second = trend(curve[:half])[0], trend(curve[half:])[0]
    fall = float(curve[0] - curve[-1]) / (len(curve) - 1) / float(curve.mean())
    steady = first < 0 and second <= min_steadiness * first
    if not (steady and 0 < fall < max_creep and np.mean(np.diff(curve) < 0) >= 0.9):
        return None
    if _learned_half(history, task, curve) or _rises(points(history, "valid_loss")[1]):
        return None
    return Creep(part, float(curve[0]), float(curve[-1]), fall, len(curve))


def _learned_half(history: History, task: Task | None, curve: Floats) -> bool:
    if history.entropy_scale is False or task is None or math.isnan(task.prior_entropy):
        return float(curve[-1]) < 0.5 * float(curve[0])
    return float(curve[-1]) < 0.5 * task.prior_entropy


def _rises(valid: Floats) -> bool:
    if len(valid) < 3:
        return False
    return float(np.median(valid[-max(len(valid) // 3, 1) :])) > float(valid.min()) * 1.02


def direction(history: History, task: Task | None = None) -> Literal["lower", "higher", ""]:
    """Say which way the learning rate is off, as far as the curve tells: every rule on runs advises the same way."""
    if explosion(history) or swings(history):
        return "lower"
    return "higher" if creep(history, task) else ""


def restarts(epochs: tuple[Epoch, ...]) -> int:
    """Return how often the epoch number falls back."""
    return sum(later.epoch < earlier.epoch for earlier, later in pairwise(epochs))
