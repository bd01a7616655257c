"""A treatment keeps what really helps, and claims only what rows that no trial saw confirm."""

import io
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bindoctor import Aim, Dataset, Evidence, Finding, Fix, InputError, Recipe, Rows, Table, Where, scores
from bindoctor.attempt import Attempt
from bindoctor.budget import Budget, Ending, OutOfTime
from bindoctor.bundle import fit_for_all_rows
from bindoctor.confirm import Confirmation, _bootstrap, _resamples
from bindoctor.corrections import correct, evidence_on
from bindoctor.course import Course, Diagnose, Tracker
from bindoctor.history import TrainingFailed
from bindoctor.laboratory import Laboratory
from bindoctor.predictions import Predictions
from bindoctor.readers import open_dataset, table_source
from bindoctor.render.text import print_treatment
from bindoctor.rows import rows_of
from bindoctor.splits import locked_part
from bindoctor.train import fit_prepared, fit_stacked
from bindoctor.treat import treat
from bindoctor.treatment import Correction, Treatment
from bindoctor.trial_rows import TrialRows

Cells = dict[str, np.ndarray]

QUICK = Recipe().edited({"train.epochs": 12, "model.hidden": (16,), "optimizer.learning-rate": 0.01})
STANDARDISE = Fix("standardise", {"features.scale": "standard"})
ONE_UNIT = Fix("one hidden unit and no learning to speak of", {"optimizer.learning-rate": 1e-7})


def offering(*fixes: Fix) -> Diagnose:
    def diagnose(evidence: Evidence) -> list[Finding]:
        return [Finding("something", Where("recipe"), fixes=fixes, code="XX001", slug="something")]

    return diagnose


def dataset(cells: Mapping[str, Iterable[object]]) -> Dataset:
    table = Table({name: list(values) for name, values in cells.items()})
    return open_dataset(table_source(table), "y")


def learnable(rows: int = 500, *, positives: float = 0.4, signal: float = 2.0, scale: float = 1e4) -> Cells:
    random = np.random.default_rng(7)
    y = random.random(rows) < positives
    return {
        "income": (random.normal(size=rows) + signal * y) * scale,
        "age": random.normal(size=rows) + 0.5 * y,
        "noise": random.normal(size=rows),
        "y": y.astype(int),
    }


def test_a_fix_that_helps_is_verified_on_locked_rows() -> None:
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE, ONE_UNIT), repeats=3)
    assert done.status == "verified", done.why
    assert done.edits == {"features.scale": "standard"}
    assert done.after["log-loss"] < done.before["log-loss"]
    assert done.gain is not None and done.gain.low < done.gain.shrunken < done.gain.high
    assert done.gain.shrunken < done.gain.raw
    by_title = {trial.title: trial for trial in done.trials}
    assert by_title["standardise"].kept
    assert not by_title[ONE_UNIT.title].kept


def test_two_placebos_are_always_run_and_shown() -> None:
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE), repeats=2)
    placebos = [trial for trial in done.trials if trial.placebo]
    assert len(placebos) >= 2
    assert all(trial.repeats == 2 and not trial.kept for trial in placebos)


def test_a_hopeless_fix_is_dropped_before_its_repeats_are_used_up() -> None:
    done = treat(evidence_on(dataset(learnable(scale=1)), QUICK), offering(ONE_UNIT), repeats=3)
    (trial,) = [trial for trial in done.trials if not trial.placebo]
    assert trial.status == "dropped-early"
    assert trial.repeats == 1
    assert done.status == "nothing-to-do"
    assert done.recipe == QUICK


def test_no_trial_ever_sees_the_locked_rows() -> None:
    cells = learnable()
    untouched = dataset(cells)
    rows = rows_of(untouched, QUICK)
    _, locked = locked_part(rows, QUICK.split, seed=0)
    income = np.array(cells["income"])
    income[locked] = income[locked][::-1] * 50
    before = treat(evidence_on(untouched, QUICK), offering(STANDARDISE), repeats=2)
    after = treat(evidence_on(dataset({**cells, "income": income}), QUICK), offering(STANDARDISE), repeats=2)
    assert [trial.gain for trial in after.trials] == [trial.gain for trial in before.trials]
    assert after.before != before.before


def test_the_same_seed_gives_the_same_treatment() -> None:
    first, second = (
        treat(evidence_on(dataset(learnable(200)), QUICK), offering(STANDARDISE), repeats=2, seed=3) for _ in range(2)
    )
    assert first.trials == second.trials
    assert first.after == second.after


