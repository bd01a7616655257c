"""Writes a table of 49 columns as CSV: 40 floats, 5 categories, an id, a date, an integer and a binary target.

    python benchmarks/make_table.py FILE --rows 1000000 [--seed 0]

Written chunk by chunk, about 390 bytes a row. The same seed and number of rows give the same file.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.random import Generator

CHUNK_ROWS = 250_000
FLOATS = 40
LEVELS = (3, 8, 25, 80, 200)
NULL_SHARES = {3: 0.005, 11: 0.02, 17: 0.05, 23: 0.1, 31: 0.2, 38: 0.35}
DAYS = np.arange("2016-01-01", "2026-01-01", dtype="datetime64[D]")
FORMS = 8


def floats(position: int, common: np.ndarray, random: Generator) -> np.ndarray:
    """Return one column, shape (n,): its form, centre and scale go by its position, and each draws on ``common``."""
    n, shape = len(common), 1 + position % 5
    forms = (
        lambda: random.normal(size=n) + 0.5 * common,
        lambda: np.exp(0.8 * random.normal(size=n) + 0.2 * common),
        lambda: random.exponential(size=n),
        lambda: random.uniform(-1, 1, n),
        lambda: random.standard_t(4, n),
        lambda: random.gamma(shape, size=n),
        lambda: random.normal(size=n) + np.where(random.random(n) < 0.3, 4.0, 0.0),
        lambda: np.where(random.random(n) < 0.4, 0.0, random.exponential(size=n)),
    )
    values = forms[position % FORMS]() * (1.0, 10.0, 0.1)[position % 3] + (0.0, 50.0)[position % 7 == 0]
    if position in NULL_SHARES:
        values[random.random(n) < NULL_SHARES[position]] = np.nan
    return values


def chunk(start: int, rows: int, random: Generator) -> pl.DataFrame:
    """Return rows ``start`` to ``start + rows``; the target depends on a few of the columns, and is 1 in about 15 %."""
    common = random.normal(size=rows)
    numbers = {f"x{i:02}": floats(i, common, random) for i in range(FLOATS)}
    codes = {count: np.minimum(random.geometric(2 / count, rows) - 1, count - 1) for count in LEVELS}
    age = random.integers(18, 90, rows)
    signal = common + 0.8 * numbers["x24"] + 0.5 * (codes[8] == 2) + 0.02 * (age - 54)
    target = random.random(rows) < 1 / (1 + np.exp(2.4 - signal))
    return pl.DataFrame(
        {
            "id": np.arange(start, start + rows) + 1,
            "date": random.choice(DAYS, rows),
            **{name: pl.Series(values, nan_to_null=True) for name, values in numbers.items()},
            **{f"c{count}": pl.Series([f"L{i:03}" for i in range(count)])[taken] for count, taken in codes.items()},
            "age": age,
            "target": target.astype(np.int8),
        }
    )


def write_table(path: Path, rows: int, seed: int) -> None:
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK_ROWS):
            part = chunk(start, min(CHUNK_ROWS, rows - start), np.random.default_rng([seed, start]))
            part.write_csv(file, include_header=start == 0, float_precision=5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_table(options.file, options.rows, options.seed)


if __name__ == "__main__":
    main()
