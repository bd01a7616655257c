"""Parses a block of delimited text that holds whole rows, and finds the rows in it that cannot be read right."""

import re
from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from bindoctor.readers.cells import COMMA_NUMBER
from bindoctor.readers.encodings import BYTE_ORDER_MARK, BadTextError, Found, to_utf8
from bindoctor.readers.rowends import count, row_shapes, stray_quote, with_newlines, without_blank_lines
from bindoctor.readers.sniff import Layout

EXTRA = "\0after the last delimiter"
"""What the empty column is called that a delimiter at the end of every line makes."""


class Parsed(msgspec.Struct, frozen=True, eq=False):
    """The rows of a block.

    Attributes:
        frame: the columns asked for, as text.
        encoding: what the block is encoded in.
        foreign: the position of the first byte that is not ASCII, -1 without one.
        bad: how many rows were left out.
        first_bad: where the first of them starts.
    """

    frame: pl.DataFrame
    encoding: Found
    foreign: int
    bad: int
    first_bad: int


def parse_block(block: bytes, layout: Layout, columns: Sequence[str] | None, *, skip_bad_rows: bool) -> Parsed:
    """Return the rows of a block; empty cells, quoted or not, are null, and blank lines are no rows.

    Args:
        block: whole rows, the line end of the last included.
        layout: how to read them.
        columns: the columns wanted; None is all of them.
        skip_bad_rows: whether a row with a wrong number of fields, a NUL byte, or the header once more is left out.

    Raises:
        BadTextError: with the position of what cannot be read right.
    """
    quoted = b'"' in block
    if quoted:
        _check_quotes(block, layout.delimiter)
    lines = with_newlines(block) if b"\r" in block else block
    text, encoding = to_utf8(lines, strict=layout.strict)
    foreign = -1 if encoding == "ascii" else _first_foreign(lines)
    if len(layout.columns) == 1:
        text = without_blank_lines(text, layout.delimiter)
    joined = foreign >= 0 and (lines.startswith(BYTE_ORDER_MARK) or b"\n" + BYTE_ORDER_MARK in lines)
    frame = None if joined or b"\0" in block else _frame(text, layout, columns)
    bad, first_bad = 0, 0
    if frame is None:
        # Blank lines end up here too: looking for them first would cost every other block a pass.
        lines, bad, first_bad = _good_rows(lines, layout, skip_bad_rows=skip_bad_rows)
        frame = _frame(to_utf8(lines, strict=layout.strict)[0], layout, columns)
        if frame is None:
            raise BadTextError(0, "the rows from here on cannot be read; look for unusual quotes.")
    if layout.trailing:
        extra = frame[EXTRA].is_not_null()
        if extra.any() and not skip_bad_rows:
            raise BadTextError(_row_start(lines, layout, int(extra.arg_true()[0])), "a field after the last column.")
        bad += int(extra.sum())
        frame = frame.filter(~extra).drop(EXTRA)
    if layout.decimal_commas:
        frame = _with_points(frame, lines, layout)
    if columns is not None and layout.columns[-1] not in columns:
        frame = frame.drop(layout.columns[-1])
    if quoted and b'""' in text:
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    return Parsed(frame, encoding, foreign, bad, first_bad)


def _frame(text: bytes, layout: Layout, columns: Sequence[str] | None) -> pl.DataFrame | None:
    """Return rows with the columns asked for and the last, or None when some of them may not be right."""
    names = [*layout.columns, *[EXTRA] * layout.trailing]
    ends = names[len(layout.columns) - 1 :]
    wanted = names if columns is None else [name for name in names if name in columns or name in ends]
    if not text:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))
    schema = dict.fromkeys(names, pl.String)
    lazy = pl.scan_csv(text, has_header=False, separator=layout.delimiter, schema=schema, raise_if_empty=False)
    try:
        frame = (lazy if wanted == names else lazy.select(wanted)).collect(engine="in-memory")
    except pl.exceptions.PolarsError:
        return None
    if layout.header and len(names) > 1 and layout.names[-1] and (frame[ends[0]] == layout.names[-1]).any():
        return None if _headers(text, layout) else frame
    # Polars fills short rows with nulls in silence; long ones it refuses, unless it reads some columns only. So a row
    # of another length ends with a null, or stands in a block with another number of delimiters.
    complete, whole = not frame[ends[-1]].null_count(), wanted == names
    if whole and complete:
        return frame
    if (whole or complete) and b'"' not in text:
        delimiters = count(np.frombuffer(text, dtype=np.uint8), ord(layout.delimiter))
        return frame if delimiters == frame.height * (len(names) - 1) else None
    fields = row_shapes(text, layout.delimiter).fields
    return frame if len(fields) == frame.height and (fields == len(names)).all() else None


