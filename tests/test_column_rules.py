"""What the rules about columns of levels, dates and codes say, in situations that their own examples leave out."""

import datetime
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import Aim, Confidence, Finding, Recipe, Rule, Severity, Table, example
from bindoctor.cleaning import tidy_text
from bindoctor.rules import Example
from bindoctor.testing import evidence_of, findings_in
from bindoctor_rules._codes import holds_unknown_code, named_as_code, zigzag
from bindoctor_rules._dates import recipe_format, varying_parts
from bindoctor_rules._spelling import spellings, tidy
from bindoctor_rules.bd104_heavy_tailed_feature import heavy_tailed_feature
from bindoctor_rules.bd106_missing_token import missing_token
from bindoctor_rules.bd110_identifier_column import identifier_column
from bindoctor_rules.bd111_high_cardinality import high_cardinality
from bindoctor_rules.bd112_redundant_column import redundant_column
from bindoctor_rules.bd117_number_as_text import number_as_text
from bindoctor_rules.bd118_untidy_levels import untidy_levels
from bindoctor_rules.bd119_unparsed_date import unparsed_date
from bindoctor_rules.bd122_missing_target import missing_target
from bindoctor_rules.bd123_target_spelling import target_spelling
from bindoctor_rules.bd124_too_wide import too_wide
from bindoctor_rules.bd125_coded_category import coded_category
from bindoctor_rules.bd126_rare_level import rare_level

Cells = dict[str, Sequence[object]]

RULES = (
    heavy_tailed_feature,
    missing_token,
    identifier_column,
    high_cardinality,
    redundant_column,
    number_as_text,
    untidy_levels,
    unparsed_date,
    missing_target,
    target_spelling,
    too_wide,
    coded_category,
    rare_level,
)


def ask(rule: Rule, cells: Cells, recipe: Recipe | None = None) -> tuple[Finding, ...]:
    return findings_in(rule, example("", Table(cells), recipe or Recipe()))


def labels(rows: int, every: int = 3) -> list[str]:
    return ["yes" if i % every == 0 else "no" for i in range(rows)]


def days(first: str, every: Sequence[int], form: str = "%Y-%m-%d") -> list[str]:
    start = datetime.datetime.fromisoformat(first)
    return [(start + datetime.timedelta(days=days)).strftime(form) for days in every]


# Any table.


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
@pytest.mark.parametrize(
    "cells",
    [
        {"x": [1, 2], "t": ["a", "A"], "y": ["yes", "no"]},
        {"x": [None, None, 3], "t": ["2020-01-01", None, None], "y": ["a", "b", "c"]},
        {"x": [1e300, -1e300, 5e-324, 0], "t": [" ", "\u200b", "b ", "B"], "y": ["a", "b", "a", "b"]},
        {"zip": [1e15, 2e15, 3e15, 1e15] * 10, "d": [20240131.0] * 40, "y": ["a", "b", "a", "b"] * 10},
        {"empty": [None] * 30, "one": ["x"] * 30, "y": ["a", "b", "c"] * 10},
    ],
    ids=["two rows", "mostly missing", "extremes", "huge codes", "nothing to see"],
)
def test_no_table_breaks_a_rule(rule: Rule, cells: Cells) -> None:
    ask(rule, cells)


def test_a_thousand_columns_take_no_rule_longer_than_they_took_the_scan() -> None:
    draw = np.random.default_rng(0)
    cells: Cells = {f"q{j}": [int(x) for x in draw.integers(1, 6, 60)] for j in range(500)}
    cells |= {f"t{j}": [f"v{x}" for x in draw.integers(1, 6, 60)] for j in range(500)}
    start = time.process_time()
    evidence = evidence_of(Example("", Table(cells | {"y": labels(60)}), Recipe()))
    scanned = time.process_time() - start
    for rule in RULES:
        start = time.process_time()
        list(rule.check(*(getattr(evidence, name) for name in rule.needs)))
        assert time.process_time() - start < scanned, rule.code


# Spelling.


@given(st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_levels_are_compared_as_the_recipe_tidies_them(text: str) -> None:
    assert tidy(text) == tidy_text(text)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), st.integers(1, 9), max_size=12))