def test_pure_noise_is_never_verified() -> None:
    random = np.random.default_rng(1)
    noise = {name: random.normal(size=500) * 1000 for name in "abcd"} | {"y": random.integers(0, 2, 500)}
    fixes = (STANDARDISE, Fix("weight decay", {"optimizer.kind": "adamw", "optimizer.weight-decay": 1.0}))
    done = treat(evidence_on(dataset(noise), QUICK), offering(*fixes), repeats=2)
    assert done.status != "verified"
    assert done.recipe == QUICK


def test_a_correction_is_kept_although_the_score_falls() -> None:
    cells = learnable(signal=0.5, scale=1)
    cells["answer"] = np.array(cells["y"]) * 2.0 + 1
    drop = Fix("drop 'answer'", {"data.drop+": ("answer",)}, Aim.CORRECT)
    done = treat(evidence_on(dataset(cells), QUICK), offering(drop), repeats=1)
    assert done.status == "corrected"
    assert [correction.title for correction in done.corrections] == ["drop 'answer'"]
    assert done.recipe.data.drop == ("answer",)
    assert done.as_found["log-loss"] < done.honest["log-loss"]
    assert "not comparable" in done.why


def test_corrections_are_repeated_until_a_fresh_scan_offers_none() -> None:
    def diagnose(evidence: Evidence) -> list[Finding]:
        assert evidence.profile is not None
        first = next(iter(evidence.profile.columns), None)
        fix = Fix(f"drop {first!r}", {"data.drop+": (first,)}, Aim.CORRECT)
        return [Finding("", Where("column", str(first)), fixes=(fix,))] if len(evidence.profile.columns) > 1 else []

    recipe, made, evidence = correct(evidence_on(dataset(learnable(50)), Recipe()), diagnose)
    assert recipe.data.drop == ("income", "age")
    assert len(made) == 2
    assert evidence.profile is not None and list(evidence.profile.columns) == ["noise"]


def test_too_few_rare_rows_mean_that_nothing_can_be_verified() -> None:
    done = treat(evidence_on(dataset(learnable(300, positives=0.12)), QUICK), offering(STANDARDISE), repeats=1)
    assert done.status == "cannot-verify"
    assert "50" in done.why
    assert done.recipe == QUICK


DROP_NOISE = Fix("drop 'noise'", {"data.drop+": ("noise",)}, Aim.CORRECT)


def test_fewer_rare_rows_than_folds_are_an_answer_after_the_corrections() -> None:
    cells = learnable(120)
    cells["y"] = (np.arange(120) % 40 == 0).astype(int)
    done = treat(evidence_on(dataset(cells), QUICK), offering(DROP_NOISE, STANDARDISE), repeats=1)
    assert done.status == "cannot-verify"
    assert "class '1' has" in done.why and "fewer than the 5 folds" in done.why
    assert [correction.title for correction in done.corrections] == ["drop 'noise'"]
    assert done.recipe.data.drop == ("noise",)
    assert done.trials == ()


