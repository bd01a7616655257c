"""The gradient grows out of scale during training."""

from collections.abc import Iterator, Sequence

import numpy as np

from bindoctor import Finding, Fix, Inspection, Recipe, Severity, StepFacts, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen


def _normed(norms: Sequence[float]) -> StepFacts:
    return StepFacts(len(norms), len(norms), tuple(range(len(norms))), tuple(norms))


def _remedies(recipe: Recipe | None) -> Iterator[Fix]:
    if recipe is None:
        yield from advice("Clip the gradients' norm, at 1 say", "A lower learning rate", "Normalisation layers")
        return
    if not recipe.optimizer.clip_norm:
        yield Fix("Clip gradients at norm 1", {"optimizer.clip-norm": 1.0})
    if recipe.optimizer.learning_rate > 1e-4:
        lower = float(f"{recipe.optimizer.learning_rate / 10:g}")
        yield Fix(f"Learning rate {lower:g}", {"optimizer.learning-rate": lower})


@rule(
    "BD504",
    severity=Severity.WARNING,
    explains=("BD502", "BD505", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("it grows", model=seen(training=_normed([1.5**i for i in range(30)])), says="grows from"),
        example(
            "it is no number any more",
            model=seen(training=_normed([1.0] * 12 + [float("nan")])),
            recipe=Recipe(),
            says="not finite from step 12 on",
        ),
    ],
    passes=[
        example("it falls", model=seen(training=_normed([1.0 * 0.9**i for i in range(30)]))),
        example("a spike after it has fallen", model=seen(training=_normed([1.0] * 5 + [0.001] * 20 + [0.5]))),
        example("now and then a hard row", model=seen(training=_normed([0.01, 0.01, 0.02, 3.0] * 10))),
        example("too few steps to say", model=seen(training=_normed([1.0, 1000.0]))),
        example("not trained yet", model=seen()),
    ],
)
def exploding_gradient(
    model: Inspection,
    recipe: Recipe | None = None,
    *,
    min_ratio: float = 100.0,
    min_lasting: float = 10.0,
    min_looks: int = 10,
) -> Iterator[Finding]:
    """The gradient norm's highest value in the last quarter of the looks is a hundred times its level at the start.

    The level is the higher of the medians over the first quarter and over all looks: a gradient that has fallen a
    thousandfold may jump on one hard batch without harm. So may that of small batches at any time, which is why the
    median of the last quarter has to be ten times the level as well. An error when it is not finite.

    ## Why it matters
    A step along such a gradient undoes what was learnt, and the next gradient is larger still; it ends in infinite
    losses, or in units that are saturated or dead for good.

    ## When to ignore it
    When the optimizer normalises the step (Adam does, in part) and the loss falls all the same.

    ## References
    - Pascanu, R., Mikolov, T., & Bengio, Y. (2013). On the difficulty of training recurrent neural networks. ICML.
    """
    training = model.training
    if training is None or not training.gradient_norms:
        return
    norms, steps = np.array(training.gradient_norms), training.gradient_steps
    finite = np.isfinite(norms)
    if not finite.all():
        at = steps[int(np.argmin(finite))]
        message, severity, ratio = f"the gradient is not finite from step {at} on", Severity.ERROR, float("inf")
        level = float(np.median(norms[finite])) if finite.any() else float("nan")
    else:
        quarter = max(1, len(norms) // 4)
        level = max(float(np.median(norms[:quarter])), float(np.median(norms)))
        highest = float(norms[-quarter:].max())
        ratio = highest / level if level > 0 else 0.0
        lasting = float(np.median(norms[-quarter:])) >= min_lasting * level
        if len(norms) < min_looks or ratio < min_ratio or not lasting:
            return
        message = f"the norm of the gradient grows from {level:.3g} to {highest:.3g} in {training.steps} steps"
        severity = Severity.WARNING
    yield Finding(
        message,
        Where("model"),
        {
            "level": level,
            "ratio": ratio,
            "min_ratio": min_ratio,
            "min_lasting": min_lasting,
            "looks": len(norms),
            "min_looks": min_looks,
        },
        tuple(_remedies(recipe)),
        severity=severity,
    )
