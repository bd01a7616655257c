"""Looking at loaders and models without changing what a training does afterwards."""

import copy
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from bindoctor.errors import InputError

LABEL_KEYS = ("labels", "label", "targets", "target", "y")
MAX_COPIED_BYTES = 2 << 30
"""A larger model is not copied."""


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch, as a model and a loss take it; ``labels`` is None where there are none that are a tensor."""

    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    labels: Tensor | None

    @classmethod
    def of(cls, given: Any) -> "Batch":
        """Tell inputs from labels: the last of a tuple, or the usual name among a mapping's.

        Raises:
            InputError: what the loader gave is no batch of inputs and labels.
        """
        if isinstance(given, Mapping) or hasattr(given, "items"):
            keywords = dict(given)
            name = next((key for key in LABEL_KEYS if key in keywords), None)
            labels = None if name is None else keywords.pop(name)
            return cls((), keywords, _tensor(labels))
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) < 2:
            raise InputError(
                f"a batch of the loader is {type(given).__name__}, not (inputs, labels); give a loader of such pairs."
            )
        *inputs, labels = given
        if len(inputs) == 1 and isinstance(inputs[0], tuple | list):
            inputs = list(inputs[0])
        return cls(tuple(_tensor(one) if isinstance(one, np.ndarray) else one for one in inputs), {}, _tensor(labels))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Return the inputs that are tensors."""
        return tuple(one for one in (*self.arguments, *self.keywords.values()) if isinstance(one, Tensor))

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return next((len(one) for one in (self.labels, *self.tensors) if one is not None and one.ndim), 0)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its inputs on a device; the labels stay where they are."""
        return self._map(lambda one: one.to(device), self.labels)

    def take(self, rows: Tensor) -> "Batch":
        """Return these rows alone."""
        every = self.rows

        def taken(one: Tensor) -> Tensor:
            return one[rows.to(one.device)] if one.ndim and len(one) == every else one

        return self._map(taken, None if self.labels is None else taken(self.labels))

    def with_inputs(self, change: Any) -> "Batch":
        """Return the batch with ``change`` applied to each input tensor of floating point numbers."""
        return self._map(lambda one: change(one) if one.is_floating_point() else one, self.labels)

    def _map(self, change: Any, labels: Tensor | None) -> "Batch":
        def changed(one: Any) -> Any:
            return change(one) if isinstance(one, Tensor) else one

        return Batch(
            tuple(changed(one) for one in self.arguments),
            {name: changed(one) for name, one in self.keywords.items()},
            labels,
        )


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray | list | tuple):
        try:
            return torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            return None
    return None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the random numbers of Python, NumPy and PyTorch, on every device in use, back where they were."""
    python, numpy_state, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if in_use else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def can_be_read_twice(loader: object) -> bool:
    """Tell whether taking batches from a loader leaves them for the training."""
    if isinstance(loader, Iterator):
        return False
    return not (isinstance(loader, DataLoader) and isinstance(loader.dataset, Iterator))


@contextmanager
def batches_of(loader: Iterable[Any]) -> Iterator[Iterator[Batch]]:
    """Give the first batches of a loader, and leave its order and all random numbers as they were.

    A ``DataLoader``'s batches are put together here and not by its worker processes, which take long to start.
    """
    samplers = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    generators = {id(g): g for one in samplers if isinstance(g := getattr(one, "generator", None), torch.Generator)}
    states = [(generator, generator.get_state()) for generator in generators.values()]
    with undisturbed():
        try:
            yield (Batch.of(one) for one in _raw(loader))
        finally:
            for generator, state in states:
                generator.set_state(state)


def _raw(loader: Iterable[Any]) -> Iterator[Any]:
    # A library's own kind of loader may keep count of its batches.
    plain = type(loader).__iter__ is DataLoader.__iter__ if isinstance(loader, DataLoader) else True
    if not isinstance(loader, DataLoader) or (loader.num_workers == 0 and plain):
        yield from loader
        return
    if isinstance(loader.dataset, IterableDataset):
        size = loader.batch_size or 1
        rows = iter(loader.dataset)
        while chunk := list(islice(rows, size)):
            yield loader.collate_fn(chunk)
        return
    if loader.batch_sampler is None:
        yield from (loader.collate_fn(loader.dataset[index]) for index in loader.sampler)
        return
    for indices in loader.batch_sampler:
        yield loader.collate_fn([loader.dataset[index] for index in indices])


