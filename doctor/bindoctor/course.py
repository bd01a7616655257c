"""One pass over the slots: diagnose the setup so far, race the slot's fixes, keep at most one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bindoctor.attempt import Attempt
from bindoctor.budget import Budget, Ending, OutOfTime
from bindoctor.compare import compare_parts
from bindoctor.decide import cross_decided
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.findings import Finding
from bindoctor.laboratory import Laboratory
from bindoctor.own_inspection import with_own_model
from bindoctor.race import SLOTS, Raced, candidates_of, race, run_placebos
from bindoctor.recipe import Recipe
from bindoctor.scan import scan
from bindoctor.treatment import Trial
from bindoctor.verdict import corrected_t, judgement

Diagnose = Callable[[Evidence], Sequence[Finding]]

MIN_FADING_T = 0.86


@dataclass(frozen=True)
class Event:
    """Where a treatment is.

    Attributes:
        stage: what is being done.
        fitted: trainings done so far.
        trials: fixes whose trial is over.
        dropped: those of them that were dropped early.
        alive: fixes in the race of this stage.
        left: about how many seconds the trials still take; None while that is not known.
    """

    stage: str
    fitted: int
    trials: int = 0
    dropped: int = 0
    alive: int = 0
    left: float | None = None


class Tracker:
    """Counts trainings and trials, and tells the caller where the treatment is."""

    def __init__(self, progress: Callable[[Event], None], budget: Budget) -> None:
        self.now = Event("baseline", 0)
        self._progress = progress
        self._budget = budget
        self._slots_since = 0.0

    def fitted(self) -> None:
        """Note one more training."""
        self.now = replace(self.now, fitted=self.now.fitted + 1)
        self._progress(self.now)

    def enter(self, stage: str) -> None:
        """Note what is done next."""
        self.now = replace(self.now, stage=stage)

    def set_alive(self, count: int) -> None:
        """Note how many candidates are still in the race."""
        self.now = replace(self.now, alive=count)

    def enter_slot(self, number: int) -> None:
        """Note that a slot begins, and tell from those before it how long the rest takes."""
        left = None
        if number == 0:
            self._slots_since = self._budget.spent
        else:
            left = (self._budget.spent - self._slots_since) / number * (len(SLOTS) - number) + self._budget.reserved
        if self._budget.seconds is not None:
            most = max(0.0, self._budget.seconds - self._budget.spent)
            left = most if left is None else min(left, most)
        self.now = replace(self.now, stage=SLOTS[number][0], left=left)

    def concluded(self, trials: Sequence[Trial]) -> None:
        """Note the trials of a slot that is over."""
        dropped = sum(trial.status == "dropped-early" for trial in trials)
        now = self.now
        self.now = replace(now, alive=0, trials=now.trials + len(trials), dropped=now.dropped + dropped)


class Course:
    """The trials made so far, each setup's evidence and its placebos."""

    def __init__(
        self,
        laboratory: Laboratory,
        diagnose: Diagnose,
        evidence: Evidence,
        primary: str,
        tracker: Tracker,
        ending: Ending,
        *,
        doublings: float = 0.0,
    ) -> None:
        """Prepare a pass over the slots.

        Args:
            laboratory: where trainings are run.
            diagnose: what the rules say about evidence.
            evidence: on the honest baseline, of the rows that the laboratory has.
            primary: the score to judge by.
            tracker: told how far it is.
            ending: keeps time for what comes after the slots.
            doublings: how often the rows of the laboratory have to be doubled to be all rows; above 0, a fix must
                promise to be worth having on all of them.
        """
        self.trials: list[Trial] = []
        self.notes: list[str] = []
        self.cut_off = ""
        self._laboratory = laboratory
        self._diagnose = diagnose
        self._evidence = evidence
        self._primary = primary
        self._tracker = tracker
        self._ending = ending
        self._doublings = doublings
        self._placebos: dict[tuple[str, str], tuple[Trial, ...]] = {}
        self._found: dict[str, Sequence[Finding]] = {}

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
        known = with_own_model(known) if known.model is None else known
        if not attempt.runs:
            return known
        run = attempt.runs[0]
        return replace(known, history=run.history, predictions=cross_decided(run.predictions, recipe.decide))

    def placebos(self, attempt: Attempt, score: str) -> tuple[Trial, ...]:
        """Return the trials of doing nothing to a setup, run once for each setup and score.

        Raises:
            OutOfTime: the budget is used up.
        """
        key = (attempt.recipe.digest(), score)
        if key not in self._placebos:
            stage = self._tracker.now.stage
            self._tracker.enter("placebos")
            self._placebos[key] = run_placebos(self._laboratory, attempt, score)
            self._tracker.enter(stage)
            self.trials += self._placebos[key]
        return self._placebos[key]

    def run(self, baseline: Attempt) -> tuple[Attempt, tuple[Trial, ...]]:
        """Try every slot once, as long as there is time; return the setup with the kept fixes, and their trials.

        Where the budget ends is noted in ``cut_off``, the name of the slot that was not finished.
        """
        current, kept = baseline, []
        for number, (slot, _) in enumerate(SLOTS):
            self._ending.reserve(self._laboratory.seconds_per_training)
            self._tracker.enter_slot(number)
            score = self._judged_by(slot, current.recipe)
            try:
                self.placebos(baseline, self._primary)
                candidates, left_out = candidates_of(slot, self._findings(current), current.recipe)
                if left_out:
                    self.notes.append(f"{left_out} more fixes were offered for {slot} and not tried.")
                raced = race(self._laboratory, current, candidates, score, alive=self._tracker.set_alive)
            except OutOfTime:
                self.cut_off = slot
                break
            trials, winner = self._concluded(raced, current, score)
            self.trials += trials
            self._tracker.concluded(trials)
            if winner is not None:
                current = raced[winner].attempt or current
                kept.append(trials[winner])
            if any(trial.status == "out-of-time" for trial in trials):
                self.cut_off = slot
                break
        return current, tuple(kept)

    def _findings(self, attempt: Attempt) -> Sequence[Finding]:
        """Return what the rules say about a setup; they are asked once for each."""
        key = attempt.recipe.digest()
        if key not in self._found:
            self._found = {key: self._diagnose(self.evidence_of(attempt))}
        return self._found[key]

    def _judged_by(self, slot: str, recipe: Recipe) -> str:
        """Judge calibration by log loss and a threshold by the score it is tuned for: no other score sees them."""
        if slot == "calibration":
            return "log-loss"
        return recipe.decide.tuned_for if slot == "threshold" else self._primary

    def _concluded(self, raced: Sequence[Raced], current: Attempt, score: str) -> tuple[tuple[Trial, ...], int | None]:
        """Hold what looks improved against doing nothing and against more rows, the best first, until one stands.

        Returns:
            The trials, and the position of the one that is kept.
        """
        trials = [one.trial for one in raced]
        improved = [i for i, trial in enumerate(trials) if trial.status == "improved"]
        winner = None
        for i in sorted(improved, key=lambda i: trials[i].gain or 0.0, reverse=True):
            attempt = raced[i].attempt
            assert attempt is not None
            try:
                trials[i] = self._held_against_luck(trials[i], current, score)
                if winner is None and trials[i].status == "improved":
                    trials[i] = self._held_against_more_rows(trials[i], attempt, current, score)
            except OutOfTime:
                trials[i] = replace(trials[i], status="out-of-time", why="the time budget ended")
            if winner is None and trials[i].status == "improved":
                winner = i
                trials[i] = replace(trials[i], kept=True)
        return tuple(trials), winner

    def _held_against_luck(self, trial: Trial, current: Attempt, score: str) -> Trial:
        luck = max((placebo.gain or 0.0 for placebo in self.placebos(current, score)), default=0.0)
        if (trial.gain or 0.0) > luck:
            return trial
        return replace(trial, status="no-difference", why=f"doing nothing gained {luck:.4f}")

    def _held_against_more_rows(self, trial: Trial, attempt: Attempt, current: Attempt, score: str) -> Trial:
        """Ask the learning curve whether a gain seen on a sample would be there on all rows.

        Both setups are trained on half of the rows, too. A gain that is clearly larger there fades; it is taken to fall
        by the same factor with every doubling.
        """
        if not self._doublings:
            return trial
        try:
            before, after = (
                self._laboratory.complete(Attempt(setup.recipe, half=True), stand_in=True)
                for setup in (current, attempt)
            )
        except InputError as error:
            why = f"cannot be trained on half of the sample, so that nothing is known about all rows: {error}"
            return replace(trial, status="no-difference", why=why)
        small, large = after.gains(before, score), attempt.gains(current, score)
        fading = len(small) == len(large) and corrected_t(small - large, self._laboratory.overlap) > MIN_FADING_T
        mean_small, mean_large = float(small.mean()), float(large.mean())
        seen = f"gains {mean_large:.4f} on the sample and {mean_small:.4f} on half of it"
        if fading and mean_large * (mean_large / mean_small) ** self._doublings < judgement(score).min_gain:
            return replace(trial, status="no-difference", why=f"{seen}: too little would be left of it on all rows")
        return replace(trial, why=seen)
