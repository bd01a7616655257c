"""A column that says which part a row belongs to is read as the split, and is no feature."""

import polars as pl
import pytest

from bindoctor import InputError, Recipe
from bindoctor.dataset import Dataset, Table
from bindoctor.part_names import held_out_rows, is_validation
from bindoctor.readers import table_source
from bindoctor.rows import rows_of
from bindoctor.scan import scan


@pytest.mark.parametrize(
    ("column", "levels", "held_out"),
    [
        ("part", ["train", "valid", "test"], [False, True, True]),
        ("split", ["Training ", "VAL", "hold out"], [False, True, True]),
        ("set", ["train_1", "dev", "Test-2"], [False, True, True]),
        ("is_test", ["0", "1"], [False, True]),
        ("isTest", ["False", "True"], [False, True]),
        ("train", ["1", "0"], [False, True]),
        ("in_training_set", ["yes", "no"], [False, True]),
        ("sample", ["development", "out of time"], [False, True]),
    ],
)
def test_levels_say_which_rows_are_kept_back(column: str, levels: list[str], held_out: list[bool]) -> None:
    assert held_out_rows("a.csv", column, pl.Series(levels)).tolist() == held_out


@pytest.mark.parametrize(
    ("column", "levels", "validated"),
    [
        ("part", ["train", "valid", "test"], [False, True, False]),
        ("split", ["Training ", "VAL", "hold out"], [False, True, False]),
        ("set", ["train_1", "dev-2", "Test-2"], [False, True, False]),
        ("is_valid", ["0", "1"], [False, True]),
        ("is_test", ["0", "1"], [False, False]),
        ("train", ["1", "0"], [False, False]),
    ],
)
def test_levels_say_which_rows_are_validated_on(column: str, levels: list[str], validated: list[bool]) -> None:
    assert [is_validation(column, level) for level in levels] == validated


@pytest.mark.parametrize(
    ("column", "levels", "says"),
    [
        ("part", ["train", "north"], "'north' names no part"),
        ("part", ["1", "2"], "'1' names no part"),
        ("flag", ["0", "1"], "'0' names no part"),
        ("is_train_or_test", ["0", "1"], "'0' names no part"),
        ("part", ["train", None], "1 cells are blank"),
        ("part", ["train", "training"], "keeps no row back"),
        ("part", ["test", "valid"], "keeps every row back"),
    ],
)
def test_a_column_that_names_no_parts_is_refused(column: str, levels: list[str | None], says: str) -> None:
    with pytest.raises(InputError, match=f"split.column names '{column}'.*{says}"):
        held_out_rows("a.csv", column, pl.Series(levels))


def test_the_column_of_parts_is_no_feature() -> None:
    table = Table({"x": [1, 2, 3, 4], "part": ["train", "train", "test", "train"], "y": [0, 1, 0, 1]})
    dataset, recipe = Dataset(table_source(table), "y"), Recipe().edited({"split.column": "part"})
    rows = rows_of(dataset, recipe)
    assert rows.features.columns == list(scan(dataset, recipe).columns) == ["x"]
    assert rows.held_out is not None
    assert rows.held_out.tolist() == [False, False, True, False]
    assert rows.take(rows.row_ids[1:3]).held_out.tolist() == [False, True]  # type: ignore[union-attr]
