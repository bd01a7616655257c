"""Text columns have more levels than one-hot encoding can learn from."""

from collections.abc import Iterator

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._dress import dress_of
from bindoctor_rules._encoding import (
    HASHED_INPUTS,
    MAX_LEVELS,
    MIN_LEVELS,
    MIN_PARSED,
    MIN_ROWS_PER_LEVEL,
    holds_numbers,
    is_one_hot,
    is_sparse,
    one_hot_levels,
)
from bindoctor_rules._wording import counted, listed

GROUPED = 10
TOWNS = Table(
    {"town": [f"t{i * 7 % 40}" for i in range(120)], "y": ["yes" if i % 3 == 0 else "no" for i in range(120)]}
)
SHOPS = Table({"shop": [f"s{i % 51}" for i in range(1020)], "y": ["yes" if i % 7 == 0 else "no" for i in range(1020)]})
ROLES = Table({"role": [f"r{i % 12}" for i in range(120)], "y": ["yes" if i % 5 == 0 else "no" for i in range(120)]})
AGES = Table({"age": ["?" if i % 10 == 0 else 20 + i * 37 % 60 for i in range(120)], "y": ["yes", "no"] * 60})


@rule(
    "BD111",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
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
    profile: Profile,
    recipe: Recipe,
    *,
    max_levels: int = MAX_LEVELS,
    min_levels: int = MIN_LEVELS,
    min_rows_per_level: float = MIN_ROWS_PER_LEVEL,
    min_parsed: float = MIN_PARSED,
) -> Iterator[Finding]:
    """Text columns have more than 50 levels under one-hot encoding, or 20 or more with fewer than 20 rows each.

    A level is what has an input of its own: those that the recipe groups as rare count as one. Rows per level are a
    mean; where every column has enough of them the finding is a note. Identifiers are left to identifier-column, dates
    to unparsed-date, and numbers that are text to missing-token and number-as-text.

    ## Why it matters
    An input that is 1 in one training row tells the network which row it is, and a few hundred of them let it learn the
    labels by heart. Measured on 1 200 rows each of two tables (1 486 levels of tickets, cabins and destinations; 549
    tail numbers), a standardised network of 64 and 32 units had log losses of 0.69 and 0.98, where always answering the
    class shares has 0.67 and 0.50. Encoded by the target it had 0.41 and 0.45, with levels of fewer than 10 rows
    grouped 0.43 and 0.45 (with 5 or 20 rows much the same).

    ## When to ignore it
    When regularisation keeps rare levels from being learned by heart: with an L2 penalty of 0.01 the same networks had
    0.41 and 0.42.

    ## References
    - Micci-Barreca, D. (2001). A preprocessing scheme for high-cardinality categorical attributes in classification and
      prediction problems. SIGKDD Explorations 3(1).
    - Pargent, F., Pfisterer, F., Thomas, J., & Bischl, B. (2022). Regularized target encoding outperforms traditional
      methods in supervised machine learning with high cardinality features. Computational Statistics 37.
    - scikit-learn user guide, Target encoder and Infrequent categories.
    """
    columns = [
        column
        for column in profile.categories
        if is_one_hot(column, recipe) and column.role != "date" and not holds_numbers(column, recipe, min_parsed)
    ]
    levels = {column.name: one_hot_levels(column, recipe) for column in columns}
    sparse = [c.name for c in columns if is_sparse(c, levels[c.name], min_levels, min_rows_per_level)]
    crowded = [
        column
        for column in columns
        if (column.name in sparse or levels[column.name] > max_levels) and not dress_of(column, profile)
    ]
    if not crowded:
        return
    worst = sorted(crowded, key=lambda column: -levels[column.name])
    described = [f"'{c.name}' ({levels[c.name]} levels in {counted(c.count, 'row')})" for c in worst[:3]]
    more = f" and {len(worst) - 3} more" if len(worst) > 3 else ""
    yield Finding(
        f"one-hot encoding makes an input of every level of {', '.join(described)}{more}",
        Where("recipe", "features.encode"),
        {
            "columns": [column.name for column in crowded],
            "levels": {column.name: levels[column.name] for column in crowded},
            "rows": {column.name: column.count for column in crowded},
            "max_levels": max_levels,
            "min_levels": min_levels,
            "min_rows_per_level": min_rows_per_level,
            "min_parsed": min_parsed,
        },
        tuple(_remedies(crowded, recipe)),
        severity=None if sparse else Severity.NOTE,
    )


def _remedies(crowded: list[ColumnProfile], recipe: Recipe) -> Iterator[Fix]:
    them = f"'{crowded[0].name}'" if len(crowded) == 1 else f"these {len(crowded)} columns"
    yield Fix(
        f"Encode {them} by the target, inside folds",
        {f"features.encode-columns.{column.name}": "target" for column in crowded},
    )
    rare = any((column.levels.counts < GROUPED).any() for column in crowded) or not all(
        column.levels_complete for column in crowded
    )
    if rare and recipe.rare_below < GROUPED:
        yield Fix(f"Group levels with fewer than {GROUPED} training rows", {"features.rare": GROUPED})
    hashed = [column.name for column in crowded if column.distinct > HASHED_INPUTS]
    if hashed:
        yield Fix(
            f"Hash the levels of {listed(hashed)} into {HASHED_INPUTS} inputs each",
            {f"features.encode-columns.{name}": "hash" for name in hashed},
        )
