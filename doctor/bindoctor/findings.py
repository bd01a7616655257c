"""What a rule says: findings, the fixes they offer, and how loud and how sure they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

MAX_LISTED_ROWS = 100


class Severity(StrEnum):
    """How much a finding matters: the score cannot be trusted, is probably too low, or a remark."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Return 2 for an error, 1 for a warning, 0 for a note."""
        return {"error": 2, "warning": 1, "note": 0}[self.value]


class Confidence(StrEnum):
    """How sure the rule is that what it describes is really there."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Aim(StrEnum):
    """What a fix is for, which decides when it is kept.

    ``CORRECT`` makes the score honest and is kept whatever it does to the score; ``IMPROVE`` is kept only when its
    trial shows a better model; ``ADVISE`` is shown and never applied.
    """

    CORRECT = "correct"
    IMPROVE = "improve"
    ADVISE = "advise"


Kind = Literal["column", "target", "row", "split", "recipe", "run", "model"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Where(msgspec.Struct, frozen=True):
    """The place a finding is about."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


class RowList(msgspec.Struct, frozen=True, eq=False):
    """The rows a finding is about: 0-based numbers of data rows in the file, ascending, int64 of shape (count,)."""

    numbers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[int] | npt.NDArray[np.int64]) -> "RowList":
        """Keep all of ``rows``, ascending."""
        every = rows if isinstance(rows, np.ndarray) else np.fromiter(rows, dtype=np.int64)
        return cls(np.sort(every.astype(np.int64)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowList) and np.array_equal(self.numbers, other.numbers)

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.numbers)

    @property
    def first(self) -> tuple[int, ...]:
        """Return the first ``MAX_LISTED_ROWS`` of them: those that a report lists."""
        return tuple(self.numbers[:MAX_LISTED_ROWS].tolist())


class Fix(msgspec.Struct, frozen=True):
    """One remedy: a set of edits to the recipe, keyed by dotted path (``features.scale``).

    An ``ADVISE`` fix may have no edits. Table-valued settings take a path one level deeper, and a tuple-valued setting
    edited under a path that ends in ``+`` is extended instead of replaced (``data.drop+``).
    """

    title: str
    edits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    aim: Aim = Aim.IMPROVE


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the numbers that prove it and the fixes that may mend it, best first.

    A rule fills in the message, the place and the evidence; ``examine`` stamps the code, the slug and, unless the rule
    chose one for this finding, the severity.

    Attributes:
        columns: the columns that the finding is about, where they are several; the place is then what they share.
        explains: codes of the rules whose findings follow from this one and are therefore not reported; stamped.
    """

    message: str
    where: Where
    measured: Mapping[str, Any] = field(default_factory=dict)
    fixes: tuple[Fix, ...] = ()
    confidence: Confidence = Confidence.HIGH
    severity: Severity | None = None
    rows: RowList | None = None
    code: str = ""
    slug: str = ""
    columns: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()


PERMITS: Mapping[str, tuple[str, ...]] = {"estimator": ("model.kind",)}
"""What must be allowed before a fix that edits one of these settings is tried."""


def permitted(findings: Iterable[Finding], allowed: Iterable[str]) -> tuple[Finding, ...]:
    """Return findings without the fixes whose permission, a key of ``PERMITS``, is not among the allowed."""
    withheld = {path for name in PERMITS.keys() - set(allowed) for path in PERMITS[name]}
    return tuple(
        replace(finding, fixes=tuple(fix for fix in finding.fixes if not withheld & fix.edits.keys()))
        for finding in findings
    )
