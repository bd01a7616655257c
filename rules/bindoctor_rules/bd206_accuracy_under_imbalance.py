"""Accuracy judges a model of a rare class."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._imbalance import rare_limit

RARE = counts(no=970, yes=30)
SCORED = Recipe().edited({"decide.score": "accuracy"})
WATCHED = Recipe().edited({"train.monitor": "accuracy", "train.patience": 10})
TUNED = Recipe().edited({"decide.threshold": "tuned", "decide.tune-for": "accuracy"})


@rule(
    "BD206",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example(
            "the score is accuracy", RARE, SCORED, says="decide.score is accuracy, and always answering 'no' has 97.0%"
        ),
        example("early stopping watches accuracy", RARE, WATCHED, says="train.monitor is accuracy"),
        example("the threshold is tuned for accuracy", RARE, TUNED, says="decide.tune-for is accuracy"),
    ],
    passes=[
        example("log loss", RARE, Recipe()),
        example("exactly at the limit", counts(no=800, yes=200), SCORED),
        example("nothing watches the monitor", RARE, Recipe().edited({"train.monitor": "accuracy"})),
    ],
)
def accuracy_under_imbalance(profile: Profile, recipe: Recipe, *, min_share: float = 0.2) -> Iterator[Finding]:
    """Accuracy decides something, although always answering the common class already scores high.

    Looks at the score, at the monitor of early stopping and at what a tuned threshold is tuned for, each where it is
    used. Of more than two classes the rarest is held against `min_share` of twice its even share, as in
    class-imbalance.

    ## Why it matters
    With 3% positives, a model that never finds one is 97% accurate. Choosing by accuracy prefers it to a model that
    finds half of them at the price of a few false alarms. Average precision, balanced accuracy and the Matthews
    correlation all put the rare class first.

    ## When to ignore it
    When every error costs the same, whichever class it hits, and the rare class is of no special interest.

    ## References
    - Saito, T., & Rehmsmeier, M. (2015). The precision-recall plot is more informative than the ROC plot when
      evaluating binary classifiers on imbalanced datasets. PLoS ONE 10(3).
    - Chicco, D., & Jurman, G. (2020). The advantages of the Matthews correlation coefficient (MCC) over F1 score and
      accuracy in binary classification evaluation. BMC Genomics 21.
    """
    limit = rare_limit(profile, min_share)
    if profile.rare_share >= limit:
        return
    better: dict[str, str] = {}
    if recipe.decide.score == "accuracy":
        better["decide.score"] = "average-precision"
    if recipe.train.patience and recipe.train.monitor == "accuracy":
        better["train.monitor"] = "average-precision"
    if recipe.decide.cut == "tuned" and recipe.decide.tuned_for == "accuracy":
        better["decide.tune-for"] = "mcc"
    if not better:
        return
    common = profile.classes[profile.class_counts.index(max(profile.class_counts))]
    share = max(profile.class_counts) / profile.labelled
    yield Finding(
        f"{' and '.join(better)} is accuracy, and always answering {common!r} has {share:.1%} of it",
        Where("recipe"),
        {"share": profile.rare_share, "min_share": limit, "constant_accuracy": share, "settings": list(better)},
        (
            Fix("Judge by scores that put the rare class first", better, Aim.CORRECT),
            *(
                Fix(f"Judge by {name} instead", {**better, "decide.score": name}, Aim.CORRECT)
                for name in ("balanced-accuracy", "mcc")
                if "decide.score" in better
            ),
        ),
    )
