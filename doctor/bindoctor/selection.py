"""Reads the rows that a recipe selects, cell by cell as the recipe reads them: the one place where that is decided."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.hashing import encode, hash_cells, hash_rows, mix, text_hash
from bindoctor.recipe import Data, Recipe

MIN_INDEX_ROWS = 20
PROBED_CELLS = 64
MAX_CODED_SHARE = 0.125

FIRST_INEXACT = 2.0**53
MANY_DIGITS = r"^\s*[-+]?\d{16,}\s*$"


@dataclass(frozen=True, eq=False)
class Cells:
    """One column of a chunk, each part of length n.

    Attributes:
        written: String, as written; null where missing.
        numbers: Float64; null where missing, where the text is no finite number, and everywhere in a column cast to
            text.
        coded: the column as numbers into its distinct cells, where it was worth finding them.
        plain: whether every cell is known to be missing or a number without blanks around it.
    """

    written: pl.Series
    numbers: pl.Series
    coded: "Coded | None" = None
    plain: bool = False

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
            return self.coded.distinct.stripped.gather(self.coded.number)
        return self.written.str.strip_chars()

    @cached_property
    def padded(self) -> npt.NDArray[np.bool_]:
        """Tell which cells have blanks around them, shape (n,)."""
        if self.plain:
            return np.zeros(len(self), dtype=np.bool_)
        if self.coded is not None:
            return self.coded.distinct.padded[self.coded.number]
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
        return Cells(self.written.gather(at), self.numbers.gather(at), coded, self.plain)

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Cells":
        """Return the cells where ``mask`` is true."""
        chosen = pl.Series(mask)
        coded = None if self.coded is None else Coded(self.coded.distinct, self.coded.number[mask])
        return Cells(self.written.filter(chosen), self.numbers.filter(chosen), coded, self.plain)


@dataclass(frozen=True, eq=False)
class Coded:
    """Cells by number: ``distinct`` holds m of them (equal ones may be there twice), ``number`` is of shape (n,)."""

    distinct: Cells
    number: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some of the selected rows.

    Attributes:
        columns: the feature columns by name, in file order.
        others: columns that are no features and are read all the same: the split's group and time, and what tells
            rows apart although the recipe drops it.
        labels: the target as stripped, renamed text, String of shape (n,); null where missing.
        rows: 0-based numbers of the data rows in the file, int64 of shape (n,).
        indices: the names of columns that only number the rows.
    """

    columns: Mapping[str, Cells]
    others: Mapping[str, Cells]
    labels: pl.Series
    rows: npt.NDArray[np.int64]
    indices: frozenset[str] = frozenset()

    @cached_property
    def hashes(self) -> Mapping[str, npt.NDArray[np.uint64]]:
        """Return a hash of each cell of every column, each of shape (n,)."""
        every = {**self.others, **self.columns}
        # One call for all plain columns: a call for each costs more than the hashing.
        plain = pl.DataFrame({name: cells.numbers for name, cells in every.items() if cells.plain})
        hashed = plain.select(pl.all().hash())
        return {name: hashed[name].to_numpy() if cells.plain else cells.hashes for name, cells in every.items()}

    @cached_property
    def feature_hashes(self) -> npt.NDArray[np.uint64]:
        """Return a hash of each row's features, shape (n,), without columns that only number the rows."""
        return self._hash(name for name in self.columns if name not in self.indices)

    @cached_property
    def identity_hashes(self) -> npt.NDArray[np.uint64]:
        """Return a hash of all that tells rows apart, shape (n,): also of the names and codes that the recipe drops."""
        dropped = [name for name in self.others if name not in self.columns and name not in self.indices]
        if not dropped:
            return self.feature_hashes
        return self._hash([*(name for name in self.columns if name not in self.indices), *dropped])

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Chunk":
        """Return the rows where ``mask`` is true."""
        if mask.all():
            return self
        return Chunk(
            {name: cells.keep(mask) for name, cells in self.columns.items()},
            {name: cells.keep(mask) for name, cells in self.others.items()},
            self.labels.filter(pl.Series(mask)),
            self.rows[mask],
            self.indices,
        )

    def _hash(self, names: Iterable[str]) -> npt.NDArray[np.uint64]:
        return hash_rows((self.hashes[name] for name in names), len(self.rows))