@pytest.mark.parametrize(
    ("column", "edits", "why"),
    [
        (np.arange(500) % 3, {"split.group": "key"}, "has 3 groups|has 2 groups"),
        (np.arange(500) % 30, {"split.group": "key"}, "the locked rows hold 6 groups; below 10"),
        (np.arange(500) // 250, {"split.time": "key"}, "1 different time in 250 rows, too few"),
        (np.zeros(500, dtype=int), {"split.time": "key"}, "all 500 rows have one time"),
    ],
    ids=["groups than folds", "locked groups", "times than windows", "times than two"],
)
def test_too_few_groups_or_times_mean_that_nothing_can_be_verified(
    column: np.ndarray, edits: dict[str, object], why: str
) -> None:
    cells = {**learnable(), "key": column}
    recipe = QUICK.edited({**edits, "data.drop": ["key"]})
    done = treat(evidence_on(dataset(cells), recipe), offering(STANDARDISE), repeats=1)
    assert done.status == "cannot-verify"
    assert re.search(why, done.why), done.why


def test_locked_rows_of_one_class_can_confirm_nothing() -> None:
    cells = learnable()
    cells["y"][400:] = 0
    cells["day"] = np.arange(500)
    done = treat(evidence_on(dataset(cells), QUICK.edited({"split.time": "day"})), offering(STANDARDISE), repeats=1)
    assert done.status == "cannot-verify"
    assert "locked rows hold no '1'" in done.why


@pytest.mark.parametrize("kind", ["group", "time"])
def test_a_fix_is_verified_on_locked_groups_and_on_the_latest_rows(kind: str) -> None:
    cells = {**learnable(900), "key": np.random.default_rng(0).permutation(900) // 9}
    recipe = QUICK.edited({f"split.{kind}": "key", "decide.threshold": "tuned", "train.patience": 3})
    done = treat(evidence_on(dataset(cells), recipe), offering(STANDARDISE), repeats=2)
    assert done.status == "verified", done.why
    assert done.locked_rows == 180


@pytest.mark.parametrize("kind", ["groups", "order"])
def test_rows_that_go_together_make_the_confirmation_less_sure(kind: str) -> None:
    random = np.random.default_rng(0)
    key, easy = np.repeat(np.arange(30), 20), np.repeat(random.normal(size=30), 20)
    truth = random.integers(0, 2, 600)
    sides = np.where(truth == 1, 1.0, -1.0)

    def answers(logit: np.ndarray) -> Predictions:
        p = 1 / (1 + np.exp(-logit))
        return Predictions(("0", "1"), truth, np.column_stack([1 - p, p]), np.arange(600), np.zeros(600, dtype=int))

    before, after, constant = answers(sides), answers(sides * (1 + 0.5 * easy)), answers(np.zeros(600))
    alone, _ = _bootstrap("log-loss", before, after, constant, 0)
    kept: dict[str, Any] = {kind: key if kind == "groups" else key.astype(np.float64)}
    together, over = _bootstrap("log-loss", replace(before, **kept), after, constant, 0)
    assert together.std() > 2.5 * alone.std()
    assert len(together) == len(over) == 1000


@pytest.mark.parametrize("score", ["log-loss", "roc-auc"])
def test_the_gains_of_resamples_are_those_of_the_rows_drawn(score: str) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 90)
    setups = []
    for signal in (0.1, 0.2, 0.0):
        p = np.clip(0.5 + signal * (2 * truth - 1) + 0.2 * random.normal(size=90), 0, 1)
        setups.append(Predictions(("0", "1"), truth, np.column_stack([1 - p, p]), np.arange(90), truth * 0))
    before, after, shares = setups
    gains, over_constant = _bootstrap(score, before, after, shares, 3)
    for i, index in enumerate(islice(_resamples(setups[0], 3), 20)):
        found, fixed, constant = (scores.measure(score, one.take(index)) for one in setups)
        assert gains[i] == pytest.approx(scores.gain(score, found, fixed))
        assert over_constant[i] == pytest.approx(scores.gain(score, constant, fixed))


def test_a_resample_holds_whole_groups_or_runs_of_time() -> None:
    rows = Predictions(("0", "1"), np.arange(60) % 2, np.full((60, 2), 0.5), np.arange(60), np.zeros(60, dtype=int))
    groups = np.random.default_rng(0).permutation(60) // 5
    for index in islice(_resamples(replace(rows, groups=groups), 0), 20):
        drawn = np.bincount(groups[index], minlength=12)
        assert (drawn % 5 == 0).all() and drawn.sum() == 60
    order = np.random.default_rng(0).permutation(60).astype(np.float64)
    for index in islice(_resamples(replace(rows, order=order), 0), 20):
        runs = order[index].reshape(20, 3)
        assert (np.diff(runs, axis=1) % 60 == 1).all()


def test_a_tuned_threshold_is_judged_by_the_score_it_is_tuned_for() -> None:
    tuned = Fix("tuned threshold", {"decide.threshold": "tuned"})
    recipe = QUICK.edited({"features.scale": "standard"})
    done = treat(evidence_on(dataset(learnable(900, positives=0.1, signal=1.2)), recipe), offering(tuned), repeats=2)
    (trial,) = [trial for trial in done.trials if trial.title == "tuned threshold"]
    assert trial.score == "mcc"


def test_a_threshold_takes_nothing_from_the_log_loss_that_guards_it() -> None:
    recipe = QUICK.edited({"features.scale": "standard", "decide.cost": {"fp": 1, "fn": 20}, "decide.threshold": 0.5})
    data = dataset(learnable(900, positives=0.1, signal=1.2))
    done = treat(evidence_on(data, recipe), offering(Fix("tuned", {"decide.threshold": "tuned"})), repeats=3)
    (trial,) = [trial for trial in done.trials if trial.title == "tuned"]
    assert (trial.status, trial.why) == ("improved", "")


def three_kinds(rows: int = 900, *, groups: int = 0) -> Cells:
    """Three classes, a tenth of the rows the rarest; with groups, that class is only in the first of them."""
    random = np.random.default_rng(5)
    kind = random.choice(3, rows, p=[0.5, 0.4, 0.1])
    cells = {
        "income": (random.normal(size=rows) + 1.5 * (kind == 2) - (kind == 0)) * 1e4,
        "age": random.normal(size=rows) + 1.5 * kind,
        "y": np.array(["low", "mid", "top"])[kind],
    }
    if groups:
        cells["team"] = np.where(kind == 2, random.integers(0, 3, rows), random.integers(0, groups, rows))
    return cells


MANY = QUICK.edited({"loss.kind": "cross-entropy"})


@pytest.mark.parametrize("score", ["average-precision", "f1", "mcc"])
def test_three_classes_are_judged_by_any_score(score: str) -> None:
    done = treat(evidence_on(dataset(three_kinds()), MANY), offering(STANDARDISE, ONE_UNIT), repeats=2, score=score)
    by_title = {trial.title: trial for trial in done.trials}
    assert {trial.score for trial in done.trials} == {score} == {done.score}
    assert by_title["standardise"].status == "improved", by_title["standardise"].why
    assert by_title[ONE_UNIT.title].status != "improved"
    assert done.status == "verified", done.why
    assert done.after[score] > done.before[score]


@pytest.mark.parametrize("score", ["log-loss", "average-precision"])
@pytest.mark.filterwarnings("error")
def test_folds_without_a_class_poison_no_verdict(score: str) -> None:
    recipe = MANY.edited({"split.group": "team"})
    done = treat(
        evidence_on(dataset(three_kinds(2000, groups=60)), recipe), offering(STANDARDISE), repeats=2, score=score
    )
    for values in (done.before, done.after, done.class_shares, done.honest):
        assert np.isfinite(list(values.values())).all()
    gains = [(trial.gain, trial.t) for trial in done.trials]
    assert len(gains) >= 3
    assert all(gain is not None and t is not None and np.isfinite([gain, t]).all() for gain, t in gains)


def test_two_classes_of_which_one_is_missing_in_folds_are_judged_by_the_other_folds() -> None:
    cells = three_kinds(2000, groups=60)
    rare = cells["y"] == "top"
    cells["team"] = np.where(rare, np.arange(2000) % 5, cells["team"])  # four of them in five folds, one locked away
    cells["y"] = np.where(rare, "yes", "no")
    recipe = QUICK.edited({"split.group": "team"})
    done = treat(evidence_on(dataset(cells), recipe), offering(STANDARDISE), repeats=2, score="average-precision")
    (trial,) = [trial for trial in done.trials if trial.title == "standardise"]
    assert trial.status == "improved"
    assert trial.gain is not None and np.isfinite(trial.gain)


def test_costs_that_are_not_known_cannot_be_judged_by() -> None:
    with pytest.raises(InputError, match=r"set recipe\.decide\.cost"):
        treat(evidence_on(dataset(learnable()), QUICK), offering(), repeats=1, score="cost")


def test_accuracy_judges_nothing_once_it_has_been_corrected() -> None:
    better = Fix("judge by average precision", {"decide.score": "average-precision"}, Aim.CORRECT)
    found = evidence_on(dataset(learnable()), QUICK.edited({"decide.score": "accuracy"}))
    done = treat(found, offering(better), repeats=1)
    assert done.score == "average-precision"


def test_where_costs_are_known_a_threshold_is_judged_by_what_it_costs() -> None:
    costs = {"features.scale": "standard", "decide.cost": {"fp": 1, "fn": 20}, "decide.threshold": 0.5}
    fixes = [Fix(name, {"decide.threshold": name}) for name in ("tuned", "bayes")]
    data = dataset(learnable(900, positives=0.1))
    done = treat(evidence_on(data, QUICK.edited(costs)), offering(*fixes), repeats=3)
    trials = [trial for trial in done.trials if trial.title in ("tuned", "bayes")]
    assert [trial.score for trial in trials] == ["cost", "cost"]
    assert [trial.status for trial in trials] == ["improved", "improved"]
    assert done.status == "verified", done.why
    assert done.score == "cost"
    assert done.after["cost"] < done.before["cost"]
    assert done.class_shares["cost"] == pytest.approx(0.9, abs=0.05)  # answering the positive class always
    assert "cost" not in treat(evidence_on(data, QUICK), offering(), repeats=1).after


def test_a_baseline_that_collapses_is_scored_as_the_constant_answer() -> None:
    cells = learnable(300, signal=0.0, scale=1)
    dead = QUICK.edited({"optimizer.learning-rate": 1e-12, "model.hidden": (), "optimizer.l1": 0.0})
    cells = {"x": np.full(300, 1e-9) * np.arange(300), "y": cells["y"]}
    done = treat(evidence_on(dataset(cells), dead), offering(), repeats=1)
    assert done.honest["roc-auc"] == pytest.approx(0.5, abs=0.05)
    assert any("collapsed" in note for note in done.notes)


def test_a_fix_that_cannot_be_trained_is_an_error_of_its_trial_only() -> None:
    smote = Fix("SMOTE with more neighbours than rows", {"resample.method": "smote", "resample.neighbors": 5000})
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(smote, STANDARDISE), repeats=2)
    by_title = {trial.title: trial for trial in done.trials}
    assert by_title[smote.title].status == "error"
    assert by_title[smote.title].why
    assert by_title["standardise"].kept


