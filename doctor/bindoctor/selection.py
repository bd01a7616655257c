"""Chooses the rows that a recipe selects, read as it reads them: the one place where that is decided."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.cells import Cells, Seen, read_cells, read_frame
from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.hashing import hash_rows
from bindoctor.left_out import HeldOut, conflicting_rows, row_identity
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Data

MIN_INDEX_ROWS = 20


class Chunk(msgspec.Struct, frozen=True, eq=False, dict=True):
    """Some of the selected rows.

    Attributes:
        columns: the feature columns by name, in file order.
        others: columns that are read and are no features, or not only: the split's group, time and part, the weights,
            and what tells rows apart although the recipe drops it.
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
        # One call for all plain columns, as a call for each costs more than the hashing; in this thread, as there is
        # another for the next chunk.
        plain = pl.DataFrame({name: cells.numbers for name, cells in every.items() if cells.plain})
        hashed = plain.select_seq(pl.all().hash())
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


def select(dataset: Dataset, recipe: Recipe, *, indices: frozenset[str] | None = None) -> Iterator[Chunk]:
    """Yield the rows that ``recipe`` selects, in file order, read as ``read_cells`` does.

    Dropped columns are absent, and so are those of weights and parts.

    Rows are left out in this order: ``drop_rows``, those that stand in a held-out file with ``drop_overlap``, those
    without a target with ``drop_missing_target``, what ``conflicts`` decides (the source is read once more for it), and
    with ``deduplicate`` all but the first of several equal rows. Equal are rows with the same target and the same cells
    in all columns, dropped ones included, except those that only number the rows.

    Args:
        dataset: the source and its target.
        recipe: which rows and columns, and how cells are read.
        indices: the columns that only number the rows; told from the first rows when not given.

    Raises:
        InputError: the recipe names a column that is not there, or drops the target, or a held-out file lacks a feature
            column.
    """
    selection = Selection(dataset, recipe, indices=indices)
    for piece in dataset.source.pieces(selection.names):
        chunk = selection.place(selection.read(piece()))
        if len(chunk.rows):
            yield chunk


def indices_in(dataset: Dataset, recipe: Recipe) -> frozenset[str]:
    """Return the columns of a source that only number the rows, as its first rows tell."""
    return next((chunk.indices for chunk in select(dataset, recipe)), frozenset())


class Selection:
    """Reads pieces of a source as a recipe selects them.

    ``read`` is the costly part and depends on nothing but its piece, so that threads can share it; ``place`` takes the
    pieces in file order.
    """

    def __init__(
        self, dataset: Dataset, recipe: Recipe, *, only_target: bool = False, indices: frozenset[str] | None = None
    ) -> None:
        """Prepare for reading all columns that the recipe needs, or only the target.

        Raises:
            InputError: the recipe names a column that is not there, or drops the target.
        """
        _check_names(dataset, recipe)
        data, split = recipe.data, recipe.split
        self._dataset, self._data = dataset, data
        no_features = {data.weight, split.column, *data.drop}
        keys = {split.group, split.time, split.column, data.weight}
        every = [name for name in dataset.source.columns if name != dataset.target]
        if only_target and not (data.deduplicate or data.drop_overlap):
            every = []
        self._features = [name for name in every if name not in no_features]
        self._others = [name for name in every if name in no_features or name in keys]
        self.names = tuple(name for name in dataset.source.columns if name == dataset.target or name in every)
        self._unwanted = _unwanted_rows(dataset, recipe)
        self._held_out: HeldOut | None = None
        self._indices = indices
        # Threads may replace an entry by one that knows less; it is read anew then, and never wrong.
        self._known: dict[str, Seen] = {}
        self._first = 0
        self._seen = np.empty(0, dtype=np.uint64)

    def read(self, frame: pl.DataFrame) -> Chunk:
        """Return a piece's cells as the recipe reads them; its rows are numbered from 0."""
        cells = read_frame(frame, dict.fromkeys([*self._features, *self._others]), self._data, self._known)
        return Chunk(
            {name: cells[name] for name in self._features},
            {name: cells[name] for name in self._others},
            read_labels(frame[self._dataset.target], self._data, self._known),
            np.arange(frame.height, dtype=np.int64),
        )

    def place(self, chunk: Chunk) -> Chunk:
        """Number the rows of the next piece, and leave out those that the recipe does not select.

        Raises:
            InputError: a held-out file lacks a feature column.
        """
        if self._indices is None:
            self._indices = _indices_of({**chunk.others, **chunk.columns})
        if self._data.drop_overlap and self._held_out is None:
            compared = [name for name in self._features if name not in self._indices]
            self._held_out = _held_out(self._dataset, self._data, compared)
        rows = chunk.rows + self._first
        self._first += len(rows)
        if self._dataset.row_numbers is not None:
            rows = self._dataset.row_numbers[rows]
        chunk = msgspec.structs.replace(chunk, rows=rows, indices=self._indices)
        if len(self._unwanted):
            chunk = chunk.keep(~np.isin(chunk.rows, self._unwanted))
        if self._held_out is not None:
            chunk = chunk.keep(~self._held_out.holds(chunk.feature_hashes, chunk.labels))
        if self._data.drop_missing_target:
            chunk = chunk.keep(chunk.labels.is_not_null().to_numpy())
        if self._data.deduplicate and self._features:
            chunk = chunk.keep(self._new(row_identity(chunk.identity_hashes, chunk.labels)))
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


