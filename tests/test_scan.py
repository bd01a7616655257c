import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bindoctor.column_profile import ColumnProfile
from bindoctor.column_states import Limits
from bindoctor.dataset import Dataset, Table
from bindoctor.errors import InputError
from bindoctor.profile import Profile
from bindoctor.readers import frames, table_source
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Data
from bindoctor.scan import scan
from bindoctor.scan_state import ScanState, plan_of
from bindoctor.selection import Chunk, select

Columns = Mapping[str, Sequence[object]]


def dataset_of(columns: Columns, positive: str = "") -> Dataset:
    return Dataset(table_source(Table(columns)), "y", positive)


def profile_of(columns: Columns, recipe: Recipe | None = None, positive: str = "") -> Profile:
    return scan(dataset_of(columns, positive), recipe or Recipe())


def column_of(cells: Sequence[object], recipe: Recipe | None = None, name: str = "x") -> ColumnProfile:
    labels = ["no", "yes"] * (len(cells) // 2 + 1)
    return profile_of({name: cells, "y": labels[: len(cells)]}, recipe).columns[name]


def data(**settings: Any) -> Recipe:
    return Recipe(data=Data(**settings))


# merging


def part_of(chunk: Chunk, start: int, stop: int) -> Chunk:
    position = np.arange(len(chunk.rows))
    return chunk.keep((start <= position) & (position < stop))


def assert_same(first: Any, second: Any, path: str = "profile") -> None:
    """Hold counts to be equal, and sums of floats to be equal to a 1e-12th of their size."""
    if is_dataclass(first) or isinstance(first, msgspec.Struct):
        names = [one.name for one in fields(first)] if is_dataclass(first) else first.__struct_fields__
        for name in names:
            assert_same(getattr(first, name), getattr(second, name), f"{path}.{name}")
    elif isinstance(first, Mapping):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_same(first[key], second[key], f"{path}.{key}")
    elif isinstance(first, np.ndarray):
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-9, err_msg=path)
    elif isinstance(first, pl.DataFrame):
        assert first.equals(second), path
    elif isinstance(first, Sequence) and not isinstance(first, str):
        assert len(first) == len(second), f"{path}: {first} {second}"
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            assert_same(one, other, f"{path}[{index}]")
    elif isinstance(first, float):
        assert first == pytest.approx(second, rel=1e-12, abs=1e-9, nan_ok=True), path
    else:
        assert first == second, path


cells = st.one_of(
    st.integers(-5, 5).map(str),
    st.floats(-1e3, 1e3, allow_nan=False).map(str),
    st.sampled_from(["", "?", "N/A", " 3 ", "3.0", "abc", "nan", "-999"]),
)
numbers = st.one_of(st.integers(-20, 20), st.floats(-1e3, 1e3, allow_nan=False), st.none())
labels = st.sampled_from(["no", "yes", "maybe", ""])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[object]]:
    rows = draw(st.integers(2, 60))
    columns: dict[str, list[object]] = {
        "number": draw(st.lists(numbers, min_size=rows, max_size=rows)),
        "other": draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows)),
        "mixed": draw(st.lists(cells, min_size=rows, max_size=rows)),
        "y": draw(st.lists(labels, min_size=rows, max_size=rows)),
    }
    columns["y"][:2] = ["no", "yes"]
    columns["copy"] = [None if cell is None else -cell for cell in columns["number"]]  # type: ignore[operator]
    return columns


@settings(max_examples=150, deadline=None)
@given(table=tables(), random=st.randoms(use_true_random=False), few=st.booleans())
def test_any_split_into_chunks_merged_in_any_order_gives_the_same_profile(
    table: Columns, random: Any, few: bool
) -> None:
    dataset = dataset_of(table)
    (chunk,) = select(dataset, Recipe())
    plan = plan_of(part_of(chunk, 0, random.randint(1, len(chunk.rows))), dataset)
    if few:
        plan = msgspec.structs.replace(plan, limits=Limits(levels=4, hashes=8, sample=3, octave_bits=3))
    whole = ScanState(plan)
    whole.update(chunk)
    cuts = sorted(random.sample(range(1, len(chunk.rows)), k=random.randint(0, min(6, len(chunk.rows) - 1))))
    states: list[ScanState] = []
    for start, stop in zip([0, *cuts], [*cuts, len(chunk.rows)], strict=True):
        if states and random.random() < 0.3:
            states[-1].update(part_of(chunk, start, stop))
        else:
            states.append(ScanState(plan))
            states[-1].update(part_of(chunk, start, stop))
    while len(states) > 1:
        first, second = random.sample(range(len(states)), k=2)
        states[first].merge(states[second])
        del states[second]
    assert_same(states[0].finish(), whole.finish())


