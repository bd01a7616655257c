"""The model cannot learn sixteen rows by heart."""

import math
from collections.abc import Iterator

from bindoctor import Finding, FitFacts, Inspection, ParameterFacts, Severity, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, advice, seen

WIDE = (ParameterFacts("0.weight", (64, 20), True, True, 0.01, weight=True),)


@rule(
    "BD508",
    severity=Severity.ERROR,
    explains=("BD404", "BD405", "BD410", "BD415", *ANSWER_SYMPTOMS),
    flags=[
        example(
            "the loss stays", model=seen(parameters=WIDE, fit=FitFacts(16, 200, 0.7, 0.69)), says="from 0.7 to 0.69"
        ),
    ],
    passes=[
        example("learnt in 40 steps", model=seen(parameters=WIDE, fit=FitFacts(16, 40, 0.7, 0.05))),
        example("too few parameters to learn by heart", model=seen(fit=FitFacts(16, 200, 0.7, 0.69))),
        example("not decided in time", model=seen(parameters=WIDE)),
    ],
)
def cannot_fit_a_batch(
    model: Inspection, *, max_kept: float = 0.9, min_steps: int = 100, min_parameters_a_row: int = 20
) -> Iterator[Finding]:
    """A copy of the model, trained on sixteen rows alone for 200 steps of Adam, keeps 90% of its loss.

    The rows are of every class as far as possible, dropout is off, and of two learning rates (0.01 and 0.001) the
    better one counts. A model of fewer than twenty parameters a row is passed over, as it may be unable to. What has
    a more specific cause is reported by that.

    ## Why it matters
    Every working pair of model and loss learns so few rows by heart. One that does not has a fault in its wiring:
    outputs that do not hang on the inputs, labels that do not belong to their rows, a loss that rewards something
    else.

    ## When to ignore it
    When the rows are the same inputs with different labels, or strong regularisation is built into the model.

    ## References
    - Zhang, C., Bengio, S., Hardt, M., Recht, B., & Vinyals, O. (2017). Understanding deep learning requires
      rethinking generalization. ICLR.
    - Karpathy, A. (2019). A recipe for training neural networks (overfit one batch).
    """
    fit = model.fit
    if fit is None or fit.steps < min_steps or not math.isfinite(fit.first_loss) or fit.first_loss <= 0:
        return
    size = sum(math.prod(one.shape) for one in model.parameters if one.trainable)
    kept = fit.last_loss / fit.first_loss
    if size < min_parameters_a_row * fit.rows or kept < max_kept:
        return
    yield Finding(
        f"trained on {fit.rows} rows alone, the loss goes from {fit.first_loss:.3g} to {fit.last_loss:.3g} in "
        f"{fit.steps} steps: the model cannot learn them by heart",
        Where("model"),
        {
            "kept": kept,
            "max_kept": max_kept,
            "steps": fit.steps,
            "min_steps": min_steps,
            "parameters": size,
            "min_parameters_a_row": min_parameters_a_row,
        },
        advice("Check that the outputs change with the inputs, and that inputs and labels are of the same rows"),
    )
