"""Reads the first sheet of a spreadsheet (xlsx, xlsb, xls, ods) that has a table."""

import datetime as dt
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from bindoctor.dataset import Source
from bindoctor.errors import InputError
from bindoctor.readers.frames import FrameSource, named_apart
from bindoctor.readers.header import guess_header
from bindoctor.readers.sniff import NoRowsError

Row = list[str | None]


def spreadsheet_source(path: Path, name: str, *, header: bool | None = None) -> Source:
    """Load the first sheet with cells; whole numbers are written without a point, dates as ISO.

    Rows and columns without any cell around and in the table are left out.

    Raises:
        InputError: the extra is not installed, the file is damaged or encrypted, or there is no data row.
    """
    if not importlib.util.find_spec("python_calamine"):
        raise InputError(f"{name}: reading a spreadsheet needs python-calamine; run: pip install 'bindoctor[excel]'")
    import python_calamine as calamine

    try:
        workbook = calamine.load_workbook(str(path))
        sheets = {sheet: workbook.get_sheet_by_name(sheet).to_python() for sheet in workbook.sheet_names}
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read as a spreadsheet ({error}); save it anew, or as CSV.") from None
    filled = {sheet: rows for sheet, rows in sheets.items() if any(cell != "" for row in rows for cell in row)}
    if not filled:
        raise NoRowsError(f"{name}: its sheets are empty; give a file with data rows.")
    sheet, cells = next(iter(filled.items()))
    remarks = []
    if len(filled) > 1:
        others = ", ".join(map(repr, [other for other in filled if other != sheet][:5]))
        remarks.append(f"sheet {sheet!r} is read; the others are left out ({others})")
    rows = _without_margins([[_text(cell) for cell in row] for row in cells])
    start = _titles(rows)
    if start:
        remarks.append(f"{start} row{'s stand' if start > 1 else ' stands'} before the table in {sheet!r} and left out")
        rows = _without_margins(rows[start:])
    first, below = [cell or "" for cell in rows[0]], [[cell or "" for cell in row] for row in rows[1:]]
    if header is None:
        guess = guess_header(first, below[:200])
        header = guess.header
        if not header:
            remarks.append("no header: the first row is data, and columns are called 0, 1, …; say --header if not so")
        elif guess.doubt:
            remarks.append(f"the first row is taken for the header, but {guess.doubt}; say --no-header if it is data")
    if header and not below:
        raise NoRowsError(f"{name}: has a header row but no data rows; give a file with data rows.")
    said: tuple[str, ...] = ()
    if header:
        names, said = named_apart(name, first)
        rows = rows[1:]
    else:
        names = tuple(str(position) for position in range(len(first)))
    frame = pl.DataFrame(
        {
            column: pl.Series(column, cells, pl.String)
            for column, cells in zip(names, zip(*rows, strict=True), strict=True)
        }
    )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FrameSource(frame, name, (*remarks, *said), digest)


def _text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(" ")
    return str(cell)


def _without_margins(rows: Sequence[Row]) -> list[Row]:
    """Leave out rows and outer columns without a cell."""
    filled = [row for row in rows if any(cell is not None for cell in row)]
    width = max(map(len, filled))
    even = [[*row, *[None] * (width - len(row))] for row in filled]
    used = [position for position in range(width) if any(row[position] is not None for row in even)]
    return [row[used[0] : used[-1] + 1] for row in even]


def _titles(rows: Sequence[Row]) -> int:
    """Return how many rows with a single cell stand above a row with a cell in every column."""
    width = len(rows[0])
    start = 0
    while start < len(rows) and sum(cell is not None for cell in rows[start]) == 1 < width:
        start += 1
    full = start < len(rows) - 1 and sum(cell is not None for cell in rows[start]) > 1
    return start if full else 0