def test_a_scan_in_batches_equals_a_scan_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    n = 12_000
    frame = {
        "x": rng.normal(size=n).round(3).tolist(),
        "level": rng.choice(["a", "b", "c"], n).tolist(),
        "y": rng.choice(["no", "yes"], n).tolist(),
    }

    at_once = profile_of(frame)
    monkeypatch.setattr(frames, "PIECE_ROWS", 1000)
    in_batches = profile_of(frame)
    assert in_batches.columns["level"] == at_once.columns["level"]
    assert in_batches.columns["x"].distinct == at_once.columns["x"].distinct
    assert in_batches.duplicates == at_once.duplicates


# numbers


@pytest.mark.parametrize("distinct", [50, 4096])
def test_statistics_of_a_column_with_countable_values_are_exact(distinct: int) -> None:
    rng = np.random.default_rng(distinct)
    x = rng.gamma(2.0, 1000.0, size=distinct).round(2)
    x = np.concatenate([x, rng.choice(x, 5000 - distinct)])
    y = (x + rng.normal(0, 2000, len(x)) > 2500).astype(int)
    column = profile_of({"x": x.tolist(), "y": y.tolist()}).columns["x"]
    moments = column.moments
    assert moments is not None
    series = pd.Series(x)
    assert moments.mean == pytest.approx(x.mean(), rel=1e-12)
    assert moments.std == pytest.approx(x.std(), rel=1e-12)
    assert moments.skew == pytest.approx(((x - x.mean()) ** 3).mean() / x.std() ** 3, rel=1e-9)
    found = [moments.minimum, moments.q01, moments.q25, moments.median, moments.q75, moments.q99, moments.maximum]
    assert found == pytest.approx(series.quantile([0, 0.01, 0.25, 0.5, 0.75, 0.99, 1]).tolist(), rel=1e-12)
    area = roc_auc_score(y, x)
    assert moments.auc == pytest.approx(max(area, 1 - area), abs=1e-12)
    assert column.distinct == series.nunique()
    assert column.levels_complete


@pytest.mark.parametrize("draw", ["normal", "lognormal", "standard_cauchy", "uniform"])
def test_statistics_of_a_column_with_many_values_are_close(draw: str) -> None:
    rng = np.random.default_rng(3)
    x = 100 + 7 * getattr(rng, draw)(size=60_000)
    y = (x + rng.normal(0, 5, len(x)) > np.median(x)).astype(int)
    column = profile_of({"x": x.tolist(), "y": y.tolist()}).columns["x"]
    moments = column.moments
    assert moments is not None
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    assert moments.median == pytest.approx(median, abs=0.002 * (high - low))
    assert moments.q25 == pytest.approx(low, abs=0.002 * (high - low))
    assert moments.q01 == pytest.approx(np.quantile(x, 0.01), rel=0.01, abs=0.01 * (high - low))
    assert moments.q99 == pytest.approx(np.quantile(x, 0.99), rel=0.01, abs=0.01 * (high - low))
    assert (moments.minimum, moments.maximum) == (x.min(), x.max())
    assert moments.auc == pytest.approx(roc_auc_score(y, x), abs=2e-4)
    assert not column.levels_complete
    assert not column.levels
    assert column.distinct == pytest.approx(60_000, rel=0.03)


def test_values_that_move_far_from_the_head_of_the_file_keep_their_precision() -> None:
    x = np.concatenate([np.linspace(0, 1, 5000), np.linspace(1e6, 2e6, 20_000)])
    moments = profile_of({"x": x.tolist(), "y": [0, 1] * 12_500}).columns["x"].moments
    assert moments is not None
    assert moments.median == pytest.approx(np.median(x), rel=0.005)
    assert moments.std == pytest.approx(x.std(), rel=1e-9)