def test_what_the_locked_rows_deny_is_not_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    worse = Confirmation({"log-loss": 0.3}, {"log-loss": 0.4}, {"log-loss": 0.69}, -0.1, -0.2, 0.1, 0.2)
    monkeypatch.setattr("bindoctor.bundle.confirm", lambda *given, **named: worse)
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE), repeats=2)
    assert done.status == "not-confirmed"
    assert done.recipe == QUICK
    assert "log-loss got no better on the locked rows (-0.1000)" in done.why
    assert "Expected gain" not in printed(done)


def printed(done: Treatment) -> str:
    console = Console(file=io.StringIO(), width=400)
    print_treatment(done, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_gain_is_expected_only_of_what_was_verified() -> None:
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE), repeats=2)
    assert "Expected gain in log-loss on new rows" in printed(done)
    assert "Expected gain" not in printed(replace(done, status="cannot-verify"))


@pytest.mark.parametrize("lacking", ["as_found", "honest", "class_shares"])
def test_a_score_that_no_fold_defines_before_or_after_the_corrections_is_said_to_be_undefined(lacking: str) -> None:
    corrections = (Correction("BD204", "split by time", {"split.time": "day", "data.drop+": ("leak",)}),)
    done = treat(evidence_on(dataset(learnable(200)), QUICK), offering(), repeats=1, score="average-precision")
    done = replace(done, corrections=corrections)
    assert "average-precision 0." in printed(done)
    rest = {name: value for name, value in getattr(done, lacking).items() if name != "average-precision"}
    object.__setattr__(done, lacking, rest)
    assert "average-precision is undefined" in printed(done)


