"""The log holds several runs, one after the other."""

from collections.abc import Iterator

from bindoctor import Aim, Epoch, Finding, Fix, History, Severity, Where, example, rule
from bindoctor_rules._curves import logged
from bindoctor_rules._pace import restarts
from bindoctor_rules._wording import counted

FALLING = [0.69 * 0.95**i for i in range(12)]
TWICE = History(tuple(Epoch(1 + i % 6, train_loss=loss) for i, loss in enumerate(FALLING)))


@rule(
    "BD417",
    severity=Severity.NOTE,
    flags=[
        example("two runs in one file", history=logged(FALLING, runs=2, source="Keras"), says="holds 2 runs"),
        example("the epoch number falls back", history=TWICE, says="falls back once"),
    ],
    passes=[
        example("one run", history=logged(FALLING, source="Keras")),
        example("an epoch in two records", history=History((Epoch(1, 0.6), Epoch(1, None, 0.6), Epoch(2, 0.5)))),
    ],
)
def joined_runs(history: History) -> Iterator[Finding]:
    """The epoch number falls back, as where a training was started again into the same file.

    The last run is what the other rules look at.

    ## Why it matters
    Read as one curve, two runs show a loss that jumps up in the middle and a best epoch that belongs to weights that
    are no longer there.

    ## When to ignore it
    When the runs are meant to stand together: give the one that counts as a file of its own.

    ## References
    - Sculley, D., et al. (2015). Hidden technical debt in machine learning systems. NeurIPS.
    """
    back = restarts(history.epochs)
    if history.runs < 2 and not back:
        return
    if history.runs >= 2:
        reach = ""
        if history.epochs:
            reach = f", from epoch {history.epochs[0].epoch} to {history.epochs[-1].epoch}"
        message = f"the log holds {history.runs} runs; the last one is read{reach}"
    else:
        message = (
            f"the epoch number falls back {'once' if back == 1 else counted(back, 'time')}: several runs as one curve"
        )
    yield Finding(
        message,
        Where("run"),
        {"runs": history.runs, "restarts": back},
        (Fix("Write each run to a file of its own", aim=Aim.ADVISE),),
    )
