"""Number columns made of two others, judged by how well they rank the classes on rows that did not choose them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Profile

MAX_NUMBERS = 40
MAX_GROUPED_NUMBERS = 20
MAX_GROUPINGS = 6
MAX_ROWS = 4000
MAX_SCREENED_ROWS = 1000
MAX_CONFIRMED = 12
MAX_OF_A_COLUMN = 3
MIN_PROMISE = 0.01
MIN_VALUES = 5
BINS = 10
PAIRED = (("product", False), ("difference", False), ("ratio", False), ("ratio", True))
"""What is made of two columns, and whether the second of them comes first."""
GROUPED = ("group-mean-ratio", "group-mean-difference")

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class Derivation(NamedTuple):
    """An operation of ``features.derive`` on two columns: ``other`` is ``b``, or ``by`` of a group's mean."""

    op: str
    a: str
    other: str

    @property
    def setting(self) -> Mapping[str, str]:
        """Return the value of its entry in ``features.derive``."""
        return {"op": self.op, "a": self.a, "by" if self.op.startswith("group-") else "b": self.other}

    @property
    def words(self) -> str:
        """Say what it is: 'debt' / 'income'."""
        if self.op.startswith("group-"):
            sign = "/" if self.op.endswith("ratio") else "-"
            return f"'{self.a}' {sign} its mean by '{self.other}'"
        return f"'{self.a}' {({'ratio': '/', 'product': '*', 'difference': '-'})[self.op]} '{self.other}'"


class Gain(NamedTuple):
    """How much more area under the ROC curve one column has than another, and the standard error of that."""

    value: float
    error: float


class Interaction(NamedTuple):
    """A derivation beside what a model already has of its two columns, on the confirming rows.

    Attributes:
        derivation: what it is.
        auc: its area under the ROC curve.
        alone: the largest area of either column, as it is or in ten ranges (with a group's mean: of the column and the
            groups in an additive model).
        over_alone: the gain over that.
        over_linear: the gain over the best linear combination of both columns; ``None`` with a group's mean.
        undefined: whether it divides by zero somewhere.
    """

    derivation: Derivation
    auc: float
    alone: float
    over_alone: Gain
    over_linear: Gain | None
    undefined: bool


class _Halves(NamedTuple):
    """The rows looked at: the columns, values by column and by ``_mean_key``, each (rows,), and which half screens."""

    names: Sequence[str]
    numbers: Mapping[str, Floats]
    groups: Mapping[str, Labels]
    labels: Labels
    screening: npt.NDArray[np.bool_]


def tried_interactions(
    numbers: Sequence[ColumnProfile], groupings: Sequence[ColumnProfile], profile: Profile
) -> list[Interaction]:
    """Return the most promising derivations, measured on rows that did not choose them; at most 12.

    Ratios, products and differences of the numbers, and numbers over or minus their group's mean, are screened by AUC
    (one class against the others) and by the mutual information of ten ranges, on half of up to 4 000 rows. Those that
    gain most over their columns are measured on the other half.

    Args:
        numbers: columns to combine, at least one.
        groupings: columns whose values repeat, to take means by.
        profile: with a sample.
    """
    halves = _halves(numbers, groupings, profile)
    measured = [_measured(halves, derivation, label) for derivation, label in _screened(halves, len(profile.classes))]
    return [one for one in measured if one is not None]


def _halves(numbers: Sequence[ColumnProfile], groupings: Sequence[ColumnProfile], profile: Profile) -> _Halves:
    """Draw the rows, half of each class to screen with, and fill missing numbers with the median."""
    assert profile.sample is not None
    sample = profile.sample
    grouped = {column.name: _codes(sample.features[column.name].to_list()) for column in groupings}
    drawn = np.random.default_rng(0).permutation(len(sample))[:MAX_ROWS]
    labels = sample.labels[drawn]
    screening = np.zeros(len(drawn), dtype=np.bool_)
    screening[np.argsort(labels, kind="stable")[::2]] = True
    values = {column.name: sample.features[column.name].to_numpy().astype(np.float64) for column in numbers}
    for by, codes in grouped.items():
        for column in numbers[:MAX_GROUPED_NUMBERS]:
            values[_mean_key(column.name, by)] = _group_means(values[column.name], codes)
    return _Halves(
        [column.name for column in numbers],
        {name: _filled(column[drawn]) for name, column in values.items()},
        {name: codes[drawn] for name, codes in grouped.items()},
        labels,
        screening,
    )


def _mean_key(name: str, by: str) -> str:
    """Name the means of a column by groups, as no column is named."""
    return f"{name}\n{by}"


def _codes(values: Sequence[object]) -> Labels:
    place = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.array([place[value] for value in values], dtype=np.int64)


def _group_means(values: Floats, codes: Labels) -> Floats:
    present = np.isfinite(values)
    rows = np.bincount(codes[present], minlength=codes.max() + 1)
    total = np.bincount(codes[present], values[present], minlength=codes.max() + 1)
    return np.asarray(np.where(rows > 0, total / np.maximum(rows, 1), np.nan)[codes])