def test_numbers_too_large_to_square_are_infinitely_spread_and_break_nothing() -> None:
    rng = np.random.default_rng(0)
    moments = (
        profile_of({"x": [*rng.normal(size=5998).tolist(), -1e300, -1e305], "y": [0, 1] * 3000}).columns["x"].moments
    )
    assert moments is not None
    assert (moments.std, moments.skew, moments.minimum) == (math.inf, -math.inf, -1e305)
    assert abs(moments.median) < 0.1


def test_the_area_of_several_classes_is_the_largest_of_one_against_the_rest() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 30, 300), rng.integers(0, 3, 300)
    x[y == 2] += 10
    areas = [roc_auc_score(y == label, x) for label in range(3)]
    moments = profile_of({"x": x.tolist(), "y": y.tolist()}).columns["x"].moments
    assert moments is not None
    assert moments.auc == pytest.approx(max(max(area, 1 - area) for area in areas))


def test_missing_cells_and_zeros_are_counted_by_class() -> None:
    column = profile_of(
        {"x": [0, None, 1, 0, None, None, None], "y": ["no", "no", "no", "yes", "yes", "yes", None]}
    ).columns["x"]
    assert column.moments is not None
    assert (column.count, column.missing, column.missing_by_class) == (3, 4, (1, 2))
    assert column.moments.zeros_by_class == (1, 1)


@pytest.mark.parametrize(
    ("cells", "integer", "increasing"),
    [
        ([1, 2, 5, 9], True, True),
        ([1.5, 2, 5, 9], False, True),
        ([1, 2, 2, 9], True, False),
        ([4, None, 6, 7], True, True),
    ],
)
def test_whole_and_strictly_rising_numbers_are_recognised(cells: list[object], integer: bool, increasing: bool) -> None:
    moments = column_of(cells).moments
    assert moments is not None
    assert (moments.integer, moments.increasing) == (integer, increasing)


def test_correlations_are_those_over_the_rows_where_both_are_present() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=3000)
    frame = pd.DataFrame({f"x{i}": 1e4 * i + base + rng.normal(0, 0.05 * i, 3000) for i in range(6)})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    profile = profile_of({**{name: frame[name].tolist() for name in frame}, "y": [0, 1] * 1500})
    expected = frame.corr()
    assert len(profile.correlations) == 15
    strongest = [abs(pair.r) for pair in profile.correlations]
    assert strongest == sorted(strongest, reverse=True)
    for pair in profile.correlations:
        assert pair.r == pytest.approx(expected.loc[pair.first, pair.second], abs=1e-9)


def test_a_constant_column_correlates_with_nothing() -> None:
    profile = profile_of({"x": [1e9 + 0.1] * 40, "z": list(range(40)), "y": [0, 1] * 20})
    assert profile.correlations == ()
    assert profile.columns["x"].constant
    assert profile.columns["x"].moments.std == 0  # type: ignore[union-attr]


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=40))
def test_the_levels_add_up(values: list[int]) -> None:
    values[:2] = [0, 1]
    column = column_of(values)
    assert sum(level.count for level in column.levels) == column.count == len(values)
    assert {level.value for level in column.levels} == {str(value) for value in values}
    assert [level.count for level in column.levels] == sorted((level.count for level in column.levels), reverse=True)
    assert all(sum(level.by_class) == level.count for level in column.levels)


# what a cell is


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "1e999", "1,5", "0x10", "1_000", "12 kg", "١"])
def test_only_finite_decimal_numbers_are_numbers(text: str) -> None:
    column = column_of(["1", "2.5", "-3e4", text])
    assert (column.kind, column.parsed, column.count) == ("text", 3, 4)
    assert column.unparsed == (text,)


def test_blanks_around_a_number_are_counted_and_do_not_make_it_text() -> None:
    column = column_of([" 1", "2 ", "3", "\t4"])
    assert (column.kind, column.padded) == ("number", 3)


def test_a_cell_of_blanks_is_missing() -> None:
    column = column_of(["1", "   ", "", None, "2"])
    assert (column.kind, column.count, column.missing) == ("number", 2, 3)


def test_a_column_without_cells_is_text() -> None:
    column = column_of([None, None, None, None])
    assert (column.kind, column.count, column.distinct, column.constant) == ("text", 0, 0, True)


