"""Reads delimited text as rows of text, one block of lines at a time, and refuses what it cannot read right."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl

from bindoctor.dataset import Piece
from bindoctor.errors import InputError
from bindoctor.readers.rowends import (
    NEWLINE,
    count,
    last_row_end,
    line_ends,
    row_shapes,
    stray_quote,
    with_newlines,
    without_blank_lines,
)
from bindoctor.readers.sniff import Layout, sniff

BLOCK_BYTES = 4 << 20
MAX_ROW_BYTES = 64 << 20


@dataclass(frozen=True)
class DelimitedSource:
    """A CSV file in UTF-8 with one delimiter throughout; fields may be quoted with ``"`` (RFC 4180)."""

    path: Path
    columns: tuple[str, ...]
    layout: Layout

    @classmethod
    def open(cls, path: Path, *, delimiter: str | None, header: bool) -> "DelimitedSource":
        """Find the delimiter and the column names from the head of the file.

        Raises:
            InputError: the head is not UTF-8 text, a column name occurs twice, or there is no data row.
        """
        layout = sniff(path, delimiter=delimiter, header=header)
        return cls(path, layout.columns, layout)

    @property
    def name(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return nothing: nothing was decided."""
        return ()

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Cut the file at row ends; each piece parses and checks its rows when it is called, in any thread.

        Empty cells, quoted or not, are null, and blank lines are no rows.

        Raises:
            InputError: a row with too few or too many fields, bytes that are not UTF-8, a NUL byte, or a quote that is
                never closed, each with its line; most of them when the piece is called.
        """
        for offset, block in self._blocks():
            yield partial(self._parse, block, offset, columns)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order, as ``pieces`` does.

        Raises:
            InputError: as ``pieces`` does.
        """
        for piece in self.pieces(columns):
            frame = piece()
            if frame.height:
                yield frame

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the data lines, and where they start, in blocks that end at the end of a row, never inside quotes."""
        offset, rest = self.layout.data_offset, b""
        for read in self._bytes(offset):
            rest += read
            end = last_row_end(rest)
            if end:
                yield offset, rest[:end]
                rest = rest[end:]
                offset += end
            elif len(rest) > MAX_ROW_BYTES:
                self._fail(
                    offset,
                    f"this row does not end within {MAX_ROW_BYTES >> 20} MB; look for a quote that is opened and never "
                    "closed.",
                )
        if rest:
            yield offset, rest if rest.endswith((b"\n", b"\r")) else rest + b"\n"

    def _bytes(self, offset: int) -> Iterator[bytes]:
        with self.path.open("rb", buffering=0) as stream:
            stream.seek(offset)
            while read := stream.read(BLOCK_BYTES):
                yield read

    def _parse(self, block: bytes, offset: int, columns: Sequence[str] | None) -> pl.DataFrame:
        if b"\0" in block:
            self._fail(
                offset + block.index(b"\0"), "a NUL byte; the file is damaged or not text, save it as UTF-8 CSV."
            )
        if not block.isascii():
            self._check_encoding(block, offset)
        delimiter = self.layout.delimiter
        if b'"' in block:
            self._check_quotes(block, offset)
        lines = with_newlines(block) if b"\r" in block else block
        if len(self.columns) == 1:
            lines = without_blank_lines(lines, delimiter)
        frame = self._frame(lines, columns)
        if frame is None:
            # Blank lines end up here too: looking for them first would cost every other block a pass.
            lines = without_blank_lines(lines, delimiter)
            frame = self._frame(lines, columns)
        if frame is None:
            self._refuse(with_newlines(block), offset)
        return frame.with_columns(pl.when(pl.all() != "").then(pl.all())) if b'""' in lines else frame

    def _frame(self, lines: bytes, columns: Sequence[str] | None) -> pl.DataFrame | None:
        """Return the rows of the lines, or None when one of them may have too few or too many fields."""
        width, last = len(self.columns), self.columns[-1]
        wanted = self.columns if columns is None else [name for name in self.columns if name in columns]
        if not lines:
            return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))
        parsed = list(wanted) if last in wanted else [*wanted, last]
        lazy = pl.scan_csv(
            lines,
            has_header=False,
            separator=self.layout.delimiter,
            schema=dict.fromkeys(self.columns, pl.String),
            raise_if_empty=False,
        )
        try:
            frame = lazy.select(parsed).collect(engine="in-memory")
        except pl.exceptions.PolarsError:
            return None
        # Polars fills short rows with nulls and, reading some columns only, cuts long ones, all in silence. Without
        # quotes the number of delimiters tells, unless a long row makes up for a short one: that ends with a null.
        if b'"' not in lines:
            data = np.frombuffer(lines, dtype=np.uint8)
            ends = count(data, NEWLINE)
            delimiters = count(data, ord(self.layout.delimiter))
            right = ends == frame.height and delimiters == ends * (width - 1) and not frame[last].null_count()
        else:
            right = False
        if not right:
            shapes = row_shapes(lines, self.layout.delimiter)
            if len(shapes.fields) != frame.height or (shapes.fields != width).any():
                return None
        return frame if len(parsed) == len(wanted) else frame.select(wanted)

    def _check_encoding(self, block: bytes, offset: int) -> None:
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            bad = block[error.start]
            self._fail(offset + error.start, f"not UTF-8 (byte {bad:#04x}); save it as UTF-8.")

    def _check_quotes(self, block: bytes, offset: int) -> None:
        """Raise an InputError for a quote inside a field, or one that is not closed: line ends cannot be told then."""
        stray = stray_quote(block, self.layout.delimiter)
        if stray >= 0:
            self._fail(offset + stray, "a quote inside a field; quote the whole field and double the quotes in it.")
        if block.count(b'"') % 2:
            self._fail(offset + block.rindex(b'"'), "a quote is opened here and never closed; close it.")

    def _refuse(self, block: bytes, offset: int) -> NoReturn:
        """Raise an InputError for the first row that has not one field a column."""
        shapes = row_shapes(block, self.layout.delimiter)
        for row in np.flatnonzero(shapes.fields != len(self.columns)):
            start, end, fields = int(shapes.starts[row]), int(shapes.ends[row]), int(shapes.fields[row])
            if block[start:end].strip(b" \t\r\n"):
                self._fail(
                    offset + start,
                    f"{fields} field{'s' if fields != 1 else ''} where the first line has {len(self.columns)}; mend "
                    "the row, or name the delimiter.",
                )
        self._fail(offset, "the rows from here on cannot be read; look for unusual quotes.")

    def _fail(self, offset: int, cause: str) -> NoReturn:
        """Raise an InputError with the line of a byte; only now are lines counted."""
        line, place = 1, 0
        for read in self._bytes(0):
            if place + len(read) >= offset:
                line += line_ends(read[: offset - place])
                break
            line += line_ends(read)
            place += len(read)
        raise InputError(f"{self.path}:{line}: {cause}")
