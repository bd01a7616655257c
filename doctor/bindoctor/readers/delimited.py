"""Reads a CSV file as rows of text, one block of lines at a time, and refuses what it cannot read right."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bindoctor.errors import InputError
from bindoctor.readers.sniff import Layout, sniff

BLOCK_BYTES = 8 << 20
MAX_ROW_BYTES = 64 << 20
BLANK_LINES = re.compile(rb"^(?:[ \t]*\r?\n)+|(?<=\n)(?:[ \t]*\r?\n)+")
BLANK_LINES_OR_QUOTED = re.compile(rb'("[^"]*")|(?:^|(?<=\n))(?:[ \t]*\r?\n)+')


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

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order; empty cells, quoted or not, are null, and blank lines are no rows.

        Raises:
            InputError: a row with too few or too many fields, bytes that are not UTF-8, a NUL byte, or a quote that is
                never closed, each with its line.
        """
        line = self.layout.first_line
        for block in self._blocks():
            frame = self._parse(block, line)
            if frame.height:
                yield frame
            line += block.count(b"\n")

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _blocks(self) -> Iterator[bytes]:
        """Yield the data lines in blocks that end at the end of a row, never inside a quoted field."""
        with self.path.open("rb") as stream:
            stream.seek(self.layout.data_offset)
            rest = b""
            line = self.layout.first_line
            while read := stream.read(BLOCK_BYTES):
                if self.layout.bare_returns:
                    read = read.replace(b"\r", b"\n")
                rest += read
                end = _row_end(rest)
                if end:
                    yield rest[:end]
                    line += rest.count(b"\n", 0, end)
                    rest = rest[end:]
                elif len(rest) > MAX_ROW_BYTES:
                    raise InputError(
                        f"{self.path}:{line}: this row does not end within {MAX_ROW_BYTES >> 20} MB; "
                        "look for a quote that is opened and never closed."
                    )
            if rest:
                yield rest if rest.endswith(b"\n") else rest + b"\n"

    def _parse(self, block: bytes, line: int) -> pl.DataFrame:
        if b"\0" in block:
            bad = line + block.count(b"\n", 0, block.index(b"\0"))
            raise InputError(f"{self.path}:{bad}: a NUL byte; the file is damaged or not text, save it as UTF-8 CSV.")
        quoted = b'"' in block
        if quoted:
            self._refuse_stray_quotes(block, line)
        lines = _without_blank_lines(block, quoted)
        if not lines:
            return pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String))
        try:
            frame = pl.read_csv(
                lines,
                has_header=False,
                separator=self.layout.delimiter,
                schema=dict.fromkeys(self.columns, pl.String),
                raise_if_empty=False,
            )
        except pl.exceptions.PolarsError as error:
            self._refuse(block, line)
            raise InputError(
                f"{self.path}: rows after line {line} cannot be read ({str(error).splitlines()[0]})."
            ) from None
        if self._suspicious(frame, lines, quoted):
            self._refuse(block, line)
        return frame.with_columns(pl.all().replace("", None)) if quoted else frame

    def _suspicious(self, frame: pl.DataFrame, lines: bytes, quoted: bool) -> bool:
        """Tell whether a row may have too few fields, which Polars fills up in silence (too many it refuses)."""
        if quoted:
            return bool(frame[:, -1].null_count())
        fields = frame.height * (frame.width - 1)
        return lines.count(self.layout.delimiter.encode()) != fields or lines.count(b"\n") != frame.height

    def _refuse_stray_quotes(self, block: bytes, first_line: int) -> None:
        """Raise an InputError for a quote inside a field, or one that is not closed: line ends cannot be told then."""
        data = np.frombuffer(block, dtype=np.uint8)
        quotes = np.flatnonzero(data == ord('"'))
        around = np.array([ord('"'), ord(self.layout.delimiter), ord("\n"), ord("\r")])
        opening, closing = quotes[::2], quotes[1::2]
        stray = opening[(opening > 0) & ~np.isin(data[opening - 1], around)]
        stray = np.concatenate([stray, closing[~np.isin(data[np.minimum(closing + 1, len(data) - 1)], around)]])
        if len(stray):
            line = first_line + block.count(b"\n", 0, int(stray.min()))
            raise InputError(
                f"{self.path}:{line}: a quote inside a field; quote the whole field and double the quotes in it."
            )
        if len(quotes) % 2:
            line = first_line + block.count(b"\n", 0, int(quotes[-1]))
            raise InputError(f"{self.path}:{line}: a quote is opened here and never closed; close it.")

    def _refuse(self, block: bytes, first_line: int) -> None:
        """Raise an InputError for the first row that breaks the format; return when every row is right."""
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            line = first_line + block.count(b"\n", 0, error.start)
            raise InputError(
                f"{self.path}:{line}: not UTF-8 (byte {block[error.start]:#04x}); save it as UTF-8."
            ) from None
        data = np.frombuffer(block, dtype=np.uint8)
        inside = np.logical_xor.accumulate(data == ord('"'))
        ends = np.flatnonzero((data == ord("\n")) & ~inside)
        separators = np.flatnonzero((data == ord(self.layout.delimiter)) & ~inside)
        fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
        starts = np.concatenate([[0], ends[:-1] + 1])
        for row in np.flatnonzero(fields != len(self.columns)):
            start, end = int(starts[row]), int(ends[row])
            if block[start:end].strip(b" \t\r"):
                line = first_line + block.count(b"\n", 0, start)
                raise InputError(
                    f"{self.path}:{line}: {fields[row]} field{'s' if fields[row] != 1 else ''} where the first line "
                    f"has {len(self.columns)}; mend the row, or name the delimiter."
                )


def _row_end(data: bytes) -> int:
    """Return the position after the last line end that is outside quotes, 0 if there is none."""
    end = data.rfind(b"\n") + 1
    if not end or b'"' not in data:
        return end
    quotes = data.count(b'"', 0, end)
    while end and quotes % 2:
        previous = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(b'"', previous, end)
        end = previous
    return end


def _without_blank_lines(block: bytes, quoted: bool) -> bytes:
    if not (block.startswith((b"\n", b"\r\n", b" ", b"\t")) or re.search(rb"\n[ \t]*\r?\n", block)):
        return block
    if quoted:
        return BLANK_LINES_OR_QUOTED.sub(lambda match: match[1] or b"", block)
    return BLANK_LINES.sub(b"", block)
