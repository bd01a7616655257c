"""Number columns have missing cells and the recipe does not fill them."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._missing import takes_missing_numbers
from bindoctor_rules._wording import counted, listed

AGES = Table(
    {
        "age": [None if i % 5 == 0 else 20 + i * 37 % 60 for i in range(100)],
        "fare": [i * 53 % 71 for i in range(100)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(100)],
    }
)
CABINS = Table(
    {
        "cabin": ["B" if i % 40 == 0 else None for i in range(100)],
        "fare": [i * 53 % 71 for i in range(100)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(100)],
    }
)
PORTS = Table({"port": [None if i % 9 == 0 else "SC"[i % 2] for i in range(100)], "y": ["yes", "no"] * 50})
FILLED = {"features.impute": "median", "features.indicators": True}


@rule(
    "BD105",
    severity=Severity.WARNING,
    scans=("cells",),
    flags=[
        example(
            "ages", AGES, Recipe(), says="1 number column has missing cells (20 of 100 in 'age'), and features.impute"
        ),
        example(
            "trees can split on what is missing",
            AGES,
            Recipe().edited({"model.kind": "gradient-boosting"}),
            says="1 number column has missing cells",
        ),
        example("an almost empty column", CABINS, Recipe(), says="'cabin' is missing in at least 95% of 100 rows"),
        example("text", PORTS, Recipe(), says="1 text column has missing cells (12 of 100 in 'port')"),
    ],
    passes=[
        example("imputed", AGES, Recipe().edited(FILLED)),
        example("nothing missing", Table({"x": list(range(50)), "y": ["a", "b"] * 25}), Recipe()),
        example("the empty column is dropped", CABINS, Recipe().edited({"data.drop": ["cabin"]})),
    ],
)
def missing_values(profile: Profile, recipe: Recipe, *, min_empty: float = 0.95) -> Iterator[Finding]:
    """Columns have missing cells, and the recipe says nothing about them.

    ## Why it matters
    A network cannot compute with an absent number: training stops, or is poisoned by NaN. The median is not moved by
    outliers, and an indicator column beside it tells the model which values were made up, which matters whenever values
    are not missing by chance. In text columns a missing cell is a level of its own, so those are noted only, as are
    numbers for gradient boosting, which sends them to the better side of each split. A column that is missing in 95% of
    the rows or more mostly holds made-up values once it is filled, and may be better left out.

    ## When to ignore it
    For text columns, when "missing" is a level like any other. A nearly empty column can still be the best one: its
    removal has to win its trial.

    ## References
    - Little, R. J. A., & Rubin, D. B. (2019). Statistical Analysis with Missing Data, 3rd edition. Wiley.
    - Le Morvan, M., Josse, J., Scornet, E., & Varoquaux, G. (2021). What's a good imputation to predict with missing
      values? NeurIPS.
    - Van Ness, M., Bosschieter, T. M., Halpin-Gregorio, R., & Udell, M. (2023). The missing indicator method: from low
      to high dimensions. KDD.
    """
    rows = profile.rows
    missing = {name: column.missing for name, column in profile.columns.items() if column.missing and column.count}
    numbers = {name: count for name, count in missing.items() if profile.columns[name].kind == "number"}
    texts = {name: count for name, count in missing.items() if name not in numbers}
    empty = [name for name, count in missing.items() if count >= min_empty * rows]
    if numbers and recipe.features.impute == "none":
        tolerated = takes_missing_numbers(recipe)
        aim = Aim.IMPROVE if tolerated else Aim.CORRECT
        yield Finding(
            f'{_described(numbers, "number", rows)}, and features.impute is "none"',
            Where("recipe", "features.impute"),
            {"columns": list(numbers), "missing": numbers, "rows": rows},
            tuple(
                Fix(
                    f"Fill them with the {words} and add indicators",
                    {"features.impute": how, "features.indicators": True},
                    aim,
                )
                for how, words in (("median", "median"), ("mean", "mean"), ("most-frequent", "commonest value"))
            ),
            severity=Severity.NOTE if tolerated else None,
        )
    if texts and not set(texts) <= set(empty):
        yield Finding(
            f"{_described(texts, 'text', rows)}; a missing cell becomes a level of its own",
            Where("recipe", "features.impute"),
            {"columns": list(texts), "missing": texts, "rows": rows},
            severity=Severity.NOTE,
        )
    if empty:
        yield Finding(
            f"{listed(empty)} {'is' if len(empty) == 1 else 'are'} missing in at least {min_empty:.0%} of {rows} rows",
            Where("recipe", "data.drop"),
            {
                "columns": empty,
                "missing": {name: missing[name] for name in empty},
                "rows": rows,
                "min_empty": min_empty,
            },
            (Fix(f"Leave out {listed(empty)}", {"data.drop+": empty}),),
        )


def _described(missing: dict[str, int], kind: str, rows: int) -> str:
    worst = max(missing, key=missing.__getitem__)
    most = "" if len(missing) == 1 else "up to "
    verb = "has" if len(missing) == 1 else "have"
    columns = counted(len(missing), f"{kind} column")
    return f"{columns} {verb} missing cells ({most}{missing[worst]} of {rows} in '{worst}')"