def test_groups_of_spellings_share_no_text_and_start_with_the_commonest(counts: dict[str, int]) -> None:
    groups = spellings(counts)
    texts = [text for group in groups for text in group]
    assert len(texts) == len(set(texts))
    for group in groups:
        assert len(group) > 1 and len({tidy(text) for text in group}) == 1
        assert counts[group[0]] == max(counts[text] for text in group)


def test_one_finding_names_all_columns_and_one_fix_tidies_them() -> None:
    cells: Cells = {
        "city": [["Oslo", "oslo", "Bergen"][i % 3] for i in range(90)],
        "job": [["cook", "cook ", "nurse"][i * 7 % 10 % 3] for i in range(90)],
        "y": labels(90, 4),
    }
    (found,) = ask(untidy_levels, cells)
    assert found.fixes[0].edits == {"data.tidy+": ["city", "job"]}
    assert found.fixes[0].aim is Aim.CORRECT
    assert found.measured["cells"]["city"] == 30
    assert not ask(untidy_levels, cells, Recipe().edited(found.fixes[0].edits))


def test_a_rare_slip_is_a_note() -> None:
    cells: Cells = {"city": ["oslo" if i == 7 else ["Oslo", "Bergen"][i % 2] for i in range(500)], "y": labels(500)}
    (found,) = ask(untidy_levels, cells)
    assert found.severity is Severity.NOTE


def test_letters_that_are_grades_are_left_alone_but_letters_that_tell_nothing_are_one_level() -> None:
    grades = ["aAbB"[i % 4] for i in range(400)]
    assert not ask(untidy_levels, {"grade": grades, "y": ["yes" if g in "AB" else "no" for g in grades]})
    (found,) = ask(untidy_levels, {"sex": ["fFmM"[i % 4] for i in range(400)], "y": labels(400, 5)})
    assert found.confidence is Confidence.MEDIUM


def test_more_levels_than_the_scan_keeps_are_compared_too() -> None:
    towns = [f"Town {i % 4500}" for i in range(9000)]
    towns[:200] = [town.upper() for town in towns[:200]]
    (found,) = ask(untidy_levels, {"town": towns, "y": labels(9000)})
    assert found.measured["cells"]["town"] == 200


def test_identifiers_numbers_and_dates_are_no_levels() -> None:
    cells: Cells = {
        "id": [f"{'aA'[i % 2]}{i // 2}" for i in range(60)],
        "when": days("2024-01-01", range(60)),
        "x": [f" {i % 7}" for i in range(60)],
        "y": labels(60),
    }
    assert not ask(untidy_levels, cells)


# Dates.


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%H:%M", "%d %b %Y"])
def test_a_format_is_offered_only_if_the_recipe_takes_it(form: str) -> None:
    taken = recipe_format(form)
    assert form.startswith(taken) and bool(taken) >= form.startswith(("%Y", "%d."))
    if taken:
        Recipe().edited({"features.dates.x": {"format": taken}})


@pytest.mark.parametrize(
    ("first", "spans", "parts"),
    [
        ("2024-01-01", range(5), ["days"]),
        ("2024-01-01", range(100), ["days", "weekday"]),
        ("2022-01-01", range(0, 800, 7), ["days", "month"]),
        ("2022-01-01", range(800), ["days", "month", "weekday"]),
        ("2024-01-01", [3], []),
    ],
)
def test_only_parts_that_say_something_of_their_own_are_offered(
    first: str, spans: Sequence[int], parts: list[str]
) -> None:
    start = np.datetime64(first, "D").astype(np.int64)
    assert varying_parts(start + np.array(spans, dtype=np.float64), hours=True) == parts


def test_hours_are_a_part_where_they_differ() -> None:
    assert "hour" in varying_parts(np.array([19_000.25, 19_001.5]), hours=True)


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d"])
def test_dates_in_any_usual_order_can_be_parsed(form: str) -> None:
    cells: Cells = {"seen": days("2023-03-01", range(200), form), "y": labels(200)}
    (found,) = ask(unparsed_date, cells)
    assert found.fixes[0].edits["features.dates.seen"]["format"] == form
    assert found.severity is Severity.WARNING
    assert not ask(high_cardinality, cells)


def test_a_few_days_many_times_are_noted_only() -> None:
    (found,) = ask(unparsed_date, {"seen": days("2024-01-01", [i % 15 for i in range(900)]), "y": labels(900)})
    assert found.severity is Severity.NOTE


