"""What a user has accepted beforehand, and what a check can say about itself once the other rules have run."""

import msgspec

from bindoctor.findings import Finding, Severity, Where


class Ignore(msgspec.Struct, frozen=True):
    """Findings that the user has accepted: those of a rule, by code or slug, everywhere or in one place.

    A place without a name stands for every place of its kind.
    """

    rule: str
    reason: str
    where: Where | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether this accepts a finding that a rule has said."""
        if self.rule not in (finding.code, finding.slug):
            return False
        there = finding.where
        return self.where is None or (self.where.kind == there.kind and self.where.name in ("", there.name))


class Known(msgspec.Struct, frozen=True):
    """A finding that was there when a baseline was recorded."""

    code: str
    where: Where
    severity: Severity
    message: str


class Skipped(msgspec.Struct, frozen=True):
    """A rule that could not run, and why: the evidence that was not there, and what would bring it."""

    code: str
    why: str


class Audit(msgspec.Struct, frozen=True):
    """What is left to say when all other rules have run.

    Attributes:
        unused: ignores of rules that ran and said nothing of the kind.
        stale: entries of the baseline whose rule ran and no longer says it.
        skipped: rules that could not run.
        baseline: the baseline's path, or "".
    """

    unused: tuple[Ignore, ...] = ()
    stale: tuple[Known, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    baseline: str = ""
