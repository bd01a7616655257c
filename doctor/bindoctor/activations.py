"""Watches the activations of one forward pass, those of modules and those that are called as functions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bindoctor.inspection import LayerFacts

KINDS = {
    "relu": "relu",
    "relu_": "relu",
    "relu6": "relu",
    "threshold": "relu",
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "tanh": "tanh",
    "tanh_": "tanh",
}
EDGE = 0.01
"""A sigmoid this near 0 or 1, a tanh this near -1 or 1, is saturated."""


class Activations(TorchFunctionMode):
    """Sees every ReLU, sigmoid and tanh while it is entered, whoever calls it."""

    def __init__(self, module: nn.Module, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.names = {id(one): name for name, one in module.named_modules()}
        self.path: list[str] = []
        self.seen: list[tuple[LayerFacts, Tensor]] = []
        self.handles: list[Any] = []
        self.module = module

    def __enter__(self) -> "Activations":
        for one in self.module.modules():
            name = self.names[id(one)]
            self.handles.append(one.register_forward_pre_hook(lambda *_, name=name: self.path.append(name)))
            self.handles.append(one.register_forward_hook(self._left, always_call=True))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def _left(self, *_: object) -> None:
        if self.path:
            self.path.pop()

    def __exit__(self, *reason: Any) -> None:
        super().__exit__(*reason)  # type: ignore[no-untyped-call]
        for handle in self.handles:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and look at what it gives where it is an activation."""
        result = func(*args, **(kwargs or {}))
        kind = KINDS.get(getattr(func, "__name__", ""), "")
        if kind and isinstance(result, Tensor) and result.ndim > 1 and result.is_floating_point():
            place = self.path[-1] if self.path and self.path[-1] else f"{kind} {len(self.seen) + 1}"
            self.seen.append((_described(place, kind, result, self.rows), result))
        return result

    def facts(self, outputs: Tensor | None) -> tuple[LayerFacts, ...]:
        """Return what was seen, without what makes the model's outputs: a sure model's are meant to be extreme."""
        final = _final_nodes(outputs)
        return tuple(facts for facts, result in self.seen if result.grad_fn is None or result.grad_fn not in final)


def _final_nodes(outputs: Tensor | None) -> set[Any]:
    nodes = set()
    node = None if outputs is None else outputs.grad_fn
    for _ in range(20):
        if node is None:
            break
        nodes.add(node)
        following = [parent for parent, _ in node.next_functions if parent is not None]
        if len(following) != 1:
            break
        node = following[0]
    return nodes


def _described(name: str, kind: str, values: Tensor, rows: int) -> LayerFacts:
    axis = 1 if values.ndim > 3 or (values.ndim == 3 and _from_convolution(values)) else values.ndim - 1
    values = values.detach()
    units = values.shape[axis]
    if kind == "relu":
        others = [one for one in range(values.ndim) if one != axis]
        alive = (values > 0).any(dim=others[0]) if len(others) == 1 else _any(values > 0, others)
        return LayerFacts(name, kind, units, rows, dead=1 - float(alive.float().mean()))
    low, high = (0.0, 1.0) if kind == "sigmoid" else (-1.0, 1.0)
    edge = EDGE * (high - low)
    extreme = (values < low + edge) | (values > high - edge)
    return LayerFacts(name, kind, units, rows, saturated=float(extreme.float().mean()))


def _any(mask: Tensor, axes: list[int]) -> Tensor:
    return torch.amax(mask.to(torch.uint8), dim=axes) > 0


def _from_convolution(values: Tensor) -> bool:
    """Tell whether an activation follows a convolution, whose channels come before the positions."""
    node = values.grad_fn
    parents = [] if node is None else [parent.name() for parent, _ in node.next_functions if parent is not None]
    return any(name.startswith(("Convolution", "CudnnBatchNorm", "NativeBatchNorm")) for name in parents)