def test_a_confirmed_claim_says_nothing_of_another_score() -> None:
    before, after = {"log-loss": 0.4, "mcc": 0.5}, {"log-loss": 0.3, "mcc": 0.4}
    seen = Confirmation(before, after, {"log-loss": 0.69, "mcc": 0.0}, 0.1, 0.05, 0.15, 0.3)
    assert seen.holds
    assert seen.gain_in("mcc") == pytest.approx(-0.1)


def laboratory_of(cells: Mapping[str, Iterable[object]], jobs: int = 2) -> tuple[Laboratory, Rows]:
    rows = rows_of(dataset(cells), QUICK)
    return Laboratory(dataset(cells), rows, QUICK, seed=0, repeats=1, folds=3, jobs=jobs), rows


def test_a_repeat_comes_out_the_same_in_one_thread_and_in_several() -> None:
    recipe = QUICK.edited({"model.dropout": 0.2, "resample.method": "smote"})
    answers = []
    for threads in (1, 3):
        attempt = laboratory_of(learnable(120), threads)[0].extend(Attempt(recipe), stand_in=True)
        answers.append(attempt.runs[0].predictions.probability)
    alone, together = answers
    assert np.array_equal(alone, together)


def test_an_interruption_waits_for_no_training_that_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    def train(recipe: Recipe, *given: Any, **named: Any) -> Any:
        begun.append(recipe)
        return fit_prepared(recipe, *given, **named)

    monkeypatch.setattr("bindoctor.laboratory.fit_prepared", train)
    data = dataset(learnable(300))
    laboratory = Laboratory(data, rows_of(data, QUICK), QUICK, seed=0, repeats=1, jobs=1, fitted=interrupted)
    with pytest.raises(KeyboardInterrupt):
        laboratory.extend_each([Attempt(QUICK.edited({"train.epochs": n})) for n in range(20, 40)], stand_in=False)
    assert len(begun) <= 10


def test_trainings_in_stacks_answer_as_they_do_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wild = {"optimizer.learning-rate": 1e30, "optimizer.kind": "sgd"}
    recipes = [
        QUICK.edited({"features.scale": "standard"}),
        QUICK.edited({"features.scale": "standard", "optimizer.l1": 0.001}),
        QUICK.edited({"features.scale": "standard", **wild}),
        QUICK.edited({"features.scale": "standard", "resample.method": "smotenc"}),
        QUICK.edited({"features.scale": "standard", "model.batch-norm": True, "train.batch-size": 1}),
        QUICK.edited({"model.kind": "gradient-boosting"}),
    ]

    def extended(stand_in: bool) -> list[Attempt | Exception]:
        laboratory = laboratory_of(learnable(120))[0]
        return list(laboratory.extend_each([Attempt(recipe) for recipe in recipes], stand_in=stand_in))

    alone = [extended(stand_in) for stand_in in (False, True)]
    monkeypatch.setattr("bindoctor.laboratory.trains_stacked", lambda recipe: recipe.model.kind != "gradient-boosting")
    for one_by_one, together in zip(alone, [extended(stand_in) for stand_in in (False, True)], strict=True):
        for mine, theirs in zip(together, one_by_one, strict=True):
            assert type(mine) is type(theirs)
            if isinstance(mine, Attempt) and isinstance(theirs, Attempt):
                answers = [each.runs[0].predictions.probability for each in (mine, theirs)]
                assert answers[0] == pytest.approx(answers[1], abs=1e-4)
                assert len(mine.runs[0].failures) == len(theirs.runs[0].failures)
    assert isinstance(alone[0][2], TrainingFailed)
    assert isinstance(alone[0][3], InputError) and isinstance(alone[0][4], InputError)
    assert isinstance(alone[1][2], Attempt) and alone[1][2].runs[0].failures


