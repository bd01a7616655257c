"""Which columns say when a row happened."""

import re

import numpy as np

from bindoctor import Blocks, ColumnProfile, Moments

BIRTH = re.compile(
    r"birth|born|dob|built|build|made|model|construct|manufact|regist|founded|opened|graduat|expir|yob", re.I
)
YEAR = re.compile(r"(?:^|[\W_\d]|(?<=[a-z])(?=Y))(?:years?|yr)(?:$|[\W_\d])|^jahr$", re.I)
MONTH = re.compile(r"(?:^|[\W_])(?:months?|mon|mnth)(?:$|[\W_\d])", re.I)
STAMP = re.compile(r"time|date|stamp|epoch|(?:^|[\W_])(?:dt|ts)(?:$|[\W_])", re.I)

MIN_BLOCKS = 4
FIRST_SECOND, LAST_SECOND = 3.0e8, 4.1e9
"""Unix times from 1979 to 2099."""


def is_time(column: ColumnProfile, blocks: Blocks | None) -> bool:
    """Tell whether a column says when a row happened: a date, a year, a Unix time, a date written as 20240131.

    A number under a name that says time or date also counts where it rises along the file.

    Dates of birth, of manufacture and the like describe the row and do not say when it happened.
    """
    if BIRTH.search(column.name):
        return False
    if column.date_format:
        return True
    moments = column.moments
    if moments is None:
        return False
    if YEAR.search(column.name) and moments.integer:
        return _within(moments, 1900, 2100) or _within(moments, 0, 99)
    if not STAMP.search(column.name):
        return False
    seconds = any(_within(moments, FIRST_SECOND * unit, LAST_SECOND * unit) for unit in (1, 1000, 1_000_000))
    return seconds or _within(moments, 19_000_101, 21_001_231) or _rises(column.name, blocks)


def is_month(column: ColumnProfile) -> bool:
    """Tell whether a column holds the number of a month under a name that says so."""
    moments = column.moments
    return moments is not None and moments.integer and _within(moments, 1, 12) and bool(MONTH.search(column.name))


def _rises(name: str, blocks: Blocks | None) -> bool:
    if blocks is None or name not in blocks.columns:
        return False
    means = blocks.means[blocks.columns.index(name)]
    means = means[~np.isnan(means)]
    return len(means) >= MIN_BLOCKS and bool((np.diff(means) >= 0).all())


def _within(moments: Moments, low: float, high: float) -> bool:
    return low <= moments.minimum and moments.maximum <= high
