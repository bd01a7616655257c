"""Collects the points of a log as they are read, and tells where a run starts again."""

import math
from array import array

from bindoctor.logs.names import meaning

NAN = math.nan
MAX_EARLY = 0.1
"""How far into what was logged a new run's first point may lie, as a share; beyond that a run was taken up again."""


class Track:
    """One metric of a log: four columns of a value a point, NaN where a position is not known."""

    __slots__ = ("epochs", "runs", "start", "steps", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self.steps = array("d")
        self.epochs = array("d")
        self.runs = array("q")
        self.start = 0

    def is_back(self, step: float, epoch: float) -> bool:
        """Tell whether a position lies before the last one; steps that count anew in each epoch do not."""
        last = self.epochs[-1]
        if epoch == epoch and last == last:
            return epoch < last or (epoch == last and step < self.steps[-1])
        return step < self.steps[-1]

    def is_early(self, step: float, epoch: float) -> bool:
        """Tell whether a position lies where the current run began."""
        by_epoch = epoch == epoch and self.epochs[-1] > self.epochs[self.start]
        column, here = (self.epochs, epoch) if by_epoch else (self.steps, step)
        first, last = column[self.start], column[-1]
        return not here > first + MAX_EARLY * (last - first)

    def drop_from(self, step: float, epoch: float) -> None:
        """Forget the current run's points from a position on."""
        while len(self.values) > self.start and self._reaches(step, epoch):
            for column in (self.values, self.steps, self.epochs, self.runs):
                column.pop()

    def _reaches(self, step: float, epoch: float) -> bool:
        last = self.epochs[-1]
        if epoch == epoch and last == last:
            return last > epoch or (last == epoch and not self.steps[-1] < step)
        return self.steps[-1] >= step


class Recorder:
    """Takes points in the order in which they were logged.

    Attributes:
        tracks: points by the name in the log.
        remarks: what the user should know about the reading.
        unnumbered: whether records have neither an epoch nor a step.
    """

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.remarks: list[str] = []
        self.unnumbered = False
        self._run = 0
        self._runs = 1

    @property
    def runs(self) -> int:
        """Return how many runs have been seen."""
        return self._runs

    def add(self, name: str, value: float, step: float = NAN, epoch: float = NAN) -> None:
        """Add a point; one that lies before the last of its metric begins another run, or takes up the last one."""
        track = self.tracks.get(name)
        if track is None:
            track = self.tracks[name] = Track()
        elif self._is_in_run(track) and track.is_back(step, epoch) and meaning(name).part != "test":
            self._go_back(track, step, epoch)
        if not self._is_in_run(track):
            track.start = len(track.values)
        track.values.append(value)
        track.steps.append(step)
        track.epochs.append(epoch)
        track.runs.append(self._run)

    def new_run(self) -> None:
        """Say that what follows is another run's, unless nothing was logged before it."""
        if any(self._is_in_run(track) for track in self.tracks.values()):
            self._run += 1
            self._runs = max(self._runs, self._run + 1)

    def same_runs_again(self) -> None:
        """Say that what follows was logged beside what has been read, from the first run on."""
        self._run = 0

    def _is_in_run(self, track: Track) -> bool:
        return len(track.runs) > 0 and track.runs[-1] == self._run

    def _go_back(self, track: Track, step: float, epoch: float) -> None:
        if track.is_early(step, epoch):
            self.new_run()
            return
        for other in self.tracks.values():
            if self._is_in_run(other):
                other.drop_from(step, epoch)
        where = f"epoch {epoch:g}" if epoch == epoch else f"step {step:g}"
        self.remarks.append(f"the run was taken up again at {where}: what had been logged from there on is left out")
