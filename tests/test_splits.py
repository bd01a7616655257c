"""Rows are parted as the recipe says: nothing is lost, and nothing stands on both sides."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import InputError, Rows
from bindoctor.errors import TooFewRows
from bindoctor.final import checked_split
from bindoctor.recipe_sections import Split
from bindoctor.splits import (
    Fold,
    derived_seed,
    inner_validation,
    locked_part,
    overlap,
    repeated_folds,
    time_folds,
    training_rows,
    user_split,
)

SPLITS = [
    Split(kind=kind, stratify=stratify, shuffle=shuffle, repeats=2, folds=3)
    for kind in ("holdout", "folds")
    for stratify in (False, True)
    for shuffle in (False, True)
]
SHAPES = ("plain", "grouped", "timed")


def rows_with(
    labels: Iterable[int],
    *,
    groups: Iterable[int] | None = None,
    order: Iterable[float] | None = None,
    classes: tuple[str, ...] = ("no", "yes"),
) -> Rows:
    indices = np.array(list(labels), dtype=np.int64)
    return Rows(
        pl.DataFrame({"x": np.arange(len(indices), dtype=np.float64)}),
        indices,
        classes,
        np.arange(len(indices)),
        None if groups is None else np.array(list(groups), dtype=np.int64),
        None if order is None else np.array(list(order), dtype=np.float64),
    )


@st.composite
def any_rows(draw: st.DrawFn) -> Rows:
    shape = draw(st.sampled_from(SHAPES))
    labels = draw(st.lists(st.integers(0, 1), min_size=30, max_size=80)) + [0, 1] * 10
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    return rows_with(
        labels,
        groups=random.permutation(np.arange(len(labels)) % 12) if shape == "grouped" else None,
        order=random.integers(0, 40, len(labels)) if shape == "timed" else None,
    )


@st.composite
def uneven_rows(draw: st.DrawFn) -> Rows:
    """Rows in groups or at times of any size, from all alone to one that holds nearly every row."""
    sizes = draw(st.lists(st.sampled_from([1, 1, 1, 2, 5, 20, 60]), min_size=1, max_size=40))
    key = np.repeat(np.arange(len(sizes)), sizes)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    key = random.permutation(len(sizes))[random.permutation(key)]
    labels = (random.random(len(key)) < draw(st.sampled_from([0.05, 0.3, 0.5]))).astype(int)
    return rows_with(labels, groups=key) if draw(st.booleans()) else rows_with(labels, order=key)


def check_fold(rows: Rows, fold: Fold) -> None:
    """Hold a fold to what every fold must be."""
    train, test = fold
    assert len(train) and len(test)
    assert not np.intersect1d(train, test).size
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    if rows.groups is not None:
        assert not np.intersect1d(rows.groups[train], rows.groups[test]).size
    if rows.order is not None:
        assert rows.order[train].max() < rows.order[test].min()


@given(any_rows(), st.sampled_from(SPLITS), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_a_users_split_loses_no_row_and_keeps_groups_whole_and_time_in_order(
    rows: Rows, split: Split, seed: int
) -> None:
    folds = user_split(rows, split, seed=seed)
    assert len(folds) == (1 if split.kind == "holdout" else 6)
    for fold in folds:
        check_fold(rows, fold)
        if rows.order is None or split.kind == "holdout":
            assert len(fold[0]) + len(fold[1]) == len(rows)


@given(any_rows(), st.sampled_from([0.1, 0.2, 0.35, 0.5]), st.booleans(), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_locked_part_and_an_inner_validation_part_are_disjoint_and_complete(
    rows: Rows, share: float, shuffle: bool, seed: int
) -> None:
    split = Split(valid=share, shuffle=shuffle)
    try:
        parts = [locked_part(rows, split, share=share, seed=seed)]
    except InputError as error:
        assert not shuffle or rows.order is not None or rows.groups is not None
        assert "left to train on hold no" in str(error)
        parts = []
    for fold in [*parts, inner_validation(rows, split, seed=seed)]:
        check_fold(rows, fold)
        assert len(fold[0]) + len(fold[1]) == len(rows)
        assert abs(len(fold[1]) / len(rows) - share) < 0.12


@given(any_rows(), st.integers(2, 5), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_repeated_folds_hold_every_row_out_once_a_repeat(rows: Rows, folds: int, seed: int) -> None:
    try:
        repeats = repeated_folds(rows, Split(), repeats=2, folds=folds, seed=seed)
    except InputError:
        assert rows.order is not None
        return
    for one in repeats:
        assert len(one) == folds
        for fold in one:
            check_fold(rows, fold)
        held_out = np.concatenate([test for _, test in one])
        assert len(np.unique(held_out)) == len(held_out)
        assert rows.order is not None or len(held_out) == len(rows)


@given(uneven_rows(), st.integers(2, 6), st.sampled_from([0.05, 0.2, 0.5]), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_no_group_and_no_time_is_on_both_sides_of_anything(rows: Rows, folds: int, share: float, seed: int) -> None:
    split = Split(group="g" if rows.groups is not None else "", time="t" if rows.order is not None else "", valid=share)
    in_folds = msgspec.structs.replace(split, kind="folds", folds=folds, repeats=2)
    made: list[Fold] = []
    for make in (
        lambda: [locked_part(rows, split, share=share, seed=seed)],
        lambda: [inner_validation(rows, split, seed=seed)],
        lambda: user_split(rows, split, seed=seed),
        lambda: user_split(rows, in_folds, seed=seed),
        lambda: [fold for one in repeated_folds(rows, split, repeats=3, folds=folds, seed=seed) for fold in one],
    ):
        # Too few groups or times are told as such, and as nothing else.
        with suppress(TooFewRows):
            made += make()
    for fold in made:
        check_fold(rows, fold)


@given(uneven_rows(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_windows_in_time_are_trained_on_everything_before_them(rows: Rows, folds: int) -> None:
    order = np.arange(len(rows)).astype(float) if rows.order is None else rows.order
    try:
        windows = time_folds(order, folds)
    except TooFewRows:
        return
    assert len(windows) == folds
    for (train, test), (next_train, _) in pairwise(windows):
        assert np.array_equal(np.union1d(train, test), next_train)
    assert order[windows[-1][1]].max() == order.max()


def test_repeats_in_time_cut_elsewhere_whatever_their_number() -> None:
    rows = rows_with([0, 1] * 200, order=np.arange(400))
    three = repeated_folds(rows, Split(time="day"), repeats=3, folds=5, seed=0)
    six = repeated_folds(rows, Split(time="day"), repeats=6, folds=5, seed=1)
    starts = [one[0][1][0] for one in six]
    assert len(set(starts)) == 6
    assert starts[:3] == [one[0][1][0] for one in three]
    assert max(starts) - min(starts) < 400 / 8
    assert {len(test) for one in six for _, test in one} == {50}


def test_the_overlap_is_that_of_equal_folds_and_grows_with_the_fold_that_varies_most() -> None:
    rows = rows_with([0, 1] * 200)
    assert overlap(repeated_folds(rows, Split(), repeats=2, folds=5, seed=0)) == pytest.approx(1 / 4)
    timed = rows_with([0, 1] * 200, order=np.arange(400))
    assert overlap(repeated_folds(timed, Split(time="day"), repeats=6, folds=5, seed=0)) == pytest.approx(0.4, abs=0.02)
    large = rows_with([0, 1] * 200, groups=np.maximum(np.arange(400) - 200, 0))
    assert overlap(repeated_folds(large, Split(group="who"), repeats=2, folds=5, seed=0)) > 1


def test_one_time_or_one_that_holds_most_rows_cannot_be_cut_into_windows() -> None:
    with pytest.raises(TooFewRows, match="all 40 rows have one time"):
        locked_part(rows_with([0, 1] * 20, order=np.zeros(40)), Split(time="day"), seed=0)
    rows = rows_with([0, 1] * 20, order=np.maximum(np.arange(40) - 30, 0))
    with pytest.raises(TooFewRows, match="10 different times in 40 rows, too few or too uneven to cut 5 windows"):
        repeated_folds(rows, Split(time="day"), repeats=1, folds=5, seed=0)


def test_every_repeat_is_shuffled_anew_and_the_seed_decides_how() -> None:
    rows = rows_with([0, 1] * 50)
    first, second = repeated_folds(rows, Split(), repeats=2, folds=5, seed=0)
    again = repeated_folds(rows, Split(), repeats=2, folds=5, seed=0)
    other = repeated_folds(rows, Split(), repeats=2, folds=5, seed=1)
    assert not np.array_equal(first[0][1], second[0][1])
    assert np.array_equal(first[0][1], again[0][0][1])
    assert not np.array_equal(first[0][1], other[0][0][1])


def test_folds_and_locked_part_keep_the_share_of_every_class() -> None:
    rows = rows_with([0] * 90 + [1] * 10)
    assert rows.labels[locked_part(rows, Split(), seed=0)[1]].sum() == 2
    for fold in repeated_folds(rows, Split(), repeats=1, folds=5, seed=0)[0]:
        assert rows.labels[fold[1]].sum() == 2


def test_grouped_folds_keep_the_share_of_every_class_about_equal() -> None:
    random = np.random.default_rng(0)
    rows = rows_with(random.random(600) < 0.2, groups=random.integers(0, 60, 600))
    for fold in repeated_folds(rows, Split(), repeats=1, folds=5, seed=0)[0]:
        assert rows.labels[fold[1]].mean() == pytest.approx(rows.labels.mean(), abs=0.06)


def test_an_unstratified_holdout_is_left_to_chance() -> None:
    rows = rows_with([0] * 90 + [1] * 10)
    kept_back = {int(rows.labels[user_split(rows, Split(), seed=seed)[0][1]].sum()) for seed in range(20)}
    stratified = Split(stratify=True)
    exact = {int(rows.labels[user_split(rows, stratified, seed=seed)[0][1]].sum()) for seed in range(20)}
    assert len(kept_back) > 1
    assert exact == {2}


def test_without_shuffling_the_last_rows_of_the_file_are_kept_back() -> None:
    rows = rows_with([0, 1] * 20)
    split = Split(shuffle=False)
    assert user_split(rows, split, seed=0)[0][1].tolist() == list(range(32, 40))
    assert locked_part(rows, split, seed=0)[1].tolist() == list(range(32, 40))
    folds = user_split(rows, Split(kind="folds", shuffle=False, folds=4), seed=0)
    assert np.concatenate([test for _, test in folds]).tolist() == list(range(40))


def test_without_shuffling_a_stratified_holdout_takes_the_last_rows_of_each_class() -> None:
    rows = rows_with([0] * 30 + [1] * 10)
    test = user_split(rows, Split(shuffle=False, stratify=True), seed=0)[0][1]
    assert test.tolist() == [24, 25, 26, 27, 28, 29, 38, 39]


def test_with_a_time_the_latest_rows_are_locked_whatever_their_place_in_the_file() -> None:
    order = np.random.default_rng(1).permutation(50)
    rows = rows_with([0, 1] * 25, order=order)
    locked = locked_part(rows, Split(time="day"), seed=0)[1]
    assert sorted(order[locked].tolist()) == list(range(40, 50))


def test_whole_groups_make_up_the_asked_share() -> None:
    rows = rows_with([0, 1] * 200, groups=np.arange(400) // 10)
    assert len(locked_part(rows, Split(group="who"), share=0.15, seed=0)[1]) == 60


def test_early_stopping_watches_both_classes_where_it_can() -> None:
    rows = rows_with([0] * 95 + [1] * 5)
    assert rows.labels[inner_validation(rows, Split(), seed=0)[1]].sum() == 1
    single = rows_with([0] * 20 + [1])
    assert len(inner_validation(single, Split(), seed=0)[1]) == 5


def test_a_class_with_fewer_rows_than_folds_is_named() -> None:
    with pytest.raises(InputError, match="class 'yes' has 3 rows, fewer than the 5 folds"):
        repeated_folds(rows_with([0] * 50 + [1] * 3), Split(), repeats=1, folds=5, seed=0)
    with pytest.raises(InputError, match="class 'yes' has 3 rows, fewer than the 5 folds"):
        user_split(rows_with([0] * 50 + [1] * 3), Split(kind="folds", stratify=True), seed=0)


def test_fewer_folds_are_asked_for_only_where_the_recipe_decides_how_many_there_are() -> None:
    grouped = rows_with([0, 1] * 20, groups=[0, 1, 2, 3] * 10)
    for rows in (rows_with([0] * 50 + [1] * 3), grouped, rows_with([0, 1] * 20, order=[0] * 20 + [1] * 20)):
        with pytest.raises(TooFewRows, match=r"collect rows.*, or set recipe\.split\.folds lower where that asks for"):
            repeated_folds(rows, Split(), repeats=1, folds=5, seed=0)


def test_a_class_with_one_row_cannot_be_on_both_sides() -> None:
    with pytest.raises(InputError, match="class 'yes' has 1 row, too few to keep 20% of every class back"):
        locked_part(rows_with([0] * 50 + [1]), Split(), seed=0)


def test_fewer_groups_than_folds_are_counted() -> None:
    rows = rows_with([0, 1] * 20, groups=[0, 1, 2, 3] * 10)
    with pytest.raises(InputError, match="group column 'who' has 4 groups, fewer than the 5 folds"):
        repeated_folds(rows, Split(group="who"), repeats=1, folds=5, seed=0)
    with pytest.raises(InputError, match="has 1 group, too few to keep any back"):
        locked_part(rows_with([0, 1] * 20, groups=[7] * 40), Split(group="who"), seed=0)


def test_rows_sorted_by_class_cannot_be_locked_without_shuffling() -> None:
    with pytest.raises(InputError, match=r"to train on hold no 'yes' .* set recipe\.split\.shuffle = true"):
        locked_part(rows_with([0] * 90 + [1] * 10), Split(shuffle=False), seed=0)


def test_time_folds_that_start_before_a_class_appears_are_refused() -> None:
    rows = rows_with([0] * 40 + [1] * 20, order=np.arange(60))
    with pytest.raises(InputError, match="left to train on hold no 'yes'"):
        repeated_folds(rows, Split(time="day"), repeats=1, folds=5, seed=0)


def test_group_and_time_at_once_are_refused() -> None:
    rows = rows_with([0, 1] * 20, groups=np.arange(40) // 2, order=np.arange(40))
    split = Split(group="who", time="day")
    for make in (locked_part, user_split, inner_validation):
        with pytest.raises(InputError, match="both group 'who' and time 'day'"):
            make(rows, split, seed=0)


def test_derived_seeds_differ_along_every_path() -> None:
    seeds = {derived_seed(seed, repeat, fold) for seed in range(3) for repeat in range(3) for fold in range(3)}
    assert len(seeds) == 27


def test_a_longer_path_has_another_seed() -> None:
    paths = [(), (0,), (1,), (0, 0), (1, 0), (1, 0, 0), (1, 0, 0, 0), (0, 1), (0, 1, 0, 0)]
    assert len({derived_seed(seed, *path) for seed in (0, 1, 2**40) for path in paths}) == 3 * len(paths)


def test_the_rows_that_a_column_keeps_back_are_held_out_whatever_else_the_split_says() -> None:
    parts = np.arange(20) % 4 == 3
    rows = replace(rows_with([0, 1] * 10), held_out=parts)
    for kind in ("holdout", "folds"):
        ((kept, held_out),) = user_split(rows, Split(kind=kind, repeats=3), seed=0)
        assert held_out.tolist() == np.flatnonzero(parts).tolist()
        assert sorted([*kept, *held_out]) == list(range(20))
    work, locked = locked_part(rows, Split(), seed=0)
    assert locked.tolist() == np.flatnonzero(parts).tolist()
    assert training_rows(rows).row_ids.tolist() == work.tolist()
    assert training_rows(training_rows(rows)).row_ids.tolist() == work.tolist()


def test_rows_that_a_column_leaves_for_training_must_hold_every_class() -> None:
    rows = replace(rows_with([0, 1] * 10), held_out=np.arange(20) % 2 == 1)
    for part in (user_split, locked_part):
        with pytest.raises(InputError, match="hold no 'yes'"):
            part(rows, Split(), seed=0)


def test_a_run_that_is_looked_at_answers_every_row_once() -> None:
    rows = rows_with([0, 1] * 30)
    folds = checked_split(rows, Split(), seed=0)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(60))
    assert all(not set(train.tolist()) & set(test.tolist()) for train, test in folds)


@pytest.mark.parametrize(
    ("rows", "split"),
    [
        (rows_with([0, 1] * 30), Split(shuffle=False)),
        (rows_with([0, 1] * 30, order=range(60)), Split(time="day")),
        (rows_with([0] * 50 + [1] * 4), Split(stratify=True)),
        (rows_with([0, 1] * 30, groups=[i % 3 for i in range(60)]), Split(group="g")),
        (rows_with([0, 1] * 30), Split(kind="folds", folds=3, repeats=2)),
    ],
)
def test_a_split_that_says_more_than_chance_is_looked_at_as_it_is(rows: Rows, split: Split) -> None:
    for (train, test), (same_train, same_test) in zip(
        checked_split(rows, split, seed=1), user_split(rows, split, seed=1), strict=True
    ):
        assert np.array_equal(train, same_train) and np.array_equal(test, same_test)
