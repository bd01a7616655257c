"""A random split leaves it to chance how many rows of a rare class each part gets."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Parts, Profile, Recipe, Severity, Table, Where, counts, example, rule
from bindoctor_rules._imbalance import rare_limit

FOLDS = Recipe().edited({"split.kind": "folds"})
STRATIFIED = Recipe().edited({"split.stratify": True})
GROUPED = Recipe().edited({"split.group": "customer"})
IN_ORDER = Recipe().edited({"split.shuffle": False})
RARE = counts(no=970, yes=30)
VISITS = Table({"customer": [i // 3 for i in range(300)], "y": [i % 30 == 0 for i in range(300)]})


@rule(
    "BD201",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example(
            "3% positives, random holdout", RARE, Recipe(), says="200 rows kept back hold 6 of them, give or take 4"
        ),
        example("3% positives, random folds", RARE, FOLDS, says="200 rows kept back"),
        example("so many rows that chance hardly matters", counts(no=8100, yes=900), Recipe(), says="180 of them"),
    ],
    passes=[
        example("stratified", RARE, STRATIFIED),
        example("exactly at the limit", counts(no=800, yes=200), Recipe()),
        example("split by group", VISITS, GROUPED),
        example("the last rows are kept back, not random ones", RARE, IN_ORDER),
        example("a column says which rows are kept back", VISITS, Recipe().edited({"split.column": "customer"})),
        example("the user gives a part", RARE, Recipe(), test=counts(no=485, yes=15)),
    ],
)
def unstratified_split(
    profile: Profile,
    recipe: Recipe,
    parts: Parts | None = None,
    *,
    min_share: float = 0.2,
    max_swing: float = 0.3,
) -> Iterator[Finding]:
    """A class is rare, and the random split does not keep its share the same in every part.

    The rare rows that land in the part kept back follow the hypergeometric distribution; the message gives its mean and
    1.96 standard deviations. Where that swing is at most `max_swing` of the mean (31 rare rows kept back, or more) the
    finding is a note: the share is about right by chance, and a stratified split only makes it exact. Of more than
    two classes the rarest is held against `min_share` of twice its even share, as in class-imbalance.

    ## Why it matters
    Precision, recall and log loss all depend on the class shares. When chance decides how many rare rows a part gets,
    two runs of the same recipe differ for no reason, and a part may hold hardly any of them. Stratifying costs nothing.

    ## When to ignore it
    When the split is not yours to choose. Splits by group, by time and by a column are passed over, and so is every
    split when a validation or test part is given.

    ## References
    - Kohavi, R. (1995). A study of cross-validation and bootstrap for accuracy estimation and model selection. IJCAI.
    - scikit-learn user guide, "Cross-validation iterators with stratification based on class labels".
    """
    split, limit = recipe.split, rare_limit(profile, min_share)
    handled = split.stratify or split.group or split.time or split.column or not split.shuffle
    if parts or handled or profile.rare_share >= limit:
        return
    share = split.valid if split.kind == "holdout" else 1 / split.folds
    part = share * profile.labelled
    expected = share * profile.rare_count
    swing = 1.96 * math.sqrt(part * profile.rare_share * (1 - profile.rare_share) * (1 - share))
    yield Finding(
        f"{profile.rare_class!r} is {profile.rare_share:.1%} of {profile.labelled} rows and the split is random: "
        f"{part:.0f} rows kept back hold {expected:.0f} of them, give or take {swing:.0f}",
        Where("split"),
        {
            "share": profile.rare_share,
            "min_share": limit,
            "expected": expected,
            "swing": swing,
            "max_swing": max_swing,
        },
        (Fix("Keep the class shares in every part", {"split.stratify": True}, Aim.CORRECT),),
        severity=None if swing > max_swing * expected else Severity.NOTE,
    )
