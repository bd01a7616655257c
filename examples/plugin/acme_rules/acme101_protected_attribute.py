"""A feature says what decisions about people must not rest on."""

import re
from collections.abc import Iterator

from bindoctor import Aim, ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule

LOANS = Table(
    {
        "income": [20 + i * 37 % 61 for i in range(200)],
        "Applicant_Sex": ["f" if i % 2 else "m" for i in range(200)],
        "y": ["paid" if i % 2 and i % 3 else "default" for i in range(200)],
    },
    positive="paid",
)
RACES = Table(
    {
        "race time": [60 + i * 0.13 for i in range(200)],
        "racecourse": ["Ascot" if i % 2 else "York" for i in range(200)],
        "y": [i % 3 == 0 for i in range(200)],
    }
)


@rule(
    "ACME101",
    severity=Severity.WARNING,
    flags=[
        example(
            "the applicant's sex",
            LOANS,
            Recipe(),
            says="'Applicant_Sex' reads as a protected attribute (sex): 'paid' is 0% of the rows with 'm' "
            "and 67% of those with 'f'",
        ),
        example(
            "an attribute of one's own",
            Table({"postcode": ["N1", "E8"] * 100, "y": ["paid", "paid", "default", "paid"] * 50}, positive="paid"),
            Recipe(),
            options={"names": ("postcode",)},
            says="'postcode' reads as a protected attribute (postcode)",
        ),
    ],
    passes=[
        example("left out", LOANS, Recipe().edited({"data.drop": ["Applicant_Sex"]})),
        example("names that only sound alike", RACES, Recipe()),
    ],
)
def protected_attribute(
    profile: Profile,
    *,
    names: tuple[str, ...] = ("sex", "gender", "race", "ethnicity", "religion", "nationality", "disability", "marital"),
    max_levels: int = 30,
    min_rows: int = 30,
) -> Iterator[Finding]:
    """A feature says what decisions about people must not rest on.

    A column counts when one of `names` is among the words of its name and it has at most `max_levels` levels. The
    message compares the levels with the lowest and the highest share of the positive class, among those with at least
    `min_rows` rows; their ratio is what the four-fifths rule of the EEOC is about.

    ## Why it matters
    In lending, hiring, housing and insurance, many laws forbid to decide by these attributes, and a model that has one
    does so wherever it helps the score. Leaving the column out is the least; what stands in for it, such as a first
    name or a postcode, has to be looked at as well.

    ## When to ignore it
    When the attribute is a legitimate ground, as sex is in much of medicine, or is kept to measure fairness and left
    out of the recipe.

    ## References
    - Equal Employment Opportunity Commission (1978). Uniform guidelines on employee selection procedures, 29 CFR 1607.
    - Barocas, S., Hardt, M., & Narayanan, A. (2023). Fairness and Machine Learning. MIT Press.
    """
    for column in profile.columns.values():
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", column.name)]
        name = next((name for name in names if name.lower() in words), None)
        if name is None or not column.levels_complete or not 1 < column.distinct <= max_levels:
            continue
        compared, measured = _compared(column, profile, min_rows)
        yield Finding(
            f"'{column.name}' reads as a protected attribute ({name}){compared}",
            Where("column", column.name),
            {"attribute": name, **measured, "max_levels": max_levels, "min_rows": min_rows},
            (Fix(f"Leave out '{column.name}'", {"data.drop+": [column.name]}, Aim.ADVISE),),
        )


def _compared(column: ColumnProfile, profile: Profile, min_rows: int) -> tuple[str, dict[str, object]]:
    """Return what to say about the shares of the positive class by level, and these shares."""
    shares = {
        level.value: level.by_class[1] / sum(level.by_class)
        for level in column.levels
        if sum(level.by_class) >= min_rows
    }
    if len(profile.classes) != 2 or len(shares) < 2:
        return "", {}
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    ratio = shares[low] / shares[high] if shares[high] else 1.0
    text = (
        f": '{profile.classes[1]}' is {shares[low]:.0%} of the rows with '{low}' "
        f"and {shares[high]:.0%} of those with '{high}'"
    )
    return text, {"lowest": shares[low], "highest": shares[high], "ratio": ratio}
