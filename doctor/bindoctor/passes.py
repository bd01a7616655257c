"""The passes of a training loop, sorted into training and validation, and the history that they make."""

import math
from array import array
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bindoctor.expectations import Expectation
from bindoctor.history import Epoch, History, Series
from bindoctor.predictions import Predictions

MAX_WAITING = 512
MAX_KEPT_ROWS = 50_000
MAX_POINTS = 5_000
MAX_CLASSES = 100
MOST_OF_A_LOADER = 0.7


class Pass:
    """One forward pass, with what is known of it so far."""

    __slots__ = ("labels", "loss", "mixed", "outputs", "rows", "step", "trained", "training", "without_gradient")

    def __init__(self, training: bool, mixed: bool, step: int, outputs: Tensor | None) -> None:
        self.training, self.mixed, self.step, self.outputs = training, mixed, step, outputs
        self.loss: Tensor | None = None
        self.labels: Tensor | None = None
        self.rows = 0
        self.trained = self.without_gradient = False


class Judged(NamedTuple):
    """One validation pass: its loss summed over its rows, and how many of those that could be judged were right."""

    loss: float
    rows: int
    right: int
    judged: int
    mixed: bool


class Phase:
    """The validation passes between two training passes, and the newest of their answers."""

    def __init__(self) -> None:
        self.passes: list[Judged] = []
        self.answers: deque[tuple[Tensor, Tensor]] = deque()
        self.kept = 0

    def keep(self, outputs: Tensor, labels: Tensor, rows: int) -> None:
        """Keep answers beside their labels, the newest 50 000 rows or so."""
        self.answers.append((outputs, labels))
        self.kept += rows
        while self.kept > MAX_KEPT_ROWS and len(self.answers) > 1:
            self.kept -= len(self.answers.popleft()[0])

    def last(self, count: int | None) -> "Phase":
        """Return the last passes alone, where there are more: many loops go through the training rows before."""
        if count is None or len(self.passes) <= count:
            return self
        phase = Phase()
        phase.passes = self.passes[-count:]
        phase.answers = deque(list(self.answers)[-count:])
        return phase

    @property
    def rows(self) -> int:
        """Return how many rows have a loss."""
        return sum(one.rows for one in self.passes)


