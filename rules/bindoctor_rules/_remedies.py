"""What run rules advise: edits of the recipe where there is one, and words where the run came from elsewhere."""

from collections.abc import Iterator, Mapping

from bindoctor import Aim, Fix, Recipe

MIN_RATE = 1e-5
MAX_RATE = {"adam": 0.03, "adamw": 0.03, "rmsprop": 0.03, "sgd": 1.0}

LOWER_RATE = Fix("Lower the learning rate, to a third or a tenth", aim=Aim.ADVISE)
HIGHER_RATE = Fix("Raise the learning rate, three- to tenfold", aim=Aim.ADVISE)
CLIP = Fix("Clip gradients at norm 1", aim=Aim.ADVISE)
SCALE = Fix("Standardise the inputs", aim=Aim.ADVISE)
STOP = Fix("Stop early, and keep the weights of the best epoch", aim=Aim.ADVISE)
LONGER = Fix("Train for more epochs", aim=Aim.ADVISE)


def trains_by_gradient(recipe: Recipe) -> bool:
    """Tell whether a learning rate, scales and gradients matter to the model."""
    return recipe.model.network


def lower_rate(recipe: Recipe | None) -> Iterator[Fix]:
    """Yield a tenth of the learning rate."""
    if recipe is None:
        yield LOWER_RATE
    elif trains_by_gradient(recipe) and recipe.optimizer.learning_rate > MIN_RATE:
        rate = float(f"{recipe.optimizer.learning_rate / 10:g}")
        yield Fix(f"Learning rate {rate:g}", {"optimizer.learning-rate": rate})


def higher_rate(recipe: Recipe | None, factor: int = 10, most: Mapping[str, float] = MAX_RATE) -> Iterator[Fix]:
    """Yield a higher learning rate, up to ``most`` of the optimizer."""
    if recipe is None:
        yield HIGHER_RATE
    elif trains_by_gradient(recipe):
        optimizer = recipe.optimizer
        rate = min(float(f"{factor * optimizer.learning_rate:g}"), most[optimizer.kind])
        if rate > optimizer.learning_rate:
            yield Fix(f"Learning rate {rate:g}", {"optimizer.learning-rate": rate})


def clipping(recipe: Recipe | None) -> Iterator[Fix]:
    """Yield the clipping of gradients."""
    if recipe is None:
        yield CLIP
    elif trains_by_gradient(recipe) and not recipe.optimizer.clip_norm:
        yield Fix(CLIP.title, {"optimizer.clip-norm": 1.0})


def scaling(recipe: Recipe | None) -> Iterator[Fix]:
    """Yield the standardising of features."""
    if recipe is None:
        yield SCALE
    elif trains_by_gradient(recipe) and recipe.features.scale == "none":
        yield Fix("Standardise the features", {"features.scale": "standard"})


def larger_batches(recipe: Recipe | None) -> Iterator[Fix]:
    """Yield batches of four times the rows."""
    if recipe is None:
        yield Fix("Larger batches", aim=Aim.ADVISE)
    elif trains_by_gradient(recipe) and recipe.train.batch_size <= 256:
        size = 4 * recipe.train.batch_size
        yield Fix(f"Batches of {size} rows", {"train.batch-size": size})
