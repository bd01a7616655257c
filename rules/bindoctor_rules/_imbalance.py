"""From which share, or number of rows, on a class counts as rare."""

from bindoctor import Profile, Recipe

MIN_RARE_ROWS = 30
MIN_RARE_VALIDATION_ROWS = 5


def rare_limit(profile: Profile, min_share: float) -> float:
    """Return ``min_share``, which is meant for two classes, scaled to the even share of more classes."""
    return min_share * 2 / len(profile.classes)


def rare_rows_held_back(profile: Profile, recipe: Recipe) -> float:
    """Return how many rows of the rarest class a validation part holds."""
    split = recipe.split
    return profile.rare_count * (split.valid if split.kind == "holdout" else 1 / split.folds)


def is_repeated(recipe: Recipe) -> bool:
    """Tell whether folds are repeated, so that every rare row is measured several times."""
    return recipe.split.kind == "folds" and recipe.split.repeats > 1
