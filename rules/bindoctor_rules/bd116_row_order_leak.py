"""The row number tells the class: the file is sorted by it, or put together class by class."""

import math
from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._spread import Counts, Floats
from bindoctor_rules._wording import listed

SIZES = [(i * 37 % 61) / 7 for i in range(120)]
SORTED = ["no" if i < 60 else "yes" for i in range(120)]
NUMBERED = Table({"no": list(range(1, 121)), "size": SIZES, "y": SORTED})
APPENDED = Table({"size": SIZES, "y": SORTED})


@rule(
    "BD116",
    severity=Severity.ERROR,
    scans=("cells", "order", "sample"),
    flags=[
        example(
            "a row number in a sorted file",
            NUMBERED,
            Recipe(),
            says="the row number tells the class (AUC 1.000), and 'no' follows the row number",
        ),
        example(
            "split in file order",
            APPENDED,
            Recipe().edited({"split.shuffle": False}),
            says="the row number tells the class (AUC 1.000), and the split keeps the order of the file",
        ),
    ],
    passes=[
        example("one class after the other, shuffled by the split", APPENDED, Recipe()),
        example(
            "a measurement that tells the class, in a sorted file",
            Table({"size": [i % 7 + 20 * (i // 60) for i in range(120)], "y": SORTED}),
            Recipe(),
        ),
        example("mixed", Table({"size": SIZES, "y": ["yes", "no"] * 60}), Recipe()),
        example(
            "sorted by time on purpose",
            Table({"day": list(range(120)), "size": SIZES, "y": SORTED}),
            Recipe().edited({"split.time": "day", "data.drop": ["day"]}),
        ),
    ],
)
def row_order_leak(
    profile: Profile,
    recipe: Recipe,
    *,
    min_auc: float = 0.7,
    min_deviation: float = 4.0,
    min_correlation: float = 0.9,
    min_distinct_share: float = 0.5,
) -> Iterator[Finding]:
    """The row number tells the class: the file is sorted by it, or was put together class by class.

    The AUC of the row number alone is `min_auc` or more, and `min_deviation` standard errors from 0.5 (so that few rows
    do not do it by chance); and something can use it: a split that keeps the order of the file, or a column that
    carries the row number. That is a number column that names the row, or has a value of its own in
    `min_distinct_share` of the rows, and follows the row number over all rows and within the classes (correlation of
    `min_correlation` or more, over the rows of the scan's sample). A sorted file by itself is nothing to worry about,
    as shuffling takes its order away. Measured on 411 tables: 106 are in an order that tells the class, 70 of them with
    a running number beside it, such as the bankruptcy data (AUC 1) and many tables exported from R; the petal widths of
    the irises, which tell the class in a file sorted by it, and ages and years in files sorted by them are left alone.

    ## Why it matters
    Cut into blocks, such a file gives training rows of one class and validation rows of the other. And a column that
    runs with the rows answers the target perfectly, in this file only.

    ## When to ignore it
    When the order is time and the class really becomes more frequent; then split by time.

    ## References
    - Kaufman, S., Rosset, S., Perlich, C., & Stitelman, O. (2012). Leakage in data mining: formulation, detection, and
      avoidance. ACM TKDD 6(4).
    - Rosset, S., Perlich, C., Świrszcz, G., Melville, P., & Liu, Y. (2010). Medical data mining: insights from winning
      two competitions. Data Mining and Knowledge Discovery 20.
    - Hanley, J. A., & McNeil, B. J. (1982). The meaning and use of the area under a receiver operating characteristic
      (ROC) curve. Radiology 143(1).
    """
    auc = profile.order_auc
    split = recipe.split
    if auc < min_auc or auc - 0.5 < min_deviation * _standard_error(profile) or split.time or split.column:
        return
    followers = _followers(profile, min_correlation, min_distinct_share)
    ordered = not split.shuffle
    fixes = []
    if ordered:
        fixes.append(Fix("Shuffle the rows before the split", {"split.shuffle": True}, Aim.CORRECT))
    if followers:
        fixes.append(Fix(f"Leave out {listed(followers)}", {"data.drop+": followers}, Aim.CORRECT))
    if not fixes:
        return
    uses = []
    if followers:
        uses.append(f"and {listed(followers)} {'follows' if len(followers) == 1 else 'follow'} the row number")
    if ordered:
        uses.append("and the split keeps the order of the file")
    yield Finding(
        f"the row number tells the class (AUC {auc:.3f}), {' '.join(uses)}",
        Where("row"),
        {
            "order_auc": auc,
            "columns": followers,
            "shuffle": split.shuffle,
            "rows_looked_at": 0 if profile.sample is None else len(profile.sample),
            "min_auc": min_auc,
            "min_deviation": min_deviation,
            "min_correlation": min_correlation,
            "min_distinct_share": min_distinct_share,
        },
        tuple(fixes),
    )


def _standard_error(profile: Profile) -> float:
    """Return the standard error of the AUC of a number that says nothing, for the rarest class against the others."""
    rare = profile.rare_count
    return math.sqrt((profile.labelled + 1) / (12 * rare * (profile.labelled - rare))) if rare else math.inf


def _followers(profile: Profile, min_correlation: float, min_distinct_share: float) -> list[str]:
    """Return the number columns that run with the row number, up or down, in all rows and in those of one class."""
    rows = profile.sample
    if rows is None:
        return []
    found = []
    for column in profile.columns.values():
        if column.kind != "number" or column.constant:
            continue
        if not column.identifier and column.distinct < min_distinct_share * profile.rows:
            continue
        values = rows.features[column.name].to_numpy()
        present = np.isfinite(values)
        place, values, labels = rows.row_ids[present].astype(np.float64), values[present], rows.labels[present]
        if len(values) < 3:
            continue
        within = abs(_correlation(_centred(place, labels), _centred(values, labels)))
        if min(abs(_correlation(place, values)), within) >= min_correlation:
            found.append(column.name)
    return found


def _correlation(first: Floats, second: Floats) -> float:
    """Return Pearson's r, 0 where it is not defined."""
    with np.errstate(all="ignore"):
        first, second = first - first.mean(), second - second.mean()
        r = float(first @ second / np.sqrt((first @ first) * (second @ second)))
    return r if math.isfinite(r) else 0.0


def _centred(values: Floats, labels: Counts) -> Floats:
    """Return the values less the mean of their class."""
    counts = np.bincount(labels)
    with np.errstate(all="ignore"):
        means = np.bincount(labels, weights=values) / counts
        return np.asarray(values - means[labels])