def read_labels(column: pl.Series, data: Data, seen: dict[str, Seen] | None = None) -> pl.Series:
    """Return a target's cells as stripped, renamed text."""
    labels = read_cells(column, data, seen).stripped
    return labels.replace(data.target_levels) if data.target_levels else labels


def _unwanted_rows(dataset: Dataset, recipe: Recipe) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows that are left out one by one, or for their conflicting labels."""
    data = recipe.data
    listed = np.array(data.drop_rows, dtype=np.int64)
    if data.conflicts == "keep":
        return listed
    before = msgspec.structs.replace(data, conflicts="keep", deduplicate=False)
    chunks = select(dataset, msgspec.structs.replace(recipe, data=before))
    conflicting = conflicting_rows(
        ((chunk.feature_hashes, chunk.labels, chunk.rows) for chunk in chunks), data.conflicts
    )
    return np.union1d(listed, conflicting)


def _held_out(dataset: Dataset, data: Data, features: Sequence[str]) -> HeldOut:
    """Return the rows of the validation and test files, read as the recipe reads rows."""
    found = HeldOut()
    for source in (dataset.valid, dataset.test):
        if source is None:
            continue
        absent = [name for name in features if name not in source.columns]
        if absent:
            raise InputError(
                f"{source.name}: lacks the column {absent[0]!r} of {dataset.source.name}; add it, or drop it from both "
                "with data.drop."
            )
        for batch in source.batches():
            hashes = hash_rows([read_cells(batch[name], data).hashes for name in features], batch.height)
            found.add(hashes, read_labels(batch[dataset.target], data) if dataset.target in source.columns else None)
    return found


def _check_names(dataset: Dataset, recipe: Recipe) -> None:
    source, data = dataset.source, recipe.data
    check_named(source, "data.drop", data.drop)
    check_named(source, "data.casts", data.casts)
    check_named(source, "data.missing-values", data.missing_values)
    check_named(source, "data.tidy", data.tidy)
    check_named(source, "data.limits", data.limits)
    roles = {
        "data.weight": data.weight,
        "split.group": recipe.split.group,
        "split.time": recipe.split.time,
        "split.column": recipe.split.column,
    }
    for setting, name in roles.items():
        check_named(source, setting, [name] if name else [])
        if name == dataset.target:
            raise InputError(f"recipe: {setting} names the target {name!r}; name another column.")
    if dataset.target in data.tidy:
        raise InputError(
            f"recipe: data.tidy names the target {dataset.target!r}, whose levels data.target-levels renames; take it "
            "out of the list."
        )
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
