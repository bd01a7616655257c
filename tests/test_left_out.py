"""Rows are left out in one place, so that the profile and training see the same ones."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.dataset import Dataset, Piece, Source, Table
from bindoctor.readers import table_source
from bindoctor.readers.frames import FrameSource
from bindoctor.rows import rows_of
from bindoctor.scan import scan

Columns = Mapping[str, Sequence[object]]


def source_of(columns: Columns) -> Source:
    return table_source(Table(columns))


def left(columns: Columns, edits: Mapping[str, Any], valid: Columns | None = None, test: Columns | None = None) -> Any:
    """Return the numbers of the rows that training sees, once the profile has agreed."""
    dataset = Dataset(
        source_of(columns),
        "y",
        valid=None if valid is None else source_of(valid),
        test=None if test is None else source_of(test),
    )
    recipe = Recipe().edited(edits)
    rows = rows_of(dataset, recipe)
    assert scan(dataset, recipe).rows == len(rows)
    return rows.row_ids.tolist()


def test_listed_rows_are_left_out_by_their_number_in_the_file() -> None:
    columns: Columns = {"x": [1, 2, 2, 3, 4], "y": [0, 1, 1, 0, 0]}
    assert left(columns, {"data.drop-rows": [3, 0, 99]}) == [1, 2, 4]
    assert left(columns, {"data.drop-rows": [1], "data.deduplicate": True}) == [0, 2, 3, 4]


CONFLICTING: Columns = {
    "x": [1, 1, 1, 2, 2, 3, 4, 4],
    "z": [None, " ", None, "a", "a", "b", "c", "d"],
    "y": ["no", "yes", "no", "no", "yes", "yes", "no", "yes"],
}


def test_the_majority_stays_of_rows_that_contradict_each_other_and_nothing_of_a_tie() -> None:
    assert left(CONFLICTING, {}) == list(range(8))
    assert left(CONFLICTING, {"data.conflicts": "majority"}) == [0, 2, 5, 6, 7]


def test_all_rows_that_contradict_each_other_can_go() -> None:
    assert left(CONFLICTING, {"data.conflicts": "drop"}) == [5, 6, 7]
    dataset = Dataset(source_of(CONFLICTING), "y")
    assert scan(dataset, Recipe().edited({"data.conflicts": "drop"})).conflicts.count == 0


def test_repeated_rows_vote_before_they_are_left_out() -> None:
    assert left(CONFLICTING, {"data.conflicts": "majority", "data.deduplicate": True}) == [0, 5, 6, 7]


def test_a_listed_row_has_no_vote() -> None:
    assert left(CONFLICTING, {"data.conflicts": "majority", "data.drop-rows": [0]}) == [5, 6, 7]


def test_a_row_without_a_label_contradicts_nothing() -> None:
    columns: Columns = {"x": [1, 1, 2, 2, 3], "y": ["no", None, "no", "yes", "yes"]}
    assert left(columns, {"data.conflicts": "drop", "data.drop-missing-target": True}) == [0, 4]


def test_labels_are_compared_as_they_are_renamed_and_cells_as_they_are_read() -> None:
    columns: Columns = {"x": ["1", "1.0", "?", "2"], "y": ["no", "No", "yes", "no"]}
    assert left(columns, {"data.conflicts": "drop", "data.target-levels.No": "no", "data.missing-tokens": ["?"]}) == [
        *range(4)
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from("012")), max_size=30),
    st.sampled_from(["majority", "drop"]),
    st.integers(1, 7),
)
def test_conflicts_are_those_found_by_counting(table: list[tuple[str, str, str]], how: str, size: int) -> None:
    table = [("never", "never", "0"), ("once", "once", "1"), *table]
    votes: dict[tuple[str, str], Counter[str]] = {}
    for a, b, label in table:
        votes.setdefault((a, b), Counter())[label] += 1

    def stays(a: str, b: str, label: str) -> bool:
        found = votes[a, b].most_common()
        alone = len(found) == 1 or (how == "majority" and found[0][1] > found[1][1])
        return alone and label == found[0][0]

    frame = pl.DataFrame(table, schema=["a", "b", "y"], orient="row")
    rows = rows_of(Dataset(Pieces(frame, size), "y"), Recipe().edited({"data.conflicts": how}))
    assert rows.row_ids.tolist() == [i for i, row in enumerate(table) if stays(*row)]


class Pieces(FrameSource):
    """A table that comes in pieces of so many rows."""

    def __init__(self, frame: pl.DataFrame, size: int) -> None:
        super().__init__(frame)
        object.__setattr__(self, "size", size)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield the pieces."""
        for part in self.frame.iter_slices(self.size):  # type: ignore[attr-defined]
            yield partial(part.select, columns or part.columns)


TRAIN: Columns = {
    "x": [1, 2, 3, 4, 5],
    "town": ["Ulm", "Kiel", None, "Bonn", "Bonn"],
    "y": ["no", "yes", "no", "yes", "no"],
}


def test_rows_that_also_stand_in_a_held_out_file_are_not_trained_on() -> None:
    valid: Columns = {"town": ["Ulm", "Kiel"], "x": ["1.0", 2], "y": ["no", "no"]}
    test: Columns = {"x": [3], "town": [" "], "y": ["no"], "more": [1]}
    assert left(TRAIN, {}, valid, test) == [0, 1, 2, 3, 4]
    assert left(TRAIN, {"data.drop-overlap": True}, valid, test) == [1, 3, 4]
    assert left(TRAIN, {"data.drop-overlap": True}, None, test) == [0, 1, 3, 4]
    assert left(TRAIN, {"data.drop-overlap": True}) == [0, 1, 2, 3, 4]


def test_without_its_target_a_held_out_row_is_known_by_its_features() -> None:
    test: Columns = {"x": [2, 7], "town": ["Kiel", "Ulm"]}
    assert left(TRAIN, {"data.drop-overlap": True}, None, test) == [0, 2, 3, 4]


def test_held_out_files_are_read_as_the_recipe_reads_cells() -> None:
    edits = {"data.drop-overlap": True, "data.drop": ["x"], "data.tidy": ["town"]}
    assert left(TRAIN, edits, {"town": [" ULM "], "y": ["no"]}) == [1, 2, 3, 4]


def test_a_held_out_file_that_lacks_a_column_is_named() -> None:
    with pytest.raises(InputError, match=r"lacks the column 'town'"):
        left(TRAIN, {"data.drop-overlap": True}, {"x": [1], "y": ["no"]})
