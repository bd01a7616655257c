"""Nothing but training values was logged."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Epoch, Finding, Fix, History, Recipe, Series, Severity, Where, example, rule
from bindoctor_rules._curves import logged, points

FALLING = [0.69 * 0.95**i for i in range(12)]
TESTED = Series("test", "loss", (0.4,))


@rule(
    "BD408",
    severity=Severity.WARNING,
    flags=[
        example("training loss only", history=logged(FALLING, source="Keras"), says="12 training losses"),
        example("a short run", history=logged(FALLING[:3], source="Keras"), says="3 training losses"),
        example(
            "no classifier's loss",
            history=logged(FALLING, entropy_scale=False, source="Keras"),
            says="no validation was logged",
        ),
    ],
    passes=[
        example("validation loss", history=logged(FALLING, FALLING, source="Keras")),
        example("a validation score", history=logged(FALLING, valid_score=[0.8] * 12, source="Keras")),
        example("a test at the end", history=logged(FALLING, series=(TESTED,), source="Keras")),
        example("one number is no curve", history=History((Epoch(1, train_score=0.8),), source="MLflow")),
        example("bindoctor's own, whose folds were kept back", recipe=Recipe(), history=logged(FALLING)),
    ],
)
def no_validation(history: History, *, min_epochs: int = 2) -> Iterator[Finding]:
    """The log has two epochs of training losses or more, and no validation loss, no validation score and no test.

    Of a loss that is no classifier's the finding is a note, and so it is of a loop that was watched, which may validate
    elsewhere. Trainings of a recipe are passed over: the recipe keeps rows back, whatever one training logs.

    ## Why it matters
    A training loss falls whether or not the network learns anything that holds for other rows. Without values on rows
    kept back nobody can say when to stop, which epoch was best, or whether the model is of any use.

    ## When to ignore it
    When the model was validated elsewhere, by cross-validation before this last fit.

    ## References
    - Hastie, T., Tibshirani, R., & Friedman, J. (2009). The Elements of Statistical Learning, section 7.2. Springer.
    """
    _, training = points(history, "train_loss")
    kept_back = any(np.isfinite(history.curve(name)).any() for name in ("valid_loss", "valid_score"))
    kept_back = kept_back or any(series.part in ("valid", "test") and series.values for series in history.series)
    if not history.source or len(training) < min_epochs or kept_back:
        return
    yield Finding(
        f"no validation was logged: {len(training)} training losses say nothing about other rows",
        Where("run"),
        {"points": len(training), "min_epochs": min_epochs},
        (Fix("Keep rows back, and log the loss and a score on them each epoch", aim=Aim.ADVISE),),
        severity=Severity.NOTE if history.entropy_scale is False or history.source.startswith("bindoctor") else None,
    )
