"""Finds the target column of a table."""

import difflib

from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError

TARGET_NAMES = ("target", "label", "class", "y", "outcome", "labels", "classes", "response", "y_true")
MAX_GUESSED_LEVELS = 20


def open_dataset(source: Source, target: str | None, positive: str = "") -> Dataset:
    """Pair a source with its target column.

    A target that is no column's name but a whole number is a 0-based position. Without a target, a column with a usual
    name (target, label, class, y, outcome …) is taken, else the last column if it has 2 to 20 levels;
    ``Dataset.guessed`` says which and why.

    Raises:
        InputError: there is no such column, with the nearest names, or no column can be guessed, with the candidates.
    """
    if target is not None:
        return Dataset(source, _named(source, target), positive)
    lowered = {name.strip().casefold(): name for name in reversed(source.columns)}
    for usual in TARGET_NAMES:
        if usual in lowered:
            return Dataset(source, lowered[usual], positive, guessed=f"a column named {lowered[usual]!r}")
    last = source.columns[-1]
    levels = _few_levels(source, last)
    if levels:
        return Dataset(source, last, positive, guessed=f"the last column, with {levels} levels")
    raise InputError(
        f"{source.name}: which column is the target? None has a usual name, and the last one does not have 2 to "
        f"{MAX_GUESSED_LEVELS} levels; name one with --target: {', '.join(source.columns)}."
    )


def _named(source: Source, target: str) -> str:
    if target in source.columns:
        return target
    if target.isascii() and target.isdigit() and int(target) < len(source.columns):
        return source.columns[int(target)]
    near = difflib.get_close_matches(target, source.columns, n=3) or list(source.columns[:10])
    raise InputError(f"{source.name}: there is no column {target!r}; did you mean {' or '.join(map(repr, near))}?")


def _few_levels(source: Source, column: str) -> int:
    """Return the number of levels if it is 2 to 20, else 0; reads on only while that is open."""
    levels: set[str] = set()
    for batch in source.batches([column]):
        levels.update(batch[column].drop_nulls().str.strip_chars().unique())
        if len(levels) > MAX_GUESSED_LEVELS:
            return 0
    return len(levels) if len(levels) >= 2 else 0