def joined(batches: Sequence[Batch]) -> Batch:
    """Return batches as one where their tensors can be laid end to end, else the first."""
    first = batches[0]
    try:
        arguments = tuple(
            torch.cat([b.arguments[i] for b in batches]) if isinstance(one, Tensor) else one
            for i, one in enumerate(first.arguments)
        )
        keywords = {
            name: torch.cat([b.keywords[name] for b in batches]) if isinstance(one, Tensor) else one
            for name, one in first.keywords.items()
        }
        known = [b.labels for b in batches if b.labels is not None]
        labels = torch.cat(known) if len(known) == len(batches) else None
    except (RuntimeError, IndexError, KeyError, TypeError):
        return first
    return Batch(arguments, keywords, labels)


@dataclass(frozen=True, eq=False)
class Sample:
    """The first rows of a loader.

    Attributes:
        batch: some of them, joined.
        counts: how often each label occurs in all that were looked at.
        finite: whether all inputs that were looked at are finite.
    """

    batch: Batch
    counts: Mapping[float, int] = field(default_factory=dict)
    finite: bool = True


def read(loader: Iterable[Any], *, rows: int, seconds: float) -> Sample:
    """Return the first batches joined up to so many rows, and what all of them hold as far as time allows.

    Raises:
        InputError: the loader gives nothing, or no batches.
    """
    until = perf_counter() + seconds
    kept: list[Batch] = []
    counted: dict[float, int] = {}
    finite = True
    with batches_of(loader) as batches:
        for batch in batches:
            if not kept or sum(one.rows for one in kept) < rows:
                kept.append(batch)
            finite = finite and all(bool(torch.isfinite(t).all()) for t in batch.tensors if t.is_floating_point())
            for value, count in _counted(batch.labels).items():
                counted[value] = counted.get(value, 0) + count
            if len(counted) > 1000 or perf_counter() > until:
                break
    if not kept:
        raise InputError("the loader gives no batch; give one that can be iterated, with at least one batch.")
    whole = joined(kept)
    return Sample(whole.take(torch.arange(min(rows, whole.rows))), counted, finite)


def _counted(labels: Tensor | None) -> Mapping[float, int]:
    """Count the labels of single-label classification; nothing for one output each of several columns."""
    if labels is None or labels.is_complex() or (labels.ndim > 1 and labels.shape[1:].numel() != 1):
        return {}
    values, counts = labels.detach().reshape(-1).cpu().unique(return_counts=True)  # type: ignore[no-untyped-call]
    return dict(zip(map(float, values.tolist()), counts.tolist(), strict=True))


def bare(model: nn.Module) -> nn.Module:
    """Return the module inside a compiled or data-parallel one."""
    inner = getattr(model, "_orig_mod", model)
    if isinstance(inner, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = inner.module
    return inner if isinstance(inner, nn.Module) else model


def twin_of(model: nn.Module) -> tuple[nn.Module, Mapping[int, Tensor]] | None:
    """Copy a model to be run and trained in its place, without the hooks that its user reads it with.

    Returns:
        The copy, and the original tensor of each copied one by ``id``; None for a model that cannot be copied, or is
        too large to be.
    """
    source = bare(model)
    size = sum(p.numel() * p.element_size() for p in source.parameters())
    if size > MAX_COPIED_BYTES:
        return None
    memo: dict[int, Any] = {}
    try:
        twin = copy.deepcopy(source, memo)
    except Exception:  # a module may hold anything, and say anything when it is copied
        return None
    for module in twin.modules():
        module._forward_hooks.clear()
        module._backward_hooks.clear()
        module._backward_pre_hooks.clear()
    # deepcopy keeps every original alive in its memo under the id of the memo itself.
    originals = {id(one): one for one in memo.get(id(memo), ()) if isinstance(one, Tensor)}
    back = {id(memo[key]): original for key, original in originals.items() if key in memo}
    for parameter in twin.parameters():
        parameter.grad = None
    return twin, back
