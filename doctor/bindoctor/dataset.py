"""Where the rows are, which column is the target, and what training sees of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

ARRAY = "array"
"""What the feature of rows is called that are arrays."""

Piece = Callable[[], pl.DataFrame]
"""Some consecutive rows, parsed when it is called: in any thread, in any order."""


class Source(Protocol):
    """Something that yields rows as text: a file reader, or a table in memory."""

    @property
    def name(self) -> str:
        """Return what to call it in a message: usually the path."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column names in file order."""
        ...

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Cut the rows, in file order, into pieces of some megabytes.

        Cutting is cheap; calling a piece parses and checks its rows, and may be done by several threads at once. Every
        column is String, blank cells are null; a piece may come out without rows.

        Args:
            columns: names of the columns wanted, in any order; the frames hold them in file order. None is all of them.

        Raises:
            InputError: the rows cannot be read right; most often when a piece is called.
        """
        ...

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield what the pieces hold, one after the other, without empty frames."""
        ...

    def digest(self) -> str:
        """Return a SHA-256 of the content, in hex."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what reading decided or did that the user should know; complete once all rows have been read."""
        ...


class Table(msgspec.Struct, frozen=True):
    """A small table in memory, as examples and tests use it: column name to cells (``None`` is missing)."""

    cells: Mapping[str, Sequence[object]]
    target: str = "y"
    positive: str = ""


@dataclass(frozen=True)
class Dataset:
    """A table with a target, and the parts of it that are in files of their own.

    Attributes:
        source: the rows.
        target: the column to predict.
        positive: the positive class of a binary target, "" when it is not named.
        guessed: how the target was chosen when the user did not name it, and empty when they did.
        valid: rows to validate on, with all columns of ``source``.
        test: rows to test on, with all columns of ``source``.
        row_numbers: 0-based numbers that the rows of ``source`` have in the file that they are a sample of, ascending,
            int64 of shape (n,); None where ``source`` is the file.
    """

    source: Source
    target: str
    positive: str = ""
    guessed: str = ""
    valid: Source | None = None
    test: Source | None = None
    row_numbers: npt.NDArray[np.int64] | None = field(default=None, compare=False)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Return the shape of a row that is an array; empty for the rows of a table."""
        return row_shape(self.source)


def row_shape(source: Source) -> tuple[int, ...]:
    """Return the shape of a source's rows, where they are arrays; empty for a table."""
    shape: tuple[int, ...] = getattr(source, "row_shape", ())
    return shape


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a recipe selects, typed for training.

    Attributes:
        features: one Float64 or String column a feature, null where missing; shape (n, d). Of rows that are arrays, the
            one column "array", an Array of Float32.
        labels: class indices, int64 of shape (n,).
        classes: class labels; index 1 is the positive class of a binary problem.
        row_ids: 0-based numbers of the data rows in the file, int64 of shape (n,).
        groups: the split's group of each row as int64 of shape (n,), or None.
        order: the split's time of each row as sortable float64 of shape (n,), or None.
        weights: how much each row counts in training, float64 >= 0 of shape (n,), or None.
        held_out: rows that the split's column keeps back from training, bool of shape (n,), or None.
        validation: those of them that it calls validation rows, bool of shape (n,), or None.
    """

    features: pl.DataFrame
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    row_ids: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64] | None = None
    order: npt.NDArray[np.float64] | None = None
    weights: npt.NDArray[np.float64] | None = None
    held_out: npt.NDArray[np.bool_] | None = None
    validation: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Rows)
            and self.classes == other.classes
            and self.features.equals(other.features)
            and np.array_equal(self.labels, other.labels)
            and np.array_equal(self.row_ids, other.row_ids)
        )

    def take(self, index: npt.NDArray[np.int64]) -> "Rows":
        """Return the rows at these positions, in this order."""
        return Rows(
            self.features[index],
            self.labels[index],
            self.classes,
            self.row_ids[index],
            None if self.groups is None else self.groups[index],
            None if self.order is None else self.order[index],
            None if self.weights is None else self.weights[index],
            None if self.held_out is None else self.held_out[index],
            None if self.validation is None else self.validation[index],
        )
