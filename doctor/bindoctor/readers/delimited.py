"""Reads delimited text as rows of text, one block of lines at a time, and refuses what it cannot read right."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import msgspec
import polars as pl

from bindoctor.dataset import Piece
from bindoctor.errors import InputError
from bindoctor.readers.blocks import parse_block
from bindoctor.readers.encodings import BadTextError
from bindoctor.readers.rowends import last_row_end, line_ends, row_shapes, stray_quote
from bindoctor.readers.sniff import Layout
from bindoctor.readers.streams import ByteStream

BLOCK_BYTES = 4 << 20
MAX_BLOCK_BYTES = 12 << 20
MAX_ROW_BYTES = 64 << 20
BLOCK_ROWS = 65_536
WIDE_ROW_BYTES = 16 << 10
WIDE_BLOCK_ROWS = 1024


class Notes(msgspec.Struct):
    """What the pieces of a source have come across; by their offsets, so that reading again adds nothing.

    Attributes:
        foreign: the first byte of each piece that is no UTF-8.
        international: the pieces that have other than ASCII characters in UTF-8.
        bad: for an offset and a cause, how many rows were left out, and the byte where the first of them starts.
    """

    foreign: dict[int, int] = msgspec.field(default_factory=dict)
    international: set[int] = msgspec.field(default_factory=set)
    bad: dict[tuple[int, str], tuple[int, int]] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class DelimitedSource:
    """Text with one delimiter throughout; fields may be quoted with ``"`` (RFC 4180).

    Attributes:
        stream: the text.
        layout: how to read it.
        skip_bad_rows: whether rows that cannot be read right are left out and counted, not refused.
        notes: what reading has come across.
    """

    stream: ByteStream
    layout: Layout
    skip_bad_rows: bool = False
    notes: Notes = field(default_factory=Notes, compare=False)

    @property
    def name(self) -> str:
        """Return the path."""
        return self.stream.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column names in file order."""
        return self.layout.columns

    @property
    def encoding(self) -> str:
        """Return the encoding that is no UTF-8, as far as the rows have been read; "" for UTF-8."""
        foreign = self.notes.foreign or self.layout.encoding == "cp1252"
        return self.stream.encoding or ("cp1252" if foreign else "")

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what was decided about the layout and, once all rows have been read, what was left out."""
        found = list(self.layout.remarks)
        if self.layout.encoding == "cp1252":
            found.append("not UTF-8: read as Windows-1252; say --encoding if that is wrong")
        elif self.notes.foreign:
            line = self._line(min(self.notes.foreign.values()))
            found.append(f"not UTF-8 (first in line {line}): read as Windows-1252; say --encoding if that is wrong")
        if self.notes.bad:
            rows = sum(rows for rows, _ in self.notes.bad.values())
            line = self._line(min(first for _, first in self.notes.bad.values()))
            many = f"{rows} rows that cannot be read are" if rows > 1 else "1 row that cannot be read is"
            found.append(f"{many} left out (first in line {line})")
        return tuple(found)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Cut the file at row ends; each piece parses and checks its rows when it is called, in any thread.

        Empty cells, quoted or not, are null, and blank lines are no rows.

        Raises:
            InputError: a row with too few or too many fields, bytes that are no text, or a quote that is never closed,
                each with its line; most of them when the piece is called.
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
        return self.stream.digest()

    @property
    def _block_bytes(self) -> int:
        """Wide rows make for longer blocks: each has costs per column."""
        row = self.layout.row_bytes
        if row > WIDE_ROW_BYTES:
            return min(int(row * WIDE_BLOCK_ROWS), MAX_ROW_BYTES)
        return max(BLOCK_BYTES, min(int(row * BLOCK_ROWS), MAX_BLOCK_BYTES))

    @property
    def _width(self) -> int:
        """Return the number of fields of a row; a delimiter that ends every line makes one more."""
        return len(self.columns) + self.layout.trailing

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the data lines, and where they start, in blocks that end at the end of a row, never inside quotes."""
        offset, rest = self.layout.data_offset, b""
        for read in self.stream.blocks(self._block_bytes, offset):
            rest = rest + read if rest else read
            if self.skip_bad_rows:
                offset, rest = yield from self._skip_stray_quotes(offset, rest, final=False)
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
        rest = rest.removesuffix(b"\x1a")  # DOS marked the end of a text so.
        if rest and not rest.endswith((b"\n", b"\r")):
            self._check_last_line(offset, rest)
            rest += b"\n"
        if self.skip_bad_rows:
            offset, rest = yield from self._skip_stray_quotes(offset, rest, final=True)
        if rest:
            yield offset, rest

    def _check_last_line(self, offset: int, rest: bytes) -> None:
        """Refuse a last line without a line end that has too few fields: the file was cut off there."""
        line = rest[last_row_end(rest) :]
        if not line.strip() or line.count(b'"') % 2 or self.skip_bad_rows:
            return
        fields = int(row_shapes(line + b"\n", self.layout.delimiter).fields[-1])
        if fields < self._width:
            self._fail(
                offset + len(rest) - len(line),
                f"the last line is cut off: {fields} of {self._width} fields and no line end; get the whole file.",
            )

    def _skip_stray_quotes(
        self, offset: int, rest: bytes, *, final: bool
    ) -> Generator[tuple[int, bytes], None, tuple[int, bytes]]:
        """Leave out lines with a quote inside a field, or one that is never closed; row ends are right again after it.

        Yields the rows before such a line, and returns what follows the last of them.
        """
        while b'"' in rest:
            stray = stray_quote(rest, self.layout.delimiter)
            if stray >= 0:
                start = last_row_end(rest[:stray] + b" ")
            elif (final or len(rest) > MAX_ROW_BYTES) and rest.count(b'"') % 2:
                start = last_row_end(rest)
            else:
                break
            end = rest.find(b"\n" if b"\n" in rest else b"\r", start) + 1
            if not end:
                break
            if start:
                yield offset, rest[:start]
            self.notes.bad[offset + start, "quotes"] = (1, offset + start)
            offset, rest = offset + end, rest[end:]
        return offset, rest

    def _parse(self, block: bytes, offset: int, columns: Sequence[str] | None) -> pl.DataFrame:
        try:
            parsed = parse_block(block, self.layout, columns, skip_bad_rows=self.skip_bad_rows)
        except BadTextError as error:
            self._fail(offset + error.position, str(error))
        if parsed.encoding == "cp1252":
            self.notes.foreign[offset] = offset + parsed.foreign
        elif parsed.encoding == "utf-8":
            self.notes.international.add(offset)
        if not self.layout.strict and self.encoding and (self.notes.international or self.layout.encoding == "utf-8"):
            first = min(self.notes.foreign.values(), default=self.layout.data_offset)
            self._fail(first, "not UTF-8, though other lines are; mend the line, or name the file's --encoding.")
        if parsed.bad:
            self.notes.bad[offset, "rows"] = (parsed.bad, offset + parsed.first_bad)
        return parsed.frame

    def _fail(self, offset: int, cause: str) -> NoReturn:
        """Raise an InputError with the line of a byte."""
        raise InputError(f"{self.name}:{self._line(offset)}: {cause}")

    def _line(self, offset: int) -> int:
        """Return the 1-based line of a byte: lines are counted only when one is to be named."""
        line, place, last = 1, 0, b""
        for read in self.stream.blocks(BLOCK_BYTES):
            before = read[: offset - place]
            line += line_ends(before) - (last == b"\r" and read.startswith(b"\n"))
            place += len(read)
            if place >= offset:
                return line
            last = read[-1:]
        return line
