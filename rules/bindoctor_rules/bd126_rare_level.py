"""Levels of few rows get an input of their own."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._encoding import holds_numbers, is_crowded, is_one_hot
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
JOBS = Table({"job": [f"j{i % 5 if i % 25 else 5 + i // 50}" for i in range(200)], "y": CLASSES})
TOWNS = Table({"town": [f"t{i % 40}" for i in range(200)], "y": CLASSES})


@rule(
    "BD126",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example(
            "four jobs of two rows", JOBS, Recipe(), says="4 levels of 'job' have fewer than 10 rows (8 rows in all)"
        ),
    ],
    passes=[
        example("grouped", JOBS, Recipe().edited({"features.rare": 10})),
        example("encoded by the target", JOBS, Recipe().edited({"features.encode": "target"})),
        example("trees do not split off so few rows", JOBS, Recipe().edited({"model.kind": "gradient-boosting"})),
        example("so many levels that high-cardinality speaks", TOWNS, Recipe()),
        example("ten rows each", Table({"job": [f"j{i % 20}" for i in range(400)], "y": CLASSES * 2}), Recipe()),
    ],
)
def rare_level(profile: Profile, recipe: Recipe, *, min_rows: int = 10) -> Iterator[Finding]:
    """Levels of text columns with fewer than ten rows get an input of their own under one-hot encoding.

    Columns that high-cardinality or unparsed-date report are left to them, as are numbers that a few cells make text
    of. Ten rows are also what the second remedy of high-cardinality groups by, where 5 and 20 did much the same. Of 160
    real tables 20 have such levels, most of them one or two a column.

    ## Why it matters
    The weight of an input that is 1 in a handful of rows is learned from those rows' labels alone, and some folds
    have none of them. Grouped as one level "other" the rare ones at least have rows to learn from, and a level that
    training never saw falls into the same group.

    ## When to ignore it
    When a rare level is the very thing that tells (a rare diagnosis), or a penalty keeps such weights small.

    ## References
    - Kuhn, M., & Johnson, K. (2019). Feature Engineering and Selection, section 5.1 (novel and rare categories). CRC.
    - scikit-learn user guide, Infrequent categories.
    """
    if recipe.rare_below >= min_rows:
        return
    rare: dict[str, dict[str, int]] = {}
    for column in profile.categories:
        if column.role != "category" or not is_one_hot(column, recipe) or is_crowded(column, recipe):
            continue
        if holds_numbers(column, recipe):
            continue
        tokens = {text for text, _ in column.tokens}
        few = {
            level.value: level.count
            for level in column.levels
            if recipe.rare_below <= level.count < min_rows and level.value not in tokens
        }
        if few:
            rare[column.name] = few
    if not rare:
        return
    names = list(rare)
    levels, rows = sum(map(len, rare.values())), sum(sum(few.values()) for few in rare.values())
    one = levels == 1
    yield Finding(
        f"{counted(levels, 'level')} of {listed(names)} {'has' if one else 'have'} fewer than {min_rows} rows "
        f"({counted(rows, 'row')} in all)",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "features.rare"),
        {"levels": {name: dict(list(few.items())[:20]) for name, few in rare.items()}, "min_rows": min_rows},
        (Fix(f'Group levels with fewer than {min_rows} training rows as "other"', {"features.rare": min_rows}),),
    )
