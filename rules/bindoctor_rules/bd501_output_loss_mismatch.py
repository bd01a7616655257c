"""The model's outputs are not what its loss takes."""

from collections.abc import Iterator

from bindoctor import Aim, Confidence, Finding, Fix, Inspection, OutputFacts, Recipe, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen, unconfirmed

SQUASHED = OutputFacts((64, 1), 0.1, 0.9, bounded=True, last="sigmoid")
CHANCES = OutputFacts((64, 3), 0.1, 0.9, rows_sum_to_one=True, last="softmax")
RAW = OutputFacts((64, 3), -1.2, 2.3)
CLASSES = {"loss": "CrossEntropyLoss", "takes": "class-logits"}


def _binary(model: Inspection) -> tuple[str, tuple[str, ...]]:
    outputs, takes = model.outputs, model.takes
    kept = outputs.last == "sigmoid" or (outputs.bounded and any(one.gradient for one in model.parameters))
    if takes == "logits" and kept and outputs.low >= 0 and outputs.high <= 1:
        made = "a sigmoid keeps" if outputs.last == "sigmoid" else "the model keeps"
        return (
            f"{made} the outputs between 0 and 1 ({outputs.low:.2g} to {outputs.high:.2g} here), and {model.loss} "
            "applies a sigmoid of its own",
            ("Remove the model's sigmoid, and apply one only to read probabilities", "Or use BCELoss"),
        )
    if takes == "logits" and outputs.rows_sum_to_one:
        return (
            f"each row's outputs sum to 1, as a softmax makes them, and {model.loss} applies a sigmoid to each",
            ("Remove the model's softmax",),
        )
    if takes == "probabilities" and (outputs.low < 0 or outputs.high > 1) and not unconfirmed(model):
        return (
            f"{model.loss} takes probabilities, and the outputs reach from {outputs.low:.3g} to {outputs.high:.3g}",
            ("Use BCEWithLogitsLoss on the outputs as they are", "Or end the model with a sigmoid"),
        )
    return "", ()


def _of_classes(model: Inspection) -> tuple[str, tuple[str, ...]]:
    outputs, takes = model.outputs, model.takes
    if takes == "class-logits" and len(outputs.shape) > 1 and outputs.shape[1] == 1:
        return (
            f"the model has one output, and {model.loss} wants one for each class: over a single one it is always 0",
            ("Use BCEWithLogitsLoss with the one output", "Or give the model an output for each class"),
        )
    if takes == "class-logits" and outputs.rows_sum_to_one:
        return (
            f"each row's outputs sum to 1, as a softmax makes them, and {model.loss} applies a softmax of its own",
            ("Remove the model's softmax, and apply one only to read probabilities",),
        )
    if takes == "class-logits" and outputs.last == "sigmoid":
        return (
            f"a sigmoid keeps the outputs between 0 and 1, and {model.loss} takes logits of any size",
            ("Remove the model's sigmoid",),
        )
    if takes == "class-log-probabilities" and not outputs.log_normalised and not unconfirmed(model):
        what = "probabilities" if outputs.rows_sum_to_one else "raw scores"
        return (
            f"{model.loss} takes logarithms of probabilities, and the outputs are {what}",
            ("Use CrossEntropyLoss on the outputs before any softmax", "Or end the model with a log-softmax"),
        )
    return "", ()


def _of_any(model: Inspection) -> tuple[str, tuple[str, ...]]:
    outputs = model.outputs
    single = len(outputs.shape) < 2 or outputs.shape[1] == 1
    if outputs.last == "softmax" and single and outputs.low == outputs.high == 1:
        return (
            "a softmax over a single output answers 1 for every row, whatever the weights",
            ("Remove the softmax, and use BCEWithLogitsLoss",),
        )
    if outputs.last == "softmax" and outputs.columns_sum_to_one and not outputs.rows_sum_to_one:
        return (
            "the softmax runs over the rows of a batch: an answer hangs on which other rows are beside it",
            ("Take the softmax over the outputs (dim=1), or leave it to the loss",),
        )
    if outputs.last == "log-softmax" and single and outputs.low == outputs.high == 0:
        return (
            "a log-softmax over a single output answers 0 for every row, whatever the weights",
            ("Remove the log-softmax, and use BCEWithLogitsLoss",),
        )
    if outputs.last == "relu" and outputs.low >= 0:
        return (
            f"a ReLU makes the outputs, so that none is below 0, and {model.loss} needs both signs or a probability",
            ("Remove the ReLU after the last layer",),
        )
    return "", ()