def _filled(values: Floats) -> Floats:
    present = np.isfinite(values)
    if present.all():
        return values
    return np.where(present, values, np.median(values[present]) if present.any() else 0.0)


def _applied(op: str, first: Floats, second: Floats) -> Floats:
    with np.errstate(all="ignore"):
        if op.endswith("ratio"):
            return first / second
        return first * second if op == "product" else first - second


def _columns_of(halves: _Halves, derivation: Derivation) -> tuple[Floats, Floats]:
    if derivation.op.startswith("group-"):
        return halves.numbers[derivation.a], halves.numbers[_mean_key(derivation.a, derivation.other)]
    return halves.numbers[derivation.a], halves.numbers[derivation.other]


def _screened(halves: _Halves, classes: int) -> list[tuple[Derivation, int]]:
    """Return the derivations that gain most over their columns, in AUC or in mutual information, with their class."""
    rows = np.flatnonzero(halves.screening)[:MAX_SCREENED_ROWS]
    names = halves.names
    values = np.array([halves.numbers[name][rows] for name in names])
    labels = halves.labels[rows]
    alone, told, _ = _ranked(values, labels, classes)
    found: list[tuple[float, Derivation, int]] = []
    for index, name in enumerate(names):
        others, later = values[index + 1 :], names[index + 1 :]
        grouped = [(op, by) for by in halves.groups if _mean_key(name, by) in halves.numbers for op in GROUPED]
        made = np.empty((len(PAIRED) * len(later) + len(grouped), len(rows)), dtype=np.float32)
        with np.errstate(over="ignore"):
            for place, (op, swapped) in enumerate(PAIRED):
                pair = (others, values[index]) if swapped else (values[index], others)
                made[place * len(later) : (place + 1) * len(later)] = _applied(op, *pair)
            for place, (op, by) in enumerate(grouped, len(PAIRED) * len(later)):
                made[place] = _applied(op, values[index], halves.numbers[_mean_key(name, by)][rows])
        if not len(made):
            continue
        rivals = [*range(index + 1, len(names))] * len(PAIRED) + [index] * len(grouped)
        auc, information, label = _ranked(made, labels, classes)
        better = auc - np.maximum(alone[index], alone[rivals])
        more = information - np.maximum(told[index], told[rivals])
        # For two normal classes of equal size, AUC - 1/2 is near the root of the information over two.
        gain = np.maximum(better, np.sqrt(np.maximum(more, 0.0)) / 2)
        found += [
            (float(gain[at]), _named(name, later, grouped, at), int(label[at]))
            for at in np.flatnonzero(gain > MIN_PROMISE).tolist()
        ]
    return _diverse(found)


