"""The loss never gets below that of an answer that ignores the features."""

import math
from collections.abc import Iterator

import numpy as np

from bindoctor import (
    Aim,
    Confidence,
    Finding,
    Fix,
    History,
    Profile,
    Recipe,
    Severity,
    Table,
    Task,
    Where,
    example,
    rule,
)
from bindoctor_rules._curves import Floats, logged, points, trend, watched
from bindoctor_rules._pace import direction
from bindoctor_rules._remedies import higher_rate, lower_rate, scaling, trains_by_gradient
from bindoctor_rules._scale import MIN_LEARNED, best_single_column, constant_loss, learned

TELLING = Table({"x": [(i % 2) * 2.0 + (i * 37 % 100) / 33 for i in range(200)], "y": [i % 2 for i in range(200)]})
EMPTY = Table({"x": [float(i * 37 % 100) for i in range(200)], "y": [i // 100 for i in range(200)]})
FLAT = [0.6935 + 0.0004 * (-1) ** i for i in range(20)]
COLLAPSED = [0.694 + 12.0 * 0.3**i for i in range(20)]
LEARNING = [0.3 + 0.39 * 0.9**i for i in range(20)]
FALLING = [5.0 * 0.95**i for i in range(20)]
MAX_RATE = {"adam": 0.1, "adamw": 0.1, "rmsprop": 0.1, "sgd": 0.1}
WEIGHTED = Recipe().edited({"loss.class-weight": "balanced"})


def _remedies(recipe: Recipe | None, way: str) -> Iterator[Fix]:
    if recipe is not None and not trains_by_gradient(recipe):
        return
    yield from scaling(recipe)
    if recipe is None and not way:
        yield Fix("Have the network learn one batch by heart: if it cannot, the error lies in the code", aim=Aim.ADVISE)
    if recipe is not None:
        if recipe.model.activation in ("sigmoid", "tanh") and recipe.model.hidden:
            yield Fix("ReLU units", {"model.activation": "relu"})
        if not recipe.model.prior_bias:
            yield Fix("Start at the class shares", {"model.prior-bias": True})
    if way == "higher" or (recipe is not None and not way):
        yield from higher_rate(recipe, most=MAX_RATE)
    if way == "lower" or (recipe is not None and not way):
        yield from lower_rate(recipe)


@rule(
    "BD405",
    severity=Severity.ERROR,
    explains=("BD402", "BD404", "BD406", "BD407", "BD411", "BD414", "BD604"),
    arrays=True,
    scans=("cells",),
    flags=[
        example("the loss stays where it was", TELLING, Recipe(), logged(FLAT, FLAT), says="never gets below 0.693"),
        example(
            "it falls from far above and no further", TELLING, Recipe(), logged(COLLAPSED, COLLAPSED), says="although"
        ),
        example(
            "nothing in the columns to learn", EMPTY, Recipe(), logged(FLAT, FLAT), says="no column tells much either"
        ),
        example(
            "only the training loss is known", TELLING, Recipe(), logged(FLAT), says="the training loss never gets"
        ),
        example(
            "a log from elsewhere, and no data but the shares",
            task=Task((0.5, 0.5)),
            history=logged(FLAT, FLAT, source="Keras", entropy_scale=None),
            says="never gets below 0.693",
        ),
    ],
    passes=[
        example(
            "the loss may be weighted",
            task=Task((0.8, 0.2)),
            history=logged(LEARNING, [0.5 + 0.19 * 0.8**i for i in range(20)], source="Keras", entropy_scale=None),
        ),
        example("no classifier's loss", TELLING, Recipe(), logged(FLAT, FLAT, entropy_scale=False)),
        example("it learned", TELLING, Recipe(), logged(LEARNING, LEARNING)),
        example("it learned its own rows", TELLING, Recipe(), logged(LEARNING, COLLAPSED)),
        example("still on its way down", TELLING, Recipe(), logged(FALLING, FALLING)),
        example("too few epochs to say", TELLING, Recipe(), logged(FLAT[:4], FLAT[:4])),
        example("no curve at all", TELLING, Recipe(), logged([float("nan")] * 20)),
    ],
)
def never_learned(
    history: History,
    task: Task,
    profile: Profile | None = None,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = 5,
    min_learned: float = MIN_LEARNED,
    max_fall: float = 0.01,
) -> Iterator[Finding]:
    """The lowest loss of the run is within 2% of the loss of one constant answer, or above it.

    The constant answer is the class shares, or what resampling and class weights move them to. A run that still falls
    by 1% an epoch at its end is passed over (see stopped-too-soon), and so is one whose training loss got below it:
    that learned its own rows. The finding is an error when a single column alone would allow a lower loss, and a
    warning when no column does, or the data are not known: then there may be nothing to learn. Of a run from elsewhere
    nothing is known of its weights: its loss must stand at the entropy of the classes or of an even guess, and its
    accuracy, or where there is none its whole curve, must show no learning either.

    ## Why it matters
    Whatever the network computes, it answers the same for every row, or worse than that. The usual causes are inputs of
    thousands that make every unit saturate or die in the first steps, a learning rate far off, or an initialisation
    that cannot recover.

    ## When to ignore it
    When the features really hold nothing about the target; a simple model will then do no better.

    ## References
    - LeCun, Y., Bottou, L., Orr, G., & Müller, K.-R. (1998). Efficient BackProp. In Neural Networks: Tricks of the
      Trade.
    - Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural networks.
      AISTATS.
    """
    name, loss = watched(history)
    constant = constant_loss(task, recipe, name)
    if len(loss) < min_epochs or math.isnan(constant) or history.entropy_scale is False:
        return
    lowest = float(loss.min())
    slope, _ = trend(loss[-5:])
    if learned(history, task, recipe, min_learned) or -slope >= max_fall * loss[-1]:
        return
    if (recipe is None or history.entropy_scale is None) and not _is_constant(history, task, loss, constant):
        return
    column, reachable = best_single_column(profile) if profile is not None else ("", constant)
    tells = reachable < (1 - min_learned) * task.prior_entropy
    why = f", although {column!r} alone allows about {reachable:.3g}" if tells else "; no column tells much either"
    yield Finding(
        f"the {name} loss never gets below {lowest:.3g}, and one constant answer has {constant:.3g}"
        + (why if profile is not None else ""),
        Where("run"),
        {
            "lowest_loss": lowest,
            "constant_loss": constant,
            "min_learned": min_learned,
            "max_fall": max_fall,
            "reachable": reachable,
        },
        tuple(_remedies(recipe, direction(history, task))),
        Confidence.HIGH if tells and history.entropy_scale else Confidence.MEDIUM,
        None if tells else Severity.WARNING,
    )


def _is_constant(history: History, task: Task, loss: Floats, constant: float) -> bool:
    """Tell whether a loss whose weights are not known stands where one answer puts it.

    That is at the entropy of the shares, or of an even guess where classes are weighted; and no more answers may be
    right than are of the largest class. Without a logged accuracy the loss must not have moved at all.
    """
    even = math.log(len(task.shares))
    near = any(0.98 * level <= np.median(loss) <= 1.1 * level for level in (constant, even))
    _, scores = points(history, "valid_score")
    if history.score == "accuracy" and len(scores):
        return bool(near and scores.max() <= max(task.shares) + 0.05)
    return bool(near and np.ptp(loss) <= 0.05 * np.median(loss))
