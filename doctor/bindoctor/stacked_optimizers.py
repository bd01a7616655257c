"""The optimizers' steps for a stack of trainings at once, each with settings of its own."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bindoctor.recipe_sections import Optimizer

BETA1, BETA2, ALPHA, EPSILON = 0.9, 0.999, 0.99, 1e-8


class StackedOptimizer:
    """Takes PyTorch's steps of one kind of optimizer, on one row of parameters a training."""

    def __init__(self, settings: Sequence[Optimizer], parameters: Tensor, matrices: Tensor) -> None:
        """Start without momentum.

        Args:
            settings: each training's; they are of one kind.
            parameters: shape (trainings, p); changed in place.
            matrices: 1 where a parameter is a weight, which L1 acts on, else 0, shape (p,).
        """
        self._kind = settings[0].kind
        self._parameters, self._matrices = parameters, matrices

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=parameters.device)[:, None]

        self._momentum = column([each.momentum for each in settings])
        self._decay = column([each.weight_decay for each in settings])
        self._l1 = column([each.l1 for each in settings])
        self._clip = column([each.clip_norm or math.inf for each in settings])
        self._penalised = any(each.l1 for each in settings)
        self._first = torch.zeros_like(parameters, requires_grad=False)
        self._second = torch.zeros_like(parameters, requires_grad=False)
        self._steps = column([0.0] * len(settings))

    def step(self, gradient: Tensor, rate: Tensor, stepping: Tensor) -> Tensor:
        """Take one step.

        Args:
            gradient: of each training's loss, shape (trainings, p).
            rate: each training's learning rate, shape (trainings, 1).
            stepping: which trainings take the step, shape (trainings, 1); the others stay as they are.

        Returns:
            The gradients' norms with the penalty's slope and before clipping, shape (trainings, 1).
        """
        parameters = self._parameters
        if self._penalised:
            gradient = gradient + self._l1 * parameters.sign() * self._matrices
        norm: Tensor = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        slope = gradient * (self._clip / (norm + 1e-6)).clamp_max(1.0)
        if self._kind != "adamw":
            slope = slope + self._decay * parameters
        self._steps = self._steps + stepping
        moved = (
            self._adam(slope, rate, stepping) if self._kind in ("adam", "adamw") else self._sgd(slope, rate, stepping)
        )
        parameters.copy_(torch.where(stepping, moved, parameters))
        return norm

    def _adam(self, slope: Tensor, rate: Tensor, stepping: Tensor) -> Tensor:
        first = self._first.lerp(slope, 1 - BETA1)
        second = BETA2 * self._second + (1 - BETA2) * slope * slope
        self._first = torch.where(stepping, first, self._first)
        self._second = torch.where(stepping, second, self._second)
        steps = self._steps.double().clamp_min(1)
        pace = (rate / (1 - BETA1**steps)).float()
        root = torch.sqrt(1 - BETA2**steps).float()
        shrunk = self._parameters * (1 - rate * self._decay) if self._kind == "adamw" else self._parameters
        return shrunk - pace * first / (second.sqrt() / root + EPSILON)

    def _sgd(self, slope: Tensor, rate: Tensor, stepping: Tensor) -> Tensor:
        """Take the step of SGD, or of RMSprop, which divides by the gradient's root mean square first."""
        if self._kind == "rmsprop":
            second = ALPHA * self._second + (1 - ALPHA) * slope * slope
            self._second = torch.where(stepping, second, self._second)
            slope = slope / (second.sqrt() + EPSILON)
        first = self._momentum * self._first + slope
        self._first = torch.where(stepping, first, self._first)
        return self._parameters - rate * first
