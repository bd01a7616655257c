"""How many weights a recipe's network has, and how many rows they are learnt from."""

from itertools import pairwise

from bindoctor import Profile, Recipe
from bindoctor_rules._encoding import inputs_of


def weights_of(profile: Profile, recipe: Recipe) -> int:
    """Count the weights and biases of the network; columns that are constant or name the row are no inputs."""
    classes = len(profile.classes)
    inputs = sum(inputs_of(column, recipe, classes) for column in (*profile.numbers, *profile.categories))
    hidden = recipe.model.hidden if recipe.model.kind == "mlp" else ()
    widths = (inputs, *hidden, 1 if classes == 2 else classes)
    return sum((before + 1) * after for before, after in pairwise(widths))


def training_rows(profile: Profile, recipe: Recipe) -> float:
    """Return how many rows the split leaves to train on."""
    share = recipe.split.valid if recipe.split.kind == "holdout" else 1 / recipe.split.folds
    return (1 - share) * profile.labelled
