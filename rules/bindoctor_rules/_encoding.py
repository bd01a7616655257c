"""How many inputs a text column becomes."""

from bindoctor import ColumnProfile, Recipe


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
    kept = sum(level.count >= recipe.rare_below for level in column.levels)
    return kept + (kept < column.distinct)


def is_sparse(column: ColumnProfile, levels: int, min_levels: int, min_rows_per_level: float) -> bool:
    """Tell whether there are at least ``min_levels`` levels with an input each, and on average too few rows of each."""
    return levels >= min_levels and column.count < min_rows_per_level * levels
