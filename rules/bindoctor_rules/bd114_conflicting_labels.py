"""Rows with the same features have different labels."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._wording import counted

PAIRS = [(i // 2 * 37 % 101) / 7 for i in range(100)]
CONFLICTS = Table({"x": PAIRS, "y": ["no" if i < 10 and i % 2 else "yes" if i < 60 else "no" for i in range(100)]})


@rule(
    "BD114",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells", "repeats"),
    flags=[
        example(
            "five pairs of equal rows with both labels",
            CONFLICTS,
            Recipe(),
            says="10 rows have the features of a row with another label: every model gets at least 5 of 100",
        ),
    ],
    passes=[
        example("left out by the recipe", CONFLICTS, Recipe().edited({"data.conflicts": "drop"})),
        example(
            "equal rows agree", Table({"x": PAIRS, "y": ["yes" if i < 50 else "no" for i in range(100)]}), Recipe()
        ),
    ],
)
def conflicting_labels(profile: Profile, *, min_floor: float = 0.01) -> Iterator[Finding]:
    """Rows with the same features have different labels.

    The floor is the share of rows outside the commonest label of their features. Below `min_floor` the finding is a
    note. Leaving such rows out changes which rows are asked about, and makes probabilities of coarse features bolder
    than they should be, so that it has to win its trial.

    ## Why it matters
    No model can tell such rows apart, so the floor is an error that no fix removes: scores should be read against it.
    Where equal rows ought to mean the same case, one of the labels is wrong; where they are different cases, what tells
    them apart has not been recorded.

    ## When to ignore it
    When the features are few and coarse, and differing outcomes are what probabilities are for.

    ## References
    - Frénay, B., & Verleysen, M. (2014). Classification in the presence of label noise: a survey. IEEE Transactions on
      Neural Networks and Learning Systems 25(5).
    - Northcutt, C., Jiang, L., & Chuang, I. (2021). Confident learning: estimating uncertainty in dataset labels. JAIR
      70.
    """
    rows = profile.conflicts.count
    if not rows:
        return
    wrong = round(profile.conflict_floor * profile.labelled)
    yield Finding(
        f"{counted(rows, 'row')} {'has' if rows == 1 else 'have'} the features of a row with another label: "
        f"every model gets at least {wrong} of {profile.labelled} rows wrong ({100 * profile.conflict_floor:.2g}%)",
        Where("row"),
        {"conflicts": rows, "rows": profile.labelled, "floor": profile.conflict_floor, "min_floor": min_floor},
        (
            Fix("Look the rows up and correct the labels that are wrong", aim=Aim.ADVISE),
            Fix("Record what tells these rows apart as a further column", aim=Aim.ADVISE),
            Fix("Keep the rows with the commonest label of their features", {"data.conflicts": "majority"}),
            Fix("Leave out all rows whose features have two labels", {"data.conflicts": "drop"}),
        ),
        severity=None if profile.conflict_floor >= min_floor else Severity.NOTE,
        rows=profile.conflicts,
    )
