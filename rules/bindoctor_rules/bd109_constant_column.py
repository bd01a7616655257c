"""A column holds the same value in all rows, or in nearly all."""

import math
from collections.abc import Iterator

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._wording import listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
FAULTS = Table({"fault": [int(i < 5) for i in range(500)], "y": ["bad" if i < 10 else "good" for i in range(500)]})


@rule(
    "BD109",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example(
            "one value", Table({"country": ["NL"] * 200, "y": CLASSES}), Recipe(), says="'country' holds one value"
        ),
        example("nothing", Table({"notes": [None] * 200, "y": CLASSES}), Recipe(), says="'notes' is empty"),
        example(
            "one value in 199 of 200 rows",
            Table({"plan": ["basic" if i else "gold" for i in range(200)], "y": CLASSES}),
            Recipe(),
            says="'plan' holds one value in at least 99% of 200 rows",
        ),
    ],
    passes=[
        example(
            "a rare level",
            Table({"plan": ["basic" if i % 40 else "gold" for i in range(200)], "y": CLASSES}),
            Recipe(),
        ),
        example("a flag that is set or blank", Table({"flag": [1, None] * 100, "y": CLASSES}), Recipe()),
        example("rare, but it goes with one class", FAULTS, Recipe()),
        example("dropped", Table({"country": ["NL"] * 200, "y": CLASSES}), Recipe().edited({"data.drop": ["country"]})),
    ],
)
def constant_column(profile: Profile, *, min_share: float = 0.99) -> Iterator[Finding]:
    """A column holds the same value in all rows, or in nearly all.

    A missing cell counts as a value. A nearly constant column is passed over when its few other rows lean to a class by
    more than three standard errors: rare and telling is what a good feature for a rare class looks like.

    ## Why it matters
    A constant column tells nothing and, scaled, divides by zero. In a nearly constant one the few other rows land in
    one fold or another, and the model learns them by heart or never sees them.

    ## When to ignore it
    When the column will vary in the data that the model is for.

    ## References
    - Kuhn, M., & Johnson, K. (2013). Applied Predictive Modeling, section 3.5, Removing predictors. Springer.
    - scikit-learn user guide, Feature selection: removing features with low variance.
    """
    columns = profile.columns.values()
    empty = [column.name for column in columns if not column.count]
    constant = [column.name for column in columns if column.count and column.constant and not column.missing]
    nearly = [
        column.name
        for column in columns
        if column.name not in empty and column.name not in constant and _is_nearly_constant(column, profile, min_share)
    ]
    share = f"in at least {min_share:.0%} of {profile.rows} rows"
    for names, one, several in (
        (empty, "is empty", "are empty"),
        (constant, "holds one value", "hold one value each"),
        (nearly, f"holds one value {share}", f"hold one value each {share}"),
    ):
        if names:
            yield Finding(
                f"{listed(names)} {one if len(names) == 1 else several}",
                Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.drop"),
                {"columns": names, "rows": profile.rows, "min_share": min_share},
                (Fix(f"Leave out {listed(names)}", {"data.drop+": names}),),
            )


def _is_nearly_constant(column: ColumnProfile, profile: Profile, min_share: float) -> bool:
    missing = (column.missing, column.missing_by_class)
    count, by_class = max([missing, *((level.count, level.by_class) for level in column.levels[:1])])
    if count < min_share * profile.rows:
        return False
    others = [rows - mine for rows, mine in zip(profile.class_counts, by_class, strict=True)]
    return not any(
        _leans(mine, sum(others), rows / profile.labelled)
        for mine, rows in zip(others, profile.class_counts, strict=True)
    )


def _leans(count: int, rows: int, share: float) -> bool:
    # One row more in the variance, as so few rows are far from normal.
    return abs(count - rows * share) > 3 * math.sqrt(rows * share * (1 - share) + 1)
