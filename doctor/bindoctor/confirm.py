"""The one look at the locked rows: the bundle against the honest baseline and against the constant answer."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bindoctor import scores
from bindoctor.attempt import cheapest_constant, reported
from bindoctor.dataset import Rows
from bindoctor.decide import cross_decided
from bindoctor.final import train_final
from bindoctor.predictions import Predictions
from bindoctor.recipe import Recipe
from bindoctor.train import TrainingFailed, constant_probability

RESAMPLES = 1000
BLOCKS = 20
"""Blocks of consecutive rows in a resample of rows in time: few enough for what lasts a twentieth of the locked time to
stay within one."""


@dataclass(frozen=True)
class Confirmation:
    """Both setups on the locked rows.

    Attributes:
        before: scores of the honest baseline; the constant answer's where its training collapsed.
        after: scores of the bundle; empty when its training collapsed.
        constant: scores of always answering the class shares of the work rows.
        gain: gain of the bundle in the claim's score over the better of baseline and constant answer, with its 95 %
            bootstrap interval (``low``, ``high``).
        over_constant: lower end of the 95 % interval of the bundle's gain over the constant answer.
        why_failed: why the bundle could not be trained, or "".
    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    constant: Mapping[str, float]
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0
    over_constant: float = 0.0
    why_failed: str = ""

    def gain_in(self, score: str) -> float:
        """Return the bundle's gain in any reported score over the better of baseline and constant answer.

        NaN where the locked rows lack a class without which the score is undefined.
        """
        if score not in self.after:
            return math.nan
        reference = [scores.gain(score, values[score], self.after[score]) for values in (self.before, self.constant)]
        return min(reference)

    @property
    def holds(self) -> bool:
        """Tell whether the bundle is better than the baseline and, beyond its interval, than the constant answer."""
        return self.gain > 0 and self.over_constant > 0


def confirm(
    baseline: Recipe, work: Rows, bundle: Recipe, bundled: tuple[Rows, Rows], locked: Rows, score: str, *, seed: int
) -> Confirmation:
    """Train both recipes once on the work rows and score them on the locked rows.

    Args:
        baseline: the honest setup.
        work: its training rows.
        bundle: the setup with all kept fixes.
        bundled: its training rows, and the locked rows as it reads them.
        locked: the locked rows as the baseline's recipe reads them.
        score: the claim's score.
        seed: of both trainings and of the bootstrap.
    """
    shares = constant_probability(work.labels, len(work.classes), len(locked))
    constant = cross_decided(_predictions(locked, shares), cheapest_constant(baseline.decide))
    try:
        before = _trained(baseline, work, locked, seed)
    except TrainingFailed:
        before = constant
    training, held = bundled
    try:
        after = _trained(bundle, training, held, seed)
    except TrainingFailed as error:
        return Confirmation(summary(before), {}, summary(constant), why_failed=str(error))
    reference = max(before, constant, key=lambda p: scores.gain(score, 0.0, scores.measure(score, p)))
    gains, over_constant = _bootstrap(score, reference, after, constant, seed)
    return Confirmation(
        summary(before),
        summary(after),
        summary(constant),
        scores.gain(score, scores.measure(score, reference), scores.measure(score, after)),
        float(np.quantile(gains, 0.025)),
        float(np.quantile(gains, 0.975)),
        float(np.quantile(over_constant, 0.025)),
    )


def summary(predictions: Predictions) -> Mapping[str, float]:
    """Return every reported score of some predictions that is defined for them."""
    measured = {name: scores.measure(name, predictions) for name in reported(predictions)}
    return {name: value for name, value in measured.items() if math.isfinite(value)}


def _trained(recipe: Recipe, work: Rows, locked: Rows, seed: int) -> Predictions:
    return train_final(recipe, work, seed=seed, plain=False).predictions(locked)


def _predictions(rows: Rows, probability: npt.NDArray[np.float64]) -> Predictions:
    return Predictions.of_rows(rows, np.arange(len(rows)), probability, np.zeros(len(rows), dtype=np.int64))


def _bootstrap(
    score: str, before: Predictions, after: Predictions, constant: Predictions, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the two gains of each resample, without those in which the score is undefined."""
    setups = (before, after, constant)
    # Of a mean over rows it is enough to know how often each was drawn, which takes a tenth of the time of many rows.
    as_mean = score == "log-loss"
    losses = np.stack([scores.log_losses(one.truth, one.probability) for one in setups])
    gains, over_constant = np.empty(RESAMPLES), np.empty(RESAMPLES)
    for i, index in enumerate(_resamples(before, seed)):
        if as_mean:
            found, fixed, shares = (losses @ np.bincount(index, minlength=len(before.truth)) / len(index)).tolist()
        else:
            found, fixed, shares = (scores.measure(score, one.take(index)) for one in setups)
        gains[i], over_constant[i] = scores.gain(score, found, fixed), scores.gain(score, shares, fixed)
    return gains[np.isfinite(gains)], over_constant[np.isfinite(over_constant)]


def _resamples(rows: Predictions, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Draw rows again and again, as independently as they came.

    Rows of one group say nearly the same, so that whole groups are drawn (the cluster bootstrap, Field & Welsh 2007).
    Rows in time are drawn in blocks of consecutive ones, the first following on the last (the circular block bootstrap,
    Politis & Romano 1992). All others are drawn one by one within each class, so that every resample holds all classes.
    """
    random = np.random.default_rng(seed)
    if rows.groups is not None:
        by_group = np.argsort(rows.groups, kind="stable")
        members = np.split(by_group, np.flatnonzero(np.diff(rows.groups[by_group])) + 1)
        for _ in range(RESAMPLES):
            yield np.concatenate([members[k] for k in random.integers(0, len(members), len(members))])
    elif rows.order is not None:
        by_time = np.argsort(rows.order, kind="stable")
        length = math.ceil(len(by_time) / BLOCKS)
        for _ in range(RESAMPLES):
            starts = random.integers(0, len(by_time), math.ceil(len(by_time) / length))
            places = (starts[:, None] + np.arange(length)).ravel()[: len(by_time)]
            yield by_time[places % len(by_time)]
    else:
        of_class = [np.flatnonzero(rows.truth == k) for k in np.unique(rows.truth)]
        for _ in range(RESAMPLES):
            yield np.concatenate([random.choice(members, len(members)) for members in of_class])
