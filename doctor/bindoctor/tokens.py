"""Texts and numbers that stand for a missing value without being read as one."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.series import taken

ALWAYS = frozenset(
    [
        "?",
        "??",
        "n/a",
        "#n/a",
        "#na",
        "<na>",
        "n.a.",
        "na",
        "nan",
        "-nan",
        "null",
        "#null!",
        "\\n",
        "missing",
        "(missing)",
        "<null>",
        "(null)",
        "(blank)",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
        "#name?",
    ]
)
UNLESS_PLUS = frozenset(["-", "--", "---", "."])
AMONG_NUMBERS = frozenset(["none", "nil", "unknown", "unk", "not available", "not applicable", "nd", "tbd", "x", "*"])
LOOKALIKES = ALWAYS | UNLESS_PLUS | AMONG_NUMBERS
LONGEST = max(map(len, LOOKALIKES))

SENTINELS = frozenset([-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0])
MIN_NUMBER_SHARE = 0.9


def count_lookalikes(texts: pl.Series, counts: npt.NDArray[np.int64]) -> dict[str, int]:
    """Count the cells that may stand for a missing value, depending on their column.

    Args:
        texts: cells without blanks around them and without nulls, shape (n,).
        counts: how often each stands there, shape (n,).
    """
    short = np.flatnonzero((texts.str.len_bytes() <= LONGEST).to_numpy())
    alike = taken(texts, short).str.to_lowercase().is_in(sorted(LOOKALIKES)).to_numpy()
    found: dict[str, int] = {}
    for text, count in zip(taken(texts, short[alike]).to_list(), counts[short[alike]].tolist(), strict=True):
        found[text] = found.get(text, 0) + count
    return found


def missing_texts(
    lookalikes: Mapping[str, int], *, count: int, parsed: int, texts: Sequence[str]
) -> Iterator[tuple[str, int]]:
    """Choose among the look-alikes of a column those that do stand for a missing value, and how often they occur.

    A false alarm throws an honest level away, so words that are plausible levels ("none", "unknown": no other debtors,
    purpose unknown) count only in a column whose other cells are numbers. "?", "n/a", "nan", "null" and "missing" are
    nobody's level and always count. Two exceptions: "na" is a code among two-letter codes (Namibia), and a dash is a
    level beside "+".

    Args:
        lookalikes: what ``count_lookalikes`` found, with counts.
        count: non-missing cells of the column.
        parsed: those of them that are numbers.
        texts: the column's levels, as far as they are known.
    """
    levels = [text.strip() for text in texts]
    others = [text for text in levels if text.lower() not in LOOKALIKES]
    codes = bool(others) and all(len(text) == 2 and text.isalpha() for text in others)
    numeric = parsed > 0 and parsed >= MIN_NUMBER_SHARE * (count - sum(lookalikes.values()))
    for text, occurrences in sorted(lookalikes.items(), key=lambda item: (-item[1], item[0])):
        lowered = text.lower()
        if lowered in AMONG_NUMBERS and not numeric:
            continue
        if (lowered in UNLESS_PLUS and "+" in levels) or (lowered == "na" and codes):
            continue
        yield text, occurrences


def sentinels(values: Sequence[float], counts: Sequence[int]) -> Iterator[tuple[float, int]]:
    """Find numbers such as −999 that stand for a missing value, and how often they occur.

    A sentinel is the smallest or largest value of its column, occurs more than once, and lies further from the next
    value than all the others are apart (three times as far when only two others are left): −1 beside 0 and 1 is a
    level.

    Args:
        values: the column's distinct numbers, ascending; bin edges do as well where there are too many.
        counts: how often each occurs.
    """
    low, high = 0, len(values) - 1
    while high - low >= 2:
        spread_below, spread_above = values[high - 1] - values[low], values[high] - values[low + 1]
        need = 3.0 if high - low == 2 else 1.0
        if values[low] in SENTINELS and counts[low] > 1 and values[low + 1] - values[low] > need * spread_above:
            yield values[low], counts[low]
            low += 1
        elif values[high] in SENTINELS and counts[high] > 1 and values[high] - values[high - 1] > need * spread_below:
            yield values[high], counts[high]
            high -= 1
        else:
            return
