"""The losses that a run is measured against: the constant answer's, and the best single column's."""

import math

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, History, Profile, Recipe, Task
from bindoctor_rules._curves import points

MIN_LEARNED = 0.02
"""A loss less than this share below the constant answer's has learned nothing that could be told from luck."""
MAX_COUNTED_LEVELS = 20

Floats = npt.NDArray[np.float64]


def constant_loss(task: Task, recipe: Recipe | None, part: str) -> float:
    """Return the loss in nats of the one answer that training settles on when it learns nothing from the features.

    With an untouched recipe, or an unknown one, that answer is the class shares, and the loss their entropy.
    Resampling and class weights move the answer, and resampling moves the rows of the training loss too. NaN for focal
    loss, which has no closed form, and while the shares are unknown.

    Args:
        task: the share of each class.
        recipe: how rows are resampled and weighted.
        part: "training" or "validation", whose rows the loss is taken over.
    """
    if not task.shares or (recipe is not None and recipe.loss.kind == "focal"):
        return math.nan
    if recipe is None:
        return task.prior_entropy
    shares = np.array(task.shares)
    trained_on = _resampled(shares, recipe)
    weight = recipe.loss.class_weight
    answer = trained_on.copy()
    if weight == "balanced":
        answer = np.where(answer > 0, 1.0, 0.0)
    elif weight != "none" and len(answer) == 2:
        answer[1] *= weight
    answer = answer / answer.sum()
    over = trained_on if part == "training" else shares
    return float(-(over[over > 0] * np.log(answer[over > 0])).sum())


def learned(history: History, task: Task, recipe: Recipe | None, min_learned: float = MIN_LEARNED) -> bool:
    """Tell whether the training or the validation loss ever got below its constant by the share ``min_learned``."""
    for name, part in (("train_loss", "training"), ("valid_loss", "validation")):
        _, loss = points(history, name)
        if len(loss) and loss.min() < (1 - min_learned) * constant_loss(task, recipe, part):
            return True
    return False


def _resampled(shares: Floats, recipe: Recipe) -> Floats:
    method, ratio = recipe.resample.method, recipe.resample.ratio
    if method == "none":
        return shares
    if method == "random-under":
        moved = np.minimum(shares, shares[shares > 0].min() / ratio)
    else:
        moved = np.where(shares > 0, np.maximum(shares, ratio * shares.max()), 0.0)
    return np.asarray(moved / moved.sum())


def best_single_column(profile: Profile) -> tuple[str, float]:
    """Return the column that alone allows the lowest loss, and that loss in nats; ("", entropy) without columns.

    Columns of few levels: the entropy left within levels, with the Miller–Madow correction for how many were counted.
    Other number columns: what a binormal model of the same AUC leaves; past two classes, where it is not known which
    one the AUC is of, the class that it would tell least about.
    """
    losses = {column.name: _loss_alone(column, profile) for column in (*profile.numbers, *profile.categories)}
    known = {name: loss for name, loss in losses.items() if loss is not None}
    name = min(known, key=lambda column: known[column], default="")
    return (name, known[name]) if name else ("", profile.prior_entropy)


def _loss_alone(column: ColumnProfile, profile: Profile) -> float | None:
    if column.levels_complete and column.distinct <= MAX_COUNTED_LEVELS:
        return _loss_of_levels(column, profile)
    return None if column.moments is None else _loss_of_auc(column.moments.auc, profile)


def _loss_of_levels(column: ColumnProfile, profile: Profile) -> float:
    table = np.vstack([column.levels.by_class.T, column.missing_by_class]).astype(np.float64)
    table = table[table.sum(axis=1) > 0]
    share = np.divide(table, table.sum(axis=1, keepdims=True))
    nats = -(table * np.log(np.where(share > 0, share, 1.0))).sum()
    counted = (len(table) - 1) * (len(profile.classes) - 1) / 2
    return min(float(nats + counted) / float(table.sum()), profile.prior_entropy)


def _loss_of_auc(auc: float, profile: Profile) -> float:
    """Return the entropy left when one class is N(d, 1) and the others N(0, 1), with this AUC (Green & Swets 1966)."""
    # Imported here, as most checks know of no run and importing it takes 2 ms.
    from statistics import NormalDist

    apart = math.sqrt(2) * NormalDist().inv_cdf(min(max(auc, 0.5), 1 - 1e-9))
    shares = np.array([count / profile.labelled for count in profile.class_counts if count])
    return profile.prior_entropy - min(_information(share, apart) for share in shares)


def _information(share: float, apart: float) -> float:
    """Return how many nats x tells of a class that makes up ``share`` of the rows and is N(apart, 1) among N(0, 1)."""
    x = np.linspace(-6.0, 6.0 + apart, 2001)
    shares = np.array([[1 - share], [share]])
    joint = shares * np.exp(-((x - np.array([[0.0], [apart]])) ** 2) / 2) / math.sqrt(2 * math.pi)
    told = joint * np.log(np.maximum(joint, 1e-300) / (shares * joint.sum(axis=0)))
    return float(told.sum() * (x[1] - x[0]))
