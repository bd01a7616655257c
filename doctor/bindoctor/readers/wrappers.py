"""Sources that show another source in part: some cells missing, or some columns only."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
import polars as pl

from bindoctor.dataset import Piece, Source


class NullTokenSource(msgspec.Struct, frozen=True):
    """Another source, with the cells that are one of the tokens missing.

    Attributes:
        source: the source as it is.
        tokens: texts without blanks around them; cells are compared without theirs.
    """

    source: Source
    tokens: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the source's name."""
        return self.source.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the source's columns."""
        return self.source.columns

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the source's remarks."""
        return self.source.remarks

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield the source's pieces.

        Raises:
            InputError: as the source does.
        """
        for piece in self.source.pieces(columns):
            yield partial(_without_tokens, piece, self.tokens)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the source's rows.

        Raises:
            InputError: as the source does.
        """
        for piece in self.pieces(columns):
            frame = piece()
            if frame.height:
                yield frame

    def digest(self) -> str:
        """Return a SHA-256 of the source's digest and the tokens, in hex."""
        return hashlib.sha256("\n".join([self.source.digest(), *sorted(self.tokens)]).encode()).hexdigest()


class ChosenColumnsSource(msgspec.Struct, frozen=True):
    """Another source, with some of its columns in an order of their own.

    Attributes:
        source: the source as it is.
        columns: the columns to show; those that the source lacks are missing in every row.
    """

    source: Source
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the source's name."""
        return self.source.name

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return the source's remarks, and which columns are left out."""
        out = [name for name in self.source.columns if name not in self.columns]
        if not out:
            return self.source.remarks
        more = f" and {len(out) - 5} more" if len(out) > 5 else ""
        return (*self.source.remarks, f"columns that the data do not have are left out: {', '.join(out[:5])}{more}")

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield the source's pieces.

        Raises:
            InputError: as the source does.
        """
        wanted = self.columns if columns is None else tuple(name for name in self.columns if name in columns)
        there = [name for name in wanted if name in self.source.columns] or [self.source.columns[0]]
        for piece in self.source.pieces(there):
            yield partial(_chosen, piece, wanted)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the source's rows.

        Raises:
            InputError: as the source does.
        """
        for piece in self.pieces(columns):
            frame = piece()
            if frame.height:
                yield frame

    def digest(self) -> str:
        """Return the source's digest."""
        return self.source.digest()


def _chosen(piece: Piece, columns: Sequence[str]) -> pl.DataFrame:
    frame = piece()
    absent = [pl.lit(None, pl.String).alias(name) for name in columns if name not in frame.columns]
    return frame.with_columns(absent).select(columns)


def _without_tokens(piece: Piece, tokens: Sequence[str]) -> pl.DataFrame:
    return piece().with_columns(pl.when(~pl.all().str.strip_chars().is_in(tokens)).then(pl.all()))
