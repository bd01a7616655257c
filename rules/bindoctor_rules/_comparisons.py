"""Which of two number columns is larger, taken as an answer to the target."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Profile

MAX_COLUMNS = 46
MAX_SCREENED_ROWS = 4000
TOLERANCE = 0.05
"""What a pair may lack on the screened rows and still be counted on all of them."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

RELATIONS = {"larger than": np.greater, "smaller than": np.less, "equal to": np.equal}


class Comparison(NamedTuple):
    """The rows where one column stands in a relation to another, taken as the answer to "is it this class?".

    Attributes:
        first: the column on the left.
        second: the column on the right.
        relation: a key of ``RELATIONS``.
        label: the class that is asked for.
        inside: whether rows in that relation are answered "yes" and the others "no", or the reverse.
        agreement: share of the rows that are answered right.
        removed: share of the errors of always answering the commoner side that are gone.
        rows: rows that were compared.
    """

    first: str
    second: str
    relation: str
    label: str
    inside: bool
    agreement: float
    removed: float
    rows: int


def telling_comparisons(
    columns: Sequence[ColumnProfile], profile: Profile, *, min_removed: float, max_removed_alone: float, min_rare: int
) -> Iterator[Comparison]:
    """Yield comparisons of two columns that answer the target where neither column does, best first.

    At most 46 columns, those of the largest AUC, are compared with each other on at most 4 000 rows of the sample; what
    stands out is counted again on the whole sample. A column is in one comparison only.

    Args:
        columns: number columns.
        profile: with a sample.
        min_removed: share of the commoner side's errors that must be gone.
        max_removed_alone: share of them that the best cut through one of the columns may remove.
        min_rare: rows that the rarer side must have.
    """
    sample = profile.sample
    if sample is None or len(columns) < 2 or len(sample) == 0:
        return
    strongest = sorted(columns, key=lambda column: -column.moments.auc if column.moments else 0.0)[:MAX_COLUMNS]
    among = {column.name for column in strongest}
    names = [column.name for column in columns if column.name in among]
    values = np.array([sample.features[name].to_numpy() for name in names], dtype=np.float64)
    screened = slice(None, None, -(-values.shape[1] // MAX_SCREENED_ROWS))
    labels, classes, spent = sample.labels, len(profile.classes), set[int]()
    for _, *pair in _standing_out(values[:, screened], labels[screened], min_removed):
        if spent & {*pair}:
            continue
        strong = {at for at in pair if _best_cut(values[at], labels, classes, min_rare) > max_removed_alone}
        best = None if strong else _best_of_pair(values[pair[0]], values[pair[1]], labels, classes, min_rare)
        if best is not None and best[0] >= min_removed:
            removed, relation, label, inside, agreement = best
            first, second = (names[at] for at in pair)
            yield Comparison(first, second, relation, profile.classes[label], inside, agreement, removed, len(sample))
            spent |= {*pair}
        spent |= strong


def _standing_out(values: Floats, labels: Counts, min_removed: float) -> list[tuple[float, int, int]]:
    """Return (removed errors, first, second) of the pairs that come near ``min_removed``, best first."""
    order = np.argsort(labels, kind="stable")
    values, (_, starts, total) = values[:, order], np.unique(labels[order], return_index=True, return_counts=True)
    found = []
    for first in range(len(values) - 1):
        removed = np.zeros(len(values) - first - 1)
        for holds in RELATIONS.values():
            by_class = np.add.reduceat(holds(values[first], values[first + 1 :]), starts, axis=1, dtype=np.int64)
            removed = np.maximum(removed, _removed(by_class, total)[0].max(axis=1))
        near = np.flatnonzero(removed >= min_removed - TOLERANCE)
        found += [(float(removed[offset]), first, first + 1 + int(offset)) for offset in near]
    return sorted(found, key=lambda pair: (-pair[0], pair[1:]))


def _best_of_pair(
    first: Floats, second: Floats, labels: Counts, classes: int, min_rare: int
) -> tuple[float, str, int, bool, float] | None:
    """Return the relation that removes the most errors: (removed, relation, class, inside, agreement)."""
    total = np.bincount(labels, minlength=classes)
    table = np.array([np.bincount(labels[holds(first, second)], minlength=classes) for holds in RELATIONS.values()])
    removed, inside, errors = _removed(table, total)
    removed = np.where(np.minimum(total, total.sum() - total) >= min_rare, removed, 0.0)
    which, label = (int(index) for index in np.unravel_index(int(removed.argmax()), removed.shape))
    # Of two classes, each answers the same question; ask for the positive one.
    label = 1 if classes == 2 else label
    if removed[which, label] <= 0:
        return None
    agreement = float(1 - errors[which, label] / total.sum())
    return float(removed[which, label]), list(RELATIONS)[which], label, bool(inside[which, label]), agreement


def _best_cut(values: Floats, labels: Counts, classes: int, min_rare: int) -> float:
    """Return the share of the commoner side's errors that the best cut through one column removes."""
    total = np.bincount(labels, minlength=classes)
    present = np.isfinite(values)
    order = np.argsort(values[present], kind="stable")
    ascending, ordered = values[present][order], labels[present][order]
    ends = np.append(ascending[1:] != ascending[:-1], True)
    below = (ordered[:, None] == np.arange(classes)).cumsum(axis=0)[ends]
    removed, _, _ = _removed(below, total)
    counted = np.minimum(total, total.sum() - total) >= min_rare
    return float(removed[:, counted].max(initial=0.0))


def _removed(counts: Counts, of_class: Counts) -> tuple[Floats, npt.NDArray[np.bool_], Counts]:
    """Answer "is it this class?" by each row of a table of (parts, classes) counts, in the better of both directions.

    Returns:
        Errors removed, whether inside means yes, and the errors, all of shape (parts, classes).
    """
    rows = int(of_class.sum())
    as_is = counts.sum(axis=1, keepdims=True) + of_class - 2 * counts
    errors = np.minimum(as_is, rows - as_is)
    rare = np.minimum(of_class, rows - of_class)
    removed = np.where(rare > 0, 1 - errors / np.maximum(rare, 1), 0.0)
    return removed, np.asarray(as_is <= errors), errors
