"""Looks at a model, its loss and its optimizer before training, and says what rules make of it."""

import io
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.examine import examine
from bindoctor.findings import Finding
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.registry import discover
from bindoctor.report import DataSummary, Report
from bindoctor.task import Task
from bindoctor.version import VERSION

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bindoctor.expectations import Expectation
    from bindoctor.undisturbed import Sample

PROBED_ROWS = 256
COUNTING_SECONDS = 0.15
LIVE = frozenset({"model", "history", "predictions", "task"})
"""The evidence that a live training gives; rules that need other evidence are not asked."""


class Preflight:
    """What one batch shows of a model, its loss and its optimizer before training.

    Attributes:
        inspection: the numbers that the findings rest on; None where the model could not be looked at.
        remarks: what could not be looked at, and why.
    """

    def __init__(
        self,
        model: "nn.Module",
        loss: Callable[..., Any] | None,
        optimizer: "torch.optim.Optimizer | None",
        loader: Iterable[Any],
    ) -> None:
        from bindoctor import undisturbed

        self._name = type(undisturbed.bare(model)).__name__
        batches = [loader] if _is_batch(loader) else loader
        if not undisturbed.can_be_read_twice(batches):
            raise InputError(
                "the loader is an iterator, and a batch taken from it would be lost to the training; give a loader "
                "that can be iterated again, or a list of batches."
            )
        sample = undisturbed.read(batches, rows=PROBED_ROWS, seconds=COUNTING_SECONDS)
        self.remarks: tuple[str, ...] = ()
        self._labels = tuple(sorted(sample.counts))
        self.task = task_of(sample.counts, loader)
        self.inspection, self.expects = probed(model, loss, optimizer, sample)

    @property
    def history(self) -> History:
        """Return a history of no epochs, with the loss before any step."""
        first = self.inspection.first_loss
        return History((), first if math.isfinite(first) else None, source="bindoctor", entropy_scale=self.expects.nats)

    @property
    def report(self) -> Report:
        """Return what the rules say."""
        return report_on(
            self._name, self.task, self._labels, Evidence(model=self.inspection, task=self.task, history=self.history)
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings, loudest first, the model's before its run's."""
        from bindoctor.render.live import in_order

        return in_order(self.report.findings)

    def __str__(self) -> str:
        return as_text(self.report, self.headline)

    def _repr_html_(self) -> str:
        return as_html(self.report, self.headline)

    @property
    def headline(self) -> str:
        """Say what was looked at."""
        return headline_of(self._name, self.inspection, self.task, self._labels)


def preflight(
    model: "nn.Module",
    loss: Callable[..., Any] | None,
    optimizer: "torch.optim.Optimizer | None",
    loader: Iterable[Any],
) -> Preflight:
    """Look at a model, its loss and its optimizer before training, on up to 256 rows and in under a second or so.

    Nothing changes: the model's weights, buffers, gradients and mode, random numbers and the loader's order stay.

    Args:
        model: a PyTorch module that takes the inputs of a batch.
        loss: a module or function of (outputs, labels); where the loop changes outputs or labels before, a function
            that does the same. None for a model that returns its loss, as those of Hugging Face do.
        optimizer: the optimizer, or None where there is none yet.
        loader: an iterable of (inputs, labels) pairs or of mappings, or one such batch.

    Raises:
        InputError: the loader gives no such batches, or the model cannot be called with one.
    """
    checked(model, optimizer)
    return Preflight(model, loss, optimizer, loader)


def in_one_line(error: Exception) -> str:
    """Return what an error says, with its kind where it is not meant for the user."""
    said = " ".join(str(error).split())[:300]
    return said if isinstance(error, InputError) else f"{type(error).__name__}: {said}"


def checked(model: object, optimizer: object) -> None:
    """Refuse what is no module or no optimizer.

    Raises:
        InputError: it is neither, or PyTorch is missing.
    """
    try:
        from torch import nn
    except ImportError as error:
        raise InputError("watching needs PyTorch; install it with: pip install 'bindoctor[train]'") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"the model is {type(model).__name__}, not a PyTorch module; give an nn.Module.")
    if optimizer is not None and not (hasattr(optimizer, "param_groups") and hasattr(optimizer, "step")):
        raise InputError(
            f"the optimizer is {type(optimizer).__name__}, not one of PyTorch's; give a torch.optim.Optimizer."
        )


def _is_batch(loader: object) -> bool:
    """Tell a batch from a loader: a pair of tensors, or a mapping."""
    if isinstance(loader, Mapping):
        return True
    return isinstance(loader, tuple) and len(loader) >= 2 and all(hasattr(one, "shape") for one in loader)


def probed(
    model: "nn.Module",
    loss: Callable[..., Any] | None,
    optimizer: "torch.optim.Optimizer | None",
    sample: "Sample",
    *,
    copies_only: bool = False,
) -> "tuple[Inspection, Expectation]":
    """Return what a batch shows of a model, and what its loss expects.

    Raises:
        InputError: the model cannot be called with the batch.
    """
    from bindoctor.probe import inspect

    probe = inspect(model, loss, optimizer, sample.batch, copies_only=copies_only)
    seen = probe.inspection
    if seen.inputs is not None and not sample.finite:
        seen = msgspec.structs.replace(seen, inputs=msgspec.structs.replace(seen.inputs, finite=False))
    return seen, probe.expects


def length_of(loader: object) -> int | None:
    """Return how many batches or rows there are, None where that is not known."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return None


def task_of(counts: Mapping[float, int], loader: object, valid_loader: object = None) -> Task:
    """Return the task that labels pose, from how often each occurs."""
    total = sum(counts.values())
    shares = tuple(counts[label] / total for label in sorted(counts)) if total and len(counts) <= 1000 else ()
    return Task(shares, _rows(loader), _rows(valid_loader))


def _rows(loader: object) -> int | None:
    return length_of(getattr(loader, "dataset", None))


def report_on(name: str, task: Task, labels: tuple[float, ...], evidence: Evidence) -> Report:
    """Ask the rules that a live training gives evidence for."""
    registry = discover()
    asked = [rule for rule in registry.rules if LIVE.issuperset(set(rule.needs) - set(rule.optional)) and rule.needs]
    rows = task.train_rows or 0
    counts = {f"{label:g}": round(share * rows) for label, share in zip(labels, task.shares, strict=False)}
    summary = DataSummary(name, rows, 0, "", None, counts)
    broken = tuple(f"{pack.name}: {pack.why}" for pack in registry.broken)
    return Report(VERSION, summary, examine(asked, evidence), broken_packs=broken)


def headline_of(name: str, seen: Inspection | None, task: Task, labels: tuple[float, ...]) -> str:
    """Say what was looked at: model, loss, optimizer and classes."""
    parts = [name]
    if seen is not None:
        weights = sum(math.prod(p.shape) for p in seen.parameters)
        parts = [f"{name} ({weights} parameters)", *([seen.loss] if seen.loss else [])]
        if seen.optimizer is not None:
            parts.append(f"{seen.optimizer.name} at {seen.optimizer.learning_rate:g}")
    shown = [f"{label:g} {100 * share:.3g} %" for label, share in list(zip(labels, task.shares, strict=False))[:6]]
    if len(task.shares) > 6:
        shown.append(f"and {len(task.shares) - 6} more")
    return ", ".join(parts) + (f"; classes {', '.join(shown)}" if shown else "")


def as_text(report: Report, headline: str, remarks: tuple[str, ...] = ()) -> str:
    """Return the report as plain text, 120 columns wide."""
    from rich.console import Console

    from bindoctor.render.live import print_live

    console = Console(file=io.StringIO(), width=120, highlight=False)
    print_live(report, headline, console, remarks)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def as_html(report: Report, headline: str, remarks: tuple[str, ...] = ()) -> str:
    """Return the report as HTML, in which rich has escaped all text."""
    from rich.console import Console

    from bindoctor.render.live import print_live

    console = Console(file=io.StringIO(), record=True, width=120, highlight=False)
    print_live(report, headline, console, remarks)
    layout = '<pre style="white-space:pre-wrap;line-height:1.3">{code}</pre>'
    return console.export_html(inline_styles=True, code_format=layout)
