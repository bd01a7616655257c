"""The learning rate lies outside what its optimizer is used with."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Recipe, Severity, Where, example, rule

USUAL = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2}


def _rate(rate: float, kind: str = "adam") -> Recipe:
    return Recipe().edited({"optimizer.kind": kind, "optimizer.learning-rate": rate})


@rule(
    "BD302",
    severity=Severity.WARNING,
    flags=[
        example("Adam at 0.1", recipe=_rate(0.1), says="0.1 is above the 0.03 that adam is used with"),
        example("Adam at a millionth", recipe=_rate(1e-6), says="1e-06 is below the 1e-05 that adam is used with"),
        example("SGD at 10", recipe=_rate(10.0, "sgd"), says="10 is above the 1 that sgd is used with"),
    ],
    passes=[
        example("the default", recipe=Recipe()),
        example("Adam exactly at the limit", recipe=_rate(0.03)),
        example("SGD takes more", recipe=_rate(0.5, "sgd")),
        example("trees have no optimizer", recipe=_rate(0.1).edited({"model.kind": "gradient-boosting"})),
    ],
)
def learning_rate_extreme(
    recipe: Recipe,
    *,
    min_adaptive: float = 1e-5,
    max_adaptive: float = 0.03,
    min_sgd: float = 1e-4,
    max_sgd: float = 1.0,
) -> Iterator[Finding]:
    """The learning rate is outside of 0.00001 to 0.03 for Adam, AdamW and RMSprop, or of 0.0001 to 1 for SGD.

    ## Why it matters
    Adam and its kin move every weight by about the learning rate a step, whatever the gradient: at 0.1 each step
    rewrites weights that start between -0.3 and 0.3, and at a millionth a thousand steps move none by more than 0.001.
    SGD's steps shrink with the gradient, so that it takes rates a hundred times larger.

    ## When to ignore it
    When a schedule passes through such rates on purpose, or fine-tuning asks for tiny ones.

    ## References
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    - Kingma, D. P., & Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.
    """
    kind, rate = recipe.optimizer.kind, recipe.optimizer.learning_rate
    low, high = (min_sgd, max_sgd) if kind == "sgd" else (min_adaptive, max_adaptive)
    if not recipe.model.network or low <= rate <= high:
        return
    side, limit = ("above", high) if rate > high else ("below", low)
    yield Finding(
        f"the learning rate of {rate:g} is {side} the {limit:g} that {kind} is used with",
        Where("recipe"),
        {"learning_rate": rate, "low": low, "high": high},
        (Fix(f"Learning rate {USUAL[kind]:g}", {"optimizer.learning-rate": USUAL[kind]}),),
    )
