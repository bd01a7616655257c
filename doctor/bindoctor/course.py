"""One pass over the slots: diagnose the setup so far, race the slot's fixes, keep at most one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bindoctor.compare import compare_parts
from bindoctor.decide import cross_decided
from bindoctor.evidence import Evidence
from bindoctor.findings import Finding
from bindoctor.laboratory import Attempt, Laboratory
from bindoctor.race import SLOTS, Raced, candidates_of, race, run_placebos
from bindoctor.recipe import Recipe
from bindoctor.scan import scan
from bindoctor.treatment import Trial

Diagnose = Callable[[Evidence], Sequence[Finding]]


@dataclass(frozen=True)
class Event:
    """Where a treatment is: the stage, trainings done so far, and how many of the stage's candidates are in the
    race."""

    stage: str
    fitted: int
    alive: int


class Tracker:
    """Counts trainings and tells the caller where the treatment is."""

    def __init__(self, progress: Callable[[Event], None]) -> None:
        self.stage = "baseline"
        self.alive = 0
        self._fitted = 0
        self._progress = progress

    def fitted(self) -> None:
        """Note one more training."""
        self._fitted += 1
        self._progress(Event(self.stage, self._fitted, self.alive))

    def set_alive(self, count: int) -> None:
        """Note how many candidates are still in the race."""
        self.alive = count


class Course:
    """The trials made so far, each setup's evidence and its placebos."""

    def __init__(
        self, laboratory: Laboratory, diagnose: Diagnose, evidence: Evidence, primary: str, tracker: Tracker
    ) -> None:
        self.trials: list[Trial] = []
        self.notes: list[str] = []
        self._laboratory = laboratory
        self._diagnose = diagnose
        self._evidence = evidence
        self._primary = primary
        self._tracker = tracker
        self._placebos: dict[tuple[str, str], tuple[Trial, ...]] = {}

    def evidence_of(self, attempt: Attempt) -> Evidence:
        """Return what is known about a setup: the scan of the rows it selects, and its first repeat's run."""
        recipe = attempt.recipe
        known = self._evidence
        dataset = known.dataset
        if known.recipe != recipe and dataset is not None:
            same_rows = known.recipe is not None and known.recipe.data == recipe.data
            if same_rows and known.profile:
                known = known.after(recipe, known.profile, known.parts)
            else:
                profile = scan(dataset, recipe)
                known = known.after(recipe, profile, compare_parts(dataset, recipe, profile))
        run = attempt.runs[0]
        return replace(known, history=run.history, predictions=cross_decided(run.predictions, recipe.decide))

    def placebos(self, attempt: Attempt, score: str) -> tuple[Trial, ...]:
        """Return the trials of doing nothing to a setup, run once for each setup and score."""
        key = (attempt.recipe.digest(), score)
        if key not in self._placebos:
            stage, self._tracker.stage = self._tracker.stage, "placebos"
            self._placebos[key] = run_placebos(self._laboratory, attempt, score)
            self._tracker.stage = stage
            self.trials += self._placebos[key]
        return self._placebos[key]

    def run(self, baseline: Attempt) -> tuple[Attempt, tuple[Trial, ...]]:
        """Try every slot once; return the setup with the kept fixes, and their trials."""
        current, kept = baseline, []
        for slot, _ in SLOTS:
            self._tracker.stage = slot
            score = self._judged_by(slot, current.recipe)
            candidates, left_out = candidates_of(slot, self._diagnose(self.evidence_of(current)), current.recipe)
            if left_out:
                self.notes.append(f"{left_out} more fixes were offered for {slot} and not tried.")
            raced = race(self._laboratory, current, candidates, score, alive=self._tracker.set_alive)
            self._tracker.set_alive(0)
            winner = self._winner(raced, current, score)
            for one in raced:
                self.trials.append(self._concluded(one, current, score, won=one is winner))
            if winner is not None and winner.attempt is not None:
                current = winner.attempt
                kept.append(self.trials[len(self.trials) - len(raced) + raced.index(winner)])
        return current, tuple(kept)

    def _judged_by(self, slot: str, recipe: Recipe) -> str:
        """Judge calibration by log loss and a threshold by the score it is tuned for: no other score sees them."""
        if slot == "calibration":
            return "log-loss"
        return recipe.decide.tune_for if slot == "threshold" else self._primary

    def _winner(self, raced: Sequence[Raced], current: Attempt, score: str) -> Raced | None:
        improved = [one for one in raced if self._concluded(one, current, score).status == "improved"]
        return max(improved, key=lambda one: one.trial.gain or 0.0, default=None)

    def _concluded(self, one: Raced, current: Attempt, score: str, *, won: bool = False) -> Trial:
        """Hold a trial that looks improved against the placebos of the setup it was tried on."""
        if one.trial.status != "improved":
            return one.trial
        luck = max((placebo.gain or 0.0 for placebo in self.placebos(current, score)), default=0.0)
        if (one.trial.gain or 0.0) <= luck:
            return replace(one.trial, status="no-difference", why=f"doing nothing gained {luck:.4f}")
        return replace(one.trial, kept=won)