def test_levels_are_as_written_and_their_longest_is_measured() -> None:
    column = column_of(["é", " é", "longer"])
    assert {level.value for level in column.levels} == {"é", " é", "longer"}
    assert (column.padded, column.max_length) == (1, 6)


def test_numbers_are_one_level_however_they_are_written() -> None:
    column = column_of(["1", "1.0", "1e0", "2"])
    assert [(level.value, level.count) for level in column.levels] == [("1", 3), ("2", 1)]


# what a recipe selects


def test_dropped_columns_are_absent() -> None:
    profile = profile_of({"x": [1, 2], "z": [1, 2], "y": [0, 1]}, data(drop=("z",)))
    assert list(profile.columns) == ["x"]


def test_missing_tokens_are_missing_in_every_column_and_missing_values_in_one() -> None:
    cells = ["1", " ? ", "-999.0", "4"]
    recipe = data(missing_tokens=("?",), missing_values={"x": ("-999",)})
    profile = profile_of({"x": cells, "z": cells, "y": [0, 1, 0, 1]}, recipe)
    assert (profile.columns["x"].missing, profile.columns["z"].missing) == (2, 1)
    assert profile.columns["x"].kind == "number"


def test_a_cast_to_number_makes_the_rest_missing_and_a_cast_to_text_keeps_it() -> None:
    cells = ["1", "2", "many", "00"]
    recipe = data(casts={"x": "number", "z": "text"})
    profile = profile_of({"x": cells, "z": cells, "y": [0, 1, 0, 1]}, recipe)
    assert (profile.columns["x"].kind, profile.columns["x"].missing) == ("number", 1)
    assert (profile.columns["z"].kind, profile.columns["z"].distinct) == ("text", 4)


def test_repeated_rows_count_once_when_the_recipe_says_so() -> None:
    columns: Columns = {"x": [1, 1, "1.0", 2, None, None], "y": [0, 0, 0, 1, 1, 1]}
    before, after = profile_of(columns), profile_of(columns, data(deduplicate=True))
    assert (before.rows, before.duplicates.count, before.duplicates.first) == (6, 3, (1, 2, 5))
    assert (after.rows, after.duplicates.count, after.class_counts) == (3, 0, (1, 2))


def test_rows_without_target_are_listed_or_left_out() -> None:
    columns: Columns = {"x": [1, 2, 3, 4], "y": ["no", None, " ", "yes"]}
    assert profile_of(columns).missing_target.first == (1, 2)
    assert profile_of(columns).labelled == 2
    after = profile_of(columns, data(drop_missing_target=True))
    assert (after.rows, after.missing_target.count) == (2, 0)


def test_target_levels_are_renamed_and_merged() -> None:
    columns: Columns = {"x": [1, 2, 3, 4], "y": ["no", "Yes", " yes", "?"]}
    recipe = data(target_levels={"Yes": "yes"}, missing_tokens=("?",))
    profile = profile_of(columns, recipe)
    assert (profile.classes, profile.class_counts, profile.missing_target.count) == (("no", "yes"), (1, 2), 1)


@pytest.mark.parametrize(
    "recipe",
    [
        data(drop=("incom",)),
        data(casts={"incom": "text"}),
        data(missing_values={"incom": ("0",)}),
        Recipe.from_dict({"split": {"group": "incom"}}),
        Recipe.from_dict({"split": {"time": "incom"}}),
    ],
)
def test_a_recipe_that_names_no_column_is_refused_with_near_names(recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"'incom'.*'income'"):
        profile_of({"income": [1, 2], "y": [0, 1]}, recipe)


def test_a_recipe_that_drops_the_target_is_refused() -> None:
    with pytest.raises(InputError, match="names the target 'y'"):
        profile_of({"x": [1, 2], "y": [0, 1]}, data(drop=("y",)))


# the target


