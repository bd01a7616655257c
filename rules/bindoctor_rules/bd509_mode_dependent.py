"""Training and evaluation mode are mixed up."""

from collections.abc import Iterator

from bindoctor import Finding, Inspection, Severity, StepFacts, Where, example, rule
from bindoctor_rules._models import advice, seen


@rule(
    "BD509",
    severity=Severity.ERROR,
    explains=("BD402", "BD403", "BD406", "BD407", "BD414", "BD601"),
    flags=[
        example(
            "validated in training mode",
            model=seen(depends_on_mode=True, trains_while_validating=True),
            says="in training mode",
        ),
        example("a random answer", model=seen(evaluation_difference=0.3), says="differ by 0.3"),
        example(
            "trained in evaluation mode",
            model=seen(depends_on_mode=True, training=StepFacts(100, 100, evaluating_while_training=0.95)),
            says="95% of the training passes",
        ),
    ],
    passes=[
        example("the same answer twice", model=seen(evaluation_difference=0.0)),
        example("nothing hangs on the mode", model=seen(trains_while_validating=True)),
        example("rounding on a GPU", model=seen(evaluation_difference=1e-6)),
    ],
)
def mode_dependent(model: Inspection, *, min_difference: float = 1e-3, min_share: float = 0.5) -> Iterator[Finding]:
    """Validation runs with dropout or batch statistics of training, or two passes in evaluation mode differ.

    An error: most validation passes were made by a model with dropout or batch normalisation that was left in training
    mode; two passes over the same rows in evaluation mode differ by more than a thousandth of the outputs' spread. A
    warning: most training passes were made in evaluation mode.

    ## Why it matters
    In training mode dropout makes the answers random and worse, and batch normalisation takes its means from the
    validation rows and keeps them: the score is neither that of the model nor repeatable. After model.eval() without
    model.train() the rest of the training goes without dropout and with statistics that no longer move.

    ## When to ignore it
    When answers are sampled on purpose (Monte Carlo dropout), or batch normalisation is frozen for fine-tuning.

    ## References
    - PyTorch documentation: torch.nn.Module.eval, dropout, BatchNorm1d.
    - Ioffe, S., & Szegedy, C. (2015). Batch normalization: accelerating deep network training by reducing internal
      covariate shift. ICML.
    """
    difference = model.evaluation_difference or 0.0
    idle = 0.0 if model.training is None else model.training.evaluating_while_training
    severity = None
    if model.trains_while_validating and model.depends_on_mode:
        message = "the validation passes were made in training mode, by a model that behaves differently in it"
        remedy = "Call model.eval() before validation and model.train() after it"
    elif difference > min_difference:
        message = f"two passes over the same rows in evaluation mode differ by {difference:.2g} of the outputs' spread"
        remedy = "Pass training=self.training to functional dropout, and draw noise only in training"
    elif idle > min_share and model.depends_on_mode:
        message = f"{idle:.0%} of the training passes were made in evaluation mode, with dropout off"
        remedy, severity = "Call model.train() at the start of every epoch", Severity.WARNING
    else:
        return
    yield Finding(
        message,
        Where("model"),
        {"difference": difference, "min_difference": min_difference, "evaluating": idle, "min_share": min_share},
        advice(remedy),
        severity=severity,
    )
