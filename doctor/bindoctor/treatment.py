"""What a treatment found out: corrections, trials, the confirmation, and the recipe it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bindoctor.evidence import Evidence
from bindoctor.recipe import Recipe

TrialStatus = Literal["improved", "no-difference", "worse", "dropped-early", "error", "out-of-time"]
TreatmentStatus = Literal["verified", "corrected", "not-confirmed", "cannot-verify", "nothing-to-do"]


@dataclass(frozen=True)
class Correction:
    """A fix that makes the score honest; kept whatever it does to the score."""

    code: str
    title: str
    edits: Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One fix against the setup without it, on the same folds and seeds.

    ``gain`` is the mean gain in ``score`` (positive is better), ``t`` its corrected resampled t, ``repeats`` how
    many of the repeats were run; ``kept`` whether the fix became part of the bundle; ``why`` explains the status.
    """

    code: str
    title: str
    edits: Mapping[str, Any]
    placebo: bool
    status: TrialStatus
    score: str
    gain: float | None
    t: float | None
    repeats: int
    kept: bool = False
    why: str = ""


@dataclass(frozen=True)
class Gain:
    """The bundle's gain over the honest baseline.

    ``raw`` is its mean over all folds, ``shrunken`` what of it is expected to replicate after selection, ``low`` and
    ``high`` the 95 % interval of the latter. Of a bundle found on a sample both are the gain on the locked rows.
    """

    raw: float
    shrunken: float
    low: float
    high: float


@dataclass(frozen=True)
class Treatment:
    """The whole course from the setup as found to the setup that is left.

    Attributes:
        status: what can be claimed.
        why: one sentence for the status.
        corrections: fixes kept because they make the score honest.
        score: the score that the claim is made in.
        before: scores of the honest baseline on the locked rows; cross-validated ones of the setup as found when there
            was nothing to confirm.
        after: scores of the bundle on the same rows, whether it is confirmed or not, and empty when its training failed
            there; cross-validated scores of the honest baseline when there is no bundle.
        class_shares: scores of always answering the class shares, on the rows of ``before``.
        as_found: cross-validated scores of the setup as found, empty when it could not be trained.
        honest: cross-validated scores of the setup after the corrections.
        gain: the bundle's gain, whether it is confirmed or not; None when no bundle was made.
        trials: every trial in order, placebos included.
        original: the recipe as found.
        recipe: the recipe that is left.
        notes: what the reader must know besides: collapsed baselines, corrections that failed, candidates left out.
        locked_rows: how many rows were locked away for the confirmation.
        baseline: the evidence on the honest baseline, with its first repeat's run.
        final: the evidence on the setup that is left, with its first repeat's run.
    """

    status: TreatmentStatus
    why: str
    corrections: tuple[Correction, ...]
    score: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    class_shares: Mapping[str, float]
    as_found: Mapping[str, float]
    honest: Mapping[str, float]
    gain: Gain | None
    trials: tuple[Trial, ...]
    original: Recipe
    recipe: Recipe
    notes: tuple[str, ...]
    locked_rows: int
    baseline: Evidence
    final: Evidence

    @property
    def edits(self) -> Mapping[str, Any]:
        """Return the settings in which the recipe that is left differs from the one found."""
        return {change.path: change.after for change in self.original.changes(self.recipe)}
