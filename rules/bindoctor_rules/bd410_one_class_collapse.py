"""The scores are those of a model that gives every row the same answer."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bindoctor import (
    Aim,
    Confidence,
    Epoch,
    Finding,
    Fix,
    History,
    Predictions,
    Recipe,
    Series,
    Severity,
    Task,
    Where,
    example,
    rule,
)
from bindoctor_rules._curves import Floats, logged, points
from bindoctor_rules._one_class import EXACT, Evaluation, evaluations, proof
from bindoctor_rules._pace import direction
from bindoctor_rules._remedies import higher_rate, lower_rate, trains_by_gradient
from bindoctor_rules._valid_rows import ValidRows, valid_rows

EVEN_LOSS = [0.69 - 0.001 * i for i in range(8)]
FALLING = [0.69 * 0.9**i for i in range(8)]
RARE = Task(shares=(0.99, 0.01))
EVALUATED = History(
    tuple(Epoch(i + 1, train_loss=0.69 - 0.02 * i, valid_score=(0.61, 0.64, 0.7)[i]) for i in range(3)),
    series=(
        Series("valid", "accuracy", (86 / 142, 88 / 142, 99 / 142), (43, 87, 130), (1.0, 2.0, 3.0)),
        Series("valid", "precision", (86 / 142, 0.63, 0.7), (43, 87, 130), (1.0, 2.0, 3.0)),
        Series("valid", "recall", (1.0, 0.9, 0.85), (43, 87, 130), (1.0, 2.0, 3.0)),
    ),
    source="Hugging Face",
)
UNDER = [0.677, 0.661, 0.633, 0.558, 0.483, 0.42, 0.371, 0.33]
LEFT = [0.566, 0.566, 0.6, 0.68, 0.74, 0.757, 0.76, 0.77]


class _Collapse(NamedTuple):
    says: str
    epochs: tuple[float, ...]
    proven: bool
    learned: bool = False


def _proven(found: Sequence[Evaluation]) -> _Collapse | None:
    proofs = [(one.epoch, says) for one in found if (says := proof(one.scores))]
    if not proofs:
        return None
    return _Collapse(proofs[0][1], tuple(epoch for epoch, _ in proofs), proven=True)


def _constant(
    history: History, found: Sequence[Evaluation], task: Task | None, min_epochs: int, max_learned: float
) -> _Collapse | None:
    """Find an accuracy that does not move, from the first evaluation on or to the last one."""
    found = [one for one in found if math.isfinite(one.scores.get("accuracy", math.nan))]
    scores = np.array([one.scores["accuracy"] for one in found])
    shares = task.shares if task else ()
    rows = valid_rows(history, task, scores.tolist())
    for phase in _phases(scores, binary=len(shares) in (0, 2)):
        level, length = float(scores[phase][0]), phase.stop - phase.start
        to_the_end = phase.stop == len(scores)
        if not 0 < level < 1 - EXACT or (to_the_end and length < min_epochs):
            continue
        epochs = tuple(one.epoch for one in found[phase])
        told = any(abs(level - share) <= _off_by(share, rows) for share in shares)
        stuck = length >= 2 and _is_unlearned(history, epochs, level, max_learned)
        if told and not stuck and length < len(scores):
            continue
        if phase.start > 0 and not told and level > scores.max() - 0.05:
            continue
        if not to_the_end and not told and np.median(scores[phase.stop :]) <= level + EXACT:
            # The run ends where it began: few rows, of which as many are right each time.
            continue
        says = f"the accuracy is {level:.4g} to the last digit"
        if told and length >= min_epochs:
            more = "" if stuck else ", although the loss falls"
            return _Collapse(f"{says}, the share of one class{more}", epochs, proven=True, learned=not stuck)
        if stuck and (told or not shares):
            return _Collapse(f"{says}, and the loss no lower than one answer's", epochs, proven=False)
    return None


def _phases(scores: Floats, *, binary: bool) -> Iterator[slice]:
    """Yield the places from the first on, and those to the last, at which the accuracy is the same.

    Of two classes the answer may also be now one and now the other, which have accuracies that add up to 1.
    """
    if not len(scores):
        return
    for backwards in (False, True):
        curve = scores[::-1] if backwards else scores
        same = np.abs(curve - curve[0]) <= EXACT
        if binary:
            same |= np.abs(curve - (1 - curve[0])) <= EXACT
        length = len(curve) if same.all() else int(same.argmin())
        yield slice(len(scores) - length, len(scores)) if backwards else slice(0, length)
        if length == len(scores):
            return


def _off_by(share: float, rows: ValidRows | None) -> float:
    """Return how far the share of a class among the validation rows may be from that among all rows."""
    if rows is None:
        return min(0.05, (1 - share) / 4)
    return 2.5 * math.sqrt(share * (1 - share) / rows.rows)


def _is_unlearned(history: History, epochs: Sequence[float], level: float, max_learned: float) -> bool:
    """Tell whether the losses at these epochs move, and stay above the entropy that belongs to the accuracy."""
    if history.entropy_scale is False:
        return False
    least = (1 - max_learned) * (-level * math.log(level) - (1 - level) * math.log(1 - level))
    told = False
    for name in ("train_loss", "valid_loss"):
        at, curve = points(history, name)
        loss = curve[np.isin(at, [int(epoch) for epoch in epochs])]
        if len(loss) and loss.min() < least:
            return False
        told = told or (len(loss) >= 2 and bool(np.ptp(loss) > 0))
    return told


def _spans(found: Sequence[Evaluation], epochs: Sequence[float]) -> str:
    """Name these epochs, evaluations that follow each other as one span: "at epochs 0 to 2 and 7"."""
    spans: list[list[float]] = []
    follows = False
    for one in found:
        if one.epoch in epochs:
            spans = [*spans[:-1], [*spans[-1], one.epoch]] if follows else [*spans, [one.epoch]]
        follows = one.epoch in epochs
    named = [f"{span[0]:g}" if len(span) == 1 else f"{span[0]:g} to {span[-1]:g}" for span in spans]
    if len(named) > 3:
        return f"at {len(epochs)} of {len(found)} evaluations, the first at epoch {epochs[0]:g}"
    at = "at epoch" if len(epochs) == 1 else "at epochs"
    return f"{at} {' and '.join(filter(None, (', '.join(named[:-1]), named[-1])))}"


def _is_kept(history: History, found: Sequence[Evaluation], collapsed: Sequence[float]) -> str:
    """Say why the model that the run leaves is a collapsed one; "" if it is not."""
    if found[-1].epoch in collapsed:
        return "to the end" if len(collapsed) == len(found) else "at the end"
    if history.best_epoch is not None and any(round(epoch) == history.best_epoch for epoch in collapsed):
        return "and that is the checkpoint that was kept"
    f1 = [one.scores.get("f1", math.nan) for one in found]
    if history.best_epoch is None and np.isfinite(f1).all() and found[int(np.argmax(f1))].epoch in collapsed:
        return "and that is the one that F1 would choose"
    return ""


def _remedies(history: History, task: Task | None, recipe: Recipe | None) -> Iterator[Fix]:
    if recipe is None:
        yield Fix("Weight the classes, tune the threshold, and judge by average precision or MCC", aim=Aim.ADVISE)
    else:
        if recipe.decide.threshold == "auto":
            yield Fix("Tune the threshold", {"decide.threshold": "tuned"})
        if recipe.loss.class_weight == "none" and recipe.resample.method == "none" and recipe.loss.kind != "focal":
            yield Fix("Weight the classes evenly", {"loss.class-weight": "balanced"})
    way = direction(history, task)
    if way and (recipe is None or trains_by_gradient(recipe)):
        yield from lower_rate(recipe) if way == "lower" else higher_rate(recipe)


@rule(
    "BD410",
    severity=Severity.ERROR,
    explains=("BD404", "BD405", "BD407", "BD604"),
    flags=[
        example(
            "recall 1 at the prevalence, and that checkpoint kept",
            history=History(EVALUATED.epochs, best_epoch=1, series=EVALUATED.series, source="Hugging Face"),
            says="recall is 1 and precision equals the accuracy of 0.606",
        ),
        example("a phase that passes", history=EVALUATED, says="at epoch 1"),
        example(
            "the accuracy never moves",
            recipe=Recipe(),
            task=RARE,
            history=logged(FALLING, FALLING, valid_score=[0.99] * 8),
            says="0.99 to the last digit, the share of one class",
        ),
        example(
            "nothing is known of the classes",
            history=logged(EVEN_LOSS, EVEN_LOSS, valid_score=[0.52] * 8, source="Keras"),
            says="0.52 to the last digit",
        ),
        example(
            "the first two epochs of a run that then learns",
            history=logged(UNDER, [0.687, 0.672, 0.63, 0.58, 0.54, 0.52, 0.53, 0.53], valid_score=LEFT, source="Keras"),
            says="at epochs 1 to 2",
        ),
    ],
    passes=[
        example("the accuracy moves", history=logged(FALLING, FALLING, valid_score=[0.6 + 0.03 * i for i in range(8)])),
        example(
            "it stands still at the end, having learned",
            history=logged(FALLING, FALLING, valid_score=[0.7, *[0.95] * 7]),
        ),
        example("every row is right", history=logged(FALLING, FALLING, valid_score=[1.0] * 8)),
        example(
            "the accuracy is not that of the largest class",
            task=RARE,
            history=logged(FALLING, FALLING, valid_score=[0.9] * 8),
        ),
        example("no score", history=logged(FALLING, FALLING)),
    ],
)
def one_class_collapse(
    history: History,
    task: Task | None = None,
    recipe: Recipe | None = None,
    predictions: Predictions | None = None,
    *,
    min_epochs: int = 5,
    max_learned: float = 0.05,
) -> Iterator[Finding]:
    """Scores prove that all rows got one answer, or the accuracy stands still from the first epoch on.

    Proof: recall 1 with a precision equal to the accuracy, recall or F1 at 0, and their counterparts averaged over
    classes. An accuracy that is the same to the last digit from the first epoch on tells as much when the loss stays
    within 5% of the entropy that belongs to it, or when it is the share of one class in five epochs; so does one that
    the run falls back to in its last five. Of two classes the answer may be now one and now the other. It is an error
    when the run ends so or keeps such a checkpoint, and a note when it is a phase that passes; a loss below that of one
    answer makes it a warning, as then the ranking may be of use, and only the threshold is off. Where predictions are
    known, one-class-predicted looks at these instead. On 402 trainings without a fault it warned of one, at 1:50, whose
    answers at a threshold of 0.5 really are all of one class.

    ## Why it matters
    Such a model is a constant with a good-looking score: the accuracy of the larger class, or an F1 of 0.75 at 60%
    positives, which early stopping by F1 then keeps in favour of every epoch that has learned something.

    ## When to ignore it
    When the threshold is chosen later and only the ranking counts.

    ## References
    - Chicco, D., & Jurman, G. (2020). The advantages of the Matthews correlation coefficient (MCC) over F1 score and
      accuracy in binary classification evaluation. BMC Genomics 21.
    - Lipton, Z. C., Elkan, C., & Naryanaswamy, B. (2014). Optimal thresholding of classifiers to maximize F1 measure.
      ECML PKDD.
    """
    if predictions is not None:
        return
    found = evaluations(history)
    collapse = _proven(found) or _constant(history, found, task, min_epochs, max_learned)
    if collapse is None:
        return
    kept = _is_kept(history, found, collapse.epochs)
    yield Finding(
        f"every row {'gets' if collapse.proven else 'seems to get'} one answer {_spans(found, collapse.epochs)}: "
        f"{collapse.says}" + (f", {kept}" if kept else ", before the run learns"),
        Where("run"),
        {
            "epochs": list(collapse.epochs),
            "evaluations": len(found),
            "min_epochs": min_epochs,
            "max_learned": max_learned,
        },
        tuple(_remedies(history, task, recipe)) if kept else (),
        Confidence.HIGH if collapse.proven else Confidence.MEDIUM,
        Severity.NOTE if not kept else Severity.WARNING if collapse.learned else None,
    )
