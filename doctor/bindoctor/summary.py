"""Turns the finished states of a scan into a profile."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from bindoctor.bins import Counts
from bindoctor.classes import order_classes
from bindoctor.column_profile import NO_LEVELS, ColumnProfile, Distribution, Extremes, LevelList, Moments
from bindoctor.column_states import ColumnState
from bindoctor.dataset import Rows
from bindoctor.findings import RowList
from bindoctor.levels import Levels
from bindoctor.number_states import MAX_CORRELATED, Ends, NumberState
from bindoctor.profile import Blocks, Correlation, Profile
from bindoctor.row_states import Repeats
from bindoctor.sample_state import MAX_SAMPLED_ROWS
from bindoctor.series import numbers_in
from bindoctor.sketch import Sketch
from bindoctor.spread import auc_of, distribution_of, known_values, quantiles_of
from bindoctor.tokens import SENTINELS, missing_texts, sentinels

if TYPE_CHECKING:
    from bindoctor.scan_state import ScanState

MIN_LISTED_CORRELATION = 0.9
MIN_UNPARSED_NUMBER_SHARE = 0.5
MIN_BLOCK_ROWS = 64
NO_REPEATS = Repeats(RowList.of(()), RowList.of(()), 0.0)


def summarise(state: "ScanState") -> Profile:
    """Build the profile of what a state has seen."""
    labels, counts, states = state.labels, state.class_counts, state.plan.states
    classes = order_classes(
        {label: int(counts[code]) for code, label in enumerate(labels, start=1)}, state.plan.positive
    )
    codes = np.array([labels.index(label) + 1 for label in classes], dtype=np.int64)
    columns = state.columns if "cells" in states else []
    spreads = _spreads(columns, state.numbers, codes)
    moments = _moments(columns, state.numbers, spreads, codes)
    profiles = {
        one.plan.name: _column(one, moments.get(one.plan.name), spreads.get(one.plan.name), codes) for one in columns
    }
    repeats = state.repeats.repeats(len(labels)) if columns and "repeats" in states else NO_REPEATS
    ordered = "order" in states
    return Profile(
        rows=int(counts.sum()),
        classes=classes,
        class_counts=_ints(counts[codes]),
        missing_target=RowList.of(np.concatenate(state.unlabelled)),
        columns=profiles,
        duplicates=repeats.duplicates,
        conflicts=repeats.conflicts,
        conflict_floor=repeats.conflict_floor,
        correlations=tuple(_correlations(state.numbers, profiles)) if "correlations" in states else (),
        one_to_one=tuple(_one_to_one(columns, int(counts.sum()) - repeats.duplicates.count))
        if "pairs" in states
        else (),
        order_auc=auc_of(state.order.class_counts[codes]) if ordered else 0.5,
        blocks=_blocks(state, profiles, codes) if ordered else None,
        sample=_sample(state, profiles, classes, codes) if "sample" in states else None,
        remarks=tuple(_remarks(state)),
        states=states,
    )


def _column(state: ColumnState, moments: Moments | None, spread: Distribution | None, codes: Counts) -> ColumnProfile:
    values, texts = state.values, state.texts
    levels = _levels(values, codes) if isinstance(values, Levels) else NO_LEVELS
    distinct = min(values.distinct, state.count) if isinstance(values, Sketch) else len(levels)
    known = values.texts.to_list() if isinstance(values, Levels) and texts.lookalikes else ()
    tokens = missing_texts(texts.lookalikes, count=state.count, parsed=state.parsed, texts=known)
    mostly_numbers = moments is None and state.parsed >= MIN_UNPARSED_NUMBER_SHARE * state.count
    dated = spread is not None and moments is None
    return ColumnProfile(
        name=state.plan.name,
        kind="text" if moments is None else "number",
        count=state.count,
        missing=int(state.missing.sum()),
        missing_by_class=_ints(state.missing[codes]),
        distinct=distinct,
        parsed=state.parsed,
        levels=levels,
        levels_complete=not isinstance(values, Sketch),
        tokens=(*tokens, *_sentinels(state, moments, spread)),
        padded=state.padded,
        unparsed=tuple(texts.first) if mostly_numbers else (),
        moments=moments,
        max_length=texts.longest,
        shape=state.plan.shape,
        value_sample=_levels(values.sample, codes) if isinstance(values, Sketch) else NO_LEVELS,
        distribution=spread,
        date_format=state.plan.date_format if dated else "",
        dates=int(spread.totals.sum()) if dated and spread is not None else 0,
    )


def _levels(levels: Levels, codes: Counts) -> LevelList:
    return LevelList(levels.texts, levels.counts.sum(axis=0), levels.counts[codes])


def _spreads(columns: Sequence[ColumnState], numbers: NumberState, codes: Counts) -> dict[str, Distribution]:
    """Return how each column is spread whose non-missing cells are all numbers, and each date column."""
    found = {}
    numeric = [state.plan.name for state in columns if state.plan.numeric]
    ends = dict(zip(numeric, zip(numbers.minimum.tolist(), numbers.maximum.tolist(), strict=True), strict=True))
    for state in columns:
        if state.values is None or not state.plan.binned:
            continue
        if state.plan.date_format or state.parsed == state.count:
            spread = distribution_of(state, codes, *ends.get(state.plan.name, (-np.inf, np.inf)))
            if len(spread.lows):
                found[state.plan.name] = spread
    return found


def _moments(
    columns: Sequence[ColumnState], numbers: NumberState, spreads: Mapping[str, Distribution], codes: Counts
) -> dict[str, Moments]:
    """Return the statistics of each column whose non-missing cells are all numbers."""
    mean, std, skew = numbers.moments()
    class_mean, class_std = numbers.class_moments()
    increasing = numbers.increasing()
    found = {}
    numeric = [state for state in columns if state.plan.numeric]
    for position, state in enumerate(numeric):
        spread = spreads.get(state.plan.name)
        if spread is None:
            continue
        q01, q25, median, q75, q99 = quantiles_of(spread)
        found[state.plan.name] = Moments(
            minimum=float(numbers.minimum[position]),
            maximum=float(numbers.maximum[position]),
            mean=float(mean[position]),
            std=float(std[position]),
            skew=float(skew[position]),
            q01=q01,
            q25=q25,
            median=median,
            q75=q75,
            q99=q99,
            integer=bool(numbers.integer[position]),
            increasing=bool(increasing[position]) and state.count > 1,
            zeros_by_class=_ints(numbers.zeros[codes, position]),
            extremes=Extremes(_pairs(numbers.smallest[position]), _pairs(numbers.largest[position])),
            mean_by_class=tuple(class_mean[codes, position].tolist()),
            std_by_class=tuple(class_std[codes, position].tolist()),
            auc=auc_of(spread.counts),
        )
    return found


def _pairs(ends: Ends) -> tuple[tuple[float, int], ...]:
    return tuple(zip(ends.values.tolist(), ends.rows.tolist(), strict=True))


def _sentinels(state: ColumnState, moments: Moments | None, spread: Distribution | None) -> Iterator[tuple[str, int]]:
    if moments is None or spread is None:
        return
    values = known_values(spread, np.array(sorted(SENTINELS)), state)
    for value, count in sentinels(values.tolist(), spread.totals.tolist()):
        yield f"{value:.0f}", count


def _correlations(numbers: NumberState, profiles: Mapping[str, ColumnProfile]) -> list[Correlation]:
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
    same. That says something only when values repeat: where almost every row has a value of its own, and where there
    are too many values to count, only equal columns are found.
    """
    alike = defaultdict(list)
    for state in columns:
        if state.digest is None:
            continue
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


