"""Cells are cleaned as the recipe says, and read alike by the scan and by training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.cleaning import tidied, tidy_text
from bindoctor.dataset import Dataset, Table
from bindoctor.readers import table_source
from bindoctor.rows import features_of, rows_of
from bindoctor.scan import scan

Columns = Mapping[str, Sequence[object]]
TOWNS = ["Ulm", "ulm ", "\ufeffULM", "Bad Tölz", "bad\u00a0 tölz", "Kiel\u200b", None, "kiel"]


def dataset_of(columns: Columns) -> Dataset:
    return Dataset(table_source(Table({**columns, "y": [0, 1] * 4})), "y")


def read(columns: Columns, edits: Mapping[str, Any]) -> dict[str, list[object]]:
    return rows_of(dataset_of(columns), Recipe().edited(edits)).features.to_dict(as_series=False)


def test_levels_that_differ_in_case_blanks_or_invisible_characters_become_one() -> None:
    assert read({"town": TOWNS}, {"data.tidy": ["town"]})["town"] == [
        *["ulm"] * 3,
        *["bad tölz"] * 2,
        "kiel",
        None,
        "kiel",
    ]


def test_a_column_that_is_not_tidy_stays_as_written() -> None:
    assert read({"town": TOWNS, "job": TOWNS}, {"data.tidy": ["job"]})["town"] == TOWNS


def test_the_profile_sees_tidy_levels() -> None:
    column = scan(dataset_of({"town": TOWNS}), Recipe().edited({"data.tidy": ["town"]})).columns["town"]
    assert {level.value: level.count for level in column.levels} == {"ulm": 3, "bad tölz": 2, "kiel": 2}
    assert column.padded == 0


def test_missing_tokens_are_compared_with_tidy_cells() -> None:
    edits = {"data.tidy": ["town"], "data.missing-values.town": ["ulm"]}
    assert read({"town": TOWNS}, edits)["town"] == [None] * 3 + ["bad tölz", "bad tölz", "kiel", None, "kiel"]


def test_a_number_between_invisible_characters_becomes_a_number() -> None:
    pay = ["1", "\u200b2", "3\ufeff", "4", "5", "6", "7", "8"]
    assert read({"pay": pay}, {"data.tidy": ["pay"]})["pay"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


def test_the_target_is_not_tidied_but_renamed() -> None:
    with pytest.raises(InputError, match=r"data\.tidy names the target 'y'.*data\.target-levels"):
        read({"town": TOWNS}, {"data.tidy": ["y"]})


@given(st.text())
def test_tidying_twice_is_tidying_once(text: str) -> None:
    once = tidy_text(text)
    assert tidy_text(once) == once or once.casefold() != once
    assert once == once.strip()


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20))
def test_a_column_is_tidied_cell_by_cell(cells: list[str | None]) -> None:
    expected = [None if cell is None else tidy_text(cell) for cell in cells]
    assert tidied(pl.Series(cells, dtype=pl.String)).to_list() == expected


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ((0, 120), [0.0, 30.0, None, 120.0, None, 50.0, None, 40.0]),
        ((-math.inf, 120), [0.0, 30.0, None, 120.0, -3.0, 50.0, None, 40.0]),
        ((0, math.inf), [0.0, 30.0, 999.0, 120.0, None, 50.0, None, 40.0]),
        ((30, 30), [None, 30.0, None, None, None, None, None, None]),
    ],
)
def test_numbers_outside_of_the_limits_are_missing(limits: tuple[float, float], kept: list[object]) -> None:
    ages = [0, 30, 999, 120, -3, "50.0", None, 40]
    edits = {"data.limits.age": limits}
    assert read({"age": ages}, edits)["age"] == kept
    profile = scan(dataset_of({"age": ages}), Recipe().edited(edits))
    assert profile.columns["age"].missing == kept.count(None)


def test_limits_leave_other_columns_and_texts_alone() -> None:
    ages = [1, 999, 3, 4, 5, 6, 7, "old"]
    assert read({"age": ages, "pay": [999] * 8}, {"data.limits.age": [0, 120]}) == {
        "age": ["1", None, "3", "4", "5", "6", "7", "old"],
        "pay": [999.0] * 8,
    }
    edits = {"data.limits.age": [0, 120], "data.casts.age": "number"}
    assert read({"age": ages}, edits)["age"] == [1.0, None, 3.0, 4.0, 5.0, 6.0, 7.0, None]
    edits = {"data.limits.age": [0, 120], "data.casts.age": "text"}
    assert read({"age": ages}, edits)["age"] == list(map(str, ages))


def test_rows_to_predict_are_cleaned_as_in_training() -> None:
    recipe = Recipe().edited({"data.tidy": ["town"], "data.limits.age": [0, 120]})
    source = table_source(Table({"town": [" ULM"], "age": [999]}))
    features = features_of(source, recipe, {"town": "text", "age": "number"})
    assert features.to_dict(as_series=False) == {"town": ["ulm"], "age": [None]}


@pytest.mark.parametrize("edits", [{"data.tidy": ["twn"]}, {"data.limits.twn": [0, 1]}, {"data.weight": "twn"}])
def test_a_column_that_is_not_there_is_refused_with_near_names(edits: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"'twn'.*'town'"):
        read({"town": TOWNS}, edits)
