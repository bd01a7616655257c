"""The model is no better than one answer for every row."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bindoctor import Aim, Finding, Fix, Predictions, Profile, Severity, Task, Where, counts, example, rule, scores
from bindoctor_rules._answers import alike, answered, once

EVEN = counts(no=100, yes=100)
NOISE = answered([(0.4, 50, 25), (0.45, 50, 24), (0.55, 50, 26), (0.6, 50, 25)])
USEFUL = answered([(0.2, 100, 20), (0.8, 100, 80)])
WILD = answered([(0.001, 100, 30), (0.999, 100, 70)])
COLLAPSED = answered([(0.5, 200, 100)])
FAINT = answered([(0.2, 100, 40), (0.8, 100, 60)])


def _what_it_tells(seen: Predictions, max_z: float) -> str:
    """Say how far the answers tell the classes apart, or "" when they do not beyond noise.

    Two classes: the ROC AUC, against the standard error of one that is truly 0.5 (Mann & Whitney 1947); more: the
    accuracy, against that of the commonest class on the same rows.
    """
    if seen.binary:
        misses, hits = np.bincount(seen.truth, minlength=2)
        area = scores.roc_auc(seen.truth, seen.probability)
        chance = math.sqrt((hits + misses + 1) / (12 * hits * misses))
        return f"ROC AUC {area:.2f}" if area - 0.5 > max_z * chance else ""
    right = (seen.decision == seen.truth).astype(np.float64)
    commonest = (seen.truth == np.bincount(seen.truth).argmax()).astype(np.float64)
    ahead, error = _mean(right - commonest)
    return f"accuracy {right.mean():.2f}, {commonest.mean():.2f} without it" if ahead > max_z * error else ""


def _severity(seen: Predictions, *, beyond: bool, told: bool) -> Severity | None:
    if alike(seen) or (told and not beyond):
        return Severity.NOTE
    return Severity.WARNING if told else None


def _shares(seen: Predictions, profile: Profile | None, task: Task | None) -> npt.NDArray[np.float64] | None:
    """Return each class's share among the rows of the data, else of the task; None where the classes are others."""
    if profile is not None:
        known = dict(zip(profile.classes, profile.class_counts, strict=True))
        if set(seen.classes) != set(known):
            return None
        return np.array([known[name] for name in seen.classes]) / profile.labelled
    if task is None or len(task.shares) != len(seen.classes) or not all(task.shares):
        return None
    return np.array(task.shares)


def _mean(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))


@rule(
    "BD604",
    severity=Severity.ERROR,
    scans=(),
    flags=[
        example("noise", EVEN, predictions=NOISE, says="no better than the 0.693 of answering the class shares"),
        example(
            "ranks, but far too sure", EVEN, predictions=WILD, says="worse than the 0.693 of answering the class shares"
        ),
        example("one answer for all", EVEN, predictions=COLLAPSED, says="no better than the 0.693"),
        example("of a watched training", predictions=NOISE, task=Task((0.5, 0.5)), says="no better than the 0.693"),
        example("ranks a little", EVEN, predictions=FAINT, says="it does tell classes apart (ROC AUC 0.60)"),
    ],
    passes=[
        example("useful", EVEN, predictions=USEFUL),
        example("too few rows to say", EVEN, predictions=answered([(0.4, 10, 5), (0.6, 10, 5)])),
    ],
)
def no_better_than_constant(
    predictions: Predictions,
    profile: Profile | None = None,
    task: Task | None = None,
    *,
    min_rows: int = 30,
    min_rare_rows: int = 5,
    max_z: float = 1.96,
) -> Iterator[Finding]:
    """The log loss is not below that of always answering the class shares, beyond noise.

    The 95% interval of the mean difference of the two losses, row by row, does not lie below zero. An error, unless
    the answers tell the classes apart all the same (two classes: ROC AUC beyond chance; more: accuracy beyond that of
    the commonest class): then a warning where the probabilities are worse than the constant answer, and a note where
    they cannot be told from it. A note, too, where every row gets the same answer (see one-class-predicted).
    Predictions of other classes than the data has are passed over. Without data, the shares are those of the labels
    that a watched training was seen to use.

    ## Why it matters
    Nothing that is done to such a model can be called an improvement before it beats an answer that needs no features.
    When it tells the classes apart but its probabilities cost more than the constant, they are miscalibrated, most
    often by overfitting, resampling or weights.

    ## When to ignore it
    When the target cannot be predicted from these features and that is the result.

    ## References
    - Gneiting, T., & Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. JASA 102.
    - Mann, H. B., & Whitney, D. R. (1947). On a test of whether one of two random variables is stochastically larger
      than the other. Annals of Mathematical Statistics 18.
    """
    seen = once(predictions)
    of_class = np.bincount(seen.truth, minlength=len(seen.classes))
    shares = _shares(seen, profile, task)
    if len(seen.truth) < min_rows or of_class.min() < min_rare_rows or shares is None:
        return
    answered_truth = seen.probability[np.arange(len(seen.truth)), seen.truth]
    loss = -np.log(np.clip(answered_truth, scores.MIN_PROBABILITY, 1.0))
    difference = loss + np.log(shares[seen.truth])
    worse, error = _mean(difference)
    if worse + max_z * error < 0:
        return
    beyond = worse - max_z * error > 0
    told = _what_it_tells(seen, max_z)
    constant = float(loss.mean()) - worse
    yield Finding(
        f"the log loss of {loss.mean():.3g} is {'worse' if beyond else 'no better'} than the {constant:.3g} of "
        f"answering the class shares (difference {worse:+.3f} ± {max_z * error:.3f})"
        + (f"; it does tell classes apart ({told})" if told else ""),
        Where("model"),
        {
            "log_loss": float(loss.mean()),
            "constant": constant,
            "difference": worse,
            "error": error,
            "max_z": max_z,
            "tells": told,
        },
        (
            Fix(
                "Calibrate the probabilities, or use only the ranking"
                if told
                else "Look for features that tell the classes apart, and for a training that has collapsed",
                aim=Aim.ADVISE,
            ),
        ),
        severity=_severity(seen, beyond=beyond, told=bool(told)),
    )
