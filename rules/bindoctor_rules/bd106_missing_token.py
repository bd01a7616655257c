"""Cells that stand for a missing value are read as values."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

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
from bindoctor_rules._missing import with_imputer
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(100)]
QUESTION_MARKS = Table(
    {
        "age": ["?" if i % 10 == 0 else 20 + i * 37 % 60 for i in range(100)],
        "job": ["?" if i % 20 == 0 else "abc"[i % 3] for i in range(100)],
        "y": CLASSES,
    }
)
NOT_AVAILABLE = Table({"age": ["N/A" if i % 10 == 0 else 20 + i * 37 % 60 for i in range(100)], "y": CLASSES})
SENTINEL = Table({"days": [-999 if i % 10 == 0 else 20 + i * 37 % 60 for i in range(100)], "y": CLASSES})
CALLS = Table({"days": [-1 if i % 4 == 0 else i * 37 % 90 for i in range(100)], "y": CLASSES})
CHANGES = Table({"rank": [i * 37 % 90 - 9 for i in range(100)], "y": CLASSES})
NO_GUARANTOR = Table({"guarantor": ["none" if i % 4 else "parent" for i in range(100)], "y": CLASSES})


@rule(
    "BD106",
    severity=Severity.WARNING,
    scans=("cells",),
    flags=[
        example(
            "question marks",
            QUESTION_MARKS,
            Recipe(),
            says="'?' stands for a missing value in 15 cells of 'age' and 'job'",
        ),
        example(
            "N/A among numbers", NOT_AVAILABLE, Recipe(), says="'N/A' stands for a missing value in 10 cells of 'age'"
        ),
        example(
            "-999 among days", SENTINEL, Recipe(), says="'-999' in 10 cells of 'days' lies apart from all other values"
        ),
        example("-1 for never", CALLS, Recipe(), says="'-1' in 25 cells of 'days' is the only number below zero"),
    ],
    passes=[
        example("numbers on both sides of zero", CHANGES, Recipe()),
        example("read as missing", QUESTION_MARKS, Recipe().edited({"data.missing-tokens": ["?"]})),
        example("read as missing in that column", SENTINEL, Recipe().edited({"data.missing-values.days": ["-999"]})),
        example('"none" is an honest level', NO_GUARANTOR, Recipe()),
    ],
)
def missing_token(
    profile: Profile, recipe: Recipe, *, min_negative: float = 0.02, min_distinct: int = 11
) -> Iterator[Finding]:
    """Cells that stand for a missing value are read as values.

    Identifiers and running text are left alone ("Missing" is also a film). A negative number that is the only one of
    its column, in more than `min_negative` of the cells (fewer are impossible-value's) beside `min_distinct` numbers
    from zero on, is noted: -1 is "never called" in the bank marketing data. Of 160 real tables none has such a
    number without that meaning.

    ## Why it matters
    One "?" makes text of a number column, with a level for every number. A -999 that is read as an amount becomes the
    smallest value of the column, pulls its mean and spread, and teaches the model that the unknown is extreme. Whether
    a level such as "none" is meant as a value cannot be told from the cell, so only texts that no one uses as a level
    count, and numbers only where they repeat and lie apart from all other values. Of those, a run of nines above all
    others (999) may also be a ceiling, as 99999 is for the capital gains of the Adult data, so that reading it as
    missing has to win its trial.

    ## When to ignore it
    When the token is a level with a meaning of its own ("-" as a blood group), or the number is real.

    ## References
    - Pearson, R. K. (2006). The problem of disguised missing data. SIGKDD Explorations 8(1).
    - Qahtan, A. A., Elmagarmid, A., Castro Fernandez, R., Ouzzani, M., & Tang, N. (2018). FAHES: a robust disguised
      missing values detector. KDD.
    """
    places: dict[str, dict[str, int]] = defaultdict(dict)
    for column in profile.columns.values():
        if column.identifier or column.role == "text":
            continue
        sentinels = {text: count for text, count in column.tokens if _is_number(text)}
        for text, count in column.tokens:
            if text not in sentinels:
                places[text][column.name] = count
        if sentinels:
            yield _sentinels(column, sentinels, recipe)
        elif only := _only_negative(column, min_negative, min_distinct):
            yield _negative(column, *only, recipe, {"min_negative": min_negative, "min_distinct": min_distinct})
    if places:
        yield _words(places, recipe)


def _words(places: Mapping[str, Mapping[str, int]], recipe: Recipe) -> Finding:
    everywhere = [text for text, columns in places.items() if text == "?" or len(columns) > 1]
    edits: dict[str, list[str]] = {"data.missing-tokens+": everywhere} if everywhere else {}
    for text, columns in places.items():
        if text not in everywhere:
            for name in columns:
                path = f"data.missing-values.{name}"
                edits[path] = [*edits.get(path, recipe.data.missing_values.get(name, ())), text]
    affected = list(dict.fromkeys(name for columns in places.values() for name in columns))
    cells = sum(count for columns in places.values() for count in columns.values())
    stand = "stands" if len(places) == 1 else "stand"
    return Finding(
        f"{listed(list(places))} {stand} for a missing value in {counted(cells, 'cell')} of {listed(affected)}",
        Where("recipe", "data.missing-tokens"),
        {"tokens": {text: dict(columns) for text, columns in places.items()}, "columns": affected},
        (Fix(f"Read {listed(list(places))} as missing", edits, Aim.CORRECT),),
    )


def _sentinels(column: ColumnProfile, sentinels: Mapping[str, int], recipe: Recipe) -> Finding:
    name, texts = column.name, list(sentinels)
    known = recipe.data.missing_values.get(name, ())
    edits: Mapping[str, Any] = {f"data.missing-values.{name}": [*known, *texts]}
    certain = all(text.startswith("-") for text in texts)
    if not certain:
        # After a correction missing-values offers an imputer; an improvement's trial has to bring its own.
        edits = with_imputer(edits, column, recipe)
    return Finding(
        f"{listed(texts)} in {counted(sum(sentinels.values()), 'cell')} of '{name}' "
        f"{'lies' if len(texts) == 1 else 'lie'} apart from all other values, as a code for a missing value does",
        Where("column", name),
        {"tokens": dict(sentinels)},
        (Fix(f"Read {listed(texts)} in '{name}' as missing", edits, Aim.CORRECT if certain else Aim.IMPROVE),),
        Confidence.MEDIUM,
    )


def _only_negative(column: ColumnProfile, min_negative: float, min_distinct: int) -> tuple[str, int] | None:
    """Return the one negative number of a column, as written, and its rows."""
    moments, spread = column.moments, column.distribution
    if moments is None or spread is None or not moments.minimum.is_integer() or moments.minimum >= 0:
        return None
    below = spread.highs < 0
    rows = int(spread.totals[below].sum())
    alone = below.sum() == 1 and spread.lows[0] == spread.highs[0]
    if not alone or column.distinct <= min_distinct or rows <= min_negative * column.count:
        return None
    return f"{moments.minimum:.0f}", rows


def _negative(column: ColumnProfile, text: str, rows: int, recipe: Recipe, limits: Mapping[str, float]) -> Finding:
    known = recipe.data.missing_values.get(column.name, ())
    edits = with_imputer({f"data.missing-values.{column.name}": [*known, text]}, column, recipe)
    return Finding(
        f"'{text}' in {counted(rows, 'cell')} of '{column.name}' is the only number below zero, as a code is",
        Where("column", column.name),
        {"tokens": {text: rows}, **limits},
        (Fix(f"Read '{text}' in '{column.name}' as missing", edits),),
        Confidence.MEDIUM,
        Severity.NOTE,
    )


def _is_number(text: str) -> bool:
    return any(character.isdigit() for character in text)
