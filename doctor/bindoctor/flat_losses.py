"""The slopes of the losses by the logits, without autograd."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import softplus

from bindoctor.losses import MIN_MISS
from bindoctor.recipe import Loss

Slope = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def build_slope(loss: Loss, outputs: int, weights: npt.NDArray[np.float64]) -> Slope:
    """Return the derivative of ``build_objective``'s mean over rows by the logits.

    Args:
        loss: the recipe's section.
        outputs: logits a row.
        weights: each class's weight.

    Returns:
        A function of logits, ``targets_of`` and row weights, shape (n,), to slopes; all others of shape (outputs, n).
    """
    return _two_classes(loss, weights) if outputs == 1 else _many_classes(loss, outputs, weights)


def targets_of(loss: Loss, labels: Tensor, outputs: int) -> Tensor:
    """Return 0 and 1 for each logit and row, shape (outputs, n); of a single logit smoothed as the recipe says."""
    if outputs == 1:
        return (labels.float() * (1 - loss.label_smoothing) + loss.label_smoothing / 2)[None, :]
    return torch.nn.functional.one_hot(labels, outputs).float().T.contiguous()


def _two_classes(loss: Loss, weights: npt.NDArray[np.float64]) -> Slope:
    scale, positive = float(weights[0]), float(weights[1] / weights[0])
    gamma, alpha = loss.focal_gamma, loss.focal_alpha

    def slope(logits: Tensor, targets: Tensor, row_weights: Tensor | None) -> Tensor:
        probability = torch.sigmoid(logits)
        if loss.kind != "focal" and positive == 1:
            found = probability.sub_(targets)
        else:
            found = (1 - targets) * probability - positive * targets * (1 - probability)
        if loss.kind == "focal":
            each = (1 - targets) * softplus(logits) + positive * targets * softplus(-logits)
            miss = targets + probability - 2 * targets * probability
            turn = (1 - 2 * targets) * probability * (1 - probability) * (miss > MIN_MISS)
            miss = miss.clamp_min(MIN_MISS)
            side = alpha * targets + (1 - alpha) * (1 - targets)
            found = side * (miss**gamma * found + gamma * miss ** (gamma - 1) * turn * each)
        if row_weights is not None:
            found.mul_(row_weights)
        return found.mul_(scale / logits.shape[1])

    return slope


def _many_classes(loss: Loss, outputs: int, weights: npt.NDArray[np.float64]) -> Slope:
    by_class = torch.from_numpy(weights).float()[:, None]
    smoothing, gamma = loss.label_smoothing, loss.focal_gamma

    def slope(logits: Tensor, targets: Tensor, row_weights: Tensor | None) -> Tensor:
        probability = torch.softmax(logits, dim=0)
        wanted = by_class * ((1 - smoothing) * targets + smoothing / outputs)
        found = probability * wanted.sum(dim=0) - wanted
        if loss.kind == "focal":
            each = -(wanted * torch.log_softmax(logits, dim=0)).sum(dim=0)
            own = (probability * targets).sum(dim=0)
            miss = (1 - own).clamp_min(MIN_MISS)
            turn = own * (1 - own > MIN_MISS) * (probability - targets)
            found = miss**gamma * found + gamma * miss ** (gamma - 1) * turn * each
        if row_weights is not None:
            found.mul_(row_weights)
        return found.div_(logits.shape[1])

    return slope
