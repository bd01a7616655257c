"""The loss never gets below that of an answer that ignores the features."""

import math
from collections.abc import Iterator

from bindoctor import Confidence, Finding, Fix, History, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._curves import logged, trend, watched
from bindoctor_rules._scale import MIN_LEARNED, best_single_column, constant_loss, learned

TELLING = Table({"x": [(i % 2) * 2.0 + (i * 37 % 100) / 33 for i in range(200)], "y": [i % 2 for i in range(200)]})
EMPTY = Table({"x": [float(i * 37 % 100) for i in range(200)], "y": [i // 100 for i in range(200)]})
FLAT = [0.6935 + 0.0004 * (-1) ** i for i in range(20)]
COLLAPSED = [0.694 + 12.0 * 0.3**i for i in range(20)]
LEARNING = [0.3 + 0.39 * 0.9**i for i in range(20)]
FALLING = [5.0 * 0.95**i for i in range(20)]
WEIGHTED = Recipe().edited({"loss.class-weight": "balanced"})


def _remedies(recipe: Recipe) -> Iterator[Fix]:
    if not recipe.model.network:
        return
    rate = recipe.optimizer.learning_rate
    if recipe.features.scale == "none":
        yield Fix("Standardise the features", {"features.scale": "standard"})
    if recipe.model.activation in ("sigmoid", "tanh") and recipe.model.hidden:
        yield Fix("ReLU units", {"model.activation": "relu"})
    if not recipe.model.prior_bias:
        yield Fix("Start at the class shares", {"model.prior-bias": True})
    if rate <= 0.01:
        yield Fix(f"Learning rate {rate * 10:g}", {"optimizer.learning-rate": float(f"{rate * 10:g}")})
    if rate > 1e-4:
        yield Fix(f"Learning rate {rate / 10:g}", {"optimizer.learning-rate": float(f"{rate / 10:g}")})


@rule(
    "BD405",
    severity=Severity.ERROR,
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
    ],
    passes=[
        example("it learned", TELLING, Recipe(), logged(LEARNING, LEARNING)),
        example("it learned its own rows", TELLING, Recipe(), logged(LEARNING, COLLAPSED)),
        example("still on its way down", TELLING, Recipe(), logged(FALLING, FALLING)),
        example("too few epochs to say", TELLING, Recipe(), logged(FLAT[:4], FLAT[:4])),
        example("no curve at all", TELLING, Recipe(), logged([float("nan")] * 20)),
    ],
)
def never_learned(
    history: History,
    profile: Profile,
    recipe: Recipe,
    *,
    min_epochs: int = 5,
    min_learned: float = MIN_LEARNED,
    max_fall: float = 0.01,
) -> Iterator[Finding]:
    """The lowest loss of the run is within 2% of the loss of one constant answer, or above it.

    The constant answer is the class shares, or what resampling and class weights move them to. A run that still falls
    by 1% an epoch at its end is passed over (see stopped-too-soon), and so is one whose training loss got below it:
    that learned its own rows. The finding is an error when a single column alone would allow a lower loss, and a
    warning when no column does: then there may be nothing to learn.

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
    constant = constant_loss(profile, recipe, name)
    if len(loss) < min_epochs or math.isnan(constant):
        return
    lowest = float(loss.min())
    slope, _ = trend(loss[-5:])
    if learned(history, profile, recipe, min_learned) or -slope >= max_fall * loss[-1]:
        return
    column, reachable = best_single_column(profile)
    tells = reachable < (1 - min_learned) * profile.prior_entropy
    yield Finding(
        f"the {name} loss never gets below {lowest:.3g}, and one constant answer has {constant:.3g}"
        + (f", although {column!r} alone allows about {reachable:.3g}" if tells else "; no column tells much either"),
        Where("run"),
        {
            "lowest_loss": lowest,
            "constant_loss": constant,
            "min_learned": min_learned,
            "max_fall": max_fall,
            "reachable": reachable,
        },
        tuple(_remedies(recipe)),
        Confidence.HIGH if tells else Confidence.MEDIUM,
        None if tells else Severity.WARNING,
    )
