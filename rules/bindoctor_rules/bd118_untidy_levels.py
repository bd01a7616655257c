"""One level of a text column is written in several ways."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._spelling import spellings, tidy
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
CASES = Table({"city": [["Berlin", "Paris", "berlin", "Rome"][i * 7 % 20 % 4] for i in range(200)], "y": CLASSES})
INVISIBLE = Table(
    {
        "job": ["nurse " if i % 20 == 3 else ("nurse", "clerk", "cook")[i % 3] for i in range(200)],
        "plan": ["gold\u200b" if i % 25 == 3 else ("gold", "basic")[i % 2] for i in range(200)],
        "y": CLASSES,
    }
)
PADDED = Table({"job": [(" nurse", " clerk", " cook")[i * 7 % 11 % 3] for i in range(200)], "y": CLASSES})
GRADES = Table(
    {"grade": ["aAbB"[i * 7 % 40 % 4] for i in range(200)], "y": ["yes" if i * 7 % 2 else "no" for i in range(200)]}
)
DISTINCT = Table({"job": [("nurse", "night nurse", "cook")[i * 7 % 11 % 3] for i in range(200)], "y": CLASSES})


@rule(
    "BD118",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
    flags=[
        example("capitals", CASES, Recipe(), says="'city' writes one level in several ways: 'Berlin' is also 'berlin'"),
        example(
            "blanks and characters that do not show",
            INVISIBLE,
            Recipe(),
            says="'job' and 'plan' write 2 levels in several ways: 'nurse' is also 'nurse '",
        ),
        example("a blank in every cell", PADDED, Recipe(), says="all 200 cells of 'job' have blanks around them"),
    ],
    passes=[
        example("tidied", CASES, Recipe().edited({"data.tidy": ["city"]})),
        example("levels that differ in more", DISTINCT, Recipe()),
        example("one-letter codes that tell the classes apart", GRADES, Recipe()),
        example("dropped", CASES, Recipe().edited({"data.drop": ["city"]})),
    ],
)
def untidy_levels(
    profile: Profile,
    *,
    min_share: float = 0.01,
    max_code_length: int = 2,
    min_standard_errors: float = 3.0,
) -> Iterator[Finding]:
    """Levels of a text column differ only in case, in blanks or in characters that do not show.

    Codes of up to `max_code_length` letters that differ in case are one level only as long as the shares of their
    classes are within `min_standard_errors` of each other: "t" and "T" may be two grades, but then they go with
    different outcomes. With fewer than `min_share` of a column's cells in rarer spellings, in every column, the finding
    is a note. Columns in which blanks surround cells without making two levels of one, as they surround every
    text in the UCI Adult file, are noted only. Where a column has more levels than the scan keeps, those among up to
    20 000 rows are compared. Identifiers, dates and running text are left alone. On 160 real tables, nearly all of them
    published and cleaned before, no column that is meant as it is was reported.

    ## Why it matters
    Every spelling becomes a level of its own: the rows that describe "Berlin" are split between it and "berlin", the
    rarer spelling has too few to learn from, and a spelling that a new row brings is unknown. A blank in front of every
    cell does no harm until a row comes from elsewhere without it.

    ## When to ignore it
    Where the spelling itself tells something, as a source that writes in capitals, or where case has a meaning, as in
    gene symbols.

    ## References
    - Rahm, E., & Do, H. H. (2000). Data cleaning: problems and current approaches. IEEE Data Engineering Bulletin
      23(4).
    - Cerda, P., Varoquaux, G., & Kégl, B. (2018). Similarity encoding for learning with dirty categorical variables.
      Machine Learning 107.
    - Unicode Standard Annex 44, general category Cf (format characters).
    """
    limits = {"min_share": min_share, "max_code_length": max_code_length, "min_standard_errors": min_standard_errors}
    columns = [column for column in profile.categories if column.role == "category"]
    found: dict[str, list[list[str]]] = {}
    cells: dict[str, int] = {}
    loud = False
    for column in columns:
        counts = _counts(column, profile)
        groups = [g for g in spellings(counts) if _is_one(g, column, max_code_length, min_standard_errors)]
        if groups:
            found[column.name] = groups
            cells[column.name] = sum(counts[text] for group in groups for text in group[1:])
            loud |= cells[column.name] >= min_share * sum(counts.values())
    if found:
        yield _several_ways(found, cells, Severity.WARNING if loud else Severity.NOTE, limits)
    padded = [column for column in columns if column.padded and column.name not in found]
    if padded:
        yield _blanks(padded)


def _counts(column: ColumnProfile, profile: Profile) -> Mapping[str, int]:
    if column.levels_complete or profile.sample is None:
        return {level.value: level.count for level in column.levels}
    return Counter(text for text in profile.sample.features[column.name].to_list() if text is not None)


def _is_one(group: list[str], column: ColumnProfile, max_code_length: int, min_standard_errors: float) -> bool:
    if len(tidy(group[0])) > max_code_length or len({" ".join(text.split()) for text in group}) == 1:
        return True
    by_class = {level.value: level.by_class for level in column.levels}
    return not _differ(np.array([by_class[t] for t in group if t in by_class]), min_standard_errors)


def _differ(table: npt.NDArray[np.int64], min_standard_errors: float) -> bool:
    """Tell whether class shares of levels, shape (levels, classes), are that many standard errors off the first."""
    sizes = table.sum(axis=1, keepdims=True)
    if len(table) < 2 or not sizes.all():
        return False
    pooled = table.sum(axis=0) / sizes.sum()
    # Against the commonest; one row more in the variance, as so few rows are far from normal.
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes[1:] + 1 / sizes[0]) + 1 / sizes[1:] ** 2)
    return bool((np.abs(table[1:] / sizes[1:] - table[0] / sizes[0]) > min_standard_errors * error).any())


def _several_ways(
    found: Mapping[str, list[list[str]]],
    cells: Mapping[str, int],
    severity: Severity,
    limits: Mapping[str, float],
) -> Finding:
    names, rows = list(found), sum(cells.values())
    levels = sum(map(len, found.values()))
    shown = max((group for groups in found.values() for group in groups), key=len)
    return Finding(
        f"{listed(names)} {'writes' if len(names) == 1 else 'write'} "
        f"{'one level' if levels == 1 else f'{levels} levels'} in several ways: {_written(shown[0])} is also "
        f"{' and '.join(_written(text) for text in shown[1:4])}{' and more' if len(shown) > 4 else ''}; "
        f"{counted(rows, 'cell')} {'has' if rows == 1 else 'have'} the rarer spelling",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.tidy"),
        {
            "spellings": {name: {group[0]: group[1:] for group in groups[:20]} for name, groups in found.items()},
            "cells": dict(cells),
            **limits,
        },
        (
            Fix(
                f"Read {listed(names)} without blanks, invisible characters and case",
                {"data.tidy+": names},
                Aim.CORRECT,
            ),
        ),
        Confidence.HIGH
        if any(len(g[0]) > limits["max_code_length"] for groups in found.values() for g in groups)
        else Confidence.MEDIUM,
        severity,
    )


def _blanks(padded: list[ColumnProfile]) -> Finding:
    names = [column.name for column in padded]
    cells, count = sum(column.padded for column in padded), sum(column.count for column in padded)
    return Finding(
        f"{'all ' if cells == count else ''}{cells}{'' if cells == count else f' of {count}'} cells of {listed(names)} "
        "have blanks around them",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.tidy"),
        {"columns": names, "padded": {column.name: column.padded for column in padded}, "count": count},
        (Fix(f"Read {listed(names)} without blanks around the texts", {"data.tidy+": names}, Aim.CORRECT),),
        severity=Severity.NOTE,
    )


def _written(text: str) -> str:
    """Return a text in quotes with its invisible characters spelled out."""
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) + "'"
