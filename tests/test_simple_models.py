"""Simple models answer the rows of a run on the run's own folds, and say nothing about rows that are not there."""

from dataclasses import replace

import numpy as np
import pytest

from bindoctor import Predictions, Recipe, Table, scores
from bindoctor.dataset import Dataset
from bindoctor.evidence import Evidence
from bindoctor.final import train_evidence
from bindoctor.readers import table_source
from bindoctor.scan import scan
from bindoctor.simple_models import MAX_ROWS, SimpleModels, train_simple_models
from bindoctor.splits import time_folds

GENERATOR = np.random.default_rng(0)
X, Z = GENERATOR.normal(size=(2, 600))
LABELS = (X * Z + 0.3 * GENERATOR.normal(size=600) > 0).astype(int)
TABLE = Table(
    {
        "x": X.tolist(),
        "z": Z.tolist(),
        "noise": GENERATOR.normal(size=600).tolist(),
        "colour": ["rgb"[i % 3] for i in range(600)],
        "y": [("no", "yes")[label] for label in LABELS],
    }
)
QUICK = Recipe().edited({"train.epochs": 5, "features.scale": "standard"})


def dataset(table: Table = TABLE) -> Dataset:
    return Dataset(table_source(table), "y")


def run_of(table: Table = TABLE, recipe: Recipe = QUICK) -> Evidence:
    data = dataset(table)
    evidence, _ = train_evidence(Evidence(data, scan(data, recipe), recipe))
    return evidence


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return run_of()


def answers(truth: np.ndarray, rows: np.ndarray, fold: np.ndarray) -> Predictions:
    return Predictions(("no", "yes"), truth, np.full((len(rows), 2), 0.5), rows, fold)


def test_both_answer_every_row_on_the_folds_of_the_run(evidence: Evidence) -> None:
    assert evidence.recipe is not None
    assert evidence.predictions is not None
    found = train_simple_models(dataset(), evidence.recipe, evidence.predictions)
    assert found is not None
    assert [model.kind for model in found] == ["logistic", "gradient-boosting"]
    folds = dict(zip(evidence.predictions.row_ids.tolist(), evidence.predictions.fold.tolist(), strict=True))
    for model in found:
        assert dict(zip(model.predictions.row_ids.tolist(), model.predictions.fold.tolist(), strict=True)) == folds
        assert evidence.recipe.edited(model.edits).model.kind == model.kind


def test_trees_see_a_product_and_what_it_is_made_of(evidence: Evidence) -> None:
    assert evidence.recipe is not None
    assert evidence.predictions is not None
    linear, trees = train_simple_models(dataset(), evidence.recipe, evidence.predictions) or ()
    losses = [scores.log_loss(model.predictions.truth, model.predictions.probability) for model in (linear, trees)]
    assert losses[1] < 0.5 < losses[0]
    assert not linear.importance
    for name in ("x", "z"):
        assert trees.importance[name].rise > 5 * trees.importance[name].error
    assert trees.importance["noise"].rise < trees.importance["x"].rise / 10


def test_a_holdout_is_answered_by_what_was_trained_on_the_rest() -> None:
    rows = np.arange(500, 600)
    found = train_simple_models(dataset(), QUICK, answers(LABELS[rows], rows, np.zeros(100, dtype=np.int64)))
    assert found is not None
    assert sorted(found[0].predictions.row_ids) == rows.tolist()


def test_answers_to_all_rows_in_one_part_are_met_with_folds() -> None:
    rows = np.arange(600)
    found = train_simple_models(dataset(), QUICK, answers(LABELS, rows, np.zeros(600, dtype=np.int64)))
    assert found is not None
    assert len(np.unique(found[0].predictions.fold)) == QUICK.split.folds


@pytest.mark.parametrize("rows", [np.arange(600)[::-1].copy(), np.arange(1000, 1600)], ids=["other rows", "no rows"])
def test_answers_to_other_rows_are_not_compared(rows: np.ndarray) -> None:
    assert train_simple_models(dataset(), QUICK, answers(LABELS, rows, np.arange(600) % 5)) is None


