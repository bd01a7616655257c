"""A table in memory as rows of text, as if it had been read from a CSV file."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from bindoctor.dataset import Piece, Source, Table
from bindoctor.errors import InputError

PIECE_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class MemorySource:
    """Text columns held in memory."""

    frame: pl.DataFrame
    name: str = "table"

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(self.frame.columns)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return nothing: nothing was decided."""
        return ()

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield runs of rows; nothing is left to do when they are called."""
        frame = self.frame if columns is None else self.frame.select([c for c in self.frame.columns if c in columns])
        for start in range(0, frame.height, PIECE_ROWS):
            yield partial(frame.slice, start, PIECE_ROWS)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the runs of rows."""
        for piece in self.pieces(columns):
            yield piece()

    def digest(self) -> str:
        """Return a SHA-256 of the names and cells, in hex."""
        return hashlib.sha256(self.frame.write_csv().encode()).hexdigest()


def table_source(table: Table, *, name: str = "table") -> Source:
    """Return the table's cells as a CSV file would hold them: ``True`` as "true", 1.0 as "1.0", ``None`` and NaN blank.

    Raises:
        InputError: the columns differ in length, or there are none.
    """
    lengths = {column: len(cells) for column, cells in table.cells.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"table: its columns differ in length or there are none ({lengths}); give every row a cell.")
    texts = {
        column: pl.Series(column, [_text(cell) for cell in cells], pl.String) for column, cells in table.cells.items()
    }
    return MemorySource(pl.DataFrame(texts), name)


def _text(cell: object) -> str | None:
    if cell is None or cell != cell or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)