def test_a_training_in_a_stack_is_expected_to_take_as_long_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(members: Any) -> Any:
        time.sleep(0.3)
        return fit_stacked(members)

    monkeypatch.setattr("bindoctor.laboratory.trains_stacked", lambda recipe: True)
    monkeypatch.setattr("bindoctor.laboratory.fit_stacked", slowly)
    laboratory, _ = laboratory_of(learnable(120))
    laboratory.extend(Attempt(QUICK), stand_in=True)
    assert laboratory.seconds_per_training >= 0.3


def test_rows_that_a_fix_leaves_out_are_not_trained_on_and_still_scored() -> None:
    cells = learnable(120)
    laboratory, rows = laboratory_of(cells)
    recipe = QUICK.edited({"data.drop-rows": [3, 50]})
    reader = TrialRows(dataset(cells), QUICK)
    read = reader.read(recipe, rows.row_ids)
    assert read.features.equals(rows.features)
    trained = reader.trained_on(recipe, read, np.arange(0, 120, 3))
    assert trained.tolist() == [row for row in range(0, 120, 3) if row != 3]
    attempt = laboratory.extend(Attempt(recipe), stand_in=True)
    assert sorted(attempt.runs[0].predictions.row_ids) == list(range(120))
    assert reader.trained_on(QUICK, rows, np.arange(4)).tolist() == [0, 1, 2, 3]


def test_a_fix_reads_the_rows_that_the_setup_leaves_in_whatever_stands_in_the_others() -> None:
    cells = learnable(120)
    cells["y"] = cells["y"].astype(object)
    cells["y"][5] = "unknown"
    base = QUICK.edited({"data.drop-rows": [5]})
    rows = rows_of(dataset(cells), base)
    laboratory = Laboratory(dataset(cells), rows, base, seed=0, repeats=1, folds=3)
    attempt = laboratory.extend(Attempt(base.edited({"data.drop": ["noise"]})), stand_in=True)
    assert attempt.runs[0].predictions.classes == ("0", "1") == rows.classes
    assert sorted(attempt.runs[0].predictions.row_ids) == [row for row in range(120) if row != 5]


def test_a_fix_that_changes_the_classes_cannot_be_compared() -> None:
    cells = learnable(120)
    laboratory, _ = laboratory_of(cells)
    with pytest.raises(InputError, match="changes the classes"):
        laboratory.extend(Attempt(QUICK.edited({"data.target-levels": {"0": "zero"}})), stand_in=True)


def test_a_number_of_the_row_hides_no_contradiction() -> None:
    place = np.arange(60)
    cells = {"row": place, "x": place % 5, "y": ((place % 5 == 0) & (place < 45)).astype(int)}
    reader, rows = TrialRows(dataset(cells), QUICK), rows_of(dataset(cells), QUICK)
    recipe = QUICK.edited({"data.conflicts": "majority"})
    applied = rows_of(dataset(cells), recipe)
    assert reader.trained_on(recipe, rows, place).tolist() == applied.row_ids.tolist()
    assert len(applied) == 57


def test_rows_contradict_each_other_within_the_training_rows_alone() -> None:
    cells: Mapping[str, list[object]] = {"x": [1, 1, 1, 2, 2, 3, 4, 5, 6, 7], "y": [0, 0, 1, 0, 1, 1, 0, 1, 0, 1]}
    reader, rows = TrialRows(dataset(cells), QUICK), rows_of(dataset(cells), QUICK)
    recipe = QUICK.edited({"data.conflicts": "majority"})
    assert reader.trained_on(recipe, rows, np.arange(10)).tolist() == [0, 1, 5, 6, 7, 8, 9]
    assert reader.trained_on(recipe, rows, np.array([0, 2, 4, 5])).tolist() == [4, 5]
    assert reader.trained_on(recipe, rows, np.array([2, 3, 5])).tolist() == [2, 3, 5]


