"""A slot's candidates against the setup so far, with futility racing and placebos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bindoctor.attempt import Attempt
from bindoctor.budget import OutOfTime
from bindoctor.findings import Aim, Finding, Fix
from bindoctor.laboratory import Laboratory
from bindoctor.recipe import Recipe
from bindoctor.train import moves_weights
from bindoctor.treatment import Trial
from bindoctor.verdict import DROP_BELOW, Verdict, judge, judgement

PLACEBOS = 2
MAX_PER_SLOT = 9
"""As many as one finding offers at most, so that each has its trial; most are dropped after the first repeat."""

SLOTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("encoding", ("features.encode", "features.rare")),
    ("scaling", ("features.scale", "features.transform", "features.clip")),
    ("columns", ("data.", "features.")),
    ("rows", ("data.drop-rows", "data.conflicts")),
    ("training length", ("train.epochs",)),
    ("calibration", ("decide.calibrate",)),
    ("threshold", ("decide.",)),
    ("imbalance", ("resample.", "loss.kind", "loss.class-weight", "loss.focal")),
    (
        "regularisation",
        (
            "model.dropout",
            "model.batch-norm",
            "optimizer.weight-decay",
            "optimizer.l1",
            "features.keep",
            "train.",
            "loss.label-smoothing",
        ),
    ),
    ("optimizer", ("optimizer.", "train.batch-size", "model.prior-bias", "model.activation")),
    ("capacity", ("model.",)),
    ("estimator", ("model.kind",)),
    ("engineered features", ("features.derive",)),
)
"""One pass over these with at most one fix kept in each: earlier ones change what later ones are worth, so an
unscaled or untrained network is mended before anything is said about its class balance. A setting belongs where the
longest of these starts that fit it stands."""


@dataclass(frozen=True)
class Candidate:
    """An improving fix and the code of the rule that offered it."""

    code: str
    fix: Fix


@dataclass(frozen=True, eq=False)
class Raced:
    """A candidate's trial and the attempt behind it; ``attempt`` is None when its training failed."""

    candidate: Candidate
    trial: Trial
    attempt: Attempt | None


def slot_of(fix: Fix) -> str:
    """Return the earliest slot that any of the fix's edits belongs to."""

    def position(path: str) -> int:
        fitting = {start: i for i, (_, starts) in enumerate(SLOTS) for start in starts if path.startswith(start)}
        return fitting[max(fitting, key=len)] if fitting else len(SLOTS) - 1

    return SLOTS[min(position(path) for path in fix.edits)][0]


def candidates_of(slot: str, findings: Sequence[Finding], recipe: Recipe) -> tuple[tuple[Candidate, ...], int]:
    """Choose a slot's improving fixes, best alternatives of each finding first, without those that change nothing.

    Returns:
        at most ``MAX_PER_SLOT`` candidates, and how many more there were.
    """
    chosen: dict[str, Candidate] = {}
    offers = [
        [fix for fix in f.fixes if fix.aim is Aim.IMPROVE and fix.edits and slot_of(fix) == slot] for f in findings
    ]
    for rank in range(max(map(len, offers), default=0)):
        for finding, fixes in zip(findings, offers, strict=True):
            if rank < len(fixes):
                edited = recipe.edited(fixes[rank].edits)
                if edited != recipe:
                    chosen.setdefault(edited.digest(), Candidate(finding.code, fixes[rank]))
    every = tuple(chosen.values())
    return every[:MAX_PER_SLOT], max(0, len(every) - MAX_PER_SLOT)


