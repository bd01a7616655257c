"""Tells what kind of value a cell's text is: a number, a date, missing, or other text."""

import re
from collections.abc import Sequence
from typing import Literal

from bindoctor.tokens import ALWAYS

Kind = Literal["missing", "number", "date", "text"]

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
COMMA_NUMBER = r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?"
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?")


def kind_of(cell: str) -> Kind:
    """Return the kind of a cell; a comma may be the decimal sign."""
    text = cell.strip()
    if NUMBER.fullmatch(text):
        return "number"
    if not text or text.lower() in ALWAYS:
        return "missing"
    if re.fullmatch(COMMA_NUMBER, text):
        return "number"
    return "date" if DATE.fullmatch(text) else "text"


def kind_of_all(cells: Sequence[str]) -> Kind:
    """Return the kind that all cells of a column have, the missing ones aside; "text" when they differ."""
    kinds = {kind_of(cell) for cell in set(cells)} - {"missing"}
    if len(kinds) > 1:
        return "text"
    return next(iter(kinds), "missing")


def writes_decimal_commas(cells: Sequence[str]) -> bool | None:
    """Tell whether the numbers of a column have a decimal comma; None when it may be either, or there is no number.

    "1,234" alone may be a thousand, "1,234,567" is one, and "1.5" is a number with a point.
    """
    seen: bool | None = None
    for cell in cells:
        text = cell.strip()
        if kind_of(text) == "missing":
            continue
        if re.fullmatch(COMMA_NUMBER, text):
            seen = seen or (None if THOUSANDS.fullmatch(text) else True)
        elif not re.fullmatch(r"[+-]?\d+", text):
            return False
    return seen
