"""What the rules about relations say: two columns, a column and time, a label and what is learned from the others."""

import time
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from bindoctor import Aim, Confidence, Finding, Predictions, Recipe, Rule, Severity, Table, example
from bindoctor.recipe_sections import Derived
from bindoctor.testing import evidence_of, findings_in
from bindoctor_rules._interactions import MAX_CONFIRMED
from bindoctor_rules.bd114_conflicting_labels import conflicting_labels
from bindoctor_rules.bd115_leaking_column import leaking_column
from bindoctor_rules.bd128_missed_interaction import CONFIRMING_Z, LINEAR_Z, missed_interaction
from bindoctor_rules.bd607_suspect_labels import suspect_labels

Cells = dict[str, Sequence[object]]
SETS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}


def ask(rule: Rule, cells: Cells, recipe: Recipe | None = None) -> tuple[Finding, ...]:
    return findings_in(rule, example("", Table(cells), recipe or Recipe()))


def real(name: str) -> tuple[Cells, np.ndarray]:
    loaded = SETS[name]()
    return {f"x{i}": column.tolist() for i, column in enumerate(loaded.data.T)}, loaded.target


def constant(classes: int, rows: int = 1) -> Predictions:
    share = np.full((rows, classes), 1 / classes)
    names = tuple(str(label) for label in range(classes))
    return Predictions(names, np.zeros(rows, dtype=np.int64), share, np.arange(rows), np.zeros(rows, dtype=np.int64))


def suspects(cells: Cells, labels: np.ndarray) -> tuple[Finding, ...]:
    table = Table({**cells, "y": labels.tolist()})
    classes = len(np.unique(labels))
    return findings_in(suspect_labels, example("", table, Recipe(), predictions=constant(classes)))


@pytest.mark.parametrize("name", SETS)
def test_no_honest_feature_of_a_textbook_set_is_a_leak(name: str) -> None:
    cells, labels = real(name)
    assert ask(leaking_column, {**cells, "y": labels.tolist()}) == ()


@pytest.mark.parametrize("name", ["iris", "wine", "breast cancer"])
def test_a_noisy_copy_of_the_target_is_proof(name: str) -> None:
    cells, labels = real(name)
    rng = np.random.default_rng(0)
    train = np.sort(rng.permutation(len(labels))[: int(0.7 * len(labels))])
    cells = {key: np.array(values)[train].tolist() for key, values in cells.items()}
    copy = labels[train] * 2.0 + 5 + rng.normal(0, 0.1, len(train))
    (leak,) = ask(leaking_column, {**cells, "copy": copy.tolist(), "y": labels[train].tolist()})
    assert (leak.where.name, leak.confidence, leak.severity) == ("copy", Confidence.HIGH, Severity.ERROR)
    assert leak.fixes[0].aim is Aim.CORRECT


def test_a_text_that_names_the_class_is_proof_with_several_texts_a_class() -> None:
    cells, labels = real("wine")
    grape = [f"{'abc'[label]}{i % 3}" for i, label in enumerate(labels)]
    (leak,) = ask(leaking_column, {**cells, "grape": grape, "y": labels.tolist()})
    assert leak.message.startswith("'grape' restates the target") and leak.confidence is Confidence.HIGH


def test_a_level_that_is_not_an_absence_needs_more_to_be_proof() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 400)
    votes = np.where(rng.random(400) < 0.035, 1 - labels, labels)
    cells: Cells = {"vote": ["ny"[vote] for vote in votes], "y": ["dr"[label] for label in labels]}
    assert all(leak.confidence is Confidence.MEDIUM for leak in ask(leaking_column, cells))


def test_which_price_is_higher_gives_the_target_away() -> None:
    rng = np.random.default_rng(2)
    first, raised = rng.lognormal(2, 1, 800), rng.random(800) < 0.5
    last = np.where(raised, first * rng.uniform(1.01, 3, 800), first)
    (pair,) = ask(leaking_column, {"first": first.tolist(), "last": last.tolist(), "y": raised.tolist()})
    assert "'first'" in pair.message and "'last'" in pair.message
    assert pair.measured["columns"] == ["first", "last"] and pair.where.kind == "target"
    assert all(fix.aim is Aim.ADVISE for fix in pair.fixes) and pair.severity is Severity.WARNING


