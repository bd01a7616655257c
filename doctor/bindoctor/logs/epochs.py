"""Puts points that were logged on grids of their own into epochs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bindoctor.history import Epoch
from bindoctor.logs.names import Part

Floats = npt.NDArray[np.float64]
MAX_EPOCHS = 1000
"""Points without validation and without epochs are put together beyond so many."""

NEAR = 0.1
"""How far from a whole number of epochs an evaluation at an epoch's end may lie: the last batches may be left out."""

SPARSE = 4
"""Validations are the ends of epochs where there is at least one in so many epochs."""


class Points(msgspec.Struct, frozen=True, eq=False):
    """One metric of a run: values, steps and epochs, float64 of shape (points,) each, NaN where not known."""

    values: Floats
    steps: Floats
    epochs: Floats

    def only(self, where: npt.NDArray[Any]) -> "Points":
        """Return the points at these positions."""
        return Points(self.values[where], self.steps[where], self.epochs[where])


class Course(msgspec.Struct, frozen=True):
    """A run, epoch by epoch."""

    epochs: tuple[Epoch, ...]
    first_loss: float | None
    best_epoch: int | None
    remarks: tuple[str, ...]


Main = Mapping[tuple[Part, str], Points]


def epochs_of(main: Main, score: str, clock: Floats, best_step: float) -> Course:
    """Put a run's points into epochs: training values are means over an epoch, others are its last ones.

    Epochs are those that were logged. Where epochs are logged as fractions, or only steps are, an epoch ends with each
    validation, and without any where a whole epoch ends, or with each point.

    Args:
        main: points by part and metric.
        score: the metric that serves as score, "" for none.
        clock: which step belongs to which epoch, shape (n, 2), ascending.
        best_step: the step whose weights were kept, or NaN.
    """
    remarks: list[str] = []
    main = {key: timed(points, clock) for key, points in main.items()}
    valid: Part = "valid"
    if not any((valid, metric) in main for metric in ("loss", score)):
        served = main.get(("test", "loss"), main.get(("test", score)))
        if served is not None and len(served.values) > 1:
            valid = "test"
            remarks.append("the rows that are called test serve as validation here: there are no others")
    curves = {
        "train_loss": main.get(("train", "loss")),
        "valid_loss": main.get((valid, "loss")),
        "train_score": main.get(("train", score)),
        "valid_score": main.get((valid, score)),
        "learning_rate": main.get(("", "learning-rate")),
        "gradient_norm": main.get(("", "gradient-norm")),
    }
    found = {name: points for name, points in curves.items() if points is not None}
    lead = [found[name] for name in ("train_loss", "valid_loss", "train_score", "valid_score") if name in found]
    if not lead:
        return Course((), None, None, tuple(remarks))
    by_epoch = all(np.isfinite(points.epochs).all() for points in lead)
    by_step = all(np.isfinite(points.steps).all() for points in lead)
    if by_epoch and not by_step and _stands_still(lead):
        remarks.append(f"every record is of epoch {lead[0].epochs[0]:g}: each counts as one")
        by_epoch = False
    if not by_epoch and not by_step:
        longest = max(len(points.values) for points in lead)
        found = {name: _numbered(points, longest) for name, points in found.items()}
        by_epoch = True
    first_loss = _take_first(found, remarks)
    grid = _grid(found, by_epoch, remarks)
    found = {name: points for name, points in found.items() if np.isfinite(grid.place(points)).all()}
    places = {name: np.searchsorted(grid.ends, grid.place(points)) for name, points in found.items()}
    rows: list[dict[str, Any]] = [{"epoch": number} for number in grid.numbers]
    for name, points in found.items():
        averaged = name in ("train_loss", "train_score", "gradient_norm")
        for at, value in _summed(points.values, places[name], len(rows), averaged=averaged):
            rows[at][name] = value
    return Course(tuple(Epoch(**row) for row in rows), first_loss, _best(grid, found, best_step), tuple(remarks))


def _stands_still(lead: Sequence[Points]) -> bool:
    """Tell whether the epoch never changes though training and validation were logged again and again."""
    counts = {len(points.values) for points in lead}
    return (
        len(lead) > 1 and len(counts) == 1 and min(counts) > 1 and len({*np.concatenate([p.epochs for p in lead])}) == 1
    )


class Grid(msgspec.Struct, frozen=True):
    """Where epochs end, in epochs or in steps, and their numbers."""

    ends: Floats
    numbers: tuple[int, ...]
    by_epoch: bool

    def place(self, points: Points) -> Floats:
        """Return where points lie on the grid's scale."""
        return points.epochs if self.by_epoch else points.steps


def timed(points: Points, clock: Floats) -> Points:
    """Add epochs to points that have steps only, where other points of the log tell."""
    missing = ~np.isfinite(points.epochs)
    if not missing.any() or not len(clock) or not np.isfinite(points.steps[missing]).all():
        return points
    epochs = points.epochs.copy()
    if (clock[:, 1] % 1 == 0).all():
        after = np.searchsorted(clock[:, 0], points.steps[missing]).clip(max=len(clock) - 1)
        epochs[missing] = clock[after, 1]
    else:
        epochs[missing] = np.interp(points.steps[missing], clock[:, 0], clock[:, 1])
    return Points(points.values, points.steps, epochs)


def _numbered(points: Points, longest: int) -> Points:
    """Place points by their numbers, those of a curve with a whole part of the longest one's points evenly."""
    count = len(points.values)
    places = np.arange(1, count + 1, dtype=np.float64)
    if count and longest % count == 0:
        places *= longest // count
    return Points(points.values, places - 1, places - 1)