def test_the_time_of_the_row_orders_the_split_and_not_the_birthday() -> None:
    cells: Cells = {
        "birth_date": days("1950-01-01", [i * 37 % 9000 for i in range(200)]),
        "created": days("2024-01-01", [i // 2 for i in range(200)]),
        "y": labels(200),
    }
    (found,) = ask(unparsed_date, cells)
    (by_time,) = [fix for fix in found.fixes if fix.aim is Aim.ADVISE]
    assert by_time.edits == {"split.time": "created"}


def test_whole_numbers_in_the_range_of_days_are_no_dates_unless_they_are_days() -> None:
    amounts = [20_000_000 + i * 7919 % 100_003 for i in range(300)]
    assert not ask(unparsed_date, {"amount": amounts, "y": labels(300)})
    (found,) = ask(
        unparsed_date, {"paid": [int(d) for d in days("2023-01-05", range(0, 900, 3), "%Y%m%d")], "y": labels(300)}
    )
    assert found.fixes[0].edits["features.dates.paid"] == {
        "format": "%Y%m%d",
        "parts": ["days", "month", "weekday"],
    }


def test_milliseconds_are_times_without_a_name_and_barcodes_are_not() -> None:
    draw = np.random.default_rng(0)
    times = [int(x) for x in draw.integers(1_577_836_800_000, 1_640_995_200_000, 200)]
    barcodes = [int(x) for x in draw.integers(1_000_000_000_000, 9_999_999_999_999, 200)]
    (found,) = ask(unparsed_date, {"x": times, "y": labels(200)})
    assert found.measured["unit"] == "milliseconds"
    assert not ask(unparsed_date, {"x": barcodes, "y": labels(200)})


# Codes.


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ZIP Code", True),
        ("Region_Code", True),
        ("from_area_id", True),
        ("VehicleTypeID", True),
        ("MOSTYPE", True),
        ("OperatingSystems", True),
        ("Policy_Sales_Channel", True),
        ("race", True),
        ("store_sales", False),
        ("area", False),
        ("mean area", False),
        ("user_id", False),
        ("CustomerID", False),
        ("id", False),
        ("num_types_used", False),
        ("Pclass", False),
        ("color_intensity", False),
        ("", False),
    ],
)
def test_the_head_of_a_name_says_whether_it_is_a_code(name: str, code: bool) -> None:
    assert named_as_code(name) is code


@pytest.mark.parametrize(
    ("values", "counts", "code"),
    [
        ([1, 2, 3, 4, 9], [50, 30, 20, 10, 6], True),
        ([0, 1, 9], [50, 30, 6], True),
        ([0, 1, 9], [50, 30, 2], False),
        ([0, 1, 2, 3, 4, 5, 8], [90, 40, 20, 10, 9, 8, 7], False),
        ([1, 2, 3, 4], [9, 9, 9, 9], False),
    ],
)
def test_a_nine_apart_is_the_code_for_unknown(values: list[int], counts: list[int], code: bool) -> None:
    assert holds_unknown_code(np.array(values, dtype=np.float64), np.array(counts)) is code


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(5, 60), st.integers(60, 90)), min_size=3, max_size=9), st.booleans())
def test_shares_that_rise_or_fall_all_along_are_no_zigzag(rows: list[tuple[int, int]], falling: bool) -> None:
    table = np.array(sorted(rows, key=lambda row: row[0] / row[1], reverse=falling))
    assert zigzag(table) <= 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=3, max_size=9))
def test_zigzag_is_the_same_from_either_end_and_for_either_class(rows: list[tuple[int, int]]) -> None:
    table = np.array(rows)
    assert (zigzag(table) > 1e-9) == (zigzag(table[::-1]) > 1e-9) == (zigzag(table[:, ::-1]) > 1e-9)


def test_counts_grades_and_ages_are_no_codes_however_they_go_with_the_outcome() -> None:
    values = [1 + i % 3 for i in range(900)]
    y = ["yes" if v == 2 and i % 4 else "no" for i, v in enumerate(values)]
    assert ask(coded_category, {"light": values, "y": y})
    for name in ("num_products", "children", "age_group", "agegrp", "EdLevel", "month"):
        assert not ask(coded_category, {name: values, "y": y})


