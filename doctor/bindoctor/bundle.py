"""The kept fixes as one claim: held against luck, against all rows, and against the locked ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from bindoctor import scores
from bindoctor.attempt import Attempt
from bindoctor.confirm import Confirmation, confirm
from bindoctor.course import Course
from bindoctor.dataset import Rows
from bindoctor.final import train_final
from bindoctor.history import TrainingFailed
from bindoctor.laboratory import FOLDS, Laboratory
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Decide
from bindoctor.rows import rows_key
from bindoctor.sampling import rows_that_fit
from bindoctor.scores import PROBABILITY_SCORES
from bindoctor.splits import repeated_folds
from bindoctor.treatment import Gain, Treatment, Trial
from bindoctor.trial_rows import TrialRows
from bindoctor.verdict import gain_interval, judgement

REGULARISATION = ("optimizer.weight-decay", "optimizer.l1", "model.dropout", "loss.label-smoothing", "train.patience")
"""What a model needs the less of, the more rows it has."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """The kept fixes' trials, the setup that they make of a baseline, and whether that was seen on a sample."""

    baseline: Attempt
    setup: Attempt
    kept: Sequence[Trial]
    sampled: bool


def confirmed(
    base: Treatment,
    bundle: Bundle,
    course: Course,
    laboratory: Laboratory,
    reader: TrialRows,
    work: Rows,
    locked: Rows,
    *,
    seed: int,
) -> Treatment:
    """Hold a bundle against luck and against the locked rows, as one claim.

    What is expected of a bundle that was found on a sample is what it gains on the locked rows, which had no part in
    choosing it: on all rows it gains something else than on the sample.
    """
    corrected, recipe, kept = base.recipe, bundle.setup.recipe, bundle.kept
    claim = base.score if any(trial.score == base.score for trial in kept) else kept[-1].score
    gain = shrunken_gain(bundle.baseline, bundle.setup, claim, laboratory.overlap)
    spread = max(abs(placebo.gain or 0.0) for placebo in course.placebos(bundle.baseline, claim))
    base = replace(base, score=claim, gain=gain, trials=tuple(course.trials))
    if spread > gain.raw / 2:
        why = f"doing nothing moves {claim} by up to {spread:.4f}, more than half of the gain of {gain.raw:.4f}"
        return replace(base, status="cannot-verify", why=why)
    fitting = rows_that_fit([corrected, recipe], work, seed=seed)
    if len(fitting) < len(work):
        few = f"The confirmation trained on {len(fitting)} of {len(work)} rows: no more fit into memory as inputs."
        base, work = replace(base, notes=(*base.notes, few)), work.take(fitting)
    parts = _as_read(reader, corrected, recipe, work, locked)
    setup = bundle.setup
    if bundle.sampled:
        recipe, said = fit_for_all_rows(corrected, recipe, parts[0], base.score, seed=seed)
        setup = setup if recipe == setup.recipe else laboratory.extend(Attempt(recipe), stand_in=True)
        base = replace(base, notes=(*base.notes, *said))
    seen = confirm(corrected, work, recipe, parts, locked, claim, seed=seed)
    base = replace(base, before=seen.before, after=seen.after, class_shares=seen.constant)
    if bundle.sampled and seen.after:
        base = replace(base, gain=Gain(seen.gain, seen.gain, seen.low, seen.high))
    fallen = [trial.score for trial in kept if seen.after and not seen.gain_in(trial.score) > 0]
    if not seen.holds or fallen:
        return replace(base, status="not-confirmed", why=_why_not(seen, *fallen[:1] or [claim]))
    why = (
        f"on {len(locked)} locked rows {claim} is better by {seen.gain:.4f} "
        f"(95 % interval {seen.low:+.4f} to {seen.high:+.4f}) than the better of the honest baseline and always "
        "answering the class shares"
    )
    return replace(base, status="verified", why=why, recipe=recipe, final=course.evidence_of(setup))


def fit_for_all_rows(
    corrected: Recipe, bundle: Recipe, work: Rows, score: str, *, seed: int
) -> tuple[Recipe, list[str]]:
    """Take regularisation out of a bundle again where all rows do not need what the sample did.

    Both are trained on four fifths of the rows and scored on the last one; none of them is locked.

    Returns:
        The better recipe, and what must be said.
    """
    plain = {path: corrected.setting(path) for path in REGULARISATION}
    freer = bundle.edited(plain)
    if freer == bundle:
        return bundle, []
    train, test = repeated_folds(work, corrected.split, repeats=1, folds=FOLDS, seed=seed)[0][-1]
    found: dict[str, float] = {}
    for name, recipe in (("bundle", bundle), ("freer", freer)):
        raw = msgspec.structs.replace(recipe, decide=Decide()) if score in PROBABILITY_SCORES else recipe
        try:
            model = train_final(raw, work.take(train), seed=seed, plain=False)
        except TrainingFailed:
            return (freer if name == "bundle" else bundle), []
        found[name] = scores.measure(score, model.predictions(work.take(test)))
    if not scores.gain(score, found["bundle"], found["freer"]) > 0:
        return bundle, []
    named = ", ".join(change.path for change in freer.changes(bundle))
    said = (
        f"Trained on all rows, {score} is {found['freer']:.4f} without what the fixes changed of {named}, and "
        f"{found['bundle']:.4f} with it: that is left out."
    )
    return freer, [said]


def _as_read(reader: TrialRows, corrected: Recipe, bundle: Recipe, work: Rows, locked: Rows) -> tuple[Rows, Rows]:
    """Return the rows that a bundle trains on, and the locked rows, as it reads them."""
    if rows_key(bundle) == rows_key(corrected):
        return work, locked
    every = reader.read(bundle, np.concatenate([work.row_ids, locked.row_ids]))
    trained = reader.trained_on(bundle, every, np.arange(len(work)))
    return every.take(trained), every.take(np.arange(len(work), len(every)))


def shrunken_gain(before: Attempt, after: Attempt, score: str, overlap: float) -> Gain:
    """Return the gain over all folds, and what of it is expected to replicate after having been selected."""
    gains = after.gains(before, score)
    keeps = judgement(score).keeps
    low, high = gain_interval(gains, overlap)
    return Gain(float(gains.mean()), keeps * float(gains.mean()), keeps * low, keeps * high)


def _why_not(seen: Confirmation, score: str) -> str:
    if seen.why_failed:
        return f"training the fixed setup on all rows failed: {seen.why_failed}"
    if math.isnan(seen.gain_in(score)):
        return f"{score} is undefined on the locked rows, which lack a class; the fixes are not applied"
    if seen.gain_in(score) <= 0:
        return f"{score} got no better on the locked rows ({seen.gain_in(score):+.4f}); the fixes are not applied"
    return (
        f"on the locked rows {score} is not better than always answering the class shares beyond its 95 % interval; "
        "the fixes are not applied"
    )
