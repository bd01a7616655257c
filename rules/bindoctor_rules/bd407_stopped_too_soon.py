"""Training ends while the loss is still falling."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, History, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._curves import logged, trend, watched

EVEN = counts(no=50, yes=50)
FALLING = [0.69 * 0.97**i for i in range(20)]
SETTLED = [0.4 + 0.29 * 0.6**i for i in range(20)]
TINY = [0.01 * 0.9**i for i in range(20)]
JUMPING = [0.5 - 0.001 * i + 0.1 * (-1) ** i for i in range(20)]
TWENTY = Recipe().edited({"train.epochs": 20})
MAX_RATE = {"adam": 0.01, "adamw": 0.01, "rmsprop": 0.01, "sgd": 0.3}


@rule(
    "BD407",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example("falls by 3% an epoch to the end", EVEN, TWENTY, logged(FALLING, FALLING), says="3.0% an epoch"),
        example("only the training loss is known", EVEN, TWENTY, logged(FALLING), says="the training loss still falls"),
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
    profile: Profile,
    recipe: Recipe,
    *,
    min_epochs: int = 5,
    min_fall: float = 0.01,
    min_gain: float = 0.002,
    min_noise_ratio: float = 3.0,
) -> Iterator[Finding]:
    """Over its last five epochs the validation loss falls by 1% an epoch or more, beyond its jitter.

    The fall must also be 0.2% of the entropy of the classes an epoch, because a loss near zero can fall by 1% for ever
    and gain nothing, and three standard errors of the trend. Without validation the training loss is read. Trees are
    passed over: the recipe does not set how many there are.

    ## Why it matters
    The run was cut off before it had learned what it could. More epochs are the cheapest improvement there is.

    ## When to ignore it
    When a budget ends the run on purpose.

    ## References
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    """
    name, loss = watched(history)
    stopped = recipe.train.patience > 0 and len(history.epochs) < recipe.train.epochs
    if len(loss) < min_epochs or stopped or not recipe.model.network:
        return
    slope, error = trend(loss[-5:])
    level = float(loss[-5:].mean())
    fall = -slope / level if level > 0 else 0.0
    if fall < min_fall or -slope < min_gain * profile.prior_entropy or -slope < min_noise_ratio * error:
        return
    epochs, rate = recipe.train.epochs, recipe.optimizer.learning_rate
    fixes = [Fix(f"{2 * epochs} epochs", {"train.epochs": 2 * epochs})]
    if rate < MAX_RATE[recipe.optimizer.kind]:
        faster = min(float(f"{3 * rate:g}"), MAX_RATE[recipe.optimizer.kind])
        fixes.append(Fix(f"Learning rate {faster:g}", {"optimizer.learning-rate": faster}))
    yield Finding(
        f"the {name} loss still falls by {fall:.1%} an epoch when training ends at {loss[-1]:.3g}",
        Where("run"),
        {"fall": fall, "min_fall": min_fall, "min_gain": min_gain, "error": error, "min_noise_ratio": min_noise_ratio},
        tuple(fixes),
    )
