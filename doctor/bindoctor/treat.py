"""The course of a treatment: correct, measure, try fixes, and confirm them on rows that no trial saw."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from bindoctor.compare import compare_parts
from bindoctor.confirm import Confirmation, confirm
from bindoctor.course import Course, Diagnose, Event, Tracker
from bindoctor.dataset import Dataset, Rows
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.findings import Aim
from bindoctor.laboratory import FOLDS, REPEATS, REPORTED, Attempt, Laboratory
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.scan import scan
from bindoctor.splits import locked_part
from bindoctor.treatment import Correction, Gain, Treatment
from bindoctor.verdict import JUDGEMENTS, gain_interval, judgement

MIN_RARE_ROWS = 50
"""Below this many rare rows in training, a real gain in average precision is found in one case of five: no claim is
made."""
MAX_CORRECTION_ROUNDS = 8


def treat(
    dataset: Dataset,
    recipe: Recipe,
    diagnose: Diagnose,
    *,
    seed: int = 0,
    score: str = "auto",
    repeats: int = REPEATS,
    folds: int = FOLDS,
    progress: Callable[[Event], None] = lambda event: None,
) -> Treatment:
    """Find out which fixes really make the model better, and confirm them together on locked rows.

    Args:
        dataset: the data; its files are only read.
        recipe: the setup as found.
        diagnose: what the rules say about evidence; only the findings' fixes are used.
        seed: of the locked part, the folds and every training.
        score: what to judge by; "auto" takes the recipe's, or log loss: it is the most powerful score, and
            probabilities that are right serve every later threshold.
        repeats: how often the folds are drawn anew.
        folds: folds in a repeat.
        progress: called after every training.

    Raises:
        InputError: the data or the recipe cannot be trained on at all.
    """
    tracker = Tracker(progress)
    corrected, corrections, evidence = correct(dataset, recipe, diagnose)
    rows = rows_of(dataset, corrected)
    work_index, locked_index = locked_part(rows, corrected.split, seed=seed)
    work, locked = rows.take(work_index), rows.take(locked_index)
    laboratory = Laboratory(dataset, work, corrected, seed=seed, repeats=repeats, folds=folds, fitted=tracker.fitted)
    baseline = laboratory.complete(Attempt(corrected), stand_in=True)
    honest = mean_scores(baseline)
    as_found, problem = honest, ""
    if corrections:
        tracker.stage = "the setup as found"
        as_found, problem = score_as_found(dataset, recipe, locked, seed=seed, folds=folds, fitted=tracker.fitted)

    primary = primary_score(score, recipe)
    course = Course(laboratory, diagnose, evidence, primary, tracker)
    found = course.evidence_of(baseline)
    base = Treatment(
        status="nothing-to-do",
        why="no fix was offered",
        corrections=corrections,
        score=primary,
        before=as_found,
        after=honest,
        class_shares={name: float(np.nanmean(baseline.constant[0][name])) for name in REPORTED},
        as_found=as_found,
        honest=honest,
        gain=None,
        trials=(),
        original=recipe,
        recipe=corrected,
        notes=(
            *_collapse_note(baseline),
            *([f"The setup as found could not be trained: {problem}"] if problem else []),
        ),
        locked_rows=len(locked),
        baseline=found,
        final=found,
    )
    rare = int(np.bincount(work.labels, minlength=len(work.classes)).min())
    if rare < MIN_RARE_ROWS:
        why = (
            f"the rarest class has {rare} rows to train on; below {MIN_RARE_ROWS} a real gain cannot be told from luck"
        )
        return replace(base, status="cannot-verify", why=why)
    course.placebos(baseline, primary)
    current, kept = course.run(baseline)
    base = replace(base, trials=tuple(course.trials), notes=(*base.notes, *course.notes))
    if not kept:
        return _nothing_kept(base)

    claim = primary if any(trial.score == primary for trial in kept) else kept[-1].score
    gain = shrunken_gain(baseline, current, claim, folds)
    spread = max(abs(placebo.gain or 0.0) for placebo in course.placebos(baseline, claim))
    base = replace(base, score=claim, gain=gain, trials=tuple(course.trials))
    if spread > gain.raw / 2:
        why = f"doing nothing moves {claim} by up to {spread:.4f}, more than half of the gain of {gain.raw:.4f}"
        return replace(base, status="cannot-verify", why=why)
    tracker.stage = "confirmation"
    bundled = laboratory.read(current.recipe, np.concatenate([work.row_ids, locked.row_ids]))
    trained = laboratory.trained_on(current.recipe, bundled, np.arange(len(work)))
    parts = bundled.take(trained), bundled.take(np.arange(len(work), len(bundled)))
    seen = confirm(corrected, work, current.recipe, parts, locked, claim, seed=seed)
    base = replace(base, before=seen.before, after=seen.after, class_shares=seen.constant)
    fallen = [trial.score for trial in kept if seen.after and seen.gain_in(trial.score) <= 0]
    if not seen.holds or fallen:
        return replace(base, status="not-confirmed", why=_why_not(seen, *fallen[:1] or [claim]))
    why = (
        f"on {len(locked)} locked rows {claim} is better by {seen.gain:.4f} "
        f"(95 % interval {seen.low:+.4f} to {seen.high:+.4f}) than the better of the honest baseline and always "
        "answering the class shares"
    )
    return replace(base, status="verified", why=why, recipe=current.recipe, final=course.evidence_of(current))


def primary_score(score: str, recipe: Recipe) -> str:
    """Return the score that fixes are judged by: the one asked for, else the recipe's, else log loss."""
    chosen = recipe.decide.score if score == "auto" else score
    return chosen if chosen in JUDGEMENTS else "log-loss"


