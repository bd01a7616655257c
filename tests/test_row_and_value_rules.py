"""What the rules about odd values and rows, gaps and the order of the file say beyond their own examples."""

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import Aim, Finding, Recipe, Rule, Severity, Table, example
from bindoctor.rows import rows_of
from bindoctor.testing import evidence_of, findings_in
from bindoctor_rules._isolated import isolated
from bindoctor_rules._near import nearly_equal
from bindoctor_rules.bd107_sentinel_zero import sentinel_zero
from bindoctor_rules.bd108_informative_missingness import informative_missingness
from bindoctor_rules.bd115_leaking_column import leaking_column
from bindoctor_rules.bd116_row_order_leak import row_order_leak
from bindoctor_rules.bd120_extreme_values import extreme_values
from bindoctor_rules.bd121_impossible_value import impossible_value
from bindoctor_rules.bd127_weight_column import weight_column
from bindoctor_rules.bd129_split_column import split_column
from bindoctor_rules.bd130_near_duplicate_rows import near_duplicate_rows
from bindoctor_rules.bd131_outlier_rows import outlier_rows

Cells = dict[str, Any]
Floats = npt.NDArray[np.float64]

RULES = (
    sentinel_zero,
    informative_missingness,
    row_order_leak,
    extreme_values,
    impossible_value,
    weight_column,
    split_column,
    near_duplicate_rows,
    outlier_rows,
)


def ask(rule: Rule, cells: Cells, recipe: Recipe | None = None) -> tuple[Finding, ...]:
    return findings_in(rule, example("", Table(cells), recipe or Recipe()))


def normal(rows: int, seed: int = 0, mean: float = 0.0, std: float = 1.0) -> Floats:
    return np.random.default_rng(seed).normal(mean, std, size=rows).round(4)


def labels(rows: int, every: int = 3) -> list[str]:
    return ["yes" if i % every == 0 else "no" for i in range(rows)]


# Every rule, on tables that hold little or too much.


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
@pytest.mark.parametrize(
    "cells",
    [
        {"x": [1, 2], "y": ["a", "b"]},
        {"x": [None, None, None], "z": [0, 0, 1], "y": ["a", "b", "a"]},
        {"x": [1e308, -1e308, 1e308, 0], "z": [1e-300, 0, 2e-300, 5], "y": ["a", "b", "a", "b"]},
        {"x": [0] * 30 + [1] * 30, "w": [None] * 59 + [3], "y": ["a", "b", "c"] * 20},
        {"x": [f"{i * 1e300}" for i in range(-40, 60)], "z": [i**3 * 1e290 for i in range(100)], "y": ["a", "b"] * 50},
    ],
    ids=["two rows", "all missing", "huge numbers", "three classes", "overflowing spread"],
)
def test_a_rule_survives_odd_tables(rule: Rule, cells: Cells) -> None:
    ask(rule, cells)


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_a_rule_passes_over_plain_noise(rule: Rule) -> None:
    cells: Cells = {f"x{j}": normal(400, seed=j) for j in range(8)}
    assert ask(rule, cells | {"y": labels(400)}) == ()


def test_the_rules_take_less_time_for_a_wide_table_than_its_scan() -> None:
    numbers = np.random.default_rng(0).normal(size=(60, 1000))
    cells: Cells = {f"x{j}": numbers[:, j] for j in range(1000)}
    began = time.process_time()
    evidence = evidence_of(example("", Table(cells | {"y": labels(60)}), Recipe()))
    scanned = time.process_time() - began
    began = time.process_time()
    for rule in RULES:
        tuple(rule.check(*(getattr(evidence, name) for name in rule.needs)))
    assert time.process_time() - began < scanned


# Zeros for missing.


def measured(rows: int, zeros: int, seed: int = 0) -> Floats:
    values = np.random.default_rng(seed).normal(70, 12, size=rows).round()
    values[np.random.default_rng(seed + 1).choice(rows, zeros, replace=False)] = 0
    return values


@pytest.mark.parametrize("zeros", [3, 30, 190])
def test_zeros_below_a_heap_stand_for_missing(zeros: int) -> None:
    (finding,) = ask(sentinel_zero, {"pressure": measured(400, zeros), "y": labels(400)})
    assert f"0 in {zeros} of 400 rows" in finding.message
    assert finding.severity is Severity.WARNING


def test_several_columns_of_unmeasured_zeros_are_one_finding() -> None:
    cells: Cells = {"a": measured(400, 20), "b": measured(400, 40, seed=7), "y": labels(400)}
    (finding,) = ask(sentinel_zero, cells)
    assert finding.columns == ("a", "b")
    assert finding.fixes[0].edits == {
        "data.missing-values.a": ["0"],
        "data.missing-values.b": ["0"],
        "features.impute": "median",
    }


