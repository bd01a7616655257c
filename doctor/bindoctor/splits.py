"""Which rows are trained on and which are held out, always by position among the given rows."""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, train_test_split

from bindoctor.dataset import Rows
from bindoctor.errors import InputError, TooFewRows
from bindoctor.recipe_sections import Split

Index = npt.NDArray[np.int64]
Fold = tuple[Index, Index]
"""Positions of the training rows and of the held-out rows, each ascending."""

MAX_GROUP_PARTS = 20
FEWER_FOLDS = "or set recipe.split.folds lower where that asks for so many"
"""Trials have a number of folds of their own, which nobody sets."""
SHIFT = (math.sqrt(5) - 1) / 2
"""How far, in windows, each further repeat in time starts before the last: multiples of the golden ratio's fraction
spread evenly, however many there are."""


def derived_seed(seed: int, *path: int) -> int:
    """Return a seed for one part of a job (a repeat, a fold), independent of the other parts' seeds."""
    return int(np.random.SeedSequence(seed, spawn_key=path).generate_state(1)[0])


def locked_part(rows: Rows, split: Split, *, share: float = 0.2, seed: int) -> Fold:
    """Lock a share of the rows away, for one confirmation at the end.

    The rows that the split's column keeps back where there is one; whole groups when the split has groups, the latest
    rows when it has a time (all rows of one time on one side), the last rows when it does not shuffle; otherwise at
    random with every class's share kept.

    Returns:
        The positions of the work rows and of the locked rows.

    Raises:
        InputError: both a group and a time are set.
        TooFewRows: the rows cannot be parted so, or the work rows would lack a class.
    """
    if rows.held_out is not None:
        fold = _fold(rows, np.flatnonzero(rows.held_out))
    else:
        fold = _cut(rows, split, share, stratified=split.shuffle, shuffled=split.shuffle, seed=seed)
    _require_every_class(rows, [fold], "set recipe.split.shuffle = true or collect rows")
    return fold


def repeated_folds(rows: Rows, split: Split, *, repeats: int, folds: int, seed: int) -> tuple[tuple[Fold, ...], ...]:
    """Part the rows into folds, several times over with a new shuffle each time.

    Every class's share is kept and groups stay whole. With a time there is nothing to shuffle, and each repeat starts
    from another origin (rolling-origin evaluation, Tashman 2000): see ``time_folds``.

    Returns:
        One tuple of folds a repeat; in time the earliest fold first.

    Raises:
        InputError: both a group and a time are set.
        TooFewRows: a class has fewer rows than folds, there are fewer groups or times than folds need, or training rows
            would lack a class.
    """
    _require_folds(rows, split, folds, stratified=True)
    repeated = tuple(
        _folds(rows, folds, stratified=True, shuffled=True, seed=derived_seed(seed, repeat), repeat=repeat)
        for repeat in range(repeats)
    )
    _require_every_class(rows, (fold for one in repeated for fold in one), f"collect rows, {FEWER_FOLDS}")
    return repeated


def overlap(repeated: Iterable[Sequence[Fold]]) -> float:
    """Return ρ/(1 − ρ) for the corrected resampled t, where ρ is how strongly the gains of two folds correlate.

    Nadeau & Bengio (2003) take the held-out rows over the training rows, which is 1/(folds − 1) for equal folds. Where
    folds differ, the largest of a repeat's ratios counts, averaged over the repeats: the fold with the fewest training
    rows for its held-out ones varies most. It is 0.4 for five windows in time, and grows with a large group.
    ``benchmarks/correlated_folds.py`` measures what it comes to.
    """
    return float(np.mean([max(len(test) / len(train) for train, test in folds) for folds in repeated]))


