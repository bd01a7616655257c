"""Rows have no target."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Dataset, Finding, Fix, Profile, Recipe, RowList, Severity, Table, Where, example, rule
from bindoctor_rules._spelling import NO_ANSWER
from bindoctor_rules._wording import counted, listed

UNANSWERED = Table({"x": list(range(50)), "y": [None if i % 10 == 0 else "yes" if i % 3 else "no" for i in range(50)]})
TOKENS = Table({"x": list(range(60)), "y": ["?" if i % 12 == 0 else "yes" if i % 3 else "no" for i in range(60)]})
REGIONS = Table({"x": list(range(60)), "y": [("NA", "EU", "AS")[i % 3] for i in range(60)]})


@rule(
    "BD122",
    severity=Severity.ERROR,
    arrays=True,
    scans=("cells", "sample"),
    flags=[
        example("five rows without an answer", UNANSWERED, Recipe(), says="5 of 50 rows have no target"),
        example("a token for no answer", TOKENS, Recipe(), says="the target is '?' in 5 of 60 rows"),
    ],
    passes=[
        example("those rows are dropped", UNANSWERED, Recipe().edited({"data.drop-missing-target": True})),
        example("NA is North America", REGIONS, Recipe()),
        example("every row has one", Table({"x": list(range(50)), "y": ["yes", "no"] * 25}), Recipe()),
    ],
)
def missing_target(dataset: Dataset, profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """Rows have no target, or one that stands for no answer.

    A label such as "?", "NA" or "null" is taken for no answer where two other classes are left; not where all other
    labels are codes of two letters, among which NA may be North America or Namibia.

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
    if missing.count and not recipe.data.drop_missing_target:
        yield Finding(
            f"{missing.count} of {counted(profile.rows, 'row')} {'has' if missing.count == 1 else 'have'} no target",
            Where("target"),
            {"missing": missing.count, "rows": profile.rows},
            (Fix("Leave these rows out", {"data.drop-missing-target": True}, Aim.CORRECT),),
            rows=missing,
        )
    tokens = [label for label in profile.classes if label.lower() in NO_ANSWER]
    others = [label for label in profile.classes if label not in tokens]
    if not tokens or len(others) < 2 or all(len(label) == 2 and label.isalpha() for label in others):
        return
    counts = dict(zip(profile.classes, profile.class_counts, strict=True))
    known = recipe.data.missing_values.get(dataset.target, ())
    yield Finding(
        f"the target is {listed(tokens)} in {sum(counts[label] for label in tokens)} of "
        f"{counted(profile.rows, 'row')}, which stands for no answer",
        Where("target"),
        {"tokens": {label: counts[label] for label in tokens}, "rows": profile.rows},
        (
            Fix(
                "Read it as missing and leave these rows out",
                {f"data.missing-values.{dataset.target}": [*known, *tokens], "data.drop-missing-target": True},
                Aim.CORRECT,
            ),
        ),
        rows=_rows_of(tokens, profile),
    )


def _rows_of(labels: list[str], profile: Profile) -> RowList | None:
    """Return the rows with these labels, where the sample holds all rows."""
    sample = profile.sample
    if sample is None or len(sample) < profile.labelled:
        return None
    codes = [profile.classes.index(label) for label in labels]
    return RowList.of(sample.row_ids[np.isin(sample.labels, codes)])
