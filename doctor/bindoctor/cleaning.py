"""Cleans the cells of single columns: texts written in several ways, and numbers that cannot be."""

import unicodedata

import polars as pl


def tidy_text(text: str) -> str:
    """Return a text as it is compared: without characters that do not show, blanks around it or case.

    Runs of blanks, of any kind that Unicode knows, become one space; format characters (category Cf, such as the
    zero-width space and the byte order mark) go; case is folded.
    """
    shown = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return " ".join(shown.split()).casefold()


def tidied(column: pl.Series) -> pl.Series:
    """Return the column with every text tidied; equal cells are tidied once."""
    texts = column.drop_nulls().unique()
    tidy = pl.Series([tidy_text(text) for text in texts], dtype=pl.String)
    changed = texts != tidy
    if not changed.any():
        return column
    return column.replace(texts.filter(changed), tidy.filter(changed))


def outside(numbers: pl.Series, bounds: tuple[float, float]) -> pl.Series:
    """Tell which numbers lie outside of [low, high], Boolean of shape (n,); null where there is no number."""
    low, high = bounds
    return (numbers < low) | (numbers > high)
