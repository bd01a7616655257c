from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor.dataset import Dataset, Table
from bindoctor.errors import InputError
from bindoctor.readers import table_source
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Data
from bindoctor.rows import features_of, rows_of
from bindoctor.scan import scan

Columns = Mapping[str, Sequence[object]]


def dataset_of(columns: Columns) -> Dataset:
    return Dataset(table_source(Table(columns)), "y")


def data(**settings: Any) -> Recipe:
    return Recipe(data=Data(**settings))


PEOPLE: Columns = {
    "age": [31, "?", None, 44, 31],
    "code": ["007", "12", " 7", None, "007"],
    "y": ["no", "yes", "no", "yes", "no"],
}


def test_numbers_are_floats_and_texts_are_as_written() -> None:
    rows = rows_of(dataset_of(PEOPLE), data(missing_tokens=("?",), casts={"code": "text"}))
    assert rows.features.schema == {"age": pl.Float64, "code": pl.String}
    assert rows.features["age"].to_list() == [31.0, None, None, 44.0, 31.0]
    assert rows.features["code"].to_list() == ["007", "12", " 7", None, "007"]
    assert rows.classes == ("no", "yes")
    assert rows.labels.tolist() == [0, 1, 0, 1, 0]
    assert rows.row_ids.tolist() == [0, 1, 2, 3, 4]
    assert (rows.groups, rows.order) == (None, None)


def test_a_column_with_a_cell_that_is_no_number_is_text_unless_cast() -> None:
    assert rows_of(dataset_of(PEOPLE), Recipe()).features["age"].dtype == pl.String
    cast = rows_of(dataset_of(PEOPLE), data(casts={"age": "number"}))
    assert cast.features["age"].to_list() == [31.0, None, None, 44.0, 31.0]


def test_row_ids_are_numbers_in_the_file_after_rows_were_left_out() -> None:
    columns: Columns = {"x": [1, 1, 2, 3, 4], "y": [0, 0, None, 1, 1]}
    rows = rows_of(dataset_of(columns), data(deduplicate=True, drop_missing_target=True))
    assert rows.row_ids.tolist() == [0, 3, 4]
    assert len(rows) == rows.features.height == 3


def test_rows_without_a_target_are_refused_with_their_number_and_the_setting() -> None:
    with pytest.raises(InputError, match=r"2 rows have no target 'y' .*data row 2\).*data.drop-missing-target"):
        rows_of(dataset_of({"x": [1, 2, 3, 4], "y": [0, None, 1, "  "]}), Recipe())


cells = st.sampled_from(["1", "2.5", " 3", "1.0", "", "?", "abc", "-9"])


@settings(deadline=None)
@given(
    table=st.lists(st.tuples(cells, cells, st.sampled_from(["0", "1", "2"])), min_size=3, max_size=40),
    deduplicate=st.booleans(),
    tokens=st.sampled_from([(), ("?",), ("?", "abc")]),
    cast=st.sampled_from([{}, {"a": "number"}, {"a": "text"}]),
)
def test_rows_and_profile_agree(
    table: list[tuple[str, str, str]], deduplicate: bool, tokens: tuple[str, ...], cast: dict[str, Any]
) -> None:
    table = [("1", "1", "0"), ("1", "1", "1"), *table]
    columns = dict(zip(("a", "b", "y"), map(list, zip(*table, strict=True)), strict=True))
    recipe = data(deduplicate=deduplicate, missing_tokens=tokens, casts=cast)
    dataset = dataset_of(columns)
    profile = scan(dataset, recipe)
    rows = rows_of(dataset, recipe, profile)
    assert len(rows) == profile.rows
    assert np.bincount(rows.labels, minlength=len(rows.classes)).tolist() == list(profile.class_counts)
    assert (rows.classes, tuple(rows.features.columns)) == (profile.classes, tuple(profile.columns))
    for name, column in profile.columns.items():
        assert rows.features[name].null_count() == column.missing
        assert (rows.features[name].dtype == pl.Float64) == (column.kind == "number")
    if deduplicate:
        assert profile.duplicates.count == 0
    else:
        assert len(rows_of(dataset, data(deduplicate=True, missing_tokens=tokens, casts=cast))) == (
            profile.rows - profile.duplicates.count
        )


