"""Reads the rows that a recipe selects as typed columns, for training and for prediction."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.cells import Cells, read_cells
from bindoctor.dataset import ARRAY, Dataset, Rows, Source, row_shape
from bindoctor.errors import InputError
from bindoctor.part_names import held_out_rows, is_validation
from bindoctor.profile import Profile
from bindoctor.readers.arrays import ArraySource
from bindoctor.recipe import Recipe
from bindoctor.scan import scan
from bindoctor.selection import select

Kind = Literal["number", "text"]


def rows_of(dataset: Dataset, recipe: Recipe, profile: Profile | None = None) -> Rows:
    """Return the rows that ``recipe`` selects: the rows, kinds and classes of their profile.

    Number columns are Float64, text columns and those that the recipe reads as dates String as written. A row without a
    group is a group of its own.

    Args:
        dataset: the source and its target.
        recipe: what is selected, and which columns are group and time.
        profile: the scan of the same dataset under the same recipe; scanned anew when not given.

    Raises:
        InputError: as ``scan`` does, or no feature column is selected, or rows without a target are left in, or the
            time column holds a cell that is neither a number nor an ISO date, the weight column one that is no weight,
            or the split's column one that names no part.
    """
    profile = profile or scan(dataset, recipe)
    if profile.missing_target.count:
        count, first = profile.missing_target.count, profile.missing_target.first[0]
        raise InputError(
            f"{dataset.source.name}: {count} row{'s have' if count > 1 else ' has'} no target {dataset.target!r} (the "
            f"first is data row {first + 1}); fill them in, or set data.drop-missing-target = true in the recipe."
        )
    if not profile.columns:
        dropped = ", ".join(repr(name) for name in recipe.data.drop)
        why = f"the recipe drops {dropped}" if dropped else "the target is the only column"
        raise InputError(f"{dataset.source.name}: no feature column is left to train on: {why}.")
    numeric = {name for name, column in profile.columns.items() if column.kind == "number"} - {*recipe.features.dates}
    columns: dict[str, list[pl.Series]] = {name: [] for name in profile.columns}
    keys: dict[str, list[Cells]] = {}
    labels, row_ids = [], []
    for chunk in select(dataset, recipe):
        for name, cells in chunk.columns.items() if not dataset.row_shape else ():
            columns[name].append(cells.numbers if name in numeric else cells.written)
        for name, cells in chunk.others.items():
            keys.setdefault(name, []).append(cells)
        labels.append(chunk.labels)
        row_ids.append(chunk.rows)
    if dataset.row_shape:
        features = _arrays(dataset.source, np.concatenate(row_ids))
    else:
        features = pl.DataFrame({name: pl.concat(parts) for name, parts in columns.items()})
    indices = pl.concat(labels).replace_strict(
        list(profile.classes), list(range(len(profile.classes))), return_dtype=pl.Int64
    )
    group, time, part, weight = recipe.split.group, recipe.split.time, recipe.split.column, recipe.data.weight
    return Rows(
        features=features,
        labels=indices.to_numpy(),
        classes=profile.classes,
        row_ids=np.concatenate(row_ids),
        groups=_groups(keys[group]) if group else None,
        order=_order(dataset.source, time, keys[time]) if time else None,
        weights=_weights(dataset.source, weight, keys[weight]) if weight else None,
        held_out=held_out_rows(dataset.source.name, part, _stripped(keys[part])) if part else None,
        validation=_validation(part, _stripped(keys[part])) if part else None,
    )


def rows_key(recipe: Recipe) -> str:
    """Return a key that is equal for recipes whose ``rows_of`` gives the same rows of the same dataset."""
    split = recipe.split
    return repr((recipe.data, sorted(recipe.features.dates), split.group, split.time, split.column))


def features_of(
    source: Source, recipe: Recipe, columns: Mapping[str, Kind], shape: tuple[int, ...] = ()
) -> pl.DataFrame:
    """Return columns of a source for prediction, read as ``recipe`` reads them; the target may be absent.

    Args:
        source: the rows to predict.
        recipe: the recipe that the model was trained with.
        columns: the model's columns and kinds; a cell of a number column that is no number becomes null.
        shape: of the rows, where the model takes arrays.

    Raises:
        InputError: the source lacks one of the columns, or its rows have another shape.
    """
    if shape or row_shape(source):
        if row_shape(source) != shape:
            raise InputError(
                f"{source.name}: its rows have the shape {row_shape(source) or 'of a table'}, and the model takes "
                f"{shape or 'a table'}; give rows as in training."
            )
        return _arrays(source, np.arange(sum(batch.height for batch in source.batches([ARRAY]))))
    absent = [name for name in columns if name not in source.columns]
    if absent:
        raise InputError(
            f"{source.name}: the model needs the column{'s' if len(absent) > 1 else ''} "
            f"{', '.join(map(repr, absent))}, which the file does not have; add what is missing."
        )
    frames = []
    for batch in source.batches(list(columns)):
        cells = {name: read_cells(batch[name], recipe.data) for name in columns}
        frames.append(pl.DataFrame({n: c.numbers if columns[n] == "number" else c.written for n, c in cells.items()}))
    return pl.concat(frames)


def _arrays(source: Source, rows: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Return rows that are arrays, as one column of them."""
    assert isinstance(source, ArraySource)
    return pl.DataFrame({ARRAY: pl.Series(ARRAY, source.take(rows), dtype=pl.Array(pl.Float32, source.row_shape))})


