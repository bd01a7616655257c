"""Recognises how dates are written and turns them into days."""

import numpy as np
import numpy.typing as npt
import polars as pl

FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%m/%d/%y",
    "%d/%m/%y",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
"""Ways to write a date, the commoner of two that fit the same texts first."""

MIN_DATE_SHARE = 0.9
PROBED_TEXTS = 16
MIN_PROBED_SHARE = 0.5
LIKE_A_DATE = r"\d[-/.]\d|\d[- ][A-Za-z]{3}|[A-Za-z]{3} \d"
SECONDS_PER_DAY = 86_400.0
FIRST_DAY = -354_285
"""1 January 1000: "12/31/99" is no date of the year 99."""


def date_format(texts: pl.Series) -> str:
    """Return the first of ``FORMATS`` that reads most of the texts and at least 90 % of them, "" if none does.

    Whole numbers are no dates here: 20240131 is one only where a user says so.
    """
    if texts.null_count():
        texts = texts.drop_nulls()
    few = texts.head(PROBED_TEXTS)
    if not len(few) or few.str.contains(LIKE_A_DATE).sum() < MIN_PROBED_SHARE * len(few):
        return ""
    # Formats that read none of the first texts are not tried on all of them.
    likely = [form for form in FORMATS if _times_of(few, form).null_count() < len(few)]
    shares = {form: len(texts) - days_of(texts, form).null_count() for form in likely}
    best = max(shares, key=lambda form: shares[form], default="")
    return best if best and shares[best] >= MIN_DATE_SHARE * len(texts) else ""


def days_of(texts: pl.Series, form: str) -> pl.Series:
    """Return days since 1970-01-01 with the time of day as fraction, Float64; null for what is no such date."""
    days = _times_of(texts, form).cast(pl.Int64).cast(pl.Float64) / (SECONDS_PER_DAY * 1e6)
    return days.set(days.fill_null(0.0) < FIRST_DAY, None)


def _times_of(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, strict=False, exact=True, time_unit="us", ambiguous="null")


def days_array(texts: pl.Series, form: str) -> npt.NDArray[np.float64]:
    """Return ``days_of`` as an array, NaN for what is no such date, shape (n,)."""
    return days_of(texts, form).to_numpy()
