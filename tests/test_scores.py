"""Scores agree with scikit-learn, ties included, and know which way is better."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from bindoctor import InputError, Predictions, scores

TENTHS = st.integers(0, 10).map(lambda tenth: tenth / 10)


@st.composite
def binary(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, both present, with probabilities in tenths, so that ties are common."""
    positive = draw(st.lists(TENTHS, min_size=2, max_size=60))
    truth = draw(st.lists(st.integers(0, 1), min_size=len(positive), max_size=len(positive)))
    truth[0], truth[1] = 0, 1
    return np.array(truth), np.column_stack([1 - np.array(positive), positive])


@st.composite
def three_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    weights = draw(st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=3, max_size=40))
    truth = draw(st.lists(st.integers(0, 2), min_size=len(weights), max_size=len(weights)))
    truth[:3] = [0, 1, 2]
    table = np.array(weights, dtype=float)
    return np.array(truth), table / table.sum(axis=1, keepdims=True)


def predictions(truth: np.ndarray, probability: np.ndarray, threshold: float = 0.5) -> Predictions:
    classes = tuple("abcd"[: probability.shape[1]])
    return Predictions(classes, truth, probability, np.arange(len(truth)), np.zeros(len(truth), dtype=int), threshold)


@given(binary())
def test_scores_of_two_classes_agree_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = case
    positive, decision = probability[:, 1], (probability[:, 1] >= 0.5).astype(int)
    theirs = {
        "average-precision": metrics.average_precision_score(truth, positive),
        "roc-auc": metrics.roc_auc_score(truth, positive),
        "brier": metrics.brier_score_loss(truth, positive),
        "accuracy": metrics.accuracy_score(truth, decision),
        "balanced-accuracy": metrics.balanced_accuracy_score(truth, decision),
        "f1": metrics.f1_score(truth, decision, zero_division=0),
        "mcc": metrics.matthews_corrcoef(truth, decision),
    }
    ours = {name: scores.measure(name, predictions(truth, probability)) for name in theirs}
    assert ours == pytest.approx(theirs, abs=1e-12)


@given(three_classes())
def test_scores_of_three_classes_agree_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = case
    decision = probability.argmax(axis=1)
    hits = np.eye(3)[truth]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {
            "log-loss": metrics.log_loss(truth, probability),
            "average-precision": metrics.average_precision_score(hits, probability, average="macro"),
            "roc-auc": metrics.roc_auc_score(hits, probability, average="macro"),
            "brier": metrics.brier_score_loss(truth, probability),
            "accuracy": metrics.accuracy_score(truth, decision),
            "balanced-accuracy": metrics.balanced_accuracy_score(truth, decision),
            "f1": metrics.f1_score(truth, decision, average="macro", zero_division=0),
            "mcc": metrics.matthews_corrcoef(truth, decision),
        }
    ours = {name: scores.measure(name, predictions(truth, probability)) for name in theirs}
    assert ours == pytest.approx(theirs, abs=1e-12)


