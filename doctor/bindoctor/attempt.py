"""What has been run of a recipe on shared folds, and how it compares with another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bindoctor import scores
from bindoctor.decide import cross_decided
from bindoctor.history import History
from bindoctor.predictions import Predictions
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Decide

REPORTED = ("log-loss", "average-precision", "roc-auc", "balanced-accuracy", "mcc", "f1", "accuracy")


def reported(predictions: Predictions) -> tuple[str, ...]:
    """Return the scores that are reported of some predictions: the mean cost a row, too, where costs are known."""
    return REPORTED if predictions.costs is None else (*REPORTED, "cost")


@dataclass(frozen=True, eq=False)
class RepeatRun:
    """One recipe over the folds of one repeat: raw out-of-fold predictions, the mean curve, and why folds failed."""

    predictions: Predictions
    history: History
    failures: tuple[str, ...]


FoldScores = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Attempt:
    """One recipe's runs over the repeats done so far.

    ``scored`` holds each repeat's scores by fold, ``constant`` those of always answering the class shares. ``salt``
    gives other seeds; with ``half`` each fold is trained on half of its training rows.
    """

    recipe: Recipe
    salt: int = 0
    half: bool = False
    runs: tuple[RepeatRun, ...] = ()
    scored: tuple[FoldScores, ...] = ()
    constant: tuple[FoldScores, ...] = ()

    def score(self, name: str) -> npt.NDArray[np.float64]:
        """Return a score for each (repeat, fold), shape (repeats · folds,)."""
        return np.concatenate([by_fold[name] for by_fold in self.scored])

    def usable_score(self, name: str) -> npt.NDArray[np.float64]:
        """Return a score for each (repeat, fold), where it is worse than the constant answer's that one's instead.

        Nobody would use a setup that is worse than ignoring the features. Measured from it, any change looks like a
        gain, and its scores vary without bounds.
        """
        constant = np.concatenate([by_fold[name] for by_fold in self.constant])
        better = np.maximum if scores.higher_is_better(name) else np.minimum
        return np.asarray(better(self.score(name), constant))

    def gains(self, over: "Attempt", name: str) -> npt.NDArray[np.float64]:
        """Return paired gains over another attempt's usable scores, on the repeats that both have run."""
        return _paired(name, self.score(name), over.usable_score(name))

    def usable_gains(self, over: "Attempt", name: str) -> npt.NDArray[np.float64]:
        """Return paired gains when this attempt, too, would not be used where it is worse than the constant answer."""
        return _paired(name, self.usable_score(name), over.usable_score(name))


def score_folds(raw: Predictions, decide: Decide) -> FoldScores:
    """Return every reported score of each fold, answered by what was fitted on the other folds."""
    decided = cross_decided(raw, decide)
    parts = [decided.take(np.flatnonzero(raw.fold == number)) for number in np.unique(raw.fold)]
    return {name: np.array([scores.measure(name, part) for part in parts]) for name in reported(decided)}


def cheapest_constant(decide: Decide) -> Decide:
    """Return how class shares are answered: by the likelier class, where costs are known by the cheaper one."""
    return Decide(cost=decide.cost, threshold="bayes") if decide.cost else Decide()


def _paired(name: str, mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return gains where both scores are defined: average precision is not in a fold that holds one class only."""
    both = min(len(mine), len(theirs))
    gains = (mine[:both] - theirs[:both]) * (1 if scores.higher_is_better(name) else -1)
    return gains[np.isfinite(gains)]


def mean_scores(attempt: Attempt) -> Mapping[str, float]:
    """Return each reported score's mean over the folds of the first repeat, which every setup has run."""
    return scores.mean_over_folds(attempt.scored[0]) if attempt.scored else {}
