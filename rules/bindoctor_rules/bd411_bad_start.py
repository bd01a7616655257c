"""The first loss lies far above that of answering the class shares."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Confidence, Finding, Fix, History, Recipe, Severity, Task, Where, counts, example, rule
from bindoctor_rules._curves import Floats, logged, points, start_of
from bindoctor_rules._remedies import clipping, scaling
from bindoctor_rules._scale import constant_loss

MAX_CLASSES = 1000

EVEN = counts(no=50, yes=50)
RARE = counts(no=97, yes=3)
FALLING = [0.6 * 0.9**i for i in range(20)]
PREPARED = Recipe().edited({"features.scale": "standard", "model.prior-bias": True})


def _remedies(recipe: Recipe | None, *, uninformed: bool) -> Iterator[Fix]:
    if not uninformed:
        yield from scaling(recipe)
    if recipe is None:
        yield Fix("Start the last layer's bias at the class shares", aim=Aim.ADVISE)
    elif not recipe.model.prior_bias:
        yield Fix("Start at the class shares", {"model.prior-bias": True})
    if not uninformed:
        yield from clipping(recipe)


@rule(
    "BD411",
    severity=Severity.WARNING,
    explains=("BD407", "BD604"),
    scans=(),
    flags=[
        example("unscaled inputs", EVEN, Recipe(), logged(FALLING, FALLING, 8.3), says="8.3, 12.0 times the 0.693"),
        example("a rare class", RARE, Recipe(), logged(FALLING, FALLING, 0.7), says="0.7, 5.2 times the 0.135"),
        example(
            "known from the first epoch on",
            EVEN,
            Recipe(),
            logged([3.0, 1.0, 0.9]),
            says="loss of the first epoch is 3",
        ),
        example(
            "with everything prepared", EVEN, PREPARED, logged(FALLING, FALLING, 8.3), says="the loss before any step"
        ),
        example("a log from elsewhere", EVEN, None, logged([3.0, 1.0], source="Keras"), says="of the first epoch is 3"),
        example(
            "whatever the classes are",
            history=logged([60_573.0, 5800.0, 900.0], valid_score=[0.6, 0.7, 0.8], entropy_scale=None),
            says="the first loss is 6.06e+04",
        ),
    ],
    passes=[
        example("starts at ln 2", EVEN, Recipe(), logged(FALLING, FALLING, 0.69)),
        example(
            "weights make a rare class even", RARE, Recipe().edited({"loss.class-weight": "balanced"}), logged([0.7])
        ),
        example("a good first epoch of an unknown start", EVEN, Recipe(), logged(FALLING)),
        example("who knows what loss", EVEN, None, logged([3.0, 1.0], source="Keras", entropy_scale=None)),
        example("nothing logged", EVEN, Recipe(), logged([float("nan")] * 3)),
    ],
)
def bad_start(
    history: History, task: Task | None = None, recipe: Recipe | None = None, *, min_ratio: float = 2.0
) -> Iterator[Finding]:
    """The loss before any step is at least twice that of one constant answer.

    The constant answer is the class shares, or what resampling and class weights move them to. Where the loss before
    any step is not logged the first epoch's training loss stands in, which flatters. Up to 1.5 times the logarithm of
    the number of classes, the loss of an even guess, the finding is a note: the start merely ignores that a class is
    rare. Of a log that does not say what its loss is, or whose classes are not known, a first loss counts that is twice
    that of an even guess between 1000 classes, and ten times the lowest one, where answers are scored.

    ## Why it matters
    The first epochs go into undoing the start. Far above an even guess, the inputs or the weights are out of scale:
    units saturate or die in the first steps, and some of them stay dead.

    ## When to ignore it
    When training is long, the inputs are scaled and only the bias of the last layer is off: a few epochs mend that.

    ## References
    - LeCun, Y., Bottou, L., Orr, G., & Müller, K.-R. (1998). Efficient BackProp. In Neural Networks: Tricks of the
      Trade.
    - Lin, T.-Y., Goyal, P., Girshick, R., He, K., & Dollár, P. (2017). Focal loss for dense object detection. ICCV
      (section 3.3: a bias that starts at the prior of the rare class).
    """
    _, training = points(history, "train_loss")
    known = history.first_loss is not None and math.isfinite(history.first_loss)
    first = start_of(history, training)
    constant = math.nan if task is None or not history.entropy_scale else constant_loss(task, recipe, "training")
    if math.isnan(constant):
        yield from _above_any(history, first, training, min_ratio, recipe)
        return
    ratio = first / constant if constant else math.nan
    if task is None or not ratio >= min_ratio:
        return
    even = math.log(len(task.shares))
    uninformed = first <= 1.5 * even
    yield Finding(
        f"the loss {'before any step' if known else 'of the first epoch'} is {first:.3g}, {ratio:.1f} times the "
        f"{constant:.3g} of one constant answer",
        Where("run"),
        {"first_loss": first, "constant_loss": constant, "even_guess": even, "min_ratio": min_ratio},
        tuple(_remedies(recipe, uninformed=uninformed)),
        severity=Severity.NOTE if uninformed else None,
    )


def _above_any(
    history: History, first: float, training: Floats, min_ratio: float, recipe: Recipe | None
) -> Iterator[Finding]:
    """Speak of a start that is far above an even guess between any number of classes, in a run that scores answers."""
    even = math.log(MAX_CLASSES)
    scored = history.score == "accuracy" and any(
        len(points(history, name)[1]) for name in ("train_score", "valid_score")
    )
    trees = recipe is not None and (recipe.loss.kind == "focal" or recipe.model.kind == "gradient-boosting")
    if history.entropy_scale is False or not scored or trees or not len(training):
        return
    # A loss that is a sum over rows starts as high, but does not fall tenfold.
    if first >= min_ratio * even and first >= 10 * training.min():
        yield Finding(
            f"the first loss is {first:.3g}, and an even guess between {MAX_CLASSES} classes has {even:.3g}",
            Where("run"),
            {"first_loss": first, "even_guess": even, "min_ratio": min_ratio},
            tuple(_remedies(recipe, uninformed=False)),
            Confidence.MEDIUM,
        )