def _stripped(parts: list[Cells]) -> pl.Series:
    return pl.concat([cells.stripped for cells in parts])


def _validation(column: str, levels: pl.Series) -> npt.NDArray[np.bool_]:
    known = {level: is_validation(column, level) for level in levels.unique().to_list()}
    return levels.replace_strict(known, return_dtype=pl.Boolean).to_numpy()


def _weights(source: Source, column: str, parts: list[Cells]) -> npt.NDArray[np.float64]:
    numbers = pl.concat([cells.numbers for cells in parts])
    bad = numbers.is_null() | (numbers < 0)
    if bad.any():
        cell = _stripped(parts)[int(bad.arg_true()[0])]
        raise InputError(
            f"{source.name}: data.weight names {column!r}, of which {bad.sum()} cells "
            f"({'the first is blank' if cell is None else f'such as {cell!r}'}) are no weights; fill them in with "
            "numbers of 0 or more, or unset data.weight."
        )
    return numbers.to_numpy()


def _groups(parts: list[Cells]) -> npt.NDArray[np.int64]:
    """Number the groups; a row without one gets a number of its own, so that it is on one side of a split only."""
    texts = _stripped(parts)
    numbers = texts.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    alone = np.flatnonzero(numbers == 0)
    numbers[alone] = numbers.max(initial=0) + 1 + np.arange(len(alone))
    return numbers


def _order(source: Source, column: str, parts: list[Cells]) -> npt.NDArray[np.float64]:
    """Return times as numbers: numbers as they are, ISO dates in microseconds."""
    texts = _stripped(parts)
    times = pl.concat([cells.numbers for cells in parts])
    if times.null_count():
        dates = texts.str.replace("T", " ", literal=True)
        times = dates.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False).fill_null(
            dates.str.to_datetime("%Y-%m-%d", strict=False)
        )
    if times.null_count():
        bad = texts[int(times.is_null().arg_true()[0])]
        raise InputError(
            f"{source.name}: split.time names {column!r}, which cannot be ordered: {times.null_count()} of its cells "
            f"({'the first is blank' if bad is None else f'such as {bad!r}'}) are neither numbers nor ISO dates "
            "such as 2024-01-31 or 2024-01-31 12:00:00."
        )
    return times.cast(pl.Int64 if times.dtype.is_temporal() else pl.Float64).cast(pl.Float64).to_numpy()
