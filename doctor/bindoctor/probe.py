"""One batch through a copy of a model: what its outputs, its loss, its gradients and its activations show."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from bindoctor.activations import Activations
from bindoctor.calling import StandIn, called, device_of, loss_in, modes_of, stand_in_for, tensor_in
from bindoctor.errors import InputError
from bindoctor.expectations import Expectation, expectation, name_of, on_cpu, value_of
from bindoctor.facts import MAX_VALUES, input_facts, label_facts, optimizer_facts, output_facts
from bindoctor.first_loss import FirstLoss
from bindoctor.fitting import fit_a_few_rows
from bindoctor.inspection import (
    FitFacts,
    Inspection,
)
from bindoctor.parameter_facts import parameters_of
from bindoctor.undisturbed import Batch, undisturbed

FIT_SECONDS = 0.25
ENLARGED = (100.0, -100.0)
FEW_ROWS = 32
PASS_SECONDS = 0.06
"""A pass over the rows looked at takes no longer; eight or so of them make a preflight."""
MIN_WILD = 10.0
"""Inputs of a larger root mean square are also tried standardised."""


@dataclass(frozen=True, eq=False)
class Probe:
    """What a probe found, with what a caller goes on with."""

    inspection: Inspection
    expects: Expectation


def inspect(
    model: nn.Module,
    loss: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer | None,
    batch: Batch,
    *,
    fit_seconds: float = FIT_SECONDS,
    copies_only: bool = False,
    timed: bool = True,
) -> Probe:
    """Put a batch through a copy of the model, in training mode and with gradients, and describe what is seen.

    The model, its buffers, its gradients and all random numbers stay as they were. A model that cannot be copied is
    used itself, and put back; nothing is trained on it.

    Args:
        model: the model as the training has it.
        loss: what is called with outputs and labels; None for a model that returns its loss, called with the labels.
        optimizer: what updates the parameters, if known.
        batch: some rows.
        fit_seconds: how long learning a few rows by heart may take; 0 leaves it out.
        copies_only: whether a model that cannot be copied is to be left alone.
        timed: whether fewer rows are looked at where a pass takes long; otherwise what is found hangs on no clock, and
            nothing is learnt by heart.

    Raises:
        InputError: the model cannot be called with the batch, returns no tensor, or is to be left alone.
    """
    with undisturbed(), warnings.catch_warnings(), stand_in_for(model) as stand_in:
        # What a loss warns of on these rows is either found here, or said again by the loop.
        warnings.simplefilter("ignore")
        if copies_only and not stand_in.copied:
            raise InputError("the model cannot be copied; put what it keeps of a pass in its return value.")
        return _inspected(stand_in, loss, optimizer, batch, fit_seconds if timed else 0.0, timed=timed)


def _inspected(
    stand_in: StandIn,
    loss: Callable[..., Any] | None,
    optimizer: torch.optim.Optimizer | None,
    batch: Batch,
    fit_seconds: float,
    *,
    timed: bool,
) -> Probe:
    module = stand_in.module
    batch = batch.to(device_of(module))
    batch = _in_time(module, batch, with_labels=loss is None) if timed else batch
    module.train()
    with torch.enable_grad(), Activations(module, batch.rows) as activations:
        given = called(module, batch, with_labels=loss is None)
    raw = tensor_in(given)
    if raw is None:
        raise InputError(
            f"the model returned {type(given).__name__} without a tensor of outputs; wrap it in a module that returns "
            "one, or a mapping with 'logits'."
        )
    outputs = raw.cpu()
    labels = None if batch.labels is None else batch.labels.detach().cpu()
    if loss is None:
        expects = Expectation("the model's own loss", "class-logits" if outputs.ndim > 1 else "unknown", nats=True)
        number, error = _own_loss(given)
        own, spread = None, False
    else:
        own = on_cpu(loss)
        expects = expectation(loss, outputs.detach(), labels)
        number, error = _loss_on(own, outputs, labels)
        spread = _is_spread(own, outputs, labels, number)
    first = float(number.detach()) / (batch.rows if expects.summed else 1) if number is not None else math.nan
    # Which weights are reached shows without the loss as well, where a loop does more before it is called.
    reaching = outputs.float().square().mean() if number is None else number
    parameters = parameters_of(stand_in, reaching, optimizer, own)
    facts = output_facts(outputs)
    wants_bounds = not facts.last and facts.low >= 0 and facts.high <= 1 and facts.low < facts.high
    if wants_bounds and stand_in.copied:
        bounded = _stays_bounded(module, batch, with_labels=loss is None)
        facts = msgspec.structs.replace(facts, bounded=bounded)
    inputs = input_facts(batch)
    rescaled = _rescaled_loss(module, loss, batch, first, expects)
    inspection = Inspection(
        expects.name,
        expects.takes,
        facts,
        msgspec.structs.replace(label_facts(labels), broadcast=spread),
        first,
        None if inputs is None else msgspec.structs.replace(inputs, rescaled_loss=rescaled),
        error,
        parameters,
        activations.facts(outputs),
        _fit(stand_in, loss, batch, expects, fit_seconds) if not error else None,
        None if optimizer is None else optimizer_facts(optimizer),
        _evaluation_difference(module, batch, with_labels=loss is None),
        bool(modes_of(module)),
    )
    return Probe(inspection, expects)


def _in_time(module: nn.Module, batch: Batch, *, with_labels: bool) -> Batch:
    """Return as many rows as a pass takes little time for, told by one over the first few."""
    if batch.rows <= FEW_ROWS:
        return batch
    few = batch.take(torch.arange(FEW_ROWS))
    module.eval()
    with torch.no_grad():
        called(module, few, with_labels=with_labels)
        began = perf_counter()
        called(module, few, with_labels=with_labels)
    affordable = int(FEW_ROWS * PASS_SECONDS / max(perf_counter() - began, 1e-9))
    return batch if affordable >= batch.rows else batch.take(torch.arange(max(FEW_ROWS, affordable)))


def _own_loss(given: Any) -> tuple[Tensor | None, str]:
    found = loss_in(given)
    return (None, "the model returns no loss") if found is None else (found.mean().cpu(), "")


def _loss_on(loss: Callable[..., Any], outputs: Tensor, labels: Tensor | None) -> tuple[Tensor | None, str]:
    if labels is None:
        return None, "the batch has no labels that are numbers"
    try:
        with torch.enable_grad():
            return value_of(loss, outputs, labels), ""
    except Exception as error:  # PyTorch's losses raise several, a user's own any
        return None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def is_what_was_seen(seen: Inspection, first: FirstLoss) -> bool:
    """Tell whether a loop trains on what its loader gives: labels and inputs of the same form and size."""
    labels, inputs = label_facts(first.batch.labels), input_facts(first.batch)
    if labels.dtype != seen.labels.dtype or labels.shape[1:] != seen.labels.shape[1:] or seen.loss_error:
        return False
    if not set(labels.values) <= set(seen.labels.values) and len(seen.labels.values) < MAX_VALUES:
        return False
    if (inputs is None) != (seen.inputs is None) or inputs is None or seen.inputs is None:
        return inputs is seen.inputs
    alike = 0.2 < (inputs.largest + 1e-12) / (seen.inputs.largest + 1e-12) < 5
    return alike and inputs.shape[1:] == seen.inputs.shape[1:]


def reshaping(loss: Callable[..., Any], first: FirstLoss) -> Callable[..., Any]:
    """Return the loss of a model's own outputs where a loop changes their shape before it hands them on."""
    if first.made.shape == first.outputs.shape:
        return loss
    tail = first.outputs.shape[1:]
    own = on_cpu(loss)

    def reshaped(outputs: Tensor, labels: Tensor) -> Any:
        rows = outputs.numel() // max(1, math.prod(tail))
        return own(outputs.reshape(rows, *tail), labels)

    reshaped.__name__ = name_of(loss)
    return reshaped


