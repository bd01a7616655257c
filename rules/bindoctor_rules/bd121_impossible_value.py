"""Values that a column cannot have: negative counts, ages beyond any life, infinities."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

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
    RowList,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._far_rows import rows_with
from bindoctor_rules._missing import with_imputer
from bindoctor_rules._spread import Floats, codes_of, counted_values
from bindoctor_rules._wording import counted, listed


class Range(NamedTuple):
    """What a quantity can be, told by the column's name."""

    quantity: str
    name: re.Pattern[str]
    low: float
    high: float


RANGES = (
    Range(
        "an age in years",
        re.compile(r"(?i)^(?:.*[ _.-])?ages?(?:[ _.-](?:years|yrs|y))?$|(?<=[a-z])(?-i:Age)$"),
        0,
        125,
    ),
    Range("a latitude", re.compile(r"(?i)^(?:.*[ _.-])?lat(?:itude)?$"), -90, 90),
    Range("a longitude", re.compile(r"(?i)^(?:.*[ _.-])?(?:lon|lng|longitude)$"), -180, 360),
    Range("a month", re.compile(r"(?i)^month$"), 0, 12),
    Range("an hour of the day", re.compile(r"(?i)^hour(?:[ _.-]of[ _.-]day)?$"), 0, 24),
)

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
EXPERIENCE = Table(
    {"experience": [-2 if i == 50 else -1 if i % 80 == 7 else i * 37 % 41 for i in range(200)], "y": CLASSES}
)
DEGREES = Table(
    {"degrees": [round(((i * 37 % 200) / 100 - 1) * 9 + (i * 53 % 200) / 10) for i in range(200)], "y": CLASSES}
)
AGES = Table({"age": [230 if i == 50 else 18 + i * 37 % 71 for i in range(200)], "y": CLASSES})
RATIOS = Table({"ratio": ["inf" if i % 50 == 7 else round(i * 37 % 71 / 7, 2) for i in range(200)], "y": CLASSES})


@rule(
    "BD121",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
    flags=[
        example(
            "years of experience",
            EXPERIENCE,
            Recipe(),
            says="'experience' is negative in 4 of 200 rows ('-1' and '-2')",
        ),
        example("an age of 230", AGES, Recipe(), says="'age' is not between 0 and 125 in 1 of 200 rows"),
        example("divided by zero", RATIOS, Recipe(), says="'ratio' is infinite in 4 of 200 rows ('inf')"),
    ],
    passes=[
        example("read as missing", EXPERIENCE, Recipe().edited({"data.missing-values.experience": ["-1", "-2"]})),
        example("limited", AGES, Recipe().edited({"data.limits.age": [0, 125]})),
        example("a distribution that runs below zero", DEGREES, Recipe()),
        example("never negative", Table({"x": [i * 37 % 41 for i in range(200)], "y": CLASSES}), Recipe()),
        example("an age in days", Table({"age": [4000 + i * 37 % 7100 for i in range(200)], "y": CLASSES}), Recipe()),
        example("a number read as such", RATIOS, Recipe().edited({"data.casts.ratio": "number"})),
    ],
)
def impossible_value(
    profile: Profile,
    recipe: Recipe,
    *,
    max_share: float = 0.02,
    max_reach: float = 0.1,
    min_density: float = 0.5,
    min_numbers: float = 0.5,
) -> Iterator[Finding]:
    """Cells hold what their column cannot be: negative counts, ages beyond any life, infinities.

    *Negative* values in a column of whole numbers that otherwise starts at zero are few (`max_share` of the cells),
    near zero (`max_reach` of the largest value), and do not continue a thin tail: 0, 1 and 2 are on average at least
    `min_density` times as frequent as the whole numbers up to the largest. So Experience in the Universal Bank data is
    found (52 of 5000 rows at -3 to -1; density 0.67) and rounded temperatures or differences, whose tail runs through
    zero, are not. *Ranges* are known of ages in years, latitudes, longitudes, months and hours: at most `max_share` of
    the cells lie outside of what the column's name says it is (more of them say that the name means something else,
    such as an age in days). *Infinities* ("inf", "-Infinity") are text among at least `min_numbers` numbers. In 411
    tables two columns besides Experience are reported, a difference of dates and an income.

    ## Why it matters
    Counts, ages and durations cannot be negative; such cells come from subtracting the wrong dates, from a code, or
    from a division by zero. The model takes them at their word; an infinity makes text of its column, or stops
    training.

    ## When to ignore it
    When the column is a difference or a balance, which may be negative, or its name means something else.

    ## References
    - Rahm, E., & Do, H. H. (2000). Data cleaning: problems and current approaches. IEEE Data Engineering Bulletin
      23(4).
    - van der Loo, M., & de Jonge, E. (2018). Statistical Data Cleaning with Applications in R. Wiley.
    """
    limits = {
        "max_share": max_share,
        "max_reach": max_reach,
        "min_density": min_density,
        "min_numbers": min_numbers,
    }
    for column in profile.columns.values():
        if column.constant or column.identifier:
            continue
        if column.kind == "text":
            yield from _infinite(column, profile, recipe, limits)
            continue
        known = next((known for known in RANGES if known.name.search(column.name)), None)
        out_of_range = _out_of_range(column, known, profile, recipe, limits) if known else None
        if out_of_range:
            yield out_of_range
        else:
            yield from _negative(column, profile, recipe, limits)


