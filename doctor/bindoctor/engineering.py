"""Makes number columns of dates and of other columns, and clips numbers: fitted on training rows, applied to any."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dates import days_of
from bindoctor.errors import InputError
from bindoctor.recipe_sections import Data, Dates, Derived, Features

Columns = Mapping[str, Literal["number", "text"]]

MIN_DIVISOR = 1e-6
"""A divisor below this share of the training rows' mean size counts as zero."""
MILLISECONDS_PER_DAY = 86_400_000


class Learned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What preprocessing has learnt from training rows beside what scikit-learn's objects hold.

    Attributes:
        clips: the range that each clipped column is moved into.
        groups: the mean of each group's numbers, for each column derived from such means.
        overall: the mean of all numbers, for the same columns: what a group without training rows gets.
        divisors: the size from which on a divisor counts, for each column derived by division.
        fills: what a number is read as that is not there although what it is made of is, by column.
        kept: positions of the inputs that are left of the preprocessor's, ascending; empty for all.
    """

    clips: dict[str, tuple[float, float]] = {}
    groups: dict[str, dict[str, float]] = {}
    overall: dict[str, float] = {}
    divisors: dict[str, float] = {}
    fills: dict[str, float] = {}
    kept: tuple[int, ...] = ()


def engineered_columns(features: Features, columns: Columns) -> dict[str, Literal["number", "text"]]:
    """Return the kinds of the columns that preprocessing sees, by name: parts for dates, and derived ones behind."""
    kinds: dict[str, Literal["number", "text"]] = {}
    for name, kind in columns.items():
        if name in features.dates:
            kinds |= dict.fromkeys((f"{name}_{part}" for part in features.dates[name].parts), "number")
        else:
            kinds[name] = kind
    return kinds | dict.fromkeys((name for name, _ in _derived(features, kinds)), "number")


def check_engineering(data: Data, features: Features, columns: Columns) -> None:
    """Check that what columns are made of exists, is of the right kind, and that their names are free.

    A column that the recipe drops may still be named: what is made of it is left out.

    Raises:
        InputError: a setting names an unknown column or one of the wrong kind, or a name is taken.
    """
    taken = {*columns}
    for name, dates in features.dates.items():
        if name not in columns and name not in data.drop:
            raise InputError(f"recipe.features.dates names {name!r}, which is no feature column.")
        _claim(taken, [f"{name}_{part}" for part in dates.parts] if name in columns else [], "dates")
    known = engineered_columns(msgspec.structs.replace(features, derive={}), columns)
    for name, derived in features.derive.items():
        for role in ("a", "by" if derived.grouped else "b"):
            parent = getattr(derived, role)
            if parent not in known and parent not in data.drop:
                raise InputError(f"recipe.features.derive.{name} names {parent!r}, which is no feature column.")
            if role != "by" and known.get(parent, "number") != "number":
                raise InputError(
                    f"recipe.features.derive.{name} names {parent!r}, a text column, but takes number columns "
                    "(recipe.data.casts changes a column's kind)."
                )
        _claim(taken, [name], "derive")


def learn(features: Features, columns: Columns, frame: pl.DataFrame, *, fill: bool) -> tuple[Learned, pl.DataFrame]:
    """Fit what the recipe makes of columns on training rows.

    Args:
        features: the recipe's section.
        columns: the feature columns' kinds by name.
        frame: the training rows; one Float64 or String column a feature.
        fill: whether numbers must not be missing, because nothing imputes them.

    Returns:
        What was learnt, and the training rows with the columns of ``engineered_columns``. A date that cannot be read,
        and what is made of missing numbers, is null. A division by zero gives the training rows' median with ``fill``,
        otherwise null.
    """
    if not _makes(features):
        return Learned(), frame
    dated = _with_dates(features, columns, frame)
    means, overall, divisors = {}, {}, {}
    for name, derived in _derived(features, dated.schema):
        numbers = dated[derived.a]
        if derived.grouped:
            means[name] = _group_means(_keys(dated[derived.by]), numbers)
            overall[name] = _mean(numbers)
        if derived.divides:
            divisors[name] = MIN_DIVISOR * _mean((numbers if derived.grouped else dated[derived.b]).abs())
    learned = Learned(groups=means, overall=overall, divisors=divisors)
    made = _with_derived(features, learned, dated)
    clips = {name: _quantiles(made[name], shares) for name, shares in features.clip.items() if name in made.columns}
    learned = msgspec.structs.replace(
        learned,
        clips={name: bounds for name, bounds in clips.items() if bounds is not None},
        fills=_fills(features, columns, made) if fill else {},
    )
    return learned, engineered(features, columns, learned, frame)


def engineered(features: Features, columns: Columns, learned: Learned, frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns of ``engineered_columns``, made with what was learnt from training rows.

    Where ``learned.fills`` has a number for a column, it stands for dates that cannot be read and divisions by zero.
    """
    if not _makes(features):
        return frame
    made = _with_derived(features, learned, _with_dates(features, columns, frame))
    clipped = [made[name].clip(low, high) for name, (low, high) in learned.clips.items()]
    return made.with_columns(clipped).select(list(engineered_columns(features, columns)))


