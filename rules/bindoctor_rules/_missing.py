"""What training does about missing numbers."""

from collections.abc import Mapping
from typing import Any

from bindoctor import ColumnProfile, Recipe


def takes_missing_numbers(recipe: Recipe) -> bool:
    """Tell whether the recipe trains on missing numbers as they are: trees do, resampling and networks do not."""
    return recipe.model.kind == "gradient-boosting" and recipe.resample.method == "none"


def with_imputer(edits: Mapping[str, Any], column: ColumnProfile, recipe: Recipe) -> Mapping[str, Any]:
    """Add the median as imputer to edits that make cells of a column missing, where training would stop at them."""
    if column.kind == "text" or recipe.features.impute != "none" or takes_missing_numbers(recipe):
        return edits
    return {**edits, "features.impute": "median"}
