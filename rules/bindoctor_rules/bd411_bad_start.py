"""The first loss lies far above that of answering the class shares."""

import math
from collections.abc import Iterator

from bindoctor import Finding, Fix, History, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._curves import logged, points
from bindoctor_rules._scale import constant_loss

EVEN = counts(no=50, yes=50)
RARE = counts(no=97, yes=3)
FALLING = [0.6 * 0.9**i for i in range(20)]
PREPARED = Recipe().edited({"features.scale": "standard", "model.prior-bias": True})


def _remedies(recipe: Recipe, *, uninformed: bool) -> Iterator[Fix]:
    if not uninformed and recipe.features.scale == "none":
        yield Fix("Standardise the features", {"features.scale": "standard"})
    if not recipe.model.prior_bias:
        yield Fix("Start at the class shares", {"model.prior-bias": True})
    if not uninformed and not recipe.optimizer.clip_norm:
        yield Fix("Clip gradients at norm 1", {"optimizer.clip-norm": 1.0})


@rule(
    "BD411",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells",),
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
    ],
    passes=[
        example("starts at ln 2", EVEN, Recipe(), logged(FALLING, FALLING, 0.69)),
        example(
            "weights make a rare class even", RARE, Recipe().edited({"loss.class-weight": "balanced"}), logged([0.7])
        ),
        example("a good first epoch of an unknown start", EVEN, Recipe(), logged(FALLING)),
        example("nothing logged", EVEN, Recipe(), logged([float("nan")] * 3)),
    ],
)
def bad_start(history: History, profile: Profile, recipe: Recipe, *, min_ratio: float = 2.0) -> Iterator[Finding]:
    """The loss before any step is at least twice that of one constant answer.

    The constant answer is the class shares, or what resampling and class weights move them to. Where the loss before
    any step is not logged the first epoch's training loss stands in, which flatters. Up to 1.5 times the logarithm of
    the number of classes, the loss of an even guess, the finding is a note: the start merely ignores that a class is
    rare.

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
    start = math.nan if history.first_loss is None else history.first_loss
    known = math.isfinite(start)
    first = start if known else float(next(iter(training), math.nan))
    constant = constant_loss(profile, recipe, "training")
    ratio = first / constant if constant else math.nan
    if not ratio >= min_ratio:
        return
    even = math.log(len(profile.classes))
    uninformed = first <= 1.5 * even
    yield Finding(
        f"the loss {'before any step' if known else 'of the first epoch'} is {first:.3g}, {ratio:.1f} times the "
        f"{constant:.3g} of one constant answer",
        Where("run"),
        {"first_loss": first, "constant_loss": constant, "even_guess": even, "min_ratio": min_ratio},
        tuple(_remedies(recipe, uninformed=uninformed)),
        severity=Severity.NOTE if uninformed else None,
    )
