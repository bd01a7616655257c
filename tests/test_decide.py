"""Thresholds and calibrators are fitted on rows the model did not see, and never on the row they answer."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV

from bindoctor import InputError, Predictions, Recipe, Rows, scores
from bindoctor.decide import Decision, cross_decided, fit_calibrator, fit_decision, needs_fitting, tune_threshold
from bindoctor.final import train_final
from bindoctor.recipe_sections import Decide

TUNED_FOR: Mapping[str, Decide] = {
    "mcc": Decide(tune_for="mcc"),
    "f1": Decide(tune_for="f1"),
    "balanced-accuracy": Decide(tune_for="balanced-accuracy"),
    "accuracy": Decide(tune_for="accuracy"),
    "cost": Decide(cost={"fp": 1, "fn": 20}),
}
COSTLY = Decide(cost={"fp": 1, "fn": 20})
KINDS: tuple[Literal["temperature", "platt", "isotonic"], ...] = ("temperature", "platt", "isotonic")


def overconfident(n: int = 2000, *, classes: int = 2, factor: float = 3.0, seed: int = 0) -> Predictions:
    """Answers whose logits are ``factor`` times too large, over five folds."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, classes)) * 1.5
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random((n, 1)) > right.cumsum(axis=1)).sum(axis=1)
    claimed = np.exp(factor * logits)
    return Predictions(
        tuple("abcd"[:classes]),
        truth.astype(np.int64),
        claimed / claimed.sum(axis=1, keepdims=True),
        np.arange(n),
        np.arange(n) % 5,
    )


def binary_predictions(positive: list[float], truth: list[int], fold: list[int] | None = None) -> Predictions:
    p = np.array(positive)
    rows = np.arange(len(p))
    folds = rows * 0 if fold is None else np.array(fold)
    return Predictions(("no", "yes"), np.array(truth), np.column_stack([1 - p, p]), rows, folds)


# Thresholds


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=2, max_size=40),
    st.sampled_from(list(TUNED_FOR)),
)
@settings(deadline=None)
def test_no_threshold_scores_better_than_the_tuned_one(cases: list[tuple[int, int]], tune_for: str) -> None:
    positive = [p / 20 for p, _ in cases]
    predictions = binary_predictions(positive, [y for _, y in cases])
    tuned = tune_threshold(predictions.truth, predictions.positive, TUNED_FOR[tune_for])
    assert 0 <= tuned <= 1
    predictions = replace(predictions, costs=TUNED_FOR[tune_for].costs)
    best = scores.measure(tune_for, replace(predictions, threshold=tuned))
    for threshold in np.arange(0, 1.0001, 0.025):
        other = scores.measure(tune_for, replace(predictions, threshold=float(threshold)))
        assert scores.gain(tune_for, best, other) <= 1e-12


def test_a_threshold_lies_half_way_between_neighbours() -> None:
    assert tune_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.9]), Decide()) == pytest.approx(0.3)


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    truth, positive = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.5, 0.7])
    assert tune_threshold(truth, positive, TUNED_FOR["accuracy"]) == pytest.approx(0.6)


def test_a_rare_class_gets_a_threshold_below_a_half() -> None:
    random = np.random.default_rng(0)
    positive = random.beta(1, 9, 3000)
    truth = (random.random(3000) < positive).astype(int)
    for tune_for in ("mcc", "f1", "balanced-accuracy"):
        assert tune_threshold(truth, positive, TUNED_FOR[tune_for]) < 0.35


