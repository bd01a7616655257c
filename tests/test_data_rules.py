"""What the rules about data say, and do not say, in situations that their own examples leave out."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import Aim, Confidence, Finding, Profile, Recipe, Rule, Severity, Table, counts, example
from bindoctor.examine import examine, findings_of
from bindoctor.rows import rows_of
from bindoctor.testing import evidence_of, findings_in
from bindoctor.train import fit
from bindoctor_rules._association import best_answer, errors_removed, parts_of
from bindoctor_rules.bd101_class_imbalance import class_imbalance
from bindoctor_rules.bd102_too_few_rare_rows import too_few_rare_rows
from bindoctor_rules.bd103_unscaled_features import unscaled_features
from bindoctor_rules.bd104_heavy_tailed_feature import heavy_tailed_feature
from bindoctor_rules.bd105_missing_values import missing_values
from bindoctor_rules.bd106_missing_token import missing_token
from bindoctor_rules.bd109_constant_column import constant_column
from bindoctor_rules.bd110_identifier_column import identifier_column
from bindoctor_rules.bd111_high_cardinality import high_cardinality
from bindoctor_rules.bd112_redundant_column import redundant_column
from bindoctor_rules.bd113_duplicate_rows import duplicate_rows
from bindoctor_rules.bd114_conflicting_labels import conflicting_labels
from bindoctor_rules.bd115_leaking_column import leaking_column
from bindoctor_rules.bd117_number_as_text import number_as_text
from bindoctor_rules.bd121_impossible_value import impossible_value
from bindoctor_rules.bd122_missing_target import missing_target
from bindoctor_rules.bd123_target_spelling import target_spelling

Cells = dict[str, Sequence[object]]

DATA_RULES = (
    class_imbalance,
    too_few_rare_rows,
    unscaled_features,
    heavy_tailed_feature,
    missing_values,
    missing_token,
    constant_column,
    identifier_column,
    high_cardinality,
    redundant_column,
    duplicate_rows,
    conflicting_labels,
    leaking_column,
    number_as_text,
    impossible_value,
    missing_target,
    target_spelling,
)


def ask(rule: Rule, cells: Cells, recipe: Recipe | None = None) -> tuple[Finding, ...]:
    return findings_in(rule, example("", Table(cells), recipe or Recipe()))


def noise(rows: int, seed: int = 0) -> list[float]:
    return [round(float(x), 4) for x in np.random.default_rng(seed).normal(size=rows)]


def labels(rows: int, every: int = 3) -> list[str]:
    return ["yes" if i % every == 0 else "no" for i in range(rows)]


# Levels.


def towns(rows: int, levels: int) -> Cells:
    return {"town": [f"t{i % levels}" for i in range(rows)], "x": noise(rows), "y": labels(rows)}


@pytest.mark.parametrize(
    ("rows", "levels", "severity"),
    [
        (380, 19, None),
        (399, 20, Severity.WARNING),
        (400, 20, None),
        (1000, 50, None),
        (1020, 51, Severity.NOTE),
        (1019, 51, Severity.WARNING),
    ],
)
def test_levels_are_too_many_past_fifty_or_where_twenty_or_more_have_fewer_than_twenty_rows(
    rows: int, levels: int, severity: Severity | None
) -> None:
    assert [finding.severity for finding in ask(high_cardinality, towns(rows, levels))] == [severity] * bool(severity)


def test_one_fix_encodes_all_columns_of_many_levels_by_the_target() -> None:
    cells = towns(300, 60) | {"street": [f"s{i * 7 % 90}" for i in range(300)], "side": ["left", "right"] * 150}
    (found,) = ask(high_cardinality, cells)
    assert found.fixes[0].edits == {
        "features.encode-columns.town": "target",
        "features.encode-columns.street": "target",
    }
    assert found.fixes[1].edits == {"features.rare": 10}


def test_grouping_is_not_offered_where_no_level_is_rare_or_trees_group_by_themselves() -> None:
    (found,) = ask(high_cardinality, towns(1100, 55))
    assert not [fix for fix in found.fixes if "features.rare" in fix.edits]
    assert not ask(high_cardinality, towns(300, 60), Recipe().edited({"model.kind": "gradient-boosting"}))


def test_more_levels_than_the_scan_keeps_are_too_many_until_they_are_encoded_by_the_target() -> None:
    cells = towns(9000, 4500)
    (found,) = ask(high_cardinality, cells)
    assert not ask(high_cardinality, cells, Recipe().edited(found.fixes[0].edits))


def test_an_identifier_and_numbers_among_question_marks_are_left_to_their_own_rules() -> None:
    cells: Cells = {
        "id": [f"a{i}" for i in range(300)],
        "age": ["?" if i % 4 == 0 else 20 + i * 37 % 61 for i in range(300)],
        "y": labels(300),
    }
    assert not ask(high_cardinality, cells)


def test_numbers_read_as_text_on_purpose_are_levels() -> None:
    cells: Cells = {"zip": [10_000 + i * 37 % 90 for i in range(300)], "y": labels(300)}
    assert not ask(high_cardinality, cells)
    assert ask(high_cardinality, cells, Recipe().edited({"data.casts.zip": "text"}))


# Leaks.


def test_a_column_filled_in_only_after_the_outcome_is_a_proven_leak() -> None:
    y = labels(300)
    (found,) = ask(leaking_column, {"boat": [f"b{i % 20}" if c == "yes" else None for i, c in enumerate(y)], "y": y})
    assert found.confidence is Confidence.HIGH
    assert found.severity is Severity.ERROR
    assert [fix.aim for fix in found.fixes] == [Aim.CORRECT]


def test_the_leak_is_seen_before_and_after_its_token_is_read_as_missing() -> None:
    y = labels(300)
    cells: Cells = {"boat": [f"b{i % 20}" if c == "yes" else "?" for i, c in enumerate(y)], "y": y}
    for recipe in (Recipe(), Recipe().edited({"data.missing-tokens": ["?"]})):
        (found,) = ask(leaking_column, cells, recipe)
        assert found.fixes[0].aim is Aim.CORRECT


def test_a_few_exceptions_do_not_hide_a_leak() -> None:
    y = labels(600)
    late = [int((c == "yes") != (i % 40 == 0)) for i, c in enumerate(y)]
    assert ask(leaking_column, {"late": late, "y": y})[0].measured["agreement"] == pytest.approx(0.975)
    loose = [int((c == "yes") != (i % 10 == 0)) for i, c in enumerate(y)]
    assert not ask(leaking_column, {"late": loose, "y": y})


def test_an_amount_that_is_zero_for_one_class_is_a_proven_leak_however_many_amounts_there_are() -> None:
    y = labels(13_000, 2)
    (found,) = ask(leaking_column, {"spent": [i + 0.5 if c == "yes" else 0 for i, c in enumerate(y)], "y": y})
    assert found.fixes[0].aim is Aim.CORRECT
    assert "rows with '0' are 'no'" in found.message


def test_a_column_that_restates_one_of_three_classes_is_a_proven_leak() -> None:
    y = ["abc"[i % 3] for i in range(300)]
    (found,) = ask(leaking_column, {"is_c": [int(c == "c") for c in y], "y": y})
    assert found.fixes[0].aim is Aim.CORRECT
    assert "'c'" in found.message and "not 'c'" in found.message


def test_an_honest_strong_feature_is_no_leak() -> None:
    y = labels(1000)
    strong = [x + 2.3 * (c == "yes") for x, c in zip(noise(1000), y, strict=True)]
    assert not ask(leaking_column, {"balance": strong, "y": y})


def test_levels_that_are_almost_pure_are_reported_but_not_proven() -> None:
    y = labels(1200, 2)
    smells = {"yes": ["foul", "musty", "spicy"], "no": ["almond", "anise", "none"]}
    odour = [smells[c][i % 3] for i, c in enumerate(y)]
    odour[::80] = ["none"] * 15
    (found,) = ask(leaking_column, {"odour": odour, "y": y})
    assert found.confidence is Confidence.MEDIUM
    assert found.severity is Severity.WARNING
    assert [fix.aim for fix in found.fixes] == [Aim.ADVISE]


def test_a_number_that_separates_the_classes_is_reported_but_not_proven() -> None:
    y = labels(200, 2)
    width = [x + 6 * (c == "yes") for x, c in zip(noise(200), y, strict=True)]
    (found,) = ask(leaking_column, {"width": width, "y": y})
    assert found.confidence is Confidence.MEDIUM
    assert [fix.aim for fix in found.fixes] == [Aim.ADVISE]


def test_a_perfect_separation_of_few_rows_is_luck() -> None:
    y = ["yes" if i < 8 else "no" for i in range(60)]
    assert not ask(
        leaking_column, {"x": [i * 0.37 for i in range(60)], "flag": [int(i < 8) for i in range(60)], "y": y}
    )


def test_groups_of_the_common_class_are_ordinary() -> None:
    y = labels(2000, 50)
    amount = [0 if c == "no" and i % 10 == 1 else 5 + i % 37 for i, c in enumerate(y)]
    assert not ask(leaking_column, {"balance": amount, "y": y})


def test_a_value_that_is_there_for_one_class_only_is_reported() -> None:
    y = labels(400, 2)
    (found,) = ask(
        leaking_column, {"body": [i % 150 if c == "no" and i % 5 == 1 else "?" for i, c in enumerate(y)], "y": y}
    )
    assert "are 'no'" in found.message
    assert found.confidence is Confidence.MEDIUM


def test_a_leak_explains_what_other_rules_find_in_the_same_column() -> None:
    y = labels(300)
    table = Table({"boat": [i % 40 if c == "yes" else -999 for i, c in enumerate(y)], "y": y})
    outcomes = examine([missing_token, leaking_column], evidence_of(example("", table, Recipe())))
    assert [outcome.status for outcome in outcomes] == ["passed", "findings"]
    assert "BD115" in outcomes[0].why


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from("xyz")), min_size=6, max_size=60))
def test_the_best_answer_is_the_best_of_all_values_and_classes(rows: list[tuple[str | None, str]]) -> None:
    rows += [("a", "x"), ("b", "y")]
    profile = profile_of({"v": [value for value, _ in rows], "y": [label for _, label in rows]})
    answer = best_answer(parts_of(profile.columns["v"], profile), profile)
    best = 0.0
    for value in {value for value, _ in rows}:
        for label in {label for _, label in rows}:
            wrong = sum((v == value) != (y == label) for v, y in rows)
            rare = min(hits := sum(y == label for _, y in rows), len(rows) - hits)
            best = max(best, 1 - min(wrong, len(rows) - wrong) / rare)
    assert answer is not None
    assert answer.removed == pytest.approx(best) or best == 0.0 >= answer.removed


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from("xyz")), min_size=6, max_size=60))
def test_each_row_is_answered_by_the_majority_of_the_others_with_its_value(rows: list[tuple[str | None, str]]) -> None:
    rows += [("a", "x"), ("b", "y")]
    profile = profile_of({"v": [value for value, _ in rows], "y": [label for _, label in rows]})
    column = profile.columns["v"]
    right = 0
    for i, (value, label) in enumerate(rows):
        others = [y for j, (v, y) in enumerate(rows) if j != i and v == value]
        right += others.count(label) > max((others.count(y) for y in "xyz" if y != label), default=0)
    common = max(profile.class_counts)
    expected = 1 - (len(rows) - right) / (len(rows) - common)
    assert errors_removed(column, parts_of(column, profile), profile) == pytest.approx(expected)


def profile_of(cells: Cells, recipe: Recipe | None = None) -> Profile:
    profile = evidence_of(example("", Table(cells), recipe or Recipe())).profile
    assert profile is not None
    return profile


def test_zero_is_one_part_however_it_is_written() -> None:
    profile = profile_of({"v": ["0", "0.0", "-0", "1", None, "2"] * 10, "y": labels(60)})
    parts = parts_of(profile.columns["v"], profile)
    values = [(parts.value(part), absent) for part, absent in enumerate(parts.absent.tolist())]
    assert values[:2] == [(None, True), ("0", True)]
    assert sorted(values[2:]) == [("1", False), ("2", False)]


# Classes.


def test_the_remedies_for_imbalance_start_with_weights_and_threshold() -> None:
    (found,) = findings_in(class_imbalance, example("", counts(no=950, yes=50), Recipe()))
    edits = [dict(fix.edits) for fix in found.fixes]
    assert edits[:3] == [{"loss.class-weight": "balanced"}, {"decide.threshold": "tuned"}, {"resample.method": "smote"}]
    assert edits[-1] == {"loss.kind": "focal"}
    assert len(edits) == 10


def test_smote_is_not_offered_for_text() -> None:
    y = labels(400, 10)
    mixed: Cells = {"x": noise(400), "job": ["ab"[i % 2] for i in range(400)], "y": y}
    methods = {fix.edits.get("resample.method") for fix in ask(class_imbalance, mixed)[0].fixes}
    assert methods == {None, "smotenc", "random-over", "random-under"}
    only_text: Cells = {"job": ["ab"[i % 2] for i in range(400)], "y": y}
    methods = {fix.edits.get("resample.method") for fix in ask(class_imbalance, only_text)[0].fixes}
    assert methods == {None, "random-over", "random-under"}


def test_smote_is_not_offered_where_it_would_lack_neighbours() -> None:
    (found,) = findings_in(class_imbalance, example("", counts(no=500, yes=9), Recipe()))
    assert {fix.edits.get("resample.method") for fix in found.fixes} == {None, "random-over", "random-under"}


def test_three_classes_have_no_threshold_to_tune() -> None:
    (found,) = findings_in(class_imbalance, example("", counts(a=500, b=400, c=40), Recipe()))
    paths = {path for fix in found.fixes for path in fix.edits}
    assert paths == {"loss.class-weight", "resample.method", "loss.kind"}


def test_few_rare_rows_are_measured_on_repeated_folds_that_have_one_of_them_each() -> None:
    (found,) = findings_in(too_few_rare_rows, example("", counts(no=500, yes=3), Recipe()))
    recipe = Recipe().edited(found.fixes[0].edits)
    assert (recipe.split.folds, recipe.split.repeats > 1, recipe.split.stratify) == (3, True, True)


def test_spellings_of_a_class_are_merged_into_the_commonest() -> None:
    (found,) = findings_in(
        target_spelling, example("", counts(**{">50K": 20, ">50K.": 5, "<=50K": 60, "<=50K.": 9}), Recipe())
    )
    assert found.fixes[0].edits == {"data.target-levels.>50K.": ">50K", "data.target-levels.<=50K.": "<=50K"}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([str.upper, str.capitalize, lambda s: f" {s} ", lambda s: f"{s}."]), st.integers(1, 30))
def test_another_spelling_is_merged_whatever_its_share(respell: object, respelled: int) -> None:
    assert callable(respell)
    y = ["stay"] * 40 + ["leave"] * 40 + [respell("leave")] * respelled
    found = [f for f in ask(target_spelling, {"y": y}) if f.severity is Severity.ERROR]
    recipe = Recipe().edited(found[0].fixes[0].edits) if found else Recipe()
    assert sorted(profile_of({"y": y}, recipe).class_counts) == [40, 40 + respelled]


def test_a_rename_follows_the_label_that_it_leads_to() -> None:
    y = ["ja"] * 5 + ["Yes"] * 10 + ["yes"] * 30 + ["no"] * 50
    recipe = Recipe().edited({"data.target-levels": {"ja": "Yes"}})
    (found,) = ask(target_spelling, {"y": y}, recipe)
    profile = profile_of({"y": y}, recipe.edited(found.fixes[0].edits))
    assert (profile.classes, profile.class_counts) == (("no", "yes"), (50, 45))


def test_words_for_true_and_false_are_merged_only_among_themselves() -> None:
    assert not findings_in(target_spelling, example("", counts(yes=30, y=30, maybe=30), Recipe()))
    assert not findings_in(target_spelling, example("", counts(**{"0": 30, "1": 30}), Recipe()))
    assert findings_in(target_spelling, example("", counts(yes=30, y=30, n=30), Recipe()))


def test_rows_without_a_target_are_named() -> None:
    (found,) = ask(missing_target, {"x": noise(40), "y": ["yes", "no", None, "no"] * 10})
    assert found.rows is not None
    assert (found.rows.count, found.rows.first[:3]) == (10, (2, 6, 10))


# Missing values.


def test_none_is_a_level() -> None:
    y = labels(200)
    assert not ask(
        missing_token, {"guarantor": [["none", "co-applicant", "guarantor"][i % 3] for i in range(200)], "y": y}
    )


def test_minus_one_beside_zero_and_one_is_a_level() -> None:
    assert not ask(missing_token, {"anchor": [i % 3 - 1 for i in range(200)], "y": labels(200)})


def test_what_is_read_as_missing_already_stays_so() -> None:
    cells: Cells = {
        "days": [-999 if i % 9 == 0 else "x" if i % 11 == 0 else 30 + i % 70 for i in range(400)],
        "y": labels(400),
    }
    recipe = Recipe().edited({"data.missing-values.days": ["x"]})
    (found,) = ask(missing_token, cells, recipe)
    assert found.fixes[0].edits == {"data.missing-values.days": ["x", "-999"]}
    assert found.confidence is Confidence.MEDIUM


def test_a_token_of_several_columns_is_read_as_missing_everywhere() -> None:
    hidden = ["N/A" if i % 9 == 0 else i % 70 for i in range(400)]
    once = ["null" if i % 8 == 0 else i % 50 for i in range(400)]
    (found,) = ask(missing_token, {"a": hidden, "b": hidden[::-1], "c": once, "y": labels(400)})
    assert found.fixes[0].edits == {"data.missing-tokens+": ["N/A"], "data.missing-values.c": ["null"]}


@pytest.mark.parametrize(("rule", "odd"), [(missing_token, 999), (impossible_value, -2)], ids=["999", "-2"])
def test_an_improvement_that_makes_numbers_missing_can_be_trained(rule: Rule, odd: int) -> None:
    cells: Cells = {"days": [odd if i % 100 == 7 else i * 37 % 41 for i in range(400)], "y": labels(400)}
    (found,) = ask(rule, cells)
    assert found.fixes[0].aim is Aim.IMPROVE
    assert found.fixes[0].edits["features.impute"] == "median"
    dataset = evidence_of(example("", Table(cells), Recipe())).dataset
    assert dataset is not None
    recipe = Recipe().edited({**found.fixes[0].edits, "features.scale": "standard", "train.epochs": 1})
    assert fit(recipe, rows_of(dataset, recipe), seed=0).network is not None


@pytest.mark.parametrize(
    "edits",
    [{"features.impute": "mean"}, {"model.kind": "gradient-boosting"}],
    ids=["an imputer is chosen", "trees take them"],
)
def test_an_imputer_is_brought_only_where_one_is_needed(edits: dict[str, object]) -> None:
    cells: Cells = {"days": [-2 if i % 100 == 7 else i * 37 % 41 for i in range(400)], "y": labels(400)}
    (found,) = ask(impossible_value, cells, Recipe().edited(edits))
    assert list(found.fixes[0].edits) == ["data.missing-values.days"]


def test_what_is_certainly_missing_leaves_the_imputer_to_missing_values() -> None:
    cells: Cells = {"days": [-999 if i % 9 == 0 else 30 + i % 70 for i in range(400)], "y": labels(400)}
    (found,) = ask(missing_token, cells)
    recipe = Recipe().edited(found.fixes[0].edits)
    assert recipe.features.impute == "none"
    assert ask(missing_values, cells, recipe)[0].fixes[0].edits["features.indicators"] is True


def test_reading_tokens_as_missing_uncovers_the_number_column_that_must_be_imputed() -> None:
    cells: Cells = {"age": ["?" if i % 7 == 0 else 20 + i % 50 for i in range(300)], "y": labels(300)}
    assert not [f for f in ask(missing_values, cells) if f.severity is Severity.WARNING]
    assert not ask(number_as_text, cells)
    recipe = Recipe().edited(ask(missing_token, cells)[0].fixes[0].edits)
    (found,) = ask(missing_values, cells, recipe)
    assert found.fixes[0].aim is Aim.CORRECT


def test_missing_text_is_a_note() -> None:
    (found,) = ask(missing_values, {"port": [None if i % 9 == 0 else "SC"[i % 2] for i in range(90)], "y": labels(90)})
    assert found.severity is Severity.NOTE
    assert not found.fixes


# Columns.


def test_flags_do_not_need_scaling() -> None:
    assert not ask(unscaled_features, {"member": [int(i % 30 == 0) for i in range(300)], "y": labels(300)})


def test_a_column_of_few_values_has_no_tail() -> None:
    cells: Cells = {"children": [0] * 280 + [5] * 10 + [9] * 10, "y": labels(300)}
    assert not ask(heavy_tailed_feature, cells)


def test_the_logarithm_is_offered_only_for_columns_without_negative_values() -> None:
    amounts = [round(float(np.exp(2 * x)), 3) for x in noise(400)]
    cells: Cells = {"amount": amounts, "change": [x - 3 for x in amounts], "y": labels(400)}
    (found,) = ask(heavy_tailed_feature, cells)
    by_kind = [set(fix.edits.items()) for fix in found.fixes]
    assert {("features.transform.amount", "log1p")} in by_kind
    assert {("features.transform.amount", "power"), ("features.transform.change", "power")} in by_kind


def test_blank_or_set_is_not_constant() -> None:
    assert not ask(constant_column, {"flag": [1 if i % 4 == 0 else None for i in range(200)], "y": labels(200)})


def test_constant_empty_and_nearly_constant_columns_are_told_apart() -> None:
    cells: Cells = {"a": ["k"] * 300, "b": [None] * 300, "c": [7] * 299 + [8], "x": noise(300), "y": labels(300)}
    found = ask(constant_column, cells)
    assert [finding.measured["columns"] for finding in found] == [["b"], ["a"], ["c"]]
    assert all(finding.severity is Severity.NOTE for finding in found)


def test_one_column_of_a_group_is_kept() -> None:
    x = noise(200)
    cells: Cells = {
        "cm": x,
        "inch": [v / 2.54 for v in x],
        "noise": noise(200, 1),
        "mm": [10 * v for v in x],
        "y": labels(200),
    }
    (found,) = ask(redundant_column, cells)
    assert found.measured["columns"] == ["cm", "inch", "mm"]
    assert found.fixes[0].edits == {"data.drop+": ["inch", "mm"]}


def test_unique_measurements_do_not_repeat_each_other() -> None:
    assert not ask(redundant_column, {"a": noise(300), "b": noise(300, 1), "y": labels(300)})


def test_a_word_among_numbers_is_a_fault_and_among_codes_a_code() -> None:
    y = labels(300)
    assert ask(number_as_text, {"income": ["high" if i % 50 == 0 else 1000 + i * 37 % 211 for i in range(300)], "y": y})
    assert not ask(number_as_text, {"size": ["XL" if i % 50 == 0 else 36 + i % 8 for i in range(300)], "y": y})


@pytest.mark.parametrize("mean", [20, 30, 40, 60])
@pytest.mark.parametrize("seed", range(5))
def test_a_tail_through_zero_is_possible(mean: int, seed: int) -> None:
    x = [round(mean + 15 * v) for v in noise(2000, seed)]
    assert not ask(impossible_value, {"temperature": x, "y": labels(2000)})


def test_negative_years_of_experience_are_impossible() -> None:
    years = [*np.random.default_rng(0).integers(0, 43, 990).tolist(), *[-1] * 6, *[-2] * 4]
    (found,) = ask(impossible_value, {"experience": years, "y": labels(1000)})
    assert found.measured["negative"] == {"-1": 6, "-2": 4}
    assert found.fixes[0].aim is Aim.IMPROVE


# Rows.


def test_copies_of_measured_rows_are_removed() -> None:
    a, b, y = noise(200), noise(200, 1), labels(200)
    (found,) = ask(duplicate_rows, {"a": a + a[:20], "b": b + b[:20], "y": y + y[:20]})
    assert found.rows is not None
    assert (found.rows.count, found.fixes[0].aim) == (20, Aim.CORRECT)


def test_rows_that_are_equal_by_chance_are_not_removed() -> None:
    cells: Cells = {"a": [i % 2 for i in range(300)], "b": ["klm"[i * 7 % 3] for i in range(300)], "y": labels(300, 5)}
    (found,) = ask(duplicate_rows, cells)
    assert (found.severity, found.fixes[0].aim) == (Severity.NOTE, Aim.ADVISE)


def test_a_small_floor_is_a_note() -> None:
    x = [i * 0.37 for i in range(1000)]
    (found,) = ask(conflicting_labels, {"x": [x[0], *x], "y": ["no", *labels(1000)]})
    assert found.severity is Severity.NOTE
    assert found.measured["floor"] == pytest.approx(1 / 1001)


# All together.


def test_clean_data_has_one_loud_finding_at_most() -> None:
    rng = np.random.default_rng(0)
    y = labels(600, 2)
    shift = np.array([c == "yes" for c in y]) * 0.8
    cells: Cells = {
        "height": (rng.normal(170, 9, 600) + shift).round(1).tolist(),
        "income": (rng.gamma(2.0, 1500, 600)).round(2).tolist(),
        "visits": rng.poisson(4, 600).tolist(),
        "job": rng.choice(["clerk", "nurse", "driver", "none"], 600).tolist(),
        "y": y,
    }
    outcomes = examine(DATA_RULES, evidence_of(example("", Table(cells), Recipe())))
    loud = [finding.code for finding in findings_of(outcomes) if finding.severity is not Severity.NOTE]
    assert loud == ["BD103"]


def test_correcting_everything_leaves_nothing_to_correct() -> None:
    y: list[object] = [["yes", "no", "Yes", "no", "no"][i % 5] for i in range(300)]
    y[7] = None
    cells: Cells = {
        "id": list(range(1000, 1300)),
        "boat": [f"b{i % 9}" if str(c).lower() == "yes" else "?" for i, c in enumerate(y)],
        "age": ["?" if i % 13 == 0 else 20 + i * 37 % 61 for i in range(300)],
        "days": [-999 if i % 17 == 0 else i * 53 % 97 for i in range(300)],
        "weight": ["heavy" if i % 60 == 1 else 40 + i * 31 % 83 for i in range(300)],
        "x": noise(300),
        "y": y,
    }
    cells = {name: [*values, *list(values)[:10]] for name, values in cells.items()}
    recipe, applied = Recipe(), set()
    for _ in range(8):
        evidence = evidence_of(example("", Table(cells), recipe))
        outcomes = examine(DATA_RULES, evidence)
        assert [outcome.why for outcome in outcomes if outcome.status == "error"] == []
        wrong = [f for f in findings_of(outcomes) if f.fixes and f.fixes[0].aim is Aim.CORRECT]
        if not wrong:
            break
        for finding in wrong:
            applied.add(finding.code)
            recipe = recipe.edited(finding.fixes[0].edits)
    assert applied >= {"BD105", "BD106", "BD110", "BD113", "BD115", "BD117", "BD122", "BD123"}
    assert wrong == []


def test_every_data_rule_runs_on_a_table_that_has_only_a_target() -> None:
    evidence = evidence_of(example("", counts(no=40, yes=30), Recipe()))
    outcomes = examine(DATA_RULES, evidence)
    assert [o.status for o in outcomes] == ["passed"] * len(DATA_RULES)
