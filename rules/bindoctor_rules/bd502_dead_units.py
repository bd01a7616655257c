"""Units that are zero for every row."""

import math
from collections.abc import Iterator

from bindoctor import Finding, Fix, Inspection, LayerFacts, Recipe, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen, stuck_at_zero


def _layers(*dead: float, rows: int = 256) -> tuple[LayerFacts, ...]:
    return tuple(LayerFacts(f"layer {i}", "relu", 64, rows, dead=share) for i, share in enumerate(dead))


def _remedies(recipe: Recipe | None) -> tuple[Fix, ...]:
    if recipe is None:
        return advice("Leaky ReLU or ELU units", "A lower learning rate", "He initialisation, with biases of 0")
    return tuple(
        Fix(f"{name} units", {"model.activation": kind})
        for kind, name in (("leaky-relu", "Leaky ReLU"), ("elu", "ELU"))
        if recipe.model.activation == "relu"
    )


@rule(
    "BD502",
    severity=Severity.WARNING,
    explains=("BD503", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("most of a layer", model=seen(layers=_layers(0.1, 0.7)), says="70% of the 64 units of layer 1"),
        example("a whole layer", model=seen(layers=_layers(1.0)), recipe=Recipe(), says="nothing passes it"),
    ],
    passes=[
        example("a few", model=seen(layers=_layers(0.1, 0.3))),
        example("half of a few", model=seen(layers=(LayerFacts("0", "relu", 8, 256, dead=0.75),))),
        example("too few rows to say", model=seen(layers=_layers(0.9, rows=8))),
        example("no ReLU", model=seen(layers=(LayerFacts("0", "tanh", 64, 256, saturated=0.1),))),
    ],
)
def dead_units(
    model: Inspection, recipe: Recipe | None = None, *, min_dead: float = 0.5, min_rows: int = 32, min_units: int = 4
) -> Iterator[Finding]:
    """Most of a layer's ReLU units are zero on every row looked at; an error when the whole layer is.

    More than half of them must be, beyond what chance does to so few: by one over the square root of their number, so
    that of 64 units 40 count, and of 8 units 7. As PyTorch initialises them, 41% to 47% of the sixth layer of 64 units
    are zero on each of 256 standardised rows, and 50% to 60% of the tenth or twentieth layer of wider ones; half of
    the channels of a first convolution, when all pixels are positive.

    ## Why it matters
    A unit that is zero everywhere passes no gradient back, so that its weights stay as they are for good. Some are
    normal; when most of a layer is dead, what is left is a much smaller network, and of a dead layer only the bias
    behind it: one answer for every row.

    ## When to ignore it
    When the layer is far wider than it needs to be, or an L1 penalty is meant to empty it.

    ## References
    - Maas, A. L., Hannun, A. Y., & Ng, A. Y. (2013). Rectifier nonlinearities improve neural network acoustic models.
      ICML workshop.
    - Lu, L., Shin, Y., Su, Y., & Karniadakis, G. E. (2020). Dying ReLU and initialization: theory and numerical
      examples. Communications in Computational Physics 28.
    """
    dead = [
        (layer.dead, layer)
        for layer in model.layers
        if layer.dead is not None
        and layer.dead > min_dead + 1 / math.sqrt(max(1, layer.units))
        and layer.rows >= min_rows
        and layer.units >= min_units
    ]
    if not dead or stuck_at_zero(model):
        return
    share, layer = max(dead, key=lambda one: one[0])
    others = f" (and {len(dead) - 1} other layers are like it)" if len(dead) > 1 else ""
    whole = share >= 0.99
    when = f"after {model.training.steps} steps" if model.training is not None else "before training"
    yield Finding(
        f"{share:.0%} of the {layer.units} units of {layer.name} ({layer.kind}) are zero on each of {layer.rows} rows "
        f"{when}{others}" + (": nothing passes it" if whole else ""),
        Where("model"),
        {
            "dead": share,
            "min_dead": min_dead,
            "rows": layer.rows,
            "min_rows": min_rows,
            "units": layer.units,
            "min_units": min_units,
            "layers": len(dead),
        },
        _remedies(recipe),
        severity=Severity.ERROR if whole else None,
    )