def test_of_many_rows_a_sample_is_answered() -> None:
    many = 2 * MAX_ROWS
    labels = np.arange(many) % 2
    table = Table({"x": [i * 37 % 1009 for i in range(many)], "y": [("no", "yes")[label] for label in labels]})
    recipe = QUICK.edited({"train.epochs": 1})
    seen = answers(labels, np.arange(many), np.arange(many) % 5)
    found = train_simple_models(dataset(table), recipe, seen)
    assert found is not None
    assert {len(model.predictions.truth) for model in found} == {MAX_ROWS}


def test_nothing_later_in_time_is_trained_on() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    turned = np.arange(600) >= 300
    labels = ((x > 0) ^ turned).astype(int)
    table = Table({"x": x.tolist(), "when": list(range(600)), "y": [("no", "yes")[label] for label in labels]})
    windows = time_folds(np.arange(600.0), 5)
    rows = np.concatenate([test for _, test in windows])
    fold = np.repeat(np.arange(5), [len(test) for _, test in windows])
    recipe = QUICK.edited({"split.time": "when", "data.drop": ["when"], "decide.calibrate": "platt"})
    found = train_simple_models(dataset(table), recipe, answers(labels[rows], rows, fold))
    assert found is not None
    for model in found:
        assert sorted(model.predictions.row_ids) == sorted(rows)
        first, last = (
            model.predictions.take(np.flatnonzero((model.predictions.row_ids < 300) == early))
            for early in (True, False)
        )
        # The earliest rows, which are in no window, are trained on; and what is learnt from them holds until row 300.
        assert scores.measure("roc-auc", first) > 0.95 > scores.measure("roc-auc", last)


def test_the_latest_rows_of_a_holdout_are_answered_by_the_earlier_ones() -> None:
    table = Table({**TABLE.cells, "when": list(range(600))})
    recipe = QUICK.edited({"split.time": "when"})
    run = run_of(table, recipe)
    assert run.predictions is not None
    found = train_simple_models(dataset(table), recipe, run.predictions)
    assert found is not None
    assert set(found[0].predictions.row_ids.tolist()) == set(run.predictions.row_ids.tolist())


def test_of_many_rows_those_that_were_answered_are_not_drawn_away() -> None:
    many = 4 * MAX_ROWS
    labels = np.arange(many) % 2
    table = Table({"x": [i * 37 % 1009 for i in range(many)], "y": [("no", "yes")[label] for label in labels]})
    recipe = QUICK.edited({"train.epochs": 1})
    held = np.arange(0, many, many // 60)
    found = train_simple_models(dataset(table), recipe, answers(labels[held], held, np.zeros(len(held), dtype=int)))
    assert found is not None
    assert [sorted(model.predictions.row_ids) for model in found] == [held.tolist()] * 2


def test_a_fold_that_no_drawn_row_is_in_is_passed_over() -> None:
    many = 2 * MAX_ROWS
    labels = np.arange(many) % 2
    table = Table({"x": [i * 37 % 1009 for i in range(many)], "y": [("no", "yes")[label] for label in labels]})
    # Folds of one row, as a group that is alone in its fold may be: about half of them are not drawn.
    fold = np.where(np.arange(many) < 8, 2 + np.arange(many), np.arange(many) % 2)
    found = train_simple_models(
        dataset(table), QUICK.edited({"train.epochs": 1}), answers(labels, np.arange(many), fold)
    )
    assert found is not None
    assert [len(model.predictions.truth) for model in found] == [MAX_ROWS] * 2


def test_rows_too_few_for_folds_leave_both_models_out() -> None:
    table = Table({"x": list(range(12)), "y": ["no"] * 9 + ["yes"] * 3})
    seen = answers(np.repeat([0, 1], [9, 3]), np.arange(12), np.zeros(12, dtype=np.int64))
    assert train_simple_models(dataset(table), QUICK.edited({"split.stratify": True}), seen) == ()


def test_what_was_trained_once_is_remembered(evidence: Evidence) -> None:
    simple = SimpleModels()
    first = simple.beside(evidence)
    assert first is not None
    assert simple.beside(replace(evidence, history=None)) is first
    assert simple.beside(replace(evidence, predictions=None)) is None


def test_a_model_that_cannot_be_trained_is_left_out() -> None:
    table = Table({"x": [1e39, *X[1:].tolist()], "y": [("no", "yes")[label] for label in LABELS]})
    rows = np.arange(600)
    recipe = QUICK.edited({"features.scale": "none"})
    # float32 has no number for such a cell.
    assert train_simple_models(dataset(table), recipe, answers(LABELS, rows, rows % 5)) == ()