def _negative(
    column: ColumnProfile, profile: Profile, recipe: Recipe, limits: Mapping[str, float]
) -> Iterator[Finding]:
    if not (column.moments and column.moments.integer and column.moments.minimum < 0 and column.levels_complete):
        return
    if not column.tokens and -column.moments.minimum > limits["max_reach"] * column.moments.maximum:
        return
    tokens = {text for text, _ in column.tokens}
    negative = {v.value: v.count for v in column.levels if float(v.value) < 0 and v.value not in tokens}
    count = sum(negative.values())
    lowest = min((float(text) for text in negative), default=0.0)
    density = _density_at_zero(column)
    if (
        not negative
        or count > limits["max_share"] * column.count
        or -lowest > limits["max_reach"] * column.moments.maximum
        or density < limits["min_density"]
    ):
        return
    known = recipe.data.missing_values.get(column.name, ())
    yield Finding(
        f"'{column.name}' is negative in {count} of {counted(profile.rows, 'row')} ({listed(list(negative))}) "
        "and otherwise starts at zero",
        Where("column", column.name),
        {"negative": negative, "density_at_zero": density, **limits},
        (
            Fix(
                f"Read negative values of '{column.name}' as missing",
                with_imputer({f"data.missing-values.{column.name}": [*known, *negative]}, column, recipe),
            ),
        ),
        Confidence.MEDIUM,
        rows=rows_with(profile, column.name, lambda values: (values >= lowest) & (values < 0)),
    )


def _out_of_range(
    column: ColumnProfile, known: Range, profile: Profile, recipe: Recipe, limits: Mapping[str, float]
) -> Finding | None:
    """Report the few numbers outside of what the column's quantity can be; codes for a missing value are no numbers."""
    moments = column.moments
    if moments is None or (moments.minimum >= known.low and moments.maximum <= known.high):
        return None
    values, counts = counted_values(column, without_tokens=True)
    outside = (values < known.low) | (values > known.high)
    count = int(counts[outside].sum())
    if not 0 < count <= limits["max_share"] * column.count:
        return None
    codes = codes_of(column)

    def impossible(values: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray(((values < known.low) | (values > known.high)) & ~np.isin(values, codes))

    found = [f"{value:.6g}" for value in values[outside][:100]]
    edits: Mapping[str, Any] = {f"data.limits.{column.name}": [known.low, known.high]}
    return Finding(
        f"'{column.name}' is not between {known.low:g} and {known.high:g} in {count} of "
        f"{counted(profile.rows, 'row')} ({listed(found)}), as {known.quantity} is",
        Where("column", column.name),
        {"low": known.low, "high": known.high, "count": count, "values": found, **limits},
        (Fix(f"Read what is outside in '{column.name}' as missing", with_imputer(edits, column, recipe)),),
        Confidence.MEDIUM,
        rows=rows_with(profile, column.name, impossible),
    )


def _infinite(
    column: ColumnProfile, profile: Profile, recipe: Recipe, limits: Mapping[str, float]
) -> Iterator[Finding]:
    """Report infinities in a column of numbers, which they turn into text."""
    if column.parsed < limits["min_numbers"] * column.count:
        return
    if column.levels_complete:
        found = {level.value: level.count for level in column.levels if _is_infinite(level.value)}
    else:
        found = dict.fromkeys(filter(_is_infinite, column.unparsed), 0)
    if not found:
        return
    rows = profile.sample
    cells = rows.features[column.name].to_list() if rows is not None else []
    at = [i for i, cell in enumerate(cells) if cell is not None and _is_infinite(cell)]
    count = sum(found.values()) or len(at)
    known = recipe.data.missing_values.get(column.name, ())
    share = "" if column.levels_complete or len(cells) == profile.labelled else f" of {len(cells)} looked at"
    yield Finding(
        f"'{column.name}' is infinite in {count} of {counted(profile.rows, 'row')}{share} ({listed(list(found))}) "
        "and so is read as text",
        Where("column", column.name),
        {"infinite": found, "rows_looked_at": len(cells), **limits},
        (
            Fix(
                f"Read infinities in '{column.name}' as missing",
                {f"data.missing-values.{column.name}": [*known, *found]},
                Aim.CORRECT,
            ),
        ),
        rows=RowList.of([] if rows is None else rows.row_ids[np.array(at, dtype=np.int64)]),
    )


def _is_infinite(text: str) -> bool:
    return re.fullmatch(r"(?i)\s*[-+]?inf(?:inity)?\s*", text) is not None


def _density_at_zero(column: ColumnProfile) -> float:
    """Return how frequent 0, 1 and 2 are on average, relative to whole numbers from 0 to the largest."""
    counts = {float(level.value): level.count for level in column.levels}
    maximum = max(counts)
    if maximum <= 0:
        return 0.0
    average = sum(count for value, count in counts.items() if value >= 0) / (maximum + 1)
    return sum(counts.get(float(value), 0) for value in range(3)) / 3 / average
