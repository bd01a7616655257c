"""Which rows are trained on and which are held out, always by position among the given rows."""

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from bindoctor.dataset import Rows
from bindoctor.errors import InputError
from bindoctor.recipe import Split

Index = npt.NDArray[np.int64]
Fold = tuple[Index, Index]
"""Positions of the training rows and of the held-out rows, each ascending."""

MAX_GROUP_PARTS = 20


def derived_seed(seed: int, *path: int) -> int:
    """Return a seed for one part of a job (a repeat, a fold), independent of the other parts' seeds."""
    return int(np.random.SeedSequence(seed, spawn_key=path).generate_state(1)[0])


def locked_part(rows: Rows, split: Split, *, share: float = 0.2, seed: int) -> Fold:
    """Lock a share of the rows away, for one confirmation at the end.

    The rows that the split's column keeps back where there is one; whole groups when the split has groups, the latest
    rows when it has a time, the last rows when it does not shuffle; otherwise at random with every class's share kept.

    Returns:
        The positions of the work rows and of the locked rows.

    Raises:
        InputError: the rows cannot be parted so, or the work rows would lack a class.
    """
    if rows.held_out is not None:
        fold = _fold(rows, np.flatnonzero(rows.held_out))
    else:
        fold = _cut(rows, split, share, stratified=split.shuffle, shuffled=split.shuffle, seed=seed)
    _require_every_class(rows, [fold], "set recipe.split.shuffle = true or collect rows")
    return fold


def repeated_folds(rows: Rows, split: Split, *, repeats: int, folds: int, seed: int) -> tuple[tuple[Fold, ...], ...]:
    """Part the rows into folds, several times over with a new shuffle each time.

    Every class's share is kept and groups stay whole. With a time, each fold is trained on what comes before it: the
    earliest rows are never held out, and the repeats are equal.

    Returns:
        One tuple of folds a repeat.

    Raises:
        InputError: a class has fewer rows than folds, there are fewer groups than folds, or training rows would lack a
            class.
    """
    _require_folds(rows, split, folds, stratified=True)
    repeated = tuple(
        _folds(rows, folds, stratified=True, shuffled=True, seed=derived_seed(seed, repeat))
        for repeat in range(repeats)
    )
    _require_every_class(rows, (fold for one in repeated for fold in one), "use fewer folds or collect rows")
    return repeated


def user_split(rows: Rows, split: Split, *, seed: int) -> tuple[Fold, ...]:
    """Part the rows as the recipe itself says: one holdout, or folds, stratified and shuffled only when it asks for it.

    Where the split names a column of parts, that decides, and nothing else.

    Returns:
        One fold for a holdout or a column, otherwise ``folds`` × ``repeats`` of them.

    Raises:
        InputError: there are too few rows of a class or too few groups for it.
    """
    if rows.held_out is not None:
        fold = _fold(rows, np.flatnonzero(rows.held_out))
        _require_every_class(rows, [fold], "unset recipe.split.column or collect rows")
        return (fold,)
    if split.kind == "holdout":
        return (_cut(rows, split, split.valid, stratified=split.stratify, shuffled=split.shuffle, seed=seed),)
    _require_folds(rows, split, split.folds, stratified=split.stratify)
    return tuple(
        fold
        for repeat in range(split.repeats)
        for fold in _folds(
            rows,
            split.folds,
            stratified=split.stratify,
            shuffled=split.shuffle,
            seed=derived_seed(seed, repeat),
        )
    )


def training_rows(rows: Rows) -> Rows:
    """Return the rows without those that the split's column keeps back."""
    return rows if rows.held_out is None else replace(rows.take(np.flatnonzero(~rows.held_out)), held_out=None)


def inner_validation(rows: Rows, split: Split, *, seed: int) -> Fold:
    """Cut the part that early stopping watches out of training rows: ``split.valid`` of them.

    Groups stay whole and time is respected; otherwise the cut is random, and stratified wherever the classes have
    enough rows for it.

    Raises:
        InputError: there are too few rows or groups to cut a part off.
    """
    possible = stratifiable(rows, split.valid)
    return _cut(rows, split, split.valid, stratified=possible, shuffled=True, seed=seed)


def stratifiable(rows: Rows, share: float) -> bool:
    """Tell whether a share of the rows can be kept back with rows of every class on both sides."""
    present = _counts(rows)
    present = present[present > 0]
    held_out = math.ceil(share * len(rows))
    return bool(present.min() >= 2 and min(held_out, len(rows) - held_out) >= len(present))


def _group_parts(rows: Rows, groups: Index, share: float) -> Fraction:
    """Return a share as so many of so many parts that whole groups fall into, of about equal size each.

    A share of 0.15 is 3 parts of 20.

    Raises:
        InputError: there are too few groups.
    """
    count = len(np.unique(groups))
    finest = min(MAX_GROUP_PARTS, count, int(_counts(rows).max()))
    if finest < 2:
        raise InputError(
            f"the split's group column has {count} group{'s' if count != 1 else ''}, too few to keep any back."
        )
    nearest = Fraction(share).limit_denominator(finest)
    return min(max(nearest, Fraction(1, finest)), Fraction(finest - 1, finest))


