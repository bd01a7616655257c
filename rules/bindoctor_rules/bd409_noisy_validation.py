"""The validation score is of so few rows that it moves in coarse steps."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Confidence, Finding, Fix, History, Recipe, Severity, Task, Where, example, rule
from bindoctor_rules._curves import logged, points
from bindoctor_rules._valid_rows import valid_rows

LOSS = [0.6 * 0.95**i for i in range(8)]
OF_37 = [k / 37 for k in (20, 24, 27, 26, 29, 28, 30, 29)]
OF_71 = [k / 142 for k in (86, 88)]
OF_2000 = [k / 2000 for k in (1201, 1402, 1477, 1483, 1515, 1519, 1522, 1530)]
ROUNDED = [round(k / 37, 2) for k in (20, 24, 27, 26)]


@rule(
    "BD409",
    severity=Severity.WARNING,
    flags=[
        example(
            "37 rows",
            history=logged(LOSS, LOSS, valid_score=OF_37, source="Keras"),
            says="moves in steps of 1/37: 37 rows",
        ),
        example(
            "read off two scores",
            history=logged(LOSS[:2], LOSS[:2], valid_score=OF_71, source="Keras"),
            says="in steps of 1/71: 71 rows, or a multiple of that",
        ),
        example(
            "as it was told",
            history=logged(LOSS, LOSS, valid_score=OF_2000, source="Keras"),
            task=Task(valid_rows=50),
            says="50 rows measure it to ±0.12",
        ),
    ],
    passes=[
        example("enough rows", history=logged(LOSS, LOSS, valid_score=OF_2000, source="Keras")),
        example("rounded so that any number of rows fits", history=logged(LOSS, valid_score=ROUNDED, source="Keras")),
        example("no score", history=logged(LOSS, LOSS, source="Keras")),
        example("another score than accuracy", history=logged(LOSS, valid_score=OF_37, source="Keras", score="auc")),
        example(
            "bindoctor's own run: validation-too-small counts its rows",
            recipe=Recipe(),
            history=logged(LOSS, LOSS, valid_score=OF_37),
        ),
    ],
)
def noisy_validation(history: History, task: Task | None = None, *, max_half_width: float = 0.05) -> Iterator[Finding]:
    """The validation accuracy is of so few rows that its 95% interval is wider than ±0.05.

    How many rows there are is told, or read off the accuracies: the smallest number of rows that makes each of them
    whole. With k different accuracies a number of twice as many rows would look the same once in 2^k, so that fewer
    than four give a note. The interval is that of Agresti and Coull at the last accuracy. From twice `max_half_width`
    on the finding is a warning, below that a note.

    ## Why it matters
    With 40 rows one row is 0.025 of accuracy, and chance alone moves it by 0.15. The epoch that early stopping keeps,
    and the model that a comparison prefers, are then chosen by luck.

    ## When to ignore it
    When the validation part only watches for accidents, and the score that counts is measured elsewhere.

    ## References
    - Agresti, A., & Coull, B. A. (1998). Approximate is better than "exact" for interval estimation of binomial
      proportions. The American Statistician 52(2).
    - Varoquaux, G. (2018). Cross-validation failure: small sample sizes lead to large error bars. NeuroImage 180.
    """
    _, scores = points(history, "valid_score")
    if not history.source or history.score != "accuracy" or not len(scores):
        return
    found = valid_rows(history, task, scores.tolist())
    if found is None:
        return
    last = min(max(float(scores[-1]), 0.0), 1.0)
    rows = found.rows + 4
    middle = (last * found.rows + 2) / rows
    half = 1.96 * math.sqrt(middle * (1 - middle) / rows)
    if half <= max_half_width:
        return
    sure = found.scores == 0 or found.scores >= 4
    counted = f"{found.rows} rows" + ("" if sure else ", or a multiple of that,")
    steps = f" moves in steps of 1/{found.rows}:" if found.scores else ":"
    yield Finding(
        f"the validation accuracy{steps} {counted} measure it to ±{half:.2g} only (at {last:.2g})",
        Where("run"),
        {"rows": found.rows, "scores": found.scores, "half_width": half, "max_half_width": max_half_width},
        (Fix("Keep more rows back, or cross-validate", aim=Aim.ADVISE),),
        Confidence.HIGH if sure else Confidence.MEDIUM,
        None if sure and half >= 2 * max_half_width else Severity.NOTE,
    )
