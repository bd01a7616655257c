"""Reads which part of the data a row belongs to from a column that says so."""

import re

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.errors import InputError

TRAINING = frozenset({"train", "training", "learn", "learning", "development"})
VALIDATION = frozenset({"valid", "validation", "val", "dev", "eval", "evaluation", "tune", "tuning"})
TEST = frozenset({"test", "testing", "holdout", "hold-out", "heldout", "held-out", "oot", "out-of-time"})
HELD_OUT = VALIDATION | TEST
YES = frozenset({"1", "1.0", "true", "t", "yes", "y"})
NO = frozenset({"0", "0.0", "false", "f", "no", "n"})


def held_out_rows(source: str, column: str, levels: pl.Series) -> npt.NDArray[np.bool_]:
    """Tell which rows a column keeps back from training, bool of shape (n,).

    Levels such as "train", "valid", "val", "dev", "test" and "holdout" name the part; yes and no, in a column such as
    "is_test" or "train", say whether a row is in the part that the column's name names. Case, blanks and underscores do
    not matter.

    Args:
        source: what to call the data in a message.
        column: the column's name.
        levels: its cells, String of shape (n,).

    Raises:
        InputError: a cell is blank or names no part, or all rows are of one kind.
    """
    if levels.null_count():
        raise InputError(
            f"{source}: split.column names {column!r}, of which {levels.null_count()} cells are blank, so that their "
            "rows belong to no part; fill them in, or unset split.column."
        )
    known = {level: is_held_out(column, level) for level in levels.unique().sort().to_list()}
    unknown = [level for level, kept_back in known.items() if kept_back is None]
    if unknown:
        raise InputError(
            f"{source}: split.column names {column!r}, whose level {unknown[0]!r} names no part such as 'train', "
            "'valid' or 'test'; rename it, or unset split.column."
        )
    if len(set(known.values())) < 2:
        kind = "no row" if not any(known.values()) else "every row"
        raise InputError(f"{source}: split.column names {column!r}, which keeps {kind} back; unset split.column.")
    return levels.replace_strict(known, return_dtype=pl.Boolean).to_numpy()


def is_held_out(column: str, level: str) -> bool | None:
    """Tell whether a level of a column keeps its rows back from training; None if it names no part."""
    word = _word(level)
    if word in YES | NO:
        named = {is_held_out("", part) for part in _words(column)} - {None}
        return None if len(named) != 1 else named.pop() is (word in YES)
    name = _part_name(word)
    return name in HELD_OUT if name else None


def is_validation(column: str, level: str) -> bool:
    """Tell whether a level of a column keeps its rows back to validate on, and not to test."""
    word = _word(level)
    if word in YES | NO:
        return bool(is_held_out(column, level)) and any(_part_name(part) in VALIDATION for part in _words(column))
    return _part_name(word) in VALIDATION


def _part_name(word: str) -> str:
    """Return the known name of a part that a word is or begins with, or ""."""
    first = re.split(r"[-\d]", word, maxsplit=1)[0]
    return next((name for name in (word, first) if name in TRAINING | HELD_OUT), "")


def _words(column: str) -> list[str]:
    return re.split(r"[^a-z]+|(?<=is)(?=[a-z])", column.lower())


def _word(level: str) -> str:
    return re.sub(r"[\s_]+", "-", level.strip().lower())
