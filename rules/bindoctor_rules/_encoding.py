"""How many inputs a column becomes."""

from bindoctor import ColumnProfile, Recipe

HASHED_INPUTS = 32
MAX_LEVELS = 50
MIN_LEVELS = 20
MIN_ROWS_PER_LEVEL = 20.0
MIN_PARSED = 0.9


def is_one_hot(column: ColumnProfile, recipe: Recipe) -> bool:
    """Tell whether a column is text that the recipe gives one input for each level."""
    features = recipe.features
    if column.name in features.dates:
        return False
    return column.kind == "text" and features.encode_columns.get(column.name, features.encode) == "onehot"


def one_hot_levels(column: ColumnProfile, recipe: Recipe) -> int:
    """Count the levels that get an input each; those too rare for one share one, and missing cells are none.

    An upper limit where levels are grouped and the scan could not count them all.
    """
    if not column.levels_complete:
        return min(column.distinct, column.count // max(recipe.rare_below, 1))
    kept = int((column.levels.counts >= recipe.rare_below).sum())
    return kept + (kept < column.distinct)


def is_sparse(column: ColumnProfile, levels: int, min_levels: int, min_rows_per_level: float) -> bool:
    """Tell whether there are at least ``min_levels`` levels with an input each, and on average too few rows of each."""
    return levels >= min_levels and column.count < min_rows_per_level * levels


def holds_numbers(column: ColumnProfile, recipe: Recipe, min_parsed: float = MIN_PARSED) -> bool:
    """Tell whether the cells that do not stand for a missing value are mostly numbers, and not text on purpose."""
    tokens = sum(count for _, count in column.tokens)
    return column.name not in recipe.data.casts and column.parsed >= min_parsed * (column.count - tokens)


def is_crowded(column: ColumnProfile, recipe: Recipe) -> bool:
    """Tell whether high-cardinality reports the column, with its defaults."""
    levels = one_hot_levels(column, recipe) if is_one_hot(column, recipe) else 0
    return levels > MAX_LEVELS or is_sparse(column, levels, MIN_LEVELS, MIN_ROWS_PER_LEVEL)


def inputs_of(column: ColumnProfile, recipe: Recipe, classes: int) -> int:
    """Count the inputs that a column becomes: one a number, one a level, one (or one a class) when target-encoded."""
    features = recipe.features
    if column.name in features.dates:
        return len(features.dates[column.name].parts)
    if column.kind == "number":
        return 1 + (features.indicators and column.missing > 0)
    if is_one_hot(column, recipe):
        return one_hot_levels(column, recipe) + (column.missing > 0)
    if features.encode_columns.get(column.name, features.encode) == "hash":
        return HASHED_INPUTS
    return 1 if classes == 2 else classes
