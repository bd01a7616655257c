"""A training run's curve, epoch by epoch, whatever wrote it."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np


class Epoch(msgspec.Struct, frozen=True):
    """One epoch: mean losses in nats per row, scores in [0, 1]; ``None`` where nothing was logged."""

    epoch: int
    train_loss: float | None = None
    valid_loss: float | None = None
    train_score: float | None = None
    valid_score: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None


class Series(msgspec.Struct, frozen=True):
    """One metric of one part of the rows as it was logged, point by point, on its own grid.

    Attributes:
        part: which rows the values are of; "" where they are of none, as the learning rate.
        metric: "loss", "accuracy", "roc-auc", "f1", "recall", "learning-rate", "gradient-norm" and their like,
            "batch-loss" for losses of batches beside those of epochs; else the name in the log.
        values: the logged numbers, NaN and infinities included.
        steps: optimizer steps at which they were logged, as many; empty where unknown.
        epochs: epochs at which they were logged, fractions included, as many; empty where unknown.
        run: which run of a log that holds several, from 0.
    """

    part: Literal["train", "valid", "test", ""]
    metric: str
    values: tuple[float, ...]
    steps: tuple[int, ...] = ()
    epochs: tuple[float, ...] = ()
    run: int = 0


class History(msgspec.Struct, frozen=True):
    """A run's curve.

    Attributes:
        epochs: the last run epoch by epoch, in order.
        first_loss: the loss before any step, where it is known.
        best_epoch: the epoch whose weights were kept, where it is known.
        series: everything that was logged, of all runs; empty where ``epochs`` says it all.
        runs: how many runs the log holds; ``epochs`` are of the last one, ``runs - 1`` in ``series``.
        source: what wrote the log, "" for bindoctor itself.
        remarks: what reading left out or decided that the user should know.
        entropy_scale: whether the losses are cross-entropies in nats a row, which may be held against the classes'
            entropy; None where it is not known.
        score: what ``train_score`` and ``valid_score`` are.
        best_restored: whether the weights of ``best_epoch`` are what the run kept; None where it is not known.
    """

    epochs: tuple[Epoch, ...]
    first_loss: float | None = None
    best_epoch: int | None = None
    series: tuple[Series, ...] = ()
    runs: int = 1
    source: str = ""
    remarks: tuple[str, ...] = ()
    entropy_scale: bool | None = True
    score: str = "accuracy"
    best_restored: bool | None = None

    def curve(self, name: str) -> np.ndarray:
        """Return one column as float64 of shape (epochs,), NaN where nothing was logged."""
        return np.array([np.nan if (v := getattr(e, name)) is None else v for e in self.epochs], dtype=np.float64)

    @classmethod
    def mean(cls, runs: Sequence["History"]) -> "History":
        """Average runs of the same recipe epoch by epoch, over the epochs that every run reached."""
        length = min(len(run.epochs) for run in runs)

        def average(values: Sequence[float | None]) -> float | None:
            known = [value for value in values if value is not None]
            return float(np.mean(known)) if len(known) == len(values) else None

        epochs = tuple(
            Epoch(
                runs[0].epochs[i].epoch,
                **{
                    name: average([getattr(run.epochs[i], name) for run in runs])
                    for name in Epoch.__struct_fields__[1:]
                },
            )
            for i in range(length)
        )
        best = average([run.best_epoch for run in runs])
        return cls(epochs, average([run.first_loss for run in runs]), None if best is None else round(best))

    def to_csv(self) -> str:
        """Write one line an epoch, blank where nothing was logged; the first line is a header.

        ``first_loss`` is the training loss of an epoch 0.
        """
        out = io.StringIO()
        writer = csv.DictWriter(out, Epoch.__struct_fields__, lineterminator="\n")
        writer.writeheader()
        if self.first_loss is not None:
            writer.writerow(msgspec.structs.asdict(Epoch(0, train_loss=self.first_loss)))
        writer.writerows(msgspec.structs.asdict(epoch) for epoch in self.epochs)
        return out.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> "History":
        """Read what ``to_csv`` wrote.

        Raises:
            ValueError: it is something else, or damaged; says where.
        """
        header, *lines = text.splitlines() or [""]
        if header != COLUMNS:
            raise ValueError(f"expected the columns {COLUMNS}")
        epochs = [_epoch(line, number) for number, line in enumerate(lines, start=1)]
        if epochs and epochs[0].epoch == 0 and len(epochs) > 1:
            return cls(tuple(epochs[1:]), first_loss=epochs[0].train_loss)
        return cls(tuple(epochs))


COLUMNS = ",".join(Epoch.__struct_fields__)


def _epoch(line: str, number: int) -> Epoch:
    fields = line.split(",")
    if len(fields) != len(Epoch.__struct_fields__):
        raise ValueError(f"record {number} has {len(fields)} fields, not {len(Epoch.__struct_fields__)}")
    try:
        return Epoch(int(fields[0]), *(float(field) if field else None for field in fields[1:]))
    except ValueError as error:
        raise ValueError(f"record {number}: {error}") from None


class TrainingFailed(Exception):  # noqa: N818
    """Training gave no usable model: the message says how ("the loss became nan"), ``history`` how far it got."""

    def __init__(self, why: str, history: History) -> None:
        super().__init__(why)
        self.history = history
