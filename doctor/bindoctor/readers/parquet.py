"""Reads a Parquet file as rows of text, one batch at a time."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bindoctor.dataset import Piece
from bindoctor.errors import InputError

PIECE_ROWS = 65_536


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file whose columns hold single values."""

    path: Path
    columns: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "ParquetSource":
        """Read the schema.

        Raises:
            InputError: the file is damaged, has no rows, or a column holds lists, structures or bytes.
        """
        try:
            lazy = pl.scan_parquet(path)
            schema = lazy.collect_schema()
            rows = lazy.select(pl.len()).collect().item()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{path}: cannot be read as Parquet ({_first_line(error)}); write it anew.") from None
        for name, dtype in schema.items():
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
                raise InputError(
                    f"{path}: column {name!r} holds {dtype}, not single values; leave it out or unpack it."
                )
        if not rows:
            raise InputError(f"{path}: has columns but no rows; give a file with data rows.")
        return cls(path, tuple(schema.names()))

    @property
    def name(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return nothing: nothing was decided."""
        return ()

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Decode runs of rows; they become text when they are called. Missing cells, NaN and empty texts are null.

        Raises:
            InputError: the file is damaged.
        """
        lazy = pl.scan_parquet(self.path)
        if columns is not None:
            lazy = lazy.select([name for name in self.columns if name in columns])
        try:
            for batch in lazy.collect_batches(chunk_size=PIECE_ROWS):
                yield partial(_as_text, batch)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{self.path}: cannot be read as Parquet ({_first_line(error)}); write it anew.") from None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order as text.

        Raises:
            InputError: as ``pieces`` does.
        """
        for piece in self.pieces(columns):
            yield piece()

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    texts = frame.with_columns(cs.float().fill_nan(None)).cast(pl.String)
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
