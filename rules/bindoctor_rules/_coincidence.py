"""How many rows of a part would stand among the training rows by chance."""

import math

from bindoctor import ColumnProfile, Part, Profile


def overlap_by_chance(training: Profile, part: Profile) -> float:
    """Return how many of the part's rows would equal a training row if columns were independent within each class.

    How often two cells are equal follows from how often each value occurs on both sides; where a side's values are too
    many to be counted, from how many there are. Rows without a target are held against all training rows. Arrays have
    too many cells to be equal by chance.
    """
    if training.row_shape:
        return 0.0
    theirs = {label: code for code, label in enumerate(part.classes)}
    if not any(part.class_counts):
        return _rows_met(training, part, None, None, part.rows, training.rows)
    return sum(
        _rows_met(training, part, code, theirs[label], part.class_counts[theirs[label]], training.class_counts[code])
        for code, label in enumerate(training.classes)
        if label in theirs
    )


def is_coincidence(training: Profile, part: Part, rows: int, max_by_chance: float) -> tuple[bool, float]:
    """Tell whether chance explains this share of ``rows`` shared rows, and how many it explains."""
    by_chance = overlap_by_chance(training, part.profile)
    return by_chance >= max_by_chance * rows, by_chance


def _rows_met(training: Profile, part: Profile, code: int | None, other: int | None, rows: int, among: int) -> float:
    """Return how many of ``rows`` equal one of ``among`` rows; codes None: whatever their class."""
    if not rows or not among:
        return 0.0
    equal = 1.0
    for name, column in training.columns.items():
        equal *= _equal_share(column, part.columns[name], code, other, rows, among)
        if equal * among < 1e-9:
            return 0.0
    return rows * -math.expm1(-equal * among)


def _equal_share(
    column: ColumnProfile, theirs: ColumnProfile, code: int | None, other: int | None, rows: int, among: int
) -> float:
    if not (column.levels_complete and theirs.levels_complete):
        return max(column.count / column.distinct - 1, 0) / column.count
    counts = {_same(level.value): _of(level.by_class, level.count, code) for level in column.levels}
    pairs = sum(_of(level.by_class, level.count, other) * counts.get(_same(level.value), 0) for level in theirs.levels)
    pairs += _of(theirs.missing_by_class, theirs.missing, other) * _of(column.missing_by_class, column.missing, code)
    return pairs / (rows * among)


def _of(by_class: tuple[int, ...], total: int, code: int | None) -> int:
    return total if code is None else by_class[code]


def _same(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
