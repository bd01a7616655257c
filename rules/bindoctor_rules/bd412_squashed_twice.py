"""The loss stands on the floor that probabilities leave a loss which expects logits, and the answers are right."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bindoctor import Aim, Confidence, Finding, Fix, History, Severity, Task, Where, example, rule
from bindoctor_rules._curves import Floats, logged, points

RIGHT = math.log1p(math.exp(-1))
"""The loss of a row whose right class gets 1 and the other 0 as logits: 0.3133."""
EVEN = math.log(2)

SQUASHED = [0.505 + 0.15 * 0.8**i for i in range(25)]
SOFTMAX = [0.553 + 0.5 * 0.8**i for i in range(25)]
BINARY_SOFTMAX = [0.315 + 0.3 * 0.8**i for i in range(25)]
GOOD = [0.99 - 0.4 * 0.7**i for i in range(25)]
FAIR = [0.8 - 0.2 * 0.7**i for i in range(25)]
LEARNING = [0.05 + 0.64 * 0.8**i for i in range(25)]
EVEN_TASK = Task((0.5, 0.5))
THREE = Task((0.4, 0.3, 0.3))
MANY = range(3, 11)


class _Floor(NamedTuple):
    value: float
    how: str


def _floors(task: Task | None) -> Iterator[_Floor]:
    """Yield the losses that no answer gets below once the outputs are squashed before the loss squashes them again."""
    shares = task.shares if task else ()
    classes = [len(shares)] if shares else [2, *MANY]
    if len(shares) == 2:
        yield _Floor(shares[1] * RIGHT + shares[0] * EVEN, "a sigmoid before a loss that applies its own")
    for count in classes:
        yield _Floor(
            math.log1p((count - 1) / math.e), f"a softmax over {count} classes before a loss that applies its own"
        )


def _settled(loss: Floats) -> tuple[float, float]:
    """Return the level of the last third of a loss, and its change a point as a share of the level."""
    last = loss[-max(len(loss) // 3, 3) :]
    return float(last.mean()), abs(float(last[-1] - last[0])) / max(len(last) - 1, 1) / float(last.mean())


@rule(
    "BD412",
    severity=Severity.ERROR,
    explains=("BD402", "BD404", "BD405", "BD407", "BD410", "BD411", "BD415", "BD604"),
    flags=[
        example(
            "a sigmoid before binary cross-entropy with logits",
            task=EVEN_TASK,
            history=logged(SQUASHED, SQUASHED, valid_score=GOOD),
            says="0.503, the least that a sigmoid",
        ),
        example(
            "softmax before cross-entropy",
            task=THREE,
            history=logged(SOFTMAX, SOFTMAX, valid_score=GOOD),
            says="0.551, the least that a softmax over 3 classes",
        ),
        example(
            "nothing is known of the classes",
            history=logged(BINARY_SOFTMAX, BINARY_SOFTMAX, valid_score=GOOD, source="Keras"),
            says="0.313, the least that a softmax over 2 classes",
        ),
    ],
    passes=[
        example("it gets below", task=EVEN_TASK, history=logged(LEARNING, LEARNING, valid_score=GOOD)),
        example(
            "the answers are no better than the loss",
            task=EVEN_TASK,
            history=logged(SQUASHED, SQUASHED, valid_score=FAIR),
        ),
        example("no score", task=EVEN_TASK, history=logged(SQUASHED, SQUASHED)),
        example(
            "no classifier's loss",
            task=EVEN_TASK,
            history=logged(SQUASHED, SQUASHED, valid_score=GOOD, entropy_scale=False),
        ),
        example("still falling", task=EVEN_TASK, history=logged(SQUASHED[:8], SQUASHED[:8], valid_score=GOOD[:8])),
    ],
)
def squashed_twice(
    history: History,
    task: Task | None = None,
    *,
    min_epochs: int = 6,
    min_accuracy: float = 0.9,
    max_above: float = 0.1,
    max_slope: float = 0.01,
    min_excess: float = 1.5,
) -> Iterator[Finding]:
    """The loss has settled just above such a floor although nine answers of ten are right.

    With probabilities in the place of logits a right and certain answer still costs ln(1 + 1/e) = 0.3133 nats a row of
    the positive class and ln 2 = 0.6931 of the negative one under a sigmoid, and ln(1 + (K - 1)/e) under a softmax
    over K classes. The training loss (validation, where there is none) must lie within 10% above the floor and never
    below, nor the validation loss by 5%, change by less than 1% a point over its last third, and be 1.5 times the
    entropy of the errors that the accuracy leaves. Answers read off at a logit of 0 are all positive: an accuracy that
    is the positive class's share throughout counts as well, when the loss is below the entropy of the classes. Without
    the shares of the classes only the softmax of 2 to 10 classes can be told, and the finding is a warning.

    ## Why it matters
    The gradients are squashed as well: the network learns slowly and stops early, its probabilities stay between 0.5
    and 0.73, and thresholds, calibration and early stopping by the loss all look at the wrong number.

    ## When to ignore it
    When the loss is smoothed labels' or a focal loss's, which have floors of their own.

    ## References
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 6.2.2. MIT Press.
    """
    _, training = points(history, "train_loss")
    _, validation = points(history, "valid_loss")
    _, score = points(history, "valid_score")
    if not len(score):
        _, score = points(history, "train_score")
    part, loss = ("training", training) if len(training) else ("validation", validation)
    may_tell = history.entropy_scale is not False and history.score == "accuracy"
    if not may_tell or len(loss) < min_epochs or len(score) < min_epochs or loss.min() <= 0:
        return
    level, slope = _settled(loss)
    accuracy = float(np.median(score[-max(len(score) // 3, 3) :]))
    positive = task.shares[1] if task is not None and len(task.shares) == 2 else math.nan
    one_answer = bool(np.ptp(score) < 1e-6) and abs(accuracy - positive) <= 0.08
    classes = len(task.shares) if task and task.shares else 2
    contradicts = accuracy >= min_accuracy and level >= min_excess * _honest(1 - accuracy, classes)
    if slope > max_slope or not (contradicts or (one_answer and level < 0.97 * _honest(positive, 2))):
        return
    least = min(float(loss.min()), float(validation.min()) / 0.95 if len(validation) else math.inf)
    near = [one for one in _floors(task) if 0.999 * one.value <= least and level <= (1 + max_above) * one.value]
    if not near:
        return
    floor = min(near, key=lambda one: level - one.value)
    known = task is not None and bool(task.shares)
    answers = f"{accuracy:.1%} of the answers right" if contradicts else "every row answered as the second class"
    yield Finding(
        f"the {part} loss stands still at {level:.3g} with {answers}, just above {floor.value:.3g}, the least that "
        f"{floor.how} can reach",
        Where("run"),
        {
            "level": level,
            "floor": floor.value,
            "accuracy": accuracy,
            "slope": slope,
            "min_epochs": min_epochs,
            "min_accuracy": min_accuracy,
            "max_above": max_above,
            "max_slope": max_slope,
            "min_excess": min_excess,
        },
        (Fix("Remove the last sigmoid or softmax, and give the loss the logits", aim=Aim.ADVISE),),
        Confidence.HIGH if known and history.entropy_scale else Confidence.MEDIUM,
        None if known else Severity.WARNING,
    )


def _honest(wrong: float, classes: int) -> float:
    """Return the loss of probabilities that are right on average, when so many answers are wrong."""
    if not 0 < wrong < 1:
        return 0.0
    entropy = -wrong * math.log(wrong) - (1 - wrong) * math.log(1 - wrong)
    return entropy + wrong * math.log(max(classes - 1, 1))
