"""How long a treatment may take, and what of that the end of it needs."""

import time
from dataclasses import dataclass, field


class OutOfTime(Exception):  # noqa: N818
    """What is left of the budget is needed for the confirmation."""


@dataclass
class Budget:
    """A span of time that started when the command did.

    Attributes:
        seconds: how long it is; None for as long as it takes.
        started: when it began, in seconds of ``time.monotonic``.
        reserved: seconds that the confirmation, and what is written after it, are expected to need.
    """

    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)
    reserved: float = 0.0

    @property
    def spent(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def require(self) -> None:
        """Make sure that there is time for one more trial.

        Raises:
            OutOfTime: there is none.
        """
        if self.seconds is not None and self.spent > self.seconds - self.reserved:
            raise OutOfTime


@dataclass(frozen=True)
class Ending:
    """What comes after the trials, in units of a trial's training.

    Attributes:
        budget: where time is put aside for it.
        trainings: how many trainings of a trial it is expected to cost.
    """

    budget: Budget
    trainings: float

    def reserve(self, seconds_per_training: float) -> None:
        """Put the time aside, now that it is known how long a training takes."""
        self.budget.reserved = self.trainings * seconds_per_training