def test_survival_time_is_told_by_its_name_and_its_end() -> None:
    rng = np.random.default_rng(3)
    event = rng.exponential(1500, 600)
    censored = rng.uniform(700, 1200, 600)
    days, died = np.minimum(event, censored).round(1), event < censored
    (leak,) = ask(leaking_column, {"follow_up_days": days.tolist(), "y": died.tolist()})
    assert "time until the outcome" in leak.message and leak.severity is Severity.WARNING
    assert ask(leaking_column, {"weight": days.tolist(), "y": died.tolist()}) == ()
    tenure = rng.integers(0, 73, 600)
    churned = rng.random(600) < 0.5 - 0.005 * tenure
    assert ask(leaking_column, {"tenure": tenure.tolist(), "y": churned.tolist()}) == ()


def test_leaks_are_looked_for_in_wide_tables_with_less_work_than_the_scan_and_in_tiny_ones() -> None:
    rng = np.random.default_rng(4)
    wide: Cells = {f"x{i}": rng.normal(size=60).tolist() for i in range(2000)}
    start = time.process_time()
    evidence = evidence_of(example("", Table({**wide, "y": [i % 2 for i in range(60)]}), Recipe()))
    scanned = time.process_time() - start
    start = time.process_time()
    assert list(leaking_column(evidence.profile)) == []
    assert list(missed_interaction(evidence.profile, Recipe())) == []
    assert time.process_time() - start < scanned
    for cells in (
        {"x": [1, 2], "y": [0, 1]},
        {"x": [1e308, -1e308, 0], "y": ["a", "b", "a"]},
        {"x": [None] * 3, "y": "abc"},
    ):
        assert ask(leaking_column, cells) == () and ask(missed_interaction, cells) == ()  # type: ignore[arg-type]


