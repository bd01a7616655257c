"""What is classified, as far as it is known: the scale on which losses and scores of a run are read."""

import math

import msgspec

from bindoctor.profile import Profile


class Task(msgspec.Struct, frozen=True):
    """A classification task without its rows.

    Attributes:
        shares: the share of each class among the labelled rows, summing to 1; empty while unknown.
        train_rows: how many rows are trained on; None while unknown.
        valid_rows: how many rows the validation scores are of; None while unknown.
    """

    shares: tuple[float, ...] = ()
    train_rows: int | None = None
    valid_rows: int | None = None

    @classmethod
    def of(cls, profile: Profile) -> "Task":
        """Return the task that a data set poses."""
        return cls(tuple(count / profile.labelled for count in profile.class_counts) if profile.labelled else ())

    @property
    def prior_entropy(self) -> float:
        """Return the log loss in nats of always answering the class shares; NaN while they are unknown."""
        return -sum(share * math.log(share) for share in self.shares if share) if self.shares else math.nan

    @property
    def rarest(self) -> float:
        """Return the share of the rarest class that occurs; NaN while the shares are unknown."""
        return min((share for share in self.shares if share), default=math.nan)
