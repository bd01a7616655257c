"""Whether a copy of a model can learn a few rows by heart, which every model with enough parameters can."""

import math
from collections.abc import Callable
from time import thread_time
from typing import Any

import torch
from torch import Tensor, nn

from bindoctor.calling import called, tensor_in
from bindoctor.expectations import value_of
from bindoctor.inspection import FitFacts
from bindoctor.undisturbed import Batch

ROWS, STEPS = 16, 200
RATES = (0.01, 0.001)
"""Adam's, the second where the first does not halve the loss."""


def fit_a_few_rows(
    module: nn.Module, loss: Callable[..., Any], batch: Batch, seconds: float, *, summed: bool
) -> FitFacts | None:
    """Train a module, which is changed by it, on sixteen rows of both classes for up to 200 steps of Adam.

    Dropout is off: it is there to make learning by heart harder.

    Returns:
        The losses before and after, or None where neither learning nor failing showed in time.
    """
    rows = _some_of_each_class(batch)
    few = batch.take(rows)
    module.train()
    for one in module.modules():
        if isinstance(one, nn.modules.dropout._DropoutNd):
            one.eval()
    trained = [p for p in module.parameters() if p.requires_grad]
    if not trained or few.labels is None:
        return None
    start = [p.detach().clone() for p in trained]
    until = thread_time() + seconds
    best: FitFacts | None = None
    for rate in RATES:
        with torch.no_grad():
            for parameter, value in zip(trained, start, strict=True):
                parameter.copy_(value)
        try:
            found = _learn(module, loss, few, trained, rate, until, len(rows) if summed else 1)
        except Exception:  # the model and the loss are the user's; sparse gradients are not Adam's
            return None
        if found is None:
            return best
        if best is None or found.last_loss < best.last_loss:
            best = found
        if found.last_loss < 0.5 * found.first_loss:
            break
    return best


def _learn(
    module: nn.Module,
    loss: Callable[..., Any],
    few: Batch,
    trained: list[nn.Parameter],
    rate: float,
    until: float,
    divisor: int,
) -> FitFacts | None:
    optimizer = torch.optim.Adam(trained, rate)
    first = last = math.nan
    with torch.enable_grad():
        for step in range(STEPS + 1):
            outputs = tensor_in(called(module, few, with_labels=False))
            if outputs is None or few.labels is None:
                return None
            number = value_of(loss, outputs.cpu(), few.labels.cpu())
            last = float(number.detach()) / divisor
            first = last if step == 0 else first
            learned = step > 0 and last < 0.1 * first
            if learned or step == STEPS or not math.isfinite(last) or not number.requires_grad:
                return FitFacts(few.rows, step, first, last)
            if thread_time() > until:
                return None
            optimizer.zero_grad()
            number.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return None


def _some_of_each_class(batch: Batch) -> Tensor:
    """Return the positions of up to sixteen rows, as many of one class as of another where there are enough."""
    labels = batch.labels
    if labels is None or labels.numel() != batch.rows:
        return torch.arange(min(ROWS, batch.rows))
    flat = labels.reshape(-1).cpu()
    places: list[int] = []
    queues = [torch.nonzero(flat == value).reshape(-1).tolist() for value in flat.unique()[:ROWS]]  # type: ignore[no-untyped-call]
    while len(places) < ROWS and any(queues):
        places += [queue.pop(0) for queue in queues if queue]
    return torch.tensor(sorted(places[:ROWS]))