def _take_first(found: dict[str, Points], remarks: list[str]) -> float | None:
    """Take a validation before the first step out, and return its loss."""
    train, valid = found.get("train_loss"), found.get("valid_loss")
    if train is None or valid is None or len(valid.values) < 2:
        return None
    if not (valid.steps[0] == 0 < valid.steps[1] and train.steps[0] > 0):
        return None
    if valid.epochs[1] > valid.epochs[0] and not train.epochs[0] > valid.epochs[0]:
        return None
    remarks.append("the validation before the first step is the loss at the start, not an epoch's")
    loss = float(valid.values[0])
    for name in ("valid_loss", "valid_score"):
        points = found.get(name)
        if points is not None and points.steps[0] == 0 and len(points.values) > 1:
            found[name] = points.only(np.arange(1, len(points.values)))
    return loss


def _grid(found: Mapping[str, Points], by_epoch: bool, remarks: list[str]) -> Grid:
    lead = [found[name] for name in ("train_loss", "valid_loss", "train_score", "valid_score") if name in found]
    train = found.get("train_loss", found.get("train_score"))
    valid = found.get("valid_loss", found.get("valid_score"))

    def place(points: Points) -> Floats:
        return points.epochs if by_epoch else points.steps

    every = np.unique(np.concatenate([place(points) for points in lead]))
    if by_epoch and (every % 1 == 0).all() and (len(every) > 1 or valid is None or len(valid.values) == 1):
        every = _without_tests(every, train, valid, remarks)
        return Grid(every, tuple(int(number) for number in every), by_epoch)
    if by_epoch and (every % 1 == 0).all() and all(np.isfinite(points.steps).all() for points in lead):
        return _grid(found, False, remarks)
    if valid is None or train is None:
        return _by_whole_epochs(every) if by_epoch else _by_points(every, remarks)
    ends = np.unique(place(valid))
    if by_epoch:
        whole = np.ceil(every[-1] - NEAR)
        if len(ends) * SPARSE < whole:
            return _by_whole_epochs(every)
    elif len(ends) * SPARSE < len(np.unique(place(train))) and len(ends) == 1:
        return _by_points(np.unique(np.concatenate((place(train), ends))), remarks)
    if every[-1] > ends[-1]:
        ends = np.append(ends, every[-1])
    numbers = np.round(ends)
    near = by_epoch and (np.abs(ends - numbers) <= NEAR).all() and (np.diff(numbers) > 0).all() and numbers[0] > 0
    if near or (not by_epoch and (np.diff(ends) == 1).all() and ends[0] in (0, 1)):
        return Grid(ends, tuple(int(number) for number in numbers), by_epoch)
    remarks.append(
        f"validated {len(ends)} times, between {'epochs' if by_epoch else 'steps'} {ends[0]:g} and {ends[-1]:g}: "
        "each counts as the end of an epoch"
    )
    return Grid(ends, tuple(range(1, len(ends) + 1)), by_epoch)


def _by_whole_epochs(every: Floats) -> Grid:
    ends = np.unique(np.maximum(np.ceil(every - 0.01), 1))
    return Grid(ends + 0.01, tuple(int(end) for end in ends), True)


def _by_points(every: Floats, remarks: list[str]) -> Grid:
    if (np.diff(every) == 1).all() and every[0] in (0, 1) and len(every) <= MAX_EPOCHS:
        return Grid(every, tuple(int(number) for number in every), False)
    size = math.ceil(len(every) / MAX_EPOCHS)
    ends = np.append(every[size - 1 : -1 : size], every[-1])
    what = "each point" if size == 1 else f"{size} points"
    remarks.append(
        f"epochs are not logged; {what} from step {every[0]:g} to {every[-1]:g} count{'s' if size == 1 else ''} as one"
    )
    return Grid(ends, tuple(range(1, len(ends) + 1)), False)


def _without_tests(every: Floats, train: Points | None, valid: Points | None, remarks: list[str]) -> Floats:
    """Leave out a last epoch that only repeats the validation, without a step of training since."""
    if train is None or valid is None or not len(train.values):
        return every
    last = train.epochs.max()
    late = every[every > last]
    if len(late) != 1 or len(valid.values) < 2:
        return every
    after = valid.epochs > last
    before = np.concatenate((train.steps, valid.steps[~after]))
    if not np.isfinite(before).all() or (valid.steps[after] > before.max() + 1).any():
        return every
    remarks.append(f"the validation after the last step (epoch {late[0]:g}) is a check of the end, not an epoch's")
    return np.asarray(every[every <= last])


def _summed(values: Floats, places: npt.NDArray[np.int64], rows: int, *, averaged: bool) -> list[tuple[int, float]]:
    """Return each row's mean or last value, by row; what lies beyond the rows is left out."""
    inside = places < rows
    values, places = values[inside], places[inside]
    if not len(values):
        return []
    if averaged:
        counts = np.bincount(places, minlength=rows)
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.bincount(places, values, minlength=rows)
        at = np.flatnonzero(counts)
        return [(int(row), float(sums[row] / counts[row])) for row in at]
    last = {int(row): float(value) for row, value in zip(places, values, strict=True)}
    return list(last.items())


def _best(grid: Grid, found: Mapping[str, Points], best_step: float) -> int | None:
    """Return the epoch that ends with a step."""
    if not math.isfinite(best_step):
        return None
    for name in ("valid_loss", "valid_score", "train_loss"):
        points = found.get(name)
        if points is None:
            continue
        at = np.flatnonzero(points.steps == best_step)
        if len(at):
            place = int(np.searchsorted(grid.ends, grid.place(points)[at[0]]))
            return grid.numbers[place] if place < len(grid.numbers) else None
    return None