def select(dataset: Dataset, recipe: Recipe) -> Iterator[Chunk]:
    """Yield the rows that ``recipe`` selects, in file order.

    Dropped columns are absent. A cell is missing when it is blank, when it is one of the missing tokens or of its
    column's missing values (compared without the blanks around it, and as a number where both are numbers, so that
    "0" also finds "0.0"), and when its column is cast to number and it does not parse. Only finite decimal numbers
    are numbers: "nan" and "inf" are text, and so are whole numbers of so many digits that a float loses some. With
    ``deduplicate`` the first of several equal rows stays, in which dropped columns count as well, unless they only
    number the rows; with ``drop_missing_target`` rows without a target are left out.

    Raises:
        InputError: the recipe names a column that is not there, or drops the target.
    """
    selection = Selection(dataset, recipe)
    for piece in dataset.source.pieces(selection.names):
        chunk = selection.place(selection.read(piece()))
        if len(chunk.rows):
            yield chunk


class Selection:
    """Reads pieces of a source as a recipe selects them.

    ``read`` is the costly part and depends on nothing but its piece, so that threads can share it; ``place`` takes the
    pieces in file order.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, *, only_target: bool = False) -> None:
        """Prepare for reading all columns that the recipe needs, or only the target.

        Raises:
            InputError: the recipe names a column that is not there, or drops the target.
        """
        _check_names(dataset, recipe)
        self._data, self._target = recipe.data, dataset.target
        every = [] if only_target else [name for name in dataset.source.columns if name != dataset.target]
        keys = {recipe.split.group, recipe.split.time}
        self._features = [name for name in every if name not in recipe.data.drop]
        self._others = [name for name in every if name in recipe.data.drop or name in keys]
        self.names = tuple(
            name for name in dataset.source.columns if name == dataset.target or name in self._features or name in every
        )
        self._first = 0
        self._indices: frozenset[str] | None = None
        self._seen = np.empty(0, dtype=np.uint64)

    def read(self, frame: pl.DataFrame) -> Chunk:
        """Return a piece's cells as the recipe reads them; its rows are numbered from 0."""
        cells = read_frame(frame, dict.fromkeys([*self._features, *self._others]), self._data)
        return Chunk(
            {name: cells[name] for name in self._features},
            {name: cells[name] for name in self._others},
            _read_labels(frame[self._target], self._data),
            np.arange(frame.height, dtype=np.int64),
        )

    def place(self, chunk: Chunk) -> Chunk:
        """Number the rows of the next piece, and leave out those that the recipe does not select."""
        if self._indices is None:
            self._indices = _indices_of({**chunk.others, **chunk.columns})
        rows = chunk.rows + self._first
        self._first += len(rows)
        chunk = replace(chunk, rows=rows, indices=self._indices)
        if self._data.drop_missing_target:
            chunk = chunk.keep(chunk.labels.is_not_null().to_numpy())
        if self._data.deduplicate and chunk.columns:
            chunk = chunk.keep(self._new(mix(chunk.identity_hashes ^ text_hash(chunk.labels))))
        return chunk

    def _new(self, identity: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Tell which rows are the first of their kind, in this piece and in all before it."""
        _, firsts = np.unique(identity, return_index=True)
        new = np.zeros(len(identity), dtype=np.bool_)
        new[firsts] = True
        new &= ~np.isin(identity, self._seen)
        # Merging two sorted runs: the stable sort does it in linear time.
        self._seen = np.sort(np.concatenate([self._seen, np.sort(identity[new])]), kind="stable")
        return new


def _indices_of(columns: Mapping[str, Cells]) -> frozenset[str]:
    """Return the columns that only number the rows: whole numbers that rise from row to row, none missing."""
    found = []
    for name, cells in columns.items():
        if len(cells) < MIN_INDEX_ROWS or not cells.all_numbers or cells.numbers.null_count():
            continue
        numbers = cells.numbers.to_numpy()
        if (numbers[1:] > numbers[:-1]).all() and (numbers == np.floor(numbers)).all():
            found.append(name)
    return frozenset(found)


def read_frame(frame: pl.DataFrame, names: Iterable[str], data: Data) -> dict[str, Cells]:
    """Read some columns' cells as ``select`` describes."""
    cast = pl.col(name for name in names if _may_be_plain(frame[name], data)).cast(pl.Float64, strict=False)
    # One call for all columns that look like numbers: a call for each costs as much as a small piece's casting.
    numbers = frame.select(cast)
    found = {}
    for name in names:
        column = frame[name]
        if name in numbers.columns:
            finite = _finite(numbers[name], column)
            if finite.null_count() == column.null_count():
                found[name] = Cells(column, finite, plain=True)
                continue
        found[name] = read_cells(column, data)
    return found


def _may_be_plain(column: pl.Series, data: Data) -> bool:
    """Tell whether the recipe says nothing of a column's cells, and the first of them are numbers."""
    if data.missing_tokens or column.name in data.missing_values or column.name in data.casts:
        return False
    probe = column.head(PROBED_CELLS)
    return probe.cast(pl.Float64, strict=False).null_count() == probe.null_count() < len(probe)


def read_cells(column: pl.Series, data: Data) -> Cells:
    """Read one column's cells as ``select`` describes."""
    tokens = [*data.missing_tokens, *data.missing_values.get(column.name, ())]
    cast = data.casts.get(column.name)
    positions, number = encode(text_hash(column))
    if len(positions) > MAX_CODED_SHARE * len(column):
        return _read_each(column, tokens, cast)
    # What is said of a cell is said of all cells with the same text, so few distinct ones are read once.
    distinct = _read_each(column.gather(positions), tokens, cast)
    written = column
    if distinct.written.null_count() > column.gather(positions).null_count():
        written = distinct.written.gather(number)
    numbers = pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    if distinct.numbers.null_count() < len(distinct):
        numbers = distinct.numbers.gather(number)
    return Cells(written, numbers, Coded(distinct, number))


def _read_each(column: pl.Series, tokens: Sequence[str], cast: str | None) -> Cells:
    written = column
    numbers = _parse(written)
    if numbers.null_count() > written.null_count():
        stripped = written.str.strip_chars()
        blank = stripped.str.len_bytes() == 0
        written, stripped = _without(written, blank), _without(stripped, blank)
        numbers = _parse(stripped)
    else:
        stripped = written
    if tokens:
        missing = _are_tokens(stripped, numbers, tokens, as_numbers=cast != "text")
        written, numbers = _without(written, missing), _without(numbers, missing)
    if cast == "number":
        written = _without(written, numbers.is_null())
    if cast == "text":
        numbers = pl.repeat(None, len(written), dtype=pl.Float64, eager=True)
    return Cells(written, numbers)


def _read_labels(column: pl.Series, data: Data) -> pl.Series:
    labels = read_cells(column, data).stripped
    return labels.replace(data.target_levels) if data.target_levels else labels


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


def _check_names(dataset: Dataset, recipe: Recipe) -> None:
    source, data = dataset.source, recipe.data
    check_named(source, "data.drop", data.drop)
    check_named(source, "data.casts", data.casts)
    check_named(source, "data.missing-values", data.missing_values)
    check_named(source, "split.group", [recipe.split.group] if recipe.split.group else [])
    check_named(source, "split.time", [recipe.split.time] if recipe.split.time else [])
    if dataset.target in data.drop:
        raise InputError(f"recipe: data.drop names the target {dataset.target!r}; take it out of the list.")


def check_named(source: Source, setting: str, names: Iterable[str]) -> None:
    """Refuse a setting that names columns which the source does not have.

    Raises:
        InputError: with the setting, the name, and the nearest column names.
    """
    for name in names:
        if name not in source.columns:
            near = difflib.get_close_matches(name, source.columns, n=3) or source.columns[:10]
            raise InputError(
                f"recipe: {setting} names {name!r}, which is no column of {source.name}; "
                f"did you mean {' or '.join(map(repr, near))}?"
            )
