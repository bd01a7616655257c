"""What the rules about recipes, runs and predictions promise beyond their examples."""

import math
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bindoctor import (
    Epoch,
    Finding,
    History,
    Predictions,
    Profile,
    Recipe,
    Rule,
    Series,
    Severity,
    SimpleModel,
    Table,
    Task,
    counts,
    example,
    scores,
)
from bindoctor.compare import compare_parts
from bindoctor.dataset import Dataset
from bindoctor.evidence import Evidence
from bindoctor.examine import examine, findings_of
from bindoctor.readers import table_source
from bindoctor.registry import discover
from bindoctor.rows import rows_of
from bindoctor.testing import evidence_of
from bindoctor_rules import _calibration, _one_class, _scale, _valid_rows
from bindoctor_rules._answers import answered
from bindoctor_rules._capacity import weights_of
from bindoctor_rules._curves import jitter, logged, trend
from bindoctor_rules._regularization import decoupled_decay, penalties, shrunk_by
from bindoctor_rules._remedies import HIGHER_RATE, LONGER, LOWER_RATE, STOP
from bindoctor_rules.bd205_validation_too_small import _spread_of_auc

RULES = discover().select(["BD2", "BD3", "BD4", "BD6"], option="test")
NAIVE = Recipe()
Curve = Sequence[float] | npt.NDArray[np.floating]


def ask(code: str, evidence: Evidence) -> tuple[Finding, ...]:
    (outcome,) = examine([discover().find(code)], evidence)
    assert outcome.status in ("findings", "passed"), outcome.why
    return outcome.findings


def profile_of(table: Table, recipe: Recipe = NAIVE) -> Profile:
    profile = evidence_of(example("", table, recipe)).profile
    assert profile is not None
    return profile


EVEN = profile_of(counts(no=50, yes=50))
TELLING = profile_of(
    Table({"x": [(i % 2) * 2.0 + (i * 37 % 100) / 33 for i in range(200)], "y": [i % 2 for i in range(200)]})
)


def run(train: Curve, valid: Curve = (), *, recipe: Recipe = NAIVE, profile: Profile = EVEN) -> Evidence:
    return Evidence(profile=profile, recipe=recipe, history=logged([*map(float, train)], [*map(float, valid)]))


def predicted(truth: np.ndarray, positive: np.ndarray, *, recipe: Recipe = NAIVE, profile: Profile = EVEN) -> Evidence:
    rows = np.arange(len(truth))
    probability = np.column_stack([1 - positive, positive])
    predictions = Predictions(("no", "yes"), truth.astype(np.int64), probability, rows, rows % 5)
    return Evidence(profile=profile, recipe=recipe, predictions=predictions)


