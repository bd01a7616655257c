"""The training loss stands still above what a single column already allows."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, History, Profile, Recipe, Severity, Table, Task, Where, example, rule
from bindoctor_rules._curves import jitter, logged, points, trend
from bindoctor_rules._pace import direction
from bindoctor_rules._remedies import higher_rate, lower_rate, scaling
from bindoctor_rules._scale import best_single_column, learned

TELLING = Table({"x": [(i % 2) * 2.0 + (i * 37 % 100) / 33 for i in range(200)], "y": [i % 2 for i in range(200)]})
EMPTY = Table({"x": [float(i * 37 % 100) for i in range(200)], "y": [i // 100 for i in range(200)]})
STUCK = [0.55 + 0.14 * 0.5**i for i in range(30)]
LOW = [0.25 + 0.44 * 0.5**i for i in range(30)]
FALLING = [0.69 * 0.98**i for i in range(30)]


def _remedies(recipe: Recipe | None, way: str) -> Iterator[Fix]:
    yield from scaling(recipe)
    yield from lower_rate(recipe) if way == "lower" else higher_rate(recipe)
    if recipe is None:
        yield Fix("A larger network, or another optimizer", aim=Aim.ADVISE)
        return
    optimizer = recipe.optimizer
    if optimizer.schedule == "constant":
        yield Fix("Lower the learning rate on plateaus", {"optimizer.schedule": "plateau"})
    if optimizer.kind == "sgd":
        yield Fix("Adam at 0.001", {"optimizer.kind": "adam", "optimizer.learning-rate": 0.001})
    if recipe.model.kind == "logistic":
        yield Fix("A network with two hidden layers", {"model.kind": "mlp"})
    elif recipe.model.kind == "mlp" and max(recipe.model.hidden, default=0) < 256:
        wider = [2 * width for width in recipe.model.hidden] or [64, 32]
        yield Fix("Twice the units", {"model.hidden": wider})


@rule(
    "BD404",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells",),
    flags=[
        example("stuck above what one column tells", TELLING, Recipe(), logged(STUCK), says="stands still at 0.55"),
        example("a log from elsewhere", TELLING, None, logged(STUCK, source="Keras"), says="stands still at 0.55"),
    ],
    passes=[
        example("flat where it should be", TELLING, Recipe(), logged(LOW)),
        example("still falling", TELLING, Recipe(), logged(FALLING)),
        example("the columns tell nothing more", EMPTY, Recipe(), logged(STUCK)),
        example("too few epochs to say", TELLING, Recipe(), logged(STUCK[:10])),
        example("nothing was learned at all: never-learned says so", TELLING, Recipe(), logged([0.693] * 30)),
        example(
            "resampling moves the training loss", TELLING, Recipe().edited({"resample.method": "smote"}), logged(STUCK)
        ),
    ],
)
def loss_plateau(
    history: History,
    profile: Profile,
    recipe: Recipe | None = None,
    *,
    min_epochs: int = 15,
    max_change: float = 0.01,
    min_excess: float = 0.1,
) -> Iterator[Finding]:
    """The training loss is flat over its last third, and the best single column alone allows a clearly lower one.

    Flat: the trend over the last third of the epochs changes the loss by less than 1% or less than its jitter. What one
    column allows is the entropy left within its levels, or for a number column what a binormal model of its AUC leaves;
    the plateau must lie above it by 0.1 of the entropy of the classes. On 27 real tables that estimate was at most 0.1
    of the entropy below what the column reached under cross-validation, and on 25 of them at most 0.06. Passed over
    when the recipe resamples or weights rows, because the two losses are then not on one scale, for trees, and for logs
    that do not say what their loss is.

    ## Why it matters
    A network that stays above what one of its own columns tells has not finished learning and is not going to: its
    steps are too small or too large, its inputs on scales that it cannot use, or it is too small.

    ## When to ignore it
    When strong regularisation holds the training loss up on purpose.

    ## References
    - Green, D. M., & Swets, J. A. (1966). Signal Detection Theory and Psychophysics. Wiley (the binormal model).
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    """
    _, loss = points(history, "train_loss")
    if len(loss) < min_epochs or not _is_comparable(history, recipe):
        return
    last = loss[-(len(loss) // 3) :]
    level = float(last.mean())
    change = abs(trend(last)[0]) * (len(last) - 1)
    column, reachable = best_single_column(profile)
    excess = (level - reachable) / profile.prior_entropy
    still = change < max_change * level or change < jitter(last)
    if not still or excess < min_excess or not learned(history, Task.of(profile), recipe):
        return
    yield Finding(
        f"the training loss stands still at {level:.3g} over the last {len(last)} epochs, "
        f"although {column!r} alone allows about {reachable:.3g}",
        Where("run"),
        {
            "level": level,
            "change": change,
            "max_change": max_change,
            "reachable": reachable,
            "column": column,
            "excess": excess,
            "min_excess": min_excess,
        },
        tuple(_remedies(recipe, direction(history, Task.of(profile)))),
    )


def _is_comparable(history: History, recipe: Recipe | None) -> bool:
    """Tell whether the training loss is a plain cross-entropy of the rows as they are."""
    if recipe is None or not history.entropy_scale:
        return history.entropy_scale is True
    plain = recipe.loss.class_weight in ("none", 1.0) and recipe.loss.kind != "focal"
    return plain and recipe.model.network and recipe.resample.method == "none"