def test_ordered_codes_with_a_code_name_are_left_as_numbers() -> None:
    values = [1 + i % 5 for i in range(2000)]
    y = ["yes" if i * 7919 % 100 < 15 * v else "no" for i, v in enumerate(values)]
    assert not ask(coded_category, {"risk_category": values, "y": y})


def test_codes_of_many_values_are_encoded_by_the_target() -> None:
    cells: Cells = {"zip": [94_000 + 13 * (i * 7 % 80) for i in range(400)], "y": labels(400)}
    (found,) = ask(coded_category, cells)
    assert found.fixes[0].edits == {"data.casts.zip": "text", "features.encode-columns.zip": "target"}
    assert found.fixes[1].edits == {"data.drop+": ["zip"]}
    fixed = Recipe().edited(found.fixes[0].edits)
    assert not ask(coded_category, cells, fixed) and not ask(high_cardinality, cells, fixed)


def test_a_code_has_no_heavy_tail() -> None:
    rows = [90_000 + i % 30 for i in range(399)] + [307]
    assert not ask(heavy_tailed_feature, {"ZIP Code": rows, "y": labels(400)})
    assert ask(heavy_tailed_feature, {"income": rows, "y": labels(400)})


# Copies.


def test_ranges_are_found_whichever_comes_first_and_the_finer_column_is_kept() -> None:
    ages = [20 + i * 7 % 50 for i in range(300)]
    cells: Cells = {"group": [age // 15 for age in ages], "age": ages, "y": labels(300)}
    (found,) = ask(redundant_column, cells)
    assert found.fixes[0].edits == {"data.drop+": ["group"]}


def test_a_rare_flag_or_one_exception_is_no_range() -> None:
    ages = [20 + i * 7 % 50 for i in range(300)]
    oldest = [int(age == 69) for age in ages]
    assert not ask(redundant_column, {"age": ages, "oldest": oldest, "y": labels(300)})
    groups = [age // 15 for age in ages]
    groups[5] = 4 if groups[5] < 3 else 1
    assert not ask(redundant_column, {"age": ages, "group": groups, "y": labels(300)})


def test_ranges_of_a_column_with_missing_cells_are_compared_where_both_are_there() -> None:
    ages = [None if i % 20 == 0 else 20 + i * 7 % 50 for i in range(300)]
    groups = [None if age is None else "young" if age < 40 else "old" for age in ages]
    assert ask(redundant_column, {"age": ages, "group": groups, "y": labels(300)})


def test_many_copies_are_one_finding() -> None:
    draw = np.random.default_rng(0)
    cells: Cells = {}
    for j in range(5):
        x = [round(float(v), 3) for v in draw.normal(size=100)]
        cells |= {f"x{j}": x, f"twice{j}": [2 * v for v in x]}
    (found,) = ask(redundant_column, cells | {"y": labels(100)})
    assert "and so for 2 more" in found.message
    assert found.fixes[0].edits == {"data.drop+": [f"twice{j}" for j in range(5)]}


# Identifiers.


def test_short_messages_are_text_and_names_are_identifiers() -> None:
    words = ["the", "a", "new", "old", "red", "hat", "cat", "dog", "sat", "ran", "on", "under", "over", "with"]
    draw = np.random.default_rng(0)
    messages = [" ".join(draw.choice(words, 14)) for _ in range(300)]
    names = [
        f"Doe, Mr. {a}{b} ({i})" for i, (a, b) in enumerate(zip(draw.choice(words, 300), words * 22, strict=False))
    ]
    cells: Cells = {"message": messages, "name": names, "y": labels(300)}
    assert [finding.where.name for finding in ask(identifier_column, cells)] == ["name"]


def test_salaries_in_dollars_are_numbers_as_text_and_no_identifiers() -> None:
    cells: Cells = {"pay": [f"${30 + i},{100 + i * 7 % 900}" for i in range(200)], "y": labels(200)}
    assert not ask(identifier_column, cells)
    assert ask(number_as_text, cells)[0].fixes[0].aim is Aim.ADVISE


def test_years_in_file_order_name_no_rows() -> None:
    assert not ask(identifier_column, {"Year": list(range(1950, 2010)), "y": labels(60)})
    assert ask(identifier_column, {"Obs": list(range(1950, 2010)), "y": labels(60)})


def test_units_count_only_if_they_are_all_the_same() -> None:
    months = [f"{6 + i * 7 % 50} months" for i in range(200)]
    mixed = [f"{6 + i * 7 % 50} {'months' if i % 2 else 'years'}" for i in range(200)]
    assert "'months'" in ask(number_as_text, {"term": months, "y": labels(200)})[0].message
    assert not ask(number_as_text, {"term": mixed, "y": labels(200)})


# Missing values.


def test_a_title_that_reads_missing_stands_for_nothing() -> None:
    titles = ["Missing" if i == 5 else f"Film {i}" for i in range(60)]
    assert not ask(missing_token, {"title": titles, "y": labels(60)})


def test_minus_one_is_a_code_only_where_nothing_else_is_below_zero() -> None:
    calls = [-1 if i % 3 == 0 else i * 37 % 97 for i in range(300)]
    (found,) = ask(missing_token, {"pdays": calls, "y": labels(300, 4)})
    assert found.severity is Severity.NOTE and found.fixes[0].aim is Aim.IMPROVE
    assert not ask(missing_token, {"pdays": [*calls[:-1], -2], "y": labels(300, 4)})
    assert not ask(missing_token, {"sign": [-1, 0, 1] * 100, "y": labels(300, 4)})


# The target.


def test_rows_whose_target_is_a_token_are_listed_and_left_out() -> None:
    y = ["?" if i % 10 == 4 else "yes" if i % 3 == 0 else "no" for i in range(60)]
    (found,) = ask(missing_target, {"x": list(range(60)), "y": y})
    assert found.rows is not None and found.rows.first == (4, 14, 24, 34, 44, 54)
    assert not ask(missing_target, {"x": list(range(60)), "y": y}, Recipe().edited(found.fixes[0].edits))


def test_a_token_that_is_one_of_two_classes_is_a_class() -> None:
    assert not ask(missing_target, {"x": list(range(60)), "y": ["missing", "found"] * 30})


def test_small_classes_are_one_note_and_a_slip_an_error() -> None:
    y = ["mammal"] * 40 + ["bird"] * 30 + ["amphibian"] * 4 + ["reptile"] * 3 + ["mamal"] * 2
    found = ask(target_spelling, {"x": list(range(79)), "y": y})
    assert [(f.severity, f.fixes[0].edits) for f in found] == [
        (Severity.ERROR, {"data.target-levels.mamal": "mammal"}),
        (Severity.NOTE, {}),
    ]


def test_ten_digits_are_classes_and_thirty_rings_an_amount() -> None:
    assert not ask(target_spelling, {"x": list(range(100)), "y": [i % 10 for i in range(100)]})
    rings = [1 + i * 7 % 31 for i in range(200)] + [40, 41]
    (found,) = ask(target_spelling, {"x": list(range(202)), "y": rings})
    assert "an amount rather than classes" in found.message


# Width and rare levels.


def test_width_counts_what_the_recipe_makes_of_the_columns() -> None:
    cells: Cells = {f"q{j}": ["abcd"[(i * (7 + j) + j) % 13 % 4] for i in range(60)] for j in range(4)}
    cells["y"] = labels(60)
    assert ask(too_wide, cells)[0].measured["inputs"] == 16
    assert not ask(too_wide, cells, Recipe().edited({"features.encode": "target"}))


def test_grouping_rare_levels_leaves_none_to_report() -> None:
    cells: Cells = {"job": [f"j{i % 5 if i % 25 else 5 + i // 50}" for i in range(200)], "y": labels(200)}
    (found,) = ask(rare_level, cells)
    assert found.measured["levels"]["job"] == {"j5": 2, "j6": 2, "j7": 2, "j8": 2}
    assert not ask(rare_level, cells, Recipe().edited(found.fixes[0].edits))


def test_missing_tokens_and_numbers_among_them_are_no_rare_levels() -> None:
    cells: Cells = {
        "age": ["?" if i == 3 else 20 + i % 30 for i in range(200)],
        "job": ["NA" if i == 3 else "ab"[i % 2] for i in range(200)],
        "y": labels(200),
    }
    assert not ask(rare_level, cells)
