"""What the parts that a user keeps apart share with the training rows, and where they differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor.compare import compare_parts
from bindoctor.dataset import Dataset, Piece, Table
from bindoctor.errors import InputError
from bindoctor.parts import Part, Parts, Shift
from bindoctor.readers import open_source, table_source
from bindoctor.readers.frames import FrameSource
from bindoctor.recipe import Recipe
from bindoctor.scan import scan

Cells = dict[str, Sequence[object]]


@dataclass(frozen=True, eq=False)
class Pieces(FrameSource):
    """A table in memory that comes in pieces of a few rows."""

    size: int = 1

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        for part in self.frame.iter_slices(self.size):
            yield partial(part.select, columns or part.columns)


def compared(
    train: Cells, test: Cells | None = None, valid: Cells | None = None, recipe: Recipe | None = None
) -> Parts:
    sources = [None if cells is None else table_source(Table(cells)) for cells in (valid, test)]
    dataset = Dataset(table_source(Table(train)), "y", valid=sources[0], test=sources[1])
    recipe = recipe or Recipe()
    parts = compare_parts(dataset, recipe, scan(dataset, recipe))
    assert parts is not None
    return parts


def test_part(train: Cells, test: Cells, recipe: Recipe | None = None) -> Part:
    part = compared(train, test, recipe=recipe).test
    assert part is not None
    return part


test_part.__test__ = False  # type: ignore[attr-defined]


def shift(part: Part, column: str) -> Shift:
    (found,) = [shift for shift in part.shifts if shift.column == column]
    return found


def normal(rows: int, seed: int, mean: float = 0.0) -> list[float]:
    return [round(float(x), 4) for x in np.random.default_rng(seed).normal(mean, 1, rows)]


def labels(rows: int, every: int = 3) -> list[str]:
    return ["yes" if i % every == 0 else "no" for i in range(rows)]


# Rows.

TRAIN: Cells = {"x": [1, 2, 3, 4], "c": ["a", "b", "c", None], "y": ["no", "yes", "no", "yes"]}


def test_without_parts_there_is_nothing_to_compare() -> None:
    dataset = Dataset(table_source(Table(TRAIN)), "y")
    assert compare_parts(dataset, Recipe(), scan(dataset, Recipe())) is None


def test_a_row_of_the_part_that_stands_in_training_is_listed() -> None:
    part = test_part(TRAIN, {"x": [9, "2.0", 4], "c": ["a", "b", None], "y": ["no", "yes", "yes"]})
    assert part.overlap.first == (1, 2)
    assert part.training_rows == 2
    assert part.relabelled.count == 0


def test_equal_features_with_another_label_are_no_overlap() -> None:
    part = test_part(TRAIN, {"x": [1, 3], "c": ["a", "c"], "y": ["yes", "no"]})
    assert part.overlap.first == (1,)
    assert part.relabelled.first == (0,)


def test_a_part_without_target_is_compared_by_features() -> None:
    part = test_part(TRAIN, {"x": [1, 8], "c": ["a", "c"]})
    assert part.overlap.first == (0,)
    assert part.training_rows == 1
    assert part.classes == {}


def test_a_part_of_one_class_is_compared() -> None:
    part = test_part(TRAIN, {"x": [1, 8], "c": ["a", "c"], "y": ["no", "no"]})
    assert part.classes == {"no": 2}
    assert part.overlap.count == 1


def test_columns_in_another_order_and_further_ones_do_not_matter() -> None:
    part = test_part(TRAIN, {"more": [0], "y": ["no"], "c": ["a"], "x": [1]})
    assert part.overlap.count == 1
    assert list(part.profile.columns) == ["x", "c"]


def test_a_part_without_a_feature_is_refused() -> None:
    with pytest.raises(InputError, match="lacks the column 'c'"):
        compared(TRAIN, {"x": [1], "y": ["no"]})


def test_a_column_that_the_recipe_drops_may_be_absent() -> None:
    part = test_part(TRAIN, {"x": [1], "y": ["no"]}, Recipe().edited({"data.drop": ["c"]}))
    assert part.overlap.count == 1


def test_no_row_of_a_part_is_left_out() -> None:
    recipe = Recipe().edited({"data.deduplicate": True, "data.drop-missing-target": True, "data.drop-rows": [0]})
    part = test_part(TRAIN, {"x": [2, 2, 1], "c": ["b", "b", "a"], "y": ["yes", "yes", None]}, recipe)
    assert part.profile.rows == 3
    assert part.overlap.first == (0, 1)


def test_rows_of_the_test_part_in_the_validation_part_are_listed() -> None:
    valid: Cells = {"x": [7, 8], "c": ["a", "b"], "y": ["no", "yes"]}
    parts = compared(TRAIN, {"x": [8, 9, 8], "c": ["b", "b", "b"], "y": ["yes", "yes", "yes"]}, valid)
    assert parts.shared.first == (0, 2)
    assert not parts.same_rows
    assert [part.name for part in parts.given] == ["valid", "test"]


def test_the_same_rows_in_another_order_are_recognised() -> None:
    turned: Cells = {"x": [4, 3, 2, 1], "c": [None, "c", "b", "a"], "y": ["yes", "no", "yes", "no"]}
    parts = compared(TRAIN, turned, TRAIN)
    assert parts.same_rows and parts.test is not None and parts.test.same_rows and not parts.test.same_file
    half = compared(TRAIN, {name: cells[:2] for name, cells in TRAIN.items()}, TRAIN)
    assert not half.same_rows and half.valid is not None and half.valid.same_rows


def test_one_file_given_twice_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,a\n2,b\n3,a\n")
    source, again = open_source(path), open_source(tmp_path / "." / "data.csv")
    dataset = Dataset(source, "y", valid=again, test=again)
    parts = compare_parts(dataset, Recipe(), scan(dataset, Recipe()))
    assert parts is not None and parts.same_file and parts.test is not None and parts.test.same_file


ROW = st.tuples(st.sampled_from(["1", "2", "3.0", "", "a"]), st.sampled_from(["u", "v", ""]), st.sampled_from("pqr"))


@settings(deadline=None, max_examples=60)
@given(
    train=st.lists(ROW, min_size=2, max_size=40),
    test=st.lists(ROW, min_size=1, max_size=30),
    sizes=st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_the_overlap_is_that_of_comparing_all_pairs_in_any_chunking(
    train: list[tuple[str, str, str]], test: list[tuple[str, str, str]], sizes: tuple[int, int]
) -> None:
    train = [("1", "u", "p"), ("1", "u", "q"), *train]

    def source(rows: list[tuple[str, str, str]], size: int) -> Pieces:
        frame = pl.DataFrame(rows, schema=dict.fromkeys(["a", "b", "y"], pl.String), orient="row")
        return Pieces(frame.with_columns(pl.all().replace("", None)), size=size)

    dataset = Dataset(source(train, sizes[0]), "y", test=source(test, sizes[1]))
    parts = compare_parts(dataset, Recipe(), scan(dataset, Recipe()))
    assert parts is not None and parts.test is not None
    overlap = [i for i, row in enumerate(test) if row in train]
    features = {row[:2] for row in train}
    assert list(parts.test.overlap.first) == overlap
    assert list(parts.test.relabelled.first) == [
        i for i, row in enumerate(test) if row[:2] in features and i not in overlap
    ]
    assert parts.test.training_rows == sum(row in test for row in train)


# Columns.


def test_a_shift_of_a_number_is_measured() -> None:
    train: Cells = {"x": normal(400, 0), "z": normal(400, 1), "y": labels(400)}
    part = test_part(train, {"x": normal(100, 2, 1.5), "z": normal(100, 3), "y": labels(100)})
    moved, still = shift(part, "x"), shift(part, "z")
    assert moved.psi - moved.noise > 1 and moved.p < 1e-10
    assert moved.by == pytest.approx(1.5, abs=0.3)
    assert moved.ks is not None and moved.ks > 0.4
    assert still.psi - still.noise < 0.1 and still.p > 0.001


def test_the_noise_of_the_index_is_what_samples_of_one_distribution_show() -> None:
    parts = [
        test_part({"x": normal(200, 2 * seed), "y": labels(200)}, {"x": normal(60, 2 * seed + 1), "y": labels(60)})
        for seed in range(60)
    ]
    found = [shift(part, "x") for part in parts]
    assert np.mean([s.psi for s in found]) == pytest.approx(found[0].noise, rel=0.25)
    assert sum(s.p < 0.05 for s in found) <= 8


def test_a_part_with_more_of_one_class_is_not_shifted_for_that() -> None:
    def table(rows: int, every: int, seed: int) -> Cells:
        y = labels(rows, every)
        x = np.random.default_rng(seed).normal([4.0 if label == "yes" else 0.0 for label in y])
        return {"x": x.round(4).tolist(), "y": y}

    found = shift(test_part(table(900, 9, 0), table(300, 2, 1)), "x")
    assert found.psi - found.noise < 0.1
    assert found.p > 0.001


def test_levels_of_a_text_column_shift() -> None:
    train: Cells = {"c": ["a", "b", "b", "c"] * 50, "y": labels(200)}
    found = shift(test_part(train, {"c": ["a", "a", "b", "c"] * 20, "y": labels(80)}), "c")
    assert found.psi - found.noise > 0.1 and found.p < 0.001 and found.ks is None


def test_many_levels_of_which_some_are_always_new_are_no_shift() -> None:
    towns = np.random.default_rng(0).integers(0, 300, 900)
    train: Cells = {"c": [f"t{i}" for i in towns[:600]], "y": labels(600)}
    part = test_part(train, {"c": [f"t{i}" for i in towns[600:]], "y": labels(300)})
    assert shift(part, "c").p > 0.001
    assert part.unseen[0].distinct > 10


def test_a_missing_value_that_was_never_missing_is_a_shift() -> None:
    train: Cells = {"x": normal(300, 0), "y": labels(300)}
    test: Cells = {"x": [None if i % 2 else x for i, x in enumerate(normal(100, 1))], "y": labels(100)}
    found = shift(test_part(train, test), "x")
    assert found.psi - found.noise > 0.25 and found.p < 1e-6


def test_a_column_of_one_value_that_varies_in_the_part_is_a_shift() -> None:
    train: Cells = {"x": [0] * 300, "z": normal(300, 1), "y": labels(300)}
    found = shift(test_part(train, {"x": [i % 2 for i in range(100)], "z": normal(100, 2), "y": labels(100)}), "x")
    assert found.psi - found.noise > 0.25 and found.p < 1e-6
    assert found.by is None


@pytest.mark.parametrize("cells", [[None] * 40, [1] * 40, [1e300, -1e300] * 20], ids=["missing", "constant", "huge"])
def test_odd_columns_are_compared_whichever_side_they_are_on(cells: list[object]) -> None:
    plain: Cells = {"x": normal(40, 0), "y": labels(40)}
    odd: Cells = {"x": cells, "y": labels(40)}
    for train, test in ((plain, odd), (odd, plain), (odd, odd)):
        for found in test_part(train, test).shifts:
            assert np.isfinite([found.psi, found.noise, found.p]).all() and 0 <= found.p <= 1


def test_levels_that_training_lacks_are_counted() -> None:
    train: Cells = {"c": ["a", "b"] * 10, "n": [i % 7 for i in range(20)], "y": labels(20)}
    part = test_part(train, {"c": ["a", "z", "z", "q"], "n": [1, "2.0", "n/k", 4], "y": labels(4)})
    text, number = part.unseen
    assert (text.column, text.levels, text.rows, text.number) == ("c", (("z", 2), ("q", 1)), 3, False)
    assert (number.column, number.levels, number.rows, number.number) == ("n", (("n/k", 1),), 1, True)


def test_levels_written_as_other_numbers_are_the_same() -> None:
    train: Cells = {"c": ["1", "2", "x", "w"] * 5, "y": labels(20)}
    assert test_part(train, {"c": ["1.0", "x", "02"], "y": labels(3)}).unseen == ()


def test_identifiers_and_dates_are_not_compared() -> None:
    train: Cells = {"id": list(range(50)), "d": [f"2024-01-{1 + i % 28:02}" for i in range(50)], "y": labels(50)}
    test: Cells = {"id": list(range(90, 140)), "d": [f"2025-01-{1 + i % 28:02}" for i in range(50)], "y": labels(50)}
    part = test_part(train, test)
    assert part.shifts == () and part.unseen == ()


def test_a_thousand_columns_are_compared() -> None:
    rng = np.random.default_rng(0)
    train: Cells = {f"x{i}": rng.normal(size=60).round(3).tolist() for i in range(1000)} | {"y": labels(60)}
    test: Cells = {f"x{i}": rng.normal(size=30).round(3).tolist() for i in range(1000)} | {"y": labels(30)}
    found = test_part(train, test).shifts
    assert len(found) == 1000
    assert sum(s.psi - s.noise >= 0.25 and s.p < 0.001 / 1000 for s in found) == 0


def test_a_part_is_not_scanned_under_its_own_positive_class() -> None:
    dataset = Dataset(
        table_source(Table(TRAIN)), "y", "yes", test=table_source(Table({"x": [1], "c": ["a"], "y": ["no"]}))
    )
    parts = compare_parts(dataset, Recipe(), scan(dataset, Recipe()))
    assert parts is not None and parts.test is not None and parts.test.classes == {"no": 1}
    assert msgspec.structs.replace(parts, valid=None) == parts
