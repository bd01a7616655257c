"""Rows repeat earlier rows."""

import math
from collections.abc import Iterator

import numpy as np

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
from bindoctor_rules._wording import counted

SIZES = [(i * 37 % 61) / 7 for i in range(95)]
WEIGHTS = [(i * 53 % 71) / 3 for i in range(95)]
CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(95)]
TWICE = Table({"size": SIZES + SIZES[:5], "weight": WEIGHTS + WEIGHTS[:5], "y": CLASSES + CLASSES[:5]})
COARSE = Table(
    {"sex": ["f", "m"] * 60, "smoker": [i // 2 % 2 for i in range(120)], "y": [int(i % 7 > 3) for i in range(120)]}
)


@rule(
    "BD113",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells", "repeats"),
    flags=[
        example("five rows twice", TWICE, Recipe(), says="5 of 100 rows repeat an earlier row, features and target"),
        example(
            "four kinds of rows",
            COARSE,
            Recipe(),
            says="112 of 120 rows repeat an earlier row, but in columns of so few values",
        ),
    ],
    passes=[
        example("removed before the split", TWICE, Recipe().edited({"data.deduplicate": True})),
        example("kept together by group", TWICE, Recipe().edited({"split.group": "size"})),
        example("no row twice", Table({"size": SIZES, "weight": WEIGHTS, "y": CLASSES}), Recipe()),
    ],
)
def duplicate_rows(profile: Profile, recipe: Recipe, *, max_by_chance: float = 0.1) -> Iterator[Finding]:
    """Rows repeat earlier rows, features and target.

    Where columns have few values, different people get the same row. How many pairs of rows would be equal if the
    columns were independent within each class follows from how many pairs of cells are equal in each column. Where that
    is a tenth of the repeated rows or more, the finding is a note and nothing is removed by itself: dropping rows that
    are equal by chance would make the common cases rare. Measured, repeated rows and pairs expected by chance: Haberman
    17 and 16, phishing 587 and 605, recidivism (Rossi) 45 and 49, which are chance; red wine 240 and 0.0, spam 391 and
    0.0, which are not.

    ## Why it matters
    A row and its copy land on both sides of a split, and the model is examined on what it has learned by heart. The
    score is too good by about the share of copies.

    ## When to ignore it
    When equal rows are different cases, or copies are weights on purpose.

    ## References
    - Barz, B., & Denzler, J. (2020). Do we train on test data? Purging CIFAR of near-duplicates. Journal of Imaging
      6(6).
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    repeated = profile.duplicates.count
    if not repeated or recipe.data.deduplicate or recipe.split.group:
        return
    by_chance = _equal_by_chance(profile)
    coincidence = by_chance >= max_by_chance * repeated
    message = f"{repeated} of {counted(profile.rows, 'row')} {'repeats' if repeated == 1 else 'repeat'} an earlier row"
    if coincidence:
        pairs = f"{by_chance:.0f}" if by_chance >= 10 else f"{by_chance:.1f}"
        message += f", but in columns of so few values about {pairs} pairs of rows are equal by chance"
    else:
        message += ", features and target"
    yield Finding(
        message,
        Where("row"),
        {
            "duplicates": repeated,
            "rows": profile.rows,
            "pairs_expected_by_chance": by_chance,
            "max_by_chance": max_by_chance,
        },
        (
            Fix(
                "Keep the first of equal rows",
                {"data.deduplicate": True},
                Aim.ADVISE if coincidence else Aim.CORRECT,
            ),
        ),
        Confidence.MEDIUM if coincidence else Confidence.HIGH,
        Severity.NOTE if coincidence else None,
        profile.duplicates,
    )


def _equal_by_chance(profile: Profile) -> float:
    """Return how many pairs of rows of one class would be equal if the columns were independent within each class.

    Arrays have too many cells for that.
    """
    if profile.row_shape:
        return 0.0
    return sum(
        math.comb(rows, 2) * math.prod(_equal_share(column, label, rows) for column in profile.columns.values())
        for label, rows in enumerate(profile.class_counts)
        if rows > 1
    )


def _equal_share(column: ColumnProfile, label: int, rows: int) -> float:
    """Return the share of the pairs of a class's rows with the same cell; a missing cell equals a missing cell."""
    if not column.levels_complete:
        return max(column.count / column.distinct - 1, 0) / column.count
    same = np.append(column.levels.by_class[label], column.missing_by_class[label])
    return float((same * (same - 1)).sum() / (rows * (rows - 1)))