def _stripped(model: Inspection, recipe: Recipe | None) -> tuple[Fix, ...]:
    """Return the edit of a network that a recipe trains, where there is something at its end to leave out."""
    if recipe is None or recipe.model.kind != "factory" or recipe.model.strip_output or not model.outputs.module:
        return ()
    title = f"Leave out the {model.outputs.module} at the end of the network"
    return (Fix(title, {"model.strip-output": True}, Aim.CORRECT),)


@rule(
    "BD501",
    severity=Severity.ERROR,
    explains=("BD502", "BD503", "BD505", "BD507", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example("a sigmoid before a logits loss", model=seen(outputs=SQUASHED), says="a sigmoid of its own"),
        example("a softmax before cross-entropy", model=seen(**CLASSES, outputs=CHANCES), says="a softmax of its own"),
        example(
            "a sigmoid that the recipe can leave out",
            model=seen(outputs=OutputFacts((64, 1), 0.1, 0.9, bounded=True, last="sigmoid", module="Sigmoid")),
            recipe=Recipe().edited({"model.factory": "train:make_model"}),
            says="a sigmoid of its own",
        ),
        example(
            "a softmax over one output",
            model=seen(outputs=OutputFacts((64, 1), 1.0, 1.0, bounded=True, last="softmax")),
            says="answers 1 for every row",
        ),
        example(
            "a ReLU as output", model=seen(outputs=OutputFacts((64, 1), 0.0, 0.6, last="relu")), says="none is below 0"
        ),
        example(
            "raw scores as probabilities",
            model=seen(loss="BCELoss", takes="probabilities", outputs=OutputFacts((64, 1), -0.7, 1.4)),
            says="reach from -0.7 to 1.4",
        ),
        example(
            "raw scores as logarithms of probabilities",
            model=seen(loss="NLLLoss", takes="class-log-probabilities", outputs=RAW),
            says="the outputs are raw scores",
        ),
        example(
            "cross-entropy over one output",
            model=seen(**CLASSES, outputs=OutputFacts((64, 1), -0.4, 0.3)),
            says="wants one for each class",
        ),
    ],
    passes=[
        example("logits for a logits loss", model=seen()),
        example("logits that happen to lie between 0 and 1", model=seen(outputs=OutputFacts((64, 1), 0.2, 0.7))),
        example("a sigmoid before BCELoss", model=seen(loss="BCELoss", takes="probabilities", outputs=SQUASHED)),
        example("logits for cross-entropy", model=seen(**CLASSES, outputs=RAW)),
        example(
            "log-softmax before NLLLoss",
            model=seen(
                loss="NLLLoss",
                takes="class-log-probabilities",
                outputs=OutputFacts((64, 3), -2.0, -0.5, log_normalised=True, last="log-softmax"),
            ),
        ),
        example("a loss of unknown kind", model=seen(loss="Dice", takes="unknown", outputs=SQUASHED)),
    ],
)
def output_loss_mismatch(model: Inspection, recipe: Recipe | None = None) -> Iterator[Finding]:
    """The outputs are squashed before a loss that squashes them, or are no probabilities where it wants some.

    What a loss takes is found out by calling it, so that a user's own counts too; what the outputs are, by the last
    operation in the graph, or by whether they stay within 0 and 1 when all weights are made a hundred times larger. A
    log-softmax before a softmax changes nothing and is passed over.

    ## Why it matters
    A logits loss over outputs between 0 and 1 cannot fall below 0.31 for one class and 0.69 for the other, however
    right the model is: it trains slowly, its probabilities are all near a half, and an accuracy at 0.5 hides it. A
    softmax over a single output is constant, and nothing is learnt at all.

    ## When to ignore it
    Never: the pair is wrong on every batch.

    ## References
    - PyTorch documentation: BCEWithLogitsLoss, CrossEntropyLoss and NLLLoss, what input they expect.
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 6.2.2. MIT Press.
    """
    if not model.outputs.finite or not model.outputs.shape:
        return
    for look in (_of_any, _binary, _of_classes):
        message, remedies = look(model)
        if message:
            yield Finding(
                message,
                Where("model"),
                {
                    "low": model.outputs.low,
                    "high": model.outputs.high,
                    "last": model.outputs.last,
                    "takes": model.takes,
                },
                _stripped(model, recipe) or advice(*remedies),
                Confidence.MEDIUM if unconfirmed(model) else Confidence.HIGH,
            )
            return