def _cut(rows: Rows, split: Split, share: float, *, stratified: bool, shuffled: bool, seed: int) -> Fold:
    _require_one_order(rows, split)
    held_out = math.ceil(share * len(rows))
    if not 0 < held_out < len(rows):
        raise InputError(f"{len(rows)} rows are too few to keep {share:.0%} of them back; collect rows.")
    if rows.groups is not None:
        return _cut_groups(rows, rows.groups, share, stratified=stratified, seed=seed)
    if rows.order is not None:
        return _fold(rows, np.argsort(rows.order, kind="stable")[len(rows) - held_out :])
    if not shuffled:
        return _fold(rows, _last_rows(rows, share, of_each_class=stratified))
    if stratified and not stratifiable(rows, share):
        raise InputError(f"{_rarest(rows)}, too few to keep {share:.0%} of every class back; collect rows of it.")
    _, test = train_test_split(
        np.arange(len(rows)), test_size=held_out, random_state=seed, stratify=rows.labels if stratified else None
    )
    return _fold(rows, test)


def _cut_groups(rows: Rows, names: Index, share: float, *, stratified: bool, seed: int) -> Fold:
    parts = _group_parts(rows, names, share)
    splits = _folds(rows, parts.denominator, stratified=stratified, shuffled=True, seed=seed)
    return _fold(rows, np.concatenate([test for _, test in splits[: parts.numerator]]))


def _folds(rows: Rows, folds: int, *, stratified: bool, shuffled: bool, seed: int) -> tuple[Fold, ...]:
    random_state = seed if shuffled else None
    if rows.groups is not None:
        kind = StratifiedGroupKFold if stratified else GroupKFold
        splitter = kind(folds, shuffle=shuffled, random_state=random_state)
    elif rows.order is not None:
        by_time = np.argsort(rows.order, kind="stable")
        return tuple(
            (np.sort(by_time[train]), np.sort(by_time[test])) for train, test in TimeSeriesSplit(folds).split(by_time)
        )
    else:
        kind = StratifiedKFold if stratified else KFold
        splitter = kind(folds, shuffle=shuffled, random_state=random_state)
    found = splitter.split(np.zeros(len(rows)), rows.labels, rows.groups)
    return tuple((train.astype(np.int64), test.astype(np.int64)) for train, test in found)


def _last_rows(rows: Rows, share: float, *, of_each_class: bool) -> Index:
    kinds = (
        [np.flatnonzero(rows.labels == k) for k in np.unique(rows.labels)] if of_each_class else [np.arange(len(rows))]
    )
    return np.concatenate([positions[len(positions) - math.ceil(share * len(positions)) :] for positions in kinds])


def _fold(rows: Rows, test: npt.ArrayLike) -> Fold:
    held_out = np.zeros(len(rows), dtype=np.bool_)
    held_out[np.asarray(test)] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _counts(rows: Rows) -> Index:
    return np.bincount(rows.labels, minlength=len(rows.classes)).astype(np.int64)


def _rarest(rows: Rows) -> str:
    counts = _counts(rows)
    return f"class {rows.classes[counts.argmin()]!r} has {counts.min()} row{'s' if counts.min() != 1 else ''}"


def _require_one_order(rows: Rows, split: Split) -> None:
    if rows.groups is not None and rows.order is not None:
        raise InputError(
            f"recipe.split sets both group {split.group!r} and time {split.time!r}, but rows cannot be kept apart by "
            "both at once; unset one of them."
        )


def _require_folds(rows: Rows, split: Split, folds: int, *, stratified: bool) -> None:
    _require_one_order(rows, split)
    if rows.groups is not None and len(np.unique(rows.groups)) < folds:
        raise InputError(
            f"group column {split.group!r} has {len(np.unique(rows.groups))} groups, fewer than the {folds} folds; "
            "set recipe.split.folds lower."
        )
    if len(rows) <= folds:
        raise InputError(f"{len(rows)} rows are too few for {folds} folds; collect rows.")
    if stratified and rows.order is None and _counts(rows).min() < folds:
        raise InputError(f"{_rarest(rows)}, fewer than the {folds} folds; use fewer folds or collect rows of it.")


def _require_every_class(rows: Rows, folds: Iterable[Fold], remedy: str) -> None:
    for train, _ in folds:
        present = np.bincount(rows.labels[train], minlength=len(rows.classes))
        if present.min() == 0:
            lacking = rows.classes[int(present.argmin())]
            raise InputError(
                f"the rows left to train on hold no {lacking!r} once the split has kept rows back; {remedy}."
            )
