"""Stochastic gradient descent runs without momentum and without a schedule."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Recipe, Severity, Where, example, rule

PLAIN = Recipe().edited({"optimizer.kind": "sgd", "optimizer.learning-rate": 0.01})


@rule(
    "BD310",
    severity=Severity.NOTE,
    flags=[
        example("SGD as it comes", recipe=PLAIN, says="SGD at learning rate 0.01 has neither momentum nor a schedule")
    ],
    passes=[
        example("with momentum", recipe=PLAIN.edited({"optimizer.momentum": 0.9})),
        example("with a schedule", recipe=PLAIN.edited({"optimizer.schedule": "cosine"})),
        example("Adam", recipe=Recipe()),
        example("trees have no optimizer", recipe=PLAIN.edited({"model.kind": "gradient-boosting"})),
    ],
)
def plain_sgd(recipe: Recipe) -> Iterator[Finding]:
    """SGD with a constant learning rate and no momentum is the slowest way to train a small network.

    ## Why it matters
    Plain gradient steps crawl along shallow directions and bounce across steep ones. Momentum averages the bouncing
    out; Adam and RMSprop give every weight its own step. At the same number of epochs either gets further.

    ## When to ignore it
    When the recipe repeats a published setup, or the run has been seen to converge.

    ## References
    - Sutskever, I., Martens, J., Dahl, G., & Hinton, G. (2013). On the importance of initialization and momentum in
      deep learning. ICML.
    - Kingma, D. P., & Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.
    """
    optimizer = recipe.optimizer
    plain = optimizer.kind == "sgd" and not optimizer.momentum and optimizer.schedule == "constant"
    if not plain or not recipe.model.network:
        return
    yield Finding(
        f"SGD at learning rate {optimizer.learning_rate:g} has neither momentum nor a schedule",
        Where("recipe"),
        {"momentum": optimizer.momentum, "schedule": optimizer.schedule, "learning_rate": optimizer.learning_rate},
        (
            Fix("Momentum 0.9", {"optimizer.momentum": 0.9}),
            Fix("Adam at 0.001", {"optimizer.kind": "adam", "optimizer.learning-rate": 0.001}),
            Fix("RMSprop at 0.001", {"optimizer.kind": "rmsprop", "optimizer.learning-rate": 0.001}),
        ),
    )
