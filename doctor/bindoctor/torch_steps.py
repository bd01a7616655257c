"""Training steps in plain PyTorch, on any device."""

import math
from itertools import repeat

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bindoctor.build import build_optimizer
from bindoctor.losses import binary_targets, build_objective, output_count
from bindoctor.prepare import Matrix
from bindoctor.recipe import Recipe

MAX_ROWS_AT_ONCE = 65_536
MAX_CELLS_AT_ONCE = 2**21
"""Cells of arrays that a network answers at once: convolutions put out many times as many."""


class Shaped(nn.Module):
    """A network of arrays, which takes them as rows of cells, shape (n, cells)."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        """Take a network, and the shape of a row."""
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, rows: Tensor) -> Tensor:
        """Return what the network answers."""
        answer: Tensor = self.network(rows.reshape(-1, *self.shape))
        return answer


class TorchSteps:
    """Trains a network, with autograd and PyTorch's optimizers."""

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        matrix: Matrix,
        labels: npt.NDArray[np.int64],
        class_weights: npt.NDArray[np.float64],
        row_weights: Matrix | None,
        device: torch.device,
    ) -> None:
        """Start from a network.

        Args:
            recipe: how to train.
            network: its start.
            matrix: the training rows, shape (n, width).
            labels: their class indices, shape (n,).
            class_weights: each class's weight in the loss, shape (classes,).
            row_weights: how much each row counts, shape (n,), if not all alike.
            device: where to train.
        """
        self._recipe, self._device = recipe, device
        self._network = network.to(device)
        self._parameters = list(self._network.parameters())
        self._optimizer = build_optimizer(recipe.optimizer, self._network)
        outputs = output_count(recipe.loss, len(class_weights))
        self._objective = build_objective(recipe.loss, outputs, class_weights, device)
        self._matrix = self.inputs(matrix)
        wanted = torch.tensor(labels, device=device)
        self._targets = binary_targets(recipe.loss, wanted) if outputs == 1 else wanted
        self._weights = None if row_weights is None else torch.from_numpy(row_weights).to(device)

    def inputs(self, matrix: Matrix) -> Tensor:
        """Return a matrix as ``logits`` takes it."""
        return torch.tensor(matrix, device=self._device)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the network's logits in evaluation mode, shape (n, outputs)."""
        return network_logits(self._network, inputs)

    def epoch(self, order: Tensor, rate: float) -> tuple[Tensor, float]:
        """Take one step a batch over rows in this order; return their logits and the first batch's gradient norm."""
        settings, order = self._recipe.optimizer, order.to(self._device)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        matrices = [parameter for parameter in self._parameters if parameter.ndim >= 2]
        logits: list[Tensor] = []
        norms: list[Tensor] = []
        self._network.train()
        size = self._recipe.train.batch_size
        counting = repeat(None) if self._weights is None else torch.split(self._weights[order], size)
        batches = zip(
            torch.split(self._matrix[order], size), torch.split(self._targets[order], size), counting, strict=False
        )
        for rows, wanted, weights in batches:
            answer = _as_column(self._network(rows))
            loss = self._objective(answer, wanted, weights)
            if settings.l1:
                loss = loss + settings.l1 * torch.stack([weight.abs().sum() for weight in matrices]).sum()
            # What zero_grad does, at a quarter of its cost: a tenth of a step of a small network.
            for parameter in self._parameters:
                parameter.grad = None
            loss.backward()  # type: ignore[no-untyped-call]
            if settings.clip_norm or not norms:
                norms.append(nn.utils.clip_grad_norm_(self._parameters, settings.clip_norm or math.inf))
            self._optimizer.step()
            logits.append(answer.detach())
        return torch.cat(logits), norms[0].item()

    def state(self) -> object:
        """Return a copy of all that training changes in the network."""
        return {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    def restore(self, state: object) -> None:
        """Go back to a state."""
        assert isinstance(state, dict)
        self._network.load_state_dict(state)

    def network(self) -> nn.Module:
        """Return the network as trained, on the CPU and in evaluation mode."""
        return self._network.cpu().eval()


def network_logits(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return a network's logits in evaluation mode, shape (n, outputs)."""
    network.eval()
    at_once = MAX_ROWS_AT_ONCE
    if isinstance(network, Shaped):
        at_once = max(1, min(at_once, MAX_CELLS_AT_ONCE // math.prod(network.shape)))
    with torch.no_grad():
        return torch.cat([_as_column(network(rows)) for rows in torch.split(inputs, at_once)])


def _as_column(answer: Tensor) -> Tensor:
    """Return logits of shape (n, outputs); a network with one output may give shape (n,)."""
    return answer[:, None] if answer.ndim == 1 else answer
