"""A typed table as rows of text, as if it had been read from a CSV file."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl
import polars.selectors as cs

from bindoctor.dataset import Piece
from bindoctor.errors import InputError
from bindoctor.readers.header import unique_names

PIECE_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class FrameSource:
    """A table in memory; its cells become text piece by piece.

    Attributes:
        frame: columns that hold single values.
        name: what to call it in a message.
        remarks: what was decided when it was made.
        content: a digest of the file that it was read from; "" without a file.
    """

    frame: pl.DataFrame
    name: str = "table"
    remarks: tuple[str, ...] = ()
    content: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(self.frame.columns)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield runs of rows."""
        frame = self.frame if columns is None else self.frame.select([c for c in self.frame.columns if c in columns])
        for start in range(0, frame.height, PIECE_ROWS):
            yield partial(_slice_as_text, frame, start)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the runs of rows."""
        for piece in self.pieces(columns):
            yield piece()

    def digest(self) -> str:
        """Return a SHA-256 of the file, or of the names and cells, in hex."""
        return self.content or hashlib.sha256(as_text(self.frame).write_csv().encode()).hexdigest()


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return every cell as text: ``True`` as "true", 1.0 as "1.0", dates as ISO; NaN and empty texts are null."""
    texts = frame.with_columns(cs.float().fill_nan(None)).cast(pl.String)
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))


def check_types(name: str, schema: pl.Schema) -> None:
    """Refuse columns that cannot become text.

    Raises:
        InputError: a column holds lists, structures, bytes or objects.
    """
    for column, dtype in schema.items():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise InputError(f"{name}: column {column!r} holds {dtype}, not single values; leave it out or unpack it.")


def named_apart(name: str, columns: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return column names without repetitions, and a remark on those that had to be made.

    Raises:
        InputError: names clash even so.
    """
    names, made = unique_names(columns)
    if len(set(names)) < len(names):
        clash = next(column for column in names if names.count(column) > 1)
        raise InputError(f"{name}: the column name {clash!r} occurs more than once; rename one of the columns.")
    more = f" and {len(made) - 5} more" if len(made) > 5 else ""
    said = f"columns without a name of their own are called {', '.join(map(repr, made[:5]))}{more}"
    return names, (said,) if made else ()


def _slice_as_text(frame: pl.DataFrame, start: int) -> pl.DataFrame:
    return as_text(frame.slice(start, PIECE_ROWS))