# Calibrators


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_mends_overconfident_answers(
    kind: Literal["temperature", "platt", "isotonic"], classes: int
) -> None:
    seen, unseen = overconfident(classes=classes), overconfident(classes=classes, seed=1)
    calibrator = fit_calibrator(kind, seen.truth, seen.probability)
    calibrated = calibrator.apply(unseen.probability)
    assert calibrated.shape == unseen.probability.shape
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert ((calibrated > 0) & (calibrated < 1)).all()
    right = scores.log_loss(unseen.truth, overconfident(classes=classes, factor=1, seed=1).probability)
    before = scores.log_loss(unseen.truth, unseen.probability)
    assert scores.log_loss(unseen.truth, calibrated) < right + 0.1 * (before - right)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_temperature_is_the_factor_by_which_logits_are_too_large(classes: int) -> None:
    seen = overconfident(5000, classes=classes)
    calibrator = fit_calibrator("temperature", seen.truth, seen.probability)
    assert Decision(0.5, calibrator).to_dict()["calibrator"]["temperature"] == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_calibration_of_two_classes_keeps_the_order_of_rows(kind: Literal["temperature", "platt", "isotonic"]) -> None:
    seen = overconfident()
    calibrated = fit_calibrator(kind, seen.truth, seen.probability).apply(seen.probability)[:, 1]
    assert (np.diff(calibrated[np.argsort(seen.positive)]) >= 0).all()


def test_certain_answers_are_calibrated_without_overflow() -> None:
    truth, probability = np.array([0, 1, 1, 0] * 5), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]] * 5)
    for kind in KINDS:
        calibrated = fit_calibrator(kind, truth, probability).apply(probability)
        assert np.isfinite(calibrated).all()
        assert scores.log_loss(truth, calibrated) < scores.log_loss(truth, probability)


def test_separable_rows_do_not_make_calibration_certain() -> None:
    truth, positive = np.array([0] * 10 + [1] * 10), np.linspace(0.1, 0.9, 20)
    probability = np.column_stack([1 - positive, positive])
    for kind in ("platt", "isotonic"):
        assert fit_calibrator(kind, truth, probability).apply(probability).max() < 0.995


def test_rows_of_one_class_calibrate_nothing() -> None:
    probability = np.full((5, 2), 0.5)
    assert fit_calibrator("platt", np.zeros(5, dtype=int), probability) == fit_calibrator(
        "none", np.zeros(5, dtype=int), probability
    )


@pytest.mark.parametrize("kind", ["none", *KINDS])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_decision_survives_json(kind: Literal["none", "temperature", "platt", "isotonic"], classes: int) -> None:
    seen = overconfident(200, classes=classes)
    decision = Decision(0.3, fit_calibrator(kind, seen.truth, seen.probability))
    read = Decision.from_dict(json.loads(json.dumps(decision.to_dict())))
    assert read == decision
    assert np.array_equal(read.calibrator.apply(seen.probability), decision.calibrator.apply(seen.probability))


def test_a_spoilt_decision_is_refused() -> None:
    with pytest.raises(InputError, match="the saved threshold and calibrator cannot be read"):
        Decision.from_dict({"threshold": 0.5, "calibrator": {"type": "magic"}})


# Across folds


def test_a_fixed_threshold_needs_no_fitting() -> None:
    predictions = overconfident()
    decided = cross_decided(predictions, Decide(threshold=0.2))
    assert not needs_fitting(Decide(threshold=0.2))
    assert np.array_equal(decided.probability, predictions.probability)
    assert np.array_equal(decided.decision, predictions.positive >= 0.2)


@pytest.mark.parametrize("folds", [2, 5])
def test_no_rows_own_label_changes_its_answer(folds: int) -> None:
    decide = Decide(threshold="tuned", calibrate="isotonic")
    predictions = overconfident(60)
    predictions = replace(predictions, fold=predictions.row_ids % folds)
    decided = cross_decided(predictions, decide)
    for row in range(0, 60, 7):
        truth = predictions.truth.copy()
        truth[row] = 1 - truth[row]
        other = cross_decided(replace(predictions, truth=truth), decide)
        assert other.decision[row] == decided.decision[row]
        assert np.array_equal(other.probability[row], decided.probability[row])