def race(
    laboratory: Laboratory,
    current: Attempt,
    candidates: Sequence[Candidate],
    score: str,
    *,
    alive: Callable[[int], None] = lambda count: None,
) -> tuple[Raced, ...]:
    """Run candidates repeat by repeat on the current setup's folds, and drop one as soon as it is unlikely to win.

    Candidates that the budget leaves no time for end as "out-of-time", with what has been seen of them.

    Args:
        laboratory: where trainings are run.
        current: the setup to beat, all its repeats run.
        candidates: the fixes to try, each on top of the current setup.
        score: the score to judge by.
        alive: told how many candidates are still in the race.
    """
    racing = {i: Attempt(current.recipe.edited(c.fix.edits)) for i, c in enumerate(candidates)}
    seen = {i: Raced(c, _untried(c, score), None) for i, c in enumerate(candidates)}
    for repeat in range(laboratory.repeats):
        if not racing:
            break
        alive(len(racing))
        try:
            outcomes = laboratory.extend_each(list(racing.values()), stand_in=False)
        except OutOfTime:
            late = {i: replace(seen[i].trial, status="out-of-time", why="the time budget ended") for i in racing}
            seen |= {i: replace(seen[i], trial=trial) for i, trial in late.items()}
            break
        for i, outcome in zip(tuple(racing), outcomes, strict=True):
            if isinstance(outcome, Exception):
                seen[i] = Raced(candidates[i], _failed(candidates[i], score, repeat, str(outcome)), None)
                del racing[i]
                continue
            racing[i] = outcome
            gains = outcome.gains(current, score)
            # Measured from a constant answer that stands in for the setup alone, a fix that leaves the guard as it is
            # would lose something in it.
            guarded = outcome.usable_gains(current, judgement(score).guard)
            verdict = judge(score, gains, guarded, laboratory.overlap)
            trial = _trial(candidates[i], score, verdict, repeat + 1)
            if repeat < min(len(DROP_BELOW), laboratory.repeats - 1) and verdict.t < DROP_BELOW[repeat]:
                trial = replace(trial, status="dropped-early", why="")
                del racing[i]
            seen[i] = Raced(candidates[i], trial, outcome)
    return tuple(seen.values())


def run_placebos(laboratory: Laboratory, current: Attempt, score: str) -> tuple[Trial, ...]:
    """Try "fixes" that do nothing: the current setup with other seeds.

    Gradient boosting comes to the same with any seed, so its rows' weights are moved a little instead: see
    ``boosting.with_moved_weights``.
    """
    what, why = "the same setup, another seed", ""
    if current.recipe.model.kind == "gradient-boosting":
        what = "the same setup, row weights moved by a tenth"
        why = "no seed changes gradient boosting, so this is its luck with the rows at hand"
    elif moves_weights(current.recipe):
        what = "the same setup, another seed and row weights moved by a tenth"
    guard = judgement(score).guard
    attempts = [Attempt(current.recipe, salt=number) for number in range(1, PLACEBOS + 1)]
    for _ in range(laboratory.repeats):
        attempts = [_unfailing(one) for one in laboratory.extend_each(attempts, stand_in=True)]
    trials = []
    for attempt in attempts:
        gains, guarded = attempt.usable_gains(current, score), attempt.usable_gains(current, guard)
        placebo = Candidate("", Fix(f"placebo {attempt.salt}: {what}"))
        verdict = judge(score, gains, guarded, laboratory.overlap)
        trial = _trial(placebo, score, verdict, laboratory.repeats)
        trials.append(replace(trial, placebo=True, why=trial.why or why))
    return tuple(trials)


def _unfailing(outcome: Attempt | Exception) -> Attempt:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _trial(candidate: Candidate, score: str, verdict: Verdict, repeats: int) -> Trial:
    fix = candidate.fix
    return Trial(
        candidate.code,
        fix.title,
        fix.edits,
        placebo=False,
        status=verdict.status,
        score=score,
        gain=verdict.gain,
        t=verdict.t,
        repeats=repeats,
        why=verdict.why,
    )


def _untried(candidate: Candidate, score: str) -> Trial:
    fix = candidate.fix
    return Trial(candidate.code, fix.title, fix.edits, False, "out-of-time", score, None, None, 0)


def _failed(candidate: Candidate, score: str, repeats: int, why: str) -> Trial:
    fix = candidate.fix
    return Trial(candidate.code, fix.title, fix.edits, False, "error", score, None, None, repeats, why=why)
