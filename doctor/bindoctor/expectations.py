"""What a loss expects of a model's outputs, found out by calling it, so that a user's own one is known as well."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from bindoctor.inspection import Takes

ROWS = 6
TOLERANCE = 1e-4
NAMES: dict[str, Takes] = {
    "BCEWithLogitsLoss": "logits",
    "MultiLabelSoftMarginLoss": "logits",
    "SoftMarginLoss": "unknown",
    "BCELoss": "probabilities",
    "CrossEntropyLoss": "class-logits",
    "NLLLoss": "class-log-probabilities",
    "binary_cross_entropy_with_logits": "logits",
    "binary_cross_entropy": "probabilities",
    "cross_entropy": "class-logits",
    "nll_loss": "class-log-probabilities",
}
"""PyTorch's own by name, for one whose settings do not fit a few invented rows."""


@dataclass(frozen=True)
class Expectation:
    """What a loss takes.

    Attributes:
        name: its class's or its own name.
        takes: what it expects of the outputs.
        nats: whether it is the plain cross-entropy in nats, without weights or smoothing.
        summed: whether it is the sum over the rows and not their mean.
    """

    name: str
    takes: Takes
    nats: bool = False
    summed: bool = False


def expectation(loss: Callable[..., Any], outputs: Tensor, labels: Tensor | None) -> Expectation:
    """Find out what a loss expects, from invented outputs and labels of the shape and type of the given ones.

    A loss that equals PyTorch's cross-entropy, in one of its four forms, on them is that; else it is told by how it
    behaves: whether adding a number to all outputs of a row changes it, and where it is small.
    """
    name = name_of(loss)
    own = on_cpu(loss)
    for made, truth in _invented(outputs, labels):
        found = _equal_to(own, name, made, truth)
        if found is not None:
            return found
    for made, truth in _invented(outputs, labels):
        takes = _behaves_as(own, made, truth)
        if takes is not None:
            return Expectation(name, takes)
    return Expectation(name, NAMES.get(name, "unknown"))


def name_of(loss: object) -> str:
    """Return what a loss is called."""
    return getattr(loss, "__name__", "") or type(loss).__name__


def on_cpu(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loss whose own tensors, class weights say, are on the CPU, where a wrong label raises an error.

    On a GPU it would end the process's use of the device instead.
    """
    if not isinstance(loss, nn.Module):
        return loss
    try:
        own: nn.Module = copy.deepcopy(loss)
    except Exception:  # a module may hold anything
        return loss
    own._forward_hooks.clear()
    return own.to("cpu")


def value_of(loss: Callable[..., Any], outputs: Tensor, labels: Tensor) -> Tensor:
    """Return a loss as one number, the mean where it gives one a row.

    Raises:
        Exception: whatever the loss raises.
    """
    found = loss(outputs, labels)
    if isinstance(found, tuple | list):
        found = found[0]
    if not isinstance(found, Tensor):
        raise TypeError(f"the loss returned {type(found).__name__}, not a tensor")
    return found if found.ndim == 0 else found.float().mean()


def _invented(outputs: Tensor, labels: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield outputs within (0, 1) and labels for them, first as the user's are, then as losses usually take them."""
    tail = tuple(outputs.shape[1:])
    generator = torch.Generator().manual_seed(0)
    made = torch.rand((ROWS, *tail), generator=generator) * 0.9 + 0.05
    classes = tail[0] if tail and tail[0] > 1 else 2
    index = torch.arange(ROWS) % classes
    if labels is not None:
        shape = (ROWS, *labels.shape[1:])
        if shape[1:].count(1) == len(shape) - 1:
            yield made, index.reshape(shape).to(labels.dtype)
        else:
            bits = torch.rand(shape, generator=generator) < 0.5
            yield made, bits.to(labels.dtype)
    yield made, (torch.arange(made.numel()) % 2).reshape(made.shape).float()
    if tail and tail[0] > 1:
        yield made, index.reshape(ROWS, *([1] * (len(tail) - 1))).expand(ROWS, *tail[1:]).contiguous()


def _call(loss: Callable[..., Any], made: Tensor, truth: Tensor) -> float:
    try:
        with torch.no_grad():
            return float(value_of(loss, made, truth))
    except Exception:  # a loss may refuse these outputs or labels in any way
        return math.nan


def _references(made: Tensor, truth: Tensor) -> Iterator[tuple[Takes, float]]:
    flat, target = made.reshape(-1), truth.reshape(-1).float()
    if len(flat) == len(target) and bool(((target == 0) | (target == 1)).all()):
        yield "logits", float(F.binary_cross_entropy_with_logits(flat, target))
        yield "probabilities", float(F.binary_cross_entropy(flat, target))
    if made.ndim > 1 and made.shape[1] > 1 and truth.numel() * made.shape[1] == made.numel():
        index = truth.reshape(made.shape[0], *made.shape[2:]).long()
        yield "class-logits", float(F.cross_entropy(made, index))
        yield "class-log-probabilities", float(F.nll_loss(made, index))


def _equal_to(loss: Callable[..., Any], name: str, made: Tensor, truth: Tensor) -> Expectation | None:
    measured = _call(loss, made, truth)
    if not math.isfinite(measured):
        return None
    for takes, reference in _references(made, truth):
        for factor in (1, ROWS, made.numel()):
            if abs(measured - factor * reference) <= TOLERANCE * max(1.0, abs(factor * reference)):
                return Expectation(name, takes, nats=True, summed=factor > 1)
    return None


def _behaves_as(loss: Callable[..., Any], made: Tensor, truth: Tensor) -> Takes | None:
    base = _call(loss, made, truth)
    if not math.isfinite(base):
        return None
    scale = max(abs(base), 1e-6)
    if made.ndim > 1 and made.shape[1] > 1:
        shifted = _call(loss, made + 3, truth)
        if abs(shifted - base) <= 1e-3 * scale:
            apart = _call(loss, made * 20, truth)
            return "class-logits" if abs(apart - base) > 1e-3 * scale else None
        doubled = _call(loss, made * 2, truth)
        if abs(doubled - 2 * base) <= 1e-3 * scale and base < 0:
            return "class-log-probabilities"
    if truth.numel() != made.numel():
        return None
    target = truth.reshape(made.shape).float()
    if not bool(((target == 0) | (target == 1)).all()):
        return None
    sign = 2 * target - 1

    def at(margin: float) -> float:
        return _call(loss, margin * sign, truth)

    right, even, wrong = at(10.0), at(0.0), at(-10.0)
    if right < 0.05 * even and wrong > 3 * even:
        return "logits"

    def answering(chance: float) -> float:
        return _call(loss, torch.where(target > 0, chance, 1 - chance), truth)

    right, even, wrong = answering(1 - 1e-4), answering(0.5), answering(1e-4)
    return "probabilities" if abs(right) < 0.05 * even and wrong > 6 * even else None
