"""What training minimises, and the plain log loss that is logged whatever it minimises."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softmax

from bindoctor.errors import InputError
from bindoctor.recipe_sections import Loss


class Objective(Protocol):
    """What training minimises."""

    def __call__(self, logits: Tensor, targets: Tensor, row_weights: Tensor | None = None) -> Tensor:
        """Return the mean over rows of weight × loss; ``row_weights`` of shape (n,) multiply the classes' weights."""
        ...


def output_count(loss: Loss, classes: int) -> int:
    """Return how many logits the network has: one for two classes under "bce" and "focal", otherwise one a class.

    Raises:
        InputError: the loss cannot learn that many classes.
    """
    if classes == 2:
        return 2 if loss.kind == "cross-entropy" else 1
    if loss.kind == "bce":
        raise InputError(
            f"recipe.loss.kind is 'bce', which fits two classes, but the target has {classes}; use 'cross-entropy'."
        )
    return classes


def class_weights(loss: Loss, counts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return each class's weight in the loss, shape (classes,).

    "balanced" is n / (classes × rows of the class), 1 on average over the rows; a number weights the positive class and
    leaves the negative one at 1.

    Raises:
        InputError: a number with more than two classes.
    """
    if loss.class_weight == "none":
        return np.ones(len(counts))
    if loss.class_weight == "balanced":
        rows = np.asarray(counts, dtype=np.float64)
        return np.asarray(rows.sum() / (len(counts) * np.maximum(rows, 1)))
    if len(counts) != 2:
        raise InputError(
            f"recipe.loss.class-weight is {loss.class_weight:g}, the positive class's weight, but the target has "
            f"{len(counts)} classes; set it to 'balanced'."
        )
    return np.array([1.0, loss.class_weight])


def build_objective(loss: Loss, outputs: int, weights: npt.NDArray[np.float64], device: torch.device) -> Objective:
    """Build the function that training minimises: the mean over rows of weight × loss.

    Focal loss is Lin et al. 2017: α weights the positive class and 1 − α the negative one; with more than two classes
    only γ acts. Weights are not divided out again, so that a batch counts by the classes in it.

    Args:
        loss: the recipe's section.
        outputs: logits a row; with one, targets are ``binary_targets``, otherwise class indices.
        weights: each class's weight.
        device: where the logits are.
    """
    if outputs == 1:
        scale = float(weights[0])
        positive = None if weights[0] == weights[1] else torch.tensor([weights[1] / weights[0]], device=device).float()

        def two_classes(logits: Tensor, targets: Tensor, row_weights: Tensor | None = None) -> Tensor:
            each_weight = None if row_weights is None else row_weights[:, None]
            if loss.kind == "focal":
                each = binary_focal(loss, logits, targets, positive)
                mean = (each if each_weight is None else each_weight * each).mean()
            else:
                mean = binary_cross_entropy_with_logits(logits, targets, each_weight, pos_weight=positive)
            return mean if scale == 1 else scale * mean

        return two_classes
    weight = None if (weights == 1).all() else torch.from_numpy(weights).float().to(device)

    def many_classes(logits: Tensor, targets: Tensor, row_weights: Tensor | None = None) -> Tensor:
        if weight is None and row_weights is None and loss.kind != "focal":
            return cross_entropy(logits, targets, label_smoothing=loss.label_smoothing)
        each = cross_entropy(logits, targets, weight, reduction="none", label_smoothing=loss.label_smoothing)
        if loss.kind == "focal":
            miss = 1 - softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]
            each = each * miss.clamp_min(MIN_MISS) ** loss.focal_gamma
        return (each if row_weights is None else row_weights * each).mean()

    return many_classes


# The gradient of x ** γ is infinite at 0 for γ < 1.
MIN_MISS = 1e-8


def binary_targets(loss: Loss, labels: Tensor) -> Tensor:
    """Return 0 and 1, smoothed as the recipe says, as a float32 column of shape (n, 1)."""
    return (labels.float() * (1 - loss.label_smoothing) + loss.label_smoothing / 2)[:, None]


def plain_log_loss(logits: Tensor, labels: Tensor) -> float:
    """Return the unweighted, unsmoothed log loss in nats per row, which compares with the entropy of the classes."""
    if logits.shape[1] == 1:
        return binary_cross_entropy_with_logits(logits[:, 0], labels.float()).item()
    return cross_entropy(logits, labels).item()


def binary_focal(loss: Loss, logits: Tensor, targets: Tensor, positive: Tensor | None) -> Tensor:
    """Return each row's focal loss of two classes; ``positive`` weights the positive one (Lin et al. 2017)."""
    each = binary_cross_entropy_with_logits(logits, targets, pos_weight=positive, reduction="none")
    probability = torch.sigmoid(logits)
    miss = targets + probability - 2 * targets * probability
    alpha = loss.focal_alpha * targets + (1 - loss.focal_alpha) * (1 - targets)
    return alpha * miss.clamp_min(MIN_MISS) ** loss.focal_gamma * each
