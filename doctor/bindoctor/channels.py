"""Prepares rows that are arrays: each channel is a column, of all its cells in all rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import ARRAY
from bindoctor.errors import InputError
from bindoctor.readers.arrays import channel_axis
from bindoctor.recipe import Recipe

MAX_CELLS = 2**29
ABOUT_COLUMNS = (
    "data.drop",
    "data.casts",
    "data.tidy",
    "data.limits",
    "data.weight",
    "split.group",
    "split.time",
    "split.column",
    "features.indicators",
    "features.transform",
    "features.encode-columns",
    "features.clip",
    "features.dates",
    "features.derive",
    "features.keep",
)
"""Settings that have no meaning for rows that are arrays."""


def row_shape_of(features: pl.DataFrame) -> tuple[int, ...]:
    """Return the shape of the rows, where they are arrays; empty for those of a table."""
    kind = features.schema.get(ARRAY)
    return tuple(kind.shape) if isinstance(kind, pl.Array) else ()


def check_array_settings(recipe: Recipe, features: pl.DataFrame) -> None:
    """Check that the recipe asks nothing of columns, and that the arrays fit into memory.

    Raises:
        InputError: it does, or they do not.
    """
    plain = Recipe()
    for path in ABOUT_COLUMNS:
        if recipe.setting(path) != plain.setting(path):
            raise InputError(f"recipe.{path} is about columns, and each row is an array here; unset it.")
    cells = features.height * math.prod(row_shape_of(features))
    if cells > MAX_CELLS:
        raise InputError(
            f"the arrays hold {cells:.3g} numbers, {4 * cells / 2**30:.0f} GiB as float32, and at most "
            f"{MAX_CELLS:.3g} are trained on; give fewer rows or smaller arrays."
        )


def channel_columns(shape: Sequence[int]) -> Mapping[str, Literal["number", "text"]]:
    """Return the columns that the channels of such rows are."""
    return {f"channel {k}": "number" for k in range(shape[channel_axis(shape) - 1])}


def channel_frame(features: pl.DataFrame) -> pl.DataFrame:
    """Return all cells of n rows with p cells a channel, channel by channel, Float32 of shape (n · p, channels)."""
    shape = row_shape_of(features)
    array = np.moveaxis(features[ARRAY].to_numpy(), channel_axis(shape), -1)
    cells = array.reshape(-1, array.shape[-1])
    return pl.DataFrame(
        {name: pl.Series(name, cells[:, k]).fill_nan(None) for k, name in enumerate(channel_columns(shape))}
    )


def as_rows(cells: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return what ``channel_frame`` gives as rows again, float32 of shape (n, cells of a row), as the arrays have them.

    Args:
        cells: shape (n · p, channels).
        shape: of a row.
    """
    axis = channel_axis(shape)
    positions = [size for k, size in enumerate(shape, start=1) if k != axis]
    array = np.moveaxis(cells.reshape(-1, *positions, cells.shape[1]), -1, axis)
    return np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float32)
