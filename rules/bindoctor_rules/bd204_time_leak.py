"""The class shares change over time, and the split is shuffled."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Parts,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._tails import chi2_above
from bindoctor_rules._times import is_month, is_time
from bindoctor_rules._wording import listed

PERIODS = 10
MIN_ROWS = 20


DAYS = [date(2023, 1, 1) + timedelta(days=i * 37 % 400) for i in range(400)]
PRICES = [(i * 53 % 101) / 7 for i in range(400)]


def _german(day: date) -> str:
    return f"{day.day:02}.{day.month:02}.{day.year}"


def _sales(rising: bool, written: Callable[[date], str] = date.isoformat, name: str = "sold") -> Table:
    return Table(
        {
            name: [written(day) for day in DAYS],
            "price": PRICES,
            "y": ["yes" if i * 71 % 400 < (i * 37 % 400 if rising else 200) else "no" for i in range(400)],
        }
    )


YEARS = Table(
    {
        "year": [2015 + i % 8 for i in range(400)],
        "price": PRICES,
        "y": ["yes" if i * 71 % 400 < 60 + 40 * (i % 8) else "no" for i in range(400)],
    }
)
RISING = _sales(True)


class Drift(NamedTuple):
    """How the class shares change along a column: counts by class and period, chi-squared's p, Cramér's V."""

    column: ColumnProfile
    counts: npt.NDArray[np.int64]
    p: float
    v: float


@rule(
    "BD204",
    severity=Severity.WARNING,
    scans=("cells", "order"),
    flags=[
        example(
            "more sales every month",
            RISING,
            Recipe(),
            says="'yes' goes from 5% of the earliest rows to 95% of the latest",
        ),
        example("years as numbers", YEARS, Recipe(), says="along 'year'"),
        example("another way to write dates", _sales(True, _german), Recipe(), says="along 'sold'"),
    ],
    passes=[
        example("the same share at all times", _sales(False), Recipe()),
        example("split by time", RISING, Recipe().edited({"split.time": "sold"})),
        example("a date of birth is no time of the row", _sales(True, name="date_of_birth"), Recipe()),
    ],
)
def time_leak(
    profile: Profile, recipe: Recipe, parts: Parts | None = None, *, min_v: float = 0.1, max_p: float = 1e-4
) -> Iterator[Finding]:
    """The class shares change over time, and a shuffled split trains on the future of what it tests on.

    Looked at are columns of dates, of years and Unix times under a name that says so, and of numbers called time or
    date that rise along the file; dates of birth and manufacture are not. Rows are cut by time into up to ten periods
    of about equally many rows. Classes and periods must depend on each other by chi-squared (p below `max_p`, corrected
    for the number of such columns) and with an effect that matters: Cramér's V, corrected for bias, of at least
    `min_v`. Months as numbers, without a year, are a note. Of several columns the one with the fewest missing cells is
    named first.

    Measured on 32 real sets, of which three have dates: cancelled taxis go from 2% to 18% of the rows of a period (V
    0.22), delayed flights lie between 9% and 40% (V 0.23), recidivism (COMPAS) goes from 38% to 100% (V 0.40). The
    bankruptcy data, where each year has its matched firms, stay silent.

    ## Why it matters
    When the shares drift, what surrounds a row in time tells its class. A shuffled split has rows from before and after
    each held-out row in training; in use there is only the past. The score is that of filling gaps, not of foretelling.

    ## When to ignore it
    When new rows come from the same period, as in a one-off study.

    ## References
    - Bergsma, W. (2013). A bias-correction for Cramér's V and Tschuprow's T. Journal of the Korean Statistical Society
      42(3).
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    split = recipe.split
    if parts or split.time or split.group or split.column or not split.shuffle:
        return
    timed = [column for column in profile.columns.values() if column.distribution and is_time(column, profile.blocks)]
    months = [] if timed else [c for c in profile.columns.values() if c.distribution and is_month(c)]
    drifts = [drift for column in timed or months if (drift := _drift(column)) is not None]
    found = [drift for drift in drifts if drift.v >= min_v and drift.p * len(drifts) < max_p]
    if not found:
        return
    found.sort(key=lambda drift: (drift.column.missing, -drift.v))
    worst = found[0]
    shares = worst.counts / worst.counts.sum(axis=0)
    moved = shares[:, -1] - shares[:, 0]
    label = 1 if len(moved) == 2 else int(np.abs(moved).argmax())
    name = worst.column.name
    along = f"along '{name}'" + (f" (and {listed([d.column.name for d in found[1:]])})" if found[1:] else "")
    if abs(moved[label]) >= (shares[label].max() - shares[label].min()) / 2:
        change = f"goes from {shares[label, 0]:.0%} of the earliest rows to {shares[label, -1]:.0%} of the latest"
    else:
        change = f"goes between {shares[label].min():.0%} and {shares[label].max():.0%} of the rows of a period"
    sortable = not worst.column.date_format or worst.column.date_format.startswith("%Y-%m-%d")
    yield Finding(
        f"{profile.classes[label]!r} {change} {along}, and the split is shuffled",
        Where("column", name),
        {
            "v": worst.v,
            "p": worst.p,
            "shares": [round(float(share), 4) for share in shares[label]],
            "columns": {drift.column.name: drift.v for drift in found},
            "min_v": min_v,
            "max_p": max_p,
        },
        (
            Fix(f"Keep the latest rows back, by '{name}'", {"split.time": name}, Aim.ADVISE)
            if sortable and timed
            else Fix(f"Keep the latest rows back, by '{name}' written as year-month-day", aim=Aim.ADVISE),
        ),
        Confidence.HIGH if timed else Confidence.LOW,
        None if timed else Severity.NOTE,
    )


def _drift(column: ColumnProfile) -> Drift | None:
    """Count classes by period; None where there are not two periods and two classes of enough rows."""
    assert column.distribution is not None
    counts = column.distribution.counts
    totals = counts.sum(axis=0)
    rows = int(totals.sum())
    periods = min(PERIODS, rows // MIN_ROWS)
    if periods < 2:
        return None
    middles = np.cumsum(totals) - totals / 2
    _, starts = np.unique(np.floor(middles / rows * periods), return_index=True)
    table = np.add.reduceat(counts, starts, axis=1)
    table = table[table.sum(axis=1) > 0]
    table = table[:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    chi2 = float(((table - expected) ** 2 / expected).sum())
    classes, cuts = table.shape
    freedom = (classes - 1) * (cuts - 1)
    excess = max(0.0, chi2 / rows - freedom / (rows - 1))
    smaller = min(classes - (classes - 1) ** 2 / (rows - 1), cuts - (cuts - 1) ** 2 / (rows - 1)) - 1
    return Drift(column, table, chi2_above(chi2, freedom), float(np.sqrt(excess / smaller)))
