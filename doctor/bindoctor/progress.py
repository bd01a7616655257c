"""How far a training has come: its curve, its learning rate, its best epoch, and whether it goes on."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bindoctor import scores
from bindoctor.history import Epoch, History, TrainingFailed
from bindoctor.losses import plain_log_loss
from bindoctor.prepare import Prepared
from bindoctor.recipe import Recipe
from bindoctor.schedules import Schedule


class Measured(NamedTuple):
    """The plain log loss in nats a row and the score of some answers."""

    loss: float
    score: float


class Progress:
    """Counts the epochs of one training, whatever takes its steps."""

    def __init__(self, recipe: Recipe, prepared: Prepared, first_loss: float) -> None:
        """Start before the first epoch, with the loss before any step."""
        self._settings = recipe.train
        self._schedule = Schedule(recipe.optimizer, recipe.train.epochs)
        self._stops = prepared.valid is not None
        self._first_loss = first_loss
        self._epochs: list[Epoch] = []
        self._best_value, self._best_epoch = -math.inf, 0

    @property
    def rate(self) -> float:
        """Return the learning rate of the epoch to come."""
        return self._schedule.rate

    @property
    def restores(self) -> bool:
        """Tell whether the weights of the best epoch are the ones to keep."""
        return self._stops and self._settings.restore_best

    @property
    def ended(self) -> bool:
        """Tell whether there is no further epoch."""
        done = len(self._epochs)
        waited = self._stops and done > 0 and done - self._best_epoch >= self._settings.patience
        return done >= self._settings.epochs or waited

    @property
    def history(self) -> History:
        """Return the curve so far."""
        return History(tuple(self._epochs), self._first_loss, self._best_epoch or None)

    def end_epoch(self, train: Measured, watched: Measured | None, norm: float) -> bool:
        """End an epoch.

        Args:
            train: of the training rows as they came by.
            watched: of the rows that early stopping watches, or else of held-out rows, which decide nothing.
            norm: of the first batch's gradient.

        Returns:
            Whether it is the best epoch so far; without early stopping none is.

        Raises:
            TrainingFailed: a loss is no number.
        """
        number = len(self._epochs) + 1
        loss, score = (None, None) if watched is None else watched
        self._epochs.append(Epoch(number, train.loss, loss, train.score, score, self.rate, norm))
        deciding = watched if self._stops and watched is not None else train
        if not math.isfinite(train.loss + deciding.loss):
            raise TrainingFailed(
                f"the loss became {train.loss + deciding.loss} in epoch {number}",
                History(tuple(self._epochs), self._first_loss),
            )
        self._schedule.step(deciding.loss)
        value = -deciding.loss if self._settings.monitor == "loss" else deciding.score
        if not self._stops or not value > self._best_value:
            return False
        self._best_value, self._best_epoch = value, number
        return True


def epoch_orders(
    recipe: Recipe, prepared: Prepared, shuffle: torch.Generator, *, lone_row: bool = True
) -> Iterator[Tensor]:
    """Yield the positions of each epoch's rows, without end: shuffled passes over all rows, cut into epochs.

    Where rows were resampled, an epoch need not end with a pass; without, it is one. ``lone_row`` tells whether the
    network can be trained on a batch of one row.
    """
    rows = prepared.epoch_rows
    # Batch normalisation cannot train on a batch of one row, so a single row left over sits this epoch out.
    alone = not lone_row and rows % recipe.train.batch_size == 1
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < rows:
            waiting = torch.cat([waiting, torch.randperm(len(prepared.train.labels), generator=shuffle)])
        yield waiting[: rows - alone]
        waiting = waiting[rows:]


def measure(recipe: Recipe, logits: Tensor, labels: Tensor) -> Measured:
    """Return the loss of some rows, and the score that the recipe monitors."""
    loss = plain_log_loss(logits, labels)
    if recipe.train.monitor == "average-precision":
        return Measured(loss, scores.average_precision(labels.cpu().numpy(), probability_of(logits)))
    answered = logits[:, 0] >= 0 if logits.shape[1] == 1 else logits.argmax(dim=1)
    return Measured(loss, (answered == labels).float().mean().item())


def probability_of(logits: Tensor) -> npt.NDArray[np.float64]:
    """Return class probabilities, float64 of shape (n, classes)."""
    exact = logits.double().cpu()
    if logits.shape[1] == 1:
        positive = torch.sigmoid(exact[:, 0]).numpy()
        return np.column_stack([1 - positive, positive])
    return torch.softmax(exact, dim=1).numpy()