def correct(dataset: Dataset, recipe: Recipe, diagnose: Diagnose) -> tuple[Recipe, tuple[Correction, ...], Evidence]:
    """Apply correcting fixes, the best of each finding, until a fresh scan offers none.

    Returns:
        the corrected recipe, the corrections in order, and the evidence on the rows that it selects.
    """
    made: list[Correction] = []
    evidence = _evidence(dataset, recipe)
    for _ in range(MAX_CORRECTION_ROUNDS):
        before = recipe
        for finding in diagnose(evidence):
            fix = next((fix for fix in finding.fixes if fix.aim is Aim.CORRECT), None)
            edited = recipe.edited(fix.edits) if fix else recipe
            if fix and edited != recipe:
                recipe = edited
                made.append(Correction(finding.code, fix.title, fix.edits))
        if recipe == before:
            break
        evidence = _evidence(dataset, recipe)
    return recipe, tuple(made), evidence


def _evidence(dataset: Dataset, recipe: Recipe) -> Evidence:
    profile = scan(dataset, recipe)
    return Evidence(dataset, profile, recipe, parts=compare_parts(dataset, recipe, profile))


def score_as_found(
    dataset: Dataset, recipe: Recipe, locked: Rows, *, seed: int, folds: int, fitted: Callable[[], None]
) -> tuple[Mapping[str, float], str]:
    """Cross-validate the uncorrected setup once, on the rows that are not locked.

    Returns:
        its scores, or nothing and the reason why it cannot be trained.
    """
    try:
        rows = rows_of(dataset, recipe)
        work = rows.take(np.flatnonzero(~np.isin(rows.row_ids, locked.row_ids)))
        laboratory = Laboratory(dataset, work, recipe, seed=seed, repeats=1, folds=folds, fitted=fitted)
        attempt = laboratory.complete(Attempt(recipe), stand_in=True)
    except InputError as error:
        return {}, str(error)
    return mean_scores(attempt), ""


def mean_scores(attempt: Attempt) -> Mapping[str, float]:
    """Return each reported score's mean over the folds of the first repeat, which every setup has run."""
    return {name: float(np.nanmean(attempt.scored[0][name])) for name in REPORTED}


def shrunken_gain(before: Attempt, after: Attempt, score: str, folds: int) -> Gain:
    """Return the gain over all folds, and what of it is expected to replicate after having been selected."""
    gains = after.gains(before, score)
    keeps = judgement(score).keeps
    low, high = gain_interval(gains, folds)
    return Gain(float(gains.mean()), keeps * float(gains.mean()), keeps * low, keeps * high)


def _nothing_kept(base: Treatment) -> Treatment:
    tried = sum(not trial.placebo for trial in base.trials)
    outcome = f"none of {tried} improving fixes made the model better" if tried else "no improving fix was offered"
    if not base.corrections:
        return replace(base, why=outcome)
    why = f"only fixes that make the score honest were kept, so before and after are not comparable; {outcome}"
    return replace(base, status="corrected", why=why)


def _collapse_note(baseline: Attempt) -> list[str]:
    failures = [failure for run in baseline.runs for failure in run.failures]
    if not failures:
        return []
    return [
        f"{len(failures)} trainings of the baseline collapsed ({failures[0]}); "
        "always answering the class shares stands in for them."
    ]


def _why_not(seen: Confirmation, score: str) -> str:
    if seen.why_failed:
        return f"training the fixed setup on all rows failed: {seen.why_failed}"
    if seen.gain_in(score) <= 0:
        return f"{score} got no better on the locked rows ({seen.gain_in(score):+.4f}); the fixes are not applied"
    return f"{score} is not better than always answering the class shares on the locked rows; the fixes are not applied"
