"""Reads the rows that a recipe selects, cell by cell as the recipe reads them: the one place where that is decided."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.cleaning import outside, tidied
from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.hashing import hash_cells, hash_rows
from bindoctor.left_out import HeldOut, conflicting_rows, row_identity
from bindoctor.recipe import Data, Recipe


@dataclass(frozen=True, eq=False)
class Cells:
    """One column of a chunk, each of length n.

    Attributes:
        written: String, as written; null where missing.
        stripped: the same without blanks around it.
        numbers: Float64; null where missing, where the text is no finite number, and everywhere in a column cast to
        text.
    """

    written: pl.Series
    stripped: pl.Series
    numbers: pl.Series

    @cached_property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Return a hash of each cell, shape (n,): equal numbers are equal however they are written."""
        return hash_cells(self.written, self.numbers)

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Cells":
        """Return the cells where ``mask`` is true."""
        chosen = pl.Series(mask)
        return Cells(self.written.filter(chosen), self.stripped.filter(chosen), self.numbers.filter(chosen))


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some of the selected rows.

    Attributes:
        columns: the feature columns by name, in file order.
        keys: the split's group and time columns by name, whether they are features or not, and the columns of weights
            and parts, which are none.
        labels: the target as stripped, renamed text, String of shape (n,); null where missing.
        rows: 0-based numbers of the data rows in the file, int64 of shape (n,).
    """

    columns: Mapping[str, Cells]
    keys: Mapping[str, Cells]
    labels: pl.Series
    rows: npt.NDArray[np.int64]

    @cached_property
    def feature_hashes(self) -> npt.NDArray[np.uint64]:
        """Return a hash of each row's features, shape (n,)."""
        return hash_rows([cells.hashes for cells in self.columns.values()], len(self.rows))

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Chunk":
        """Return the rows where ``mask`` is true."""
        if mask.all():
            return self
        return Chunk(
            {name: cells.keep(mask) for name, cells in self.columns.items()},
            {name: cells.keep(mask) for name, cells in self.keys.items()},
            self.labels.filter(pl.Series(mask)),
            self.rows[mask],
        )


def select(dataset: Dataset, recipe: Recipe) -> Iterator[Chunk]:
    """Yield the rows that ``recipe`` selects, in file order.

    Dropped columns are absent, and so are those of weights and parts. A cell is missing when it is blank, when it is
    one of the missing tokens or of its column's missing values (compared without the blanks around it, and as a number
    where both are numbers, so that "0" also finds "0.0"), when it is a number outside of its column's limits, and when
    its column is cast to number and it does not parse. Only finite decimal numbers are numbers: "nan" and "inf" are
    text. Texts of tidy columns are read tidied.

    Rows are left out in this order: ``drop_rows``, those that stand in a held-out file with ``drop_overlap``, those
    without a target with ``drop_missing_target``, what ``conflicts`` decides (the source is read once more for it), and
    with ``deduplicate`` all but the first of several rows with equal features and target.

    Raises:
        InputError: the recipe names a column that is not there, or drops the target, or a held-out file lacks a feature
            column.
    """
    _check_names(dataset, recipe)
    data, split = recipe.data, recipe.split
    no_features = {dataset.target, data.weight, split.column, *data.drop}
    features = [name for name in dataset.source.columns if name not in no_features]
    keys = [name for name in dict.fromkeys([split.group, split.time, split.column, data.weight]) if name]
    unwanted, held_out = _unwanted_rows(dataset, recipe), _held_out(dataset, data, features)
    seen = np.empty(0, dtype=np.uint64)
    first = 0
    for batch in dataset.source.batches():
        cells = {name: read_cells(batch[name], data) for name in dict.fromkeys([*features, *keys])}
        chunk = Chunk(
            {name: cells[name] for name in features},
            {name: cells[name] for name in keys},
            _read_labels(batch[dataset.target], data),
            np.arange(first, first + batch.height, dtype=np.int64),
        )
        first += batch.height
        if len(unwanted):
            chunk = chunk.keep(~np.isin(chunk.rows, unwanted))
        if held_out is not None:
            chunk = chunk.keep(~held_out.holds(chunk.feature_hashes, chunk.labels))
        if data.drop_missing_target:
            chunk = chunk.keep(chunk.labels.is_not_null().to_numpy())
        if data.deduplicate and features:
            identity = row_identity(chunk.feature_hashes, chunk.labels)
            _, firsts = np.unique(identity, return_index=True)
            new = np.zeros(len(identity), dtype=np.bool_)
            new[firsts] = True
            new &= ~np.isin(identity, seen)
            # Merging two sorted runs: the stable sort does it in linear time.
            seen = np.sort(np.concatenate([seen, np.sort(identity[new])]), kind="stable")
            chunk = chunk.keep(new)
        if len(chunk.rows):
            yield chunk


def read_cells(column: pl.Series, data: Data) -> Cells:
    """Read one column's cells as ``select`` describes."""
    cast = data.casts.get(column.name)
    written = tidied(column) if column.name in data.tidy else column
    stripped = written
    numbers = _parse(written)
    if numbers.null_count() > written.null_count():
        stripped = written.str.strip_chars()
        blank = stripped.str.len_bytes() == 0
        if blank.any():
            written, stripped = _without(written, blank), _without(stripped, blank)
        numbers = _parse(stripped)
    tokens = [*data.missing_tokens, *data.missing_values.get(column.name, ())]
    if tokens:
        missing = _are_tokens(stripped, numbers, tokens, as_numbers=cast != "text")
        written, stripped, numbers = (_without(series, missing) for series in (written, stripped, numbers))
    if column.name in data.bounds and cast != "text":
        impossible = outside(numbers, data.bounds[column.name])
        written, stripped, numbers = (_without(series, impossible) for series in (written, stripped, numbers))
    if cast == "number":
        written, stripped = (_without(series, numbers.is_null()) for series in (written, stripped))
    if cast == "text":
        numbers = pl.repeat(None, len(written), dtype=pl.Float64, eager=True)
    return Cells(written, stripped, numbers)


def _read_labels(column: pl.Series, data: Data) -> pl.Series:
    labels = read_cells(column, data).stripped
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


def _held_out(dataset: Dataset, data: Data, features: Sequence[str]) -> HeldOut | None:
    """Return the rows of the validation and test files, read as the recipe reads rows, where it is to look at them."""
    files = [source for source in (dataset.valid, dataset.test) if source is not None] if data.drop_overlap else []
    if not files:
        return None
    found = HeldOut()
    for source in files:
        absent = [name for name in features if name not in source.columns]
        if absent:
            raise InputError(
                f"{source.name}: lacks the column {absent[0]!r} of {dataset.source.name}; add it, or drop it from both "
                "with data.drop."
            )
        for batch in source.batches():
            hashes = hash_rows([read_cells(batch[name], data).hashes for name in features], batch.height)
            found.add(hashes, _read_labels(batch[dataset.target], data) if dataset.target in source.columns else None)
    return found


def _parse(texts: pl.Series) -> pl.Series:
    numbers = texts.cast(pl.Float64, strict=False)
    finite = numbers.is_finite()
    return numbers if finite.all() else _without(numbers, ~finite)


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
