"""A few values of a number column lie far out, with nothing between them and the others."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bindoctor import (
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    RowList,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._far_rows import rows_with
from bindoctor_rules._missing import with_imputer
from bindoctor_rules._outside import Limits, Outside, outside_values
from bindoctor_rules._spread import Floats, codes_of
from bindoctor_rules._wording import counted, listed

SIDES = 3

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
SIZES = [round(150 + sum((i * step % 101) / 10 for step in (37, 53, 71, 89)), 1) for i in range(200)]
TYPOS = Table({"size": [x * 10 if i % 50 == 7 else x for i, x in enumerate(SIZES)], "y": CLASSES})
BOTH_WAYS = Table(
    {"size": [x + (-1) ** (i // 50) * 500 if i % 50 == 7 else x for i, x in enumerate(SIZES)], "y": CLASSES}
)
INCOMES = Table({"income": [round(1000 * 1.06 ** (i * 37 % 200)) for i in range(200)], "y": CLASSES})


@rule(
    "BD120",
    severity=Severity.WARNING,
    scans=("cells", "sample"),
    flags=[
        example(
            "the decimal point lost",
            TYPOS,
            Recipe(),
            says="4 of 200 values of 'size' lie at least",
        ),
        example("far out on both sides", BOTH_WAYS, Recipe(), says="apart from all others ("),
    ],
    passes=[
        example("nothing far out", Table({"size": SIZES, "y": CLASSES}), Recipe()),
        example("read as missing", TYPOS, Recipe().edited({"data.limits.size": [None, 300.0]})),
        example("moved to the quantiles", TYPOS, Recipe().edited({"features.clip.size": [0.0, 0.97]})),
        example("a heavy tail has no gap", INCOMES, Recipe()),
    ],
)
def extreme_values(
    profile: Profile,
    recipe: Recipe,
    *,
    min_reach: float = 5.0,
    min_ratio: float = 1.5,
    min_clear_ratio: float = 3.0,
    min_log_reach: float = 3.0,
    min_sure_ratio: float = 1.8,
    max_sure_by_chance: float = 1e-6,
    max_share: float = 0.05,
    max_by_chance: float = 0.1,
    min_distinct: int = 11,
) -> Iterator[Finding]:
    """A few values lie far out, with nothing between them and all others.

    At most `max_share` of a column's cells, which lie `min_reach` interquartile ranges or more beyond the quartiles
    and at least `min_ratio` times as far from the median as all others on their side. So many so far out must not be
    expected `max_by_chance` times in the table even if the others' tail is a power law, which explains most far-out
    values of real data. And as populations and enzymes do reach that far, one of these must hold: they lie
    `min_clear_ratio` times as far as the others; `min_sure_ratio` times and are not expected `max_sure_by_chance`
    times; or `min_log_reach` interquartile ranges of the logarithms beyond the upper quartile's. Where half of the
    cells are equal, the median distance of the others takes the interquartile range's place; columns of fewer than
    `min_distinct` values are left alone.

    Measured: 2% of the rows moved to 15 standard deviations in one column after the other, to one side, to both, or
    with a scatter of 2, are found in all 13 columns of the wine data, all 4 of iris, 28 or 29 of 30 of the breast
    cancer data, 8 of 14 digits' pixels (the others are all but always 0), and normal, uniform and count columns; in two
    humps or with three degrees of freedom not always, and not in lognormal and exponential ones, where 15 standard
    deviations are no surprise. In 411 tables, on which the thresholds were set, it finds 54 columns of 33, 3 of them
    planted. Among them are a displacement of 16000 cc (Toyota), a house of the year 0, a height of 57 cm (Davis), the
    ZIP code 9307 of the Universal Bank and two abalones higher than all others. Silent are the wine, digits and breast
    cancer data (whose area error has two values 18 interquartile ranges out), and what grows with size: populations,
    budgets, counts of words.

    ## Why it matters
    Such values are misplaced decimal points, other units or defects of a sensor more often than rare cases. One of them
    moves mean and standard deviation, so that standardising squeezes all others into a sliver, and dominates the
    gradient of every batch it is in.

    ## When to ignore it
    When the extreme cases are real and are the ones to be found (fraud, faults), or for models of trees.

    ## References
    - Tukey, J. W. (1977). Exploratory Data Analysis. Addison-Wesley.
    - Hill, B. M. (1975). A simple general approach to inference about the tail of a distribution. Annals of Statistics
      3(5).
    - Barnett, V., & Lewis, T. (1994). Outliers in Statistical Data, 3rd edition. Wiley.
    """
    limits = Limits(
        min_reach,
        min_ratio,
        min_clear_ratio,
        min_log_reach,
        min_sure_ratio,
        max_sure_by_chance,
        max_share,
        max_by_chance,
    )
    numbers = profile.numbers
    found: dict[str, Outside] = {}
    for column in numbers:
        if column.distinct >= min_distinct and column.name not in recipe.features.clip:
            outside = outside_values(column, limits, SIDES * len(numbers))
            if outside:
                found[column.name] = outside
    if not found:
        return
    names = list(found)
    count, reach = sum(one.count for one in found.values()), min(one.reach for one in found.values())
    ends = f" ({_ends(found[names[0]])})" if len(found) == 1 else ""
    cells = profile.columns[names[0]].count if len(found) == 1 else sum(profile.columns[name].count for name in names)
    rows = [
        rows_with(profile, name, partial(_far, column=profile.columns[name], outside=found[name])) for name in names
    ]
    yield Finding(
        f"{count} of {counted(cells, 'value')} of {listed(names)} {'lies' if count == 1 else 'lie'} at least "
        f"{reach:.0f} interquartile ranges beyond the quartiles, apart from all others{ends}",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.limits"),
        {
            "outside": {name: asdict(outside) for name, outside in found.items()},
            **limits._asdict(),
            "min_distinct": min_distinct,
        },
        tuple(_fixes(found, profile, recipe)),
        Confidence.MEDIUM,
        Severity.NOTE if recipe.model.kind == "gradient-boosting" else None,
        RowList.of(np.unique(np.concatenate([one.numbers for one in rows]))),
        columns=tuple(names),
    )


def _far(values: Floats, *, column: ColumnProfile, outside: Outside) -> npt.NDArray[np.bool_]:
    return np.asarray(outside.holds(values) & ~np.isin(values, codes_of(column)))


def _ends(outside: Outside) -> str:
    start = "" if outside.low is None else f"start at {outside.low:.6g}"
    end = "" if outside.high is None else f"end at {outside.high:.6g}"
    return f"the others {' and '.join(part for part in (start, end) if part)}"


def _fixes(found: Mapping[str, Outside], profile: Profile, recipe: Recipe) -> Iterator[Fix]:
    names = listed(list(found))
    if not set(found) & set(recipe.data.limits):
        within: Mapping[str, Any] = {f"data.limits.{name}": [one.floor, one.ceiling] for name, one in found.items()}
        imputed = with_imputer(within, profile.columns[next(iter(found))], recipe)
        yield Fix(f"Read values of {names} beyond the others as missing", imputed)
    moved = {f"features.clip.{name}": _quantiles(profile.columns[name], outside) for name, outside in found.items()}
    yield Fix(f"Move values of {names} into the range of the training rows' inner quantiles", moved)
    if recipe.features.scale in ("none", "standard", "minmax"):
        yield Fix("Scale by median and interquartile range", {"features.scale": "robust"})


def _quantiles(column: ColumnProfile, outside: Outside) -> list[float]:
    """Return the quantiles that leave the outside values out, on the sides where there are any."""
    edge = max(0.01, math.ceil(100 * (outside.count / column.count + 0.005)) / 100)
    return [edge if outside.low is not None else 0.0, 1 - edge if outside.high is not None else 1.0]
