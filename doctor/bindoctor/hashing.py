"""64-bit hashes of cells and rows, equal in every batch, process and machine that runs the same Polars."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit values: every bit then depends on every bit (SplitMix64's finaliser, Steele et al. 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def text_hash(texts: pl.Series) -> Hashes:
    """Hash texts, shape (n,); null has a hash of its own."""
    return texts.hash().to_numpy()


def hash_cells(written: pl.Series, numbers: pl.Series) -> Hashes:
    """Hash cells, shape (n,): by value where they are numbers, by text otherwise; null has a hash of its own."""
    parsed = len(numbers) - numbers.null_count()
    if not parsed:
        return text_hash(written)
    # Adding 0.0 makes −0 and 0 the same bits; null is NaN here, and its hash is replaced.
    values = numbers.to_numpy() + 0.0
    by_value = mix(values.view(np.uint64) + GOLDEN)
    if parsed == len(numbers):
        return by_value
    only_nulls_left = parsed == len(written) - written.null_count()
    other = text_hash(pl.Series([None], dtype=pl.String)) if only_nulls_left else text_hash(written)
    return np.where(np.isnan(values), other, by_value)


def hash_rows(columns: Sequence[Hashes], rows: int) -> Hashes:
    """Combine the hashes of a row's cells, each (n,), into one, shape (n,); the order of the columns matters."""
    combined = np.zeros(rows, dtype=np.uint64)
    odd = mix(np.arange(1, len(columns) + 1, dtype=np.uint64) * GOLDEN) | np.uint64(1)
    for hashes, factor in zip(columns, odd, strict=True):
        combined += hashes * factor
    return mix(combined)


def row_number_hash(rows: npt.NDArray[np.int64]) -> Hashes:
    """Hash row numbers, shape (n,), so that sums over different sets of rows differ."""
    return mix(rows.astype(np.uint64) * GOLDEN + GOLDEN)