def _blocks(state: "ScanState", profiles: Mapping[str, ColumnProfile], codes: Counts) -> Blocks:
    order, plans = state.order.coarsened(MIN_BLOCK_ROWS), state.plan.numeric
    kept = [position for position, plan in enumerate(plans) if profiles[plan.name].kind == "number"]
    centre = np.array([plan.centre for plan in plans])[kept, None]
    scale = np.array([plan.scale for plan in plans])[kept, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        means = centre + scale * order.sums[kept] / order.counts[kept]
    names = tuple(plans[position].name for position in kept)
    return Blocks(order.size, order.class_counts[codes], names, order.counts[kept], means)


def _sample(state: "ScanState", profiles: Mapping[str, ColumnProfile], classes: tuple[str, ...], codes: Counts) -> Rows:
    sampled = state.sample.finish()
    class_of = np.zeros(len(state.labels) + 1, dtype=np.int64)
    class_of[codes] = np.arange(len(codes))
    features = {
        name: numbers_in(sampled.cells[name]) if column.kind == "number" else sampled.cells[name]
        for name, column in profiles.items()
    }
    return Rows(pl.DataFrame(features), class_of[sampled.codes], classes, sampled.rows)


def _remarks(state: "ScanState") -> Iterator[str]:
    numeric, columns = len(state.plan.numeric), len(state.plan.columns)
    if "correlations" in state.plan.states and numeric > MAX_CORRELATED:
        yield f"correlations are those among the first {MAX_CORRELATED} of {numeric} number columns"
    if "sample" in state.plan.states and state.sample.most < MAX_SAMPLED_ROWS and state.sample.full:
        yield f"{state.sample.most} rows stand for all where rows are compared: {columns} columns are many"
    if state.repeats.halvings:
        yield f"repeated rows were counted among one row in {1 << state.repeats.halvings}"


def _ints(counts: Counts) -> tuple[int, ...]:
    return tuple(counts.tolist())