def test_leaving_out_mislabelled_training_rows_is_tried_and_confirmed() -> None:
    cells = learnable(900, signal=4.0, scale=1)
    wrong = np.flatnonzero((np.arange(900) % 5 == 0) & (cells["y"] == 0))
    cells["y"][wrong] = 1
    far = {
        name: np.where(np.isin(np.arange(900), wrong) & (name == "income"), -20.0, values)
        for name, values in cells.items()
    }
    far["y"] = cells["y"]
    relieved = Fix("leave out the listed rows", {"data.drop-rows": wrong.tolist()})
    done = treat(evidence_on(dataset(far), QUICK), offering(relieved), repeats=2)
    (trial,) = [trial for trial in done.trials if trial.title == relieved.title]
    assert trial.status != "error", trial.why
    # They stand in every fold and among the locked rows, where they are still answered wrongly.
    assert (trial.gain or 0.0) < 0
    assert done.recipe == QUICK


def test_a_column_of_parts_locks_its_rows_away() -> None:
    cells = {**learnable(), "part": np.where(np.arange(500) % 4 == 0, "test", "train")}
    recipe = QUICK.edited({"split.column": "part"})
    done = treat(evidence_on(dataset(cells), recipe), offering(STANDARDISE), repeats=2)
    assert done.locked_rows == 125
    assert done.status == "verified", done.why


@pytest.mark.parametrize(
    "fix",
    [
        Fix("ratio", {"features.derive.share": {"op": "ratio", "a": "income", "b": "size"}}),
        Fix("group", {"features.derive.share": {"op": "group-mean-ratio", "a": "income", "by": "town"}}),
    ],
    ids=lambda fix: fix.title,
)
def test_an_engineered_feature_that_tells_the_class_is_kept(fix: Fix) -> None:
    random = np.random.default_rng(3)
    size, town = np.exp(random.normal(size=900)), random.integers(0, 40, 900)
    standard = np.exp(2 * random.normal(size=40))[town] if fix.title == "group" else size
    share = np.exp(0.3 * random.normal(size=900))
    y = random.random(900) < 1 / (1 + np.exp(-8 * np.log(share)))
    cells: dict[str, Iterable[object]] = {
        "income": share * standard,
        "size": size,
        "town": [f"town {k}" for k in town],
        "y": np.asarray(y).astype(int),
    }
    recipe = QUICK.edited({"features.scale": "standard", "features.encode": "target"})
    done = treat(evidence_on(dataset(cells), recipe), offering(fix), repeats=2)
    assert done.status == "verified", done.why
    assert done.edits == {
        "features.derive": {"share": Recipe().edited(fix.edits).to_dict()["features"]["derive"]["share"]}
    }


def test_fixes_for_many_rows_are_tried_on_some_and_confirmed_on_all() -> None:
    cells = learnable(2000)
    done = treat(evidence_on(dataset(cells), QUICK), offering(STANDARDISE), repeats=3, max_rows=600)
    assert done.status == "verified"
    assert done.locked_rows == 400
    assert any("a sample of 600 of 1600 rows" in note for note in done.notes)
    kept = next(trial for trial in done.trials if trial.kept)
    assert "on half of it" in kept.why
    assert done.final.predictions is not None
    assert done.final.predictions.row_ids.max() > 600


def test_the_positive_class_stays_the_same_on_every_part_of_the_rows() -> None:
    random = np.random.default_rng(2)
    # Of all rows fewer are good, of the earlier ones fewer are bad.
    good = np.concatenate([random.permutation(np.arange(2400) < 1310), random.permutation(np.arange(600) < 130)])
    cells = {
        "x": random.normal(size=3000) + 3 * good,
        "noise": random.normal(size=3000),
        "day": np.arange(3000),
        "y": np.where(good, "good", "bad"),
    }
    recipe = QUICK.edited({"features.scale": "standard", "split.time": "day", "data.drop": ["day"]})
    drop = Fix("leave out 'noise'", {"data.drop+": ("noise",)})
    done = treat(evidence_on(dataset(cells), recipe), offering(drop), repeats=2, max_rows=600)
    (trial,) = [trial for trial in done.trials if not trial.placebo]
    assert trial.gain is not None and abs(trial.gain) < 0.1, trial.why
    for evidence in (done.baseline, done.final):
        assert evidence.profile is not None and evidence.predictions is not None
        assert evidence.profile.classes == evidence.predictions.classes == ("bad", "good")


