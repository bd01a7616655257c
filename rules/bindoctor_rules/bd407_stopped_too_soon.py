"""Training ends while the loss is still falling."""

import math
from collections.abc import Iterator

import numpy as np

from bindoctor import Finding, Fix, History, Recipe, Severity, Task, Where, counts, example, rule
from bindoctor_rules._curves import Floats, logged, points, start_of, trend, watched
from bindoctor_rules._gap import gap
from bindoctor_rules._pace import direction
from bindoctor_rules._remedies import LONGER, higher_rate

EVEN = counts(no=50, yes=50)
FALLING = [0.69 * 0.97**i for i in range(20)]
SETTLED = [0.4 + 0.29 * 0.6**i for i in range(20)]
TINY = [0.01 * 0.9**i for i in range(20)]
JUMPING = [0.5 - 0.001 * i + 0.1 * (-1) ** i for i in range(20)]
TWENTY = Recipe().edited({"train.epochs": 20})
MAX_FITTED = 0.02
MAX_RATE = {"adam": 0.01, "adamw": 0.01, "rmsprop": 0.01, "sgd": 0.3}


@rule(
    "BD407",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example("falls by 3% an epoch to the end", EVEN, TWENTY, logged(FALLING, FALLING), says="3.0% an epoch"),
        example("only the training loss is known", EVEN, TWENTY, logged(FALLING), says="the training loss still falls"),
        example("a log from elsewhere", history=logged(FALLING, FALLING, source="Keras"), says="3.0% an epoch"),
    ],
    passes=[
        example("settled", EVEN, TWENTY, logged(SETTLED, SETTLED)),
        example("nothing left to gain", EVEN, TWENTY, logged(TINY, TINY)),
        example("a trend within its jitter", EVEN, TWENTY, logged(FALLING, JUMPING)),
        example("too few epochs to say", EVEN, TWENTY, logged(FALLING[:4], FALLING[:4])),
        example("early stopping ended it", EVEN, Recipe().edited({"train.patience": 5}), logged(FALLING, FALLING)),
    ],
)
def stopped_too_soon(
    history: History,
    task: Task | None = None,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = 5,
    min_fall: float = 0.01,
    min_gain: float = 0.002,
    min_noise_ratio: float = 3.0,
    min_level: float = 0.1,
) -> Iterator[Finding]:
    """Over its last third, of five to ten epochs, the validation loss falls by 1% an epoch or more, beyond its jitter.

    One of the last three epochs must be the best, and the fall must also be 0.2% of the entropy of the classes an
    epoch, because a loss near zero can fall by 1% for ever and gain nothing (below 10% of the entropy it is passed over
    altogether), and three standard errors of the trend; where the classes are not known the first loss stands for their
    entropy. From twice `min_fall` on the finding is a warning, below that a note, as it is where only the training loss
    is known, or where that has come to 2% of the entropy: hardly a gradient is left. Trees are passed over: the recipe
    does not set how many there are.

    ## Why it matters
    The run was cut off before it had learned what it could. More epochs are the cheapest improvement there is.

    ## When to ignore it
    When a budget ends the run on purpose.

    ## References
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    """
    name, loss = watched(history)
    if len(loss) < min_epochs or (recipe is not None and _ended_itself(history, recipe)):
        return
    last = loss[-max(5, min(len(loss) // 3, 10)) :]
    slope, error = trend(last)
    level = float(last.mean())
    fall = -slope / level if level > 0 else 0.0
    scale = _scale(history, task, loss)
    if loss[-3:].min() > loss.min() or level < min_level * scale:
        return
    if fall < min_fall or not -slope >= min_gain * scale or -slope < min_noise_ratio * error or gap(history):
        return
    _, training = points(history, "train_loss")
    fitted = len(training) > 0 and float(np.median(training[-3:])) < MAX_FITTED * max(scale, training[0])
    yield Finding(
        f"the {name} loss still falls by {fall:.1%} an epoch when training ends at {loss[-1]:.3g}",
        Where("run"),
        {
            "fall": fall,
            "min_fall": min_fall,
            "min_gain": min_gain,
            "error": error,
            "min_noise_ratio": min_noise_ratio,
            "min_level": min_level,
        },
        tuple(_remedies(history, task, recipe)),
        severity=None if name == "validation" and fall >= 2 * min_fall and not fitted else Severity.NOTE,
    )


def _ended_itself(history: History, recipe: Recipe) -> bool:
    stopped = recipe.train.patience > 0 and len(history.epochs) < recipe.train.epochs
    return stopped or recipe.model.kind == "gradient-boosting"


def _scale(history: History, task: Task | None, loss: Floats) -> float:
    if task is None or math.isnan(task.prior_entropy) or history.entropy_scale is False:
        return start_of(history, loss)
    return task.prior_entropy


def _remedies(history: History, task: Task | None, recipe: Recipe | None) -> Iterator[Fix]:
    if recipe is None:
        yield LONGER
        return
    yield Fix(f"{2 * recipe.train.epochs} epochs", {"train.epochs": 2 * recipe.train.epochs})
    if direction(history, task) != "lower":
        yield from higher_rate(recipe, 3, MAX_RATE)