def test_zeros_above_a_heap_of_negative_numbers_are_found() -> None:
    (finding,) = ask(sentinel_zero, {"longitude": -measured(400, 20) - 0.0, "y": labels(400)})
    assert "nowhere else above -" in finding.message


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).poisson(3, size=500),
        np.random.default_rng(0).exponential(100, size=500).round() * (np.arange(500) % 4 > 0),
        np.random.default_rng(0).lognormal(4, 1.5, size=500).round(2) * (np.arange(500) % 10 > 0),
        np.random.default_rng(0).normal(2000, 300, size=500).round() * (np.arange(500) % 10 > 8),
        np.random.default_rng(0).integers(0, 17, size=500),
        np.random.default_rng(0).normal(0, 10, size=500).round(),
    ],
    ids=["counts", "rain", "spending", "mostly none", "grey levels", "differences"],
)
def test_an_honest_zero_is_left_alone(values: Floats) -> None:
    assert ask(sentinel_zero, {"x": values, "y": labels(500)}) == ()


def test_a_code_for_missing_below_zero_does_not_hide_the_zeros() -> None:
    values = measured(400, 20)
    values[[5, 50, 300]] = -9999
    (finding,) = ask(sentinel_zero, {"x": values, "y": labels(400)})
    assert "0 in" in finding.message


# Gaps that tell the class.


def test_few_rows_with_a_gap_prove_nothing() -> None:
    cells: Cells = {"x": [None if i in (0, 3, 6) else i * 7 % 5 for i in range(12)], "y": labels(12)}
    assert ask(informative_missingness, cells) == ()


def test_columns_with_the_same_gaps_are_named_once() -> None:
    gap = [i % 3 == 0 and i % 4 > 0 for i in range(300)]
    cells: Cells = {
        "a": [None if g else i * 37 % 71 for i, g in enumerate(gap)],
        "b": [None if g else i * 53 % 71 for i, g in enumerate(gap)],
        "y": labels(300),
    }
    (finding,) = ask(informative_missingness, cells)
    assert finding.measured["columns"] == ["a", "b"]


def test_text_shows_its_gaps_by_itself() -> None:
    cells: Cells = {"job": [None if i % 3 == 0 and i % 4 else "ab"[i % 2] for i in range(300)], "y": labels(300)}
    (finding,) = ask(informative_missingness, cells)
    assert finding.severity is Severity.NOTE


def test_of_three_classes_the_one_that_is_told_is_named() -> None:
    cells: Cells = {"x": [None if i % 3 == 1 else i * 37 % 71 for i in range(300)], "y": ["a", "b", "c"] * 100}
    (finding,) = ask(informative_missingness, cells)
    assert "of 'b' and 0.0% of the others" in finding.message
    assert finding.severity is Severity.ERROR


def test_a_leak_by_gaps_is_left_out_by_itself() -> None:
    cells: Cells = {"x": [None if i % 3 else i * 37 % 71 for i in range(300)], "y": labels(300)}
    (finding,) = ask(informative_missingness, cells)
    assert [fix.aim for fix in finding.fixes] == [Aim.CORRECT]
    assert ask(leaking_column, cells)


# The file's order.


def test_a_sorted_file_without_a_running_number_is_no_fault() -> None:
    assert ask(row_order_leak, {"x": normal(200), "y": sorted(labels(200, 2))}) == ()


def test_a_running_number_that_starts_anew_in_each_class_is_no_leak() -> None:
    cells: Cells = {"no": [i % 100 for i in range(200)], "x": normal(200), "y": sorted(labels(200, 2))}
    assert ask(row_order_leak, cells) == ()


def test_a_number_that_runs_down_with_the_rows_is_one_that_runs() -> None:
    cells: Cells = {"left": [2000 - 7 * i for i in range(200)], "x": normal(200), "y": sorted(labels(200, 2))}
    (finding,) = ask(row_order_leak, cells)
    assert finding.fixes[0].edits == {"data.drop+": ["left"]}


def test_few_rows_are_sorted_by_chance() -> None:
    assert ask(row_order_leak, {"no": list(range(6)), "x": list("abcabc"), "y": ["a", "a", "a", "b", "b", "b"]}) == ()


# Far-out values and rows.