def of_first_loss(model: nn.Module, optimizer: torch.optim.Optimizer, first: FirstLoss) -> Inspection:
    """Describe a model that cannot be called again by the first loss of its training alone."""
    return Inspection(
        "",
        "unknown",
        output_facts(first.outputs.cpu()),
        label_facts(first.batch.labels, "loss"),
        math.nan,
        input_facts(first.batch),
        "",
        parameters_of(StandIn(model, {}, copied=False), None, optimizer),
        optimizer=optimizer_facts(optimizer),
        depends_on_mode=bool(modes_of(model)),
    )


def _is_spread(loss: Callable[..., Any], outputs: Tensor, labels: Tensor | None, number: Tensor | None) -> bool:
    """Tell whether a loss changes when the labels get the outputs' shape, with as many elements."""
    labels = None if labels is None else labels.cpu()
    if labels is None or number is None or labels.shape == outputs.shape or labels.numel() != outputs.numel():
        return False
    matched, _ = _loss_on(loss, outputs.detach(), labels.reshape(outputs.shape))
    if matched is None:
        return False
    return abs(float(matched) - float(number.detach())) > 1e-4 * max(1.0, abs(float(matched)))


def as_handed_on(
    seen: Inspection, first: FirstLoss, loss: Callable[..., Any] | None, expects: Expectation
) -> Inspection:
    """Return an inspection whose outputs, labels and loss are those of a loop that changes the outputs itself."""
    outputs, labels = first.outputs.cpu(), first.batch.labels
    spread = loss is not None and _is_spread(on_cpu(loss), outputs, labels, first.value.cpu().float().mean())
    return msgspec.structs.replace(
        seen,
        loss=expects.name,
        takes=expects.takes,
        outputs=output_facts(outputs),
        labels=msgspec.structs.replace(label_facts(labels, "loss"), broadcast=spread),
        first_loss=float(first.value.float().mean()) / (first.batch.rows if expects.summed else 1),
        loss_error="",
        fit=None,
    )