class Passes:
    """Sorts passes as they come: one that a backward pass followed was training, the others validation.

    Epochs are what the loop goes through: so many training passes as its loader has batches, or, where that is not
    known, what lies between two phases of validation. Of a phase with more passes than the validation loader has
    batches the last ones count.
    """

    def __init__(self, batches: int | None, valid_batches: int | None = None) -> None:
        self.batches, self.valid_batches = batches or None, valid_batches or None
        self.expects: Expectation | None = None
        self.first_not_finite: int | None = None
        self.logged: dict[int, dict[str, float]] = {}
        self._waiting: list[Pass] = []
        self._losses = array("d")
        self._loss_steps = array("q")
        self._epochs: list[dict[str, Any]] = []
        self._phase: Phase | None = None
        self._last_phase: Phase | None = None
        self._trained = 0
        self._rate = math.nan
        self.phases = self.phases_in_training_mode = 0

    def add(self, one: Pass) -> None:
        """Take note of a pass; what it was for shows later."""
        self._waiting.append(one)
        if len(self._waiting) > MAX_WAITING:
            self.settle()

    def stepped(self, rate: float) -> None:
        """Take note of an optimizer step: every pass before it is decided."""
        self._rate = rate
        if len(self._waiting) >= 32 or (self._waiting and self._waiting[0].without_gradient):
            self.settle()

    def settle(self, *, at_end: bool = False) -> None:
        """Decide what the passes so far were for."""
        waiting, self._waiting = self._waiting, []
        # The newest may still be followed by its backward pass.
        if not at_end and waiting and not waiting[-1].trained and not waiting[-1].without_gradient:
            self._waiting = [waiting.pop()]
        losses = _numbers([one.loss for one in waiting])
        for one, loss in zip(waiting, losses, strict=True):
            if one.trained:
                self._train(one, loss)
            elif self._trained or self.logged or not at_end:
                self._validate(one, loss)
        if at_end:
            self._end_phase()

    def log(self, values: Mapping[str, float]) -> None:
        """Take values that the user hands over for the epoch that is running or has just ended."""
        self.settle()
        self.logged.setdefault(max(0, len(self._epochs) - 1), {}).update(values)

    def _train(self, one: Pass, loss: float) -> None:
        self._end_phase()
        if not self._epochs or self._is_over(self._epochs[-1]):
            self._epochs.append({"sum": 0.0, "count": 0, "passes": 0})
        self._trained += 1
        epoch = self._epochs[-1]
        epoch["passes"] += 1
        epoch["rate"] = self._rate
        if math.isnan(loss) and one.loss is None:
            return
        divisor = one.rows if self.expects is not None and self.expects.summed and one.rows else 1
        epoch["sum"] += loss / divisor
        epoch["count"] += 1
        self._losses.append(loss / divisor)
        self._loss_steps.append(one.step)
        if not math.isfinite(loss) and self.first_not_finite is None:
            self.first_not_finite = one.step

    def _is_over(self, epoch: dict[str, Any]) -> bool:
        """Tell whether a loader has been gone through; one that was validated after most of it was a shorter one."""
        if self.batches is None:
            return "ended" in epoch
        passes = epoch["passes"]
        return bool(passes >= self.batches or ("ended" in epoch and passes >= MOST_OF_A_LOADER * self.batches))

    def _validate(self, one: Pass, loss: float) -> None:
        if self._phase is None:
            self._phase = Phase()
        phase = self._phase
        rows = one.rows or (len(one.outputs) if one.outputs is not None else 0)
        total, judged, right = 0.0, 0, None
        if one.loss is not None:
            total = loss if self.expects is not None and self.expects.summed else loss * rows
        if one.outputs is not None and one.labels is not None:
            phase.keep(one.outputs, one.labels, rows)
            right = self._right(one.outputs, one.labels)
            judged = 0 if right is None else rows
        phase.passes.append(Judged(total, rows if one.loss is not None else 0, right or 0, judged, one.mixed))

    def _right(self, outputs: Tensor, labels: Tensor) -> int | None:
        takes = self.expects.takes if self.expects is not None else "unknown"
        if (
            takes in ("class-logits", "class-log-probabilities")
            and outputs.ndim == 2
            and labels.numel() == len(outputs)
        ):
            return int((outputs.argmax(1) == labels.reshape(-1)).sum())
        if takes in ("logits", "probabilities") and labels.numel() == outputs.numel() == len(outputs):
            answered = outputs.reshape(-1) > (0.0 if takes == "logits" else 0.5)
            return int((answered == (labels.reshape(-1) > 0.5)).sum())
        return None

    def _end_phase(self) -> None:
        phase, self._phase = self._phase, None
        if phase is None:
            return
        phase = phase.last(self.valid_batches)
        self.phases += 1
        self.phases_in_training_mode += 2 * sum(one.mixed for one in phase.passes) > len(phase.passes)
        self._last_phase = phase
        if not self._epochs:
            return
        epoch = self._epochs[-1]
        epoch["ended"] = True
        if phase.rows:
            epoch["valid"] = sum(one.loss for one in phase.passes) / phase.rows
        judged = sum(one.judged for one in phase.passes)
        if judged:
            epoch["score"] = sum(one.right for one in phase.passes) / judged

    @property
    def has_losses(self) -> bool:
        """Tell whether any training pass came with its loss."""
        return bool(self._losses) or any(one.loss is not None for one in self._waiting)

    @property
    def valid_rows(self) -> int | None:
        """Return how many rows the last validation was of; None before one."""
        return self._last_phase.rows or None if self._last_phase is not None else None

    def history(self, first_loss: float, gradients: tuple[tuple[int, ...], tuple[float, ...]]) -> History:
        """Return the run so far, epoch by epoch, and step by step as series."""
        epochs = []
        for index, epoch in enumerate(self._epochs):
            own = self.logged.get(index, {})
            mean = epoch["sum"] / epoch["count"] if epoch["count"] else None
            rate = epoch.get("rate", math.nan)
            epochs.append(
                Epoch(
                    index + 1,
                    own.get("train_loss", mean),
                    own.get("valid_loss", epoch.get("valid")),
                    own.get("train_score"),
                    own.get("valid_score", epoch.get("score")),
                    None if math.isnan(rate) else rate,
                )
            )
        series = []
        if len(self._losses):
            steps, values = _thinned(np.frombuffer(self._loss_steps, np.int64), np.frombuffer(self._losses, np.float64))
            series.append(Series("train", "loss", tuple(values.tolist()), tuple(steps.tolist())))
        if gradients[0]:
            series.append(Series("", "gradient-norm", gradients[1], gradients[0]))
        nats = self.expects.nats if self.expects is not None else None
        return History(
            tuple(epochs),
            first_loss if math.isfinite(first_loss) else None,
            series=tuple(series),
            source="bindoctor.watch",
            entropy_scale=nats,
        )

    def predictions(self) -> Predictions | None:
        """Return the answers of the last validation, where its loss tells what they are; at most 50 000 rows."""
        phase, expects = self._last_phase, self.expects
        if phase is None or not phase.answers or expects is None or expects.takes == "unknown":
            return None
        try:
            outputs = torch.cat([one.float().cpu() for one, _ in phase.answers])[:MAX_KEPT_ROWS]
            labels = torch.cat([one.reshape(len(one), -1).cpu() for _, one in phase.answers])[:MAX_KEPT_ROWS]
        except RuntimeError:
            return None
        probability = _probabilities(outputs, expects.takes)
        if labels.shape[1] != 1 or probability is None or len(probability) != len(labels):
            return None
        truth = labels[:, 0].double().numpy()
        whole = np.isfinite(truth).all() and (truth == np.round(truth)).all()
        if not whole or truth.min(initial=0) < 0 or truth.max(initial=0) >= probability.shape[1]:
            return None
        rows = np.arange(len(truth), dtype=np.int64)
        names = tuple(str(index) for index in range(probability.shape[1]))
        return Predictions(names, truth.astype(np.int64), probability, rows, np.zeros_like(rows))


