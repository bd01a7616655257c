"""The score changes a lot from one repeat of the folds to the next."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bindoctor import Aim, Finding, Fix, Predictions, Severity, Where, example, rule, scores
from bindoctor_rules._answers import answered

STEADY = answered([(0.2, 60, 12), (0.8, 60, 48)])
GOOD = answered([(0.2, 20, 2), (0.8, 20, 18)])
POOR = answered([(0.2, 20, 8), (0.8, 20, 12)])


def _joined(*repeats: Predictions) -> Predictions:
    """Make the predictions of repeated folds of repeats of the same rows."""
    first = repeats[0]
    return Predictions(
        first.classes,
        np.concatenate([one.truth for one in repeats]),
        np.concatenate([one.probability for one in repeats]),
        np.concatenate([one.row_ids for one in repeats]),
        np.concatenate([one.fold + 5 * number for number, one in enumerate(repeats)]),
    )


def _repeat_of(row_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the answers to each row in the order they come: the repeats of the folds."""
    order = np.argsort(row_ids, kind="stable")
    _, first, place = np.unique(row_ids[order], return_index=True, return_inverse=True)
    number = np.empty(len(row_ids), dtype=np.int64)
    number[order] = np.arange(len(row_ids)) - first[place]
    return number


@rule(
    "BD608",
    severity=Severity.NOTE,
    flags=[
        example("two repeats", predictions=_joined(GOOD, POOR), says="ROC AUC runs from 0.60 to 0.90 over 2 repeats"),
    ],
    passes=[
        example("steady", predictions=_joined(STEADY, STEADY, STEADY)),
        example("one repeat says nothing", predictions=POOR),
    ],
)
def unstable_score(predictions: Predictions, *, max_spread: float = 0.05) -> Iterator[Finding]:
    """The score of all rows differs by more than 0.05 between repeats of the folds.

    The ROC AUC for two classes, the accuracy for more. The same rows are answered in each repeat, so that what differs
    is how they were parted, and the seed.

    ## Why it matters
    Of two setups, each measured once, luck decides which looks better when one and the same setup differs by as much.
    A mean over repeats is steadier than any of them.

    ## When to ignore it
    When only the mean over the repeats is used, with its interval.

    ## References
    - Bouckaert, R. R., & Frank, E. (2004). Evaluating the replicability of significance tests for comparing learning
      algorithms. PAKDD.
    - Bouthillier, X., et al. (2021). Accounting for variance in machine learning benchmarks. MLSys.
    """
    repeat = _repeat_of(predictions.row_ids)
    parts = [predictions.take(np.flatnonzero(repeat == number)) for number in range(int(repeat.max(initial=-1)) + 1)]
    parts = [part for part in parts if 2 * len(part.truth) > len(parts[0].truth)]
    name = "roc-auc" if predictions.binary else "accuracy"
    values = [value for part in parts if np.isfinite(value := scores.measure(name, part))]
    if len(values) < 2 or max(values) - min(values) <= max_spread:
        return
    yield Finding(
        f"the {'ROC AUC' if name == 'roc-auc' else name} runs from {min(values):.2f} to {max(values):.2f} over "
        f"{len(values)} repeats of the folds (mean {np.mean(values):.2f})",
        Where("model"),
        {"score": name, "values": values, "max_spread": max_spread},
        (
            Fix("Judge by the mean over repeats, and compare setups on the same folds and seeds", aim=Aim.ADVISE),
            Fix("Collect more rows", aim=Aim.ADVISE),
        ),
    )
