"""Reads a Parquet file as rows of text, one batch at a time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

from bindoctor.errors import InputError

BATCH_ROWS = 65_536


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

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order as text; missing cells, NaN and empty texts are null.

        Raises:
            InputError: the file is damaged.
        """
        lazy = pl.scan_parquet(self.path).with_columns(cs.float().fill_nan(None)).cast(pl.String)
        try:
            yield from lazy.with_columns(pl.all().replace("", None)).collect_batches(chunk_size=BATCH_ROWS)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{self.path}: cannot be read as Parquet ({_first_line(error)}); write it anew.") from None

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
