"""Trials of a large data set run on a sample that is parted as all rows are."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import Recipe, Rows
from bindoctor.dataset import Table
from bindoctor.readers import open_dataset, table_source
from bindoctor.rows import rows_of
from bindoctor.sampling import excerpt, halved, rows_that_fit, trial_rows


def rows_with(shares: tuple[float, ...], count: int = 4000) -> Rows:
    random = np.random.default_rng(0)
    labels = random.choice(len(shares), count, p=shares)
    classes = tuple("abc"[: len(shares)])
    return Rows(pl.DataFrame({"x": random.normal(size=count)}), labels, classes, np.arange(count))


@given(st.integers(100, 5000), st.integers(0, 5))
def test_every_class_keeps_its_share(most: int, seed: int) -> None:
    rows = rows_with((0.7, 0.3))
    taken = trial_rows(rows, most=most, seed=seed)
    assert (np.diff(taken) > 0).all()
    assert len(taken) <= max(most, 200 / 0.29)
    shares = np.bincount(rows.labels[taken]) / len(taken)
    assert np.abs(shares - np.bincount(rows.labels) / len(rows)).max() < 2 / len(taken)


def test_a_small_data_set_is_taken_whole() -> None:
    assert trial_rows(rows_with((0.5, 0.5)), seed=0).tolist() == list(range(4000))


def test_more_rows_are_taken_where_one_class_is_rare_but_not_without_bounds() -> None:
    rows = rows_with((0.9, 0.1))
    taken = trial_rows(rows, most=1000, seed=0)
    assert np.bincount(rows.labels[taken]).min() >= 199
    assert len(trial_rows(rows_with((0.995, 0.005)), most=500, seed=0)) == 2500


def test_groups_are_taken_whole() -> None:
    rows = replace(rows_with((0.5, 0.5)), groups=np.arange(4000) // 7)
    for taken in (trial_rows(rows, most=1000, seed=0), halved(rows, np.arange(4000), seed=0)):
        groups = np.arange(4000) // 7
        inside = np.isin(groups, groups[taken])
        assert np.array_equal(np.flatnonzero(inside), taken)
    assert 1000 <= len(trial_rows(rows, most=1000, seed=0)) < 1007


def test_rows_with_a_time_are_taken_from_all_of_it_and_halved_to_the_later_part() -> None:
    times = np.random.default_rng(1).permutation(4000).astype(np.float64)
    rows = replace(rows_with((0.5, 0.5)), order=times)
    taken = np.sort(times[trial_rows(rows, most=1000, seed=0)])
    assert len(taken) == 1000
    assert np.diff(taken).max() <= 5
    assert times[halved(rows, np.arange(4000), seed=0)].min() == 2000


def test_half_of_the_training_rows_keeps_the_shares() -> None:
    rows = rows_with((0.6, 0.3, 0.1))
    train = np.arange(0, 4000, 2)
    half = halved(rows, train, seed=3)
    assert np.isin(half, train).all()
    counts = np.bincount(rows.labels[train])
    assert np.bincount(rows.labels[half]).tolist() == ((counts + 1) // 2).tolist()


def test_an_excerpt_reads_as_its_rows_do_in_the_file_and_knows_their_numbers() -> None:
    random = np.random.default_rng(0)
    cells = {
        "x": random.normal(size=500).round(3),
        "c": random.choice(["u", "v"], 500),
        "y": random.integers(0, 2, 500),
    }
    cells["x"][7], cells["y"][7] = cells["x"][3], cells["y"][3]
    dataset = open_dataset(table_source(Table({k: v.tolist() for k, v in cells.items()})), "y")
    recipe = Recipe().edited({"data.drop-rows": [11, 40]})
    ids = np.sort(random.choice(500, 120, replace=False))
    part = rows_of(excerpt(dataset, ids), recipe)
    whole = rows_of(dataset, recipe)
    expected = whole.take(np.flatnonzero(np.isin(whole.row_ids, ids)))
    assert part == expected
    assert not np.isin([11, 40], part.row_ids).any()


def test_rows_are_left_out_only_where_their_inputs_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_with((0.5, 0.5))
    levels = [f"L{row % 99}" for row in range(4000)]
    rows = replace(rows, features=rows.features.with_columns(pl.Series("c", levels)))
    assert len(rows_that_fit([Recipe()], rows, seed=0)) == 4000
    monkeypatch.setattr("bindoctor.sampling.MAX_CELLS", 100 * 1000)
    hashed = Recipe().edited({"features.encode": "hash"})
    assert len(rows_that_fit([Recipe()], rows, seed=0)) == 1000
    assert len(rows_that_fit([hashed, Recipe()], rows, seed=0)) == 1000


def test_nearly_all_rows_are_drawn_as_few_of_them_are() -> None:
    assert len(trial_rows(rows_with((0.5, 0.5), 1001), most=1000, seed=0)) == 1000


def test_a_class_of_one_row_may_be_left_out_of_a_sample() -> None:
    labels = np.zeros(6000, dtype=np.int64)
    labels[7] = 1
    assert len(trial_rows(replace(rows_with((0.5, 0.5), 6000), labels=labels), most=1000, seed=0)) == 5000


def test_few_large_groups_are_thinned_and_not_left_out() -> None:
    groups = np.arange(4000) // 400
    rows = replace(rows_with((0.5, 0.5)), groups=groups)
    taken = trial_rows(rows, most=500, seed=0)
    assert len(np.unique(groups[taken])) == 10
    assert len(taken) == 500
    uneven = np.maximum(np.arange(4000) - 3900, 0)
    for seed in range(5):
        taken = trial_rows(replace(rows, groups=uneven), most=500, seed=seed)
        assert len(np.unique(uneven[taken])) == 100
        assert 500 <= len(taken) <= 600
