"""Tensors of a batch as the plain numbers of an inspection."""

import math

import torch
from torch import Tensor

from bindoctor.inspection import InputFacts, LabelFacts, OptimizerFacts, OutputFacts, SeenIn
from bindoctor.undisturbed import Batch

VIEWS = (
    "View",
    "Squeeze",
    "Unsqueeze",
    "Select",
    "Slice",
    "Transpose",
    "Permute",
    "TBackward",
    "Clone",
    "ToCopy",
    "Index",
    "AsStrided",
    "Alias",
    "Expand",
    "Reshape",
    "Clamp",
    "Float",
    "Mul",
    "Add",
)
MADE_BY = {
    "SigmoidBackward": "sigmoid",
    "SoftmaxBackward": "softmax",
    "LogSoftmaxBackward": "log-softmax",
    "LogSigmoidBackward": "log-sigmoid",
    "ReluBackward": "relu",
    "TanhBackward": "tanh",
}
MAX_VALUES = 20


def output_facts(outputs: Tensor) -> OutputFacts:
    """Describe outputs by their range, their sums and the operation that made them."""
    values = outputs.detach().float()
    finite = torch.isfinite(values)
    known = values[finite]
    low, high = (float(known.min()), float(known.max())) if known.numel() else (math.nan, math.nan)
    several = values.ndim > 1 and values.shape[1] > 1
    sums = values.sum(1) if several else values.new_zeros(1)
    exponentials = values.logsumexp(1) if several else values.new_ones(1)
    along = values.sum(0) if values.ndim and len(values) > 1 else values.new_zeros(1)
    positive = math.isfinite(low) and low >= 0
    return OutputFacts(
        tuple(outputs.shape),
        low,
        high,
        bool(finite.all()),
        False,
        bool(several and positive and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)),
        bool(positive and len(values) > 1 and torch.allclose(along, torch.ones_like(along), atol=1e-3)),
        bool(several and torch.allclose(exponentials, torch.zeros_like(exponentials), atol=1e-3)),
        last_operation(outputs),
    )


def last_operation(outputs: Tensor) -> str:
    """Name the operation that made outputs, reading through changes of shape; "" where it is none that matters."""
    node = outputs.grad_fn
    for _ in range(20):
        if node is None:
            return ""
        name = node.name()
        made = next((kind for prefix, kind in MADE_BY.items() if name.startswith(prefix)), "")
        if made:
            return made
        view = any(name.startswith(prefix) for prefix in VIEWS[:-2])
        following = [parent for parent, _ in node.next_functions if parent is not None]
        if not view or len(following) != 1:
            return ""
        node = following[0]
    return ""


def label_facts(labels: Tensor | None, seen_in: SeenIn = "loader") -> LabelFacts:
    """Describe labels by shape, type and values."""
    if labels is None:
        return LabelFacts((), "", (), seen_in)
    distinct = labels.detach().reshape(-1).cpu().unique()  # type: ignore[no-untyped-call]
    shown = distinct if len(distinct) <= MAX_VALUES else torch.cat([distinct[: MAX_VALUES - 1], distinct[-1:]])
    return LabelFacts(
        tuple(labels.shape), str(labels.dtype).removeprefix("torch."), tuple(map(float, shown.tolist())), seen_in
    )


def optimizer_facts(optimizer: torch.optim.Optimizer, so_far: float = 0.0) -> OptimizerFacts:
    """Name an optimizer, with the highest learning rate among its groups, its schedule's start and ``so_far``."""
    rates = [so_far]
    for group in optimizer.param_groups:
        rates += [float(group[name]) for name in ("lr", "initial_lr", "max_lr") if name in group]
    return OptimizerFacts(type(optimizer).__name__, max(rates))


def input_facts(batch: Batch) -> InputFacts | None:
    """Describe inputs: the first tensor's shape and type, and the values of all that hold numbers."""
    if not batch.tensors:
        return None
    numbers = [one for one in batch.tensors if one.is_floating_point() and one.ndim]
    shown = numbers[0] if numbers else batch.tensors[0]
    return InputFacts(
        tuple(shown.shape),
        str(shown.dtype).removeprefix("torch."),
        all(bool(torch.isfinite(one).all()) for one in numbers),
        max((_largest(one) for one in numbers), default=1.0),
    )


def _largest(values: Tensor) -> float:
    """Return the largest root mean square of a feature; of a channel, where there are positions behind it."""
    known = torch.nan_to_num(values.detach().float(), 0.0, 0.0, 0.0)
    axes = [0] if known.ndim <= 2 else [axis for axis in range(known.ndim) if axis != (1 if known.ndim > 3 else 2)]
    return float(known.square().mean(dim=axes).sqrt().max()) if known.numel() else 0.0
