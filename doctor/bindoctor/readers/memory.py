"""A table in memory as a source: columns of cells, a data frame of any library, or a NumPy array."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from bindoctor.dataset import Source, Table
from bindoctor.errors import InputError
from bindoctor.readers.frames import FrameSource, check_types, named_apart


def table_source(table: Table, *, name: str = "table") -> Source:
    """Return the table's cells as a CSV file would hold them: ``True`` as "true", 1.0 as "1.0", ``None`` and NaN blank.

    Raises:
        InputError: the columns differ in length, or there are none.
    """
    lengths = {column: len(cells) for column, cells in table.cells.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"table: its columns differ in length or there are none ({lengths}); give every row a cell.")
    return FrameSource(pl.DataFrame({column: _texts(cells) for column, cells in table.cells.items()}), name)


def object_source(data: Any) -> Source:
    """Return a data frame or an array as a source.

    Args:
        data: a Polars frame, a pandas frame (its index is left out), anything else that exports an Arrow stream (a
            pyarrow table, a DuckDB relation …), or a NumPy array: two-dimensional, with columns called "0", "1", …, or
            structured.

    Raises:
        InputError: it is none of these, has no rows or columns, or a column holds other than single values.
    """
    remarks: tuple[str, ...] = ()
    if isinstance(data, pl.LazyFrame):
        frame = data.collect()
    elif isinstance(data, pl.DataFrame):
        frame = data
    elif isinstance(data, np.ndarray):
        frame = _from_array(data)
    elif hasattr(data, "iloc") and hasattr(data, "columns"):
        frame, remarks = _from_pandas(data)
    elif hasattr(data, "__arrow_c_stream__"):
        frame = pl.DataFrame(data)
    else:
        raise InputError(
            f"table: {type(data).__name__} is no table; give a path, a data frame, an Arrow table or a 2-D array."
        )
    if not frame.height or not frame.width:
        raise InputError("table: has no rows or no columns; give a table with data rows.")
    check_types("table", frame.schema)
    return FrameSource(frame, remarks=remarks)


def _from_array(array: np.ndarray[Any, Any]) -> pl.DataFrame:
    masked = isinstance(array, np.ma.MaskedArray)
    if array.dtype.names:
        if array.ndim != 1:
            raise InputError(f"table: a structured array of {array.ndim} dimensions is no table; give one of 1.")
        columns = {name: array[name] for name in array.dtype.names}
    elif array.ndim == 2:
        columns = {str(position): array[:, position] for position in range(array.shape[1])}
    else:
        raise InputError(f"table: an array of {array.ndim} dimensions is no table; give one of 2.")
    found = {}
    for name, column in columns.items():
        if column.ndim != 1:
            raise InputError(f"table: field {name!r} of the array holds arrays, not single values; unpack it.")
        mask = np.ma.getmaskarray(column) if masked else None
        found[name] = _from_values(name, np.asarray(column), mask)
    return pl.DataFrame(found)


def _from_pandas(data: Any) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read a pandas frame column by column, without pandas or pyarrow."""
    if getattr(data.columns, "nlevels", 1) > 1:
        raise InputError("table: its columns have names of several levels; join them to one.")
    names, remarks = named_apart("table", [str(name) for name in data.columns])
    numbered = list(data.index[:3]) == list(range(min(3, len(data)))) and data.index.nlevels == 1
    if not numbered:
        remarks = (*remarks, "the index is left out; reset_index() makes it a column")
    found = {}
    for position, name in enumerate(names):
        column = data.iloc[:, position]
        missing = np.asarray(column.isna(), dtype=np.bool_)
        plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM"
        values = column.to_numpy() if plain else column.astype(object).to_numpy()
        found[name] = _from_values(name, np.asarray(values), missing)
    return pl.DataFrame(found), remarks


def _from_values(name: str, values: np.ndarray[Any, Any], missing: np.ndarray[Any, Any] | None) -> pl.Series:
    if values.dtype.kind in "biufM" and values.dtype.itemsize <= 8 and values.dtype != np.float16:
        series = pl.Series(name, values)
    else:
        series = (
            _texts(values.tolist(), name)
            if missing is None
            else _texts([None if gone else cell for cell, gone in zip(values.tolist(), missing, strict=True)], name)
        )
    return series if missing is None or not missing.any() else series.set(pl.Series(missing), None)


def _texts(cells: Iterable[object], name: str = "") -> pl.Series:
    return pl.Series(name, [_text(name, cell) for cell in cells], pl.String)


def _text(name: str, cell: object) -> str | None:
    if isinstance(cell, list | tuple | dict | set | bytes | np.ndarray):
        raise InputError(f"table: column {name!r} holds {type(cell).__name__}, not single values; unpack it.")
    if cell is None or cell != cell or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)
