"""Reads a whole table with numbers as numbers."""

from typing import Any

import polars as pl

EXACT = 2**53


def read(data: Any, **options: Any) -> pl.DataFrame:
    """Return the table as ``check`` sees it, in memory.

    A cell is missing (null) when it holds nothing but blanks. A column becomes Int64 when every other cell is a whole
    number, Float64 when every one is a finite decimal number, and stays String, as written, otherwise: one cell that is
    no number leaves all cells as they are. So do leading zeros ("00123") and whole numbers beyond ±2⁵³, which a number
    would not keep; ``check`` measures such columns as numbers nonetheless. Nothing is dropped, and no text but those of
    ``null_tokens`` is taken for a missing value.

    Args:
        data: as for ``open_source``: a path, a pattern, a folder, "-", or a table in memory.
        options: delimiter, header, encoding, null_tokens, skip_bad_rows.

    Raises:
        InputError: the data are not there, have no rows, or cannot be read right; with file, line or column, and cause.
    """
    from bindoctor.readers import open_source

    frame = pl.concat(open_source(data, **options).batches())
    return pl.DataFrame([typed(column) for column in frame])


def typed(column: pl.Series) -> pl.Series:
    """Return a column of texts with the type that its cells allow, as ``read`` does."""
    texts = column.str.strip_chars()
    blank = texts.str.len_bytes() == 0
    written = column.set(blank.fill_null(False), None)
    texts = texts.set(blank.fill_null(False), None)
    numbers = texts.cast(pl.Float64, strict=False)
    filled = len(texts) - texts.null_count()
    if not filled or numbers.is_finite().sum() < filled:
        return written
    whole = texts.str.contains(r"^[+-]?\d+$")
    exact = texts.filter(whole.fill_null(False)).str.strip_prefix("+").cast(pl.Int64, strict=False)
    if texts.str.contains(r"^[+-]?0\d").any() or exact.null_count() or (exact.abs() > EXACT).any():
        return written
    return texts.str.strip_prefix("+").cast(pl.Int64) if whole.all() else numbers
