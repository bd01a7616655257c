"""The edits that hold a network back, as strong as they helped most; see train-val-gap for what was measured."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bindoctor import Fix, Recipe

L2 = 0.01
L1 = 0.001
DROPOUT = 0.5
PATIENCE = 10
NORMALISED_DECAY = 0.05
MIN_SHRINKAGE = 0.03
"""AdamW's weight decay counts as regularisation from this share on that it takes off an unused weight."""

STOP_EARLY = Fix(
    f"Stop after {PATIENCE} epochs without progress", {"train.patience": PATIENCE, "train.restore-best": True}
)


def has_l2(recipe: Recipe) -> bool:
    """Tell whether weights are penalised in the loss; AdamW's weight decay is not that."""
    return recipe.optimizer.weight_decay > 0 and recipe.optimizer.kind != "adamw"


def l2_edits(recipe: Recipe) -> Mapping[str, Any]:
    """Return the edits for an L2 penalty."""
    kind = {"optimizer.kind": "adam"} if recipe.optimizer.kind == "adamw" else {}
    return {**kind, "optimizer.weight-decay": L2}


def shrunk_by(recipe: Recipe, rows: float) -> float:
    """Return the share that AdamW takes off a weight without gradient in a training on so many rows; else 0."""
    optimizer = recipe.optimizer
    rate = optimizer.learning_rate * optimizer.weight_decay if optimizer.kind == "adamw" else 0.0
    return float(1 - max(0.0, 1 - rate) ** _steps(recipe, rows))


def is_held_back(recipe: Recipe, rows: float, min_shrinkage: float = MIN_SHRINKAGE) -> bool:
    """Tell whether dropout, L1, L2 or early stopping keeps the network from learning so many rows by heart."""
    decays = has_l2(recipe) or shrunk_by(recipe, rows) >= min_shrinkage
    return bool(recipe.model.dropout or decays or recipe.optimizer.l1 or recipe.train.patience)


def decoupled_decay(recipe: Recipe, rows: float) -> float:
    """Return a weight decay for AdamW that fits the length of the training.

    The normalised one, 0.05, is divided by the square root of the steps (Loshchilov & Hutter 2019), and by the learning
    rate, because PyTorch multiplies by it.
    """
    return float(f"{NORMALISED_DECAY / math.sqrt(_steps(recipe, rows)) / recipe.optimizer.learning_rate:.2g}")


def fewer_units(hidden: Sequence[int]) -> list[int]:
    """Return a quarter of each layer's units, but not fewer than four where there are as many."""
    return [max(min(width, 4), width // 4) for width in hidden]


def penalties(recipe: Recipe) -> Iterator[Fix]:
    """Yield what the recipe does not yet do to hold its network back, what helped most first."""
    model, deep = recipe.model, recipe.model.kind == "mlp" and recipe.model.hidden
    if not has_l2(recipe):
        yield Fix(f"L2 penalty {L2:g}", l2_edits(recipe))
    if not recipe.optimizer.l1:
        yield Fix(f"L1 penalty {L1:g}", {"optimizer.l1": L1})
    if not recipe.train.patience:
        yield STOP_EARLY
    if (deep or model.kind == "factory") and not model.dropout:
        yield Fix(f"Dropout {DROPOUT:g}", {"model.dropout": DROPOUT})
    smaller = fewer_units(model.hidden)
    if deep and smaller != list(model.hidden):
        yield Fix("A quarter of the units", {"model.hidden": smaller})


def _steps(recipe: Recipe, rows: float) -> int:
    return recipe.train.epochs * math.ceil(rows / recipe.train.batch_size)
