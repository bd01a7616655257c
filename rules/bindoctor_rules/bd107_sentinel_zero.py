"""Zeros that stand apart from all other values of a column, as a missing value written as 0 does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from bindoctor import ColumnProfile, Confidence, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._missing import with_imputer
from bindoctor_rules._spread import Counts, Floats, counted_values, quantiles
from bindoctor_rules._wording import counted, listed

LOWEST_STEPS = 10
MAX_BY_CHANCE = 0.01

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
PRESSURE = [45 + (i * 37 % 61) // 2 + (i * 53 % 61) // 2 for i in range(200)]
UNMEASURED = Table({"pressure": [0 if i % 20 == 7 else x for i, x in enumerate(PRESSURE)], "y": CLASSES})
NO_CALLS = Table(
    {
        "minutes": [0 if i % 20 == 7 else x for i, x in enumerate(PRESSURE)],
        "calls": [0 if i % 20 == 7 else 1 + i * 37 % 9 for i in range(200)],
        "y": CLASSES,
    }
)
PREGNANCIES = Table({"pregnancies": [i * i * 37 % 101 // 7 for i in range(200)], "y": CLASSES})
SPENDING = Table({"spent": [0 if i % 3 else round(1.05 ** (i * 37 % 101), 2) for i in range(200)], "y": CLASSES})


class Apart(NamedTuple):
    """How far the zeros of a column lie from its other values."""

    zeros: int
    share: float
    nearest: float
    gap: float


@rule(
    "BD107",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
    flags=[
        example(
            "blood pressure 0",
            UNMEASURED,
            Recipe(),
            says="'pressure' is 0 in 10 of 200 rows and nowhere else below 45",
        ),
    ],
    passes=[
        example("read as missing", UNMEASURED, Recipe().edited({"data.missing-values.pressure": ["0"]})),
        example("zero minutes in zero calls", NO_CALLS, Recipe()),
        example("a count that starts at zero", PREGNANCIES, Recipe()),
        example("nothing spent", SPENDING, Recipe()),
    ],
)
def sentinel_zero(
    profile: Profile,
    recipe: Recipe,
    *,
    min_zeros: int = 3,
    max_share: float = 0.5,
    min_distinct: int = 20,
    min_gap: float = 0.1,
    min_clear_gap: float = 0.4,
    min_steps: float = 3.0,
    max_near: float = 0.03,
    max_piled: float = 0.03,
    min_skew: float = -1.0,
) -> Iterator[Finding]:
    """Zeros lie apart from all other values of a column, as a missing value that was written as 0 does.

    The zeros are no majority (`max_share`), and the other values (of `min_distinct` different ones) are on one side of
    zero and do not reach for it: the nearest is further from zero than `min_gap` of their interquartile range and than
    `min_steps` of the steps in which the lowest of them rise; few of them (`max_near`) lie within a fifth of their
    median; they neither pile up at their end (`max_piled`) nor have a long tail towards zero (`min_skew`). Amounts for
    which zero means "none" grow dense towards zero, mostly are zero, or are zero together with a column in which zero
    is at home (no minutes in no calls, no garage space for no cars): those are left alone. Below `min_clear_gap` it is
    a note, because prices and sales that start at a minimum look the same.

    Measured on 411 tables (680 columns whose values end at zero): the gaps of the five columns of the Pima data are
    0.12 (insulin), 0.5, 1.0, 1.5 and 2.0, while its zero pregnancies are one step from 1. Of the columns in which 0 is
    a value, the breast cancer data's concave points come nearest (0.27, but zero together with a concavity of 0);
    magnesium in the glass data has a tail towards zero (skew -2.3), citric acid in the wines and the pixels of the
    digits are one step from zero, gains and losses of the Adult data mostly are zero. 12 columns are reported, in
    which zero is mostly no measurement (prices, CD4 counts) and sometimes a logarithm of 1.

    ## Why it matters
    Nobody has a blood pressure of 0. Read as an amount, the zero is the most extreme value of its column: it pulls mean
    and spread, and the model takes "not measured" for "very low".

    ## When to ignore it
    When zero is a value: no income, no rain, nothing sold. The trial of the fix shows what the model makes of it.

    ## References
    - Pearson, R. K. (2006). The problem of disguised missing data. SIGKDD Explorations 8(1).
    - Breault, J. L. (2001). Data mining diabetic databases: are rough sets a useful addition? Computing Science and
      Statistics 33.
    - Little, R. J. A., & Rubin, D. B. (2019). Statistical Analysis with Missing Data, 3rd edition. Wiley.
    """
    found: dict[str, Apart] = {}
    for column in profile.numbers:
        apart = _apart(column, profile, max_near, max_piled, min_skew, min_distinct, min_steps)
        if apart and apart.zeros >= min_zeros and apart.share <= max_share and apart.gap >= min_gap:
            found[column.name] = apart
    for name in _zero_with_an_honest_zero(profile, tuple(found), min_gap):
        del found[name]
    limits = {
        "min_zeros": min_zeros,
        "max_share": max_share,
        "min_distinct": min_distinct,
        "min_gap": min_gap,
        "min_clear_gap": min_clear_gap,
        "min_steps": min_steps,
        "max_near": max_near,
        "max_piled": max_piled,
        "min_skew": min_skew,
    }
    clear = {name: apart for name, apart in found.items() if apart.gap >= min_clear_gap}
    if clear:
        yield _finding(clear, profile, recipe, limits)
    if len(clear) < len(found):
        unclear = {name: apart for name, apart in found.items() if name not in clear}
        yield replace(_finding(unclear, profile, recipe, limits), confidence=Confidence.LOW, severity=Severity.NOTE)


def _finding(found: Mapping[str, Apart], profile: Profile, recipe: Recipe, limits: Mapping[str, float]) -> Finding:
    names = list(found)
    most = max(found.values(), key=lambda apart: apart.zeros)
    rows = counted(profile.labelled, "row")
    if len(names) == 1:
        edge = "below" if most.nearest > 0 else "above"
        message = f"'{names[0]}' is 0 in {most.zeros} of {rows} and nowhere else {edge} {most.nearest:.6g}"
    else:
        message = f"{listed(names)} are 0 in up to {most.zeros} of {rows} and far from 0 in all others"
    edits: Mapping[str, Any] = {
        f"data.missing-values.{name}": [*recipe.data.missing_values.get(name, ()), "0"] for name in names
    }
    return Finding(
        f"{message}, as if 0 stood for a missing value",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.missing-values"),
        {"columns": {name: apart._asdict() for name, apart in found.items()}, **limits},
        (Fix(f"Read 0 in {listed(names)} as missing", with_imputer(edits, profile.columns[names[0]], recipe)),),
        Confidence.MEDIUM,
        columns=tuple(names),
    )


def _apart(
    column: ColumnProfile,
    profile: Profile,
    max_near: float,
    max_piled: float,
    min_skew: float,
    min_distinct: int,
    min_steps: float,
) -> Apart | None:
    """Measure how far zero is from the other values, None where they reach for it or are no smooth heap."""
    moments = column.moments
    zeros = sum(moments.zeros_by_class) if moments else 0
    if moments is None or not zeros or column.distinct <= min_distinct:
        return None
    values, counts = counted_values(column, without_tokens=True)
    sizes, counts = _beyond_zero(values, counts, zeros)
    if len(sizes) < min_distinct:
        return None
    rows = int(counts.sum())
    low, median, high = quantiles(sizes, counts, 0.25, 0.5, 0.75)
    mean = float(counts @ sizes) / rows
    std = float(np.sqrt(counts @ (sizes - mean) ** 2 / rows))
    steps = float(np.median(np.diff(sizes[: LOWEST_STEPS + 1])))
    nearest = float(sizes[0])
    if (
        high <= low
        or not 0 < std < np.inf
        or nearest < min_steps * steps
        or counts[sizes <= 0.2 * median].sum() > max_near * rows
        or counts[0] > max_piled * rows
        or float(counts @ ((sizes - mean) / std) ** 3) / rows < min_skew
    ):
        return None
    sign = 1 if values[-1] > 0 else -1
    return Apart(zeros, zeros / profile.labelled, sign * nearest, nearest / (high - low))


def _beyond_zero(values: Floats, counts: Counts, zeros: int) -> tuple[Floats, Counts]:
    """Return the distances from zero of all other values, ascending, and their counts; nothing if on both sides."""
    if len(values) and values[-1] <= 0:
        values, counts = -values[::-1], counts[::-1]
    # The zeros are the first value; a range that holds more than them reaches for zero.
    if not len(values) or values[0] < 0 or counts[0] != zeros:
        return values[:0], counts[:0]
    return values[1:], counts[1:]


def _zero_with_an_honest_zero(profile: Profile, names: Sequence[str], min_gap: float) -> frozenset[str]:
    """Return the columns whose zeros come with zeros of a column that has values right beside zero."""
    rows = profile.sample
    if rows is None or not names or not len(rows):
        return frozenset()
    others = [column.name for column in profile.numbers if column.name not in names and _at_home(column, min_gap)]
    honest = []
    for name in names:
        zero = np.flatnonzero(rows.features[name].to_numpy() == 0)
        for other in others if len(zero) else ():
            cells = rows.features[other].to_numpy()
            by_chance = float((cells == 0).mean()) ** len(zero)
            if by_chance <= MAX_BY_CHANCE and (cells[zero] == 0).mean() >= 0.95:
                honest.append(name)
                break
    return frozenset(honest)


def _at_home(column: ColumnProfile, min_gap: float) -> bool:
    """Tell whether zero is among a column's values as one of them: the next one is a step away, or hardly further."""
    moments = column.moments
    if moments is None or not any(moments.zeros_by_class) or moments.minimum < 0 or column.tokens:
        return False
    values, counts = counted_values(column)
    if len(values) < 3:
        return True
    low, high = quantiles(values[1:], counts[1:], 0.25, 0.75)
    return bool(values[1] <= 1.5 * np.median(np.diff(values[1 : LOWEST_STEPS + 2]))) or values[1] < min_gap * (
        high - low
    )
