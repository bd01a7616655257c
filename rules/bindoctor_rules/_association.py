"""How far one column alone answers the target, from counts of its values by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Profile

BINS = 20

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Parts:
    """The labelled rows of each of m values of a column, counted by class.

    Attributes:
        written: all values that the scan counted, as written; ``None`` is missing, and zero is one value of a number
            column, however written.
        places: where in ``written`` the values are, shape (m,).
        numbers: the values as numbers, NaN where they are none, shape (m,).
        table: rows by value and class, none of them empty, shape (m, classes).
        absent: whether the value stands for "nothing there": missing, zero, or a token such as "?", shape (m,).
    """

    written: Sequence[str | None]
    places: Counts
    numbers: npt.NDArray[np.float64]
    table: Counts
    absent: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.table)

    def value(self, part: int) -> str | None:
        """Return a value as written."""
        return self.written[int(self.places[part])]


class Answer(NamedTuple):
    """One value of a column against all other rows, taken as the answer to "is it this class?".

    Attributes:
        value: the value as written, ``None`` when it is missing.
        absent: whether it stands for "nothing there".
        label: the class that is asked for.
        inside: whether the value's rows are answered "yes" and the others "no", or the reverse.
        agreement: share of the rows that are answered right.
        removed: share of the errors of always answering the commoner side that are gone.
        rare: rows of the rarer side.
    """

    value: str | None
    absent: bool
    label: str
    inside: bool
    agreement: float
    removed: float
    rare: int


def parts_of(column: ColumnProfile, profile: Profile) -> Parts:
    """Return the parts that the scan counted: missing cells, zeros of a number column, the levels if it kept all."""
    values: list[str | None] = [None]
    numbers, table, absent = [np.full(1, np.nan)], [np.array([column.missing_by_class])], [True]
    if column.moments:
        values.append("0")
        numbers.append(np.zeros(1))
        table.append(np.array([column.moments.zeros_by_class]))
        absent.append(True)
    levels = column.levels
    if column.levels_complete and len(levels):
        tokens = {text for text, _ in column.tokens}
        values += levels.texts
        numbers.append(levels.numbers)
        table.append(levels.by_class.T)
        absent += [text in tokens for text in levels.texts] if tokens else [False] * len(levels)
    every, as_numbers = np.concatenate(table), np.concatenate(numbers)
    there = np.asarray(every.any(axis=1))
    if column.moments:
        # Zeros have been counted together, as the second part.
        there[2:] &= as_numbers[2:] != 0
    kept = np.flatnonzero(there)
    return Parts(values, kept, as_numbers[kept], every[kept], np.array(absent, dtype=np.bool_)[kept])


def best_answer(parts: Parts, profile: Profile) -> Answer | None:
    """Return the part that, against all other rows, tells one class from the others with the fewest errors."""
    if not len(parts):
        return None
    classes, rows = np.array(profile.class_counts), profile.labelled
    inside = parts.table.sum(axis=1, keepdims=True) + classes - 2 * parts.table
    errors = np.minimum(inside, rows - inside)
    rare = np.minimum(classes, rows - classes)
    removed = np.where(rare > 0, 1 - errors / np.maximum(rare, 1), 0.0)
    which = np.unravel_index(int(removed.argmax()), removed.shape)
    # Of two classes, each answers the same question; ask for the positive one.
    part, label = int(which[0]), 1 if len(classes) == 2 else int(which[1])
    return Answer(
        parts.value(part),
        bool(parts.absent[part]),
        profile.classes[label],
        bool(inside[part, label] <= errors[part, label]),
        float(1 - errors[part, label] / rows),
        float(removed[part, label]),
        int(rare[label]),
    )


def errors_removed(column: ColumnProfile, parts: Parts, profile: Profile) -> float:
    """Return the share of the majority answer's errors that answering by the column's values removes.

    Each row is answered by the majority of the *other* rows with its value, so that values of a single row answer
    nothing. A number column of many values is also cut into 20 ranges of about equally many rows, and the better of
    both counts.
    """
    baseline = profile.labelled - max(profile.class_counts)
    if not column.levels_complete or not baseline or not len(parts):
        return 0.0
    tables = [parts.table]
    if column.moments and column.distinct > BINS:
        tables.append(_ranges(parts))
    return max(1 - (profile.labelled - _right(table)) / baseline for table in tables)


def binary_auc(column: ColumnProfile, profile: Profile, min_rows: int) -> float:
    """Return the AUC of a number column for a binary target, 0.5 where too few rows of a class have a value."""
    present = np.array(profile.class_counts) - column.missing_by_class
    if column.moments is None or len(present) != 2 or present.min() < min_rows:
        return 0.5
    return column.moments.auc


def class_distance(column: ColumnProfile, profile: Profile, min_rows: int) -> float:
    """Return how far one class lies from all others in a number column, in standard deviations; 0 if not known.

    The distance of two classes is that of their means over the larger of their standard deviations; the class that is
    furthest from its nearest neighbour counts, among those of ``min_rows`` rows. 0 where values are missing
    or do not vary within classes.
    """
    rows = np.array(profile.class_counts)
    moments, present = column.moments, rows > 0
    if moments is None or present.sum() < 2 or sum(column.missing_by_class):
        return 0.0
    mean, spread = np.array(moments.mean_by_class)[present], np.array(moments.std_by_class)[present]
    with np.errstate(all="ignore"):
        apart = np.abs(mean[:, None] - mean) / np.maximum(spread[:, None], spread)
    np.fill_diagonal(apart, np.inf)
    nearest = np.nan_to_num(apart.min(axis=1), posinf=0.0)[rows[present] >= min_rows]
    return float(nearest.max(initial=0.0))


def one_class_side(
    column: ColumnProfile, parts: Parts, profile: Profile, *, min_rows: int, max_class_share: float
) -> str:
    """Describe the rows with, or without, a value that hold one class only; "" if there are none.

    Only present against absent and one of two values are looked at: among many values some hold one class by chance.
    """
    name, total = column.name, np.array(profile.class_counts)
    for part in np.flatnonzero(parts.absent | (len(parts) == 2)).tolist():
        value, by_class = parts.value(part), parts.table[part]
        here = f"without '{name}'" if value is None else f"where '{name}' is '{value}'"
        there = f"with '{name}'" if value is None else f"where '{name}' is not '{value}'"
        for side, words in ((by_class, here), (total - by_class, there)):
            rows, label = int(side.sum()), int(side.argmax())
            if rows >= min_rows and side[label] == rows and total[label] <= max_class_share * profile.labelled:
                return f"all {rows} rows {words} are '{profile.classes[label]}'"
    return ""


def _ranges(parts: Parts) -> Counts:
    missing = np.isnan(parts.numbers)
    table = parts.table[~missing][np.argsort(parts.numbers[~missing], kind="stable")]
    below = table.sum(axis=1).cumsum() - table.sum(axis=1)
    starts = np.searchsorted(below, np.linspace(0, table.sum(), BINS, endpoint=False))
    ranges = np.add.reduceat(table, np.unique(starts[starts < len(table)]), axis=0)
    return np.vstack([ranges, parts.table[missing]])


def _right(table: Counts) -> int:
    """Count the rows that the majority of the other rows in their part answers right; a tie answers none."""
    ordered = np.sort(table, axis=1)
    first, second = ordered[:, -1], ordered[:, -2]
    return int(first[first - 1 > second].sum())
