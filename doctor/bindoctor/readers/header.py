"""Tells whether the first row of a table names the columns, and gives every column a name of its own."""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from bindoctor.readers.cells import kind_of, kind_of_all

MIN_RECURRING_SHARE = 0.5


class HeaderGuess(msgspec.Struct, frozen=True):
    """Whether the first row is a header, and what speaks against it ("" where nothing does)."""

    header: bool
    doubt: str = ""


def guess_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> HeaderGuess:
    """Compare the first row with the rows below it, column by column.

    Text over numbers or dates is a name. A number over numbers is data, and so is a text that comes again among the
    few levels below it; one that does not come again is more likely a name. Numbers that count 0, 1, 2, … or 1, 2, 3, …
    are names as well: arrays are saved with such a header.

    Args:
        first: the cells of the row in question.
        below: rows of the same width.
    """
    if not below:
        return HeaderGuess(not first or any(kind_of(cell) not in ("number", "missing") for cell in first))
    columns = list(zip(*below, strict=True))
    # A joined file repeats its header: such rows say nothing about the levels of a column.
    others = [row for row in below if list(row) != list(first)]
    levels = [Counter(column) for column in zip(*others, strict=True)] if others else [Counter[str]() for _ in first]
    names: list[tuple[str, Sequence[str]]] = []
    values: list[tuple[str, Sequence[str]]] = []
    likely_names = likely_values = 0
    for cell, column, counts in zip(first, columns, levels, strict=True):
        kind, below_kind = kind_of(cell), kind_of_all(column)
        if kind == "missing" or below_kind == "missing":
            continue
        if below_kind in ("number", "date"):
            (values if kind == below_kind else names).append((cell, column))
        elif len(counts) * 2 <= len(others):
            likely_values += cell in counts
            likely_names += cell not in counts
    if names:
        numbers = [cell for cell, _ in values]
        said = f"the names {', '.join(map(repr, numbers[:3]))} are values like those below them" if numbers else ""
        return HeaderGuess(True, "" if _counts_up(numbers) else said)
    if values:
        if _counts_up(first[1:] if kind_of(first[0]) == "missing" else first):
            return HeaderGuess(True, "the names are numbers")
        if likely_names > len(values) and all(_outside(cell, column) for cell, column in values):
            return HeaderGuess(True, "some of the names are numbers")
        return HeaderGuess(False)
    if likely_values >= 2 and likely_values >= MIN_RECURRING_SHARE * (likely_values + likely_names):
        return HeaderGuess(False)
    return HeaderGuess(True, "" if likely_names else "all columns hold text, and nothing tells names from values")


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give every column a name of its own, as pandas does: "Unnamed: 3" for none, "x.1" for the second "x".

    Returns:
        The names, and those of them that are not in the file. Names may still clash ("x", "x", "x.1").
    """
    seen: Counter[str] = Counter()
    columns, made = [], []
    for position, name in enumerate(names):
        column = (f"{name}.{seen[name]}" if seen[name] else name) or f"Unnamed: {position}"
        if column != name:
            made.append(column)
        columns.append(column)
        seen[name] += bool(name)
    return tuple(columns), tuple(made)


def _counts_up(names: Sequence[str]) -> bool:
    return len(names) >= 2 and any(
        list(names) == [str(start + position) for position in range(len(names))] for start in (0, 1)
    )


def _outside(cell: str, column: Sequence[str]) -> bool:
    """Tell whether a number lies outside the range of those below it."""
    if kind_of(cell) != "number":
        return False
    numbers = [float(text.replace(",", ".")) for text in column if kind_of(text) == "number"]
    return not min(numbers) <= float(cell.replace(",", ".")) <= max(numbers)


def free_name(taken: Collection[str], wanted: str) -> str:
    """Return a name for one more column: the wanted one, or with a number behind it where that is taken."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
