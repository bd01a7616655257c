"""A simple model answers the same rows better."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bindoctor import Finding, Fix, Predictions, Recipe, Severity, SimpleModel, Where, example, rule, scores
from bindoctor_rules._answers import answered, once

NAMES = {"logistic": "logistic regression", "gradient-boosting": "gradient boosting"}
FAINT = answered([(0.45, 200, 60), (0.55, 200, 140)])
SHARP = answered([(0.3, 200, 60), (0.7, 200, 140)])
SHARPER = answered([(0.31, 200, 60), (0.69, 200, 140)])
TREES = {"model.kind": "gradient-boosting"}
LINEAR = {"model.kind": "logistic"}


class _Better(NamedTuple):
    """A simple model's lead in log loss, in nats a row, and its standard error."""

    model: SimpleModel
    mine: float
    theirs: float
    error: float

    @property
    def lead(self) -> float:
        return self.mine - self.theirs


def _losses(predictions: Predictions) -> dict[int, float]:
    losses = scores.log_losses(predictions.truth, predictions.probability)
    return dict(zip(predictions.row_ids.tolist(), losses.tolist(), strict=True))


def _compared(seen: Predictions, model: SimpleModel, min_rows: int) -> _Better | None:
    """Hold both against each other on the rows that both have answered, unless these are too few."""
    mine, theirs = _losses(seen), _losses(once(model.predictions))
    shared = sorted(mine.keys() & theirs.keys())
    if len(shared) < max(min_rows, 2):
        return None
    pairs = np.array([(mine[row], theirs[row]) for row in shared])
    error = float((pairs[:, 0] - pairs[:, 1]).std(ddof=1)) / math.sqrt(len(shared))
    return _Better(model, float(pairs[:, 0].mean()), float(pairs[:, 1].mean()), error)


@rule(
    "BD605",
    severity=Severity.WARNING,
    flags=[
        example(
            "gradient boosting is sharper",
            recipe=Recipe(),
            predictions=FAINT,
            simple_models=(SimpleModel("gradient-boosting", TREES, SHARP),),
            says="gradient boosting has a log loss of 0.611 on the same folds, the mlp 0.658",
        ),
        example(
            "so is logistic regression",
            recipe=Recipe(),
            predictions=FAINT,
            simple_models=(SimpleModel("logistic", LINEAR, SHARPER), SimpleModel("gradient-boosting", TREES, SHARP)),
            says="gradient boosting has a log loss of 0.611 and logistic regression one of 0.61",
        ),
    ],
    passes=[
        example(
            "as good as both",
            recipe=Recipe(),
            predictions=SHARP,
            simple_models=(SimpleModel("logistic", LINEAR, SHARPER), SimpleModel("gradient-boosting", TREES, FAINT)),
        ),
        example(
            "it is that model",
            recipe=Recipe().edited(TREES),
            predictions=FAINT,
            simple_models=(SimpleModel("gradient-boosting", TREES, SHARP),),
        ),
        example(
            "too few rows to say",
            recipe=Recipe(),
            predictions=answered([(0.45, 10, 3), (0.55, 10, 7)]),
            simple_models=(SimpleModel("gradient-boosting", TREES, answered([(0.2, 10, 3), (0.8, 10, 7)])),),
        ),
        example("no simple model could be trained", recipe=Recipe(), predictions=FAINT, simple_models=()),
    ],
)
def beaten_by_simple_model(
    predictions: Predictions,
    simple_models: tuple[SimpleModel, ...],
    recipe: Recipe,
    *,
    min_rows: int = 50,
    min_gain: float = 0.005,
    min_z: float = 2.576,
) -> Iterator[Finding]:
    """Logistic regression or gradient boosting has a lower log loss on the same folds, beyond noise.

    Both are trained as the recipe would train them, on the run's own folds (of more than 5 000 rows on a sample of as
    many, which can only make them worse), and held against the run row by row: the mean difference of the log losses
    must be 0.005 nats, and 2.576 standard errors above zero. Another estimator is a decision of its own, so `fix` tries
    it only with `--allow estimator`, on top of the network's own fixes.

    ## Why it matters
    On tables of some thousand rows trees are hard to beat, and a network that loses to a logistic regression has
    learned less than its inputs say without any layer: it is not finished, or not needed.

    ## When to ignore it
    When the network is what is being studied, or is part of a larger one.

    ## References
    - Grinsztajn, L., Oyallon, E., & Varoquaux, G. (2022). Why do tree-based models still outperform deep learning on
      typical tabular data? NeurIPS, Datasets and Benchmarks.
    - Christodoulou, E., et al. (2019). A systematic review shows no performance benefit of machine learning over
      logistic regression for clinical prediction models. Journal of Clinical Epidemiology 110.
    - Diebold, F. X., & Mariano, R. S. (1995). Comparing predictive accuracy. Journal of Business & Economic Statistics
      13(3).
    """
    seen = once(predictions)
    found = [_compared(seen, model, min_rows) for model in simple_models if model.kind != recipe.model.kind]
    better = [one for one in found if one and one.lead >= min_gain and one.lead > min_z * one.error]
    if not better:
        return
    better.sort(key=lambda one: one.theirs)
    said = " and ".join(
        f"{NAMES[one.model.kind]} {'one' if i else 'has a log loss'} of {one.theirs:.3f}"
        for i, one in enumerate(better)
    )
    best = better[0]
    mine = f"{recipe.model.kind} of your own" if recipe.model.own else recipe.model.kind
    yield Finding(
        f"{said} on the same folds, the {mine} {best.mine:.3f} (difference {best.lead:.3f} ± {min_z * best.error:.3f})",
        Where("model"),
        {
            "log_loss": best.mine,
            "simple_models": {one.model.kind: one.theirs for one in better},
            "lead": best.lead,
            "error": best.error,
            "min_rows": min_rows,
            "min_gain": min_gain,
            "min_z": min_z,
        },
        tuple(
            Fix(f"Train {NAMES[one.model.kind]} instead ('fix --allow estimator' tries it)", one.model.edits)
            for one in better
        ),
    )
