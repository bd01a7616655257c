"""The mergeable statistics of the file's order: what stretches of consecutive rows hold."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bindoctor.bins import Counts, Floats
from bindoctor.column_states import with_classes

MAX_BLOCKS = 256


@dataclass(eq=False)
class OrderState:
    """Sums over blocks of ``size`` consecutive row numbers; the size doubles when there would be too many blocks.

    Attributes:
        columns: the number columns, p of them.
        size: rows of a block.
        class_counts: rows by class code and block, shape (codes, b).
        sums: sums of z by column and block, shape (p, b).
        counts: cells in them, shape (p, b).
    """

    columns: int
    size: int = 1
    class_counts: Counts = field(default_factory=lambda: np.zeros((1, 0), dtype=np.int64))
    sums: Floats = field(init=False)
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.sums = np.zeros((self.columns, 0))
        self.counts = np.zeros((self.columns, 0), dtype=np.int64)

    def update(
        self, rows: Counts, codes: Counts, size: int, z: Floats, missing: dict[int, npt.NDArray[np.bool_]]
    ) -> None:
        """Take in a chunk.

        Args:
            rows: ascending row numbers, shape (n,).
            codes: class codes, shape (n,).
            size: the number of class codes.
            z: standardised numbers, 0 where missing, shape (p, n).
            missing: for the columns that lack some, where, shape (n,).
        """
        self._make_room(int(rows[-1]) + 1)
        self.recode(np.arange(len(self.class_counts)), size)
        blocks = self.class_counts.shape[1]
        block = rows // self.size
        self.class_counts += np.bincount(codes * blocks + block, minlength=size * blocks).reshape(size, blocks)
        starts = np.flatnonzero(np.diff(block, prepend=-1))
        here = block[starts]
        with np.errstate(over="ignore", invalid="ignore"):
            if len(z):
                self.sums[:, here] += np.add.reduceat(z, starts, axis=1)
        self.counts[:, here] += np.diff(starts, append=len(rows))
        for column, where in missing.items():
            self.counts[column] -= np.bincount(block[where], minlength=blocks)

    def recode(self, codes: Counts, size: int) -> None:
        """Give the class codes other numbers, ``codes``, of ``size``."""
        self.class_counts = with_classes(self.class_counts, codes, size)

    def merge(self, other: "OrderState", codes: Counts, size: int) -> None:
        """Take in another state of the same plan, whose class codes become ``codes`` of ``size``."""
        theirs = OrderState(self.columns, other.size, other.class_counts)
        theirs.sums, theirs.counts = other.sums, other.counts
        theirs.recode(codes, size)
        self.recode(np.arange(len(self.class_counts)), size)
        ends = [state.size * state.class_counts.shape[1] for state in (self, theirs)]
        while self.size != theirs.size:
            (self if self.size < theirs.size else theirs)._double()
        for state in (self, theirs):
            state._make_room(max(ends))
        while self.size < theirs.size:
            self._double()
        self.class_counts = self.class_counts + theirs.class_counts
        self.sums = self.sums + theirs.sums
        self.counts = self.counts + theirs.counts

    def coarsened(self, min_rows: int) -> "OrderState":
        """Return the state with blocks of at least ``min_rows`` rows."""
        state = OrderState(self.columns, self.size, self.class_counts)
        state.sums, state.counts = self.sums, self.counts
        while state.size < min_rows:
            state._double()
        return state

    def _make_room(self, rows: int) -> None:
        """Have blocks for row numbers below ``rows``."""
        while rows > MAX_BLOCKS * self.size:
            self._double()
        more = -(-rows // self.size) - self.class_counts.shape[1]
        if more > 0:
            wider = ((0, 0), (0, more))
            self.class_counts, self.counts = np.pad(self.class_counts, wider), np.pad(self.counts, wider)
            self.sums = np.pad(self.sums, wider)

    def _double(self) -> None:
        self.size *= 2
        self.class_counts, self.counts = _paired(self.class_counts), _paired(self.counts)
        self.sums = _paired(self.sums)


def _paired(values: npt.NDArray[Any]) -> Any:
    """Add up neighbours along the second axis."""
    even = np.pad(values, ((0, 0), (0, values.shape[1] % 2)))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(even[:, ::2] + even[:, 1::2])
