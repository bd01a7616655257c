"""Whether a column looks like the time until the outcome, as in survival data that is used for classification."""

import re
from math import lgamma, log
from typing import NamedTuple

import numpy as np

from bindoctor import ColumnProfile, Profile

WORDS = {"time", "days", "week", "weeks", "month", "months", "duration", "tenure", "survival", "surv", "followup", "fu"}
ENDINGS = ("time", "duration")
MIN_ROWS = 20
MIN_SHARE = 0.02
TIME_NUMBER = re.compile(r"t\d?")


class Stretch(NamedTuple):
    """The lowest or highest values of a column, up to the first row of a second class.

    Attributes:
        label: the only class in it.
        rows: its rows.
        limit: the value at which it ends.
        above: whether it is the upper end.
        log_chance: log of the probability that so many rows drawn at random all have this class.
    """

    label: str
    rows: int
    limit: float
    above: bool
    log_chance: float


def time_to_outcome(column: ColumnProfile, profile: Profile, max_chance: float) -> str:
    """Describe the one-class end of a column that is named like a length of time; "" if there is none.

    An end counts from 2% of the rows on, and 20, if drawing so many of one class is less likely than ``max_chance``.
    """
    if not is_named_like_a_duration(column.name):
        return ""
    end = one_class_stretch(column, profile)
    if end is None or end.rows < max(MIN_ROWS, MIN_SHARE * profile.labelled) or end.log_chance > log(max_chance):
        return ""
    limit = f"at least {end.limit:g}" if end.above else f"at most {end.limit:g}"
    return f"'{column.name}' looks like the time until the outcome: all {end.rows} rows of {limit} are '{end.label}'"


def is_named_like_a_duration(name: str) -> bool:
    """Tell whether a word of a name says that the column is a length of time ("survival time", "futime", "days")."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    return any(word in WORDS or word.endswith(ENDINGS) for word in words) or bool(
        TIME_NUMBER.fullmatch(name.lower().strip())
    )


def one_class_stretch(column: ColumnProfile, profile: Profile) -> Stretch | None:
    """Return the less likely of a number column's two one-class ends, or ``None`` without a distribution."""
    spread = column.distribution
    if spread is None or spread.counts.sum() == 0:
        return None
    total = spread.counts.sum(axis=1)
    ends = []
    for above, counts, limits in (
        (False, spread.counts, spread.highs),
        (True, spread.counts[:, ::-1], spread.lows[::-1]),
    ):
        counted = counts.cumsum(axis=1)
        label = int(counted[:, np.flatnonzero(counted.sum(axis=0))[0]].argmax())
        pure = int((counted.sum(axis=0) == counted[label]).sum())
        rows = int(counted[label, pure - 1]) if pure else 0
        chance = _log_choose(int(total[label]), rows) - _log_choose(int(total.sum()), rows)
        ends.append(Stretch(profile.classes[label], rows, float(limits[pure - 1]), above, chance))
    return min(ends, key=lambda end: end.log_chance)


def _log_choose(rows: int, chosen: int) -> float:
    return lgamma(rows + 1) - lgamma(chosen + 1) - lgamma(rows - chosen + 1)