@pytest.mark.parametrize(
    ("labels", "positive", "classes"),
    [
        ([1, 1, 1, 0], "", ("0", "1")),
        (["1.0", "0.0", "1.0", "1.0"], "", ("0.0", "1.0")),
        (["Yes", "No", "Yes", "Yes"], "", ("No", "Yes")),
        ([True, True, False, True], "", ("false", "true")),
        ([1, 1, 1, -1], "", ("-1", "1")),
        (["positive", "positive", "negative", "positive"], "", ("negative", "positive")),
        (["good", "good", "good", "bad"], "", ("good", "bad")),
        (["good", "good", "good", "bad"], "good", ("bad", "good")),
        ([2, 10, 1, 1], "", ("1", "2", "10")),
        (["b", "c", "a", "a"], "a", ("b", "c", "a")),
    ],
)
def test_the_positive_class_is_the_given_the_conventional_or_the_rarer_one(
    labels: list[object], positive: str, classes: tuple[str, ...]
) -> None:
    assert profile_of({"x": [1, 2, 3, 4], "y": labels}, positive=positive).classes == classes


@pytest.mark.parametrize(
    ("labels", "positive", "cause"),
    [
        ([None] * 120, "", "missing in every row"),
        (["a"] * 120, "", "'a' in every row"),
        (list(range(120)), "", "over 100 different values"),
        (["a", "b"] * 60, "c", "no level 'c'; its levels are 'a', 'b'"),
    ],
)
def test_a_target_that_cannot_be_classified_is_refused(labels: list[object], positive: str, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        profile_of({"x": list(range(120)), "y": labels}, positive=positive)


# whole rows


def test_conflicting_labels_put_a_floor_under_every_model() -> None:
    profile = profile_of({"x": [1, 1, 1, 2, 2, 3], "z": [None] * 6, "y": [0, 0, 1, 0, 1, 1]})
    assert (profile.conflicts.count, profile.conflicts.first) == (5, (0, 1, 2, 3, 4))
    assert profile.conflict_floor == pytest.approx(2 / 6)


def test_a_table_without_features_has_no_duplicates() -> None:
    profile = profile_of({"y": ["no"] * 5 + ["yes"] * 3}, data(deduplicate=True))
    assert (profile.rows, profile.duplicates.count, profile.conflicts.count) == (8, 0, 0)


def test_columns_whose_values_determine_each_other_are_paired() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 9, 500)
    other = np.where(rng.random(500) < 0.02, (code + 1) % 9, code)
    profile = profile_of(
        {
            "code": code.tolist(),
            "name": [f"level {c}" for c in code],
            "other": other.tolist(),
            "missing as a level": [None if c == 3 else int(c) * 2 for c in code],
            "y": rng.integers(0, 2, 500).tolist(),
        }
    )
    assert profile.one_to_one == (
        ("code", "name"),
        ("code", "missing as a level"),
        ("name", "missing as a level"),
    )


