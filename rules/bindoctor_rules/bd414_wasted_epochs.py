"""The best epoch lies in the first half of the run, and the last one is kept."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Finding, Fix, History, Recipe, Severity, Where, example, rule
from bindoctor_rules._curves import jitter, logged, points, trend
from bindoctor_rules._gap import MAX_DRIFT, Plateau, plateau
from bindoctor_rules._regularization import STOP_EARLY
from bindoctor_rules._remedies import STOP
from bindoctor_rules._wording import counted

FALLING = [0.7 * 0.93**i for i in range(30)]
TURNING = [0.5 + 0.0008 * (i - 8) ** 2 for i in range(30)]
FLAT = [0.45 + 0.3 * 0.8**i for i in range(30)]
LATE = [0.5 + 0.0008 * (i - 20) ** 2 for i in range(30)]
STOPPING = Recipe().edited({"train.patience": 10})


def _remedies(recipe: Recipe | None, best: int) -> Iterator[Fix]:
    if recipe is None:
        yield STOP
        return
    if not recipe.train.patience:
        yield STOP_EARLY
    elif not recipe.train.restore_best:
        yield Fix("Restore the best epoch", {"train.restore-best": True})
    if recipe.model.kind != "gradient-boosting" and not recipe.train.patience and 0 < best < recipe.train.epochs:
        yield Fix(f"{counted(best, 'epoch')}, as many as it got better for", {"train.epochs": best})


@rule(
    "BD414",
    severity=Severity.NOTE,
    flags=[
        example(
            "best at a third of the way",
            recipe=Recipe(),
            history=logged(FALLING, TURNING),
            says="21 of 30 epochs come after the best one, epoch 9",
        ),
        example(
            "stopped early, and the last epoch kept",
            recipe=STOPPING.edited({"train.restore-best": False}),
            history=logged(FALLING, TURNING),
            says="come after the best one",
        ),
        example("a log from elsewhere", history=logged(FALLING, TURNING, source="Keras"), says="come after the best"),
        example(
            "it is known that the last was kept",
            history=logged(FALLING, TURNING, best_restored=False),
            says="the weights kept are those of the last",
        ),
        example(
            "neither loss moves",
            history=logged([0.82 + 0.2 * 0.5**i for i in range(30)], [0.83 + 0.2 * 0.5**i for i in range(30)]),
            says="neither loss moves over the last 20 of 30 epochs",
        ),
    ],
    passes=[
        example("the best epoch is restored", recipe=STOPPING, history=logged(FALLING, TURNING)),
        example("the log says so", history=logged(FALLING, TURNING, best_restored=True)),
        example("it only levels off", recipe=Recipe(), history=logged(FALLING, FLAT)),
        example("best in the second half", recipe=Recipe(), history=logged(FALLING, LATE)),
        example("too few epochs to say", recipe=Recipe(), history=logged(FALLING[:6], TURNING[6:12])),
    ],
)
def wasted_epochs(
    history: History,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = 8,
    min_wasted: int = 5,
    min_rise: float = 0.02,
    min_noise_ratio: float = 1.0,
) -> Iterator[Finding]:
    """The validation loss is lowest in the first half of the run, and 2% higher at its end, beyond its jitter.

    The end is the median of the last third since the best epoch, which must not be falling. Passed over where the best
    epoch is restored. In a log from elsewhere of 20 epochs or more, it is also told where neither loss moves by 2% over
    the last two thirds.

    ## Why it matters
    The epochs after the best one cost time, and the model that is kept is worse than one that was there.

    ## When to ignore it
    When checkpoints are kept and the best one is chosen later.

    ## References
    - Prechelt, L. (1998). Early stopping — but when? In Neural Networks: Tricks of the Trade, Springer.
    """
    epochs, valid = points(history, "valid_loss")
    still = plateau(history) if recipe is None and not history.best_restored else None
    if still is not None:
        yield _still(still, len(valid))
        return
    restored = recipe is not None and recipe.train.patience > 0 and recipe.train.restore_best
    if len(valid) < min_epochs or restored or history.best_restored:
        return
    best = int(valid.argmin())
    since = len(valid) - 1 - best
    if 2 * (best + 1) > len(valid) or since < min_wasted or valid[best] <= 0:
        return
    lowest = float(valid[max(best - 1, 0) : best + 2].mean())
    last = valid[-max(3, since // 3) :]
    end, noise = float(np.median(last)), jitter(valid)
    slope, error = trend(last)
    if end < (1 + min_rise) * lowest or end - lowest < min_noise_ratio * noise or slope < -2 * error:
        return
    kept = "; the weights kept are those of the last" if history.best_restored is False else ""
    yield Finding(
        f"{since} of {len(valid)} epochs come after the best one, epoch {epochs[best]}: the validation loss is "
        f"{valid[best]:.3g} there and {end:.3g} at the end{kept}",
        Where("run"),
        {
            "best_epoch": int(epochs[best]),
            "wasted": since,
            "rise": end / lowest - 1,
            "noise": noise,
            "min_epochs": min_epochs,
            "min_wasted": min_wasted,
            "min_rise": min_rise,
            "min_noise_ratio": min_noise_ratio,
        },
        tuple(_remedies(recipe, int(epochs[best] - history.epochs[0].epoch) + 1)),
    )


def _still(still: Plateau, epochs: int) -> Finding:
    return Finding(
        f"neither loss moves over the last {still.points} of {epochs} epochs: {still.train:.3g} in training, "
        f"{still.valid:.3g} in validation",
        Where("run"),
        {"since_epoch": still.since, "train": still.train, "valid": still.valid, "max_drift": MAX_DRIFT},
        (
            Fix("Stop at such a plateau", aim=Aim.ADVISE),
            Fix(
                "Where the score does not do: a larger network, features that tell more, a rate that decays",
                aim=Aim.ADVISE,
            ),
        ),
    )
