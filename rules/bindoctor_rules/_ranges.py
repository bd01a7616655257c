"""Which columns are ranges of another, as age groups are of ages."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Rows

MAX_RANGES = 20
MAX_COMPARED = 200
MIN_PRESENT = 0.9


def ranges_of(columns: Mapping[str, ColumnProfile], rows: Rows, *, min_rows: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of a number column and a column of few values that is constant on intervals of it.

    Each of its values must fill one interval of the numbers, and the commonest leave at least ``min_rows`` rows to the
    others, so that a rare flag does not fall on one side by chance. A column is a range of one other, that of the
    fewest values; the first 200 that come into question are compared.

    Args:
        columns: the columns to compare.
        rows: the rows, number columns as Float64 and text columns as String.
        min_rows: rows outside of the commonest value.
    """
    few = [c for c in columns.values() if c.levels_complete and 2 <= c.distinct <= MAX_RANGES][:MAX_COMPARED]
    many = [c for c in columns.values() if c.kind == "number" and 2 * c.distinct <= c.count][:MAX_COMPARED]
    if not few or not many:
        return
    codes = np.column_stack([_codes(column, rows) for column in few])
    values = np.array([column.distinct for column in few])
    others = np.array([column.count - column.levels[0].count for column in few])
    found: dict[str, str] = {}
    for column in sorted(many, key=lambda column: column.distinct):
        likely = np.flatnonzero((values < column.distinct) & (others >= min_rows))
        numbers = rows.features[column.name].to_numpy()
        order = np.argsort(numbers, kind="stable")[: int((~np.isnan(numbers)).sum())]
        likely = _first_look(codes, order, likely, values)
        for at in likely.tolist():
            inside = codes[order, at]
            inside = inside[inside >= 0]
            if len(inside) >= MIN_PRESENT * len(rows) and (np.diff(inside) != 0).sum() == values[at] - 1:
                found.setdefault(few[at].name, column.name)
    for name in columns:
        if name in found:
            yield found[name], name


def _first_look(
    codes: npt.NDArray[np.int16],
    order: npt.NDArray[np.int64],
    likely: npt.NDArray[np.int64],
    values: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Keep the columns that do not change too often along some of the rows."""
    some = codes[np.ix_(order[:: max(1, len(order) // 256)], likely)]
    changes = ((some[1:] != some[:-1]) & (some[1:] >= 0) & (some[:-1] >= 0)).sum(axis=0)
    kept: npt.NDArray[np.int64] = likely[changes <= values[likely] - 1]
    return kept


def _codes(column: ColumnProfile, rows: Rows) -> npt.NDArray[np.int16]:
    """Number the values of a column, shape (n,), -1 where one is missing."""
    cells = rows.features[column.name]
    if column.kind == "number":
        numbers = cells.to_numpy()
        _, codes = np.unique(numbers, return_inverse=True)
        return np.where(np.isnan(numbers), -1, codes).astype(np.int16)
    known = {level.value: code for code, level in enumerate(column.levels)}
    return np.array([known.get(text, -1) for text in cells.to_list()], dtype=np.int16)