def test_under_repeats_a_row_is_not_answered_by_its_own_label_from_another_repeat() -> None:
    once = overconfident(60)
    index = np.concatenate([np.arange(60), np.random.default_rng(0).permutation(60)])
    twice = replace(once.take(index), fold=np.concatenate([np.arange(60) % 3, 3 + np.arange(60) % 3]))
    decide = Decide(threshold="tuned", calibrate="platt")
    decided = cross_decided(twice, decide)
    truth = twice.truth.copy()
    truth[twice.row_ids == 17] = 1 - truth[twice.row_ids == 17]
    other = cross_decided(replace(twice, truth=truth), decide)
    here = twice.row_ids == 17
    assert np.array_equal(other.probability[here], decided.probability[here])


@pytest.mark.parametrize("folds", [1, 4])
def test_in_time_no_later_label_changes_an_answer(folds: int) -> None:
    decide = Decide(threshold="tuned", calibrate="platt")
    predictions = overconfident(240)
    day = (predictions.row_ids // 6).astype(np.float64)
    predictions = replace(predictions, fold=predictions.row_ids * folds // 240, order=day)
    decided = cross_decided(predictions, decide)
    for cut in (10, 25, 39):
        truth = np.where(day >= cut, 1 - predictions.truth, predictions.truth)
        other = cross_decided(replace(predictions, truth=truth), decide)
        known = day <= cut
        assert np.array_equal(other.decision[known], decided.decision[known])
        assert np.array_equal(other.probability[known], decided.probability[known])


def test_in_time_the_first_rows_are_answered_as_if_nothing_were_known() -> None:
    predictions = overconfident(240)
    predictions = replace(predictions, fold=predictions.row_ids // 60, order=predictions.row_ids.astype(np.float64))
    decided = cross_decided(predictions, Decide(threshold="tuned", calibrate="temperature"))
    first = predictions.fold == 0
    assert np.array_equal(decided.probability[first], predictions.probability[first])
    assert np.array_equal(decided.decision[first], predictions.positive[first] >= 0.5)
    assert not np.array_equal(decided.probability[~first], predictions.probability[~first])


def test_a_single_held_out_part_of_groups_is_halved_between_groups() -> None:
    decide = Decide(calibrate="temperature")
    group = np.arange(240) // 8
    predictions = replace(overconfident(240), fold=np.zeros(240, dtype=int), groups=group)
    decided = cross_decided(predictions, decide)
    factor = logit(predictions.positive) / logit(decided.positive)
    of_group = [np.ptp(factor[(group == g) & (np.abs(predictions.positive - 0.5) < 0.49)]) for g in range(30)]
    assert max(of_group) < 1e-6
    assert len(np.unique(factor[np.abs(predictions.positive - 0.5) < 0.49].round(6))) == 2


def test_a_tuned_threshold_gains_nothing_on_noise() -> None:
    random = np.random.default_rng(0)
    mccs = []
    for _ in range(30):
        p, y = random.random(100), (random.random(100) < 0.3).astype(int)
        predictions = binary_predictions(p.tolist(), y.tolist(), (np.arange(100) % 5).tolist())
        mccs.append(scores.measure("mcc", cross_decided(predictions, Decide(threshold="tuned"))))
    assert abs(float(np.mean(mccs))) < 0.06


def test_a_tuned_threshold_raises_what_it_is_tuned_for() -> None:
    random = np.random.default_rng(0)
    positive = random.beta(1, 9, 3000)
    truth = (random.random(3000) < positive).astype(int)
    predictions = binary_predictions(positive.tolist(), truth.tolist(), (np.arange(3000) % 5).tolist())
    tuned = cross_decided(predictions, Decide(threshold="tuned", tune_for="balanced-accuracy"))
    assert scores.measure("balanced-accuracy", tuned) > scores.measure("balanced-accuracy", predictions) + 0.1
    assert (
        tuned.threshold == fit_decision(predictions, Decide(threshold="tuned", tune_for="balanced-accuracy")).threshold
    )


def test_a_single_held_out_part_is_decided_in_two_halves() -> None:
    predictions = replace(overconfident(400), fold=np.zeros(400, dtype=int))
    decided = cross_decided(predictions, Decide(calibrate="temperature"))
    assert np.array_equal(decided.fold, predictions.fold)
    assert scores.log_loss(decided.truth, decided.probability) < scores.log_loss(
        predictions.truth, predictions.probability
    )
    unsure = np.abs(predictions.positive - 0.5) < 0.49
    factors = (logit(predictions.positive) / logit(decided.positive))[unsure]
    assert len(np.unique(factors.round(6))) == 2


def test_three_classes_are_calibrated_but_have_no_threshold() -> None:
    predictions = overconfident(classes=3)
    calibrated = cross_decided(predictions, Decide(calibrate="platt"))
    assert scores.log_loss(calibrated.truth, calibrated.probability) < scores.log_loss(
        predictions.truth, predictions.probability
    )
    assert np.array_equal(calibrated.decision, calibrated.probability.argmax(axis=1))
    with pytest.raises(InputError, match=r"recipe\.decide\.threshold 'tuned' fits two classes, but the target has 3"):
        cross_decided(predictions, Decide(threshold="tuned"))


# Costs of errors


def honest(n: int = 6000, *, factor: float = 1.0, seed: int = 0) -> Predictions:
    """Answers with a tenth of positives over five folds, honest where ``factor`` is 1."""
    random = np.random.default_rng(seed)
    share = random.beta(1, 9, n)
    truth = (random.random(n) < share).astype(np.int64)
    claimed = expit(factor * logit(share))
    return Predictions(("no", "yes"), truth, np.column_stack([1 - claimed, claimed]), np.arange(n), np.arange(n) % 5)


def test_a_cost_matrix_moves_the_threshold() -> None:
    decided = cross_decided(honest(), COSTLY)
    assert decided.costs == (1, 20)
    assert 0.02 < decided.threshold < 0.1
    assert fit_decision(honest(), COSTLY).threshold == decided.threshold


@pytest.mark.parametrize(("fp", "fn"), [(1, 20), (1, 1), (5, 1), (0.5, 2.5)])
def test_the_bayes_threshold_is_what_false_positives_cost_of_both_errors(fp: float, fn: float) -> None:
    decided = cross_decided(honest(), Decide(cost={"fp": fp, "fn": fn}, threshold="bayes"))
    assert decided.threshold == pytest.approx(fp / (fp + fn))
    assert np.array_equal(decided.decision, decided.positive >= fp / (fp + fn))


def test_on_honest_probabilities_tuning_and_bayes_cost_about_the_same_and_half_costs_more() -> None:
    tuned, bayes, half = (
        scores.measure("cost", cross_decided(honest(), Decide(cost=dict(COSTLY.cost), threshold=threshold)))
        for threshold in ("tuned", "bayes", 0.5)
    )
    assert tuned == pytest.approx(bayes, rel=0.05)
    assert half > 1.8 * bayes


def test_on_dishonest_probabilities_a_tuned_threshold_is_cheaper_than_bayes() -> None:
    for factor in (3.0, 0.3):
        claimed = honest(factor=factor)
        tuned, bayes = (
            scores.measure("cost", cross_decided(claimed, Decide(cost=dict(COSTLY.cost), threshold=threshold)))
            for threshold in ("tuned", "bayes")
        )
        assert tuned < 0.9 * bayes


def test_bayes_on_calibrated_probabilities_is_as_cheap_as_tuning() -> None:
    claimed = honest(factor=3.0)
    bayes = Decide(cost=dict(COSTLY.cost), threshold="bayes", calibrate="temperature")
    cost = scores.measure("cost", cross_decided(claimed, bayes))
    assert cost == pytest.approx(scores.measure("cost", cross_decided(claimed, COSTLY)), rel=0.05)


def test_the_mean_cost_counts_each_error_at_its_price() -> None:
    predictions = binary_predictions([0.9, 0.8, 0.1, 0.2, 0.7], [1, 0, 1, 0, 1])
    assert scores.measure("cost", replace(predictions, costs=(3.0, 10.0))) == pytest.approx((3 + 10) / 5)
    with pytest.raises(InputError, match=r"set recipe\.decide\.cost"):
        scores.measure("cost", predictions)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=2, max_size=40),
    st.floats(0, 100),
    st.floats(0.01, 100),
)
@settings(deadline=None)
def test_a_unit_of_money_changes_no_threshold(cases: list[tuple[int, int]], fp: float, fn: float) -> None:
    truth, positive = np.array([y for _, y in cases]), np.array([p / 20 for p, _ in cases])
    in_euros, in_cents = (
        tune_threshold(truth, positive, Decide(cost={"fp": unit * fp, "fn": unit * fn})) for unit in (1, 128)
    )
    assert in_euros == in_cents


def test_a_tuned_threshold_lies_where_scikit_learn_puts_it() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(800, 3))
    y = (random.random(800) < expit(x[:, 0] - 2)).astype(int)
    scorer = metrics.make_scorer(lambda t, p: -(((t == 0) & (p == 1)).sum() + 20 * ((t == 1) & (p == 0)).sum()))
    model = LogisticRegression().fit(x, y)
    theirs = TunedThresholdClassifierCV(model, scoring=scorer, cv="prefit", refit=False, thresholds=2000).fit(x, y)
    ours = tune_threshold(y, model.predict_proba(x)[:, 1], COSTLY)
    costs = [
        scores.mean_cost(scores.confusion(y, (model.predict_proba(x)[:, 1] >= cut).astype(int), 2), (1, 20))
        for cut in (ours, theirs.best_threshold_)
    ]
    assert costs[0] <= costs[1] + 1e-12
    assert ours == pytest.approx(theirs.best_threshold_, abs=0.02)


