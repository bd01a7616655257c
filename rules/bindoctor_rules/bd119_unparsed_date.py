"""Dates reach training as text, or as numbers that are no amounts."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

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
from bindoctor_rules._dates import TIME_NAME, days_of_numbers, recipe_format, unix_unit, varying_parts
from bindoctor_rules._encoding import MIN_LEVELS, MIN_ROWS_PER_LEVEL, is_one_hot, is_sparse, one_hot_levels
from bindoctor_rules._wording import counted, listed

BIRTH_NAME = re.compile(r"(?i:\b|_)(?i:dob|birth|birthday|birthdate|born)(?i:\b|_)|(?i:birth)")

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(200)]
VISITS = Table({"visit": [f"2023-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(200)], "y": CLASSES})
SEASONS = Table(
    {
        "sold": [f"{1 + i * 7 % 12}/{1 + i * 5 % 3}/{2020 + i % 2} {i % 5 + 9}:30" for i in range(900)],
        "y": ["a", "b", "a"] * 300,
    }
)
NUMBERS = Table({"adate": [20230000 + 100 * (1 + i * 37 % 12) + 1 + i * 53 % 28 for i in range(200)], "y": CLASSES})
TIMES = Table({"timestamp": [1_600_000_000 + i * 7_654_321 % 9_999_991 for i in range(200)], "y": CLASSES})
PHONES = Table({"phone": [1_600_000_000 + i * 7_654_321 % 9_999_991 for i in range(200)], "y": CLASSES})
SHORT = Table({"day": [f"{'JFM'[i % 3]}{i * 7 % 28}" for i in range(200)], "y": CLASSES})


@rule(
    "BD119",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example(
            "days as levels",
            VISITS,
            Recipe(),
            says="'visit' holds dates, such as '2023-01-01', that are read as 200 different texts",
        ),
        example("with a time of day", SEASONS, Recipe(), says="'sold' holds dates, such as '"),
        example("digits in a row", NUMBERS, Recipe(), says="'adate' holds days written as numbers from 20230101 to"),
        example(
            "seconds since 1970",
            TIMES,
            Recipe(),
            says="'timestamp' holds unix times in seconds, of 2020-09-13 to 2021-01-",
        ),
    ],
    passes=[
        example(
            "parsed",
            VISITS,
            Recipe().edited({"features.dates.visit": {"format": "%Y-%m-%d", "parts": ["days", "weekday"]}}),
        ),
        example("left out", VISITS, Recipe().edited({"data.drop": ["visit"]})),
        example("telephone numbers", PHONES, Recipe()),
        example("texts that are no dates", SHORT, Recipe()),
    ],
)
def unparsed_date(
    profile: Profile, recipe: Recipe, *, min_levels: int = MIN_LEVELS, min_rows_per_level: float = MIN_ROWS_PER_LEVEL
) -> Iterator[Finding]:
    """Dates reach training as text, or as numbers that are no amounts.

    Texts are dates when at least 90% of them are written in one of the usual ways; the finding is a warning where the
    recipe makes an input of each of `min_levels` levels or more with fewer than `min_rows_per_level` rows each, as
    high-cardinality does, which leaves dates to this rule. Numbers are dates when they are days such as 20240131, or
    unix times: those between 1990 and 2036, of a column whose name says time or, in milliseconds, within 20 years.
    Found: the dates of the flight delay, taxi, COMPAS, laptop sales, collision and weather tables; none in 150 others.

    The parts that are offered are the day itself (which keeps the order), the month where months come back, the weekday
    and the hour, as far as they differ.

    ## Why it matters
    As text every day is a level of its own, and a new row's day is one that training never saw. As a number 20240131 is
    further from 20240201 than from 20240101. Order, season, weekday and hour are what a model can use of a date, and
    what carries over to new rows. Where the outcome changes over time a random split is kinder than the future.

    ## When to ignore it
    When the date only says when the row was recorded; then leave the column out.

    ## References
    - Kuhn, M., & Johnson, K. (2019). Feature Engineering and Selection, section 3.6 (date and time features). CRC.
    - Hyndman, R. J., & Athanasopoulos, G. (2021). Forecasting: Principles and Practice, 3rd edition, section 7.4.
    - Bergmeir, C., & Benítez, J. M. (2012). On the use of cross-validation for time series predictor evaluation.
      Information Sciences 191.
    """
    dates = [c for c in profile.columns.values() if c.role == "date" and c.name not in recipe.features.dates]
    if dates:
        crowded = [
            column.name
            for column in dates
            if is_one_hot(column, recipe)
            and is_sparse(column, one_hot_levels(column, recipe), min_levels, min_rows_per_level)
        ]
        yield _texts(dates, crowded, profile, recipe, min_levels, min_rows_per_level)
    for column in profile.columns.values():
        if column.kind == "number" and not column.constant and column.name not in recipe.features.dates:
            yield from _numbers(column, recipe)


def _texts(
    dates: Sequence[ColumnProfile],
    crowded: Sequence[str],
    profile: Profile,
    recipe: Recipe,
    min_levels: int,
    min_rows_per_level: float,
) -> Finding:
    names = [column.name for column in dates]
    if len(dates) == 1:
        such = _example_of(dates[0], profile)
        which = f"'{names[0]}' holds dates, such as '{such}', that are read as {_distinct(dates[0])}"
    else:
        most = max(dates, key=lambda column: column.distinct)
        which = f"{listed(names)} hold dates that are read as text (up to {_distinct(most)} in '{most.name}')"
    parsed = {
        f"features.dates.{column.name}": {"format": recipe_format(column.date_format), "parts": parts}
        for column in dates
        if (parts := _parts(column)) and recipe_format(column.date_format)
    }
    fixes = []
    if parsed:
        parts = list(dict.fromkeys(part for edit in parsed.values() for part in edit["parts"]))
        fixes.append(Fix(f"Turn them into numbers ({', '.join(parts)})", parsed))
    fixes.append(Fix(f"Leave out {listed(names)}", {"data.drop+": names}))
    fixes.extend(_by_time(dates, recipe))
    return Finding(
        which,
        Where("column", names[0]) if len(names) == 1 else Where("recipe", "features.dates"),
        {
            "columns": names,
            "formats": {column.name: column.date_format for column in dates},
            "dates": {column.name: column.dates for column in dates},
            "crowded": list(crowded),
            "min_levels": min_levels,
            "min_rows_per_level": min_rows_per_level,
        },
        tuple(fixes),
        severity=Severity.WARNING if crowded else Severity.NOTE,
    )


def _parts(column: ColumnProfile) -> list[str]:
    if column.distribution is None:
        return []
    return varying_parts(column.distribution.lows, hours="%H" in column.date_format)


def _numbers(column: ColumnProfile, recipe: Recipe) -> Iterator[Finding]:
    moments = column.moments
    if moments is None:
        return
    days = days_of_numbers(column)
    if len(days):
        first, last = (str(day.astype("datetime64[D]")) for day in days[[0, -1]].astype("int64"))
        edits = {f"features.dates.{column.name}": {"format": "%Y%m%d", "parts": varying_parts(days, hours=False)}}
        yield Finding(
            f"'{column.name}' holds days written as numbers from {first.replace('-', '')} to {last.replace('-', '')}",
            Where("column", column.name),
            {"first": first, "last": last, "distinct": column.distinct},
            (Fix("Turn them into numbers of days, weekdays and the like", edits), *_by_time([column], recipe)),
        )
    elif unit := unix_unit(column):
        per_second = 1000 if unit == "milliseconds" else 1
        yield Finding(
            f"'{column.name}' holds unix times in {unit}, of {_day(moments.minimum / per_second)} to "
            f"{_day(moments.maximum / per_second)}",
            Where("column", column.name),
            {"minimum": moments.minimum, "maximum": moments.maximum, "unit": unit},
            (
                Fix(
                    f"Leave out '{column.name}', or turn it into weekday and hour first", {"data.drop+": [column.name]}
                ),
                *_by_time([column], recipe),
            ),
            Confidence.MEDIUM,
        )


def _by_time(columns: Sequence[ColumnProfile], recipe: Recipe) -> Iterator[Fix]:
    """Offer to keep the latest rows back, by the column that most looks like the time of the row."""
    ordered = [c for c in columns if (c.dates == c.count and not c.missing) or c.kind == "number"]
    likely = [column for column in ordered if not BIRTH_NAME.search(column.name)]
    if not likely or recipe.split.group or recipe.split.time:
        return
    column = max(likely, key=lambda c: (bool(TIME_NAME.search(c.name)), c.distinct))
    title = f"Keep the latest rows back, by '{column.name}', if the model is for the future"
    if column.kind == "text" and not column.date_format.startswith("%Y-%m-%d"):
        yield Fix(f"{title} (once its dates are written as 2024-01-31)", aim=Aim.ADVISE)
        return
    edits: dict[str, object] = {"split.time": column.name}
    if recipe.split.stratify:
        edits["split.stratify"] = False
    yield Fix(title, edits, Aim.ADVISE)


def _distinct(column: ColumnProfile) -> str:
    return f"{'' if column.levels_complete else 'about '}{counted(column.distinct, 'different text')}"


def _example_of(column: ColumnProfile, profile: Profile) -> str:
    if column.levels:
        return column.levels[0].value.strip()
    texts = profile.sample.features[column.name].drop_nulls().head(1).to_list() if profile.sample else []
    return texts[0].strip() if texts else ""


def _day(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
