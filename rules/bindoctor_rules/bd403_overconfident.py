"""The validation loss rises, and the validation score does not fall with it."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Confidence, Finding, Fix, History, Recipe, Severity, Where, example, rule
from bindoctor_rules._curves import jitter, logged, points
from bindoctor_rules._gap import MIN_EPOCHS, MIN_FALL, MIN_NOISE_RATIO, MIN_RISE, gap
from bindoctor_rules._remedies import trains_by_gradient

FALLING = [0.7 * 0.93**i for i in range(30)]
TURNING = [0.5 + 0.0008 * (i - 8) ** 2 for i in range(30)]
STEADY = [min(0.6 + 0.02 * i, 0.8) for i in range(30)]
WORSE = [0.8 - 0.004 * max(i - 8, 0) for i in range(30)]
CALIBRATED = Recipe().edited({"decide.calibrate": "temperature"})


def _remedies(recipe: Recipe | None) -> Iterator[Fix]:
    if recipe is None:
        yield Fix("Scale the outputs by a temperature fitted on rows kept back", aim=Aim.ADVISE)
        return
    if recipe.decide.calibrate == "none":
        yield Fix("Fit a temperature", {"decide.calibrate": "temperature"})
    if not recipe.train.patience and trains_by_gradient(recipe):
        yield Fix(
            "Stop early by accuracy",
            {"train.patience": 10, "train.restore-best": True, "train.monitor": "accuracy"},
        )


@rule(
    "BD403",
    severity=Severity.NOTE,
    flags=[
        example(
            "the loss rises, the accuracy stays",
            recipe=Recipe(),
            history=logged(FALLING, TURNING, valid_score=STEADY),
            says="the validation accuracy is 0.8 at the end and was 0.76",
        ),
        example("a log from elsewhere", history=logged(FALLING, TURNING, valid_score=STEADY), says="loss rises by"),
    ],
    passes=[
        example("both get worse", recipe=Recipe(), history=logged(FALLING, TURNING, valid_score=WORSE)),
        example("no score was logged", recipe=Recipe(), history=logged(FALLING, TURNING)),
        example("the loss does not rise", recipe=CALIBRATED, history=logged(FALLING, FALLING, valid_score=STEADY)),
    ],
)
def overconfident(
    history: History,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = MIN_EPOCHS,
    min_rise: float = MIN_RISE,
    min_fall: float = MIN_FALL,
    min_noise_ratio: float = MIN_NOISE_RATIO,
    max_loss_of_score: float = 0.005,
) -> Iterator[Finding]:
    """The validation loss has turned as train-val-gap describes, but the validation score has kept its level.

    The level is the median of the last third since the best epoch, held against the mean of the best epoch and its
    neighbours; it may have fallen by 0.005, or by the score's jitter.

    ## Why it matters
    The answers are no worse than at the best epoch, only the probabilities are: the network is surer of its errors. A
    temperature mends that without giving up what the later epochs brought; where only answers count, early stopping by
    the loss gives that up.

    ## When to ignore it
    When probabilities are not used.

    ## References
    - Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML.
    """
    found = gap(history, min_epochs=min_epochs, min_rise=min_rise, min_fall=min_fall, min_noise_ratio=min_noise_ratio)
    epochs, score = points(history, "valid_score")
    if found is None or len(score) < min_epochs or found.best not in epochs:
        return
    best = int(np.flatnonzero(epochs == found.best)[0])
    since = len(score) - 1 - best
    if since < 2:
        return
    before = float(score[max(best - 1, 0) : best + 2].mean())
    after = float(np.median(score[-max(2, since // 3) :]))
    if before - after > max(max_loss_of_score, jitter(score)):
        return
    yield Finding(
        f"the validation loss rises by {found.rise:.0%} from epoch {found.best} on, but the validation {history.score} "
        f"is {after:.3g} at the end and was {before:.3g}: the answers are no worse, only surer",
        Where("run"),
        {
            "before": before,
            "after": after,
            "max_loss_of_score": max_loss_of_score,
            "rise": found.rise,
            "min_rise": min_rise,
            "min_fall": min_fall,
            "min_noise_ratio": min_noise_ratio,
            "min_epochs": min_epochs,
        },
        tuple(_remedies(recipe)),
        Confidence.MEDIUM,
    )