def _rescaled_loss(
    module: nn.Module, loss: Callable[..., Any] | None, batch: Batch, first: float, expects: Expectation
) -> float | None:
    facts = input_facts(batch)
    wild = facts is not None and facts.finite and facts.largest > MIN_WILD
    if not wild or not first > 1.0 or loss is None or batch.labels is None:
        return None
    return _loss_of(module, loss, batch.with_inputs(_standardised), expects)


def _standardised(values: Tensor) -> Tensor:
    axes = [0] if values.ndim <= 2 else [axis for axis in range(values.ndim) if axis != (1 if values.ndim > 3 else 2)]
    spread = values.std(dim=axes, keepdim=True, unbiased=False)
    return (values - values.mean(dim=axes, keepdim=True)) / torch.where(spread > 0, spread, torch.ones_like(spread))


def _loss_of(module: nn.Module, loss: Callable[..., Any], batch: Batch, expects: Expectation) -> float | None:
    with torch.no_grad():
        outputs = tensor_in(called(module, batch, with_labels=False))
        if outputs is None or batch.labels is None:
            return None
        number, _ = _loss_on(on_cpu(loss), outputs.cpu(), batch.labels.cpu())
    return None if number is None else float(number.detach()) / (batch.rows if expects.summed else 1)


def _stays_bounded(module: nn.Module, batch: Batch, *, with_labels: bool) -> bool:
    """Tell whether outputs stay within [0, 1] when all weights of a copied module are made larger, and negative.

    Larger inputs would not do: normalised, or saturated on their way, they never reach a last linear layer.
    """
    parameters = list(module.parameters())
    kept = [one.detach().clone() for one in parameters]
    try:
        for factor in ENLARGED:
            with torch.no_grad():
                for parameter, value in zip(parameters, kept, strict=True):
                    parameter.copy_(value * factor)
                outputs = tensor_in(called(module, batch, with_labels=with_labels))
            if outputs is None or not bool(((outputs >= 0) & (outputs <= 1)).all()):
                return False
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)
    return bool(parameters)


def _evaluation_difference(module: nn.Module, batch: Batch, *, with_labels: bool) -> float | None:
    """Return the largest difference of two passes in evaluation mode over the outputs' spread; rounding is nothing."""
    module.eval()
    with torch.no_grad():
        passes = [tensor_in(called(module, batch, with_labels=with_labels)) for _ in range(2)]
    first, second = passes
    if first is None or second is None or not bool(torch.isfinite(first).all()):
        return None
    difference = float((first - second).abs().max())
    scale = max(float(first.float().std(unbiased=False)), float(first.abs().max()) * 1e-3, 1e-12)
    return difference / scale


def _fit(
    stand_in: StandIn, loss: Callable[..., Any] | None, batch: Batch, expects: Expectation, seconds: float
) -> FitFacts | None:
    if loss is None or batch.labels is None or not stand_in.copied or seconds <= 0:
        return None
    return fit_a_few_rows(stand_in.module, on_cpu(loss), batch, seconds, summed=expects.summed)


def layers_now(model: nn.Module, batch: Batch, *, with_labels: bool) -> Sequence[Any]:
    """Describe the activations of a model on a batch as it is now; nothing of it changes.

    Raises:
        InputError: the model cannot be called with the batch.
    """
    with undisturbed(), stand_in_for(model) as stand_in, torch.enable_grad():
        module = stand_in.module
        module.train()
        batch = batch.to(device_of(module))
        with Activations(module, batch.rows) as activations:
            outputs = tensor_in(called(module, batch, with_labels=with_labels))
        return activations.facts(outputs)
