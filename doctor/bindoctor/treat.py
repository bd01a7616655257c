"""The course of a treatment: correct, measure, try fixes, and confirm them on rows that no trial saw."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np

from bindoctor.attempt import Attempt, mean_scores
from bindoctor.budget import Budget, Ending, OutOfTime
from bindoctor.bundle import Bundle, confirmed
from bindoctor.corrections import correct
from bindoctor.course import Course, Diagnose, Event, Tracker
from bindoctor.dataset import Dataset, Rows
from bindoctor.errors import InputError, TooFewRows
from bindoctor.evidence import Evidence
from bindoctor.final import MAX_CROSS_FITTED
from bindoctor.laboratory import FOLDS, REPEATS, Laboratory
from bindoctor.own_inspection import edits_of
from bindoctor.race import SLOTS
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.sampling import MAX_TRIAL_ROWS, excerpt, trial_rows
from bindoctor.scan import scan
from bindoctor.scores import mean_over_folds
from bindoctor.splits import Index, locked_part
from bindoctor.treatment import Correction, Treatment
from bindoctor.trial_journal import TrialJournal
from bindoctor.trial_rows import TrialRows

MIN_RARE_ROWS = 50
"""Below this many rare rows in training, a real gain in average precision is found in one case of five: no claim is
made."""
MIN_LOCKED_GROUPS = 10
"""Below this many groups among the locked rows their interval is far too narrow (Cameron, Gelbach & Miller 2008). A
fifth of 50 groups is as many; with 50 in all a swap of noise passes in one case of 18, with 12 in one of five."""
LOCKED_SHARE = 0.2
PLAIN_STEPS_COST = 8
"""A step of plain PyTorch, which the final model is trained by, costs about as much as so many compiled ones."""


class Means(TypedDict):
    """What trials are run with, and what has no bearing on their results."""

    jobs: int | None
    budget: Budget
    journal: TrialJournal | None
    fitted: Callable[[], None]


def treat(
    evidence: Evidence,
    diagnose: Diagnose,
    *,
    seed: int = 0,
    score: str = "auto",
    repeats: int = REPEATS,
    folds: int = FOLDS,
    max_rows: int = MAX_TRIAL_ROWS,
    jobs: int | None = None,
    budget: Budget | None = None,
    writes_model: bool = False,
    journal: TrialJournal | None = None,
    progress: Callable[[Event], None] = lambda event: None,
) -> Treatment:
    """Find out which fixes really make the model better, and confirm them together on locked rows.

    Args:
        evidence: on the setup as found: the data, whose files are only read, its scan and the recipe.
        diagnose: what the rules say about evidence; only the findings' fixes are used.
        seed: of the locked part, the folds and every training.
        score: what to judge by; "auto" takes the recipe's, or log loss: it is the most powerful score, and
            probabilities that are right serve every later threshold.
        repeats: how often the folds are drawn anew.
        folds: folds in a repeat.
        max_rows: rows that trials are run on, at most; the confirmation is on all rows.
        jobs: trainings at a time, each in a thread; as many as there are cores when not given.
        budget: the time that there is. When it ends, what has been found by then is confirmed.
        writes_model: whether the budget must also suffice for training the model that is left.
        journal: remembers trainings, so that a treatment that was cut off goes on where it stopped.
        progress: called after every training.

    Returns:
        What was found out. Too few rows of a class, a group or a time to be kept apart are an answer as well: nothing
        can be verified.

    Raises:
        InputError: the data or the recipe cannot be trained on at all.
    """
    assert evidence.dataset is not None and evidence.recipe is not None
    budget = budget or Budget()
    tracker = Tracker(progress, budget)
    dataset, recipe, positive = evidence.dataset, evidence.recipe, evidence.dataset.positive
    corrected, corrections, evidence = correct(evidence, diagnose)
    primary = primary_score(score, corrected)
    rows = rows_of(dataset, corrected, evidence.profile)
    if len(rows.classes) == 2:
        # Where nobody has named it, the positive class is the rarer one, which may be another on some of the rows.
        dataset = replace(dataset, positive=rows.classes[1])
        evidence = replace(evidence, dataset=dataset)
    try:
        work_index, locked_index = locked_part(rows, corrected.split, seed=seed)
    except TooFewRows as error:
        return _untrained(recipe, corrections, evidence, primary, str(error))
    work, locked = rows.take(work_index), rows.take(locked_index)
    del rows
    tried, doublings, notes = work, 0.0, []
    chosen = trial_rows(work, most=max_rows, seed=seed)
    if len(chosen) < len(work):
        tried, doublings = work.take(chosen), math.log2(len(work) / len(chosen))
        evidence = _sampled(evidence, tried.row_ids)
        notes.append(
            f"Fixes were tried on a sample of {len(tried)} of {len(work)} rows; the confirmation is on all of them."
        )
    assert evidence.dataset is not None
    means: Means = {"jobs": jobs, "budget": budget, "journal": journal, "fitted": tracker.fitted}
    try:
        laboratory = Laboratory(evidence.dataset, tried, corrected, seed=seed, repeats=repeats, folds=folds, **means)
        baseline = _as_far_as_time_allows(laboratory, Attempt(corrected))
    except TooFewRows as error:
        return _untrained(recipe, corrections, evidence, primary, str(error))
    honest = mean_scores(baseline)
    as_found, problem = honest, ""
    if corrections and honest:
        tracker.enter("the setup as found")
        uncorrected = replace(evidence.dataset, positive=positive)
        as_found, problem = score_as_found(uncorrected, recipe, locked.row_ids, seed=seed, folds=folds, means=means)

    ending = _ending(len(work), len(tried) * (folds - 1) / folds, budget, writes_model=writes_model)
    course = Course(laboratory, diagnose, evidence, primary, tracker, ending, doublings=doublings)
    found = course.evidence_of(baseline)
    base = Treatment(
        status="nothing-to-do",
        why="no fix was offered",
        corrections=corrections,
        score=primary,
        before=as_found,
        after=honest,
        class_shares=mean_over_folds(baseline.constant[0]) if baseline.constant else {},
        as_found=as_found,
        honest=honest,
        gain=None,
        trials=(),
        original=recipe,
        recipe=corrected,
        notes=(
            *notes,
            *_collapse_note(baseline),
            *([f"The setup as found could not be trained: {problem}"] if problem else []),
        ),
        locked_rows=len(locked),
        baseline=found,
        final=found,
    )
    if why := _too_little(tried, locked):
        return replace(base, status="cannot-verify", why=why)
    if len(baseline.runs) < repeats:
        return replace(base, status="cannot-verify", why="the time budget ended before the baseline was measured")
    current, kept = course.run(baseline)
    base = replace(base, trials=tuple(course.trials), notes=(*base.notes, *course.notes, *_cut_off_note(course)))
    if current.recipe.model != recipe.model:
        base = replace(base, notes=(*base.notes, *_code_note(evidence, current.recipe)))
    if not kept:
        return _nothing_kept(base, cut_off=course.cut_off)

    budget.reserved = -math.inf  # the time that was put aside is for this
    tracker.enter("confirmation")
    bundle = Bundle(baseline, current, kept, sampled=len(tried) < len(work))
    return confirmed(base, bundle, course, laboratory, TrialRows(dataset, corrected), work, locked, seed=seed)


def _sampled(evidence: Evidence, row_ids: Index) -> Evidence:
    """Return the evidence on some of the rows, as a data set of their own."""
    assert evidence.dataset is not None and evidence.recipe is not None
    dataset = excerpt(evidence.dataset, row_ids)
    return replace(evidence, dataset=dataset, profile=scan(dataset, evidence.recipe))


def _as_far_as_time_allows(laboratory: Laboratory, attempt: Attempt) -> Attempt:
    """Run the repeats of a baseline until the budget ends."""
    try:
        while len(attempt.runs) < laboratory.repeats:
            attempt = laboratory.extend(attempt, stand_in=True)
    except OutOfTime:
        pass
    return attempt


def _ending(rows: int, per_training: float, budget: Budget, *, writes_model: bool) -> Ending:
    """Tell what the end costs: two setups and perhaps the final model, each with folds that fit a threshold."""
    folds = FOLDS if rows <= MAX_CROSS_FITTED else 1
    trainings = (1 + folds * (FOLDS - 1) / FOLDS) * rows / per_training
    sampled = 0 if rows <= MAX_TRIAL_ROWS else 2 * rows / per_training
    final = (PLAIN_STEPS_COST if rows <= MAX_CROSS_FITTED else 1) / (1 - LOCKED_SHARE)
    return Ending(budget, sampled + trainings * (2 + (final if writes_model else 0)))


def primary_score(score: str, recipe: Recipe) -> str:
    """Return the score that fixes are judged by: the one asked for, else the recipe's, else log loss.

    Raises:
        InputError: costs are asked for and not known.
    """
    chosen = recipe.decide.score if score == "auto" else score
    if chosen == "cost" and not recipe.decide.cost:
        raise InputError("the score 'cost' needs to know what errors cost; set recipe.decide.cost.")
    return "log-loss" if chosen == "auto" else chosen


def score_as_found(
    dataset: Dataset, recipe: Recipe, locked_ids: Index, *, seed: int, folds: int, means: Means
) -> tuple[Mapping[str, float], str]:
    """Cross-validate the uncorrected setup once, without the locked rows.

    Args:
        dataset: all rows, or the sample that trials are run on.
        recipe: the setup as found.
        locked_ids: numbers of the locked rows.
        seed: of folds and trainings.
        folds: how many.
        means: threads, time and memory for it.

    Returns:
        Its scores, or nothing and the reason why it cannot be trained.
    """
    try:
        rows = rows_of(dataset, recipe)
        work = rows.take(np.flatnonzero(~np.isin(rows.row_ids, locked_ids)))
        laboratory = Laboratory(dataset, work, recipe, seed=seed, repeats=1, folds=folds, **means)
        attempt = laboratory.complete(Attempt(recipe), stand_in=True)
    except InputError as error:
        return {}, str(error)
    except OutOfTime:
        return {}, "the time budget ended"
    return mean_scores(attempt), ""


def _untrained(
    original: Recipe, corrections: tuple[Correction, ...], evidence: Evidence, score: str, why: str
) -> Treatment:
    """Return what is left when the corrected rows cannot be parted: the corrections, and why nothing was trained."""
    assert evidence.recipe is not None
    return Treatment(
        status="cannot-verify",
        why=why,
        corrections=corrections,
        score=score,
        before={},
        after={},
        class_shares={},
        as_found={},
        honest={},
        gain=None,
        trials=(),
        original=original,
        recipe=evidence.recipe,
        notes=(),
        locked_rows=0,
        baseline=evidence,
        final=evidence,
    )


def _too_little(tried: Rows, locked: Rows) -> str:
    """Say why no claim can be made from so many rows, or "" when one can."""
    rare = int(np.bincount(tried.labels, minlength=len(tried.classes)).min())
    if rare < MIN_RARE_ROWS:
        return (
            f"the rarest class has {rare} rows to train on; below {MIN_RARE_ROWS} a real gain cannot be told from luck"
        )
    held = np.bincount(locked.labels, minlength=len(locked.classes))
    if held.min() == 0:
        return f"the locked rows hold no {locked.classes[int(held.argmin())]!r}, so that they can confirm nothing"
    groups = MIN_LOCKED_GROUPS if locked.groups is None else len(np.unique(locked.groups))
    if groups < MIN_LOCKED_GROUPS:
        return (
            f"the locked rows hold {groups} groups; below {MIN_LOCKED_GROUPS} they cannot tell what holds for other "
            "groups from what holds for these"
        )
    return ""


def _nothing_kept(base: Treatment, *, cut_off: str) -> Treatment:
    tried = sum(not trial.placebo and trial.status != "out-of-time" for trial in base.trials)
    outcome = f"none of {tried} improving fixes made the model better" if tried else "no improving fix was offered"
    if cut_off:
        outcome = f"the time budget ended before a fix was proven to help; {tried} had been tried"
    if not base.corrections:
        return replace(base, status="cannot-verify" if cut_off else base.status, why=outcome)
    why = f"only fixes that make the score honest were kept, so before and after are not comparable; {outcome}"
    return replace(base, status="corrected", why=why)


def _cut_off_note(course: Course) -> list[str]:
    if not course.cut_off:
        return []
    names = [name for name, _ in SLOTS]
    later = names[names.index(course.cut_off) + 1 :]
    untried = f"; fixes for {', '.join(later)} were not looked for" if later else ""
    return [f"The time budget ended in the trials for {course.cut_off}, which are not decided{untried}."]


def _code_note(evidence: Evidence, recipe: Recipe) -> list[str]:
    """Say what the recipe's edits of the user's own network are as code."""
    lines = edits_of(replace(evidence, recipe=recipe, profile=None))
    if not lines:
        return []
    return [f"In code, the network of {recipe.model.factory} is changed so: {'; '.join(lines)}"]


def _collapse_note(baseline: Attempt) -> list[str]:
    failures = [failure for run in baseline.runs for failure in run.failures]
    if not failures:
        return []
    return [
        f"{len(failures)} trainings of the baseline collapsed ({failures[0]}); "
        "always answering the class shares stands in for them."
    ]
