"""What the rules about splits and parts say, and do not say, in situations that their own examples leave out."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from bindoctor import Aim, Confidence, Finding, Recipe, Rule, Severity, Table, counts, example
from bindoctor.examine import examine
from bindoctor.testing import evidence_of, findings_in
from bindoctor_rules import bd211_test_reused
from bindoctor_rules._coincidence import overlap_by_chance
from bindoctor_rules._domain import tell_apart
from bindoctor_rules._entities import entity_kind
from bindoctor_rules._tails import chi2_above, f_above
from bindoctor_rules.bd201_unstratified_split import unstratified_split
from bindoctor_rules.bd202_split_overlap import split_overlap
from bindoctor_rules.bd203_group_leak import group_leak
from bindoctor_rules.bd204_time_leak import time_leak
from bindoctor_rules.bd205_validation_too_small import validation_too_small
from bindoctor_rules.bd207_covariate_shift import covariate_shift
from bindoctor_rules.bd208_unseen_level import unseen_level
from bindoctor_rules.bd209_label_shift import label_shift
from bindoctor_rules.bd210_selection_on_test import selection_on_test
from bindoctor_rules.bd212_order_drift import order_drift
from bindoctor_rules.bd213_unseen_class import unseen_class

Cells = Mapping[str, Sequence[object]]
REUSED = bd211_test_reused.test_reused
PART_RULES = (
    split_overlap,
    covariate_shift,
    unseen_level,
    label_shift,
    selection_on_test,
    REUSED,
    unseen_class,
)
SPLIT_RULES = (*PART_RULES, unstratified_split, group_leak, time_leak, validation_too_small, order_drift)


def ask(
    rule: Rule, cells: Cells, test: Cells | None = None, valid: Cells | None = None, recipe: Recipe | None = None
) -> tuple[Finding, ...]:
    tables = [None if part is None else Table(part) for part in (valid, test)]
    return findings_in(rule, example("", Table(cells), recipe or Recipe(), valid=tables[0], test=tables[1]))


def features(rows: int, columns: int, seed: int, moved: Sequence[int] = (), by: float = 1.5) -> Cells:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)) + by * np.isin(np.arange(columns), moved)
    cells: Cells = {f"x{i}": matrix[:, i].round(4).tolist() for i in range(columns)}
    return {**cells, "y": ["yes" if x > 0 else "no" for x in rng.normal(size=rows)]}


# Parts.


@pytest.mark.parametrize("rule", PART_RULES, ids=[rule.code for rule in PART_RULES])
def test_without_parts_a_rule_about_parts_says_how_to_give_one(rule: Rule) -> None:
    (outcome,) = examine([rule], evidence_of(example("", Table(features(40, 2, 0)), Recipe())))
    assert outcome.status == "skipped"
    assert outcome.why.startswith("needs parts: give --valid")


@pytest.mark.parametrize("rows", [54, 171, 540])
@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_the_columns_shifted_is_named_and_no_other(rows: int, seed: int) -> None:
    moved = [1, 4, 7, 11]
    (found,) = ask(covariate_shift, features(400, 20, seed), features(rows, 20, 100 + seed, moved))
    assert set(found.measured["columns"]) == {f"x{i}" for i in moved}
    assert found.measured["auc"] > 0.9


@pytest.mark.parametrize("rows", [2, 12, 54, 400])
def test_parts_drawn_alike_are_passed_over(rows: int) -> None:
    found = [
        finding.message
        for seed in range(6)
        for rule in (split_overlap, covariate_shift, label_shift, unseen_level)
        for finding in ask(rule, features(400, 12, seed), features(rows, 12, 50 + seed))
    ]
    assert found == []


def test_a_part_of_another_class_mix_is_label_shift_and_not_covariate_shift() -> None:
    def drawn(rows: int, share: float, seed: int) -> Cells:
        rng = np.random.default_rng(seed)
        ill = rng.random(rows) < share
        matrix = rng.normal(size=(rows, 5)) + 2.0 * ill[:, None]
        cells: Cells = {f"x{i}": matrix[:, i].round(4).tolist() for i in range(5)}
        return {**cells, "y": ["ill" if one else "well" for one in ill]}

    train, test = drawn(900, 0.15, 0), drawn(300, 0.5, 1)
    (found,) = ask(label_shift, train, test)
    assert "'ill' is" in found.message
    assert ask(covariate_shift, train, test) == ()


@pytest.mark.parametrize("rule", SPLIT_RULES, ids=[rule.code for rule in SPLIT_RULES])
def test_odd_parts_break_no_rule(rule: Rule) -> None:
    train: Cells = {**features(60, 3, 0), "c": [f"l{i % 5}" for i in range(60)], "user_id": [i // 2 for i in range(60)]}
    odd: tuple[Cells, ...] = (
        {name: cells[:1] for name, cells in train.items()},
        {name: cells[:2] for name, cells in train.items() if name != "y"},
        {**{name: [None] * 30 for name in train}, "y": ["yes", "no"] * 15},
        {**{name: ["?"] * 30 for name in train}, "y": ["maybe"] * 30},
        {**{name: [1e300, -1e300] * 20 for name in train}, "y": ["yes", "no"] * 20},
        {**{name: list(cells) for name, cells in train.items()}, "y": [None] * 60},
    )
    for test in odd:
        ask(rule, train, test, odd[0])


@pytest.mark.parametrize("rule", SPLIT_RULES, ids=[rule.code for rule in SPLIT_RULES])
@pytest.mark.parametrize("rows", [2, 3, 20])
def test_tiny_tables_break_no_rule(rule: Rule, rows: int) -> None:
    cells: Cells = {"a": list(range(rows)), "user": [0] * rows, "d": ["2024-01-01"] * rows, "n": [None] * rows}
    cells = {**cells, "y": [i % 2 for i in range(rows)]}
    ask(rule, cells, cells, cells)
    if rule not in PART_RULES:
        ask(rule, cells)


# Overlap.


def test_an_overlap_below_two_percent_is_a_warning() -> None:
    train = features(500, 4, 0)
    test = {name: [*train[name][:1], *cells[:99]] for name, cells in features(99, 4, 1).items()}
    (found,) = ask(split_overlap, train, test)
    assert found.severity is Severity.WARNING
    assert found.rows is not None and found.rows.first == (0,)


def test_the_rows_that_chance_explains_are_about_those_that_are_found() -> None:
    rng = np.random.default_rng(0)

    def drawn(rows: int) -> Table:
        cells: Cells = {f"c{i}": rng.integers(0, 4, rows).tolist() for i in range(5)}
        return Table({**cells, "y": rng.integers(0, 2, rows).tolist()})

    evidence = evidence_of(example("", drawn(600), Recipe(), test=drawn(300)))
    assert evidence.profile and evidence.parts and evidence.parts.test
    found = evidence.parts.test.overlap.count
    assert overlap_by_chance(evidence.profile, evidence.parts.test.profile) == pytest.approx(found, rel=0.25)


def test_a_whole_copy_of_the_training_rows_is_reuse_and_no_overlap() -> None:
    train = features(80, 3, 0)
    turned = {name: list(reversed(cells)) for name, cells in train.items()}
    assert ask(split_overlap, train, turned) == ()
    assert ask(REUSED, train, turned)[0].message == "the test part holds the same rows as the training data"


# Classes.


def test_a_class_spelled_otherwise_is_mended_by_the_recipe() -> None:
    train, test = counts(no=60, yes=40), counts(No=30, YES=20)
    found = findings_in(unseen_class, example("", train, Recipe(), test=test))
    recipe = Recipe()
    for fix in found[0].fixes:
        if fix.aim is Aim.CORRECT:
            recipe = recipe.edited(fix.edits)
    assert findings_in(unseen_class, example("", train, recipe, test=test)) == ()


def test_a_rare_class_that_a_small_part_lacks_is_a_note() -> None:
    (found,) = findings_in(unseen_class, example("", counts(a=95, b=5), Recipe(), test=counts(a=20)))
    assert found.severity is Severity.NOTE


def test_an_absent_class_is_not_reported_as_label_shift_too() -> None:
    assert findings_in(label_shift, example("", counts(a=50, b=50), Recipe(), test=counts(a=60))) == ()


# Groups.


def visits(name: str, people: int = 60, each: int = 5, noise: float = 0.3, seed: int = 0) -> Cells:
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(people), each))
    centre = rng.normal(size=(people, 4))
    matrix = centre[who] + noise * rng.normal(size=(len(who), 4))
    cells: Cells = {f"x{i}": matrix[:, i].round(4).tolist() for i in range(4)}
    return {**cells, name: (who + 1000).tolist(), "y": np.where(centre[who, 0] > 0, "ill", "well").tolist()}


@pytest.mark.parametrize("name", ["patient_id", "Subject", "userId", "CustomerNo", "PID"])
def test_people_with_several_rows_are_an_error(name: str) -> None:
    (found,) = ask(group_leak, visits(name))
    assert found.severity is Severity.ERROR
    assert found.fixes[0].edits == {"split.group": name}
    assert found.fixes[0].aim is Aim.CORRECT


def test_a_group_without_a_telling_name_is_found_by_its_rows() -> None:
    (found,) = ask(group_leak, visits("grp"))
    assert found.severity is Severity.WARNING
    assert found.confidence is Confidence.MEDIUM


def test_people_who_are_alike_but_answer_at_random_are_a_note() -> None:
    answers = np.random.default_rng(1).integers(0, 2, 300).tolist()
    (found,) = ask(group_leak, {**visits("patient_id"), "y": answers})
    assert found.severity is Severity.NOTE
    assert found.fixes[0].aim is Aim.ADVISE


def test_people_whose_rows_have_nothing_in_common_are_a_note_without_a_correction() -> None:
    drawn = np.random.default_rng(1).normal(size=300)
    cells: Cells = {**visits("patient_id", noise=30.0), "y": ["ill" if x > 0 else "well" for x in drawn]}
    (found,) = ask(group_leak, cells)
    assert found.severity is Severity.NOTE
    assert found.fixes[0].aim is Aim.ADVISE


def test_attributes_of_people_name_nobody() -> None:
    rng = np.random.default_rng(0)
    cells: Cells = {
        **features(600, 4, 0),
        "customer_age": rng.integers(18, 80, 600).tolist(),
        "family_size": rng.integers(1, 9, 600).tolist(),
        "store_id": rng.integers(1, 40, 600).tolist(),
        "surname": [f"n{i}" for i in rng.integers(0, 200, 600)],
    }
    assert ask(group_leak, cells) == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("patient_nbr", "person"),
        ("Customers", "person"),
        ("user-name", "person"),
        ("ticket", "thing"),
        ("account_number", "thing"),
        ("user_type", ""),
        ("patient_age", ""),
        ("account", ""),
        ("idea", ""),
        ("country", ""),
    ],
)
def test_a_name_says_whose_rows_they_are(name: str, kind: str) -> None:
    evidence = evidence_of(example("", Table({name: [i // 3 for i in range(90)], "y": ["a", "b"] * 45})))
    assert evidence.profile is not None
    assert entity_kind(evidence.profile.columns[name]) == kind


# Time and order.


def dated(name: str, *, rising: bool, rows: int = 500, form: str = "%Y-%m-%d", seed: int = 0) -> Cells:
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 700, rows)
    share = 0.1 + 0.7 * day / 700 if rising else np.full(rows, 0.4)
    texts = [(date(2021, 1, 1) + timedelta(days=int(d))).strftime(form) for d in day]
    return {
        name: texts,
        "x": rng.normal(size=rows).round(4).tolist(),
        "y": (rng.random(rows) < share).astype(int).tolist(),
    }


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S"])
def test_a_rate_that_rises_with_the_date_is_found_however_dates_are_written(form: str) -> None:
    (found,) = ask(time_leak, dated("bought", rising=True, form=form))
    assert found.severity is Severity.WARNING
    offered = found.fixes[0].edits
    assert offered == ({"split.time": "bought"} if form.startswith("%Y") else {})


@pytest.mark.parametrize("seed", range(8))
def test_a_steady_rate_is_passed_over(seed: int) -> None:
    assert ask(time_leak, dated("bought", rising=False, seed=seed)) == ()


@pytest.mark.parametrize("name", ["DOB", "birth_date", "date_built", "model_year"])
def test_dates_that_describe_the_row_are_no_times(name: str) -> None:
    assert ask(time_leak, dated(name, rising=True)) == ()


def test_seconds_that_rise_along_the_file_are_times() -> None:
    rng = np.random.default_rng(0)
    cells: Cells = {"Time": np.sort(rng.integers(0, 90_000, 800)).tolist(), "x": rng.normal(size=800).tolist()}
    cells = {**cells, "y": (rng.random(800) < np.linspace(0.1, 0.6, 800)).astype(int).tolist()}
    assert "along 'Time'" in ask(time_leak, cells)[0].message
    assert ask(order_drift, cells) == ()


@pytest.mark.parametrize("seed", range(8))
def test_rows_in_random_order_do_not_drift(seed: int) -> None:
    assert ask(order_drift, features(700, 20, seed)) == ()


def test_a_file_sorted_by_class_does_not_drift_within_classes() -> None:
    cells = features(600, 3, 0)
    order = np.argsort(np.array(cells["y"]), kind="stable")
    shifted = [x + (3 if label == "yes" else 0) for x, label in zip(cells["x0"], cells["y"], strict=True)]  # type: ignore[operator]
    cells = {**cells, "x0": shifted}
    assert ask(order_drift, {name: [values[i] for i in order] for name, values in cells.items()}) == ()


# The parts' size.


def test_a_given_part_is_what_measures() -> None:
    (found,) = findings_in(validation_too_small, example("", counts(a=9000, b=9000), Recipe(), test=counts(a=20, b=30)))
    assert "the 50 rows (20 'a') of the test part" in found.message
    assert found.fixes[0].aim is Aim.ADVISE


def test_a_part_of_one_class_is_left_to_unseen_class() -> None:
    assert findings_in(validation_too_small, example("", counts(a=900, b=900), Recipe(), test=counts(a=20))) == ()


# Statistics.


@pytest.mark.parametrize(
    ("value", "freedom", "p"), [(3.841, 1, 0.05), (16.919, 9, 0.05), (27.877, 9, 0.001), (0.0, 5, 1.0)]
)
def test_chi_squared_probabilities_are_those_of_the_tables(value: float, freedom: int, p: float) -> None:
    assert chi2_above(value, freedom) == pytest.approx(p, rel=0.08)


@pytest.mark.parametrize(
    ("value", "freedom", "other", "p"), [(2.538, 9, 60, 0.015), (1.0, 50, 2000, 0.475), (4.0, 3, 100, 0.0098)]
)
def test_f_probabilities_are_those_of_the_tables(value: float, freedom: int, other: int, p: float) -> None:
    assert f_above(value, freedom, other) == pytest.approx(p, rel=0.08)


def test_rows_that_differ_in_two_columns_together_are_told_apart() -> None:
    rng = np.random.default_rng(0)

    def pairs(rows: int, offset: float) -> Cells:
        first = rng.normal(size=rows)
        second = first + 0.3 * rng.normal(size=rows) + offset
        return {"a": first.tolist(), "b": second.tolist(), "y": ["yes", "no"] * (rows // 2)}

    evidence = evidence_of(example("", Table(pairs(400, 0.0)), Recipe(), test=Table(pairs(200, 0.5))))
    assert evidence.profile and evidence.parts and evidence.parts.test
    domain = tell_apart(evidence.profile, evidence.parts.test, ["a", "b"])
    assert domain is not None and domain.auc > 0.8 and domain.auc > 0.5 + 3 * domain.error
