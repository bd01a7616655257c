"""How many rows a validation score is of, read off the steps that it moves in."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bindoctor import History, Task

MAX_ROWS = 5000
MAX_CHANCE = 0.01
SINGLE_PRECISION = 2e-7
"""What a score in [0, 1] is off by at most after it was held in 32 bits."""


class ValidRows(NamedTuple):
    """A number of rows, and how many different scores it was read off; 0 where it was told."""

    rows: int
    scores: int


def valid_rows(history: History, task: Task | None, accuracies: Sequence[float]) -> ValidRows | None:
    """Return how many rows the validation scores are of: as told, or the smallest number that fits all accuracies.

    A number that fits is taken for chance, and None returned, where so many scores as these, rounded as they are,
    would with a probability of 1% or more fit it or a smaller one.
    """
    if task is not None and task.valid_rows:
        return ValidRows(task.valid_rows, 0)
    scores = np.unique([score for score in accuracies if 0 < score < 1])
    if len(scores) < 2:
        return None
    off = _rounding(scores.tolist())
    rows = np.arange(2, MAX_ROWS + 1)
    products = rows[:, None] * scores[None, :]
    fits = np.all(np.abs(products - np.round(products)) <= off * rows[:, None] + 1e-9, axis=1)
    if not fits.any():
        return None
    smallest = int(rows[int(fits.argmax())])
    # The sum over m <= n of (2 m off)^k, for k scores.
    chance = (k := len(scores)) * math.log(2 * off) + (k + 1) * math.log(smallest) - math.log(k + 1)
    return ValidRows(smallest, len(scores)) if chance < math.log(MAX_CHANCE) else None


def _rounding(scores: Sequence[float]) -> float:
    """Return how far the logged scores can be off, from the decimals that they have."""
    decimals = max(len(f"{score:.12g}".partition(".")[2]) for score in scores)
    return max(0.5 * 10.0**-decimals, SINGLE_PRECISION)
