"""Gradients of one step are added to the next."""

from collections.abc import Iterator

from bindoctor import Finding, Inspection, Severity, StepFacts, Where, example, rule
from bindoctor_rules._models import ANSWER_SYMPTOMS, RUN_SYMPTOMS, advice, seen


@rule(
    "BD510",
    severity=Severity.ERROR,
    explains=("BD502", "BD504", "BD505", *RUN_SYMPTOMS, *ANSWER_SYMPTOMS),
    flags=[
        example(
            "no zero_grad",
            model=seen(training=StepFacts(50, 50, not_reset=8, looked_for_reset=8)),
            says="after 8 of 8 steps",
        ),
    ],
    passes=[
        example("reset every time", model=seen(training=StepFacts(50, 50, not_reset=0, looked_for_reset=8))),
        example("a single step", model=seen(training=StepFacts(2, 1, not_reset=1, looked_for_reset=1))),
        example("not trained yet", model=seen()),
    ],
)
def gradients_not_reset(model: Inspection, *, min_looks: int = 2, min_share: float = 0.5) -> Iterator[Finding]:
    """When the backward pass after a step begins, the gradients of that step are still there.

    Looked at are the first eight steps. Gradients that are added up over several backward passes before a step, as for
    a larger batch, are reset after it and are passed over.

    ## Why it matters
    PyTorch adds each gradient to what is there. Without a reset every step goes along the sum of all gradients so far,
    however stale: the steps grow, and the loss oscillates or climbs.

    ## When to ignore it
    Never: momentum is what an optimizer's own setting is for.

    ## References
    - PyTorch documentation: torch.optim.Optimizer.zero_grad, gradient accumulation.
    """
    training = model.training
    if training is None or training.looked_for_reset < min_looks:
        return
    share = training.not_reset / training.looked_for_reset
    if share < min_share:
        return
    yield Finding(
        f"after {training.not_reset} of {training.looked_for_reset} steps the gradients were not reset, and the next "
        "ones were added to them",
        Where("model"),
        {"share": share, "min_share": min_share, "looks": training.looked_for_reset, "min_looks": min_looks},
        advice("Call optimizer.zero_grad() before each loss.backward()"),
    )
