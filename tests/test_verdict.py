"""A gain counts only when it is larger than what shared folds and chance explain."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor.verdict import corrected_t, gain_interval, judge, judgement

GAINS = st.lists(st.floats(-1, 1), min_size=5, max_size=60).map(np.array)


def test_the_corrected_t_matches_a_hand_computed_value() -> None:
    gains = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert corrected_t(gains, overlap=1 / 4) == pytest.approx(0.3 / math.sqrt((1 / 5 + 1 / 4) * 0.025))


@given(GAINS)
def test_the_corrected_t_is_smaller_than_the_uncorrected_one(gains: np.ndarray) -> None:
    spread = gains.std(ddof=1)
    if spread > 1e-9:
        assert abs(corrected_t(gains, overlap=1 / 4)) <= abs(gains.mean() / (spread / math.sqrt(len(gains)))) + 1e-9


@given(GAINS)
def test_swapping_before_and_after_flips_the_sign(gains: np.ndarray) -> None:
    assert corrected_t(-gains, overlap=1 / 4) == pytest.approx(-corrected_t(gains, overlap=1 / 4))


def test_no_difference_at_all_is_no_evidence() -> None:
    assert corrected_t(np.zeros(30), overlap=1 / 4) == 0


@given(GAINS)
def test_the_interval_holds_the_mean(gains: np.ndarray) -> None:
    low, high = gain_interval(gains, overlap=1 / 4)
    assert low <= gains.mean() + 1e-12 and gains.mean() - 1e-12 <= high


def test_a_score_that_is_undefined_in_every_fold_is_no_difference_and_no_nan() -> None:
    verdict = judge("average-precision", np.array([]), np.full(10, 0.1), overlap=1 / 4)
    assert (verdict.status, verdict.gain, verdict.t) == ("no-difference", 0.0, 0.0)
    assert "undefined" in verdict.why


def test_a_guard_that_is_undefined_in_every_fold_stops_nothing() -> None:
    assert judge("log-loss", np.linspace(0.09, 0.11, 10), np.array([]), overlap=1 / 4).status == "improved"


@pytest.mark.parametrize("score", ["mcc", "f1", "balanced-accuracy", "accuracy", "cost"])
def test_answers_are_guarded_by_the_ranking_and_not_by_probabilities(score: str) -> None:
    gains = np.linspace(0.09, 0.11, 10)
    assert judgement(score).guard == "average-precision"
    assert judge(score, gains, np.full(10, -0.004), overlap=1 / 4).status == "improved"
    assert judge(score, gains, np.full(10, -0.006), overlap=1 / 4).status == "no-difference"


def test_average_precision_is_guarded_by_log_loss_and_the_reverse() -> None:
    assert judgement("average-precision").guard == "log-loss"
    assert judgement("log-loss").guard == "average-precision"


@given(GAINS, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_overlap_is_less_evidence(gains: np.ndarray, one: float, other: float) -> None:
    less, more = sorted([one, other])
    assert abs(corrected_t(gains, overlap=more)) <= abs(corrected_t(gains, overlap=less)) + 1e-9
