"""Reads Parquet and Arrow files as rows of text, one run of rows at a time."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from bindoctor.dataset import Piece, Source
from bindoctor.errors import InputError
from bindoctor.readers.frames import PIECE_ROWS, FrameSource, as_text, check_types
from bindoctor.readers.sniff import NoRowsError


@dataclass(frozen=True)
class ColumnarSource:
    """A Parquet or Arrow file whose columns hold single values.

    Attributes:
        path: the file.
        name: what to call it in a message.
        format: "Parquet" or "Arrow".
        columns: the column names.
        lazy: the file as Polars reads it.
        remarks: nothing; such files leave nothing to decide.
    """

    path: Path
    name: str
    format: str
    columns: tuple[str, ...]
    lazy: pl.LazyFrame = field(compare=False, repr=False)
    remarks: tuple[str, ...] = ()

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Decode runs of rows; they become text when they are called. Missing cells, NaN and empty texts are null.

        Raises:
            InputError: the file is damaged.
        """
        lazy = self.lazy if columns is None else self.lazy.select([c for c in self.columns if c in columns])
        try:
            for batch in lazy.collect_batches(chunk_size=PIECE_ROWS):
                yield partial(as_text, batch)
        except pl.exceptions.PolarsError as error:
            raise _unreadable(self.name, self.format, error) from None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order as text.

        Raises:
            InputError: as ``pieces`` does.
        """
        for piece in self.pieces(columns):
            yield piece()

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        return _digest(self.path)


def parquet_source(path: Path, name: str) -> Source:
    """Open a Parquet file.

    Raises:
        InputError: the file is damaged, has no rows, or a column holds lists, structures or bytes.
    """
    return _open(path, name, "Parquet", pl.scan_parquet(path, glob=False))


def arrow_source(path: Path, name: str, *, stream: bool) -> Source:
    """Open an Arrow file (Feather), or an Arrow stream, which is loaded whole.

    Raises:
        InputError: the file is damaged, has no rows, or a column holds lists, structures or bytes.
    """
    if not stream:
        return _open(path, name, "Arrow", pl.scan_ipc(path))
    try:
        frame = pl.read_ipc_stream(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(name, "an Arrow stream", error) from None
    check_types(name, frame.schema)
    if not frame.height:
        raise NoRowsError(f"{name}: has columns but no rows; give a file with data rows.")
    return FrameSource(frame, name, content=_digest(path))


def _open(path: Path, name: str, kind: str, lazy: pl.LazyFrame) -> Source:
    try:
        schema = lazy.collect_schema()
        rows = lazy.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(name, kind, error) from None
    check_types(name, schema)
    if not rows:
        raise NoRowsError(f"{name}: has columns but no rows; give a file with data rows.")
    return ColumnarSource(path, name, kind, tuple(schema.names()), lazy)


def _unreadable(name: str, kind: str, error: Exception) -> InputError:
    cause = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{name}: cannot be read as {kind} ({cause}); write it anew.")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
