"""A few negative values in a column that otherwise starts at zero."""

from collections.abc import Iterator

from bindoctor import ColumnProfile, Confidence, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._missing import with_imputer
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
EXPERIENCE = Table(
    {"experience": [-2 if i == 50 else -1 if i % 80 == 7 else i * 37 % 41 for i in range(200)], "y": CLASSES}
)
DEGREES = Table(
    {"degrees": [round(((i * 37 % 200) / 100 - 1) * 9 + (i * 53 % 200) / 10) for i in range(200)], "y": CLASSES}
)


@rule(
    "BD121",
    severity=Severity.WARNING,
    flags=[
        example(
            "years of experience",
            EXPERIENCE,
            Recipe(),
            says="'experience' is negative in 4 of 200 rows ('-1' and '-2')",
        ),
    ],
    passes=[
        example("read as missing", EXPERIENCE, Recipe().edited({"data.missing-values.experience": ["-1", "-2"]})),
        example("a distribution that runs below zero", DEGREES, Recipe()),
        example("never negative", Table({"x": [i * 37 % 41 for i in range(200)], "y": CLASSES}), Recipe()),
    ],
)
def impossible_value(
    profile: Profile,
    recipe: Recipe,
    *,
    max_share: float = 0.02,
    max_reach: float = 0.1,
    min_density: float = 0.5,
) -> Iterator[Finding]:
    """A few negative values in a column of whole numbers that otherwise starts at zero.

    Negative values are few (`max_share` of the cells), near zero (`max_reach` of the largest value), and do not
    continue a thin tail: 0, 1 and 2 are on average at least `min_density` times as frequent as the whole numbers up to
    the largest. So Experience in the Universal Bank data is found (52 of 5000 rows at -3 to -1; density 0.67) and
    rounded temperatures or differences, whose tail runs through zero, are not.

    ## Why it matters
    Counts, ages and durations cannot be negative; such cells come from subtracting the wrong dates or from a code. The
    model takes them at their word.

    ## When to ignore it
    When the column is a difference or a balance, which may be negative.

    ## References
    - Rahm, E., & Do, H. H. (2000). Data cleaning: problems and current approaches. IEEE Data Engineering Bulletin
      23(4).
    - van der Loo, M., & de Jonge, E. (2018). Statistical Data Cleaning with Applications in R. Wiley.
    """
    for column in profile.numbers:
        if not (column.moments and column.moments.integer and column.moments.minimum < 0 and column.levels_complete):
            continue
        tokens = {text for text, _ in column.tokens}
        negative = {v.value: v.count for v in column.levels if float(v.value) < 0 and v.value not in tokens}
        count = sum(negative.values())
        lowest = min((float(text) for text in negative), default=0.0)
        density = _density_at_zero(column)
        if (
            not negative
            or count > max_share * column.count
            or -lowest > max_reach * column.moments.maximum
            or density < min_density
        ):
            continue
        known = recipe.data.missing_values.get(column.name, ())
        yield Finding(
            f"'{column.name}' is negative in {count} of {counted(profile.rows, 'row')} ({listed(list(negative))}) "
            "and otherwise starts at zero",
            Where("column", column.name),
            {
                "negative": negative,
                "density_at_zero": density,
                "max_share": max_share,
                "max_reach": max_reach,
                "min_density": min_density,
            },
            (
                Fix(
                    f"Read negative values of '{column.name}' as missing",
                    with_imputer({f"data.missing-values.{column.name}": [*known, *negative]}, column, recipe),
                ),
            ),
            Confidence.MEDIUM,
        )


def _density_at_zero(column: ColumnProfile) -> float:
    """Return how frequent 0, 1 and 2 are on average, relative to whole numbers from 0 to the largest."""
    counts = {float(level.value): level.count for level in column.levels}
    maximum = max(counts)
    if maximum <= 0:
        return 0.0
    average = sum(count for value, count in counts.items() if value >= 0) / (maximum + 1)
    return sum(counts.get(float(value), 0) for value in range(3)) / 3 / average