def test_groups_are_numbered_and_a_row_without_one_is_alone() -> None:
    columns: Columns = {"who": ["b", "a", None, " b ", None], "x": [1, 2, 3, 4, 5], "y": [0, 1, 0, 1, 0]}
    recipe = Recipe.from_dict({"split": {"group": "who"}, "data": {"drop": ["who"]}})
    rows = rows_of(dataset_of(columns), recipe)
    assert "who" not in rows.features.columns
    assert rows.groups is not None
    b, a, alone, again, other = rows.groups.tolist()
    assert b == again
    assert len({b, a, alone, other}) == 4


@pytest.mark.parametrize(
    "times",
    [
        [3, 1.5, 20],
        ["2024-01-31", "2023-12-01", "2024-02-01"],
        ["2024-01-31 10:00:00", "2024-01-31T09:59:59.5", "2024-02-01"],
    ],
)
def test_times_are_numbers_or_iso_dates(times: list[object]) -> None:
    recipe = Recipe.from_dict({"split": {"time": "when"}})
    order = rows_of(dataset_of({"when": times, "y": [0, 1, 0]}), recipe).order
    assert order is not None
    assert np.argsort(order).tolist() == [1, 0, 2]


@pytest.mark.parametrize("bad", ["1/2/13", None, "soon"])
def test_a_time_that_cannot_be_ordered_is_refused(bad: str | None) -> None:
    recipe = Recipe.from_dict({"split": {"time": "when"}})
    with pytest.raises(InputError, match="'when', which cannot be ordered: 1 of its cells"):
        rows_of(dataset_of({"when": ["2024-01-31", "2024-02-01", bad], "y": [0, 1, 0]}), recipe)


def test_weights_are_numbers_and_no_feature() -> None:
    columns: Columns = {"x": [1, 2, 3], "w": ["1", " 0.5", 0], "y": [0, 1, 0]}
    recipe = data(weight="w")
    rows = rows_of(dataset_of(columns), recipe)
    assert rows.weights is not None
    assert rows.weights.tolist() == [1.0, 0.5, 0.0]
    assert rows.take(np.array([2, 0])).weights.tolist() == [0.0, 1.0]  # type: ignore[union-attr]
    assert rows.features.columns == list(scan(dataset_of(columns), recipe).columns) == ["x"]


@pytest.mark.parametrize("bad", [-1, None, "much", "inf"])
def test_a_weight_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(InputError, match=r"data\.weight names 'w', of which 1 cells"):
        rows_of(dataset_of({"x": [1, 2, 3], "w": [1, bad, 2], "y": [0, 1, 0]}), data(weight="w"))


@pytest.mark.parametrize("edits", [{"data.weight": "y"}, {"split.column": "y"}, {"split.group": "y"}])
def test_the_target_has_no_other_role(edits: dict[str, str]) -> None:
    with pytest.raises(InputError, match="names the target 'y'; name another column"):
        rows_of(dataset_of({"x": [1, 2], "y": [0, 1]}), Recipe().edited(edits))


def test_rows_to_predict_are_read_as_in_training_and_need_no_target() -> None:
    source = table_source(Table({"z": ["x", "y"], "age": ["?", "31"], "code": ["007", None], "extra": [1, 2]}))
    features = features_of(source, data(missing_values={"z": ("x",)}), {"age": "number", "z": "text", "code": "text"})
    assert features.to_dict(as_series=False) == {"age": [None, 31.0], "z": [None, "y"], "code": ["007", None]}
    assert features.schema == {"age": pl.Float64, "z": pl.String, "code": pl.String}


def test_a_column_that_the_model_needs_and_the_file_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="needs the columns 'age', 'city'"):
        features_of(table_source(Table({"x": [1]})), Recipe(), {"x": "number", "age": "number", "city": "text"})


def test_a_table_whose_every_column_is_dropped_is_refused() -> None:
    with pytest.raises(InputError, match=r"no feature column is left to train on: the recipe drops 'id'"):
        rows_of(dataset_of({"id": [1, 2, 3, 4], "y": [0, 1, 0, 1]}), data(drop=("id",)))
