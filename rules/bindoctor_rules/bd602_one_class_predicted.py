"""Every row gets the same answer."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Finding, Fix, Predictions, Recipe, Severity, Where, example, rule, scores
from bindoctor_rules._answers import alike, answered, spread

FLAT = answered([(0.1, 90, 9)])
LOW = answered([(0.05, 80, 2), (0.4, 20, 8)])
MIXED = answered([(0.05, 80, 2), (0.6, 20, 12)])


def _remedies(predictions: Predictions, recipe: Recipe | None, *, constant: bool) -> Iterator[Fix]:
    if recipe is None:
        title = (
            "Standardise the inputs, or lower the learning rate" if constant else "Lower the threshold, or weigh rows"
        )
        yield Fix(title, aim=Aim.ADVISE)
        return
    if not constant and predictions.binary and recipe.decide.cut != "tuned":
        yield Fix("Tune the threshold on out-of-fold probabilities", {"decide.threshold": "tuned"})
    network = recipe.model.network
    if constant and network and recipe.features.scale == "none":
        yield Fix("Standardise the features", {"features.scale": "standard"})
    if constant and network and recipe.optimizer.learning_rate > 1e-4:
        lower = float(f"{recipe.optimizer.learning_rate / 10:g}")
        yield Fix(f"Learning rate {lower:g}", {"optimizer.learning-rate": lower})
    if recipe.loss.class_weight == "none":
        yield Fix("Weigh the classes alike", {"loss.class-weight": "balanced"})


@rule(
    "BD602",
    severity=Severity.ERROR,
    flags=[
        example("one probability for every row", recipe=Recipe(), predictions=FLAT, says="the same probability"),
        example(
            "nothing reaches the threshold", recipe=Recipe(), predictions=LOW, says="all 100 rows are answered 'no'"
        ),
        example("of a run without a recipe", predictions=LOW, says="all 100 rows are answered 'no'"),
        example(
            "although the threshold is tuned",
            recipe=Recipe().edited({"decide.threshold": "tuned"}),
            predictions=LOW,
            says="10 of them are not",
        ),
    ],
    passes=[
        example("both answers occur", recipe=Recipe(), predictions=MIXED),
        example("there is one class only", recipe=Recipe(), predictions=answered([(0.1, 50, 0)])),
    ],
)
def one_class_predicted(
    predictions: Predictions, recipe: Recipe | None = None, *, min_spread: float = 1e-6
) -> Iterator[Finding]:
    """All rows get one class, or even one and the same probability.

    Probabilities are the same when they differ by less than a millionth within each fold: a collapsed training answers
    the class shares of its own rows. What follows from the finding is left to it: poor-threshold stays silent, and
    miscalibrated and no-better-than-constant are notes. Of a run without a recipe it is not known which threshold is
    used, and probabilities that differ are a warning.

    ## Why it matters
    Such a model decides nothing, however good its accuracy looks. When the probabilities differ, the threshold is out
    of their reach and the ranking may be fine; when they are all the same, the training has collapsed.

    ## When to ignore it
    When only the ranking or the probabilities are used and the class is never answered.

    ## References
    - Provost, F. (2000). Machine learning from imbalanced data sets 101. AAAI Workshop on Learning from Imbalanced Data
      Sets.
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    """
    if not alike(predictions) or len(np.unique(predictions.truth)) < 2:
        return
    widest = spread(predictions)
    constant = widest < min_spread
    answer = int(predictions.decision[0])
    label = predictions.classes[answer]
    missed = int((predictions.truth != answer).sum())
    area = scores.roc_auc(predictions.truth, predictions.probability)
    yield Finding(
        f"all {len(predictions.truth)} rows are answered {label!r}, {missed} of them are not"
        + (
            f", and every row has the same probability ({predictions.probability[:, answer].mean():.3g})"
            if constant
            else f", though their probabilities differ (ROC AUC {area:.2f})"
        ),
        Where("model"),
        {"answered": label, "wrong": missed, "spread": widest, "min_spread": min_spread, "roc_auc": area},
        tuple(_remedies(predictions, recipe, constant=constant)),
        severity=Severity.WARNING if recipe is None and not constant else None,
    )