def test_conflicting_rows_can_be_left_out_on_trial() -> None:
    cells: Cells = {"x": [i // 2 for i in range(100)], "y": [i % 2 if i < 20 else i // 50 for i in range(100)]}
    (finding,) = ask(conflicting_labels, cells)
    assert [fix.edits for fix in finding.fixes if fix.aim is Aim.IMPROVE] == [
        {"data.conflicts": "majority"},
        {"data.conflicts": "drop"},
    ]


def planted(kind: str, rows: int = 2000, seed: int = 0) -> Cells:
    rng = np.random.default_rng(seed)
    noise = {f"n{i}": rng.normal(size=rows) for i in range(6)}
    a, b = rng.lognormal(8, 0.8, rows), rng.lognormal(9, 0.8, rows)
    shops = rng.integers(0, 60, rows)
    signal = {
        "ratio": 3 * (np.log(a / b) + 1),
        "product": 3 * noise["n0"] * noise["n1"],
        "linear": 2 * noise["n0"] + 1.5 * noise["n1"],
        "noise": np.zeros(rows),
        "group": 4 * np.log(b / np.exp(9)),
    }[kind]
    if kind == "group":
        b = b * np.exp(rng.normal(0, 1.5, 60))[shops]
    target = rng.random(rows) < 1 / (1 + np.exp(-signal))
    columns = {**noise, "debt": a, "income": b, "y": np.where(target, "yes", "no")}
    return {**{name: values.tolist() for name, values in columns.items()}, "shop": [f"s{shop}" for shop in shops]}


@pytest.mark.parametrize(
    ("kind", "columns"), [("ratio", {"debt", "income"}), ("product", {"n0", "n1"}), ("group", {"income", "shop"})]
)
def test_a_planted_relation_is_found_and_offered_first(kind: str, columns: set[str]) -> None:
    (finding,) = ask(missed_interaction, planted(kind))
    recipe = Recipe().edited(finding.fixes[0].edits)
    (derived,) = recipe.features.derive.values()
    assert set(derived.parents) == columns and derived.op.split("-")[0] == kind
    assert finding.severity is None or finding.severity is Severity.NOTE
    assert all(fix.aim is Aim.IMPROVE for fix in finding.fixes) and len(finding.fixes) <= 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["linear", "noise"])
def test_what_a_linear_model_finds_or_chance_makes_is_no_relation(kind: str, seed: int) -> None:
    assert ask(missed_interaction, planted(kind, 800, seed)) == ()


def test_a_difference_is_missed_by_trees_and_not_by_logistic_regression() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(50, 10, 1500), rng.normal(50, 10, 1500)
    cells: Cells = {"a": a.tolist(), "b": b.tolist(), "y": (a - b + rng.normal(0, 5, 1500) > 0).tolist()}
    (finding,) = ask(missed_interaction, cells, Recipe().edited({"model.kind": "gradient-boosting"}))
    (derived,) = Recipe().edited(finding.fixes[0].edits).features.derive.values()
    assert isinstance(derived, Derived) and derived.op == "difference"
    assert ask(missed_interaction, cells, Recipe().edited({"model.kind": "logistic"})) == ()


def test_the_name_of_a_derived_column_is_free() -> None:
    cells = planted("product")
    (before,) = ask(missed_interaction, cells)
    (path,) = before.fixes[0].edits
    taken = path.removeprefix("features.derive.")
    rng = np.random.default_rng(6)
    (after,) = ask(missed_interaction, {**cells, taken: rng.normal(size=2000).tolist()})
    assert f"{path}_" in after.fixes[0].edits


@pytest.mark.parametrize("name", SETS)
def test_hard_rows_are_no_suspects(name: str) -> None:
    cells, labels = real(name)
    assert suspects(cells, labels) == ()


@pytest.mark.parametrize(("name", "precision", "recall"), [("wine", 0.9, 0.7), ("breast cancer", 0.8, 0.5)])
@pytest.mark.parametrize("seed", range(3))
def test_turned_labels_are_listed(name: str, precision: float, recall: float, seed: int) -> None:
    cells, labels = real(name)
    rng, classes = np.random.default_rng(seed), len(np.unique(labels))
    turned = rng.choice(len(labels), round(0.08 * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[turned] = (noisy[turned] + rng.integers(1, classes, len(turned))) % classes
    (finding,) = suspects(cells, noisy)
    assert finding.rows is not None and finding.rows.count == len(finding.rows.first)
    right = len(set(finding.rows.first) & set(turned.tolist()))
    assert right >= precision * finding.rows.count and right >= recall * len(turned)
    dropped = [fix.edits["data.drop-rows+"] for fix in finding.fixes if fix.aim is Aim.IMPROVE]
    assert dropped == [list(finding.rows.first)]


def test_rows_that_a_run_on_folds_keeps_apart_are_no_suspects() -> None:
    cells, labels = real("breast cancer")
    turned = np.random.default_rng(0).choice(len(labels), round(0.08 * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[turned] = 1 - noisy[turned]
    locked = np.arange(0, len(labels), 5, dtype=np.int64)
    work = np.setdiff1d(np.arange(len(labels)), locked)
    probability = np.full((len(work), 2), 0.5)
    run = Predictions(("0", "1"), noisy[work], probability, work, np.arange(len(work)) % 5)
    table = Table({**cells, "y": noisy.tolist()})
    (finding,) = findings_in(suspect_labels, example("", table, Recipe(), predictions=run))
    assert finding.rows is not None and finding.rows.count
    assert not set(finding.rows.first) & set(locked.tolist())


def test_outcomes_that_are_chance_raise_no_suspicion() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(1000, 5))
    labels = (rng.random(1000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64)
    assert suspects({f"x{i}": column.tolist() for i, column in enumerate(x.T)}, labels) == ()


def test_a_tiny_table_raises_no_suspicion() -> None:
    assert suspects({"x": [1, 2, 3, 4]}, np.array([0, 1, 0, 1])) == ()
    assert suspects({"x": [None, None, None, None]}, np.array([0, 1, 0, 1])) == ()


def test_the_confirming_quantiles_are_those_of_the_normal_distribution() -> None:
    normal = NormalDist()
    assert pytest.approx(normal.inv_cdf(1 - 0.005 / MAX_CONFIRMED)) == CONFIRMING_Z
    assert pytest.approx(normal.inv_cdf(0.95)) == LINEAR_Z
