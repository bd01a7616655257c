"""The gradient does not reach the first layers."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bindoctor import Finding, Fix, Inspection, ParameterFacts, Recipe, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen, stuck_at_zero
from bindoctor_rules._wording import listed


def _weights(*gradients: float, constant: Sequence[float | None] = ()) -> tuple[ParameterFacts, ...]:
    values = [*constant, *[None] * (len(gradients) - len(constant))]
    return tuple(
        ParameterFacts(f"{i}.weight", (16, 16), True, True, gradient, values[i], weight=True)
        for i, gradient in enumerate(gradients)
    )


def _remedies(recipe: Recipe | None) -> tuple[Fix, ...]:
    if recipe is None:
        return advice(
            "ReLU units in place of sigmoid or tanh ones",
            "Batch or layer normalisation, or residual connections",
            "The usual random initialisation (He for ReLU, Glorot for tanh)",
        )
    return (Fix("ReLU units", {"model.activation": "relu"}),) if recipe.model.activation in ("sigmoid", "tanh") else ()


@rule(
    "BD503",
    severity=Severity.WARNING,
    explains=("BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("a deep sigmoid network", model=seen(parameters=_weights(1e-8, 1e-5, 1e-3)), says="0.00001 of"),
        example(
            "all weights start at zero",
            model=seen(parameters=_weights(0.0, 0.0, constant=[0.0, 0.0])),
            says="start at zero",
        ),
        example(
            "all units start alike",
            model=seen(parameters=_weights(0.1, 0.1, constant=[0.5, 0.5])),
            says="stay alike",
        ),
        example(
            "sigmoid units",
            model=seen(parameters=_weights(1e-9, 1e-3)),
            recipe=Recipe().edited({"model.activation": "sigmoid"}),
            says="0.weight",
        ),
    ],
    passes=[
        example("even gradients", model=seen(parameters=_weights(0.01, 0.01, 0.02))),
        example("a single layer may start at zero", model=seen(parameters=_weights(0.1, constant=[0.0]))),
        example("and so may the last", model=seen(parameters=_weights(0.0, 0.1, constant=[None, 0.0]))),
        example("no gradients known", model=seen(parameters=())),
    ],
)
def vanishing_gradient(
    model: Inspection, recipe: Recipe | None = None, *, min_ratio: float = 1e-4
) -> Iterator[Finding]:
    """A weight of the first layer has less than a ten thousandth of the gradient of one of the last layer.

    Compared are root mean squares over the weight matrices' elements, before training. An error when weights before
    the last layer all start at zero and get no gradient, or all start at one value: their units then stay alike. The
    last layer may start at zero; it gets its gradient all the same.

    ## Why it matters
    Each sigmoid multiplies the gradient by a quarter at most, each tanh by one; after several of them nothing is left
    for the first layers, and they stay as random as they were. Units that start alike get the same gradient, so that
    a layer of them is one unit.

    ## When to ignore it
    When the first layers are pretrained and hardly need to move.

    ## References
    - Hochreiter, S. (1991). Untersuchungen zu dynamischen neuronalen Netzen. TU München.
    - Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural networks.
      AISTATS.
    """
    known = [
        (one, one.gradient)
        for one in model.parameters
        if one.registered and one.trainable and len(one.shape) > 1 and one.gradient is not None
    ]
    if len(known) < 2:
        return
    hidden = [(one, gradient) for one, gradient in known[:-1] if one.weight]
    zero = stuck_at_zero(model)
    alike = [one.name for one, _ in hidden if one.constant is not None and one.constant != 0 and one.shape[0] > 1]
    (first, low), (last, high) = known[0], known[-1]
    ratio = low / high if high > 0 else math.nan
    measured = {"first": low, "last": high, "ratio": ratio, "min_ratio": min_ratio}
    if zero:
        message = f"the weights {listed(zero)} all start at zero, and no gradient reaches them: they stay there"
    elif alike:
        message = f"the weights {listed(alike)} all start at one value: the units of such a layer stay alike"
    elif last.constant == 0 or not (np.isfinite(low) and ratio < min_ratio):
        return
    else:
        share = f"{ratio:.1g}" if ratio < 1e-5 else f"{ratio:.5f}"
        message = f"{first.name} gets {share} of the gradient of {last.name}, by element ({low:.1g} and {high:.1g})"
    severity = Severity.ERROR if zero or alike else None
    yield Finding(message, Where("model"), measured, _remedies(recipe), severity=severity)
