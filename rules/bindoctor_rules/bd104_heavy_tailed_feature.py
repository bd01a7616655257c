"""A few values of a number column lie very far out on one side."""

from collections.abc import Iterable, Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._codes import named_as_code
from bindoctor_rules._wording import listed

INCOMES = Table(
    {
        "income": [2.0 ** (i % 25) for i in range(100)],
        "change": [5 - 2.0 ** (i * 7 % 25) for i in range(100)],
        "age": [20 + i * 37 % 60 for i in range(100)],
        "member": [int(i % 25 == 0) for i in range(100)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(100)],
    }
)


@rule(
    "BD104",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example("incomes", INCOMES, Recipe(), says="'income' and 'change' have a heavy tail (skew up to"),
        example(
            "one is transformed already",
            INCOMES,
            Recipe().edited({"features.transform.change": "power"}),
            says="'income' has a heavy tail (skew up to 3.",
        ),
    ],
    passes=[
        example("all columns are power-transformed", INCOMES, Recipe().edited({"features.scale": "power"})),
        example(
            "both are transformed",
            INCOMES,
            Recipe().edited({"features.transform.income": "log1p", "features.transform.change": "quantile"}),
        ),
        example("trees do not mind", INCOMES, Recipe().edited({"model.kind": "gradient-boosting"})),
        example(
            "a rare flag is no tail", Table({"x": [int(i < 3) for i in range(100)], "y": ["a", "b"] * 50}), Recipe()
        ),
    ],
)
def heavy_tailed_feature(
    profile: Profile, recipe: Recipe, *, min_skew: float = 3.0, min_distinct: int = 11
) -> Iterator[Finding]:
    """A few values of a number column lie very far out on one side.

    ## Why it matters
    After standardising, a long tail still squeezes most rows into a sliver and lets a few rows dominate every gradient.
    Amounts, counts and durations are often closer to a logarithmic scale. On 28 real sets such transforms helped on
    about half of those whose largest skew exceeds 5 and on none of the others, so this is a note and each transform
    must win its trial. Columns of ten or fewer values are left alone: the skew of a flag is a rare level, not a tail;
    so are columns whose name says code, which are coded-category's.

    ## When to ignore it
    When the tail itself is what tells the classes apart (fraud, faults), or for models of trees.

    ## References
    - Box, G. E. P., & Cox, D. R. (1964). An analysis of transformations. Journal of the Royal Statistical Society B 26.
    - Yeo, I.-K., & Johnson, R. A. (2000). A new family of power transformations to improve normality or symmetry.
      Biometrika 87(4).
    - scikit-learn user guide, Non-linear transformation.
    """
    features = recipe.features
    if features.scale in ("power", "quantile", "log1p") or not recipe.model.network:
        return
    tails = {
        column.name: column.moments
        for column in profile.numbers
        if column.moments
        and abs(column.moments.skew) >= min_skew
        and column.distinct >= min_distinct
        and column.name not in features.transform
        and not named_as_code(column.name)
    }
    if not tails:
        return
    skews = {name: moments.skew for name, moments in tails.items()}
    steepest = max(skews.values(), key=abs)
    have = "has" if len(tails) == 1 else "have"
    logarithmic = [name for name, moments in tails.items() if moments.minimum >= 0 and moments.skew > 0]
    fixes = [
        Fix("Straighten them with a power transform (Yeo–Johnson)", _transforms(tails, "power")),
        Fix("Map them to a normal distribution by quantiles", _transforms(tails, "quantile")),
    ]
    if logarithmic:
        fixes.insert(1, Fix(f"Take log(1 + x) of {listed(logarithmic)}", _transforms(logarithmic, "log1p")))
    yield Finding(
        f"{listed(list(tails))} {have} a heavy tail (skew up to {steepest:.1f})",
        Where("recipe", "features.transform"),
        {"columns": list(tails), "skew": skews, "min_skew": min_skew, "min_distinct": min_distinct},
        tuple(fixes),
        columns=tuple(tails),
    )


def _transforms(columns: Iterable[str], kind: str) -> dict[str, str]:
    return {f"features.transform.{name}": kind for name in columns}
