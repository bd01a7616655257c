"""Watches a training loop around its own code."""

import math
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from bindoctor.before import (
    COUNTING_SECONDS,
    PROBED_ROWS,
    as_html,
    as_text,
    checked,
    headline_of,
    in_one_line,
    length_of,
    probed,
    report_on,
    task_of,
)
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.findings import Finding
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.predictions import Predictions
from bindoctor.report import Report
from bindoctor.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bindoctor.expectations import Expectation
    from bindoctor.first_loss import FirstLoss
    from bindoctor.hooks import Hooks
    from bindoctor.undisturbed import Batch

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
        checked(model, optimizer)
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
        passes = Passes(length_of(self._loader), length_of(self._valid_loader))
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
        history = self._hooks.passes.history(first, (facts.gradient_steps, facts.gradient_norms))
        return msgspec.structs.replace(history, best_restored=True) if self._hooks.restored else history

    @property
    def inspection(self) -> Inspection | None:
        """Return what is known of the model so far; None where it could not be looked at and no step was made."""
        if self._seen is None or self._hooks is None:
            return self._seen
        from bindoctor.facts import optimizer_facts

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
        """Return the findings so far, loudest first, the model's before its run's."""
        from bindoctor.render.live import in_order

        return in_order(self._judged().findings)

    def report(self) -> Report:
        """Print the findings so far, and return them."""
        from rich.console import Console

        from bindoctor.render.live import print_live

        report = self._judged()
        print_live(report, self.headline, Console(highlight=False), self.remarks)
        return report

    def __str__(self) -> str:
        return as_text(self._judged(), self.headline, self.remarks)

    def _repr_html_(self) -> str:
        return as_html(self._judged(), self.headline, self.remarks)

    @property
    def headline(self) -> str:
        """Say what was watched."""
        start = headline_of(self._name, self.inspection, self.task, self._labels)
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
        return report_on(self._name, task, self._labels, evidence)

    def _look_before(self) -> None:
        from bindoctor import undisturbed

        self._expects: Expectation | None = None
        if self._loader is None or not undisturbed.can_be_read_twice(self._loader):
            return
        try:
            sample = undisturbed.read(self._loader, rows=PROBED_ROWS, seconds=COUNTING_SECONDS)
            self._batch, self._labels = sample.batch, tuple(sorted(sample.counts))
            self.task = task_of(sample.counts, self._loader, self._valid_loader)
            self._seen, self._expects = probed(self._model, self._loss, self._optimizer, sample)
        except Exception as error:  # the model, the loss and the loader are the user's, and training goes on
            self.remarks = (f"not looked at before training: {in_one_line(error)}",)

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
                seen, self._expects = probed(
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
            self.remarks = (*self.remarks, f"not looked at after training: {in_one_line(error)}")


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
        valid_loader: that of the validation rows, if any; only its size is used. Where the loop evaluates more rows at
            a time, the training rows first, say, the last ones count as validation.

    Raises:
        InputError: something that is no module or no optimizer.
    """
    return Watch(model, loss, optimizer, loader, valid_loader)
