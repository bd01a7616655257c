"""Reads single cells as a recipe says: what is missing, what is a number, what is text."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.cleaning import outside, tidied
from bindoctor.hashing import KeyTable, encode, hash_cells, text_hash
from bindoctor.recipe_sections import Data
from bindoctor.series import taken

PROBED_CELLS = 64
MAX_CODED_SHARE = 0.25
MAX_SEEN = 8192

FIRST_INEXACT = 2.0**53
MANY_DIGITS = r"^\s*[-+]?\d{16,}\s*$"


class Cells(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One column of a chunk, each part of length n.

    Attributes:
        written: String, as written; null where missing.
        numbers: Float64; null where missing, where the text is no finite number, and everywhere in a column cast to
            text.
        coded: the column as numbers into its distinct cells, where it was worth finding them.
        plain: whether every cell is known to be missing or a number without blanks around it.
        renamed: whether texts have been changed, as those of tidy columns are.
    """

    written: pl.Series
    numbers: pl.Series
    coded: "Coded | None" = None
    plain: bool = False
    renamed: bool = False

    def __len__(self) -> int:
        return len(self.written)

    @property
    def all_numbers(self) -> bool:
        """Tell whether every cell that is not missing is a number."""
        return self.numbers.null_count() == self.written.null_count()

    @cached_property
    def stripped(self) -> pl.Series:
        """Return the cells as written, without blanks around them."""
        if self.plain:
            return self.written
        if self.coded is not None:
            return taken(self.coded.distinct.stripped, self.coded.number)
        return self.written.str.strip_chars()

    @cached_property
    def padded(self) -> int:
        """Return how many cells have blanks around them."""
        if self.plain:
            return 0
        if self.coded is None:
            return int(self._is_padded.sum())
        distinct, number = self.coded.distinct, self.coded.number
        return int(distinct._is_padded[number].sum()) if distinct._is_padded.any() else 0

    @cached_property
    def _is_padded(self) -> npt.NDArray[np.bool_]:
        return (self.stripped.str.len_bytes() != self.written.str.len_bytes()).fill_null(False).to_numpy()

    @cached_property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Return a hash of each cell, shape (n,): equal numbers are equal however they are written."""
        if self.coded is not None:
            return self.coded.distinct.hashes[self.coded.number]
        return hash_cells(self.written, self.numbers)

    def take(self, at: npt.NDArray[np.int64]) -> "Cells":
        """Return the cells at these positions."""
        coded = None if self.coded is None else Coded(self.coded.distinct, self.coded.number[at])
        return Cells(taken(self.written, at), taken(self.numbers, at), coded, self.plain)

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Cells":
        """Return the cells where ``mask`` is true."""
        chosen = pl.Series(mask)
        coded = None if self.coded is None else Coded(self.coded.distinct, self.coded.number[mask])
        return Cells(self.written.filter(chosen), self.numbers.filter(chosen), coded, self.plain)


class Coded(msgspec.Struct, frozen=True, eq=False):
    """Cells by number: ``distinct`` holds m different ones, ``number`` is of shape (n,).

    Chunks of one selection share ``distinct`` as long as no new cell turns up.
    """

    distinct: Cells
    number: npt.NDArray[np.int64]


class Seen(msgspec.Struct, frozen=True, eq=False):
    """The distinct cells of a column that have been read so far."""

    table: KeyTable
    texts: pl.Series
    distinct: Cells


def read_frame(frame: pl.DataFrame, names: Iterable[str], data: Data, seen: dict[str, Seen]) -> dict[str, Cells]:
    """Read some columns' cells as ``read_cells`` does.

    Args:
        frame: cells as text.
        names: the columns to read.
        data: how to read them.
        seen: what was read of earlier frames by column; brought up to date.
    """
    found = {}
    for name in names:
        column = frame[name]
        if _may_be_plain(column, data):
            numbers = _parse(column)
            if numbers.null_count() == column.null_count():
                found[name] = Cells(column, numbers, plain=True)
                continue
        found[name] = read_cells(column, data, seen)
    return found


def _may_be_plain(column: pl.Series, data: Data) -> bool:
    """Tell whether the recipe says nothing of a column's cells, and the first of them are numbers."""
    said = (data.missing_values, data.casts, data.tidy, data.bounds)
    if data.missing_tokens or any(column.name in names for names in said):
        return False
    probe = column.head(PROBED_CELLS)
    return probe.cast(pl.Float64, strict=False).null_count() == probe.null_count() < len(probe)