def test_columns_without_repeated_values_are_paired_only_when_they_are_equal() -> None:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 6000))
    for rows in (400, 6000):
        columns = {"x": x[:rows].tolist(), "z": z[:rows].tolist(), "again": x[:rows].tolist()}
        assert profile_of({**columns, "y": [0, 1] * (rows // 2)}).one_to_one == (("x", "again"),)


def test_the_row_number_tells_the_class_of_a_sorted_file() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    area = roc_auc_score(y, np.arange(400))
    mixed = profile_of({"x": [1] * 400, "y": y.tolist()}).order_auc
    assert mixed == pytest.approx(max(area, 1 - area), abs=1e-3)
    assert profile_of({"x": [1] * 400, "y": sorted(y.tolist())}).order_auc == pytest.approx(1.0, abs=1e-4)


# missing values in disguise


@pytest.mark.parametrize("token", ["?", "N/A", "nan", "NULL", "missing", "none", "unknown", "-", ".", "#N/A", "NA"])
def test_a_word_for_missing_among_numbers_is_a_token(token: str) -> None:
    column = column_of([*map(str, range(30)), token, token])
    assert column.tokens == ((token, 2),)


@pytest.mark.parametrize("level", ["none", "unknown", "nil"])
def test_a_word_that_may_be_a_level_is_no_token_among_texts(level: str) -> None:
    assert column_of(["bank", "stores", level, level] * 5).tokens == ()


def test_a_question_mark_is_a_token_among_texts_blanks_or_not() -> None:
    assert column_of([" Private", " ?", " ?", "Public"]).tokens == (("?", 2),)


def test_namibia_and_minus_are_levels_where_they_belong() -> None:
    assert column_of(["NA", "ZA", "DE", "FR"] * 3).tokens == ()
    assert column_of(["North", "South", "NA", "West"] * 3).tokens == (("NA", 3),)
    assert column_of(["+", "-", "-", "+"] * 3).tokens == ()


def test_what_the_recipe_reads_as_missing_is_no_token_any_more() -> None:
    assert column_of(["1", "?", "2", "?"], data(missing_tokens=("?",))).tokens == ()


@pytest.mark.parametrize("sentinel", [-999, 999, -99, 9999])
@pytest.mark.parametrize("rows", [40, 20_000])
def test_a_repeated_number_far_from_all_others_is_a_token(sentinel: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(18, 70, rows)
    x[:: rows // 10] = sentinel
    assert column_of(x.tolist()).tokens == ((str(sentinel), int((x == sentinel).sum())),)


def test_two_sentinels_are_both_found() -> None:
    assert column_of([-9, -99, -9, -99, *range(8)]).tokens == (("-99", 2), ("-9", 2))


@pytest.mark.parametrize(
    "cells", [[-1, 0, 1] * 5, [-1, 1] * 9, [*range(-20, 90), -1, -1], [999, *range(30)], [*range(990, 1010)] * 2]
)
def test_a_number_that_belongs_to_the_others_is_no_token(cells: list[object]) -> None:
    assert column_of(cells).tokens == ()


# identifiers


def shuffled(values: Sequence[object]) -> list[object]:
    return list(np.random.default_rng(0).permutation(np.array(values, dtype=object)))


@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("x", list(range(1, 5001)), "5000 distinct integers in file order"),
        ("x", [25 + 7 * i for i in range(300)], "300 distinct integers in file order"),
        ("x", shuffled(range(1, 301)), "300 distinct integers that fill 1 to 300"),
        ("customer_id", shuffled([i * i for i in range(100, 400)]), "and its name"),
        ("x", [f"Person {i}" for i in range(300)], "300 distinct texts in 300 rows"),
        ("x", [f"Person {min(i, 290)}" for i in range(300)], "291 distinct texts in 300 rows"),
        ("x", [f"{i:08x}-0000-4000-8000-{i:012x}" for i in range(300)], "300 distinct uuids"),
        ("x", [f"Person {i}" for i in range(9000)], "9000 distinct texts"),
    ],
)
def test_values_that_name_the_row_are_identifiers(name: str, cells: list[object], says: str) -> None:
    assert says in column_of(cells, name=name).identifier_evidence


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("salary", shuffled([20_000 + i * i for i in range(300)])),
        ("x", [i + 0.5 for i in range(300)]),
        ("id", [i + 0.5 for i in range(300)]),
        ("id", [1, 2, 3] * 100),
        ("ticket", [f"T{i % 200}" for i in range(300)]),
        ("day", [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(300)]),
        ("review", [f"{i} " + "very nice " * 30 for i in range(300)]),
        ("amount", [*map(str, range(0, 3000, 10)), "?", "unknown"]),
        ("x", list(range(10))),
    ],
)
def test_amounts_dates_codes_and_prose_are_no_identifiers(name: str, cells: list[object]) -> None:
    assert column_of(cells, name=name).identifier_evidence == ""


def test_dates_and_uuids_are_recognised_by_their_shape() -> None:
    dates = column_of(["31.12.2024", "01.02.2024", "soon", *["15.03.2024"] * 17])
    assert (dates.shape, dates.date_format, dates.dates) == ("date", "%d.%m.%Y", 19)
    assert column_of(["1/2/13 8:01", "12/31/12 23:59"]).date_format == "%m/%d/%y %H:%M"
    assert column_of([f"{i:032x}" for i in range(10**20, 10**20 + 9)]).shape == "uuid"
    assert column_of(["blue", "red"]).shape == ""


def test_a_scan_leaves_its_state_as_it_is() -> None:
    dataset = dataset_of({"x": [1, 2, 3], "y": [0, 1, 1]})
    (chunk,) = select(dataset, Recipe())
    state = ScanState(plan_of(chunk, dataset))
    state.update(chunk)
    assert_same(state.finish(), state.finish())
    assert math.isclose(state.finish().order_auc, 1.0)
    assert isinstance(chunk.labels, pl.Series)