@pytest.mark.parametrize("threshold", [0.5, "auto", "tuned", "bayes"])
def test_three_classes_have_no_cost_of_false_positives(threshold: object) -> None:
    decide = Recipe().edited({"decide.cost": {"fp": 1, "fn": 2}, "decide.threshold": threshold}).decide
    with pytest.raises(InputError, match=r"recipe\.decide\.cost fits two classes, but the target has 3"):
        cross_decided(overconfident(classes=3), decide)


def test_the_final_model_is_tuned_for_what_errors_cost() -> None:
    rows = final_rows()
    recipe = Recipe().edited({"train.epochs": 10, "decide.cost": {"fp": 1, "fn": 20}, "split.folds": 3})
    model = train_final(recipe, rows, seed=0)
    assert model.decision.threshold < 0.3
    answers_yes = 1 - rows.labels.mean()
    assert scores.measure("cost", model.predictions(rows)) < answers_yes < 20 * rows.labels.mean()


# The final model


def final_rows(n: int = 300) -> Rows:
    random = np.random.default_rng(0)
    labels = (random.random(n) < 0.2).astype(np.int64)
    return Rows(pl.DataFrame({"x": random.normal(size=n) + labels}), labels, ("no", "yes"), np.arange(n))


def test_the_final_model_answers_with_the_recipes_threshold() -> None:
    rows = final_rows()
    model = train_final(Recipe().edited({"train.epochs": 5, "decide.threshold": 0.1}), rows, seed=0)
    assert model.decision == Decision(0.1)
    assert np.array_equal(model.decide(rows.features), model.predict(rows.features)[:, 1] >= 0.1)


def test_the_final_model_learns_its_threshold_and_calibrator_out_of_fold() -> None:
    rows = final_rows()
    edits = {"train.epochs": 10, "decide.threshold": "tuned", "decide.calibrate": "temperature"}
    model = train_final(Recipe().edited(edits), rows, seed=0)
    assert model.decision.threshold < 0.5
    answered = model.predictions(rows)
    assert np.array_equal(answered.decision, model.decide(rows.features))
    assert not np.array_equal(answered.probability, model.fitted.probability(rows.features))
