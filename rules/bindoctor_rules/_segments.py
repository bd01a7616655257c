"""Parts of the rows that share a level or a range of a column."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import Profile, Rows

RANGES = 4
MAX_LEVELS = 50


class Segment(NamedTuple):
    """Some rows, by position, and how they are called: ``'age' from 20 to 31``."""

    name: str
    column: str
    at: npt.NDArray[np.int64]


def segments(profile: Profile, rows: Rows, min_rows: float) -> Iterator[Segment]:
    """Yield levels of text columns, quarters of number columns (or their few values), and missing cells.

    Args:
        profile: which columns are features.
        rows: the rows to part.
        min_rows: fewer rows make no segment; nor do all rows.
    """
    for column in (*profile.numbers, *profile.categories):
        cells = rows.features[column.name]
        number = column.kind == "number"
        missing = cells.is_null().to_numpy()
        found = [(f"{column.name!r} missing", np.flatnonzero(missing))]
        if number:
            found += _ranges(column.name, cells.to_numpy().astype(np.float64), missing)
        else:
            found += _levels(column.name, cells.fill_null("").to_list(), missing)
        yield from (
            Segment(name, column.name, at) for name, at in found if max(min_rows, 1) <= len(at) < len(rows.labels)
        )


def _levels(name: str, cells: list[str], missing: npt.NDArray[np.bool_]) -> list[tuple[str, npt.NDArray[np.int64]]]:
    # As objects: an array of text takes the room of the longest cell in every cell.
    levels, place, counts = np.unique(np.array(cells, np.object_), return_inverse=True, return_counts=True)
    common = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
    return [(f"{name!r} = {levels[k]!r}", np.flatnonzero((place == k) & ~missing)) for k in common.tolist()]


def _ranges(
    name: str, numbers: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_]
) -> list[tuple[str, npt.NDArray[np.int64]]]:
    present = numbers[~missing]
    values = np.unique(present)
    if len(values) <= RANGES:
        return [(f"{name!r} = {value:g}", np.flatnonzero(numbers == value)) for value in values.tolist()]
    cuts = np.unique(np.quantile(present, np.arange(1, RANGES) / RANGES, method="lower"))
    place = np.where(missing, -1, np.searchsorted(cuts, numbers, side="left"))
    parts = [np.flatnonzero(place == k) for k in range(len(cuts) + 1)]
    return [(f"{name!r} from {numbers[at].min():g} to {numbers[at].max():g}", at) for at in parts if len(at)]
