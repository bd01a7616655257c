"""Whole numbers that name something are treated as amounts."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bindoctor import (
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._codes import MAX_CODED_LEVELS, follows, holds_unknown_code, named_as_amount, named_as_code, zigzag
from bindoctor_rules._dates import days_of_numbers
from bindoctor_rules._encoding import MIN_LEVELS, MIN_ROWS_PER_LEVEL
from bindoctor_rules._ranges import ranges_of
from bindoctor_rules._wording import listed

MANY = 60
CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(400)]
ADDRESSES = Table(
    {
        "zip_code": [90_000 + 37 * (i * 7 % MANY) for i in range(400)],
        "age": [20 + i * 37 % 60 for i in range(400)],
        "y": CLASSES,
    }
)
LIGHT = Table(
    {"light": [1 + i % 3 for i in range(600)], "y": ["yes" if i % 3 == 1 or i % 5 == 0 else "no" for i in range(600)]}
)
ROADS = Table({"road": [9 if i % 40 == 3 else 1 + i * 7 % 12 % 4 for i in range(400)], "y": CLASSES})
RATINGS = Table(
    {
        "rating": [1 + i % 5 for i in range(600)],
        "y": ["yes" if i * 7 % 30 < 4 * (1 + i % 5) else "no" for i in range(600)],
    }
)
CHILDREN = Table({"num_children": [1 + i % 3 for i in range(600)], "y": LIGHT.cells["y"]})
SALES = Table({"store_sales": [i * 37 % 211 for i in range(400)], "y": CLASSES})


@rule(
    "BD125",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example("postal codes", ADDRESSES, Recipe(), says="'zip_code' holds codes (by its name)"),
        example("codes in no order", LIGHT, Recipe(), says="'light' holds codes (its values are in no order"),
        example("9 for unknown", ROADS, Recipe(), says="'road' holds codes (9 stands apart"),
    ],
    passes=[
        example("read as text", ADDRESSES, Recipe().edited({"data.casts.zip_code": "text"})),
        example("an ordered rating", RATINGS, Recipe()),
        example("a number of children", CHILDREN, Recipe()),
        example("amounts of a store", SALES, Recipe()),
    ],
)
def coded_category(
    profile: Profile, recipe: Recipe, *, min_zigzag: float = 0.0, min_rows: int = 10
) -> Iterator[Finding]:
    """Whole numbers that are codes (postal codes, regions, types) are treated as amounts.

    Three kinds of evidence count. The head of the name says code ("ZIP Code", "vehicle_model_id", "MOSTYPE", but not
    "store sales"), unless the class shares plainly follow the number. Or the numbers are a few, counted from 1, and the
    class shares go up and down along them by more than noise: with three or four values they are not monotone, with
    five to twelve they turn more than once, by the Bayesian information criterion (more than `min_zigzag`). Or a few
    consecutive numbers are followed by an 8, 9, 88, 98 or 99 apart from them, the "unknown" of code books. Columns
    whose name says count, age or grade are judged by no shape; flags of two values, and ranges of another column (with
    `min_rows` rows outside of the commonest, as in redundant-column), not at all.

    The shape alone is no proof: on 160 real tables ages and prices of fifty values zigzag as much as codes do, which
    is why only a few consecutive numbers are judged by it. Found there: the ZIP codes of the Universal Bank data,
    areas, cities and car models of the taxi data, light, lanes, surface and highway codes of the accidents data, the
    customer types of the Caravan data, and states, channels, occupations and households elsewhere.

    ## Why it matters
    As an amount, ZIP code 94304 lies between 94303 and 94305, and type 3 is three times type 1. A linear model must
    give all codes one slope; a network has to find each code's effect against that order.

    ## When to ignore it
    When the codes are ordered after all (districts numbered outwards, model numbers that grow), or the model is one of
    trees and the codes are few.

    ## References
    - Stevens, S. S. (1946). On the theory of scales of measurement. Science 103.
    - Schwarz, G. (1978). Estimating the dimension of a model. Annals of Statistics 6(2).
    - Robertson, T., Wright, F. T., & Dykstra, R. L. (1988). Order Restricted Statistical Inference. Wiley.
    """
    reasons = {c.name: reason for c in profile.numbers if (reason := _reason(c, min_zigzag))}
    if profile.sample and any(profile.columns[name].distinct <= MAX_CODED_LEVELS for name in reasons):
        for _, name in ranges_of({c.name: c for c in profile.numbers}, profile.sample, min_rows=min_rows):
            reasons.pop(name, None)
    if not reasons:
        return
    names = list(reasons)
    why = "; ".join(dict.fromkeys(reasons.values()))
    many = [name for name in names if _is_crowded(profile.columns[name])]
    edits: dict[str, Any] = {f"data.casts.{name}": "text" for name in names}
    fixes = [Fix(f"Treat {listed(names)} as categories", {**edits, **_encoded(many)})]
    if many:
        fixes.append(Fix(f"Leave out {listed(many)}", {"data.drop+": many}))
    yield Finding(
        f"{listed(names)} {'holds' if len(names) == 1 else 'hold'} codes ({why}), which are taken for amounts",
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "data.casts"),
        {
            "columns": names,
            "reasons": reasons,
            "levels": {name: profile.columns[name].distinct for name in names},
            "min_zigzag": min_zigzag,
            "min_rows": min_rows,
        },
        tuple(fixes),
        Confidence.MEDIUM,
    )


def _reason(column: ColumnProfile, min_zigzag: float) -> str:
    moments = column.moments
    if moments is None or not moments.integer or moments.minimum < 0 or column.distinct < 3:
        return ""
    named = named_as_code(column.name)
    few = column.levels_complete and column.distinct <= MAX_CODED_LEVELS
    if not few:
        return "by its name" if named and not len(days_of_numbers(column)) else ""
    levels = sorted(column.levels, key=lambda level: float(level.value))
    values = np.array([float(level.value) for level in levels])
    by_class = np.array([level.by_class for level in levels])
    if not column.tokens and holds_unknown_code(values, by_class.sum(axis=1)):
        return f"{values[-1]:.0f} stands apart from consecutive numbers, as a code for unknown does"
    if named:
        return "" if follows(by_class) else "by its name"
    consecutive = values[0] == 1 and values[-1] == len(values)
    if consecutive and not named_as_amount(column.name) and zigzag(by_class) > min_zigzag:
        return "its values are in no order that the classes follow"
    return ""


def _is_crowded(column: ColumnProfile) -> bool:
    return column.distinct >= MIN_LEVELS and column.count < MIN_ROWS_PER_LEVEL * column.distinct


def _encoded(many: list[str]) -> Mapping[str, str]:
    return {f"features.encode-columns.{name}": "target" for name in many}
