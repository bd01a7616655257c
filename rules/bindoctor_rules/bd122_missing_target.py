"""Rows have no target."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._wording import counted

UNANSWERED = Table({"x": list(range(50)), "y": [None if i % 10 == 0 else "yes" if i % 3 else "no" for i in range(50)]})


@rule(
    "BD122",
    severity=Severity.ERROR,
    flags=[example("five rows without an answer", UNANSWERED, Recipe(), says="5 of 50 rows have no target")],
    passes=[
        example("those rows are dropped", UNANSWERED, Recipe().edited({"data.drop-missing-target": True})),
        example("every row has one", Table({"x": list(range(50)), "y": ["yes", "no"] * 25}), Recipe()),
    ],
)
def missing_target(profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """Rows have no target.

    ## Why it matters
    Such a row can neither be learned from nor scored, and training stops at it. Where the outcome is missing because it
    has not happened yet, leaving the rows out tilts the class shares, which the data cannot show.

    ## When to ignore it
    Never while training; rows to be predicted belong in a file of their own.

    ## References
    - Little, R. J. A., & Rubin, D. B. (2019). Statistical Analysis with Missing Data, 3rd edition. Wiley.
    - Chapelle, O., Schölkopf, B., & Zien, A. (2006). Semi-Supervised Learning. MIT Press.
    """
    missing = profile.missing_target
    if not missing.count or recipe.data.drop_missing_target:
        return
    yield Finding(
        f"{missing.count} of {counted(profile.rows, 'row')} {'has' if missing.count == 1 else 'have'} no target",
        Where("target"),
        {"missing": missing.count, "rows": profile.rows},
        (Fix("Leave these rows out", {"data.drop-missing-target": True}, Aim.CORRECT),),
        rows=missing,
    )
