"""Training steps without autograd: what ``TorchSteps`` does, without what small networks spend most time on."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bindoctor.flat_losses import build_slope, targets_of
from bindoctor.flat_network import FlatNetwork
from bindoctor.flat_optimizers import build_update
from bindoctor.prepare import Matrix
from bindoctor.recipe import Recipe

MAX_ROWS_AT_ONCE = 4096


class FlatSteps:
    """Trains a network on the CPU, one model at a time on one vector of parameters."""

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Sequential,
        matrix: Matrix,
        labels: npt.NDArray[np.int64],
        class_weights: npt.NDArray[np.float64],
        row_weights: Matrix | None,
    ) -> None:
        """Take over the network's start; see ``TorchSteps``."""
        self._recipe, self._network = recipe, network
        self._flat = FlatNetwork(network)
        outputs = len(self._flat.layers[-1].weights)
        self._update = build_update(recipe.optimizer, self._flat.parameters, self._flat.gradient)
        self._slope = build_slope(recipe.loss, outputs, class_weights)
        self._matrix = self.inputs(matrix)
        self._targets = targets_of(recipe.loss, torch.from_numpy(labels), outputs)
        self._weights = None if row_weights is None else torch.from_numpy(row_weights)

    def inputs(self, matrix: Matrix) -> Tensor:
        """Return a matrix as ``logits`` takes it: with a last column of ones."""
        return torch.from_numpy(np.column_stack([matrix, np.ones(len(matrix), dtype=np.float32)]))

    @torch.inference_mode()
    def logits(self, inputs: Tensor) -> Tensor:
        """Return the network's logits in evaluation mode, shape (n, outputs)."""
        parts = [self._flat.forward(rows, training=False).T.clone() for rows in torch.split(inputs, MAX_ROWS_AT_ONCE)]
        return torch.cat(parts)

    @torch.inference_mode()
    def epoch(self, order: Tensor, rate: float) -> tuple[Tensor, float]:
        """Take one step a batch over rows in this order; return their logits and the first batch's gradient norm."""
        flat, size = self._flat, self._recipe.train.batch_size
        rows, targets = torch.split(self._matrix[order], size), torch.split(self._targets[:, order], size, dim=1)
        weights = [None] * len(rows) if self._weights is None else torch.split(self._weights[order], size)
        logits: list[Tensor] = []
        first_norm = math.nan
        for batch, wanted, counting in zip(rows, targets, weights, strict=True):
            answers = flat.forward(batch, training=True)
            logits.append(answers.clone())
            flat.backward(batch, self._slope(answers, wanted, counting))
            norm = self._regularised(first=len(logits) == 1)
            first_norm = norm if len(logits) == 1 else first_norm
            self._update(rate)
        return torch.cat(logits, dim=1).T.contiguous(), first_norm

    def state(self) -> object:
        """Return a copy of all that training changes in the network."""
        return self._flat.state()

    def restore(self, state: object) -> None:
        """Go back to a state."""
        assert isinstance(state, list)
        self._flat.restore(state)

    def network(self) -> nn.Sequential:
        """Return the network as trained, in evaluation mode."""
        self._flat.store(self._network)
        return self._network.eval()

    def _regularised(self, *, first: bool) -> float:
        """Add the slope of the L1 penalty, clip the gradient, and return its norm where that is wanted, else NaN."""
        settings, gradient = self._recipe.optimizer, self._flat.gradient
        if settings.l1:
            gradient.addcmul_(self._flat.parameters.sign(), self._flat.matrices, value=settings.l1)
        if not (settings.clip_norm or first):
            return math.nan
        norm = float(gradient.norm())
        if settings.clip_norm:
            # As PyTorch has it, to the last constant.
            gradient.mul_(min(1.0, settings.clip_norm / (norm + 1e-6)))
        return norm
