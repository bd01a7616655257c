"""The loss is NaN or infinite, or far above its start."""

import math
from collections.abc import Iterator

from bindoctor import Epoch, Finding, Fix, History, Recipe, Severity, Where, example, rule
from bindoctor_rules._curves import logged
from bindoctor_rules._pace import MIN_FINAL_RATIO, MIN_RATIO, Explosion, explosion
from bindoctor_rules._remedies import clipping, lower_rate, scaling

NAN = float("nan")
FALLING = [0.69 * 0.95**i for i in range(12)]
SPIKED = [0.42, 0.63, 1.13, 12.4, 1.57, 0.86, 0.71, 0.66, 0.6, 0.52, 0.44, 0.38]
SHAKEN = [0.57, 0.59, 1.0, 1.69, 1.28, 1.08, 0.81, 0.7, 0.62, 0.55, 0.47, 0.4]
PREPARED = Recipe().edited({"features.scale": "standard", "optimizer.clip-norm": 1.0})


def _remedies(recipe: Recipe | None) -> Iterator[Fix]:
    yield from scaling(recipe)
    yield from lower_rate(recipe)
    yield from clipping(recipe)


def _message(found: Explosion) -> str:
    at = "" if math.isnan(found.epoch) else f" at epoch {found.epoch:g}"
    if found.hidden:
        return (
            f"the training loss drops from {found.start:.3g} to exactly 0 in one step{at} and stays there, as a log "
            "does that leaves NaN out"
        )
    if not math.isfinite(found.value):
        return f"the {found.part} loss is {found.value:g}{at}" + (", and finite again later" if found.recovered else "")
    times = f"{found.value / found.start:.3g} times its start of {found.start:.3g}"
    later = "; the run came back" if found.recovered else ""
    return f"the {found.part} loss reaches {found.value:.3g}{at}, {times}{later}"


@rule(
    "BD401",
    severity=Severity.ERROR,
    explains=("BD404", "BD405", "BD406", "BD407", "BD410", "BD411", "BD414", "BD415", "BD604"),
    flags=[
        example(
            "NaN from the fourth epoch on",
            recipe=Recipe(),
            history=logged([0.7, 0.9, 2.1, NAN, NAN]),
            says="the training loss is nan at epoch 4",
        ),
        example("with everything prepared", recipe=PREPARED, history=logged([float("inf")] * 3), says="loss is inf"),
        example("a log from elsewhere", history=logged(FALLING, [0.7, 0.6, NAN]), says="validation loss is nan"),
        example(
            "far above the loss before any step",
            recipe=Recipe(),
            history=logged([310.0, 120.0, 60.0], first_loss=0.7),
            says="reaches 310 at epoch 1, 443 times its start",
        ),
        example("a run that came back", history=logged(SHAKEN, SPIKED), says="12.4 at epoch 4, 29.5 times"),
        example("it ends above its start", history=logged([0.7 + 0.1 * i for i in range(15)]), says="2.1 at epoch 15"),
        example(
            "NaN left out of the log", history=logged([0.69, 0.6, 0.55, 0.0, 0.0, 0.0]), says="from 0.55 to exactly 0"
        ),
    ],
    passes=[
        example("it falls", recipe=Recipe(), history=logged(FALLING, FALLING)),
        example("validation alone rises: that is a gap", history=logged(FALLING, [0.2 * 1.3**i for i in range(12)])),
        example(
            "class weights, which the loss before any step has not",
            history=logged([1.6 * 0.97**i for i in range(12)], first_loss=0.69),
        ),
        example("a small loss doubles", history=logged([0.01, 0.2, 0.3, 0.2, 0.2, 0.2])),
        example("a loss that gets very small", history=logged([0.1**i for i in range(9)])),
        example("unscaled, but falling", history=logged([9000.0, 700.0, 60.0, 6.0, 1.0, 0.8])),
        example("nothing logged", history=History((Epoch(1), Epoch(2)))),
    ],
)
def loss_not_finite(
    history: History,
    recipe: Recipe | None = None,
    *,
    min_ratio: float = MIN_RATIO,
    min_final_ratio: float = MIN_FINAL_RATIO,
) -> Iterator[Finding]:
    """A loss is NaN or infinite, ten times its start, or ends at twice its start.

    The start is the loss before any step, or that of the first epoch. A cross-entropy must reach 1 nat as well. A
    validation loss that rises without the training loss is passed over: that is overfitting, or batch statistics that
    have not settled. A training loss that drops from 0.1 or more to exactly 0 is read as NaN that the log left out. Of
    a run whose loss came back below its start the finding is a warning. On 402 trainings without a fault
    (scikit-learn's small sets and synthetic tables, from even classes to 1:50, logistic regression to two layers) it
    was silent.

    ## Why it matters
    Once a weight is NaN every answer is. A loss that has exploded and come back has thrown away what the network knew
    at its start: units are dead, and the epochs after it go into climbing back. The causes are a learning rate too
    high for the inputs' scale, inputs of thousands, NaN among the inputs, or a logarithm of 0 in a loss of one's own.

    ## When to ignore it
    When mixed precision skipped a single step and training went on: then the log shows it once.

    ## References
    - Pascanu, R., Mikolov, T., & Bengio, Y. (2013). On the difficulty of training recurrent neural networks. ICML.
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 11.4.1. MIT Press.
    """
    found = explosion(history, min_ratio, min_final_ratio)
    if found is None:
        return
    yield Finding(
        _message(found),
        Where("run"),
        {
            "part": found.part,
            "epoch": found.epoch,
            "loss": found.value,
            "start": found.start,
            "min_ratio": min_ratio,
            "min_final_ratio": min_final_ratio,
        },
        tuple(_remedies(recipe)),
        severity=Severity.WARNING if found.recovered and math.isfinite(found.value) else None,
    )
