"""A column of numbers is read as text because of a few cells."""

from collections.abc import Iterator

from bindoctor import Aim, ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._dress import dress_of
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(100)]
WEIGHTS = Table({"weight": ["heavy" if i % 25 == 3 else 40 + i * 37 % 53 for i in range(100)], "y": CLASSES})
DECKS = Table({"deck": ["roof" if i % 25 == 3 else i % 6 for i in range(100)], "y": CLASSES})
SALARIES = Table({"salary": [f"${30 + i * 37 % 53},{i * 53 % 900 + 100}" for i in range(100)], "y": CLASSES})
RATES = Table({"rate": [f"{5 + i * 37 % 53 / 4}%" for i in range(100)], "y": CLASSES})
SEATS = Table({"seat": [f"{1 + i * 37 % 53}{'ABC'[i % 3]}" for i in range(100)], "y": CLASSES})
QUESTION_MARKS = Table({"age": ["?" if i % 25 == 3 else 20 + i * 37 % 53 for i in range(100)], "y": CLASSES})


@rule(
    "BD117",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
    flags=[
        example(
            "a word among weights",
            WEIGHTS,
            Recipe(),
            says="'weight' is text, but 96 of 100 cells are numbers; the 4 others are such as 'heavy'",
        ),
        example(
            "dollars and thousands",
            SALARIES,
            Recipe(),
            says="'salary' is text, but its cells are numbers with '$' and ','",
        ),
        example("per cent", RATES, Recipe(), says="'rate' is text, but its cells are numbers with '%', such as "),
    ],
    passes=[
        example("seats", SEATS, Recipe()),
        example("read as numbers", WEIGHTS, Recipe().edited({"data.casts.weight": "number"})),
        example("text on purpose", WEIGHTS, Recipe().edited({"data.casts.weight": "text"})),
        example("a few codes and a word", DECKS, Recipe()),
        example("only missing tokens stand in the way", QUESTION_MARKS, Recipe()),
    ],
)
def number_as_text(
    profile: Profile, recipe: Recipe, *, min_parsed: float = 0.9, min_distinct: int = 11
) -> Iterator[Finding]:
    """A column of numbers is read as text because of a few cells that are none.

    Columns of ten or fewer different numbers are left alone: those may be codes, and the word among them one more.
    Cells that stand for a missing value are the business of missing-token. Numbers in dress, each with the same sign of
    a currency, with the same unit or per cent behind it, or with commas between thousands, are reported as well; the
    recipe cannot undress them, so that the file has to be written anew.

    ## Why it matters
    As text every number is a level of its own, 36 no nearer to 37 than to 90, and one-hot encoding makes a column of
    each.

    ## When to ignore it
    When the numbers are names: postal codes, part numbers, model years of a catalogue.

    ## References
    - van den Burg, G. J. J., Nazábal, A., & Sutton, C. (2019). Wrangling messy CSV files by detecting row and type
      patterns. Data Mining and Knowledge Discovery 33.
    - Wickham, H. (2014). Tidy data. Journal of Statistical Software 59(10).
    """
    for column in profile.columns.values():
        if column.name not in recipe.data.casts and (dress := dress_of(column, profile, min_parsed, min_distinct)):
            yield Finding(
                f"'{column.name}' is text, but its cells are numbers with {dress['dress']}, such as "
                f"'{dress['example']}'",
                Where("column", column.name),
                {**dress, "distinct": column.distinct, "min_parsed": min_parsed, "min_distinct": min_distinct},
                (Fix(f"Write '{column.name}' as plain numbers, without {dress['dress']}", aim=Aim.ADVISE),),
            )
            continue
        tokens = sum(count for text, count in column.tokens if not _is_number(text))
        others = column.count - column.parsed - tokens
        if (
            column.kind == "number"
            or column.name in recipe.data.casts
            or others <= 0
            or column.parsed < min_parsed * column.count
            or column.identifier
            or _numbers_in(column) < min_distinct
        ):
            continue
        such = f"; the {counted(others, 'other')} are" if others > 1 else "; the other is"
        yield Finding(
            f"'{column.name}' is text, but {column.parsed} of {column.count} cells are numbers{such} such as "
            f"{listed(column.unparsed)}",
            Where("column", column.name),
            {
                "parsed": column.parsed,
                "count": column.count,
                "unparsed": list(column.unparsed),
                "min_parsed": min_parsed,
                "min_distinct": min_distinct,
            },
            (
                Fix(
                    f"Read '{column.name}' as numbers, the rest as missing",
                    {f"data.casts.{column.name}": "number"},
                    Aim.CORRECT,
                ),
            ),
        )


def _numbers_in(column: ColumnProfile) -> int:
    if not column.levels_complete:
        return column.distinct
    return sum(_is_number(level.value) for level in column.levels)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