@st.composite
def folds_of_some_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Four classes, of which any may have no rows, but at least two have."""
    classes = draw(st.lists(st.integers(0, 3), min_size=2, max_size=4, unique=True))
    weights = draw(st.lists(st.tuples(*[st.integers(1, 5)] * 4), min_size=len(classes), max_size=40))
    truth = draw(st.lists(st.sampled_from(classes), min_size=len(weights), max_size=len(weights)))
    truth[: len(classes)] = classes
    table = np.array(weights, dtype=float)
    return np.array(truth), table / table.sum(axis=1, keepdims=True)


@given(folds_of_some_classes())
def test_a_fold_without_a_class_scores_what_scikit_learn_gives_for_the_others(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, probability = case
    present = np.unique(truth)
    decision, hits = probability.argmax(axis=1), (truth[:, None] == present)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {
            "log-loss": metrics.log_loss(truth, probability, labels=range(4)),
            "average-precision": metrics.average_precision_score(hits, probability[:, present], average="macro"),
            "roc-auc": metrics.roc_auc_score(hits, probability[:, present], average="macro"),
            "balanced-accuracy": metrics.balanced_accuracy_score(truth, decision),
            "f1": metrics.f1_score(truth, decision, average="macro", zero_division=0),
            "mcc": metrics.matthews_corrcoef(truth, decision),
        }
    ours = {name: scores.measure(name, predictions(truth, probability)) for name in theirs}
    assert ours == pytest.approx(theirs, abs=1e-12)


@given(three_classes())
def test_the_area_under_the_curve_of_three_classes_is_one_against_rest(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = case
    theirs = metrics.roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    assert scores.measure("roc-auc", predictions(truth, probability)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("name", [*scores.PROBABILITY_SCORES, *scores.DECISION_SCORES])
def test_every_score_of_a_fold_with_two_classes_of_four_is_a_number(name: str) -> None:
    truth, probability = np.array([1, 1, 3, 3, 3]), np.random.default_rng(0).dirichlet(np.ones(4), 5)
    assert np.isfinite(scores.measure(name, predictions(truth, probability)))


def test_a_mean_over_folds_is_over_those_in_which_a_score_is_defined() -> None:
    nothing, some = np.array([np.nan, np.nan]), np.array([0.5, np.nan, 1.0])
    assert scores.mean_over_folds({"roc-auc": some, "average-precision": nothing}) == {"roc-auc": 0.75}


@given(binary())
def test_log_loss_agrees_with_scikit_learn_where_no_answer_is_certain(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = case[0], np.clip(case[1], 0.05, 0.95)
    probability /= probability.sum(axis=1, keepdims=True)
    assert scores.log_loss(truth, probability) == pytest.approx(metrics.log_loss(truth, probability))


def test_a_certain_wrong_answer_costs_sixteen_nats_and_not_infinity() -> None:
    assert scores.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-7))


def test_a_constant_answer_ranks_like_chance() -> None:
    truth = np.array([0, 0, 0, 1])
    constant = np.full((4, 2), [0.75, 0.25])
    assert scores.roc_auc(truth, constant) == 0.5
    assert scores.average_precision(truth, constant) == 0.25


def test_a_class_without_rows_has_no_ranking_score() -> None:
    truth, probability = np.zeros(3, dtype=int), np.full((3, 2), 0.5)
    assert np.isnan(scores.average_precision(truth, probability))
    assert np.isnan(scores.roc_auc(truth, probability))


def test_a_class_without_rows_is_left_out_of_the_mean_over_classes() -> None:
    truth = np.array([0, 0, 1, 1])
    probability = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
    assert scores.average_precision(truth, probability) == 1
    assert scores.roc_auc(truth, probability) == 1


def test_decisions_are_scored_at_the_threshold_of_the_predictions() -> None:
    truth, positive = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    probability = np.column_stack([1 - positive, positive])
    assert scores.measure("accuracy", predictions(truth, probability, 0.5)) == 0.5
    assert scores.measure("accuracy", predictions(truth, probability, 0.25)) == 1


def test_many_confusion_tables_are_scored_at_once() -> None:
    tables = np.array([[[5.0, 1], [2, 2]], [[6, 0], [4, 0]]])
    for score in scores.DECISION_SCORES.values():
        assert score(tables) == pytest.approx([float(score(table)) for table in tables])


@pytest.mark.parametrize("name", ["log-loss", "brier"])
def test_a_lower_loss_is_a_gain(name: str) -> None:
    assert not scores.higher_is_better(name)
    assert scores.gain(name, 0.5, 0.4) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["average-precision", "roc-auc", "accuracy", "balanced-accuracy", "f1", "mcc"])
def test_a_higher_score_is_a_gain(name: str) -> None:
    assert scores.higher_is_better(name)
    assert scores.gain(name, 0.5, 0.4) == pytest.approx(-0.1)


def test_an_unknown_score_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(InputError, match="no score 'auc'; choose one of log-loss, "):
        scores.higher_is_better("auc")
    with pytest.raises(InputError, match="no score 'auto'"):
        scores.measure("auto", predictions(np.array([0, 1]), np.full((2, 2), 0.5)))