def read_cells(column: pl.Series, data: Data, seen: dict[str, Seen] | None = None) -> Cells:
    """Read one column's cells.

    A cell is missing when it is blank, when it is one of the missing tokens or of its column's missing values (compared
    without the blanks around it, and as a number where both are numbers, so that "0" also finds "0.0"), when it is a
    number outside of its column's limits, and when its column is cast to number and it does not parse. Only finite
    decimal numbers are numbers: "nan" and "inf" are text, and so are whole numbers of so many digits that a float loses
    some. Texts of tidy columns are read tidied.
    """
    hashes = text_hash(column)
    known = (seen or {}).get(column.name)
    if known is not None:
        number, new = known.table.find(hashes)
        if not len(new):
            return _coded(column, known, number)
    positions, number = encode(hashes)
    if len(positions) > MAX_CODED_SHARE * len(column):
        return _read_each(column, data)
    # What is said of a cell is said of all cells with the same text, so few distinct ones are read once.
    keys, texts = hashes[positions], taken(column, positions)
    if known is not None:
        keys, texts = np.concatenate([known.table.keys, keys]), pl.concat([known.texts, texts])
    keys, firsts = np.unique(keys, return_index=True)
    texts = taken(texts, firsts)
    now = Seen(KeyTable(keys), texts, _read_each(texts, data))
    if seen is not None and len(keys) <= MAX_SEEN:
        seen[column.name] = now
    number, _ = now.table.find(hashes)
    return _coded(column, now, number)


def _coded(column: pl.Series, seen: Seen, number: npt.NDArray[np.int64]) -> Cells:
    distinct = seen.distinct
    changed = distinct.written.null_count() > seen.texts.null_count() or distinct.renamed
    written = taken(distinct.written, number) if changed else column
    numbers = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(column))
    if distinct.numbers.null_count() < len(distinct):
        numbers = taken(distinct.numbers, number)
    return Cells(written, numbers, Coded(distinct, number))


def _read_each(column: pl.Series, data: Data) -> Cells:
    tokens = [*data.missing_tokens, *data.missing_values.get(column.name, ())]
    cast = data.casts.get(column.name)
    written = tidied(column) if column.name in data.tidy else column
    stripped = written
    numbers = _parse(written)
    if numbers.null_count() > written.null_count():
        stripped = written.str.strip_chars()
        blank = stripped.str.len_bytes() == 0
        written, stripped = _without(written, blank), _without(stripped, blank)
        numbers = _parse(stripped)
    if tokens:
        missing = _are_tokens(stripped, numbers, tokens, as_numbers=cast != "text")
        written, numbers = _without(written, missing), _without(numbers, missing)
    if column.name in data.bounds and cast != "text":
        impossible = outside(numbers, data.bounds[column.name])
        written, numbers = _without(written, impossible), _without(numbers, impossible)
    if cast == "number":
        written = _without(written, numbers.is_null())
    if cast == "text":
        numbers = pl.repeat(None, len(written), dtype=pl.Float64, eager=True)
    return Cells(written, numbers, renamed=column.name in data.tidy)


def _parse(texts: pl.Series) -> pl.Series:
    return _finite(texts.cast(pl.Float64, strict=False), texts)


def _finite(numbers: pl.Series, texts: pl.Series) -> pl.Series:
    """Return numbers without those that are not finite, or whose text has more digits than a float keeps."""
    low, high = numbers.min(), numbers.max()
    if low is None:
        return numbers
    assert isinstance(low, float) and isinstance(high, float)
    if math.isfinite(numbers.sum()) and low > -FIRST_INEXACT and high < FIRST_INEXACT:
        return numbers
    inexact = (numbers.abs() >= FIRST_INEXACT) & texts.str.contains(MANY_DIGITS)
    return _without(numbers, ~numbers.is_finite() | inexact)


def _without(series: pl.Series, mask: pl.Series) -> pl.Series:
    """Return the series with null where ``mask`` is true."""
    return series.set(mask.fill_null(False), None)


def _are_tokens(stripped: pl.Series, numbers: pl.Series, tokens: Sequence[str], *, as_numbers: bool) -> pl.Series:
    texts = pl.Series([token.strip() for token in tokens], dtype=pl.String)
    found = stripped.is_in(texts.implode())
    values = _parse(texts).drop_nulls()
    if as_numbers and len(values):
        found |= numbers.is_in(values.implode()).fill_null(False)
    return found
