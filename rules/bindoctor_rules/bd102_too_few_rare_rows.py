"""The rarest class has too few rows to learn from or to measure on."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._imbalance import MIN_RARE_ROWS, MIN_RARE_VALIDATION_ROWS, is_repeated, rare_rows_held_back


@rule(
    "BD102",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example("12 positives", counts(no=988, yes=12), Recipe(), says="'yes' has 12 rows, about 2.4 of them"),
        example(
            "a small holdout",
            counts(no=900, yes=60),
            Recipe().edited({"split.valid": 0.05}),
            says="'yes' has 60 rows, about 3.0 of them",
        ),
        example("one row", counts(no=99, yes=1), Recipe(), says="'yes' has 1 row, about 0.2 of it"),
        example(
            "repeated folds already",
            counts(no=988, yes=12),
            Recipe().edited({"split.kind": "folds", "split.repeats": 5}),
            says="'yes' has 12 rows in all",
        ),
    ],
    passes=[
        example("exactly at both limits", counts(no=900, yes=30), Recipe().edited({"split.valid": 0.2})),
        example("a rare class of many rows", counts(no=9000, yes=90), Recipe()),
        example(
            "small folds, repeated",
            counts(no=900, yes=60),
            Recipe().edited({"split.kind": "folds", "split.folds": 20, "split.repeats": 5}),
        ),
    ],
)
def too_few_rare_rows(
    profile: Profile,
    recipe: Recipe,
    *,
    min_rows: int = MIN_RARE_ROWS,
    min_validation_rows: int = MIN_RARE_VALIDATION_ROWS,
) -> Iterator[Finding]:
    """The rarest class has too few rows to learn from, or to be measured on in one validation part.

    ## Why it matters
    A score over four rare rows moves by a quarter when one of them changes its side, so that luck decides between two
    models. Repeated folds use every rare row in every repeat and average over the cuts: on 28 real sets the power to
    see a real gain rose from 0.22 (5 folds once) to 0.51 (6 times). With fewer than 30 rare rows the class itself is
    hardly described, and only more rows help.

    ## When to ignore it
    When no more rows can be had and the scores are read with their intervals.

    ## References
    - Kohavi, R. (1995). A study of cross-validation and bootstrap for accuracy estimation and model selection. IJCAI.
    - Nadeau, C., & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52.
    - Riley, R. D., et al. (2020). Calculating the sample size required for developing a clinical prediction model. BMJ
      368.
    """
    split = recipe.split
    repeated, held_back = is_repeated(recipe), rare_rows_held_back(profile, recipe)
    few_to_measure = held_back < min_validation_rows and not repeated
    if profile.rare_count >= min_rows and not few_to_measure:
        return
    one = profile.rare_count == 1
    message = f"'{profile.rare_class}' has {profile.rare_count} row{'' if one else 's'}"
    if repeated:
        message += " in all, too few to describe a class"
    else:
        message += f", about {held_back:.1f} of {'it' if one else 'them'} in a validation part"
    fixes = [Fix(f"Collect more rows of '{profile.rare_class}'", aim=Aim.ADVISE)]
    if not repeated and profile.rare_count > 1:
        folds = min(split.folds, profile.rare_count)
        edits = {
            "split.kind": "folds",
            "split.folds": folds,
            "split.repeats": 5,
            "split.stratify": not (split.group or split.time),
        }
        fixes.insert(0, Fix(f"Keep every row back once, in {folds} folds repeated 5 times", edits, Aim.CORRECT))
    yield Finding(
        message,
        Where("target"),
        {
            "count": profile.rare_count,
            "validation_rows": held_back,
            "min_rows": min_rows,
            "min_validation_rows": min_validation_rows,
        },
        tuple(fixes),
    )
