"""The labels have a shape, a type or values that the loss does not take."""

from collections.abc import Iterator

from bindoctor import Confidence, Finding, Inspection, OutputFacts, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, labelled, seen, unconfirmed

IGNORED = -100.0
"""The label that PyTorch's cross-entropy leaves out unless told otherwise."""
ONE_SHAPE = "Give both one shape: labels.unsqueeze(1), or outputs.squeeze(1)"
THREE = {"loss": "CrossEntropyLoss", "takes": "class-logits", "outputs": OutputFacts((64, 3), -0.4, 0.3)}


def _shape(model: Inspection) -> tuple[str, tuple[str, ...]]:
    labels, outputs = model.labels, model.outputs
    pair = f"labels of shape {labels.shape} against outputs of shape {outputs.shape}"
    if labels.broadcast:
        return (
            f"{pair}: {model.loss} spreads them over each other and compares every label with every output",
            (ONE_SHAPE,),
        )
    if not model.loss_error:
        return "", ()
    if model.takes in ("logits", "probabilities") and labels.shape != outputs.shape:
        return f"{pair}, which {model.loss} refuses", (
            "Give both one shape: labels.unsqueeze(1), or outputs.squeeze(1)",
        )
    if model.takes.startswith("class") and labels.shape[1:] == (1,):
        return f"labels of shape {labels.shape}, and {model.loss} takes one class number a row", ("labels.squeeze(1)",)
    return "", ()


def _type(model: Inspection) -> tuple[str, tuple[str, ...]]:
    labels = model.labels
    whole = labels.dtype.startswith(("int", "uint", "bool"))
    if not model.loss_error:
        return "", ()
    if model.takes in ("logits", "probabilities") and whole:
        return f"labels are {labels.dtype}, and {model.loss} takes floating point", ("labels.float()",)
    if model.takes.startswith("class") and not whole and len(labels.shape) == 1:
        return f"labels are {labels.dtype}, and {model.loss} takes whole class numbers", ("labels.long()",)
    return "", ()


def _values(model: Inspection) -> tuple[str, tuple[str, ...]]:
    values = model.labels.values
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", …" if len(values) > 6 else "")
    if model.takes in ("logits", "probabilities") and (min(values) < 0 or max(values) > 1):
        what = "there is no lowest loss outside of 0 to 1" if min(values) < 0 or model.loss_error == "" else "refused"
        return f"labels are {shown}, and {model.loss} takes 0 and 1: {what}", ("Map the labels to 0 and 1",)
    if model.takes.startswith("class") and len(model.outputs.shape) > 1 and model.labels.shape != model.outputs.shape:
        classes = model.outputs.shape[1]
        known = [value for value in values if value != IGNORED]
        if known and (min(known) < 0 or max(known) >= classes):
            return (
                f"labels are {shown}, and with {classes} outputs {model.loss} takes 0 to {classes - 1}",
                ("Number the classes from 0 on", "Or give the model an output for each class"),
            )
    return "", ()


@rule(
    "BD507",
    severity=Severity.ERROR,
    explains=("BD503", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example(
            "(n,) against (n, 1)",
            model=seen(labels=labelled((64,), 0, 1, broadcast=True), loss="my_loss"),
            says="every label with every output",
        ),
        example("labels -1 and 1", model=seen(labels=labelled((64, 1), -1, 1)), says="labels are -1, 1"),
        example("labels 1 and 2", model=seen(labels=labelled((64, 1), 1, 2)), says="takes 0 and 1"),
        example(
            "integers for a binary loss",
            model=seen(labels=labelled((64, 1), 0, 1, dtype="int64"), loss_error="RuntimeError: Found dtype Long"),
            says="takes floating point",
        ),
        example(
            "floats for class numbers",
            model=seen(**THREE, labels=labelled((64,), 0, 1, 2), loss_error="RuntimeError: expected Long"),
            says="takes whole class numbers",
        ),
        example(
            "classes from 1 on",
            model=seen(**THREE, labels=labelled((64,), 1, 2, 3, dtype="int64"), loss_error="IndexError: Target 3"),
            says="takes 0 to 2",
        ),
    ],
    passes=[
        example("0 and 1 of one shape", model=seen()),
        example("a single class in the batch", model=seen(labels=labelled((64, 1), 0))),
        example("smoothed labels", model=seen(labels=labelled((64, 1), 0.05, 0.95))),
        example("class numbers", model=seen(**THREE, labels=labelled((64,), 0, 1, 2, dtype="int64"))),
        example("class numbers, some left out", model=seen(**THREE, labels=labelled((64,), -100, 0, 2, dtype="int64"))),
        example("class probabilities", model=seen(**THREE, labels=labelled((64, 3), 0, 1))),
        example("a hinge loss takes -1 and 1", model=seen(takes="unknown", labels=labelled((64, 1), -1, 1))),
    ],
)
def label_shape(model: Inspection) -> Iterator[Finding]:
    """Labels are spread against the outputs, lie outside of what the loss takes, or are of a type that it refuses.

    That labels are spread is seen by the loss itself: it changes when they are given the outputs' shape. The loss is
    called on the CPU, where a class number out of range is an error and not the end of a GPU's use. After a training
    whose loss was not watched, labels that only the loader gave are a warning, as the loop may have mapped them.

    ## Why it matters
    Labels of -1 and 1 pull a binary cross-entropy below zero without end. Spread labels make every row's target the
    mean of all labels, so that the model learns the class shares and nothing else, and no error says so.

    ## When to ignore it
    When the loop maps the labels before it calls the loss.

    ## References
    - PyTorch documentation: broadcasting semantics; CrossEntropyLoss and BCEWithLogitsLoss, shape and target.
    """
    if not model.labels.values or not model.outputs.shape:
        return
    looks = (_shape, _values) if unconfirmed(model) else (_shape, _values, _type)
    for look in looks:
        message, remedies = look(model)
        if message:
            break
    else:
        if not model.loss_error or unconfirmed(model):
            return
        message, remedies = f"{model.loss} refuses the batch: {model.loss_error}", ()
    yield Finding(
        message,
        Where("model"),
        {
            "labels": model.labels.values,
            "label_shape": model.labels.shape,
            "dtype": model.labels.dtype,
            "output_shape": model.outputs.shape,
        },
        advice(*remedies),
        Confidence.LOW if unconfirmed(model) else Confidence.HIGH,
        Severity.WARNING if unconfirmed(model) else None,
    )
