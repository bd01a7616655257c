"""A column that looks like a survey or instance weight is used as a feature."""

import re
from collections.abc import Iterator

from bindoctor import (
    Aim,
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

CERTAIN = re.compile(
    r"(?i)^(?:fnl_?wgt|final_?(?:weight|wgt|wt)|wt_?finl|per_?wt|hh_?wt|asec_?wt|p_?wt|p_?weights?|f_?weights?|samp_?wt|"
    r"(?:sampling|sample|survey|svy|instance|case|observation|person|household|population|analysis|design|expansion|"
    r"frequency|probability|replicate|row|class)[ _.-]*(?:weights?|wgts?|wts?))\d?$"
)
POSSIBLE = re.compile(r"(?i)^(?:weights?|wgts?|wts?|w)$|[ _.-](?:wgts?|wts?)$|^wt[ _.-]")

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(300)]
DRAWS = [i * 149 % 300 / 300 for i in range(300)]
SURVEY = Table({"fnlwgt": [round(20_000 / (1.05 - u)) for u in DRAWS], "y": CLASSES})
WEIGHTS = Table({"wt": [round(0.3 / (1.05 - u), 3) for u in DRAWS], "y": CLASSES})
KILOGRAMS = Table({"weight": [round(50 + 25 * u + i % 7, 1) for i, u in enumerate(DRAWS)], "y": CLASSES})


@rule(
    "BD127",
    severity=Severity.NOTE,
    root=True,
    scans=("cells",),
    flags=[
        example("a census weight", SURVEY, Recipe(), says="'fnlwgt' looks like a weight of its row"),
        example("weights by their spread", WEIGHTS, Recipe(), says="'wt' looks like a weight of its row"),
    ],
    passes=[
        example("used as weight", SURVEY, Recipe().edited({"data.weight": "fnlwgt"})),
        example("left out", SURVEY, Recipe().edited({"data.drop": ["fnlwgt"]})),
        example("body weight", KILOGRAMS, Recipe()),
    ],
)
def weight_column(
    profile: Profile,
    *,
    min_distinct: int = 10,
    min_variation: float = 0.4,
    min_skew: float = 0.8,
    max_auc: float = 0.6,
    max_heavy_share: float = 0.05,
) -> Iterator[Finding]:
    """A column that looks like a survey or instance weight is used as a feature.

    Its name must say so, and its values must allow it: `min_distinct` different ones, none missing or negative, no
    majority of zeros, hardly related to the class (AUC at most `max_auc`), and no row heavier than `max_heavy_share` of
    all. A name such as "weight", "wt" or "w" is mostly something on a scale, so there the values must also vary as
    weights do and bodies and cars do not: a coefficient of variation of `min_variation` and a skewness of `min_skew`.
    Measured: fnlwgt of the Adult data varies by 0.56 with a skewness of 1.4 and an AUC of 0.51; of 411 tables, some
    with weights of people, cars and animals, none is reported.

    ## Why it matters
    A survey's weight says how many people a row stands for. It is a property of the sample, not of the person, so a
    model that uses it as a feature learns how the survey was drawn; and a model and a score that do not use it as a
    weight are about the sample and not about the population.

    ## When to ignore it
    When the column is a measurement. Weights do not have to be used where only the sample matters.

    ## References
    - Lohr, S. L. (2021). Sampling: Design and Analysis, 3rd edition. CRC Press.
    - Kohavi, R. (1996). Scaling up the accuracy of naive-Bayes classifiers: a decision-tree hybrid. KDD (the Adult
      data).
    """
    for column in profile.columns.values():
        certain = bool(CERTAIN.search(column.name))
        if not (certain or POSSIBLE.search(column.name)) or column.identifier or column.distinct < min_distinct:
            continue
        moments, variation = column.moments, _variation(column)
        if (
            moments is None
            or column.missing
            or moments.minimum < 0
            or 2 * sum(moments.zeros_by_class) > column.count
            or moments.auc > max_auc
            or moments.maximum > max_heavy_share * moments.mean * column.count
            or not (certain or (variation >= min_variation and moments.skew >= min_skew))
        ):
            continue
        yield Finding(
            f"'{column.name}' looks like a weight of its row: positive, with a coefficient of variation of "
            f"{variation:.2f}, and all but unrelated to the class (AUC {moments.auc:.2f})",
            Where("column", column.name),
            {
                "variation": variation,
                "skew": moments.skew,
                "auc": moments.auc,
                "min_distinct": min_distinct,
                "min_variation": min_variation,
                "min_skew": min_skew,
                "max_auc": max_auc,
                "max_heavy_share": max_heavy_share,
            },
            (
                Fix(f"Weight the training rows by '{column.name}'", {"data.weight": column.name}, Aim.ADVISE),
                Fix(f"Leave out '{column.name}'", {"data.drop+": [column.name]}, Aim.ADVISE),
            ),
            Confidence.MEDIUM if certain else Confidence.LOW,
        )


def _variation(column: ColumnProfile) -> float:
    """Return the coefficient of variation, 0 for what is no positive number."""
    moments = column.moments
    return moments.std / moments.mean if moments is not None and moments.mean > 0 else 0.0
