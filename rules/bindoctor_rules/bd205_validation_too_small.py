"""The rows kept back are too few to tell a good model from a better one."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Part, Parts, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._imbalance import (
    MIN_RARE_ROWS,
    MIN_RARE_VALIDATION_ROWS,
    is_repeated,
    rare_rows_held_back,
)

ASSUMED = 0.8
"""A score before there is one: ordinary for tables, and on the careful side, as the interval narrows towards 1."""

FOLDS = Recipe().edited({"split.kind": "folds", "split.stratify": True})
REPEATED = FOLDS.edited({"split.repeats": 3})
BY_ACCURACY = Recipe().edited({"decide.score": "accuracy"})
BY_RECALL = Recipe().edited({"decide.score": "balanced-accuracy"})


def _spread_of_auc(rare: float, common: float) -> float:
    """Return the standard error of an area under the ROC curve of ``ASSUMED`` (Hanley & McNeil 1982)."""
    area = ASSUMED
    beside_rare, beside_common = area / (2 - area), 2 * area**2 / (1 + area)
    total = area * (1 - area) + (rare - 1) * (beside_rare - area**2) + (common - 1) * (beside_common - area**2)
    return math.sqrt(total / (rare * common))


def _spread(score: str, rare: float, common: float) -> float:
    if score == "accuracy":
        return math.sqrt(ASSUMED * (1 - ASSUMED) / (rare + common))
    if score in ("balanced-accuracy", "f1", "mcc"):
        return math.sqrt(ASSUMED * (1 - ASSUMED) * (1 / rare + 1 / common)) / 2
    return _spread_of_auc(rare, common)


@rule(
    "BD205",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example("300 rows, a fifth kept back", counts(no=220, yes=80), Recipe(), says="60 rows (16 'yes') kept back"),
        example("a thousand rows", counts(no=700, yes=300), Recipe(), says="roc-auc to ±0.073 only"),
        example("folds, once", counts(no=90, yes=60), FOLDS, says="150 rows (60 'yes') kept back"),
        example("judged by accuracy", counts(no=220, yes=80), BY_ACCURACY, says="accuracy to ±0.1 only"),
        example("judged by balanced accuracy", counts(no=220, yes=80), BY_RECALL, says="balanced-accuracy to ±0.11"),
        example(
            "a small test part",
            counts(no=6000, yes=4000),
            Recipe(),
            test=counts(no=36, yes=24),
            says="the 60 rows (24 'yes') of the test part measure roc-auc to ±0.12 only",
        ),
    ],
    passes=[
        example("a part of many rows", counts(no=220, yes=80), Recipe(), test=counts(no=6000, yes=4000)),
        example("enough rows", counts(no=6000, yes=4000), Recipe()),
        example("folds keep every row back once", counts(no=700, yes=300), FOLDS),
        example("folds, repeated", counts(no=90, yes=60), REPEATED),
    ],
)
def validation_too_small(
    profile: Profile, recipe: Recipe, parts: Parts | None = None, *, max_half_width: float = 0.05
) -> Iterator[Finding]:
    """The rows kept back cannot resolve the differences that model choices make.

    The half-width of the 95% interval is computed for an assumed score of 0.8: binomial for accuracy; for balanced
    accuracy, F1 and MCC, whose noise is that of the recalls, the mean of two binomials; for ROC AUC the formula of
    Hanley & McNeil, which also stands in for average precision, log loss and costs, as these have no scale-free
    interval before there is a model and depend on the same two counts, the rows of the rare class and of the others.
    From twice `max_half_width` on the finding is a warning, below that a note, and where too-few-rare-rows names the
    cause.

    ## Why it matters
    With 60 rows kept back the area under the ROC curve is known to about ±0.13. Choosing between models by it, or
    reporting it, is choosing by luck. Folds keep every row back once; repeating them averages out the luck of the
    split.

    ## When to ignore it
    When the score is close to 1, where the interval is narrower than assumed, or when a larger test set lies elsewhere.

    ## References
    - Hanley, J. A., & McNeil, B. J. (1982). The meaning and use of the area under a receiver operating characteristic
      (ROC) curve. Radiology 143(1).
    - Varoquaux, G. (2018). Cross-validation failure: small sample sizes lead to large error bars. NeuroImage 180.
    """
    score = "roc-auc" if recipe.decide.score in ("auto", "cost") else recipe.decide.score
    if parts:
        for part in parts.given:
            yield from _small_part(part, score, max_half_width)
        return
    split = recipe.split
    if split.column or is_repeated(recipe):
        return
    share = split.valid if split.kind == "holdout" else 1.0
    rare = max(share * profile.rare_count, 1.0)
    common = max(share * (profile.labelled - profile.rare_count), 1.0)
    half = 1.96 * _spread(score, rare, common)
    if half <= max_half_width:
        return
    repeats: dict[str, object] = {"split.kind": "folds", "split.repeats": 5}
    if not (split.group or split.time):
        repeats["split.stratify"] = True
    known = profile.rare_count < MIN_RARE_ROWS or rare_rows_held_back(profile, recipe) < MIN_RARE_VALIDATION_ROWS
    yield Finding(
        f"{rare + common:.0f} rows ({rare:.0f} {profile.rare_class!r}) kept back measure {score} to ±{half:.2g} only "
        f"(at {ASSUMED})",
        Where("split"),
        {"half_width": half, "max_half_width": max_half_width, "rare": rare, "kept_back": rare + common},
        (Fix("Keep every row back once, in 5 folds repeated 5 times", repeats, Aim.CORRECT),),
        severity=None if half >= 2 * max_half_width and not known else Severity.NOTE,
    )


def _small_part(part: Part, score: str, max_half_width: float) -> Iterator[Finding]:
    counts = {label: count for label, count in part.classes.items() if count}
    if len(counts) < 2:
        return
    label = min(counts, key=lambda name: counts[name])
    rare, rows = counts[label], sum(counts.values())
    half = 1.96 * _spread(score, rare, rows - rare)
    if half > max_half_width:
        yield Finding(
            f"the {rows} rows ({rare} {label!r}) of the {part.long_name} measure {score} to ±{half:.2g} only (at "
            f"{ASSUMED})",
            Where("split", part.name),
            {"half_width": half, "max_half_width": max_half_width, "rare": rare, "kept_back": rows},
            (
                Fix(
                    "Keep more rows apart, or give no part and keep every row back once in repeated folds",
                    aim=Aim.ADVISE,
                ),
            ),
            severity=None if half >= 2 * max_half_width else Severity.NOTE,
        )
