"""Text columns have more levels than one-hot encoding can learn from."""

from collections.abc import Iterator

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._encoding import is_one_hot, one_hot_levels
from bindoctor_rules._wording import counted, listed

ENOUGH_ROWS = 10
TOWNS = Table(
    {"town": [f"t{i * 7 % 40}" for i in range(120)], "y": ["yes" if i % 3 == 0 else "no" for i in range(120)]}
)
SHOPS = Table({"shop": [f"s{i % 51}" for i in range(1020)], "y": ["yes" if i % 7 == 0 else "no" for i in range(1020)]})
ROLES = Table({"role": [f"r{i % 12}" for i in range(120)], "y": ["yes" if i % 5 == 0 else "no" for i in range(120)]})
AGES = Table({"age": ["?" if i % 10 == 0 else 20 + i * 37 % 60 for i in range(120)], "y": ["yes", "no"] * 60})


@rule(
    "BD111",
    severity=Severity.WARNING,
    flags=[
        example("three rows a town", TOWNS, Recipe(), says="'town' (40 levels in 120 rows)"),
        example("many levels, though each has rows", SHOPS, Recipe(), says="'shop' (51 levels in 1020 rows)"),
    ],
    passes=[
        example("encoded by the target", TOWNS, Recipe().edited({"features.encode": "target"})),
        example("that column encoded by it", TOWNS, Recipe().edited({"features.encode-columns.town": "target"})),
        example("rare levels grouped", TOWNS, Recipe().edited({"features.rare": 10})),
        example("left out", TOWNS, Recipe().edited({"data.drop": ["town"]})),
        example("a dozen levels", ROLES, Recipe()),
        example("numbers, once '?' is read as missing", AGES, Recipe()),
    ],
)
def high_cardinality(
    profile: Profile, recipe: Recipe, *, max_levels: int = 50, min_levels: int = 20, min_rows_per_level: float = 20.0
) -> Iterator[Finding]:
    """Text columns have more than 50 levels under one-hot encoding, or 20 or more with fewer than 20 rows each.

    A level is what has an input of its own: those that the recipe groups as rare count as one. Rows per level are a
    mean. Identifiers are left to identifier-column, and numbers that a few cells make text of to missing-token and
    number-as-text. Where every column has rows enough for its levels the finding is a note.

    ## Why it matters
    """
    crowded = {}
    for column in profile.categories:
        levels = one_hot_levels(column, recipe)
        sparse = levels >= min_levels and column.count < min_rows_per_level * levels
        if is_one_hot(column, recipe) and not _is_nearly_numbers(column, recipe) and (levels > max_levels or sparse):
            crowded[column.name] = levels
