"""Sigmoid or tanh units that sit at their bounds."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Inspection, LayerFacts, Recipe, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen


def _layer(saturated: float, kind: str = "tanh") -> tuple[LayerFacts, ...]:
    return (LayerFacts("1", kind, 64, 256, saturated=saturated),)


def _remedies(recipe: Recipe | None) -> tuple[Fix, ...]:
    if recipe is None:
        return advice("Standardise what goes into the layer", "ReLU units", "Smaller initial weights (Glorot)")
    return (Fix("ReLU units", {"model.activation": "relu"}),) if recipe.model.activation in ("sigmoid", "tanh") else ()


@rule(
    "BD505",
    severity=Severity.WARNING,
    explains=("BD503", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("tanh units at ±1", model=seen(layers=_layer(0.9)), says="90% of the answers of 1 (tanh)"),
        example(
            "sigmoid units at 0 and 1",
            model=seen(layers=_layer(0.7, "sigmoid")),
            recipe=Recipe().edited({"model.activation": "sigmoid"}),
            says="70% of the answers of 1 (sigmoid)",
        ),
    ],
    passes=[
        example("a fifth", model=seen(layers=_layer(0.2))),
        example("ReLU units have no bound", model=seen(layers=(LayerFacts("1", "relu", 64, 256, dead=0.1),))),
    ],
)
def saturated_activation(
    model: Inspection, recipe: Recipe | None = None, *, min_saturated: float = 0.5, min_rows: int = 16
) -> Iterator[Finding]:
    """More than half of what a sigmoid or tanh layer answers lies within a hundredth of its bounds.

    The activation that makes the model's outputs is left out: there, sure answers are what is wanted.

    ## Why it matters
    The slope is nearly nothing there, so that no gradient comes through and the layers before it do not learn. Inputs
    out of scale and large initial weights are the usual causes.

    ## When to ignore it
    When the layer is a gate that is meant to be open or shut.

    ## References
    - LeCun, Y., Bottou, L., Orr, G., & Müller, K.-R. (1998). Efficient BackProp. In Neural Networks: Tricks of the
      Trade.
    - Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural networks.
      AISTATS.
    """
    full = [
        (layer.saturated, layer)
        for layer in model.layers
        if layer.saturated is not None and layer.saturated > min_saturated and layer.rows >= min_rows
    ]
    if not full:
        return
    share, layer = max(full, key=lambda one: one[0])
    when = f"after {model.training.steps} steps" if model.training is not None else "before training"
    yield Finding(
        f"{share:.0%} of the answers of {layer.name} ({layer.kind}) lie at its bounds {when}",
        Where("model"),
        {
            "saturated": share,
            "min_saturated": min_saturated,
            "rows": layer.rows,
            "min_rows": min_rows,
            "layers": len(full),
        },
        _remedies(recipe),
    )
