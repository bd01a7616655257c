"""The validation loss is next to nothing, or nearly every answer is right."""

import math
from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Confidence, Finding, Fix, History, Severity, Task, Where, example, rule
from bindoctor_rules._curves import Floats, logged, points, start_of
from bindoctor_rules._valid_rows import valid_rows

MIN_START = 0.3
"""A loss that starts lower, in a log without scores, may be a regression's."""
MIN_PERFECT_EPOCHS = 5
SCORES = ("accuracy", "auc", "roc-auc", "average-precision", "f1", "balanced-accuracy", "mcc")

FALLING = [0.69 * 0.5**i for i in range(12)]
GOOD = [0.69 * 0.8**i for i in range(12)]
QUICK = [0.69 * 0.7**i for i in range(12)]
GONE = [0.69 * 0.1**i for i in range(6)]
EVEN = Task((0.5, 0.5))
RARE = Task((0.9995, 0.0005))
PERFECT = [*[k / 400 for k in (310, 371, 397)], *[1.0] * 9]


@rule(
    "BD413",
    severity=Severity.WARNING,
    explains=("BD407",),
    flags=[
        example("a loss of nothing", task=EVEN, history=logged(GONE, GONE), says="loss falls to 6.9e-06"),
        example(
            "nothing is known of the classes",
            history=logged(GONE, GONE, source="TensorBoard"),
            says="0.001% of its start",
        ),
        example(
            "every answer right on 400 rows",
            task=EVEN,
            history=logged(QUICK, QUICK, valid_score=PERFECT),
            says="the validation accuracy stays at 1 on 400 rows",
        ),
        example(
            "never an error, though the loss says otherwise",
            history=logged(FALLING, [0.27] * 12, valid_score=[1.0] * 12, source="Ultralytics"),
            says="is 1 in each of 12 epochs",
        ),
    ],
    passes=[
        example("well learned", task=EVEN, history=logged(FALLING, GOOD, valid_score=[0.97] * 12)),
        example("the training loss alone", task=EVEN, history=logged(GONE)),
        example(
            "few rows are soon all right",
            task=Task((0.5, 0.5), valid_rows=30),
            history=logged(GOOD, GOOD, valid_score=[1.0] * 12),
        ),
        example("rows of one class nearly all", task=RARE, history=logged(GOOD, GOOD, valid_score=[0.9995] * 12)),
        example("no classifier's loss", history=logged(GONE, GONE, entropy_scale=False)),
    ],
)
def too_good(
    history: History,
    task: Task | None = None,
    *,
    max_loss: float = 0.002,
    min_score: float = 0.999,
    max_loss_with_score: float = 0.1,
    max_binary_loss: float = 0.04,
    min_binary_score: float = 0.99,
    min_rows: int = 100,
) -> Iterator[Finding]:
    """The validation loss falls below 0.2% of that of one constant answer, or the validation score stays at 0.999.

    Where the classes are not known the loss before any step, or of the first epoch, stands for the constant answer's
    (from 0.3 on, where no score says that answers are classes). A score counts when it is of 100 rows or more, when it
    leaves at most 2% of the errors that answering the largest class would make, and when the loss has fallen below a
    tenth; of two classes 0.99 is enough when the loss is below 4%. The score is the median of the last third. An
    accuracy of exactly 1 in each of five evaluations or more, from the first on, counts whatever the loss.
    Handwritten digits, learned well, end at 0.4% to 2% of the constant answer's loss, and are passed over.

    ## Why it matters
    Few real questions have certain answers. A column that is written after the outcome, rows that stand in both parts,
    labels that are all alike, or features computed with the labels give such curves.

    ## When to ignore it
    When the question is easy, as telling languages or clean synthetic shapes apart is.

    ## References
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    epochs, loss = points(history, "valid_loss")
    _, scores = points(history, "valid_score")
    _, training = points(history, "train_loss")
    known = math.nan if task is None else task.prior_entropy
    start = start_of(history, training if len(training) else loss)
    scale = min(start, math.log(2)) if math.isnan(known) else known
    lowest = float(loss.min()) if len(loss) else math.nan
    if history.entropy_scale is False or lowest < 0 or not scale > 0:
        return
    if math.isnan(known) and not len(scores) and not start >= MIN_START:
        return
    share = lowest / scale
    if share < max_loss:
        of = f"its start of {start:.3g}" if math.isnan(known) else f"the {known:.3g} of one constant answer"
        at = epochs[int(loss.argmin())]
        message = f"the validation loss falls to {lowest:.2g} at epoch {at}, {100 * share:.2g}% of {of}"
    elif not share > max_loss_with_score and _is_perfect(
        history,
        task,
        scores,
        min_binary_score if share < max_binary_loss and task is not None and len(task.shares) == 2 else min_score,
        min_rows,
    ):
        rows = valid_rows(history, task, scores.tolist())
        message = f"the validation {history.score} stays at {_level(scores):.5g}" + (
            f" on {rows.rows} rows" if rows else ""
        )
    elif _is_perfect_throughout(history, task, scores, min_rows):
        message = f"the validation accuracy is 1 in each of {len(scores)} epochs, from the first on"
    else:
        return
    yield Finding(
        message + ": look for a column, or for rows, that give the answer away",
        Where("run"),
        {
            "lowest_loss": lowest,
            "share": share,
            "max_loss": max_loss,
            "score": _level(scores) if len(scores) else None,
            "min_score": min_score,
            "max_loss_with_score": max_loss_with_score,
            "max_binary_loss": max_binary_loss,
            "min_binary_score": min_binary_score,
            "min_rows": min_rows,
        },
        (Fix("Check columns for the target in disguise, and the split for shared rows", aim=Aim.ADVISE),),
        Confidence.MEDIUM,
    )


def _is_perfect(history: History, task: Task | None, scores: Floats, min_score: float, min_rows: int) -> bool:
    if not len(scores) or history.score not in SCORES or not min_score <= _level(scores) <= 1:
        return False
    rows = valid_rows(history, task, scores.tolist())
    if rows is None or rows.rows < min_rows:
        return False
    errors = 1 - max(task.shares) if task is not None and task.shares else math.nan
    return history.score != "accuracy" or not 1 - _level(scores) > 0.02 * errors


def _is_perfect_throughout(history: History, task: Task | None, scores: Floats, min_rows: int) -> bool:
    """Tell whether no answer was wrong in any of five evaluations or more, on rows that are not known to be few."""
    few = task is not None and task.valid_rows is not None and task.valid_rows < min_rows
    return history.score == "accuracy" and len(scores) >= MIN_PERFECT_EPOCHS and scores.min() >= 1 and not few


def _level(scores: Floats) -> float:
    """Return the score of the last third, past the luck of one epoch."""
    return float(np.median(scores[-max(len(scores) // 3, 1) :]))
