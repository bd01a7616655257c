"""Runs a user's model in place of its training loop, on a copy where there can be one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bindoctor.errors import InputError
from bindoctor.undisturbed import Batch, bare, twin_of

MODES = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
"""Modules that do something else in training than in evaluation."""


@dataclass(frozen=True, eq=False)
class StandIn:
    """A module to be run in a model's place, and which original tensor each of its own stands for, by ``id``."""

    module: nn.Module
    originals: Mapping[int, Tensor]
    copied: bool

    def original(self, one: Tensor) -> Tensor:
        """Return the tensor of the user's model."""
        return self.originals.get(id(one), one)


class stand_in_for:  # noqa: N801
    """A copy of the model, or the model itself with everything that running it changes put back."""

    def __init__(self, model: nn.Module) -> None:
        self.model = bare(model)

    def __enter__(self) -> StandIn:
        twin = twin_of(self.model)
        if twin is not None:
            return StandIn(*twin, copied=True)
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.buffers = [(buffer, buffer.detach().clone()) for buffer in self.model.buffers()]
        return StandIn(self.model, {}, copied=False)

    def __exit__(self, *_: object) -> None:
        for module, training in getattr(self, "modes", ()):
            module.training = training
        with torch.no_grad():
            for buffer, value in getattr(self, "buffers", ()):
                buffer.copy_(value)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter or buffer."""
    first: Tensor | None = next(iter((*module.parameters(), *module.buffers())), None)
    return torch.device("cpu") if first is None else first.device


def modes_of(module: nn.Module) -> list[nn.Module]:
    """Return the modules that do something else in training than in evaluation."""
    return [
        one
        for one in module.modules()
        if isinstance(one, MODES)
        and not (isinstance(one, nn.modules.dropout._DropoutNd) and one.p == 0)
        and getattr(one, "track_running_stats", True)
    ]


def called(module: nn.Module, batch: Batch, *, with_labels: bool) -> Any:
    """Call a model with a batch.

    Raises:
        InputError: it does not take the batch; the message is its own.
    """
    keywords = dict(batch.keywords)
    if with_labels and batch.labels is not None:
        keywords["labels"] = batch.labels.to(device_of(module))
    try:
        return module(*batch.arguments, **keywords)
    except Exception as error:  # the model is the user's, and may raise anything
        first = " ".join(str(error).split())
        raise InputError(
            f"the model cannot be called with the inputs of a batch as the loader gives them: "
            f"{type(error).__name__}: {first[:300]}; give a loader of what the model takes."
        ) from error


def tensor_in(given: Any) -> Tensor | None:
    """Return the outputs among what a model returns: the tensor itself, ``logits``, or the first tensor."""
    if isinstance(given, Tensor):
        return given if given.ndim else None
    logits = given.get("logits") if isinstance(given, Mapping) else getattr(given, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    if isinstance(given, tuple | list):
        return next((one for one in given if isinstance(one, Tensor) and one.ndim), None)
    if isinstance(given, Mapping):
        return next((one for one in given.values() if isinstance(one, Tensor) and one.ndim), None)
    return None


def loss_in(given: Any) -> Tensor | None:
    """Return the loss that a model returns beside its outputs."""
    found = given.get("loss") if isinstance(given, Mapping) else getattr(given, "loss", None)
    return found if isinstance(found, Tensor) else None
