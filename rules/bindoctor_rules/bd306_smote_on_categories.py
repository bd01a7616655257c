"""SMOTE mixes the levels of text columns."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._encoding import is_one_hot
from bindoctor_rules._wording import listed

INTERPOLATING = ("smote", "borderline-smote", "adasyn", "smote-tomek", "smote-enn")
MIXED = Table(
    {"x": list(range(100)), "home": ["own", "rent"] * 50, "y": ["yes" if i % 10 == 0 else "no" for i in range(100)]}
)
ONLY_TEXT = Table(
    {"home": ["own", "rent", "free", "rent"] * 25, "y": ["yes" if i % 10 == 0 else "no" for i in range(100)]}
)
SMOTE = Recipe().edited({"resample.method": "smote"})


@rule(
    "BD306",
    severity=Severity.WARNING,
    scans=("cells",),
    flags=[
        example("numbers and text", MIXED, SMOTE, says="smote makes rows between levels of 'home'"),
        example("text alone", ONLY_TEXT, SMOTE, says="between levels of 'home'"),
        example("with cleaning", MIXED, SMOTE.edited({"resample.method": "smote-enn"}), says="smote-enn makes rows"),
    ],
    passes=[
        example("SMOTENC", MIXED, Recipe().edited({"resample.method": "smotenc"})),
        example("encoded by the target", MIXED, SMOTE.edited({"features.encode": "target"})),
        example("numbers alone", MIXED, SMOTE.edited({"data.drop": ["home"]})),
        example("not resampled", MIXED, Recipe()),
    ],
)
def smote_on_categories(profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """SMOTE or one of its kin interpolates text columns that have an input for each level.

    ## Why it matters
    A row that SMOTE makes lies between two rows: 0.3 of one level and 0.7 of another, which no real row ever has. The
    network learns to tell made rows by such values instead of learning the class. SMOTENC takes the level that is most
    frequent among the neighbours; it needs number columns to find them by, and without any, rows can only be repeated.

    ## When to ignore it
    Hardly ever. Levels in an order that means something are better read as numbers.

    ## References
    - Chawla, N. V., Bowyer, K. W., Hall, L. O., & Kegelmeyer, W. P. (2002). SMOTE: synthetic minority over-sampling
      technique. JAIR 16 (section 6.1, SMOTE-NC).
    - imbalanced-learn documentation, SMOTENC.
    """
    method = recipe.resample.method
    mixed = [column.name for column in profile.categories if is_one_hot(column, recipe)]
    if method not in INTERPOLATING or not mixed:
        return
    others = profile.numbers or len(mixed) < len(profile.categories)
    instead = (
        Fix("Take whole levels from the neighbours (SMOTENC)", {"resample.method": "smotenc"}, Aim.CORRECT)
        if others
        else Fix("Repeat rows of the rare class", {"resample.method": "random-over"}, Aim.CORRECT)
    )
    yield Finding(
        f"{method} makes rows between levels of {listed(mixed)}, which no real row can be",
        Where("recipe"),
        {"method": method, "columns": mixed},
        (instead,),
    )