def _named(name: str, later: Sequence[str], grouped: Sequence[tuple[str, str]], at: int) -> Derivation:
    """Return what stands at a place among those made of one column: each pair of ``PAIRED``, then the grouped ones."""
    if at >= len(PAIRED) * len(later):
        op, by = grouped[at - len(PAIRED) * len(later)]
        return Derivation(op, name, by)
    (op, swapped), other = PAIRED[at // len(later)], later[at % len(later)]
    return Derivation(op, other, name) if swapped else Derivation(op, name, other)


def _diverse(found: list[tuple[float, Derivation, int]]) -> list[tuple[Derivation, int]]:
    used: dict[str, int] = {}
    kept: list[tuple[Derivation, int]] = []
    for _, derivation, label in sorted(found, key=lambda one: (-one[0], one[1].words)):
        columns = (derivation.a, derivation.other)
        if all(used.get(column, 0) < MAX_OF_A_COLUMN for column in columns):
            kept.append((derivation, label))
            used.update({column: used.get(column, 0) + 1 for column in columns})
        if len(kept) == MAX_CONFIRMED:
            break
    return kept


def _ranked(values: Floats | npt.NDArray[np.float32], labels: Labels, classes: int) -> tuple[Floats, Floats, Labels]:
    """Return each row of values' largest one-vs-rest AUC, its mutual information with the classes, and that class.

    Rows are in random order, so that ties, which are broken by place, favour no class.
    """
    with np.errstate(over="ignore"):
        order = np.argsort(values.astype(np.float32, copy=False), axis=1)
    rows = len(labels)
    count = np.bincount(labels, minlength=classes)
    asked = [1] if classes == 2 else [label for label in range(classes) if count[label] >= MIN_VALUES]
    area = np.full((len(values), classes), 0.5)
    binned = np.empty((len(values), BINS, classes))
    # What a place in the order adds: one to its range's rows, and its rank.
    added = np.zeros((rows, BINS + 1))
    starts = (np.arange(BINS) * rows) // BINS
    added[np.arange(rows), np.searchsorted(starts, np.arange(rows), side="right") - 1] = 1
    added[:, BINS] = np.arange(1, rows + 1)
    for label in range(classes - 1, -1, -1):
        if label == 0 and classes == 2:
            binned[:, :, 0] = added[:, :BINS].sum(axis=0) - binned[:, :, 1]
            continue
        sums = (labels == label).astype(np.float64)[order] @ added
        binned[:, :, label] = sums[:, :BINS]
        if label in asked and 0 < count[label] < rows:
            ranks = sums[:, BINS]
            area[:, label] = (ranks - count[label] * (count[label] + 1) / 2) / (count[label] * (rows - count[label]))
    larger = np.maximum(area, 1 - area)
    share = binned / rows
    expected = share.sum(axis=2, keepdims=True) * share.sum(axis=1, keepdims=True)
    information = (share * np.log(np.where(share > 0, share, 1.0) / np.where(share > 0, expected, 1.0))).sum(
        axis=(1, 2)
    )
    return larger.max(axis=1), information, larger.argmax(axis=1)


def _measured(halves: _Halves, derivation: Derivation, label: int) -> Interaction | None:
    first, second = _columns_of(halves, derivation)
    raw = _applied(derivation.op, first, second)
    screening, is_class = halves.screening, halves.labels == label
    here, there = is_class[screening], is_class[~screening]
    if min(here.sum(), (~here).sum(), there.sum(), (~there).sum()) < MIN_VALUES:
        return None
    grouped = derivation.op.startswith("group-")
    columns = [first] if grouped else [first, second]
    rivals = [*columns, *(_binned(values, is_class, screening) for values in columns)]
    if grouped:
        rivals.append(_summed(first, halves.groups[derivation.other], is_class, screening))
    made, *placed = (
        _placements(_pointing_up(values, is_class, screening)[~screening], there) for values in (_filled(raw), *rivals)
    )
    best = max(placed, key=lambda hits_and_misses: float(hits_and_misses[0].mean()))
    over_linear = None
    if not grouped:
        over_linear = _gain(made, _placements(_combined(first, second, is_class, screening)[~screening], there))
    area, undefined = float(made[0].mean()), not np.isfinite(raw).all()
    return Interaction(derivation, area, float(best[0].mean()), _gain(made, best), over_linear, undefined)


def _gain(made: tuple[Floats, Floats], rival: tuple[Floats, Floats]) -> Gain:
    """Compare two areas on the same rows (DeLong, DeLong & Clarke-Pearson 1988)."""
    variance = sum(np.var(mine - other, ddof=1) / len(mine) for mine, other in zip(made, rival, strict=True))
    return Gain(float(made[0].mean() - rival[0].mean()), float(np.sqrt(variance)))


def _pointing_up(values: Floats, is_class: npt.NDArray[np.bool_], screening: npt.NDArray[np.bool_]) -> Floats:
    hits, _ = _placements(values[screening], is_class[screening])
    return values if hits.mean() >= 0.5 else -values


def _placements(values: Floats, is_class: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the share of the others below each row of the class, and of the class above each of the others."""
    inside, outside = values[is_class], values[~is_class]
    return _share_below(inside, outside), 1 - _share_below(outside, inside)


def _share_below(values: Floats, others: Floats) -> Floats:
    """Return the share of ``others`` that is smaller than each value; equal ones count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return np.asarray(below / 2 / len(others))


def _combined(
    first: Floats, second: Floats, is_class: npt.NDArray[np.bool_], screening: npt.NDArray[np.bool_]
) -> Floats:
    """Return Fisher's linear discriminant of two columns, from the screening rows."""
    both = np.column_stack([first, second])
    scale = both[screening].std(axis=0)
    both = (both - both[screening].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    here, rest = both[screening & is_class], both[screening & ~is_class]
    within = np.cov(here.T, bias=True) + np.cov(rest.T, bias=True) + 1e-6 * np.eye(2)
    return np.asarray(both @ np.linalg.solve(within, here.mean(axis=0) - rest.mean(axis=0)))


def _binned(values: Floats, is_class: npt.NDArray[np.bool_], screening: npt.NDArray[np.bool_]) -> Floats:
    """Return a column's log odds of the class in ten ranges, from the screening rows: what bends and bumps it has."""
    edges = np.unique(np.quantile(values[screening], np.arange(1, BINS) / BINS))
    return _log_odds(np.searchsorted(edges, values), is_class, screening)


def _summed(
    values: Floats, groups: Labels, is_class: npt.NDArray[np.bool_], screening: npt.NDArray[np.bool_]
) -> Floats:
    """Return what an additive model makes of a column and the groups, from the screening rows."""
    return _binned(values, is_class, screening) + _log_odds(groups, is_class, screening)


def _log_odds(place: Labels, is_class: npt.NDArray[np.bool_], screening: npt.NDArray[np.bool_]) -> Floats:
    share, size = is_class[screening].mean(), int(place.max()) + 1
    hits = np.bincount(place[screening], is_class[screening], minlength=size) + 2 * share
    misses = np.bincount(place[screening], ~is_class[screening], minlength=size) + 2 * (1 - share)
    return np.asarray(np.log(hits / misses)[place])
