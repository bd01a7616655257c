"""A training run's curve, epoch by epoch, whatever wrote it."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from bindoctor.errors import InputError


class Epoch(msgspec.Struct, frozen=True):
    """One epoch: mean losses in nats per row, scores in [0, 1]; ``None`` where nothing was logged."""

    epoch: int
    train_loss: float | None = None
    valid_loss: float | None = None
    train_score: float | None = None
    valid_score: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None


ALIASES: Mapping[str, tuple[str, ...]] = {
    "epoch": ("epoch", "epochs", "step"),
    "train_loss": ("train_loss", "loss", "training_loss", "train/loss", "loss/train"),
    "valid_loss": ("valid_loss", "val_loss", "validation_loss", "eval_loss", "test_loss", "val/loss", "loss/val"),
    "train_score": ("train_score", "train_accuracy", "train_acc", "accuracy", "acc", "train_auc"),
    "valid_score": (
        "valid_score",
        "val_accuracy",
        "val_acc",
        "valid_acc",
        "valid_accuracy",
        "val_auc",
        "eval_accuracy",
    ),
    "learning_rate": ("learning_rate", "lr"),
    "gradient_norm": ("gradient_norm", "grad_norm"),
}


class Series(msgspec.Struct, frozen=True):
    """One metric of one part of the rows as it was logged, point by point, on its own grid.

    Attributes:
        part: which rows the values are of; "" where they are of none, as the learning rate.
        metric: "loss", "accuracy", "learning-rate", "gradient-norm" and their like; else the name in the log.
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
        runs: how many runs the log holds.
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
        """Write one line an epoch, blank where nothing was logged; the first line is a header."""
        out = io.StringIO()
        writer = csv.DictWriter(out, Epoch.__struct_fields__, lineterminator="\n")
        writer.writeheader()
        if self.first_loss is not None:
            writer.writerow(msgspec.structs.asdict(Epoch(0, train_loss=self.first_loss)))
        writer.writerows(msgspec.structs.asdict(epoch) for epoch in self.epochs)
        return out.getvalue()


class TrainingFailed(Exception):  # noqa: N818
    """Training gave no usable model: the message says how ("the loss became nan"), ``history`` how far it got."""

    def __init__(self, why: str, history: History) -> None:
        super().__init__(why)
        self.history = history


def read_history(path: Path) -> History:
    """Read a plain CSV (one line an epoch) or JSON (a list of objects, or an object of lists) of a training run.

    Columns are found by the usual names (``loss``, ``val_loss``, ``train_loss``, ``lr``, …).

    Raises:
        InputError: the file cannot be read, is empty, or has no loss column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the training history ({error}); give a CSV or JSON file.") from error
    records = _records(path, text)
    names = {name.strip().lower(): name for record in records[:1] for name in record}
    found = {
        field_name: names[alias]
        for field_name, aliases in ALIASES.items()
        for alias in reversed(aliases)
        if alias in names
    }
    if not {"train_loss", "valid_loss"} & set(found):
        raise InputError(
            f"{path}: no loss column among {', '.join(names) or 'nothing'}; name one 'train_loss' or 'val_loss'."
        )
    epochs = [
        Epoch(
            **{
                name: _number(path, line, column, record.get(column), whole=name == "epoch")
                for name, column in {"epoch": "", **found}.items()
            }
        )
        for line, record in enumerate(records, start=1)
    ]
    if epochs and "epoch" in found and epochs[0].epoch == 0 and epochs[0].valid_loss is None and len(epochs) > 1:
        return History(tuple(epochs[1:]), first_loss=epochs[0].train_loss)
    return History(
        tuple(msgspec.structs.replace(e, epoch=i) if "epoch" not in found else e for i, e in enumerate(epochs))
    )


def _records(path: Path, text: str) -> list[Mapping[str, Any]]:
    if not text.strip():
        raise InputError(f"{path}: the training history is empty.")
    try:
        if text.lstrip()[0] not in "[{":
            records = list(csv.DictReader(io.StringIO(text)))
            ragged = next((i for i, record in enumerate(records) if None in record), None)
            if ragged is not None:
                raise InputError(f"{path}: record {ragged + 1} has more fields than the header.")
            return list(records)
        loaded = json.loads(text)
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error}).") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}).") from error
    if isinstance(loaded, dict):
        columns = {str(k): v for k, v in loaded.items() if isinstance(v, list)}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=False)]
    if not all(isinstance(record, dict) for record in loaded):
        raise InputError(f"{path}: expected a list of objects, one an epoch.")
    return list(loaded)


def _number(path: Path, line: int, column: str, value: object, *, whole: bool) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0 if whole else None
    try:
        number = float(str(value))
    except ValueError as error:
        raise InputError(f"{path}: record {line}, column {column!r}: {value!r} is not a number.") from error
    if whole:
        return int(number) if math.isfinite(number) else 0
    return number