def _good_rows(lines: bytes, layout: Layout, *, skip_bad_rows: bool) -> tuple[bytes, int, int]:
    """Return the lines without blank ones and bad rows, how many rows are bad, and where the first of them starts.

    Raises:
        BadTextError: there is a bad row, and none is to be left out.
    """
    width = len(layout.columns) + layout.trailing
    shapes = row_shapes(lines, layout.delimiter)
    headers = _headers(lines, layout)
    suspects = shapes.fields != width
    if headers:
        suspects |= np.isin(shapes.starts, headers)
    if b"\0" in lines or width == 1 or BYTE_ORDER_MARK in lines:
        suspects[:] = True
    good, bad, first_bad, kept = [], 0, 0, 0
    for row in np.flatnonzero(suspects):
        start, end, fields = int(shapes.starts[row]), int(shapes.ends[row]), int(shapes.fields[row])
        line = lines[start:end]
        cause = ""
        if fields == 1 and not line.strip(b" \t\r\n"):
            pass
        elif b"\0" in line:
            cause = "a NUL byte; the file is damaged or not text, save it as UTF-8 CSV."
        elif fields != width and not line.startswith(BYTE_ORDER_MARK):
            where = "header" if layout.header else "first line"
            cause = (
                f"{fields} field{'s' if fields != 1 else ''} where the {where} has {width}; mend the row, or name the "
                "delimiter."
            )
        elif start in headers:
            cause = "the header once more; were files joined? Take the line out, or say --no-header."
        elif line.startswith(BYTE_ORDER_MARK):
            cause = "a byte-order mark inside the file; were files joined? Take it out."
        else:
            continue
        if cause and not skip_bad_rows:
            raise BadTextError(start, cause)
        first_bad = first_bad if bad else start
        bad += bool(cause)
        good.append(lines[kept:start])
        kept = end
    return b"".join([*good, lines[kept:]]), bad, first_bad


def _check_quotes(block: bytes, delimiter: str) -> None:
    """Refuse a quote inside a field, or one that is not closed: line ends cannot be told then."""
    stray = stray_quote(block, delimiter)
    if stray > 0 and block[stray - 1 : stray] == b"\\":
        raise BadTextError(stray, "a quote after a backslash inside a field; double the quote instead.")
    if stray >= 0:
        raise BadTextError(stray, "a quote inside a field; quote the whole field and double the quotes in it.")
    if block.count(b'"') % 2:
        raise BadTextError(block.rindex(b'"'), "a quote is opened here and never closed; close it.")


def _headers(lines: bytes, layout: Layout) -> list[int]:
    """Return where lines start that are the header line once more."""
    if not layout.header_line or len(layout.columns) == 1 or layout.header_line not in lines:
        return []
    return [found.start() for found in re.finditer(rb"(?m)^%s\r?$" % re.escape(layout.header_line), lines)]


def _first_foreign(lines: bytes) -> int:
    return int(np.argmax(np.frombuffer(lines, dtype=np.uint8) >= 128))


def _with_points(frame: pl.DataFrame, lines: bytes, layout: Layout) -> pl.DataFrame:
    """Write the numbers of columns with decimal commas with a point.

    Raises:
        BadTextError: one of those columns has a number with a point: it may be a decimal, or stand before thousands.
    """
    names = [name for name in layout.decimal_commas if name in frame.columns]
    for name in names:
        points = frame[name].str.contains(r"^\s*[+-]?\d*\.\d+\s*$").fill_null(False)
        if points.any():
            row = int(points.arg_true()[0])
            cause = (
                f"{frame[name][row].strip()!r} in column {name!r} has a point where its other numbers have a decimal "
                "comma; write them alike."
            )
            raise BadTextError(_row_start(lines, layout, row), cause)
    comma = rf"^(\s*)({COMMA_NUMBER})(\s*)$"
    return frame.with_columns(
        pl.when(pl.col(name).str.contains(comma))
        .then(pl.col(name).str.replace(",", ".", literal=True))
        .otherwise(pl.col(name))
        for name in names
    )


def _row_start(lines: bytes, layout: Layout, row: int) -> int:
    """Return where a row starts, the blank lines before it not counted."""
    shapes = row_shapes(lines, layout.delimiter)
    filled = [
        int(start) for start, end in zip(shapes.starts, shapes.ends, strict=True) if lines[start:end].strip(b" \t\r\n")
    ]
    return filled[row] if len(filled) == len(shapes.starts) else filled[min(row, len(filled) - 1)]
