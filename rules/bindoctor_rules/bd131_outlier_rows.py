"""Rows that lie far from all others."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Confidence, Finding, Fix, Profile, Recipe, RowList, Severity, Table, Where, example, rule
from bindoctor_rules._distance import robust_distances, robust_scores
from bindoctor_rules._isolated import isolated
from bindoctor_rules._wording import counted, listed

MAX_DROPPED = 100
MIN_TOLD = 3.0

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
WAVES = {
    name: np.round(50 + (np.outer(np.arange(200), steps) % 101).sum(axis=1) / 10, 1).tolist()
    for name, steps in {"a": (37, 53, 71, 89), "b": (41, 59, 73, 97), "c": (43, 61, 79, 83)}.items()
}
FAR = Table(
    {name: [x + 90 if i in (20, 120) else x for i, x in enumerate(column)] for name, column in WAVES.items()}
    | {"y": CLASSES}
)


@rule(
    "BD131",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example("two rows of other units", FAR, Recipe(), says="2 of 200 rows lie far from all others"),
    ],
    passes=[
        example("one cloud", Table(WAVES | {"y": CLASSES}), Recipe()),
        example("left out", FAR, Recipe().edited({"data.drop-rows": [20, 120]})),
    ],
)
def outlier_rows(
    profile: Profile,
    *,
    min_rows: int = 50,
    min_distance: float = 5.0,
    min_ratio: float = 1.3,
    max_share: float = 0.05,
    max_by_chance: float = 0.01,
    max_columns: int = 50,
) -> Iterator[Finding]:
    """A few rows lie far from all others, in one column or in how their columns go together.

    Distances are Mahalanobis distances in robust units, by a covariance that outliers cannot move, over two or up to
    `max_columns` number columns and the rows of the scan's sample (`min_rows` or more). At most `max_share` of the rows
    are far: `min_distance` robust standard deviations, at least `min_ratio` times as far from the middle as all others,
    and so many so far has a probability of at most `max_by_chance` even if the others' tail is a power law. Merely
    being further out than a normal distribution allows makes no outlier: most tables have such tails.

    Measured: 2% of the rows moved to 15 standard deviations in one column are found in all columns of the wine and iris
    data and in 18 to 26 of the 30 of the breast cancer data (its rows differ that much anyhow; the rule on extreme
    values, which looks at the column alone, finds 29 of 30). Of 411 tables it speaks of 55, 3 rows in the median, among
    them two flights whose departure contradicts the schedule and a person of 57 cm and 166 kg (Davis); wine, digits,
    iris and breast cancer data are silent.

    ## Why it matters
    Such rows are defects of a record (columns shifted, units mixed) or the most interesting cases there are. One by
    one they have a leverage on linear layers that no other row has. A list to look at is worth more than a rule to
    drop them.

    ## When to ignore it
    When rare and extreme cases are what the model is for.

    ## References
    - Raymaekers, J., & Rousseeuw, P. J. (2021). Fast robust correlation for high-dimensional data. Technometrics 63(2).
    - Rousseeuw, P. J., & Van Zomeren, B. C. (1990). Unmasking multivariate outliers and leverage points. JASA 85(411).
    - Hill, B. M. (1975). A simple general approach to inference about the tail of a distribution. Annals of Statistics
      3(5).
    """
    rows = profile.sample
    if rows is None or len(rows) < min_rows:
        return
    names, scores = robust_scores(profile, max_columns)
    if len(names) < 2:
        return
    distances = robust_distances(scores)
    sizes, counts = np.unique(distances[distances > 0], return_counts=True)
    far = isolated(sizes, counts, rows=len(rows), max_share=max_share, min_ratio=min_ratio)
    if far is None or far.by_chance > max_by_chance or far.nearest < min_distance:
        return
    at = np.flatnonzero(distances >= far.nearest)
    told = np.abs(scores[at])
    columns = [names[i] for i in np.argsort(-told.max(axis=0), kind="stable")[:3] if told[:, i].max() >= MIN_TOLD]
    numbers = rows.row_ids[at]
    looked_at = "" if len(rows) == profile.labelled else f" looked at ({profile.labelled} in all)"
    yield Finding(
        f"{far.count} of {counted(len(rows), 'row')}{looked_at} {'lies' if far.count == 1 else 'lie'} far from all "
        f"others: at least {far.nearest:.1f} robust standard deviations from the middle, all others at most "
        f"{far.rest:.1f}" + (f"; most in {listed(columns)}" if columns else ""),
        Where("row"),
        {
            "nearest": far.nearest,
            "rest": far.rest,
            "by_chance": far.by_chance,
            "columns": columns,
            "columns_looked_at": len(names),
            "rows_looked_at": len(rows),
            "min_rows": min_rows,
            "min_distance": min_distance,
            "min_ratio": min_ratio,
            "max_share": max_share,
            "max_by_chance": max_by_chance,
            "max_columns": max_columns,
        },
        (
            Fix("Look at these rows, and leave out what is wrong", aim=Aim.ADVISE),
            *([Fix("Train without them", {"data.drop-rows+": numbers.tolist()})] if far.count <= MAX_DROPPED else []),
        ),
        Confidence.MEDIUM,
        rows=RowList.of(numbers),
    )
