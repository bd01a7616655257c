"""What a scan found out about a data set: counts per class, its columns, and what holds between them."""

import math
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

from bindoctor.column_profile import ColumnProfile
from bindoctor.dataset import Rows
from bindoctor.findings import RowList

State = Literal["cells", "correlations", "pairs", "repeats", "order", "sample"]
"""A part of the scan that a rule can ask for; "cells" is all that is known of the columns one by one."""

EVERYTHING: frozenset[State] = frozenset(get_args(State))


class Blocks(msgspec.Struct, frozen=True, eq=False):
    """What stretches of consecutive rows hold, to see what changes along the file: b blocks of ``size`` rows each.

    Attributes:
        size: rows of a block by row number; the last one may be shorter.
        class_counts: labelled rows by class and block, shape (classes, b).
        columns: the number columns, p of them.
        counts: their non-missing cells by block, shape (p, b).
        means: their means by block, NaN where a block has none, shape (p, b).
    """

    size: int
    class_counts: npt.NDArray[np.int64]
    columns: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Blocks)
            and (self.size, self.columns) == (other.size, other.columns)
            and np.array_equal(self.class_counts, other.class_counts)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.means, other.means, equal_nan=True)
        )


class Correlation(msgspec.Struct, frozen=True):
    """Pearson's r of two number columns over rows where both are present."""

    first: str
    second: str
    r: float


class Profile(msgspec.Struct, frozen=True):
    """A finished scan of the rows that a recipe selects.

    What was not asked for is empty: ``columns`` without "cells", ``correlations`` without "correlations",
    ``one_to_one`` without "pairs", ``duplicates`` and ``conflicts`` without "repeats", ``blocks`` without "order",
    ``sample`` without "sample".

    Attributes:
        rows: data rows, with and without a target.
        classes: target labels; index 1 is the positive class of a binary problem.
        class_counts: rows of each class.
        missing_target: the rows without a target.
        columns: the feature columns by name, in file order, without those that the recipe drops.
        duplicates: rows that repeat an earlier row, features and target.
        conflicts: rows whose features equal those of a row with another label.
        conflict_floor: share of the rows that every model must get wrong because of conflicts.
        correlations: pairs with |r| >= 0.9, strongest first.
        one_to_one: pairs of columns whose values determine each other (equal columns included).
        order_auc: AUC₁ of the row number alone, to about 1e-5.
        blocks: what changes along the file.
        sample: at most 20 000 labelled rows drawn evenly and reproducibly (all of them when there are no more), in file
            order, with number columns as numbers and text columns as written.
        remarks: what the scan left out to stay within its memory.
        states: what was asked for.
        row_shape: the shape of the rows, where they are arrays: ``columns`` are then one cell of each channel in every
            row, drawn by the row's content. Empty for a table.
    """

    rows: int
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    missing_target: RowList
    columns: Mapping[str, ColumnProfile]
    duplicates: RowList
    conflicts: RowList
    conflict_floor: float
    correlations: tuple[Correlation, ...]
    one_to_one: tuple[tuple[str, str], ...]
    order_auc: float
    blocks: Blocks | None = None
    sample: Rows | None = None
    remarks: tuple[str, ...] = ()
    states: frozenset[State] = EVERYTHING
    row_shape: tuple[int, ...] = ()

    @property
    def labelled(self) -> int:
        """Return the number of rows with a target."""
        return sum(self.class_counts)

    @property
    def rare_class(self) -> str:
        """Return the label of the rarest class."""
        return self.classes[self.class_counts.index(min(self.class_counts))]

    @property
    def rare_count(self) -> int:
        """Return the rows of the rarest class."""
        return min(self.class_counts)

    @property
    def rare_share(self) -> float:
        """Return the rarest class's share of the labelled rows."""
        return self.rare_count / self.labelled

    @property
    def prior_entropy(self) -> float:
        """Return H(π) in nats: the log loss of always answering the class shares."""
        shares = [count / self.labelled for count in self.class_counts if count]
        return -sum(share * math.log(share) for share in shares)

    @property
    def numbers(self) -> tuple[ColumnProfile, ...]:
        """Return the number columns that are features: not constant, no row identifier."""
        return tuple(c for c in self.columns.values() if c.kind == "number" and not c.constant and not c.identifier)

    @property
    def categories(self) -> tuple[ColumnProfile, ...]:
        """Return the text columns that are features: not constant, no row identifier."""
        return tuple(c for c in self.columns.values() if c.kind == "text" and not c.constant and not c.identifier)
