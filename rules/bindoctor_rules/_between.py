"""Rows that lie exactly between two others, as SMOTE makes them up."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import Rows
from bindoctor_rules._spread import Counts, Floats

PROBED = 150
FIRST_PROBED = 50
"""Where none of so many rows lies between others, the rest is not looked at: of a share of 8%, one time in 65."""
NEIGHBOURS = 12
MAX_INPUTS = 40
MIN_INPUTS = 3
MAX_OFF = 1e-3
MAX_FRACTION = 12
"""Between rows of whole numbers a third one lies by chance at a half, a third …; SMOTE draws any place."""


class Between(NamedTuple):
    """Of one class: how many rows were looked at, and which of them lie between two others, as positions."""

    label: str
    looked_at: int
    found: Counts


def between_others(samples: Sequence[Rows], columns: Sequence[str]) -> list[Between]:
    """Look at up to 150 rows of each class for two others of the class that they lie between.

    A row counts when it is within a thousandth of the distance of two of its twelve nearest neighbours from the line
    that joins them, at a place that is no fraction of a denominator up to twelve, where the three differ in at least
    three columns. It takes O(150 n d) steps a class.

    Args:
        samples: rows of every part, taken together; positions count through all of them.
        columns: number columns, of which the first 40 are compared; rows with a missing number are passed over.
    """
    if len(columns) < MIN_INPUTS:
        return []
    matrix = np.concatenate([_matrix(rows, columns[:MAX_INPUTS]) for rows in samples])
    labels = np.concatenate([np.array(rows.classes, dtype=object)[rows.labels] for rows in samples])
    whole = np.isfinite(matrix).all(axis=1)
    spread = matrix[whole].std(axis=0) if whole.any() else np.zeros(matrix.shape[1])
    used = spread > 0
    if used.sum() < MIN_INPUTS:
        return []
    scaled = (matrix[:, used] - matrix[whole][:, used].mean(axis=0)) / spread[used]
    random = np.random.default_rng(0)
    found = []
    for label in sorted(set(labels.tolist())):
        rows = np.flatnonzero(whole & (labels == label))
        if len(rows) <= NEIGHBOURS:
            continue
        probed = random.choice(len(rows), min(PROBED, len(rows)), replace=False)
        points = scaled[rows]
        between = [k for k in probed[:FIRST_PROBED].tolist() if _lies_between(points, k)]
        if between:
            between += [k for k in probed[FIRST_PROBED:].tolist() if _lies_between(points, k)]
        else:
            probed = probed[:FIRST_PROBED]
        found.append(Between(label, len(probed), np.sort(rows[between])))
    return found


def _matrix(rows: Rows, columns: Sequence[str]) -> Floats:
    return np.column_stack([rows.features[name].to_numpy() for name in columns]).astype(np.float64)


def _lies_between(points: Floats, k: int) -> bool:
    apart = points - points[k]
    distance = np.einsum("ij,ij->i", apart, apart)
    distance[distance == 0] = np.inf
    near = np.argpartition(distance, NEIGHBOURS)[:NEIGHBOURS]
    near = near[np.isfinite(distance[near])]
    ways = apart[near]
    length = np.sqrt(distance[near])
    # The point lies between two others where the ways to them are opposite.
    inner = ways @ ways.T
    i, j = np.nonzero(np.triu(inner < 0, 1))
    if not len(i):
        return False
    whole = length[i] + length[j]
    across = np.sqrt(np.maximum(distance[near][i] * distance[near][j] - inner[i, j] ** 2, 0.0)) / whole
    differing = ((np.abs(ways[i]) > MAX_OFF * whole[:, None]) & (np.abs(ways[j]) > MAX_OFF * whole[:, None])).sum(
        axis=1
    )
    straight = (across < MAX_OFF * whole) & (differing >= MIN_INPUTS)
    return bool((straight & ~_is_fraction(length[i] / whole)).any())


def _is_fraction(place: Floats) -> npt.NDArray[np.bool_]:
    denominators = np.arange(1, MAX_FRACTION + 1)
    parts = place[:, None] * denominators
    return np.asarray((np.abs(parts - np.round(parts)) < denominators * 1e-4).any(axis=1))
