"""Reads a whole table with numbers as numbers."""

from typing import Any

import polars as pl

WHOLE = r"^[+-]?(?:0|[1-9]\d{0,15})$"
EXACT = 2**53


def read(data: Any, **options: Any) -> pl.DataFrame:
    """Return the table as ``check`` sees it, in memory.

    A cell is missing (null) when it holds nothing but blanks. A column becomes Int64 when every other cell is a whole
    number within ±2⁵³ without leading zeros, Float64 when every one is a finite decimal number, and stays String, as
    written, otherwise: codes such as "00123" keep their zeros, and one cell that is no number leaves all cells as they
    are. Nothing is dropped, and no text but those of ``null_tokens`` is taken for a missing value.

    Args:
        data: as for ``open_source``: a path, a pattern, a folder, "-", or a table in memory.
        options: delimiter, header, encoding, null_tokens, skip_bad_rows.

    Raises:
        InputError: the data are not there, have no rows, or cannot be read right; with file, line or column, and cause.
    """
    from bindoctor.readers import open_source

    frame = pl.concat(open_source(data, **options).batches())
    return pl.DataFrame([_typed(column) for column in frame])


def _typed(column: pl.Series) -> pl.Series:
    texts = column.str.strip_chars()
    blank = texts.str.len_bytes() == 0
    written = column.set(blank.fill_null(False), None)
    texts = texts.set(blank.fill_null(False), None)
    numbers = texts.cast(pl.Float64, strict=False)
    filled = len(texts) - texts.null_count()
    if not filled or numbers.is_finite().sum() < filled:
        return written
    if texts.str.contains(r"^[+-]?0\d").any():
        return written
    if texts.str.contains(WHOLE).all() and numbers.abs().max() <= EXACT:  # type: ignore[operator]
        return texts.cast(pl.Int64)
    return numbers
