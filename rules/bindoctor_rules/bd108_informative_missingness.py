"""Whether a value is missing predicts the class."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._missing import takes_missing_numbers
from bindoctor_rules._wording import counted

CLASSES = ["yes" if i % 5 < 2 else "no" for i in range(200)]
INCOMES = [20 + i * 37 % 61 for i in range(200)]
UNSTATED = Table({"income": [None if i % 10 in (0, 1, 5, 7) else x for i, x in enumerate(INCOMES)], "y": CLASSES})
AFTERWARDS = Table({"income": [x if i % 5 < 2 and i % 50 else None for i, x in enumerate(INCOMES)], "y": CLASSES})
BY_CHANCE = Table({"income": [None if i % 3 == 0 else x for i, x in enumerate(INCOMES)], "y": CLASSES})
INDICATED = Recipe().edited({"features.impute": "median", "features.indicators": True})


class Indicator(NamedTuple):
    """How well "it is missing" answers for one class: AUC, the class, and its missing share against the others'."""

    auc: float
    label: str
    here: float
    elsewhere: float
    z: float


@rule(
    "BD108",
    severity=Severity.WARNING,
    scans=("cells",),
    flags=[
        example(
            "refused more often by one class",
            UNSTATED,
            Recipe(),
            says="'income' is missing in 75.0% of the rows of 'yes' and 16.7%",
        ),
        example("filled in for one class", AFTERWARDS, Recipe(), says="all but restates the target"),
    ],
    passes=[
        example("missing by chance", BY_CHANCE, Recipe()),
        example("indicated by the recipe", UNSTATED, INDICATED),
        example("left out", AFTERWARDS, Recipe().edited({"data.drop": ["income"]})),
    ],
)
def informative_missingness(
    profile: Profile, recipe: Recipe, *, min_auc: float = 0.6, min_leak: float = 0.95, max_by_chance: float = 0.01
) -> Iterator[Finding]:
    """Whether a value is missing predicts the class.

    The AUC of the indicator "is missing" is `min_auc` or more, for one class against the others: a difference of 20
    percentage points between their shares of missing cells. Among many columns and few rows that happens by chance, so
    its two-sided test must also stand at `max_by_chance` after Bonferroni's correction for the columns with missing
    cells and the classes. Columns that are missing in the same rows are reported once. From `min_leak` on the column is
    as good as the answer, which is an error; a column that is there for one class only is the leak rule's.

    Measured on 411 tables: it speaks of 9 groups of columns in 4 tables, most of them dates and charges of a second
    arrest in the COMPAS recidivism data (AUC 0.61 to 0.97, where the second arrest is the target).

    ## Why it matters
    A gap is rarely an accident: a test is not ordered for the healthy, an income not stated by those who have none, a
    date of return not known before the return. Imputation wipes the trace out, an indicator column keeps it. Whether
    the gap will be there when the model is used is another question: what is filled in after the outcome is a leak.

    ## When to ignore it
    When the gaps come from how this file was put together. In text columns a missing cell is a level of its own, which
    a model sees, so they are noted only.

    ## References
    - Rubin, D. B. (1976). Inference and missing data. Biometrika 63(3).
    - Van Ness, M., Bosschieter, T. M., Halpin-Gregorio, R., & Udell, M. (2023). The missing indicator method: from low
      to high dimensions. KDD.
    - Kaufman, S., Rosset, S., Perlich, C., & Stitelman, O. (2012). Leakage in data mining: formulation, detection, and
      avoidance. ACM TKDD 6(4).
    """
    gappy = [column for column in profile.columns.values() if column.missing and column.count]
    classes = len(profile.classes)
    tests = len(gappy) * (1 if classes == 2 else classes)
    limits = {"min_auc": min_auc, "min_leak": min_leak, "max_by_chance": max_by_chance}
    seen: dict[tuple[int, tuple[int, ...]], list[str]] = {}
    for column in gappy:
        seen.setdefault((column.missing, column.missing_by_class), []).append(column.name)
    for names in seen.values():
        column = profile.columns[names[0]]
        told = _indicator(column, profile)
        if told is None or told.auc < min_auc or _two_sided(told.z) * tests > max_by_chance:
            continue
        yield from _finding(column, names, told, recipe, limits)


def _finding(
    column: ColumnProfile, names: list[str], told: Indicator, recipe: Recipe, limits: Mapping[str, float]
) -> Iterator[Finding]:
    leak = told.auc >= limits["min_leak"]
    others = f" (and {counted(len(names) - 1, 'column')} with the same gaps)" if len(names) > 1 else ""
    what = "all but restates the target" if leak else "predicts the class"
    fixes = tuple(_fixes(column, names, leak, recipe))
    seen = column.kind == "text" or takes_missing_numbers(recipe) or recipe.features.indicators
    if not leak and seen and column.kind == "number":
        return
    yield Finding(
        f"'{column.name}'{others} is missing in {told.here:.1%} of the rows of '{told.label}' and {told.elsewhere:.1%} "
        f"of the others, which {what} (AUC {told.auc:.3f})",
        Where("column", column.name),
        {
            "auc": told.auc,
            "label": told.label,
            "missing_share": told.here,
            "missing_share_elsewhere": told.elsewhere,
            "columns": names,
            **limits,
        },
        fixes,
        Confidence.HIGH if leak else Confidence.MEDIUM,
        Severity.ERROR if leak else Severity.NOTE if seen else None,
        columns=tuple(names) if len(names) > 1 else (),
    )


def _fixes(column: ColumnProfile, names: list[str], leak: bool, recipe: Recipe) -> Iterator[Fix]:
    if leak:
        yield Fix(f"Leave out '{column.name}'", {"data.drop+": names}, Aim.CORRECT)
    elif column.kind == "number" and not recipe.features.indicators:
        edits: dict[str, Any] = {"features.indicators": True}
        if recipe.features.impute == "none":
            edits["features.impute"] = "median"
        yield Fix("Add indicators of what is missing", edits)


def _indicator(column: ColumnProfile, profile: Profile) -> Indicator | None:
    """Return the class that "it is missing" tells best from the others; None where one of the two is empty."""
    rows, missing = np.array(profile.class_counts), np.array(column.missing_by_class)
    others, elsewhere = rows.sum() - rows, missing.sum() - missing
    if len(rows) < 2 or not (rows.all() and others.all()):
        return None
    share, share_elsewhere = missing / rows, elsewhere / others
    auc = 0.5 + np.abs(share - share_elsewhere) / 2
    # Of two classes, each answers the same question; ask for the positive one.
    best = 1 if len(rows) == 2 else int(auc.argmax())
    pooled = missing.sum() / rows.sum()
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows[best] + 1 / others[best]))
    # Yates's correction: without it, a handful of rows looks like proof.
    apart = abs(share[best] - share_elsewhere[best]) - (1 / rows[best] + 1 / others[best]) / 2
    z = float(apart) / error if error > 0 and apart > 0 else 0.0
    return Indicator(float(auc[best]), profile.classes[best], float(share[best]), float(share_elsewhere[best]), z)


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
