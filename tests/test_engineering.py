"""Columns are made of dates and of other columns, and numbers clipped, with what training rows alone have taught."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.build import HASHED_INPUTS, column_kinds, hashed_levels
from bindoctor.dataset import Dataset, Rows, Table
from bindoctor.engineering import engineered, learn
from bindoctor.prepare import Prepared, informative_inputs, prepare
from bindoctor.readers import table_source
from bindoctor.rows import rows_of

Cells = Mapping[str, Sequence[object]]


def frame_of(cells: Cells) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.Series(column, dtype=pl.String if any(isinstance(c, str) for c in column) else pl.Float64)
            for name, column in cells.items()
        }
    )


def made(edits: Mapping[str, Any], train: Cells, new: Cells | None = None, *, fill: bool = False) -> dict[str, Any]:
    """Return training rows, or other ones, with the columns that are made."""
    features, frame = Recipe().edited(edits).features, frame_of(train)
    learned, done = learn(features, column_kinds(frame), frame, fill=fill)
    if new is not None:
        done = engineered(features, column_kinds(frame), learned, frame_of(new).cast(frame.schema))
    return done.to_dict(as_series=False)


def prepared(edits: Mapping[str, Any], train: Cells, labels: Sequence[int], test: Cells | None = None) -> Prepared:
    def rows(cells: Cells) -> Rows:
        frame = frame_of(cells)
        known = (list(labels) * len(frame))[: len(frame)]
        return Rows(frame, np.array(known, dtype=np.int64), ("no", "yes"), np.arange(len(frame)))

    return prepare(Recipe().edited(edits), rows(train), None if test is None else rows(test), seed=0)


# Dates


def dates(form: str, *parts: str) -> dict[str, Any]:
    return {"features.dates.day": {"format": form, "parts": parts}}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%d", "2024-02-29"),
        ("%d/%m/%Y", "29/02/2024"),
        ("%m/%d/%Y", " 2/29/2024 "),
        ("%d.%m.%Y", "29.02.2024"),
        ("%Y/%m/%d", "2024/02/29"),
        ("%Y%m%d", "20240229"),
        ("%d %b %Y", "29 Feb 2024"),
        ("%m/%d/%y", "02/29/24"),
    ],
)
def test_a_date_becomes_its_parts_in_its_place(form: str, text: str) -> None:
    edits = dates(form, "year", "month", "day", "weekday", "hour", "days")
    assert made(edits, {"a": [1], "day": [text], "z": [2]}) == {
        "a": [1],
        **{"day_year": [2024], "day_month": [2], "day_day": [29], "day_weekday": [3], "day_hour": [0]},
        "day_days": [19782],
        "z": [2],
    }


def test_what_is_no_such_date_is_missing() -> None:
    texts = ["2024-01-31", "2023-02-29", "31.01.2024", "soon", None, "2024-01-31 10:00"]
    assert made(dates("%Y-%m-%d", "month"), {"day": texts}) == {"day_month": [1, *[None] * 5]}


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_parts_are_those_of_the_calendar(when: datetime) -> None:
    when = when.replace(microsecond=0)
    edits = dates("%Y-%m-%d %H:%M:%S", "year", "month", "day", "weekday", "hour", "days")
    found = made(edits, {"day": [when.isoformat(" ")]})
    days = (when.date() - datetime(1970, 1, 1).date()) // timedelta(days=1)
    expected = [when.year, when.month, when.day, when.weekday(), when.hour, days]
    assert [values[0] for values in found.values()] == expected


def test_a_date_that_is_written_as_a_number_is_read_as_a_date() -> None:
    table = Table({"day": [20240131, 20231224], "y": [0, 1]})
    rows = rows_of(Dataset(table_source(table), "y"), Recipe().edited(dates("%Y%m%d", "month")))
    assert rows.features.schema == {"day": pl.String}


def test_missing_dates_are_imputed_like_numbers_and_refused_where_nothing_imputes() -> None:
    cells: Cells = {"day": ["2024-01-31", None, "2024-05-31", "2024-05-01"]}
    edits = dates("%Y-%m-%d", "month")
    done = prepared({**edits, "features.impute": "median"}, cells, [0, 1])
    assert done.train.matrix[:, 0].tolist() == [1, 5, 5, 5]
    with pytest.raises(InputError, match=r"'day_month' has 1 missing cells"):
        prepared(edits, cells, [0, 1])


# Derived columns


NUMBERS: Cells = {"a": [6.0, 8.0, None, 4.0], "b": [3.0, 0.0, 2.0, -2.0]}


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("ratio", [2.0, None, None, -2.0]),
        ("product", [18.0, 0.0, None, -8.0]),
        ("difference", [3.0, 8.0, None, 6.0]),
    ],
)
def test_a_column_is_made_of_two(op: str, expected: list[float | None]) -> None:
    found = made({"features.derive.c": {"op": op, "a": "a", "b": "b"}}, NUMBERS)
    assert found == {**NUMBERS, "c": expected}


def test_a_divisor_that_is_tiny_beside_the_others_counts_as_zero() -> None:
    cells: Cells = {"a": [1.0] * 4, "b": [1000.0, 1e-9, -1e-9, 10.0]}
    found = made({"features.derive.c": {"op": "ratio", "a": "a", "b": "b"}}, cells)
    assert found["c"] == [0.001, None, None, 0.1]
    small = made({"features.derive.c": {"op": "ratio", "a": "a", "b": "b"}}, {"a": [1.0], "b": [1e-9]})
    assert small["c"] == [pytest.approx(1e9)]


def test_a_division_by_zero_is_imputed_where_the_recipe_imputes_and_else_the_training_median() -> None:
    edits = {"features.derive.c": {"op": "ratio", "a": "a", "b": "b"}}
    cells: Cells = {"a": [1.0, 2.0, 4.0, 5.0], "b": [1.0, 1.0, 1.0, 0.0]}
    plain, test = prepared(edits, cells, [0, 1], {"a": [9.0], "b": [0.0]}), {"a": [9.0], "b": [0.0]}
    assert plain.train.matrix[:, 2].tolist() == [1, 2, 4, 2]
    assert plain.test is not None
    assert plain.test.matrix[0, 2] == 2
    mean = prepared({**edits, "features.impute": "mean"}, cells, [0, 1], test)
    assert mean.train.matrix[3, 2] == pytest.approx(7 / 3)
    trees = prepared({**edits, "model.kind": "gradient-boosting"}, cells, [0, 1], test)
    assert np.isnan(trees.train.matrix[3, 2])


GROUPED: Cells = {"pay": [1.0, 3.0, 10.0, None], "town": ["Ulm", "Ulm", "Kiel", "Kiel"], "age": [1.0, 1.0, 2.0, 2.0]}


@pytest.mark.parametrize("by", ["town", "age"])
def test_a_number_is_compared_with_the_mean_of_its_group(by: str) -> None:
    ratio = made({"features.derive.c": {"op": "group-mean-ratio", "a": "pay", "by": by}}, GROUPED)
    assert ratio["c"] == [0.5, 1.5, 1.0, None]
    difference = made({"features.derive.c": {"op": "group-mean-difference", "a": "pay", "by": by}}, GROUPED)
    assert difference["c"] == [-1.0, 1.0, 0.0, None]


def test_group_means_are_those_of_training_rows_and_a_new_group_gets_the_mean_of_all() -> None:
    new: Cells = {"pay": [100.0, 14.0, 14.0], "town": ["Ulm", "Rome", None], "age": [1.0, 2.0, 2.0]}
    edits = {"features.derive.c": {"op": "group-mean-difference", "a": "pay", "by": "town"}}
    assert made(edits, GROUPED, new)["c"] == [98.0, 14 - 14 / 3, 14 - 14 / 3]


def test_a_column_may_be_made_of_date_parts() -> None:
    edits = {
        **dates("%Y-%m-%d", "days"),
        "features.dates.due": {"format": "%Y-%m-%d", "parts": ["days"]},
        "features.derive.late": {"op": "difference", "a": "day_days", "b": "due_days"},
    }
    assert made(edits, {"day": ["2024-03-01"], "due": ["2024-02-01"]})["late"] == [29]


@given(
    st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False), st.sampled_from("ab")), min_size=1),
    st.sampled_from(["ratio", "product", "difference", "group-mean-ratio", "group-mean-difference"]),
)
def test_nothing_made_is_ever_infinite(rows: list[tuple[float, float, str]], op: str) -> None:
    cells = dict(zip("abg", map(list, zip(*rows, strict=True)), strict=True))
    other = {"by": "g"} if op.startswith("group") else {"b": "b"}
    with np.errstate(all="ignore"):
        found = made({"features.derive.c": {"op": op, "a": "a", **other}}, cells)["c"]
    assert all(value is None or math.isfinite(value) for value in found)


def test_what_is_made_of_a_dropped_column_is_left_out() -> None:
    edits = {
        "data.drop": ["b", "day"],
        **dates("%Y-%m-%d", "month"),
        "features.derive.c": {"op": "ratio", "a": "a", "b": "b"},
        "features.clip.c": [0.1, 0.9],
    }
    assert prepared(edits, {"a": [1.0, 2.0, 3.0, 4.0]}, [0, 1]).train.matrix.shape == (4, 1)


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ({"features.derive.c": {"op": "ratio", "a": "a", "b": "bb"}}, r"derive\.c names 'bb', which is no feature"),
        ({"features.derive.c": {"op": "ratio", "a": "a", "b": "t"}}, r"derive\.c names 't', a text column"),
        ({"features.derive.a": {"op": "ratio", "a": "a", "b": "b"}}, "makes a column 'a', but there is one"),
        (
            {"features.derive": {c: {"op": "ratio", "a": a, "b": "b"} for c, a in (("c", "a"), ("d", "c"))}},
            "names 'c'",
        ),
        (dates("%Y-%m-%d", "month"), "dates names 'day', which is no feature column"),
        ({"features.dates.t": {"parts": ["month"]}}, "makes a column 't_month', but there is one"),
        ({"features.clip.cc": [0, 0.9]}, "clip names 'cc', which is no feature column"),
        ({"features.clip.t": [0, 0.9]}, "clip names 't', a text column"),
    ],
)
def test_a_setting_that_does_not_fit_the_columns_is_refused(edits: dict[str, Any], says: str) -> None:
    cells: Cells = {"a": [1.0, 2.0], "b": [1.0, 2.0], "t": ["x", "y"], "t_month": [1.0, 2.0]}
    with pytest.raises(InputError, match=says):
        prepared(edits, cells, [0, 1])


def test_made_columns_are_transformed_and_scaled_like_others() -> None:
    edits = {
        "features.derive.c": {"op": "product", "a": "a", "b": "b"},
        "features.transform.c": "log1p",
        "features.scale": "standard",
    }
    done = prepared(edits, {"a": [1.0, 2.0, 3.0, 4.0], "b": [5.0, 5.0, 6.0, 6.0]}, [0, 1])
    names = done.preprocessor.get_feature_names_out().tolist()
    assert names == ["numbers_none__a", "numbers_none__b", "numbers_log1p__c"]
    assert done.train.matrix.std(axis=0) == pytest.approx([1, 1, 1])


# Clipping


def test_numbers_are_clipped_to_the_quantiles_of_training_rows() -> None:
    train: Cells = {"a": [float(i) for i in range(101)], "b": [float(i) for i in range(101)]}
    new: Cells = {"a": [-5.0, 50.0, 1e9, None], "b": [-5.0, 50.0, 1e9, None]}
    found = made({"features.clip.a": [0.1, 0.95]}, train, new)
    assert found == {"a": [10.0, 50.0, 95.0, None], "b": new["b"]}
    assert made({"features.clip.a": [0, 0.5]}, train)["a"][:2] == [0, 1]
    assert max(made({"features.clip.a": [0, 0.5]}, train)["a"]) == 50


def test_a_column_without_any_number_is_not_clipped() -> None:
    assert made({"features.clip.a": [0, 0.5]}, {"a": [None, None]}, {"a": [7.0]}) == {"a": [7.0]}


# Held-out rows


@pytest.mark.parametrize(
    "edits",
    [
        {"features.clip.pay": [0.1, 0.9]},
        {"features.derive.c": {"op": "group-mean-ratio", "a": "pay", "by": "town"}},
        {"features.derive.c": {"op": "ratio", "a": "pay", "b": "age"}},
        {"features.keep": 2},
        {"features.encode": "hash", "features.keep": 20},
    ],
    ids=str,
)
def test_nothing_is_learnt_from_rows_that_are_held_out_or_watched(edits: dict[str, Any]) -> None:
    random = np.random.default_rng(0)

    def rows(n: int, shift: float) -> Cells:
        return {
            "pay": (random.normal(size=n) + shift).tolist(),
            "age": random.normal(size=n).tolist(),
            "town": random.choice(["Ulm", "Kiel", "Bonn"], n).tolist(),
        }

    train = rows(40, 0.0)
    alone = prepared(edits, train, [0, 1, 1])
    beside = prepared(edits, train, [0, 1, 1], rows(20, 1000.0))
    assert alone.learned == beside.learned
    np.testing.assert_array_equal(alone.train.matrix, beside.train.matrix)
    watching = {**edits, "train.patience": 3}
    first = prepared(watching, train, [0, 1, 1])
    assert first.valid is not None
    assert len(first.train.labels) + len(first.valid.labels) == 40
    assert first.learned != alone.learned or "features.keep" in edits


# Hashing


def test_hashed_levels_take_a_fixed_number_of_inputs_and_tell_most_levels_apart() -> None:
    towns = [f"town {i}" for i in range(20)]
    done = prepared({"features.encode-columns.town": "hash"}, {"town": towns * 2, "job": ["x", "y"] * 20}, [0, 1])
    assert done.train.matrix.shape == (40, HASHED_INPUTS + 2)
    hashed = done.train.matrix[:20, :HASHED_INPUTS]
    assert (np.abs(hashed).sum(axis=1) == 1).all()
    assert len(np.unique(hashed, axis=0)) >= 12


def test_a_level_is_hashed_alike_whatever_else_is_there() -> None:
    one = prepared({"features.encode": "hash"}, {"town": ["Ulm", "Kiel"]}, [0, 1], {"town": ["Rome", "Ulm", None]})
    assert one.test is not None
    np.testing.assert_array_equal(one.test.matrix[1], one.train.matrix[0])
    expected = hashed_levels(np.array([["Rome"], ["Ulm"], [""]], dtype=object))
    np.testing.assert_array_equal(one.test.matrix, expected)
    assert np.flatnonzero(hashed_levels(np.array([["Ulm"]], dtype=object))[0]).tolist() == [ULM]


ULM = 1
"""Where this level stands; a stored model relies on it."""


def test_hashed_columns_are_scaled_beside_not_along() -> None:
    done = prepared({"features.encode": "hash", "features.scale": "standard"}, {"town": ["a", "b"] * 4}, [0, 1])
    assert set(np.unique(done.train.matrix)) <= {-1, 0, 1}


# Keeping inputs


def test_the_inputs_that_differ_most_between_the_classes_are_kept_in_order() -> None:
    random = np.random.default_rng(1)
    labels = np.array([0, 1] * 50)
    noise = random.normal(size=(100, 5)).astype(np.float32)
    noise[:, 1] += labels
    noise[:, 4] += 3 * labels
    assert informative_inputs(2, noise, labels) == (1, 4)
    assert informative_inputs(1, noise, labels) == (4,)
    assert informative_inputs(5, noise, labels) == informative_inputs(0, noise, labels) == ()
    noise[:, 0] = 7
    assert 0 not in informative_inputs(4, noise, labels)
    holes = noise.copy()
    holes[::7, 4] = np.nan
    assert informative_inputs(2, holes, labels) == (1, 4)


def test_a_matrix_has_only_the_kept_inputs() -> None:
    labels = [0, 1] * 20
    cells: Cells = {
        "noise": [float(i // 2 % 5) for i in range(40)],
        "pay": [float(label + i % 3 / 9) for i, label in enumerate(labels)],
        "town": [f"t{i // 2 % 4}" for i in range(40)],
    }
    done = prepared({"features.keep": 1}, cells, [0, 1], cells)
    assert done.test is not None
    assert done.learned.kept == (1,)
    assert done.train.matrix[:, 0].tolist() == done.test.matrix[:, 0].tolist() == pytest.approx(cells["pay"])


def test_smotenc_gives_levels_that_exist_when_some_inputs_are_gone() -> None:
    random = np.random.default_rng(0)
    labels = [0] * 60 + [1] * 14
    cells: Cells = {
        "pay": (random.normal(size=74) + np.array(labels)).tolist(),
        "town": random.choice(["Ulm", "Kiel", "Bonn", "Rome"], 74).tolist(),
        "job": random.choice(["cook", "clerk", "pilot"], 74).tolist(),
    }
    done = prepared({"features.keep": 5, "resample.method": "smotenc"}, cells, labels)
    assert done.train.matrix.shape == (120, 5)
    assert np.isin(done.train.matrix[:, 1:], [0, 1]).all()