def _makes(features: Features) -> bool:
    return bool(features.dates or features.derive or features.clip)


def _derived(features: Features, known: Mapping[str, object]) -> Iterator[tuple[str, Derived]]:
    """Yield the derived columns that can be made of these."""
    for name, derived in features.derive.items():
        if all(parent in known for parent in derived.parents):
            yield name, derived


def _claim(taken: set[str], names: list[str], setting: str) -> None:
    for name in names:
        if name in taken:
            raise InputError(
                f"recipe.features.{setting} makes a column {name!r}, but there is one of that name; rename it."
            )
        taken.add(name)


def _with_dates(features: Features, columns: Columns, frame: pl.DataFrame) -> pl.DataFrame:
    made: list[pl.Series] = []
    for name in columns:
        made += _date_parts(frame[name], features.dates[name]) if name in features.dates else [frame[name]]
    return pl.DataFrame(made)


def _date_parts(texts: pl.Series, dates: Dates) -> list[pl.Series]:
    days = days_of(texts.str.strip_chars(), dates.format)
    whole = days.floor()
    date = whole.cast(pl.Int32).cast(pl.Date)
    # A day's fraction is a rounded number: 14:00 may be a hair less than that.
    milliseconds = ((days - whole) * MILLISECONDS_PER_DAY).round().cast(pl.Int64)
    parts = {
        "year": date.dt.year(),
        "month": date.dt.month(),
        "day": date.dt.day(),
        "weekday": date.dt.weekday() - 1,
        "hour": (milliseconds // (MILLISECONDS_PER_DAY // 24)).clip(0, 23),
        "days": whole,
    }
    return [parts[part].cast(pl.Float64).alias(f"{texts.name}_{part}") for part in dates.parts]


def _with_derived(features: Features, learned: Learned, dated: pl.DataFrame) -> pl.DataFrame:
    filled = dated.with_columns(
        dated[name].fill_null(value) for name, value in learned.fills.items() if name in dated.columns
    )
    made = [_made(derived, name, learned, filled).alias(name) for name, derived in _derived(features, dated.schema)]
    return filled.with_columns(made)


def _made(derived: Derived, name: str, learned: Learned, frame: pl.DataFrame) -> pl.Series:
    first = frame[derived.a]
    if derived.grouped:
        means, overall = learned.groups[name], learned.overall[name]
        keys = _keys(frame[derived.by])
        second = keys.replace_strict(list(means), list(means.values()), default=overall, return_dtype=pl.Float64)
        second = second.fill_null(overall)
    else:
        second = frame[derived.b]
    if derived.divides:
        second = second.set((second.abs() <= learned.divisors[name]).fill_null(False), None)
        result = first / second
    else:
        result = first * second if derived.op == "product" else first - second
    result = result.set((~result.is_finite()).fill_null(False), None)
    if name in learned.fills:
        inputs = [frame[parent] for parent in derived.parents if parent != derived.by]
        present = pl.Series([True] * len(frame), dtype=pl.Boolean)
        for column in inputs:
            present &= column.is_not_null()
        result = result.set(result.is_null() & present, learned.fills[name])
    return result


def _keys(column: pl.Series) -> pl.Series:
    """Return what groups are told apart by, as text: numbers are equal however they were written."""
    return (column + 0.0).cast(pl.String) if column.dtype.is_numeric() else column


def _group_means(keys: pl.Series, numbers: pl.Series) -> dict[str, float]:
    present = keys.is_not_null() & numbers.is_not_null()
    keys, values = keys.filter(present), numbers.filter(present).to_numpy()
    names = keys.unique().sort().to_list()
    codes = keys.replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    sums, counts = np.bincount(codes, values, len(names)), np.bincount(codes, minlength=len(names))
    return dict(zip(names, (sums / np.maximum(counts, 1)).tolist(), strict=True))


def _mean(numbers: pl.Series) -> float:
    values = _values(numbers)
    return float(values.mean()) if len(values) else 0.0


def _quantiles(numbers: pl.Series, shares: tuple[float, float]) -> tuple[float, float] | None:
    values = _values(numbers)
    if not len(values):
        return None
    low, high = np.quantile(values, shares)
    return float(low), float(high)


def _fills(features: Features, columns: Columns, made: pl.DataFrame) -> dict[str, float]:
    """Return the medians of the made columns; none for a part of dates of which some cannot be read in training."""
    parts = [name for name in made.columns if name not in columns and name not in features.derive]
    names = [name for name in parts if not made[name].null_count()]
    names += [name for name in features.derive if name in made.columns]
    medians = {name: _quantiles(made[name], (0.5, 0.5)) for name in names}
    return {name: 0.0 if median is None else median[0] for name, median in medians.items()}


def _values(numbers: pl.Series) -> npt.NDArray[np.float64]:
    return numbers.drop_nulls().to_numpy()
