"""The optimizers on one vector of parameters, with PyTorch's definitions and defaults."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bindoctor.recipe import Optimizer

Update = Callable[[float], object]

BETAS = (0.9, 0.999)
RMSPROP_ALPHA = 0.99
EPSILON = 1e-8


def build_update(optimizer: Optimizer, parameters: Tensor, gradient: Tensor) -> Update:
    """Return what changes ``parameters`` by ``gradient``, which it may overwrite, at a learning rate; both (p,)."""
    match optimizer.kind:
        case "adam" | "adamw":
            return _adam(optimizer, parameters, gradient)
        case "sgd":
            return _sgd(optimizer, parameters, gradient)
        case "rmsprop":
            return _rmsprop(optimizer, parameters, gradient)


def _adam(optimizer: Optimizer, parameters: Tensor, gradient: Tensor) -> Update:
    """Adam (Kingma & Ba 2015), or with decoupled weight decay AdamW (Loshchilov & Hutter 2019)."""
    first, second, spare = (torch.zeros_like(parameters) for _ in range(3))
    decay, decoupled = optimizer.weight_decay, optimizer.kind == "adamw"
    (beta1, beta2), step = BETAS, 0

    def update(rate: float) -> None:
        nonlocal step
        step += 1
        if decay and decoupled:
            parameters.mul_(1 - rate * decay)
        elif decay:
            gradient.add_(parameters, alpha=decay)
        first.lerp_(gradient, 1 - beta1)
        second.lerp_(torch.mul(gradient, gradient, out=spare), 1 - beta2)
        # The bias correction of the second moment, moved to where it costs nothing.
        root = math.sqrt(1 - beta2**step)
        torch.sqrt(second, out=spare).add_(EPSILON * root)
        parameters.addcdiv_(first, spare, value=-rate * root / (1 - beta1**step))

    return update


def _sgd(optimizer: Optimizer, parameters: Tensor, gradient: Tensor) -> Update:
    velocity = torch.zeros_like(parameters)
    decay, momentum = optimizer.weight_decay, optimizer.momentum

    def update(rate: float) -> None:
        if decay:
            gradient.add_(parameters, alpha=decay)
        change = velocity.mul_(momentum).add_(gradient) if momentum else gradient
        parameters.add_(change, alpha=-rate)

    return update


def _rmsprop(optimizer: Optimizer, parameters: Tensor, gradient: Tensor) -> Update:
    velocity, second, spare = (torch.zeros_like(parameters) for _ in range(3))
    decay, momentum = optimizer.weight_decay, optimizer.momentum

    def update(rate: float) -> None:
        if decay:
            gradient.add_(parameters, alpha=decay)
        second.mul_(RMSPROP_ALPHA).addcmul_(gradient, gradient, value=1 - RMSPROP_ALPHA)
        torch.sqrt(second, out=spare)
        spare.add_(EPSILON)
        if momentum:
            velocity.mul_(momentum).addcdiv_(gradient, spare)
            parameters.add_(velocity, alpha=-rate)
        else:
            parameters.addcdiv_(gradient, spare, value=-rate)

    return update
