"""One class is much rarer than the others."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Table, Where, counts, example, rule
from bindoctor_rules._encoding import is_one_hot
from bindoctor_rules._imbalance import rare_limit

MIXED = Table(
    {"x": list(range(100)), "home": ["own", "rent"] * 50, "y": ["yes" if i % 10 == 0 else "no" for i in range(100)]}
)
ONLY_TEXT = Table(
    {"home": ["own", "rent", "free", "rent"] * 25, "y": ["yes" if i % 10 == 0 else "no" for i in range(100)]}
)


@rule(
    "BD101",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells",),
    flags=[
        example("3% positives", counts(no=970, yes=30), Recipe(), says="'yes' is 3.0% of 1000 rows (30)"),
        example("numbers beside text", MIXED, Recipe(), says="'yes' is 10.0% of 100 rows (10)"),
        example("only text", ONLY_TEXT, Recipe(), says="'yes' is 10.0% of 100 rows (10)"),
        example(
            "the rarest of three classes",
            counts(a=500, b=400, c=100),
            Recipe().edited({"loss.kind": "cross-entropy"}),
            says="'c' is 10.0% of 1000 rows (100)",
        ),
    ],
    passes=[
        example("exactly at the limit", counts(no=80, yes=20), Recipe()),
        example(
            "seven even classes",
            counts(a=99, b=99, c=99, d=99, e=99, f=99, g=99),
            Recipe().edited({"loss.kind": "cross-entropy"}),
        ),
        example("already weighted", counts(no=970, yes=30), Recipe().edited({"loss.class-weight": "balanced"})),
        example("already resampled", counts(no=970, yes=30), Recipe().edited({"resample.method": "random-over"})),
        example("threshold tuned", counts(no=970, yes=30), Recipe().edited({"decide.threshold": "tuned"})),
        example("a lower limit", counts(no=970, yes=30), Recipe(), options={"min_share": 0.02}),
    ],
)
def class_imbalance(profile: Profile, recipe: Recipe, *, min_share: float = 0.2) -> Iterator[Finding]:
    """One class is much rarer than the other, and the recipe does nothing about it.

    Of more than two classes the rarest is held against `min_share` of twice its even share, which is the same for two.

    ## Why it matters
    A model that minimises the plain loss and answers at probability 0.5 learns mostly about the common class and may
    never answer the rare one, which is usually the one that matters. Its probabilities can be right all the same, so
    the remedies start with the threshold and the weights. On 13 real sets of 1:9 and beyond, scaled, a threshold tuned
    on out-of-fold probabilities gained 0.158 balanced accuracy, class weights 0.150 and SMOTE 0.106, while SMOTE
    worsened the log loss on all of them: resampling has to win its trial. SMOTE and its kin interpolate between
    neighbours, which means nothing for levels with an input each; beside such columns SMOTENC takes their place, and
    with these alone only rows can be repeated or left out.

    ## When to ignore it
    When only the ranking of rows or their probabilities are used, or when errors on both classes cost what the class
    shares say.

    ## References
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    - Chawla, N. V., Bowyer, K. W., Hall, L. O., & Kegelmeyer, W. P. (2002). SMOTE: synthetic minority over-sampling
      technique. JAIR 16.
    - Lin, T.-Y., Goyal, P., Girshick, R., He, K., & Dollár, P. (2017). Focal loss for dense object detection. ICCV.
    - van den Goorbergh, R., van Smeden, M., Timmerman, D., & Van Calster, B. (2022). The harm of class imbalance
      corrections for risk prediction models. JAMIA 29(9).
    """
    handled = (
        recipe.resample.method != "none"
        or recipe.loss.class_weight != "none"
        or recipe.loss.kind == "focal"
        or recipe.decide.cut != 0.5
    )
    limit = rare_limit(profile, min_share)
    if handled or profile.rare_share >= limit:
        return
    yield Finding(
        f"'{profile.rare_class}' is {profile.rare_share:.1%} of {profile.labelled} rows ({profile.rare_count}), "
        "and nothing in the recipe handles it",
        Where("target"),
        {"share": profile.rare_share, "count": profile.rare_count, "rows": profile.labelled, "min_share": limit},
        tuple(_fixes(profile, recipe)),
    )


def _fixes(profile: Profile, recipe: Recipe) -> Iterator[Fix]:
    # Folds and early stopping may leave half of the rare rows for training, and each needs this many neighbours there.
    synthetic = profile.rare_count > 2 * recipe.resample.neighbors
    by_level = any(is_one_hot(column, recipe) for column in profile.categories)
    yield Fix("Weight the classes inversely to their shares", {"loss.class-weight": "balanced"})
    if len(profile.classes) == 2:
        yield Fix("Tune the decision threshold on out-of-fold probabilities", {"decide.threshold": "tuned"})
    if synthetic and not by_level:
        yield Fix("Oversample with SMOTE", {"resample.method": "smote"})
        yield Fix("Oversample along the class border (borderline SMOTE)", {"resample.method": "borderline-smote"})
        yield Fix("Oversample where the rare class is hard to learn (ADASYN)", {"resample.method": "adasyn"})
    elif synthetic and profile.numbers:
        yield Fix("Oversample with SMOTENC", {"resample.method": "smotenc"})
    yield Fix("Repeat rows of the rare class", {"resample.method": "random-over"})
    yield Fix("Leave out rows of the common class", {"resample.method": "random-under"})
    if synthetic and not by_level:
        yield Fix("Oversample with SMOTE, then remove Tomek links", {"resample.method": "smote-tomek"})
        yield Fix("Oversample with SMOTE, then remove rows whose neighbours disagree", {"resample.method": "smote-enn"})
    if recipe.model.network:
        yield Fix("Train with focal loss", {"loss.kind": "focal"})
