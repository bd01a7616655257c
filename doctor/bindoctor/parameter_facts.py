"""A model's parameters: which are trained, updated, reached by a gradient, and known to the model."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bindoctor.calling import StandIn
from bindoctor.inspection import ParameterFacts


def _leaves(number: Tensor) -> Iterator[Tensor]:
    """Yield the tensors that a loss's gradient reaches."""
    seen, waiting = set(), [number.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            yield variable
        waiting += [parent for parent, _ in node.next_functions]


def parameters_of(
    stand_in: StandIn, number: Tensor | None, optimizer: torch.optim.Optimizer | None, loss: object = None
) -> tuple[ParameterFacts, ...]:
    """Describe the parameters of a model, and those that its loss depends on and that neither it nor the loss knows."""
    module = stand_in.module
    named = {id(p): (name, p) for name, p in module.named_parameters()}
    held = dict(_held_back(module, named))
    reached = list(_leaves(number)) if number is not None and number.requires_grad else []
    own = {id(p) for p in loss.parameters()} if isinstance(loss, nn.Module) else set()
    for leaf in reached:
        if id(leaf) not in {*named, *held, *own}:
            held[id(leaf)] = (f"a tensor of shape {tuple(leaf.shape)} outside of the model", leaf)
    every = {**named, **held}
    updated = None if optimizer is None else {id(p) for group in optimizer.param_groups for p in group["params"]}
    reached = [leaf for leaf in reached if id(leaf) in every]
    gradients: dict[int, Tensor | None] = {}
    if reached and number is not None:
        found = torch.autograd.grad(number, reached, allow_unused=True)
        gradients = {id(leaf): gradient for leaf, gradient in zip(reached, found, strict=True)}
    fan_in = _fan_in(module)
    return tuple(
        _parameter(
            name,
            one,
            None if updated is None else id(stand_in.original(one)) in updated,
            gradients.get(key),
            registered=key in named,
            fan_in=fan_in.get(key, 0),
        )
        for key, (name, one) in every.items()
    )


def _parameter(
    name: str, one: Tensor, updated: bool | None, gradient: Tensor | None, *, registered: bool, fan_in: int
) -> ParameterFacts:
    values = one.detach()
    first = values.reshape(-1)[:1]
    constant = float(first) if values.numel() > 1 and bool((values == first).all()) else None
    if gradient is not None and gradient.is_sparse:
        gradient = gradient.coalesce().values()
    size = None if gradient is None or not gradient.numel() else float(gradient.float().pow(2).mean().sqrt())
    return ParameterFacts(
        name,
        tuple(one.shape),
        one.requires_grad,
        updated,
        size,
        constant,
        registered,
        _is_untrained(values, fan_in),
        fan_in > 0,
    )


def _fan_in(module: nn.Module) -> Mapping[int, int]:
    """Return, by ``id``, from how many numbers PyTorch takes the bound of each weight matrix of the usual layers."""
    found = {}
    for one in module.modules():
        if isinstance(one, nn.Linear | nn.modules.conv._ConvNd) and len(one.weight):
            found[id(one.weight)] = one.weight[0].numel()
        elif isinstance(one, nn.RNNBase):
            found |= {id(p): one.hidden_size for p in one.parameters() if p.ndim > 1}
    return found


def _is_untrained(values: Tensor, fan_in: int) -> bool:
    """Tell whether weights are spread evenly within 1/√(inputs), as PyTorch draws them and no training leaves them."""
    if fan_in == 0 or values.numel() < 64:
        return False
    bound = 1 / math.sqrt(fan_in)
    highest, spread = float(values.abs().max()), float(values.std())
    return 0.9 * bound < highest <= bound * (1 + 1e-6) and abs(spread / (bound / math.sqrt(3)) - 1) < 0.1


def _held_back(module: nn.Module, named: Mapping[int, Any]) -> Iterator[tuple[int, tuple[str, Tensor]]]:
    """Yield parameters of modules in plain lists, tuples and dictionaries, which PyTorch does not register."""
    for owner_name, owner in module.named_modules():
        for attribute, value in vars(owner).items():
            if attribute.startswith("_") and attribute in vars(nn.Module()):
                continue
            place = f"{owner_name}.{attribute}" if owner_name else attribute
            for key, part in _parts(value):
                tensors: list[tuple[str, Tensor]]
                if isinstance(part, nn.Module):
                    tensors = [(f"{place}[{key}].{name}", p) for name, p in part.named_parameters()]
                elif isinstance(part, Tensor) and part.is_leaf and part.requires_grad:
                    tensors = [(f"{place}[{key}]" if key != "" else place, part)]
                else:
                    continue
                yield from ((id(p), (name, p)) for name, p in tensors if id(p) not in named)


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, list | tuple):
        yield from enumerate(value)
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        yield "", value
