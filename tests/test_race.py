"""A fix's slot follows from what it edits, and a slot tries the best alternatives of every finding first."""

import numpy as np
import pytest

from bindoctor import Aim, Finding, Fix, Recipe, Rule, Table, Where
from bindoctor.attempt import Attempt
from bindoctor.laboratory import Laboratory
from bindoctor.race import MAX_PER_SLOT, SLOTS, candidates_of, run_placebos, slot_of
from bindoctor.readers import open_dataset, table_source
from bindoctor.registry import discover
from bindoctor.rows import rows_of
from bindoctor.testing import findings_in

OWN = [rule for rule in discover().rules if rule.code.startswith("BD")]


@pytest.mark.parametrize(
    ("edits", "slot"),
    [
        ({"features.scale": "standard"}, "scaling"),
        ({"features.transform.Income": "log1p"}, "scaling"),
        ({"data.missing-values.Experience": ("-1",), "features.impute": "median"}, "columns"),
        ({"resample.method": "smote"}, "imbalance"),
        ({"loss.class-weight": "balanced"}, "imbalance"),
        ({"decide.threshold": "tuned"}, "threshold"),
        ({"decide.calibrate": "platt"}, "calibration"),
        ({"train.epochs": 100}, "training length"),
        ({"train.patience": 10}, "regularisation"),
        ({"optimizer.kind": "adamw", "optimizer.weight-decay": 0.1}, "regularisation"),
        ({"features.scale": "standard", "train.patience": 10}, "scaling"),
        ({"optimizer.learning-rate": 0.01}, "optimizer"),
        ({"model.hidden": (16,)}, "capacity"),
        ({"features.clip.Income": (0.01, 0.99)}, "scaling"),
        ({"data.limits.age": (0.0, 120.0)}, "columns"),
        ({"features.dates.day": {"parts": ("month",)}}, "columns"),
        ({"features.keep": 20}, "regularisation"),
        ({"data.drop-rows+": (3, 7)}, "rows"),
        ({"data.conflicts": "majority"}, "rows"),
        ({"train.batch-size": 1024}, "optimizer"),
        ({"model.kind": "gradient-boosting"}, "estimator"),
        ({"features.derive.a_over_b": {"op": "ratio", "a": "a", "b": "b"}}, "engineered features"),
    ],
)
def test_the_slot_is_the_earliest_that_an_edit_belongs_to(edits: dict[str, object], slot: str) -> None:
    assert slot_of(Fix("", edits)) == slot


def finding(code: str, *rates: float, aim: Aim = Aim.IMPROVE) -> Finding:
    fixes = tuple(Fix(f"{code} {rate}", {"optimizer.learning-rate": rate}, aim) for rate in rates)
    return Finding("", Where("recipe"), fixes=fixes, code=code)


def test_the_first_alternative_of_each_finding_goes_before_the_second_of_any() -> None:
    more = [0.6 + rate / 100 for rate in range(MAX_PER_SLOT)]
    found, left_out = candidates_of("optimizer", [finding("A", 0.1, 0.2, *more), finding("B", 0.4, 0.5)], Recipe())
    assert [candidate.fix.title for candidate in found[:4]] == ["A 0.1", "B 0.4", "A 0.2", "B 0.5"]
    assert (len(found), left_out) == (MAX_PER_SLOT, 4)


@pytest.mark.parametrize("rule", OWN, ids=[rule.code for rule in OWN])
def test_every_alternative_of_a_finding_has_its_trial(rule: Rule) -> None:
    for situation in rule.flags:
        found, recipe = findings_in(rule, situation), situation.recipe or Recipe()
        for slot, _ in SLOTS:
            for one in found:
                assert candidates_of(slot, [one], recipe)[1] == 0


def test_the_same_change_is_tried_once_and_no_change_never() -> None:
    unchanged = Recipe().optimizer.learning_rate
    found, left_out = candidates_of("optimizer", [finding("A", 0.1, unchanged), finding("B", 0.1)], Recipe())
    assert [(candidate.code, candidate.fix.title) for candidate in found] == [("A", "A 0.1")]
    assert left_out == 0


def test_corrections_and_advice_are_no_candidates() -> None:
    found, _ = candidates_of(
        "optimizer", [finding("A", 0.1, aim=Aim.CORRECT), finding("B", 0.2, aim=Aim.ADVISE)], Recipe()
    )
    assert found == ()


@pytest.mark.parametrize("kind", ["logistic", "gradient-boosting"])
def test_doing_nothing_moves_every_learners_score_and_does_not_make_it_much_worse(kind: str) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(240, 3))
    y = (x[:, 0] + random.normal(size=240) > 0).astype(int)
    table = Table({**{f"x{i}": column.tolist() for i, column in enumerate(x.T)}, "y": y.tolist()})
    dataset = open_dataset(table_source(table), "y")
    recipe = Recipe().edited({"model.kind": kind, "train.epochs": 4})
    laboratory = Laboratory(dataset, rows_of(dataset, recipe), recipe, seed=0, repeats=2, folds=3)
    baseline = laboratory.complete(Attempt(recipe), stand_in=True)
    placebos = run_placebos(laboratory, baseline, "log-loss")
    gains = [placebo.gain for placebo in placebos]
    assert 0 not in gains
    assert gains[0] != gains[1]
    assert all(abs(gain or 0.0) < 0.1 * baseline.score("log-loss").mean() for gain in gains)
    assert all(("no seed changes" in placebo.why) == (kind == "gradient-boosting") for placebo in placebos)
