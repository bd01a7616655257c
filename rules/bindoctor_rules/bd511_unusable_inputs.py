"""The inputs that reach the model are not finite, or far out of scale."""

import math
from collections.abc import Iterator

import numpy as np

from bindoctor import Finding, InputFacts, Inspection, Severity, StepFacts, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen


def _inputs(largest: float, rescaled: float | None = None, *, finite: bool = True) -> InputFacts:
    return InputFacts((64, 8), "float32", finite, largest, rescaled)


@rule(
    "BD511",
    severity=Severity.WARNING,
    explains=("BD302", "BD502", "BD503", "BD504", "BD505", "BD508", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example(
            "inputs of a million",
            model=seen(inputs=_inputs(1e6, 0.71), first_loss=90000.0),
            says="starts at a loss of 9e+04, and at 0.71 on the same rows standardised",
        ),
        example(
            "NaN in the inputs",
            model=seen(inputs=_inputs(1.0, finite=False), first_loss=math.nan),
            says="NaN or infinity",
        ),
    ],
    passes=[
        example(
            "the loop fills NaN in",
            model=seen(inputs=_inputs(1.0, finite=False), training=StepFacts(9, 9, (0,), (1.0,))),
        ),
        example("standardised", model=seen(inputs=_inputs(1.1))),
        example("the model normalises", model=seen(inputs=_inputs(255.0, 0.7), first_loss=0.72)),
        example("standardising helps nothing", model=seen(inputs=_inputs(50.0, 5.0), first_loss=5.5)),
    ],
)
def unusable_inputs(model: Inspection, *, min_ratio: float = 2.0, min_loss: float = 1.4) -> Iterator[Finding]:
    """The inputs hold NaN or infinities, or the untrained model starts twice as low on the same rows standardised.

    That is tried on the batch itself, with a copy of the model: each feature (each channel, for images) is given mean 0
    and standard deviation 1. A model that normalises its inputs starts alike on both.

    ## Why it matters
    One NaN makes the loss, then every gradient and every weight NaN. Inputs of thousands make outputs of thousands: the
    first steps are spent on undoing that, and units saturate or die in them.

    ## When to ignore it
    When the loop scales the inputs later than where the model is called.

    ## References
    - LeCun, Y., Bottou, L., Orr, G., & Müller, K.-R. (1998). Efficient BackProp. In Neural Networks: Tricks of the
      Trade.
    """
    inputs = model.inputs
    if inputs is None:
        return
    training = model.training
    if not inputs.finite:
        if training is not None and training.first_not_finite is None and np.isfinite(training.gradient_norms).all():
            return
        yield Finding(
            "the inputs hold NaN or infinity, which the outputs, the loss and then all weights become",
            Where("model"),
            {"finite": False, "min_ratio": min_ratio, "min_loss": min_loss},
            advice("Impute or drop the missing values before the model"),
            severity=Severity.ERROR,
        )
        return
    if inputs.rescaled_loss is None or not model.first_loss >= max(min_loss, min_ratio * inputs.rescaled_loss):
        return
    yield Finding(
        f"inputs reach a root mean square of {inputs.largest:.3g}: the untrained model starts at a loss of "
        f"{model.first_loss:.3g}, and at {inputs.rescaled_loss:.3g} on the same rows standardised",
        Where("model"),
        {
            "largest": inputs.largest,
            "first_loss": model.first_loss,
            "rescaled_loss": inputs.rescaled_loss,
            "min_ratio": min_ratio,
            "min_loss": min_loss,
        },
        advice("Standardise the inputs, with means and deviations of the training rows"),
    )
