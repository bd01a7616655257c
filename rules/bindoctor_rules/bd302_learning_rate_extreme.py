"""The learning rate lies outside what its optimizer is used with."""

from collections.abc import Iterator

from bindoctor import (
    Confidence,
    Finding,
    Fix,
    Inspection,
    OptimizerFacts,
    Recipe,
    Severity,
    StepFacts,
    Where,
    example,
    rule,
)
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen

USUAL = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2}


def _rate(rate: float, kind: str = "adam") -> Recipe:
    return Recipe().edited({"optimizer.kind": kind, "optimizer.learning-rate": rate})


def _live(rate: float, kind: str = "Adam", ratio: float | None = None) -> Inspection:
    steps = None if ratio is None else StepFacts(100, 100, update_ratio=ratio)
    return seen(optimizer=OptimizerFacts(kind, rate), training=steps)


@rule(
    "BD302",
    severity=Severity.WARNING,
    explains=("BD502", "BD504", "BD505", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("Adam at 0.1", recipe=_rate(0.1), says="0.1 is above the 0.03 that adam is used with"),
        example("Adam at a millionth", recipe=_rate(1e-6), says="1e-06 is below the 1e-05 that adam is used with"),
        example("SGD at 10", recipe=_rate(10.0, "sgd"), says="10 is above the 1 that sgd is used with"),
        example("a live AdamW at 1", model=_live(1.0, "AdamW"), says="1 is above the 0.03 that AdamW is used with"),
        example("and what its steps do", model=_live(1.0, ratio=0.9), says="each step changes weights by 90%"),
    ],
    passes=[
        example("the default", recipe=Recipe()),
        example("Adam exactly at the limit", recipe=_rate(0.03)),
        example("SGD takes more", recipe=_rate(0.5, "sgd")),
        example("a live one as usual", model=_live(1e-3)),
        example("a high one whose steps are small all the same", model=_live(5.0, "SGD", ratio=0.001)),
        example("an optimizer of another kind", model=_live(1.0, "LBFGS")),
        example("trees have no optimizer", recipe=_rate(0.1).edited({"model.kind": "gradient-boosting"})),
    ],
)
def learning_rate_extreme(
    recipe: Recipe | None = None,
    model: Inspection | None = None,
    *,
    min_adaptive: float = 1e-5,
    max_adaptive: float = 0.03,
    min_sgd: float = 1e-4,
    max_sgd: float = 1.0,
    max_update: float = 0.1,
    min_update: float = 1e-5,
) -> Iterator[Finding]:
    """The learning rate is outside of 0.00001 to 0.03 for Adam, AdamW and RMSprop, or of 0.0001 to 1 for SGD.

    Of a live optimizer the highest rate that it has had counts, or that its schedule starts from. Once steps were made
    they must agree: by the median, each changes a weight matrix by more than a tenth of its norm, or by less than a
    hundred thousandth.

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
    limits = {"sgd": (min_sgd, max_sgd)} | dict.fromkeys(("adam", "adamw", "rmsprop"), (min_adaptive, max_adaptive))
    if recipe is not None:
        kind, rate = recipe.optimizer.kind, recipe.optimizer.learning_rate
        low, high = limits[kind]
        if recipe.model.network and not low <= rate <= high:
            yield Finding(
                _sentence(rate, kind, low, high),
                Where("recipe"),
                {"learning_rate": rate, "low": low, "high": high},
                (Fix(f"Learning rate {USUAL[kind]:g}", {"optimizer.learning-rate": USUAL[kind]}),),
            )
    optimizer = None if model is None else model.optimizer
    if recipe is not None or model is None or optimizer is None or optimizer.name.lower() not in limits:
        return
    low, high = limits[optimizer.name.lower()]
    ratio = None if model.training is None else model.training.update_ratio
    too_high = optimizer.learning_rate > high and (ratio is None or ratio > max_update)
    too_low = 0 < optimizer.learning_rate < low and (ratio is None or ratio < min_update)
    if too_high or too_low:
        seen_so = "" if ratio is None else f": each step changes weights by {ratio:.2g} of their norm"
        if ratio is not None and ratio > 0.01:
            seen_so = f": each step changes weights by {ratio:.0%} of their norm"
        yield Finding(
            _sentence(optimizer.learning_rate, optimizer.name, low, high) + seen_so,
            Where("model"),
            {
                "learning_rate": optimizer.learning_rate,
                "low": low,
                "high": high,
                "update_ratio": ratio,
                "max_update": max_update,
                "min_update": min_update,
            },
            advice(f"A learning rate of {USUAL[optimizer.name.lower()]:g}"),
            Confidence.MEDIUM if ratio is None else Confidence.HIGH,
        )


def _sentence(rate: float, kind: str, low: float, high: float) -> str:
    side, limit = ("above", high) if rate > high else ("below", low)
    return f"the learning rate of {rate:g} is {side} the {limit:g} that {kind} is used with"
