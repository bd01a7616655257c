"""Training runs to the last epoch, whatever happens on rows kept back."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Recipe, Severity, Where, example, rule
from bindoctor_rules._regularization import STOP_EARLY


@rule(
    "BD304",
    severity=Severity.WARNING,
    flags=[
        example("50 epochs, no early stopping", recipe=Recipe(), says="50 epochs without early stopping"),
        example(
            "stops, but keeps the last epoch",
            recipe=Recipe().edited({"train.patience": 10, "train.restore-best": False}),
            says="10 epochs after the best one",
        ),
    ],
    passes=[
        example("stops and restores", recipe=Recipe().edited({"train.patience": 10})),
        example("a short run", recipe=Recipe().edited({"train.epochs": 49})),
        example("trees have no epochs", recipe=Recipe().edited({"model.kind": "gradient-boosting"})),
    ],
)
def no_early_stopping(recipe: Recipe, *, min_epochs: int = 50) -> Iterator[Finding]:
    """A long training is not stopped by a validation part, or is stopped too late and not taken back.

    Missing early stopping is a note, as it does harm only once a run overfits (see train-val-gap). Stopping without
    restoring the best epoch is a warning: the model kept is, by construction, `patience` epochs past its best.

    ## Why it matters
    A network goes on fitting the training rows after it has stopped getting better on others. Early stopping bounds
    that for the price of a validation part, and saves the epochs.

    ## When to ignore it
    When regularisation or a learning-rate schedule that ends at zero keeps the run from overfitting, or rows are so few
    that none can be spared.

    ## References
    - Prechelt, L. (1998). Early stopping — but when? In Neural Networks: Tricks of the Trade, Springer.
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 7.8. MIT Press.
    """
    train = recipe.train
    if not recipe.model.network:
        return
    if train.patience and not train.restore_best:
        yield Finding(
            f"early stopping keeps the model of {train.patience} epochs after the best one",
            Where("recipe"),
            {"patience": train.patience},
            (Fix("Restore the best epoch", {"train.restore-best": True}),),
        )
    elif not train.patience and train.epochs >= min_epochs:
        yield Finding(
            f"{train.epochs} epochs without early stopping",
            Where("recipe"),
            {"epochs": train.epochs, "min_epochs": min_epochs},
            (STOP_EARLY,),
            severity=Severity.NOTE,
        )