def test_a_fix_that_cannot_be_trained_on_half_of_the_sample_is_no_end_of_the_treatment() -> None:
    edits = {"features.scale": "standard", "resample.method": "smote", "resample.neighbors": 120}
    both = Fix("standardise, and SMOTE with many neighbours", edits)
    done = treat(evidence_on(dataset(learnable(3000)), QUICK), offering(both), repeats=2, max_rows=600)
    (trial,) = [trial for trial in done.trials if not trial.placebo]
    assert trial.gain is not None and trial.gain > 0.002
    assert trial.status == "no-difference"
    assert "cannot be trained on half of the sample" in trial.why
    assert done.status == "nothing-to-do"


@pytest.mark.parametrize(("doublings", "kept"), [(0.1, True), (30.0, False)])
def test_a_gain_that_fades_with_more_rows_is_kept_only_if_something_is_left_of_it(doublings: float, kept: bool) -> None:
    recipe = QUICK.edited({"train.epochs": 200, "model.hidden": (32,)})
    evidence = evidence_on(dataset(learnable(400, scale=1, signal=1.0)), recipe)
    assert evidence.dataset is not None
    laboratory = Laboratory(evidence.dataset, rows_of(evidence.dataset, recipe), recipe, seed=0)
    baseline = laboratory.complete(Attempt(recipe), stand_in=True)
    budget = Budget()
    decay = Fix("weight decay", {"optimizer.weight-decay": 0.01})
    course = Course(
        laboratory,
        offering(decay),
        evidence,
        "log-loss",
        Tracker(lambda event: None, budget),
        Ending(budget, 0.0),
        doublings=doublings,
    )
    course.run(baseline)
    trial = next(trial for trial in course.trials if not trial.placebo)
    assert trial.kept is kept
    assert "on half of it" in trial.why
    if not kept:
        assert trial.status == "no-difference"
        assert "too little would be left of it on all rows" in trial.why


def test_the_budget_stops_the_trials_and_what_was_kept_by_then_is_confirmed() -> None:
    class Clock(Budget):
        """Ends with the first question about a second slot."""

        asked = 0

        def require(self) -> None:
            self.asked += 1
            if self.asked > ALLOWED:
                raise OutOfTime

    # Three repeats of three folds of the baseline and two placebos, then of one fix and the placebos it is held to.
    ALLOWED = 3 * 3 * 4
    budget = Clock()
    units = Fix("one unit", {"model.hidden": (1,)})
    done = treat(
        evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE, units), repeats=3, folds=3, budget=budget
    )
    assert [(t.title, t.status, t.kept) for t in done.trials if not t.placebo] == [
        ("standardise", "improved", True),
        ("one unit", "out-of-time", False),
    ]
    assert done.status == "verified"
    assert any("The time budget ended in the trials for capacity" in note for note in done.notes)


def test_without_time_for_a_baseline_nothing_is_claimed() -> None:
    done = treat(evidence_on(dataset(learnable()), QUICK), offering(STANDARDISE), repeats=3, budget=Budget(0.0))
    assert (done.status, done.trials) == ("cannot-verify", ())
    assert "before the baseline was measured" in done.why


def test_regularisation_that_all_rows_do_not_need_is_taken_out_again() -> None:
    rows = rows_of(dataset(learnable(4000, scale=1, signal=2.0)), QUICK)
    strong = QUICK.edited({"optimizer.weight-decay": 0.3, "features.scale": "standard"})
    recipe, (said,) = fit_for_all_rows(QUICK, strong, rows, "log-loss", seed=0)
    assert recipe == QUICK.edited({"features.scale": "standard"})
    assert "optimizer.weight-decay" in said
    untouched = QUICK.edited({"features.scale": "standard"})
    assert fit_for_all_rows(QUICK, untouched, rows, "log-loss", seed=0) == (untouched, [])


def test_regularisation_is_weighed_by_costs_where_they_are_what_counts() -> None:
    costs = QUICK.edited({"features.scale": "standard", "decide.cost": {"fp": 1, "fn": 20}})
    rows = rows_of(dataset(learnable(1500, signal=3.0)), costs)
    strong = costs.edited({"optimizer.weight-decay": 3.0})
    recipe, (said,) = fit_for_all_rows(costs, strong, rows, "cost", seed=0)
    assert recipe == costs
    assert "cost is" in said


def test_what_is_expected_of_fixes_found_on_a_sample_is_what_they_gain_on_the_locked_rows() -> None:
    both = Fix("standardise, with an L2 penalty", {"features.scale": "standard", "optimizer.weight-decay": 0.2})
    done = treat(evidence_on(dataset(learnable(3000)), QUICK), offering(both), repeats=3, max_rows=600)
    assert done.status == "verified", done.why
    assert done.recipe.features.scale == "standard"
    assert done.recipe.optimizer.weight_decay == 0
    assert done.gain is not None
    assert done.gain.raw == done.gain.shrunken
