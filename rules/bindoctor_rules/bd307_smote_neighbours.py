"""SMOTE asks for more neighbours than the rare class has rows in a training part."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule

METHODS = ("smote", "smotenc", "borderline-smote", "adasyn", "smote-tomek", "smote-enn")
SMOTE = Recipe().edited({"resample.method": "smote"})
FEW = counts(no=500, yes=6)


@rule(
    "BD307",
    severity=Severity.ERROR,
    scans=(),
    flags=[
        example(
            "six rare rows", FEW, SMOTE, says="smote needs 6 rows of 'yes' for 5 neighbours, a training part has 4"
        ),
        example("two rare rows", counts(no=500, yes=2), SMOTE, says="a training part has 1"),
        example(
            "early stopping takes rows too",
            counts(no=500, yes=8),
            SMOTE.edited({"train.patience": 10}),
            says="part has 5",
        ),
        example(
            "many neighbours", counts(no=500, yes=60), SMOTE.edited({"resample.neighbors": 60}), says="needs 61 rows"
        ),
    ],
    passes=[
        example("just enough", counts(no=500, yes=8), SMOTE),
        example("fewer neighbours", FEW, SMOTE.edited({"resample.neighbors": 2})),
        example("copies need no neighbours", FEW, Recipe().edited({"resample.method": "random-over"})),
    ],
)
def smote_neighbours(profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """SMOTE cannot run: a rare row needs k other rare rows in its training part, and there are fewer.

    Counts the rows that the split leaves for training, less the validation part that early stopping cuts from them.

    ## Why it matters
    SMOTE makes rows between a rare row and its k nearest neighbours of the same class, so it needs k + 1 of them. With
    fewer the training breaks, often in one fold only and after the others have run.

    ## When to ignore it
    Never; the training stops. Below about 30 rare rows no resampling adds what is missing (see too-few-rare-rows).

    ## References
    - Chawla, N. V., Bowyer, K. W., Hall, L. O., & Kegelmeyer, W. P. (2002). SMOTE: synthetic minority over-sampling
      technique. JAIR 16.
    - imbalanced-learn documentation, SMOTE, parameter k_neighbors.
    """
    method, neighbors = recipe.resample.method, recipe.resample.neighbors
    if method not in METHODS:
        return
    split = recipe.split
    kept = 1 - (split.valid if split.kind == "holdout" else 1 / split.folds)
    kept *= 1 - split.valid if recipe.train.patience else 1
    rare = math.floor(round(kept * profile.rare_count, 6))
    if neighbors < rare:
        return
    copies = Fix("Repeat rare rows instead", {"resample.method": "random-over"}, Aim.CORRECT)
    fewer = Fix(f"{rare - 1} neighbours", {"resample.neighbors": rare - 1}, Aim.CORRECT)
    yield Finding(
        f"{method} needs {neighbors + 1} rows of {profile.rare_class!r} for {neighbors} neighbours, "
        f"a training part has {rare}",
        Where("recipe"),
        {"neighbors": neighbors, "rare_rows_in_training": rare},
        (fewer, copies) if rare > 1 else (copies,),
    )