def time_folds(order: npt.NDArray[np.float64], folds: int, *, repeat: int = 0) -> tuple[Fold, ...]:
    """Hold out one window of time after the other, each trained on all that comes before it.

    The rows are cut into folds + folds // 2 + 1 parts of equal size. The first repeat holds out the latest of them,
    one by one; each further repeat starts up to one part earlier, so that its windows lie elsewhere and the very latest
    rows are not in them. Rows of one time are never on both sides of a cut.

    Args:
        order: the time of each row, shape (n,).
        folds: how many windows.
        repeat: which of the repeats.

    Returns:
        The folds, the earliest window first.

    Raises:
        TooFewRows: there are not enough different times.
    """
    by_time = np.argsort(order, kind="stable").astype(np.int64)
    part = len(order) / (folds + folds // 2 + 1)
    last = len(order) - part * (repeat * SHIFT % 1)
    cuts = [_between_times(order[by_time], round(last - part * window)) for window in range(folds, -1, -1)]
    if cuts[0] == 0 or min(np.diff(cuts)) == 0:
        times = len(np.unique(order))
        raise TooFewRows(
            f"the split's time column holds {times} different time{'s' if times != 1 else ''} in {len(order)} rows, "
            f"too few or too uneven to cut {folds} windows between them; collect rows, {FEWER_FOLDS}."
        )
    return tuple((np.sort(by_time[:start]), np.sort(by_time[start:end])) for start, end in pairwise(cuts))


def user_split(rows: Rows, split: Split, *, seed: int) -> tuple[Fold, ...]:
    """Part the rows as the recipe itself says: one holdout, or folds, stratified and shuffled only when it asks for it.

    Where the split names a column of parts, that decides, and nothing else.

    Returns:
        One fold for a holdout or a column, otherwise ``folds`` × ``repeats`` of them.

    Raises:
        InputError: both a group and a time are set.
        TooFewRows: there are too few rows of a class, too few groups or too few times for it.
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
            repeat=repeat,
        )
    )


def training_rows(rows: Rows) -> Rows:
    """Return the rows without those that the split's column keeps back."""
    return rows if rows.held_out is None else _apart(rows, ~rows.held_out)


def validation_rows(rows: Rows) -> Rows | None:
    """Return the rows that the split's column keeps back to validate on, or None where there are none."""
    return None if rows.validation is None or not rows.validation.any() else _apart(rows, rows.validation)


def inner_validation(rows: Rows, split: Split, *, seed: int) -> Fold:
    """Cut the part that early stopping watches out of training rows: ``split.valid`` of them.

    Groups stay whole, and with a time it is the latest rows; otherwise the cut is random, and stratified wherever the
    classes have enough rows for it.

    Raises:
        InputError: both a group and a time are set.
        TooFewRows: there are too few rows, groups or times to cut a part off.
    """
    possible = stratifiable(rows, split.valid)
    return _cut(rows, split, split.valid, stratified=possible, shuffled=True, seed=seed)


def stratifiable(rows: Rows, share: float) -> bool:
    """Tell whether a share of the rows can be kept back in proportion to the classes.

    A class so rare that its share is less than a row may still have none there.
    """
    present = _counts(rows)
    present = present[present > 0]
    held_out = math.ceil(share * len(rows))
    return bool(present.min() >= 2 and min(held_out, len(rows) - held_out) >= len(present))


def _apart(rows: Rows, chosen: npt.NDArray[np.bool_]) -> Rows:
    return replace(rows.take(np.flatnonzero(chosen)), held_out=None, validation=None)


def _group_parts(rows: Rows, groups: Index, share: float) -> Fraction:
    """Return a share as so many of so many parts that whole groups fall into, of about equal size each.

    A share of 0.15 is 3 parts of 20.

    Raises:
        TooFewRows: there are too few groups.
    """
    count = len(np.unique(groups))
    finest = min(MAX_GROUP_PARTS, count, int(_counts(rows).max()))
    if finest < 2:
        raise TooFewRows(
            f"the split's group column has {count} group{'s' if count != 1 else ''}, too few to keep any back."
        )
    nearest = Fraction(share).limit_denominator(finest)
    return min(max(nearest, Fraction(1, finest)), Fraction(finest - 1, finest))


def _cut(rows: Rows, split: Split, share: float, *, stratified: bool, shuffled: bool, seed: int) -> Fold:
    _require_one_order(rows, split)
    held_out = math.ceil(share * len(rows))
    if not 0 < held_out < len(rows):
        raise TooFewRows(f"{len(rows)} rows are too few to keep {share:.0%} of them back; collect rows.")
    if rows.groups is not None:
        return _cut_groups(rows, rows.groups, share, stratified=stratified, seed=seed)
    if rows.order is not None:
        return _fold(rows, _latest(rows.order, held_out))
    if not shuffled:
        return _fold(rows, _last_rows(rows, share, of_each_class=stratified))
    if stratified and not stratifiable(rows, share):
        raise TooFewRows(f"{_rarest(rows)}, too few to keep {share:.0%} of every class back; collect rows of it.")
    _, test = train_test_split(
        np.arange(len(rows)), test_size=held_out, random_state=seed, stratify=rows.labels if stratified else None
    )
    return _fold(rows, test)


def _cut_groups(rows: Rows, names: Index, share: float, *, stratified: bool, seed: int) -> Fold:
    parts = _group_parts(rows, names, share)
    splits = _folds(rows, parts.denominator, stratified=stratified, shuffled=True, seed=seed)
    return _fold(rows, np.concatenate([test for _, test in splits[: parts.numerator]]))


def _latest(order: npt.NDArray[np.float64], count: int) -> Index:
    """Return the latest rows, about so many: a time is taken whole or not at all."""
    by_time = np.argsort(order, kind="stable").astype(np.int64)
    first = _between_times(order[by_time], len(order) - count)
    if first == 0:
        raise TooFewRows(f"all {len(order)} rows have one time, so that none are later than others; unset split.time.")
    return by_time[first:]


def _between_times(ascending: npt.NDArray[np.float64], position: int) -> int:
    """Return the position nearest to a given one at which one time ends and the next begins; 0 if there is one time."""
    if position == len(ascending):
        return position
    changes = np.flatnonzero(np.diff(ascending)) + 1
    return int(changes[np.abs(changes - position).argmin()]) if len(changes) else 0


def _folds(rows: Rows, folds: int, *, stratified: bool, shuffled: bool, seed: int, repeat: int = 0) -> tuple[Fold, ...]:
    random_state = seed if shuffled else None
    if rows.groups is not None:
        kind = StratifiedGroupKFold if stratified else GroupKFold
        splitter = kind(folds, shuffle=shuffled, random_state=random_state)
    elif rows.order is not None:
        return time_folds(rows.order, folds, repeat=repeat)
    else:
        kind = StratifiedKFold if stratified else KFold
        splitter = kind(folds, shuffle=shuffled, random_state=random_state)
    with warnings.catch_warnings():
        # Classes are spread over groups as well as they can be; one with fewer rows than parts is not worth a warning.
        warnings.simplefilter("ignore", UserWarning)
        found = tuple(splitter.split(np.zeros(len(rows)), rows.labels, rows.groups))
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
        raise TooFewRows(
            f"group column {split.group!r} has {len(np.unique(rows.groups))} groups, fewer than the {folds} folds; "
            f"collect rows of more of them, {FEWER_FOLDS}."
        )
    if len(rows) <= folds:
        raise TooFewRows(f"{len(rows)} rows are too few for {folds} folds; collect rows.")
    if stratified and rows.order is None and _counts(rows).min() < folds:
        raise TooFewRows(f"{_rarest(rows)}, fewer than the {folds} folds; collect rows of it, {FEWER_FOLDS}.")


def _require_every_class(rows: Rows, folds: Iterable[Fold], remedy: str) -> None:
    for train, _ in folds:
        present = np.bincount(rows.labels[train], minlength=len(rows.classes))
        if present.min() == 0:
            lacking = rows.classes[int(present.argmin())]
            raise TooFewRows(
                f"the rows left to train on hold no {lacking!r} once the split has kept rows back; {remedy}."
            )