def _numbers(losses: list[Tensor | None]) -> list[float]:
    """Return losses as numbers, fetched from a GPU together; NaN where there is none."""
    known = [one for one in losses if one is not None]
    if known and all(one.ndim == 0 and one.device.type == "cpu" for one in known):
        return [math.nan if one is None else float(one) for one in losses]
    means = iter(torch.stack([one.float().mean() for one in known]).tolist() if known else [])
    return [math.nan if one is None else next(means) for one in losses]


def _thinned(
    steps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return at most 5 000 points: means of as many steps in a row; one that is not finite stays so."""
    size = math.ceil(len(values) / MAX_POINTS)
    if size <= 1:
        return steps, values
    starts = np.arange(0, len(values), size)
    counts = np.diff(np.append(starts, len(values)))
    return steps[starts], np.add.reduceat(values, starts) / counts


def _probabilities(outputs: Tensor, takes: str) -> npt.NDArray[np.float64] | None:
    wide = outputs.double()
    if takes in ("class-logits", "class-log-probabilities"):
        if wide.ndim != 2 or not 2 <= wide.shape[1] <= MAX_CLASSES:
            return None
        chances = wide.softmax(1)
    else:
        if wide.numel() != len(wide):
            return None
        flat = wide.reshape(-1)
        positive = flat.sigmoid() if takes == "logits" else flat.clamp(0, 1)
        chances = torch.stack([1 - positive, positive], 1)
    found: npt.NDArray[np.float64] = chances.numpy()
    return found if np.isfinite(found).all() else None
