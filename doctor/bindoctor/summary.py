"""Turns the finished states of a scan into a profile."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from bindoctor.classes import order_classes
from bindoctor.column_states import ColumnState, Counts, Floats, Levels, Sketch, bin_edges, bin_of
from bindoctor.findings import RowList
from bindoctor.number_states import NumberState
from bindoctor.profile import ColumnProfile, Correlation, Level, Moments, Profile
from bindoctor.row_states import Repeats, RowState, digest_of, largest_auc, order_auc, repeats_of
from bindoctor.tokens import SENTINELS, missing_texts, sentinels

MIN_LISTED_CORRELATION = 0.9
MIN_UNPARSED_NUMBER_SHARE = 0.5
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
NO_REPEATS = Repeats(RowList.of(()), RowList.of(()), 0.0)


def summarise(
    columns: Sequence[ColumnState], numbers: NumberState, rows: RowState, labels: Sequence[str], positive: str
) -> Profile:
    """Build the profile; ``labels[c − 1]`` is the label of class code c."""
    part = rows.ordered()
    counts = np.bincount(part.codes, minlength=len(labels) + 1)
    classes = order_classes({label: int(counts[code]) for code, label in enumerate(labels, start=1)}, positive)
    codes = np.array([labels.index(label) + 1 for label in classes], dtype=np.int64)
    moments = _moments(columns, numbers, codes)
    profiles = {state.plan.name: _column(state, moments.get(state.plan.name), codes) for state in columns}
    repeats = repeats_of(part, len(labels)) if columns else NO_REPEATS
    return Profile(
        rows=len(part.rows),
        classes=classes,
        class_counts=_ints(counts[codes]),
        missing_target=RowList.of(part.rows[part.codes == 0]),
        columns=profiles,
        duplicates=repeats.duplicates,
        conflicts=repeats.conflicts,
        conflict_floor=repeats.conflict_floor,
        correlations=tuple(_correlations(numbers, profiles)),
        one_to_one=tuple(_one_to_one(columns, len(part.rows) - repeats.duplicates.count)),
        order_auc=order_auc(part, len(labels)),
        row_digest=digest_of(part, ["", *labels], [state.plan.name for state in columns]),
    )


def _column(state: ColumnState, moments: Moments | None, codes: Counts) -> ColumnProfile:
    values = state.values
    levels = _levels(values, codes) if isinstance(values, Levels) else ()
    complete = not isinstance(values, Sketch)
    number = moments is not None
    distinct = len(levels)
    if isinstance(values, Sketch):
        distinct = min(values.distinct, state.count)
    texts = [level.value for level in levels]
    tokens = missing_texts(state.lookalikes, count=state.count, parsed=state.parsed, texts=texts)
    mostly_numbers = not number and state.parsed >= MIN_UNPARSED_NUMBER_SHARE * state.count
    return ColumnProfile(
        name=state.plan.name,
        kind="number" if number else "text",
        count=state.count,
        missing=int(state.missing.sum()),
        missing_by_class=_ints(state.missing[codes]),
        distinct=distinct,
        parsed=state.parsed,
        levels=levels,
        levels_complete=complete,
        tokens=(*tokens, *_sentinels(state, moments)),
        padded=state.padded,
        unparsed=tuple(state.unparsed) if mostly_numbers else (),
        moments=moments,
        max_length=state.max_length,
        shape=state.plan.shape,
    )


def _levels(levels: Levels, codes: Counts) -> tuple[Level, ...]:
    totals = levels.counts.sum(axis=0)
    by_class = levels.counts[codes].T.tolist()
    found = [
        Level(text, total, tuple(counts))
        for text, total, counts in zip(levels.texts.to_list(), totals.tolist(), by_class, strict=True)
    ]
    return tuple(sorted(found, key=lambda level: (-level.count, level.value)))


def _moments(columns: Sequence[ColumnState], numbers: NumberState, codes: Counts) -> dict[str, Moments]:
    """Return the statistics of each column whose non-missing cells are all numbers."""
    mean, std, skew = numbers.moments()
    increasing = numbers.increasing()
    found = {}
    numeric = [state for state in columns if state.plan.numeric]
    for position, state in enumerate(numeric):
        if not state.count or state.parsed < state.count or state.values is None:
            continue
        low, high = float(numbers.minimum[position]), float(numbers.maximum[position])
        exact = isinstance(state.values, Levels)
        values, counts = _ascending(state.values)
        quantiles = (
            _exact_quantiles(values, counts.sum(axis=0))
            if exact
            else _binned_quantiles(state, counts.sum(axis=0), low, high)
        )
        found[state.plan.name] = Moments(
            minimum=low,
            maximum=high,
            mean=float(mean[position]),
            std=float(std[position]),
            skew=float(skew[position]),
            q01=quantiles[0],
            q25=quantiles[1],
            median=quantiles[2],
            q75=quantiles[3],
            q99=quantiles[4],
            integer=bool(numbers.integer[position]),
            increasing=bool(increasing[position]) and state.count > 1,
            zeros_by_class=_ints(numbers.zeros[codes, position]),
            auc=_auc(counts[codes]),
        )
    return found


def _ascending(values: Levels | Sketch) -> tuple[Floats, Counts]:
    """Return the distinct numbers of a number column, ascending, and their counts by class code.

    A sketch has bins in place of numbers; the first array is then empty.
    """
    if isinstance(values, Sketch):
        return np.empty(0), values.bins
    numbers = values.numbers
    order = np.argsort(numbers)
    return numbers[order], values.counts[:, order]


def _exact_quantiles(values: Floats, counts: Counts) -> list[float]:
    """Return quantiles as ``numpy.quantile`` defines them."""
    ends = np.cumsum(counts)
    position = np.array(QUANTILES) * (ends[-1] - 1)
    below, above = (values[np.searchsorted(ends, at, side="right")] for at in (np.floor(position), np.ceil(position)))
    return [float(q) for q in below + (above - below) * (position - np.floor(position))]


def _binned_quantiles(state: ColumnState, counts: Counts, low: float, high: float) -> list[float]:
    """Return quantiles, each cell spread evenly over its bin."""
    edges = np.clip(bin_edges(state.plan.centre, state.plan.scale), low, high)
    used = np.flatnonzero(counts)
    ends = np.cumsum(counts[used])
    position = np.array(QUANTILES) * ends[-1]
    at = np.minimum(np.searchsorted(ends, position), len(used) - 1)
    inside = 1.0 - (ends[at] - position) / counts[used][at]
    left, right = edges[used[at]], edges[used[at] + 1]
    return [float(q) for q in left + (right - left) * inside]


def _auc(counts: Counts) -> float:
    """Return AUC₁ from counts by class of ascending values or bins, shape (classes, m); equals share their rank."""
    totals = counts.sum(axis=0)
    ranks = np.cumsum(totals) - (totals - 1) / 2
    return largest_auc(counts @ ranks, counts.sum(axis=1))


def _sentinels(state: ColumnState, moments: Moments | None) -> Iterator[tuple[str, int]]:
    if moments is None or state.values is None:
        return
    values, counts = _ascending(state.values)
    totals = counts.sum(axis=0)
    if isinstance(state.values, Sketch):
        used = np.flatnonzero(totals)
        edges = bin_edges(state.plan.centre, state.plan.scale)
        values, totals = (edges[used] + edges[used + 1]) / 2, totals[used]
        # A sentinel that is not the column's end only shows as its bin; the ends are known exactly.
        known = np.array(sorted(SENTINELS))
        at = np.searchsorted(used, bin_of(known, state.plan.centre, state.plan.scale))
        inside = (at < len(used)) & (
            used[np.minimum(at, len(used) - 1)] == bin_of(known, state.plan.centre, state.plan.scale)
        )
        values[at[inside]] = known[inside]
        values[0], values[-1] = moments.minimum, moments.maximum
    for value, count in sentinels(values.tolist(), totals.tolist()):
        yield f"{value:.0f}", count


def _correlations(numbers: NumberState, profiles: dict[str, ColumnProfile]) -> list[Correlation]:
    names = [plan.name for plan in numbers.plans]
    r = np.triu(np.nan_to_num(numbers.correlation()), k=1)
    pairs = np.argwhere(np.abs(r) >= MIN_LISTED_CORRELATION)
    found = [
        Correlation(names[i], names[j], float(r[i, j]))
        for i, j in pairs.tolist()
        if all(profiles[names[k]].kind == "number" and not profiles[names[k]].constant for k in (i, j))
    ]
    # Rounded, so that pairs as good as equal keep the columns' order however the sums were added up.
    return sorted(found, key=lambda pair: -round(abs(pair.r), 9))


def _one_to_one(columns: Sequence[ColumnState], distinct_rows: int) -> Iterator[tuple[str, str]]:
    """Find columns whose values determine each other, missing counting as a value.

    Two columns cut the rows into the same groups exactly when the sums of row-number hashes over their groups are the
    same.
    That says something only when values repeat: where almost every row has a value of its own, and where there are
    too many values to count, only equal columns are found.
    """
    alike = defaultdict(list)
    for state in columns:
        key: tuple[str, object] = ("cells", state.digest)
        groups = 0
        if isinstance(state.values, Levels):
            sums = state.values.row_sums.tolist() + ([state.missing_rows] if state.missing.any() else [])
            groups = len(sums)
            if groups <= distinct_rows / 2:
                key = ("groups", tuple(sorted(sums)))
        if groups != 1 and state.count:
            alike[key].append(state.plan.name)
    for names in alike.values():
        yield from combinations(names, 2)


def _ints(counts: Counts) -> tuple[int, ...]:
    return tuple(counts.tolist())
