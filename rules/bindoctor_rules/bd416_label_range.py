"""A cross-entropy is negative, or exactly zero from the start."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Finding, Fix, History, Severity, Where, example, rule
from bindoctor_rules._curves import logged, points

DIVING = [0.2 - 0.5 * i for i in range(10)]
FALLING = [0.69 * 0.7**i for i in range(10)]
RIGHT = [0.5 + 0.04 * i for i in range(10)]


@rule(
    "BD416",
    severity=Severity.ERROR,
    explains=(
        *("BD401", "BD402", "BD404", "BD405", "BD406", "BD407", "BD409"),
        *("BD410", "BD411", "BD412", "BD413", "BD415"),
    ),
    flags=[
        example("labels of -1 and 1", history=logged(DIVING), says="the training loss is -0.3 at epoch 2"),
        example(
            "in validation, in a log that scores answers",
            history=logged(FALLING, DIVING, valid_score=RIGHT, entropy_scale=None),
            says="the validation loss is -0.3 at epoch 2",
        ),
        example("one output under a softmax", history=logged([0.0] * 10), says="exactly 0 from the first epoch on"),
    ],
    passes=[
        example("a small loss", history=logged(FALLING, FALLING)),
        example("rounding", history=logged([*FALLING, -1e-9])),
        example("a loss that may be negative", history=logged(DIVING, entropy_scale=False)),
        example("nobody knows what loss it is", history=logged(DIVING, entropy_scale=None)),
        example("rounded to zero in the end", history=logged([*FALLING, 0.0001, 0.0, 0.0])),
    ],
)
def label_range(history: History, *, min_loss: float = -1e-6, min_zeros: int = 2) -> Iterator[Finding]:
    """A loss that is a cross-entropy falls below zero, or is exactly zero in every epoch.

    That it is one is known, or follows from an accuracy beside it.

    ## Why it matters
    No label that is a probability gives such a loss. With labels of -1 and 1, or 1 and 2, in a binary cross-entropy,
    the loss sinks without end the surer the answers are, right or wrong. It is zero where nothing can go wrong: a
    softmax over one output answers 1 to every row, and a cross-entropy over one class knows it beforehand.

    ## When to ignore it
    When the loss is a likelihood of densities, or has a bonus term.

    ## References
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 6.2.2. MIT Press.
    """
    scored = history.score == "accuracy" and any(
        len(points(history, name)[1]) for name in ("train_score", "valid_score")
    )
    if history.entropy_scale is False or (history.entropy_scale is None and not scored):
        return
    for name, part in (("train_loss", "training"), ("valid_loss", "validation")):
        epochs, loss = points(history, name)
        if not len(loss):
            continue
        if loss.min() < min_loss:
            first = int(np.argmax(loss < min_loss))
            message = (
                f"the {part} loss is {loss[first]:.3g} at epoch {epochs[first]}, and a cross-entropy is never below 0"
            )
        elif len(loss) >= min_zeros and not loss.any():
            message = f"the {part} loss is exactly 0 from the first epoch on, which no learning can do"
        else:
            continue
        yield Finding(
            message,
            Where("run"),
            {"lowest_loss": float(loss.min()), "min_loss": min_loss, "min_zeros": min_zeros},
            (
                Fix(
                    "Give the loss labels of 0 and 1, and one output a class (one in all for a sigmoid)", aim=Aim.ADVISE
                ),
            ),
        )
        return
