"""What days a column of dates, or of numbers that stand for dates, holds."""

import re

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, InputError, Recipe

MIN_DATE_SHARE = 0.9
MIN_DAY_NUMBERS = 3
DAYS_IN_WEEK = 7

TIME_NAME = re.compile(
    r"(?i:\b|_)(?i:time|timestamp|ts|date|datetime|created|updated|epoch|unix)(?i:\b|_)|[a-z](?:Time|Date|At)$"
)
UNIX = {"seconds": 1, "milliseconds": 1000}
FIRST_SECOND, LAST_SECOND = 631_152_000, 2_082_758_400
"""1990 and 2036, within which a unix time is likely to lie."""
MAX_UNNAMED_YEARS = 20
SECONDS_PER_YEAR = 31_556_952

Floats = npt.NDArray[np.float64]


def recipe_format(form: str) -> str:
    """Return how ``features.dates`` takes dates written as ``form``: whole, or without the time; "" if neither."""
    for tried in (form, re.sub(r"[T ]%[HI].*", "", form)):
        try:
            Recipe().edited({"features.dates.x": {"format": tried}})
        except InputError:
            continue
        return tried
    return ""


def varying_parts(days: Floats, *, hours: bool) -> list[str]:
    """Choose the parts that tell dates apart: the day itself, and the seasons of which the dates hold more than one.

    A month is a part only where it occurs in two years, a weekday where the dates span more than a week: within one
    year, or week, both only say once more how late it is.

    Args:
        days: days since 1970-01-01, shape (m,).
        hours: whether there is a time of day.
    """
    whole = np.unique(np.floor(days)).astype(np.int64)
    months = np.unique(whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))
    parts = ["days"] if len(whole) > 1 else []
    if len(np.unique(months % 12)) < len(months) and len(np.unique(months % 12)) > 1:
        parts.append("month")
    if len(np.unique(whole % DAYS_IN_WEEK)) > 1 and whole[-1] - whole[0] >= DAYS_IN_WEEK:
        parts.append("weekday")
    if hours and len(np.unique(np.floor(24 * (days - np.floor(days)) + 1e-6))) > 1:
        parts.append("hour")
    return parts


def days_of_numbers(column: ColumnProfile) -> Floats:
    """Return the days since 1970-01-01 of numbers such as 20240131, shape (m,); without any if they are none.

    At least 90 % of the cells must be days of the years 1900 to 2099, and three of them different: of whole numbers of
    that size one in 27 is a day by chance.
    """
    nothing = np.empty(0)
    if column.moments is None or not column.moments.integer or not 19_000_101 <= column.moments.median < 21_000_000:
        return nothing
    counted = column.levels if column.levels_complete else column.value_sample
    numbers = np.array([float(level.value) for level in counted]).astype(np.int64)
    rows = np.array([level.count for level in counted], dtype=np.int64)
    year, month, day = numbers // 10_000, numbers // 100 % 100, numbers % 100
    fits = (year >= 1900) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1)
    first = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    dates = first.astype("datetime64[D]") + (day - 1)
    fits &= dates.astype("datetime64[M]") == first
    if fits.sum() < MIN_DAY_NUMBERS or rows[fits].sum() < MIN_DATE_SHARE * rows.sum():
        return nothing
    return np.asarray(np.unique(dates[fits]).astype(np.float64))


def unix_unit(column: ColumnProfile) -> str:
    """Return "seconds" or "milliseconds" when a column's numbers are unix times, else "".

    All lie between 1990 and 2036. Under a name that says nothing of time only milliseconds count, within 20 years:
    telephone numbers and amounts have ten digits too.
    """
    moments = column.moments
    if moments is None or not moments.integer or moments.minimum == moments.maximum:
        return ""
    named = bool(TIME_NAME.search(column.name))
    for unit, per_second in UNIX.items():
        inside = FIRST_SECOND * per_second <= moments.minimum and moments.maximum <= LAST_SECOND * per_second
        years = (moments.maximum - moments.minimum) / per_second / SECONDS_PER_YEAR
        if inside and (named or (per_second > 1 and years <= MAX_UNNAMED_YEARS)):
            return unit
    return ""