def planted(values: Floats, share: float, *, sides: int = 1, seed: int = 5) -> tuple[Floats, list[int]]:
    """Move a share of the values to about 15 standard deviations, to one side or to both."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(values), max(round(share * len(values)), 1), replace=False))
    sign = np.where(np.arange(len(rows)) % 2, 1, -1) if sides == 2 else 1
    moved = values.copy()
    moved[rows] = values.mean() + sign * (15 + rng.normal(size=len(rows))) * values.std()
    return moved, rows.tolist()


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(
    "values",
    [
        normal(500, mean=10, std=3),
        np.random.default_rng(0).uniform(5, 9, size=500),
        np.random.default_rng(0).poisson(8, size=500).astype(float),
        np.concatenate([normal(250, mean=5, std=0.4), normal(250, mean=8, std=0.4)]),
    ],
    ids=["normal", "uniform", "counts", "two humps"],
)
def test_values_moved_far_out_are_found_and_listed(values: Floats, sides: int) -> None:
    moved, rows = planted(values, 0.02, sides=sides)
    (finding,) = ask(extreme_values, {"x": moved, "z": normal(500, 3), "y": labels(500)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == rows


def test_far_out_values_in_many_rows_are_all_listed() -> None:
    moved, rows = planted(normal(15_000, mean=50, std=5), 0.02)
    (finding,) = ask(extreme_values, {"x": moved, "y": labels(15_000)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == rows


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).lognormal(size=800),
        np.random.default_rng(1).exponential(size=800),
        np.random.default_rng(1).pareto(1.2, size=800),
        np.random.default_rng(1).standard_cauchy(size=800),
        (np.random.default_rng(1).random(800) < 0.02) * np.random.default_rng(2).integers(1, 17, size=800),
    ],
    ids=["lognormal", "exponential", "Pareto", "Cauchy", "mostly zero"],
)
def test_a_heavy_tail_holds_no_isolated_values(values: Floats) -> None:
    assert ask(extreme_values, {"x": values.round(6), "y": labels(800)}) == ()


def test_a_code_for_missing_is_no_extreme_value() -> None:
    values = normal(400, mean=30, std=5)
    values[::40] = -999
    assert ask(extreme_values, {"x": values, "y": labels(400)}) == ()


def test_a_fix_that_reads_extremes_as_missing_leaves_the_others() -> None:
    moved, rows = planted(normal(300, mean=10), 0.02)
    cells: Cells = {"x": moved, "y": labels(300)}
    table = Table(cells)
    (finding,) = findings_in(extreme_values, example("", table, Recipe()))
    fixed = Recipe().edited(finding.fixes[0].edits)
    dataset = evidence_of(example("", table, fixed)).dataset
    assert dataset is not None
    missing = rows_of(dataset, fixed).features["x"].is_null().arg_true().to_list()
    assert missing == rows


def test_clipping_reaches_below_all_extreme_values() -> None:
    moved, rows = planted(normal(300, mean=10), 0.04)
    (finding,) = ask(extreme_values, {"x": moved, "y": labels(300)})
    low, high = finding.fixes[1].edits["features.clip.x"]
    assert low == 0.0
    assert np.quantile(moved, high) < min(moved[rows])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_isolated_values_do_not_depend_on_the_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    distances = np.unique(np.concatenate([np.abs(rng.normal(size=200)), 20 + rng.random(3)]))
    ones = np.ones(len(distances), dtype=np.int64)
    found, scaled = (
        isolated(unit * distances, ones, rows=203, max_share=0.05, min_ratio=1.5) for unit in (1.0, 1024.0)
    )
    assert found is not None
    assert scaled is not None
    assert found.count == scaled.count == 3
    assert scaled.nearest == 1024 * found.nearest


def test_a_row_that_breaks_how_columns_go_together_is_far() -> None:
    size = normal(300, mean=100, std=10)
    cells: dict[str, Floats] = {
        "height": size,
        "arm": size * 0.8 + normal(300, 1, std=0.8),
        "leg": size * 0.9 + normal(300, 2, std=0.8),
    }
    cells["arm"][17], cells["leg"][17] = cells["leg"][17] + 25, cells["arm"][17] - 25
    (finding,) = ask(outlier_rows, {**cells, "y": labels(300)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == [17]


def test_rows_moved_far_out_in_one_column_are_far_rows() -> None:
    cells: dict[str, Floats] = {f"x{j}": normal(500, seed=j) for j in range(10)}
    cells["x3"], rows = planted(cells["x3"], 0.02)
    (finding,) = ask(outlier_rows, {**cells, "y": labels(500)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == rows
    assert finding.measured["columns"][0] == "x3"


# What a column cannot hold.


@pytest.mark.parametrize("name", ["age", "Age", "AGE", "patient_age", "customerAge", "age_years"])
def test_an_age_beyond_any_life_is_impossible(name: str) -> None:
    (finding,) = ask(impossible_value, {name: [999 if i == 7 else 20 + i % 60 for i in range(300)], "y": labels(300)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == [7]


@pytest.mark.parametrize("name", ["wage", "pages", "usage", "average", "mileage", "voltage"])
def test_what_only_ends_like_an_age_is_none(name: str) -> None:
    assert ask(impossible_value, {name: [999 if i == 7 else 20 + i % 60 for i in range(300)], "y": labels(300)}) == ()


def test_coordinates_off_the_globe_are_impossible() -> None:
    latitude = normal(300, mean=45, std=4)
    latitude[[3, 8]] = [452.1, -98]
    (finding,) = ask(impossible_value, {"lat": latitude, "y": labels(300)})
    assert "'lat' is not between -90 and 90 in 2 of 300 rows ('-98' and '452.1'), as a latitude is" in finding.message


def test_infinities_of_either_sign_are_found_among_numbers_only() -> None:
    ratio = ["-Infinity" if i == 30 else "inf" if i == 60 else f"{i * 37 % 91 / 7:.3f}" for i in range(300)]
    (finding,) = ask(impossible_value, {"ratio": ratio, "y": labels(300)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == [30, 60]
    assert (
        ask(impossible_value, {"word": ["inf" if i % 9 == 0 else "abc"[i % 3] for i in range(300)], "y": labels(300)})
        == ()
    )


# Columns that are no features.


def test_levels_that_name_three_parts_are_a_split() -> None:
    part = [("Train", "valid", "TEST")[min(i % 5, 2)] for i in range(100)]
    (finding,) = ask(split_column, {"set": part, "x": normal(100), "y": labels(100)})
    assert finding.severity is Severity.ERROR
    assert finding.fixes[0].edits == {"split.column": "set"}


def test_rows_of_no_part_leave_only_dropping_the_column() -> None:
    part = [None if i == 3 else ("train", "test")[i % 2] for i in range(100)]
    (finding,) = ask(split_column, {"set": part, "x": normal(100), "y": labels(100)})
    assert [list(fix.edits) for fix in finding.fixes] == [["data.drop+"]]


@pytest.mark.parametrize("name", ["test", "training", "dev", "train", "valid", "testicular"])
def test_a_yes_no_column_needs_a_name_that_speaks_of_parts(name: str) -> None:
    assert ask(split_column, {name: [i % 2 for i in range(100)], "x": normal(100), "y": labels(100)}) == ()


@pytest.mark.parametrize("name", ["is_train", "isTest", "train_flag", "in_training_set", "holdout"])
def test_a_yes_no_column_that_is_named_after_a_part_is_a_split(name: str) -> None:
    (finding,) = ask(split_column, {name: [int(i % 4 > 0) for i in range(100)], "x": normal(100), "y": labels(100)})
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("name", ["fnlwgt", "perwt", "sample_weight", "survey.weight", "PWEIGHT", "instance weight"])
def test_a_survey_weight_is_told_by_name_and_values(name: str) -> None:
    weights = np.random.default_rng(0).lognormal(12, 0.5, size=400).round()
    (finding,) = ask(weight_column, {name: weights, "y": labels(400)})
    assert finding.severity is Severity.NOTE
    assert {fix.aim for fix in finding.fixes} == {Aim.ADVISE}


def test_a_weight_on_a_scale_is_no_survey_weight() -> None:
    assert ask(weight_column, {"weight": normal(400, mean=70, std=12), "y": labels(400)}) == ()


def test_a_weight_that_tells_the_class_is_a_feature() -> None:
    weights = np.random.default_rng(0).lognormal(1, 0.6, size=400) * np.where(np.arange(400) % 3 == 0, 3, 1)
    assert ask(weight_column, {"wt": weights, "y": labels(400)}) == ()


# Rows that are all but equal.


def test_a_row_under_another_number_is_a_copy_but_for_one_field_at_most() -> None:
    cells: dict[str, list[object]] = {f"x{j}": [*normal(200, seed=j), normal(200, seed=j)[11]] for j in range(8)}
    cells["x2"][200] = 3.25
    cells["id"] = [f"k{i * 7919 % 10_007:05}" for i in range(201)]
    (finding,) = ask(near_duplicate_rows, {**cells, "y": labels(201)})
    assert finding.rows is not None
    assert finding.rows.numbers.tolist() == [200]
    assert finding.measured["columns"] == {"x2": 1}


def test_equal_rows_are_left_to_another_rule() -> None:
    cells: Cells = {f"x{j}": [*normal(200, seed=j), *normal(200, seed=j)[:9]] for j in range(8)}
    assert ask(near_duplicate_rows, cells | {"y": labels(209)}) == ()


def test_grids_do_not_separate_rounded_rows() -> None:
    x = np.random.default_rng(3).normal(size=(300, 12))
    both = np.vstack([x, x[:40].round(3)])
    cells: Cells = {f"x{j}": both[:, j] for j in range(12)}
    evidence = evidence_of(example("", Table(cells | {"y": labels(340)}), Recipe()))
    assert evidence.profile is not None
    assert evidence.profile.sample is not None
    names = [f"x{j}" for j in range(12)]
    near = nearly_equal(evidence.profile.sample, names, names, min_surprise=2.0, max_difference=0.01)
    assert near.rounding.tolist() == list(range(300, 340))
