"""Watches a training loop around its own code, and looks at a model before it is trained."""

import io
import math
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.examine import examine
from bindoctor.findings import Finding
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.predictions import Predictions
from bindoctor.registry import discover
from bindoctor.report import DataSummary, Report
from bindoctor.task import Task
from bindoctor.version import VERSION

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bindoctor.expectations import Expectation
    from bindoctor.first_loss import FirstLoss
    from bindoctor.hooks import Hooks
    from bindoctor.undisturbed import Batch, Sample

PROBED_ROWS = 256
COUNTING_SECONDS = 0.15
LIVE = frozenset({"model", "history", "predictions", "task"})
"""The evidence that a live training gives; rules that need other evidence are not asked."""
LOGGED = {
    "loss": "train_loss",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
    "val_loss": "valid_loss",
    "accuracy": "train_score",
    "train_accuracy": "train_score",
    "valid_accuracy": "valid_score",
    "val_accuracy": "valid_score",
}


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
        self.task = _task(sample.counts, loader)
        self.inspection, self.expects = _probed(model, loss, optimizer, sample)

    @property
    def history(self) -> History:
        """Return a history of no epochs, with the loss before any step."""
        first = self.inspection.first_loss
        return History((), first if math.isfinite(first) else None, source="bindoctor", entropy_scale=self.expects.nats)

    @property
    def report(self) -> Report:
        """Return what the rules say."""
        return _report(
            self._name, self.task, self._labels, Evidence(model=self.inspection, task=self.task, history=self.history)
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings, loudest first."""
        return self.report.findings

    def __str__(self) -> str:
        return _as_text(self.report, self.headline)

    def _repr_html_(self) -> str:
        return _as_html(self.report, self.headline)

    @property
    def headline(self) -> str:
        """Say what was looked at."""
        return _headline(self._name, self.inspection, self.task, self._labels)


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
    _checked(model, optimizer)
    return Preflight(model, loss, optimizer, loader)


class Watch:
    """A training that is watched while it is entered as a context.

    Attributes:
        loss: the loss, to be called by the loop in place of a plain function that was given; a module given is
            watched wherever it is called.
        remarks: what could not be looked at, and why.
    """

    def __init__(
        self,
        model: "nn.Module",
        loss: Callable[..., Any] | None,
        optimizer: "torch.optim.Optimizer",
        loader: Iterable[Any] | None,
        valid_loader: Iterable[Any] | None = None,
    ) -> None:
        _checked(model, optimizer)
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._loader, self._valid_loader = loader, valid_loader
        self._hooks: Hooks | None = None
        self._seen: Inspection | None = None
        self._batch: Batch | None = None
        self._labels: tuple[float, ...] = ()
        self._layers: tuple[Any, ...] | None = None
        self.task = Task()
        self.remarks: tuple[str, ...] = ()

    def __enter__(self) -> "Watch":
        """Look at the model on a batch, then attach the hooks."""
        from bindoctor.hooks import Hooks
        from bindoctor.passes import Passes

        self._look_before()
        passes = Passes(_length(self._loader), _length(self._valid_loader))
        self._hooks = Hooks(self._model, self._loss, self._optimizer, passes, self._on_first_loss)
        passes.expects = self._expects
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the hooks off, then look at the activations once more; an exception goes on its way."""
        if self._hooks is None:
            return
        self._hooks.remove()
        if self._hooks.failure:
            self.remarks = (*self.remarks, f"watching ended early: {self._hooks.failure}")
        if error is None or isinstance(error, Exception):
            self._look_after()

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Compute the loss that was given, and take note of it.

        Raises:
            InputError: no loss was given.
        """
        if self._loss is None:
            raise InputError("no loss was given to watch; give the function that the loop uses.")
        value = self._loss(outputs, labels)
        from torch import nn

        if self._hooks is not None and not isinstance(self._loss, nn.Module):
            self._hooks.lost(outputs, labels, value)
        return value

    def log(self, **values: float) -> None:
        """Take note of an epoch's ``loss``, ``valid_loss``, ``accuracy`` or ``valid_accuracy``, computed by the loop.

        Raises:
            InputError: a name that is none of these, or a value that is no number.
        """
        taken: dict[str, float] = {}
        for name, value in values.items():
            if name not in LOGGED:
                raise InputError(f"log: {name!r} is not known; use {', '.join(LOGGED)}.")
            try:
                taken[LOGGED[name]] = float(value)
            except (TypeError, ValueError) as error:
                raise InputError(f"log: {name} is {type(value).__name__}, not a number.") from error
        if self._hooks is not None:
            self._hooks.passes.log(taken)

    @property
    def watches_loss(self) -> bool:
        """Tell whether losses have been seen where they are computed."""
        return self._hooks is not None and self._hooks.passes.has_losses

    @property
    def history(self) -> History:
        """Return the run so far, epoch by epoch, with losses and gradient norms step by step as series."""
        first = math.nan if self._seen is None else self._seen.first_loss
        if self._hooks is None:
            return History((), first if math.isfinite(first) else None, source="bindoctor")
        facts = self._hooks.facts()
        return self._hooks.passes.history(first, (facts.gradient_steps, facts.gradient_norms))

    @property
    def inspection(self) -> Inspection | None:
        """Return what is known of the model so far; None where it could not be looked at and no step was made."""
        if self._seen is None or self._hooks is None:
            return self._seen
        from bindoctor.probe import optimizer_facts

        facts, passes = self._hooks.facts(), self._hooks.passes
        trained = facts.steps or facts.backwards
        return msgspec.structs.replace(
            self._seen,
            optimizer=optimizer_facts(self._optimizer, self._hooks.rate),
            trains_while_validating=2 * passes.phases_in_training_mode > passes.phases > 0,
            training=facts if trained else None,
            layers=self._seen.layers if self._layers is None else self._layers,
        )

    @property
    def predictions(self) -> Predictions | None:
        """Return the answers of the last validation, up to 50 000 rows; None where they are not known."""
        return None if self._hooks is None else self._hooks.passes.predictions()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings so far, loudest first."""
        return self._judged().findings

    def report(self) -> Report:
        """Print the findings so far, and return them."""
        from rich.console import Console

        from bindoctor.render.live import print_live

        report = self._judged()
        print_live(report, self.headline, Console(highlight=False), self.remarks)
        return report

    def __str__(self) -> str:
        return _as_text(self._judged(), self.headline, self.remarks)

    def _repr_html_(self) -> str:
        return _as_html(self._judged(), self.headline, self.remarks)

    @property
    def headline(self) -> str:
        """Say what was watched."""
        start = _headline(self._name, self.inspection, self.task, self._labels)
        if self._hooks is None or not self._hooks.steps:
            return start
        epochs = len(self.history.epochs)
        return f"{start}; {epochs} epoch{'s' if epochs != 1 else ''}, {self._hooks.steps} steps"

    @property
    def _name(self) -> str:
        from bindoctor.undisturbed import bare

        return type(bare(self._model)).__name__

    def _judged(self) -> Report:
        if self._hooks is not None:
            self._hooks.passes.settle()
        valid_rows = None if self._hooks is None else self._hooks.passes.valid_rows
        task = msgspec.structs.replace(self.task, valid_rows=self.task.valid_rows or valid_rows)
        evidence = Evidence(model=self.inspection, task=task, history=self.history, predictions=self.predictions)
        return _report(self._name, task, self._labels, evidence)

    def _look_before(self) -> None:
        from bindoctor import undisturbed

        self._expects: Expectation | None = None
        if self._loader is None or not undisturbed.can_be_read_twice(self._loader):
            return
        try:
            sample = undisturbed.read(self._loader, rows=PROBED_ROWS, seconds=COUNTING_SECONDS)
            self._batch, self._labels = sample.batch, tuple(sorted(sample.counts))
            self.task = _task(sample.counts, self._loader, self._valid_loader)
            self._seen, self._expects = _probed(self._model, self._loss, self._optimizer, sample)
        except Exception as error:  # the model, the loss and the loader are the user's, and training goes on
            self.remarks = (f"not looked at before training: {_in_one_line(error)}",)

    def _on_first_loss(self, first: "FirstLoss") -> None:
        """Look again at what the loop really hands to the model and to the loss, where the loader did not show it."""
        from bindoctor import probe, undisturbed
        from bindoctor.expectations import expectation

        if self._hooks is None:
            return
        seen = self._seen
        if seen is None or not probe.is_what_was_seen(seen, first):
            loss = self._loss if first.untouched else None
            try:
                seen, self._expects = _probed(
                    self._model,
                    probe.reshaping(loss, first) if loss is not None else self._loss,
                    self._optimizer,
                    undisturbed.Sample(first.batch),
                    copies_only=True,
                )
            except Exception:  # the model and the loss are the user's, and training goes on
                seen = seen or probe.of_first_loss(self._model, self._optimizer, first)
            self._batch = first.batch
            self.remarks = ()
        if not first.untouched:
            assert seen is not None
            self._expects = (
                expectation(self._loss, first.outputs.detach().cpu(), first.batch.labels)
                if self._loss is not None
                else self._expects
            )
            if self._expects is not None:
                seen = probe.as_handed_on(seen, first, self._loss, self._expects)
        self._seen = msgspec.structs.replace(seen, labels=msgspec.structs.replace(seen.labels, seen_in="loss"))
        self._hooks.passes.expects = self._expects

    def _look_after(self) -> None:
        from bindoctor import probe

        if self._batch is None or self._hooks is None or not self._hooks.steps:
            return
        try:
            self._layers = tuple(probe.layers_now(self._model, self._batch, with_labels=self._loss is None))
        except Exception as error:  # the model is the user's, and may raise anything
            self.remarks = (*self.remarks, f"not looked at after training: {_in_one_line(error)}")


def watch(
    model: "nn.Module",
    loss: Callable[..., Any] | None,
    optimizer: "torch.optim.Optimizer",
    loader: Iterable[Any] | None,
    valid_loader: Iterable[Any] | None = None,
) -> Watch:
    """Watch a training loop: ``with bindoctor.watch(model, loss, optimizer, loader) as w:`` around it.

    The loop stays as it is and computes the same to the last bit. Before it starts a batch is looked at, as by
    ``preflight``; what the loop then hands to the model and to the loss counts more than what the loader gives.

    Args:
        model: the module that the loop calls.
        loss: the loss module that the loop calls; a function is watched when the loop calls ``w.loss`` in its place.
            None for a model that returns its loss.
        optimizer: the optimizer that the loop steps.
        loader: the loader of the training rows, or any iterable of their batches; one that cannot be read twice, or
            None, is looked at when the loop gets to it.
        valid_loader: that of the validation rows, if any; only its size is used. Where the loop evaluates more rows at a
            time, the training rows first, say, the last ones count as validation.

    Raises:
        InputError: something that is no module or no optimizer.
    """
    return Watch(model, loss, optimizer, loader, valid_loader)


def _in_one_line(error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    return said if isinstance(error, InputError) else f"{type(error).__name__}: {said}"


def _checked(model: object, optimizer: object) -> None:
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


def _probed(
    model: "nn.Module",
    loss: Callable[..., Any] | None,
    optimizer: "torch.optim.Optimizer | None",
    sample: "Sample",
    *,
    copies_only: bool = False,
) -> "tuple[Inspection, Expectation]":
    from bindoctor.probe import inspect

    probe = inspect(model, loss, optimizer, sample.batch, copies_only=copies_only)
    seen = probe.inspection
    if seen.inputs is not None and not sample.finite:
        seen = msgspec.structs.replace(seen, inputs=msgspec.structs.replace(seen.inputs, finite=False))
    return seen, probe.expects


def _length(loader: object) -> int | None:
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return None


def _task(counts: Mapping[float, int], loader: object, valid_loader: object = None) -> Task:
    total = sum(counts.values())
    shares = tuple(counts[label] / total for label in sorted(counts)) if total and len(counts) <= 1000 else ()
    return Task(shares, _rows(loader), _rows(valid_loader))


def _rows(loader: object) -> int | None:
    return _length(getattr(loader, "dataset", None))


def _report(name: str, task: Task, labels: tuple[float, ...], evidence: Evidence) -> Report:
    registry = discover()
    asked = [rule for rule in registry.rules if LIVE.issuperset(set(rule.needs) - set(rule.optional)) and rule.needs]
    rows = task.train_rows or 0
    counts = {f"{label:g}": round(share * rows) for label, share in zip(labels, task.shares, strict=False)}
    summary = DataSummary(name, rows, 0, "", None, counts)
    broken = tuple(f"{pack.name}: {pack.why}" for pack in registry.broken)
    return Report(VERSION, summary, examine(asked, evidence), broken_packs=broken)


def _headline(name: str, seen: Inspection | None, task: Task, labels: tuple[float, ...]) -> str:
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


def _as_text(report: Report, headline: str, remarks: tuple[str, ...] = ()) -> str:
    from rich.console import Console

    from bindoctor.render.live import print_live

    console = Console(file=io.StringIO(), width=120, highlight=False)
    print_live(report, headline, console, remarks)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _as_html(report: Report, headline: str, remarks: tuple[str, ...] = ()) -> str:
    """Return the report as HTML, in which rich has escaped all text."""
    from rich.console import Console

    from bindoctor.render.live import print_live

    console = Console(file=io.StringIO(), record=True, width=120, highlight=False)
    print_live(report, headline, console, remarks)
    layout = '<pre style="white-space:pre-wrap;line-height:1.3">{code}</pre>'
    return console.export_html(inline_styles=True, code_format=layout)