def drawn(seed: int, rows: int = 1000, centre: float = 0.0, sharpen: float = 1.0) -> Evidence:
    """Predictions whose log-odds are ``sharpen`` times the true ones."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(centre, 1.2, rows)
    truth = generator.random(rows) < 1 / (1 + np.exp(-odds))
    return predicted(truth, 1 / (1 + np.exp(-sharpen * odds)))


# --- nothing crashes -------------------------------------------------------------------------------------------------

numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 5))
epochs = st.lists(
    st.builds(Epoch, st.integers(0, 300), numbers, numbers, numbers, numbers, numbers, numbers), max_size=40
)


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_a_loss_of_zero_or_below_breaks_no_rule(level: float) -> None:
    flat, rising = [level] * 12, [level] * 6 + [0.5] * 6
    for valid in (flat, rising):
        outcomes = examine(RULES, run(flat, valid))
        assert [(outcome.rule.code, outcome.why) for outcome in outcomes if outcome.status == "error"] == []


@settings(deadline=None, max_examples=150)
@given(epochs, numbers, st.sampled_from([EVEN, TELLING]))
def test_no_history_breaks_a_rule(found: list[Epoch], first: float | None, profile: Profile) -> None:
    with np.errstate(all="ignore"):
        outcomes = examine(RULES, Evidence(profile=profile, recipe=NAIVE, history=History(tuple(found), first)))
    assert [(outcome.rule.code, outcome.why) for outcome in outcomes if outcome.status == "error"] == []


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["any", "certain", "equal", "one-class"]),
)
def test_no_predictions_break_a_rule(rows: int, classes: int, seed: int, shape: str) -> None:
    generator = np.random.default_rng(seed)
    probability = generator.dirichlet(np.ones(classes), rows)
    truth = generator.integers(0, classes, rows)
    if shape == "certain":
        probability = np.eye(classes)[generator.integers(0, classes, rows)]
    elif shape == "equal":
        probability = np.full((rows, classes), 1 / classes)
    elif shape == "one-class":
        truth = np.zeros(rows, dtype=np.int64)
    names = tuple("abcd"[:classes])
    predictions = Predictions(names, truth, probability, np.arange(rows), np.zeros(rows, dtype=np.int64))
    profile = profile_of(counts(**dict.fromkeys(names if classes > 1 else ("a", "b"), 20)))
    outcomes = examine(RULES, Evidence(profile=profile, recipe=NAIVE, predictions=predictions))
    assert [(outcome.rule.code, outcome.why) for outcome in outcomes if outcome.status == "error"] == []


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_every_rule_runs_on_three_classes(rule: Rule) -> None:
    profile = profile_of(counts(a=300, b=250, c=20))
    truth = np.repeat([0, 1, 2], [300, 250, 20])
    probability = np.tile([0.5, 0.4, 0.1], (570, 1))
    predictions = Predictions(("a", "b", "c"), truth, probability, np.arange(570), np.zeros(570, dtype=np.int64))
    history = logged([1.0 * 0.9**i for i in range(20)], [1.1 * 0.95**i for i in range(20)])
    recipe = Recipe().edited({"loss.kind": "cross-entropy"})
    source = table_source(counts(a=300, b=250, c=20))
    dataset = Dataset(source, "y", test=table_source(counts(a=30, b=20, c=5)))
    parts = compare_parts(dataset, recipe, profile)
    trees = SimpleModel("gradient-boosting", {"model.kind": "gradient-boosting"}, predictions)
    evidence = Evidence(dataset, profile, recipe, history, predictions, parts, (trees,))
    (outcome,) = examine([rule], evidence)
    assert outcome.status in ("findings", "passed"), outcome.why


# --- the split and the recipe ----------------------------------------------------------------------------------------


def test_the_swing_of_a_random_split_is_that_of_drawing_without_replacement() -> None:
    (finding,) = ask("BD201", Evidence(profile=profile_of(counts(no=970, yes=30)), recipe=NAIVE))
    held = np.random.default_rng(0).hypergeometric(30, 970, 200, size=20_000)
    assert finding.measured["expected"] == pytest.approx(held.mean(), rel=0.02)
    assert finding.measured["swing"] == pytest.approx(1.96 * held.std(), rel=0.03)


def test_the_interval_of_an_auc_is_at_least_as_wide_as_a_sampled_one_and_hardly_wider() -> None:
    generator = np.random.default_rng(0)
    apart = math.sqrt(2) * 0.8416
    truth = np.repeat([0, 1], [70, 30])
    areas = []
    for _ in range(600):
        score = generator.normal(apart * truth, 1.0)
        areas.append(scores.roc_auc(truth, np.column_stack([-score, score])))
    assert np.mean(areas) == pytest.approx(0.8, abs=0.01)
    assert 1.0 <= _spread_of_auc(30, 70) / np.std(areas) <= 1.25


@pytest.mark.parametrize("score", ["auto", "accuracy", "f1"])
def test_more_rows_never_make_a_validation_part_too_small(score: str) -> None:
    recipe = Recipe().edited({"decide.score": score})
    spoken = [
        bool(ask("BD205", Evidence(profile=profile_of(counts(no=7 * rows, yes=3 * rows)), recipe=recipe)))
        for rows in (10, 30, 100, 300, 1000)
    ]
    assert spoken == sorted(spoken, reverse=True)
    assert spoken[0] and not spoken[-1]


@pytest.mark.parametrize(
    "edits",
    [
        {"model.hidden": [7, 5]},
        {"features.indicators": True, "features.rare": 12},
        {"features.encode": "target"},
        {"model.kind": "logistic", "features.encode-columns.colour": "target"},
    ],
    ids=["one-hot", "rare levels and indicators", "target-encoded", "one column target-encoded, no layers"],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_weights_that_are_counted_are_those_of_the_network_that_is_trained(
    edits: dict[str, object], classes: int
) -> None:
    train = pytest.importorskip("bindoctor.train")
    table = Table(
        {
            "size": [float(i * 37 % 50) for i in range(100)],
            "age": [None if i % 9 == 0 else i * 11 % 50 / 2 for i in range(100)],
            "colour": [("red", "green", "blue", None)[i % 4] for i in range(100)],
            "town": [f"town {min(i % 10, 6)}" for i in range(100)],
            "y": [i % classes for i in range(100)],
        }
    )
    loss = "bce" if classes == 2 else "cross-entropy"
    recipe = Recipe().edited({"features.impute": "median", "loss.kind": loss, "train.epochs": 1, **edits})
    evidence = evidence_of(example("", table, recipe))
    assert evidence.dataset is not None and evidence.profile is not None
    network = train.fit(recipe, rows_of(evidence.dataset, recipe, evidence.profile), seed=0).network
    assert weights_of(evidence.profile, recipe) == sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize("rare", [5, 6, 7, 8, 9])
@pytest.mark.parametrize("neighbors", [2, 4, 5, 6])
def test_smote_is_refused_exactly_where_it_cannot_run(rare: int, neighbors: int) -> None:
    smote = pytest.importorskip("imblearn.over_sampling").SMOTE
    recipe = Recipe().edited({"resample.method": "smote", "resample.neighbors": neighbors, "split.stratify": True})
    spoken = bool(ask("BD307", Evidence(profile=profile_of(counts(no=100, yes=rare)), recipe=recipe)))
    trained_on = math.floor(rare * 0.8 + 1e-9)
    labels = np.repeat([0, 1], [80, trained_on])
    cells = np.random.default_rng(0).normal(size=(len(labels), 2))
    try:
        smote(k_neighbors=neighbors).fit_resample(cells, labels)
        broke = False
    except ValueError:
        broke = True
    assert spoken == broke


# --- curves ----------------------------------------------------------------------------------------------------------


def test_jitter_is_the_spread_of_the_points_whatever_the_trend() -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, 2000)
    for curve in (noise, noise + 0.001 * np.arange(2000), noise + 0.5 * 0.99 ** np.arange(2000)):
        assert jitter(curve) == pytest.approx(0.03, rel=0.1)


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(3, 30))
def test_the_trend_of_a_line_is_its_slope_without_error(slope: float, start: float, points: int) -> None:
    found, error = trend((start + slope * np.arange(points)).astype(np.float64))
    assert found == pytest.approx(slope, abs=1e-9)
    assert error == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("spread", [0.002, 0.01, 0.04])
@pytest.mark.parametrize("length", [10, 50])
def test_a_validation_loss_that_only_jitters_is_no_gap(spread: float, length: int) -> None:
    place = np.arange(length)
    flagged = 0
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(0, spread, length)
        flagged += bool(ask("BD402", run(0.2 + 0.45 * 0.9**place, 0.45 + 0.2 * np.exp(-place / 5) + noise)))
    assert flagged <= 2


def test_a_gap_is_found_through_jitter() -> None:
    place = np.arange(50)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.01, 50)
        valid = 0.45 + 0.2 * np.exp(-place / 5) + 0.006 * np.maximum(place - 8, 0) + noise
        assert ask("BD402", run(0.1 + 0.55 * 0.93**place, valid))


def test_a_gap_offers_only_what_the_recipe_lacks() -> None:
    falling, turning = 0.7 * 0.93 ** np.arange(30), 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    complete = Recipe().edited(
        {"train.patience": 10, "model.dropout": 0.3, "optimizer.weight-decay": 0.01, "optimizer.l1": 1e-4}
    )
    (naive,) = ask("BD402", run(falling, turning))
    (rest,) = ask("BD402", run(falling, turning, recipe=complete))
    assert [next(iter(fix.edits)) for fix in naive.fixes] == [
        "optimizer.weight-decay",
        "train.epochs",
        "optimizer.l1",
        "train.patience",
        "model.dropout",
        "model.hidden",
    ]
    assert [list(fix.edits) for fix in rest.fixes] == [["model.hidden"]]


@pytest.mark.parametrize("code", ["BD402", "BD404", "BD405", "BD407"])
def test_a_healthy_run_is_passed(code: str) -> None:
    place = np.arange(60)
    generator = np.random.default_rng(0)
    train = 0.28 + 0.41 * np.exp(-place / 8) + generator.normal(0, 0.002, 60)
    valid = 0.31 + 0.38 * np.exp(-place / 8) + generator.normal(0, 0.006, 60)
    assert not ask(code, run(train, valid, profile=TELLING))


@pytest.mark.parametrize("spread", [0.002, 0.02, 0.1])
def test_a_loss_that_has_settled_was_not_stopped_too_soon(spread: float) -> None:
    flagged = sum(
        bool(ask("BD407", run(loss, loss)))
        for seed in range(100)
        for loss in [np.abs(0.45 + np.random.default_rng(seed).normal(0, spread, 30))]
    )
    assert flagged <= 3


def test_a_run_that_was_cut_off_is_not_said_to_have_learned_nothing() -> None:
    falling = 5.0 * 0.95 ** np.arange(20)
    assert not ask("BD405", run(falling, falling))
    assert ask("BD407", run(falling, falling))


def test_never_learned_is_louder_when_a_column_could_tell() -> None:
    flat = np.full(20, math.log(2))
    (telling,) = ask("BD405", run(flat, flat, profile=TELLING))
    (silent,) = ask("BD405", run(flat, flat, profile=EVEN))
    assert (telling.severity, silent.severity) == (Severity.ERROR, Severity.WARNING)


def test_a_run_that_never_learned_is_not_also_called_a_plateau() -> None:
    flat = np.full(30, math.log(2))
    assert ask("BD405", run(flat, flat, profile=TELLING))
    assert not ask("BD404", run(flat, flat, profile=TELLING))


# --- the scale of a loss ---------------------------------------------------------------------------------------------


def constant_of(recipe: Recipe, part: str = "validation", **rows: int) -> float:
    return _scale.constant_loss(Task.of(profile_of(counts(**rows))), recipe, part)


def test_without_weights_the_constant_loss_is_the_entropy_of_the_classes() -> None:
    assert constant_of(NAIVE, no=90, yes=10) == pytest.approx(-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)))


def test_balanced_classes_make_the_constant_answer_even() -> None:
    for edits in ({"loss.class-weight": "balanced"}, {"resample.method": "smote"}, {"resample.method": "random-under"}):
        assert constant_of(Recipe().edited(edits), no=90, yes=10) == pytest.approx(math.log(2))


def test_a_class_weight_moves_the_constant_answer_to_its_own_optimum() -> None:
    answer = np.linspace(0.2, 0.3, 100_001)
    weighted = -(3 * 0.1 * np.log(answer) + 0.9 * np.log(1 - answer))
    best = answer[weighted.argmin()]
    expected = -(0.1 * math.log(best) + 0.9 * math.log(1 - best))
    assert constant_of(Recipe().edited({"loss.class-weight": 3.0}), no=90, yes=10) == pytest.approx(expected, rel=1e-6)


def test_the_training_loss_of_resampled_rows_has_their_own_scale() -> None:
    smote = Recipe().edited({"resample.method": "smote", "resample.ratio": 0.5})
    shares = (2 / 3, 1 / 3)
    entropy = -sum(share * math.log(share) for share in shares)
    assert constant_of(smote, "training", no=90, yes=10) == pytest.approx(entropy)


def test_focal_loss_has_no_constant_to_compare_with() -> None:
    assert math.isnan(constant_of(Recipe().edited({"loss.kind": "focal"}), no=90, yes=10))


@pytest.mark.parametrize("auc", [0.5, 0.6, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("positives", [50, 8])
def test_what_one_column_allows_is_the_loss_of_its_own_posterior(auc: float, positives: int) -> None:
    from statistics import NormalDist

    apart = math.sqrt(2) * NormalDist().inv_cdf(auc)
    share = positives / 100
    truth = np.random.default_rng(0).random(400_000) < share
    x = np.random.default_rng(1).normal(apart * truth, 1.0)
    odds = math.log(share / (1 - share)) + apart * x - apart**2 / 2
    loss = np.logaddexp(0, np.where(truth, -odds, odds)).mean()
    profile = profile_of(counts(no=100 - positives, yes=positives))
    assert _scale._loss_of_auc(auc, profile) == pytest.approx(loss, rel=0.02, abs=0.002)


def test_the_best_single_column_is_the_one_that_tells_most() -> None:
    table = Table(
        {
            "noise": [float(i * 37 % 101) for i in range(400)],
            "hint": [("a" if (i % 2) ^ (i % 5 == 0) else "b") for i in range(400)],
            "y": [i % 2 for i in range(400)],
        }
    )
    column, loss = _scale.best_single_column(profile_of(table))
    assert column == "hint"
    exact = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    assert loss == pytest.approx(exact, abs=0.005)


def test_without_columns_nothing_can_be_told() -> None:
    column, loss = _scale.best_single_column(EVEN)
    assert column == ""
    assert loss == pytest.approx(math.log(2))


# --- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", [0.0, -2.5])
@pytest.mark.parametrize("rows", [100, 1000])
def test_calibrated_probabilities_are_rarely_called_miscalibrated(centre: float, rows: int) -> None:
    flagged = sum(bool(ask("BD601", drawn(seed, rows, centre))) for seed in range(60))
    assert flagged <= 6


@pytest.mark.parametrize(("sharpen", "word"), [(2.0, "too extreme"), (0.5, "too timid")])
def test_probabilities_that_are_too_sure_or_not_sure_enough_are_found(sharpen: float, word: str) -> None:
    covered = 0
    for seed in range(20):
        (finding,) = ask("BD601", drawn(seed, sharpen=sharpen))
        assert word in finding.message
        _, low, high = finding.measured["slope"]
        covered += low <= 1 / sharpen <= high
    assert covered >= 18


def test_a_recalibrated_model_has_slope_one() -> None:
    sharp = drawn(3, rows=4000, sharpen=2.0).predictions
    assert sharp is not None
    (slope, level, _) = _calibration.recalibration(sharp)
    assert slope is not None and level is not None
    odds = slope.value * np.log(sharp.positive / (1 - sharp.positive))
    (again, _, gain) = _calibration.recalibration(predictions_of(predicted(sharp.truth, 1 / (1 + np.exp(-odds)))))
    assert again is not None
    assert again.value == pytest.approx(1.0, abs=1e-6)
    assert gain == pytest.approx(0.0, abs=1e-3)


def predictions_of(evidence: Evidence) -> Predictions:
    assert evidence.predictions is not None
    return evidence.predictions


def test_three_classes_are_recalibrated_by_one_slope() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (3000, 3))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (generator.random((3000, 1)) > share.cumsum(axis=1)).sum(axis=1)
    sharp = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    rows = np.arange(3000)
    profile = profile_of(counts(a=30, b=30, c=30))
    honest = Evidence(None, profile, NAIVE, None, Predictions(("a", "b", "c"), truth, share, rows, rows % 5))
    extreme = Evidence(None, profile, NAIVE, None, Predictions(("a", "b", "c"), truth, sharp, rows, rows % 5))
    assert not ask("BD601", honest)
    (finding,) = ask("BD601", extreme)
    assert finding.measured["slope"][0] == pytest.approx(0.5, abs=0.05)


def test_repeated_predictions_of_a_row_are_no_new_evidence() -> None:
    once = predictions_of(drawn(1, rows=60, sharpen=1.6))
    often = once.take(np.tile(np.arange(60), 40))
    for code in ("BD601", "BD603", "BD604"):
        assert ask(code, Evidence(None, EVEN, NAIVE, None, once)) == ask(code, Evidence(None, EVEN, NAIVE, None, often))


@pytest.mark.parametrize("name", ["accuracy", "balanced-accuracy", "f1", "mcc"])
def test_a_threshold_is_poor_only_when_a_better_one_is_found_on_other_rows(name: str) -> None:
    recipe = Recipe().edited({"decide.tune-for": name})
    generator = np.random.default_rng(0)
    odds = generator.normal(-2.5, 1.2, 5000)
    truth = (generator.random(5000) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    positive = 1 / (1 + np.exp(-odds))
    found = ask("BD603", predicted(truth, positive, recipe=recipe))
    assert bool(found) == (name != "accuracy")
    for finding in found:
        better = Predictions(
            ("no", "yes"),
            truth,
            np.column_stack([1 - positive, positive]),
            np.arange(5000),
            truth * 0,
            finding.measured["threshold"],
        )
        assert scores.measure(name, better) > finding.measured["now"] + 0.02


@pytest.mark.parametrize(("fp", "fn", "between"), [(1, 20, (0, 0.15)), (20, 1, (0.6, 1)), (1, 1, None)])
def test_a_threshold_is_poor_where_another_one_costs_less(
    fp: float, fn: float, between: tuple[float, float] | None
) -> None:
    recipe = Recipe().edited({"decide.cost": {"fp": fp, "fn": fn}, "decide.threshold": 0.5})
    generator = np.random.default_rng(0)
    positive = 1 / (1 + np.exp(-generator.normal(-2.5, 1.2, 5000)))
    found = ask("BD603", predicted((generator.random(5000) < positive).astype(np.int64), positive, recipe=recipe))
    assert bool(found) == bool(between)
    for finding in found:
        assert finding.measured["tuned"] < 0.98 * finding.measured["now"]
        assert between is not None
        assert between[0] < finding.measured["threshold"] < between[1]


def test_chance_alone_seldom_makes_a_threshold_poor() -> None:
    recipe = Recipe().edited({"decide.tune-for": "balanced-accuracy"})
    flagged = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, 2, 300)
        odds = generator.normal(1.5 * (truth - 0.5), 1.0)
        flagged += bool(ask("BD603", predicted(truth, 1 / (1 + np.exp(-odds)), recipe=recipe)))
    assert flagged <= 3


def test_a_model_worse_than_the_constant_answer_is_said_to_be_worse() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 500)
    (finding,) = ask("BD604", predicted(truth, generator.uniform(0.01, 0.99, 500)))
    assert finding.severity is Severity.ERROR
    assert "worse than the 0.693" in finding.message


def test_the_constant_answer_itself_is_no_better_than_constant() -> None:
    truth = np.arange(400) % 2
    (finding,) = ask("BD604", predicted(truth, np.full(400, 0.5)))
    assert "no better than the 0.693" in finding.message


@pytest.mark.parametrize("seed", range(5))
def test_an_informative_model_is_better_than_constant(seed: int) -> None:
    assert not ask("BD604", drawn(seed))


def test_a_model_that_is_the_wrong_way_round_tells_nothing_apart() -> None:
    truth = np.arange(400) % 2
    (finding,) = ask("BD604", predicted(truth, np.where(truth == 1, 0.2, 0.8)))
    assert finding.severity is Severity.ERROR
    assert "apart" not in finding.message


def fixes_of(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [dict(fix.edits) for finding in findings for fix in finding.fixes]


def test_three_classes_are_offered_no_threshold() -> None:
    truth = np.repeat([0, 1, 2], 100)
    probability = np.column_stack([np.full(300, 0.5), np.linspace(0.1, 0.2, 300), np.linspace(0.4, 0.3, 300)])
    predictions = Predictions(("a", "b", "c"), truth, probability, np.arange(300), np.zeros(300, dtype=np.int64))
    found = ask("BD602", Evidence(recipe=NAIVE, predictions=predictions))
    assert found
    assert all("decide.threshold" not in edits for edits in fixes_of(found))


def test_one_long_cell_takes_no_room_in_every_row() -> None:
    texts = ["long " * 20_000, *["a", "b"] * 1000]
    table = Table({"x": list(range(2001)), "note": texts, "y": [i * 37 % 101 % 2 for i in range(2001)]})
    truth = np.array(table.cells["y"])
    evidence = predicted(truth, np.where(truth == 1, 0.6, 0.4), profile=profile_of(table))
    evidence = replace(evidence, predictions=replace(predictions_of(evidence), classes=("0", "1")))
    tracemalloc.start()
    try:
        for code in ("BD606", "BD607"):
            ask(code, evidence)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("width", [2, 3, 20])
def test_a_smaller_network_is_never_a_larger_one(width: int) -> None:
    columns = {f"c{k}": [(i * (k + 3) * 37) % 101 / 7 for i in range(60)] for k in range(900)}
    recipe = Recipe().edited({"model.hidden": [width, width], "train.patience": 5})
    profile = profile_of(Table({**columns, "y": [i % 2 for i in range(60)]}), recipe)
    offered = [fix for finding in ask("BD311", Evidence(profile=profile, recipe=recipe)) for fix in finding.fixes]
    for fix in (*offered, *penalties(recipe)):
        hidden = fix.edits.get("model.hidden", [width])
        assert sum(hidden) < 2 * width
        assert max(hidden) <= width


def test_a_simple_model_that_answered_few_of_the_rows_beats_nothing() -> None:
    seen = answered([(0.45, 200, 60), (0.55, 200, 140)])
    few = answered([(0.1, 5, 0), (0.9, 5, 5)])
    trees = SimpleModel("gradient-boosting", {"model.kind": "gradient-boosting"}, few)
    assert not ask("BD605", Evidence(recipe=NAIVE, predictions=seen, simple_models=(trees,)))


# --- one cause, one loud finding -------------------------------------------------------------------------------------


def collapsed(shares: Sequence[float] = (0.2, 0.201, 0.199, 0.2, 0.2)) -> Evidence:
    """Predictions of folds whose training has collapsed: each answers the class shares of its own rows."""
    truth = (np.arange(500) % 5 == 0)[np.random.default_rng(0).permutation(500)]
    return predicted(truth, np.array(shares)[np.arange(500) % 5], profile=profile_of(counts(no=400, yes=100)))


def test_a_collapsed_run_is_loud_once() -> None:
    evidence = collapsed()
    (loud,) = ask("BD602", evidence)
    assert loud.severity is Severity.ERROR
    assert "every row has the same probability (0.8)" in loud.message
    assert not ask("BD601", evidence)
    assert not ask("BD603", evidence)
    (note,) = ask("BD604", evidence)
    assert note.severity is Severity.NOTE
    assert "no better than the 0.5 of answering the class shares" in note.message


def test_a_threshold_out_of_reach_is_one_finding_and_its_calibration_a_note() -> None:
    generator = np.random.default_rng(0)
    odds = generator.normal(-1.5, 1.0, 2000)
    truth = generator.random(2000) < 1 / (1 + np.exp(-odds))
    evidence = predicted(truth, 0.4 / (1 + np.exp(-odds)))
    assert ask("BD602", evidence)
    assert not ask("BD603", evidence)
    (note,) = ask("BD601", evidence)
    assert note.severity is Severity.NOTE
    assert note.fixes


# --- regularisation that does something ------------------------------------------------------------------------------


@given(st.integers(1, 200), st.floats(1, 1e5), st.integers(1, 1024), st.floats(1e-5, 0.1), st.sampled_from([0.0, 0.01]))
def test_the_decay_offered_takes_off_weight_however_long_training_is(
    epochs: int, rows: float, batch: int, rate: float, before: float
) -> None:
    edits = {"train.epochs": epochs, "train.batch-size": batch, "optimizer.learning-rate": rate}
    recipe = NAIVE.edited({**edits, "optimizer.kind": "adamw", "optimizer.weight-decay": before})
    after = recipe.edited({"optimizer.weight-decay": decoupled_decay(recipe, rows)})
    assert 0.03 <= shrunk_by(after, rows) <= 1


def test_l2_is_not_taken_for_the_weight_decay_of_adamw() -> None:
    falling, turning = 0.7 * 0.93 ** np.arange(30), 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    decayed = NAIVE.edited({"optimizer.kind": "adamw", "optimizer.weight-decay": 0.01})
    (found,) = ask("BD402", run(falling, turning, recipe=decayed))
    assert found.fixes[0].edits == {"optimizer.kind": "adam", "optimizer.weight-decay": 0.01}


@pytest.mark.parametrize("first", [0, 1])
def test_the_epochs_offered_end_at_the_best_one_however_the_log_counts(first: int) -> None:
    falling, turning = 0.7 * 0.93 ** np.arange(30), 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    epochs = tuple(Epoch(first + i, train_loss=float(falling[i]), valid_loss=float(turning[i])) for i in range(30))
    (found,) = ask("BD402", Evidence(recipe=NAIVE, history=History(epochs)))
    assert {"train.epochs": 9} in fixes_of([found])


def test_epochs_out_of_order_are_no_reason_to_offer_a_number_of_them() -> None:
    falling, turning = 0.7 * 0.93 ** np.arange(30), 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    epochs = tuple(
        Epoch(90 if i == 0 else i, train_loss=float(falling[i]), valid_loss=float(turning[i])) for i in range(30)
    )
    (found,) = ask("BD402", Evidence(recipe=NAIVE, history=History(epochs)))
    assert all("train.epochs" not in edits for edits in fixes_of([found]))


def test_fewer_epochs_are_not_offered_where_the_best_one_is_restored() -> None:
    falling, turning = 0.7 * 0.93 ** np.arange(30), 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    (found,) = ask("BD402", run(falling, turning, recipe=NAIVE.edited({"train.patience": 10})))
    assert all("train.epochs" not in edits for edits in fixes_of([found]))


# --- runs from elsewhere ---------------------------------------------------------------------------------------------

ALONE = Evidence()


def reported(history: History, evidence: Evidence = ALONE) -> dict[str, Finding]:
    """Return what the rules on runs report of a history, by code, with the evidence given beside it."""
    rules = discover().select(["BD4"], option="test")
    outcomes = examine(rules, replace(evidence, history=history))
    assert [(outcome.rule.code, outcome.why) for outcome in outcomes if outcome.status == "error"] == []
    return {finding.code: finding for finding in findings_of(outcomes)}


def loud(found: Mapping[str, Finding]) -> list[str]:
    return [code for code, finding in found.items() if finding.severity is not Severity.NOTE]


def foreign(train: Curve, valid: Curve = (), score: Curve = (), **facts: Any) -> History:
    """A log of another tool, whose loss nobody named."""
    losses = [*map(float, train)], [*map(float, valid)]
    return logged(*losses, valid_score=[*map(float, score)], **{"source": "Keras", "entropy_scale": None, **facts})


DECAY = 0.9 ** np.arange(30)
EVEN_TASK = Task((0.5, 0.5))


@pytest.mark.parametrize("task", [None, EVEN_TASK, Task((0.1,) * 10), Task((0.98, 0.02))])
def test_a_healthy_log_from_elsewhere_gives_nothing_above_a_note(task: Task | None) -> None:
    generator = np.random.default_rng(0)
    scale = 0.69 if task is None else task.prior_entropy
    train = scale * (0.4 + 0.55 * DECAY) + generator.normal(0, 0.004 * scale, 30)
    valid = scale * (0.45 + 0.5 * DECAY) + generator.normal(0, 0.008 * scale, 30)
    score = np.round((0.985 - 0.2 * DECAY) * 1500) / 1500
    assert loud(reported(foreign(train, valid, score), Evidence(task=task))) == []


@pytest.mark.parametrize("loss", [3.2 * (0.9 + 0.1 * DECAY), -5 * (1 - DECAY), np.full(30, 1e-4), np.full(30, 0.693)])
def test_a_loss_that_is_no_classifiers_is_not_held_against_the_entropy_of_the_classes(loss: Curve) -> None:
    found = reported(foreign(loss, loss, entropy_scale=False), Evidence(task=EVEN_TASK))
    assert not {"BD405", "BD411", "BD412", "BD413", "BD416"} & set(found)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_short_healthy_run_is_too_short_to_judge(length: int) -> None:
    falling = [0.64, 0.56, 0.52][:length]
    assert loud(reported(foreign(falling, falling))) == []


def test_validation_rows_that_are_right_by_luck_once_are_no_leak() -> None:
    score = np.array([0.9, 0.95, 1.0, 0.97, 1.0, 0.98, 0.97, 0.98, 0.99, 0.97, 1.0, 0.98])
    valid = 0.05 + 0.6 * 0.6 ** np.arange(12)
    assert "BD413" not in reported(foreign(valid, valid, np.round(score * 192) / 192), Evidence(task=EVEN_TASK))


@pytest.mark.parametrize(
    ("rows", "correct"), [(37, (20, 24, 27, 26)), (258, (153, 101, 206, 222)), (1999, (7, 11, 13))]
)
def test_the_number_of_validation_rows_is_read_off_the_accuracies(rows: int, correct: Sequence[int]) -> None:
    accuracies = [float(np.float32(k / rows)) for k in correct]
    found = _valid_rows.valid_rows(History(()), None, accuracies)
    assert found is not None
    assert found.rows == rows


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=6), st.integers(2, 4))
def test_rounded_accuracies_tell_no_number_of_rows_by_chance(scores: list[float], decimals: int) -> None:
    found = _valid_rows.valid_rows(History(()), None, [round(score, decimals) for score in scores])
    assert found is None or found.rows <= 10**decimals


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 400), st.integers(1, 400))
def test_scores_of_one_answer_are_recognised_however_they_are_averaged(positive: int, negative: int) -> None:
    share = positive / (positive + negative)
    assert _one_class.proof({"accuracy": share, "recall": 1.0, "precision": share})
    assert _one_class.proof({"accuracy": share, "f1": 2 * share / (1 + share)})
    assert _one_class.proof({"accuracy": share, "recall": 0.5, "precision": share / 2})
    assert _one_class.proof({"accuracy": share, "recall": share, "precision": share**2})
    assert _one_class.proof({"accuracy": 1 - share, "recall": 0.0, "precision": 0.0, "f1": 0.0})


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_answers_of_both_classes_prove_no_collapse(tp: int, tn: int, fp: int, fn: int) -> None:
    n = tp + tn + fp + fn
    scores = {"accuracy": (tp + tn) / n, "recall": tp / (tp + fn), "precision": tp / (tp + fp)}
    # Scores of one answer averaged over two classes, which a few rows can come to as well.
    assume(not (tp == fn and 2 * tp * n == (tp + tn) * (tp + fp)))
    assert not _one_class.proof(scores)
    assert not _one_class.proof({"accuracy": scores["accuracy"], "f1": 2 * tp / (2 * tp + fp + fn)})


def test_the_checkpoint_that_f1_chooses_is_named_when_it_answers_one_class() -> None:
    epochs = (1.0, 2.0, 3.0)
    series = tuple(
        Series("valid", name, values, (43, 87, 130), epochs)
        for name, values in {
            "accuracy": (86 / 142, 86 / 142, 88 / 142),
            "f1": (0.754386, 0.745, 0.740),
            "precision": (86 / 142, 0.612, 0.631),
            "recall": (1.0, 0.953, 0.895),
        }.items()
    )
    found = reported(foreign([0.69, 0.66, 0.62], [0.667, 0.66, 0.635], series=series))
    assert found["BD410"].severity is Severity.ERROR
    assert "F1 would choose" in found["BD410"].message


def test_a_log_cut_short_by_nan_names_the_epoch_and_nothing_else() -> None:
    loss = [0.69, 0.6, 0.55, *[math.nan] * 9]
    found = reported(foreign(loss, loss))
    assert loud(found) == ["BD401"]
    assert "epoch 4" in found["BD401"].message


def test_an_exploded_run_carries_its_symptoms() -> None:
    generator = np.random.default_rng(1)
    train = np.array([0.7, *generator.uniform(5, 60, 19)])
    found = reported(foreign(train, train, np.full(20, 0.5), entropy_scale=True), Evidence(task=EVEN_TASK))
    assert loud(found) == ["BD401"]
    assert {"BD405", "BD406"} & set(found["BD401"].explains)


def test_labels_out_of_range_explain_everything_else() -> None:
    train = 0.3 - 0.9 * np.arange(20.0)
    found = reported(logged([*train], [*train], valid_score=[0.5] * 20), Evidence(task=EVEN_TASK, recipe=NAIVE))
    assert loud(found) == ["BD416"]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_sigmoid_before_a_logits_loss_is_told_by_its_floor(share: float) -> None:
    floor = share * math.log1p(math.exp(-1)) + (1 - share) * math.log(2)
    train, valid = floor + 0.15 * DECAY**2 + 0.004, floor + 0.15 * DECAY**2 + 0.01
    found = reported(foreign(train, valid, 0.97 - 0.3 * DECAY**2), Evidence(task=Task((1 - share, share))))
    assert loud(found) == ["BD412"]


@pytest.mark.parametrize("accuracy", [0.75, 0.8, 0.85])
def test_an_honest_loss_near_that_floor_is_no_squashed_one(accuracy: float) -> None:
    train = np.full(30, 0.505) + 0.15 * DECAY**2
    assert "BD412" not in reported(foreign(train, train, accuracy - 0.2 * DECAY**2), Evidence(task=EVEN_TASK))


def test_a_spike_is_neither_a_gap_nor_an_oscillation() -> None:
    valid = 0.45 + 0.25 * DECAY
    valid[26] = 4.0
    found = reported(foreign(0.4 + 0.3 * DECAY, valid))
    assert loud(found) == []


def test_the_last_run_of_a_joined_log_is_judged_and_the_joint_named() -> None:
    found = reported(foreign(0.45 + 0.02 * DECAY, 0.46 + 0.02 * DECAY, runs=2))
    assert list(found) == ["BD414", "BD417"]
    assert "neither loss moves" in found["BD414"].message


def test_a_restored_best_epoch_wastes_nothing() -> None:
    turning = 0.5 + 0.0008 * (np.arange(30) - 8) ** 2
    kept = reported(foreign(0.7 * 0.93 ** np.arange(30), turning, best_restored=True, best_epoch=9))
    lost = reported(foreign(0.7 * 0.93 ** np.arange(30), turning, best_restored=False))
    assert "BD414" not in kept
    assert kept["BD402"].severity is Severity.NOTE
    assert lost["BD402"].severity is Severity.WARNING
    assert lost["BD414"].severity is Severity.NOTE


def test_a_straight_line_downwards_is_slow_and_a_curve_that_bends_is_not() -> None:
    straight, bent = np.linspace(0.72, 0.69, 30), 0.69 + 0.03 * 0.8 ** np.arange(30)
    assert loud(reported(foreign(straight, straight))) == ["BD415"]
    assert "BD415" not in reported(foreign(bent, bent))


# --- no contradictory advice -----------------------------------------------------------------------------------------

OPPOSITES = [("lower rate", "higher rate"), ("fewer epochs", "more epochs")]
SAID = {
    LOWER_RATE.title: "lower rate",
    HIGHER_RATE.title: "higher rate",
    STOP.title: "fewer epochs",
    LONGER.title: "more epochs",
}


def directions(finding: Finding, recipe: Recipe) -> set[str]:
    """Which way the fixes of a finding go."""
    ways = {SAID[fix.title] for fix in finding.fixes if fix.title in SAID}
    for fix in finding.fixes:
        if rate := fix.edits.get("optimizer.learning-rate"):
            ways.add("lower rate" if rate < recipe.optimizer.learning_rate else "higher rate")
        if epochs := fix.edits.get("train.epochs"):
            ways.add("fewer epochs" if epochs < recipe.train.epochs else "more epochs")
        if fix.edits.get("train.patience"):
            ways.add("fewer epochs")
    return ways


@st.composite
def runs(draw: st.DrawFn) -> History:
    """Draw a run: a decay with noise, oscillation, spikes, a rising validation loss, in any mixture."""
    length = draw(st.integers(2, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    place = np.arange(length)
    amount = st.sampled_from([0.0, 0.0, 0.003, 0.03, 0.3])
    start, floor = draw(st.sampled_from([0.2, 0.7, 2.3, 9.0, 4e4])), draw(st.sampled_from([0.0, 0.02, 0.3, 0.69]))
    curves = []
    for _ in range(2):
        speed = draw(st.sampled_from([0.0005, 0.003, 0.02, 0.1, 0.5]))
        curve = floor + (start - floor) * np.exp(-speed * place)
        curve = curve * (1 + draw(amount) * generator.normal(0, 1, length) + draw(amount) * (-1.0) ** place)
        curve = curve + draw(st.sampled_from([0.0, 0.0, 0.0005, 0.01])) * place
        if draw(st.booleans()):
            curve[draw(st.integers(0, length - 1))] *= draw(st.sampled_from([3.0, 30.0, math.nan]))
        curves.append(curve)
    score = np.clip(0.5 + 0.45 * (1 - np.exp(-0.1 * place)) * draw(st.sampled_from([0.0, 0.5, 1.0])), 0, 1)
    named = draw(st.sampled_from(["", "Keras"]))
    return logged(
        [*map(float, curves[0])],
        [*map(float, curves[1])] if draw(st.booleans()) else (),
        valid_score=[*map(float, score)] if draw(st.booleans()) else (),
        source=named,
        entropy_scale=draw(st.sampled_from([True, None, False])),
    )


@settings(deadline=None, max_examples=400)
@given(runs(), st.sampled_from([None, EVEN_TASK, Task((0.9, 0.1)), Task((0.1,) * 10)]), st.booleans(), st.booleans())
def test_findings_reported_together_do_not_advise_opposites(
    history: History, task: Task | None, own: bool, with_data: bool
) -> None:
    recipe = NAIVE.edited({"train.epochs": max(len(history.epochs), 1)})
    evidence = Evidence(task=task, recipe=recipe if own else None, profile=TELLING if with_data else None)
    with np.errstate(all="ignore"):
        found = reported(history, evidence)
    ways = {code: directions(finding, recipe) for code, finding in found.items()}
    for one, other in permutations(ways, 2):
        for way, opposite in OPPOSITES:
            assert not (way in ways[one] and opposite in ways[other]), (one, other, ways)


# --- runs from elsewhere ---------------------------------------------------------------------------------------------


def elsewhere(train: Sequence[float], valid: Sequence[float] = (), **facts: Any) -> Evidence:
    return Evidence(history=logged(train, valid, source="Keras", entropy_scale=None, **facts))


def test_a_gap_over_three_epochs_shows_where_each_is_much_worse_than_the_one_before() -> None:
    (finding,) = ask("BD402", elsewhere([0.4, 0.2, 0.1], [0.3, 0.33, 0.42]))
    assert "rises by 40%" in finding.message
    assert not ask("BD402", elsewhere([0.4, 0.2, 0.1], [0.3, 0.33, 0.32]))
    assert not ask("BD402", elsewhere([0.4, 0.2, 0.1], [0.3, 0.31, 0.33]))
    assert not ask("BD402", elsewhere([0.4, 0.38, 0.36], [0.3, 0.33, 0.42]))


@pytest.mark.parametrize("seed", range(5))
def test_a_validation_loss_that_stands_still_under_a_falling_training_loss_is_a_gap(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.02, 60)
    falling = [0.2 + 0.6 * 0.95**i for i in range(60)]
    standing = [0.75 + 0.5 * 0.7**i + noise[i] for i in range(60)]
    (finding,) = ask("BD402", elsewhere(falling, standing))
    assert "stands still at 0.7" in finding.message


@pytest.mark.parametrize("seed", range(5))
def test_a_validation_loss_that_follows_the_training_loss_is_none(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.02, 60)
    falling = [0.2 + 0.6 * 0.95**i for i in range(60)]
    assert not ask("BD402", elsewhere(falling, [1.3 * loss + noise[i] for i, loss in enumerate(falling)]))
    level = [0.4 + 0.4 * 0.8**i for i in range(60)]
    assert not ask("BD402", elsewhere(level, [loss + 0.1 + noise[i] for i, loss in enumerate(level)]))


@pytest.mark.parametrize("apart", [0.01, 0.2])
def test_losses_that_lie_apart_are_no_gap_where_accuracies_are_the_same(apart: float) -> None:
    falling = [0.2 + 0.6 * 0.95**i for i in range(60)]
    steps, places = tuple(range(1, 61)), tuple(float(i + 1) for i in range(60))
    series = (
        Series("train", "accuracy", (0.8 + apart,) * 60, steps, places),
        Series("valid", "accuracy", (0.8,) * 60, steps, places),
    )
    found = ask("BD402", elsewhere(falling, [0.75] * 60, series=series))
    assert len(found) == (apart > 0.05)


def test_what_swings_by_a_hundredth_of_a_nat_or_changes_no_answer_does_not_oscillate() -> None:
    falling = [0.09 * 0.8**i for i in range(20)]
    assert not ask("BD406", elsewhere(falling, [0.004 + 0.003 * (-1) ** i for i in range(20)]))
    swinging = [0.06 + 0.05 * (-1) ** i for i in range(20)]
    assert ask("BD406", elsewhere(falling, swinging))
    assert not ask("BD406", elsewhere(falling, swinging, valid_score=[0.998] * 20, score="accuracy"))


def test_scores_without_an_accuracy_break_no_rule() -> None:
    series = (Series("valid", "f1", (0.87, 0.97, 0.98), (1, 2, 3), (1.0, 2.0, 3.0)),)
    assert not ask("BD410", elsewhere([0.3, 0.2, 0.1], [0.4, 0.3, 0.2], series=series))


def test_the_epochs_at_which_all_rows_got_one_answer_are_named_and_no_others() -> None:
    recall, accuracy = (0.0, 0.0, 0.4, 0.5, 0.0), (0.8, 0.8, 0.85, 0.86, 0.8)
    steps, places = tuple(range(5)), tuple(float(i) for i in range(5))
    series = (Series("valid", "recall", recall, steps, places), Series("valid", "accuracy", accuracy, steps, places))
    (finding,) = ask("BD410", elsewhere([0.5] * 5, [0.5] * 5, series=series))
    assert "one answer at epochs 0 to 1 and 4:" in finding.message


def test_a_few_rows_of_which_as_many_are_right_each_time_are_no_collapse() -> None:
    scores = [42 / 44, 42 / 44, 42 / 44, 42 / 44, 43 / 44, 42 / 44, 42 / 44, 42 / 44, 43 / 44, 42 / 44]
    falling, level = [0.49 - 0.02 * i for i in range(10)], [0.39 - 0.002 * i for i in range(10)]
    assert not ask("BD410", elsewhere(falling, level, valid_score=scores, score="accuracy"))


def test_an_accuracy_of_one_from_the_first_epoch_on_is_too_good() -> None:
    (finding,) = ask("BD413", elsewhere([0.09 * 0.7**i for i in range(8)], [0.27] * 8, valid_score=[1.0] * 8))
    assert "in each of 8 epochs" in finding.message
    assert not ask("BD413", elsewhere([0.3] * 8, [0.27] * 8, valid_score=[0.9, *[1.0] * 7]))


@pytest.mark.parametrize("seed", range(5))
def test_losses_that_both_stand_still_are_noted_as_epochs_that_gain_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.005, (2, 50))
    train, valid = (0.82 + 0.2 * 0.7 ** np.arange(50) + noise).tolist()
    (finding,) = ask("BD414", elsewhere(train, valid))
    assert finding.severity is Severity.NOTE
    assert "over the last 34 of 50 epochs" in finding.message
    assert not ask("BD414", elsewhere([0.9 * 0.98**i for i in range(50)], valid))
    assert not ask("BD414", elsewhere(train[:15], valid[:15]))


def test_a_run_whose_training_rows_are_learned_did_not_stop_too_soon_for_sure() -> None:
    valid = [0.42 * 0.93**i for i in range(12)]
    (loud,) = ask("BD407", elsewhere(valid, valid))
    (quiet,) = ask("BD407", elsewhere([0.77 * 0.5**i for i in range(12)], valid))
    assert (loud.severity, quiet.severity) == (Severity.WARNING, Severity.NOTE)
