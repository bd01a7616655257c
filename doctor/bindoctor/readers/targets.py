"""Finds the target column of a table."""

import difflib
from collections.abc import Collection

from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.readers.wrappers import ChosenColumnsSource

TARGET_NAMES = ("target", "label", "class", "y", "outcome", "labels", "classes", "response", "y_true")
MAX_GUESSED_LEVELS = 20


def open_dataset(source: Source, target: str | None, positive: str = "") -> Dataset:
    """Pair a source with its target column.

    A target is a column's name, whatever the blanks around it and its case if one column only fits so, or else a
    0-based position. Without a target, a column with a usual
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


def part_of(source: Source, part: Source, name: str, optional: Collection[str] = ()) -> Source:
    """Return rows from another file with the columns of ``source`` only; a remark tells of columns left out.

    Args:
        source: the data set.
        part: the rows.
        name: what they are: "valid" or "test".
        optional: columns that it may lack, such as the target of rows that nobody has labelled; they are then missing
            in every row.

    Raises:
        InputError: other columns of the data set are missing.
    """
    missing = [column for column in source.columns if column not in part.columns and column not in optional]
    if missing:
        raise InputError(
            f"{part.name}: the {name} file lacks the column{'s' * (len(missing) > 1)} "
            f"{', '.join(map(repr, missing[:5]))}{' …' * (len(missing) > 5)} of {source.name}; give one with the same."
        )
    return part if part.columns == source.columns else ChosenColumnsSource(part, source.columns)


def _named(source: Source, target: str) -> str:
    if target in source.columns:
        return target
    alike = [name for name in source.columns if name.strip().casefold() == target.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
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
