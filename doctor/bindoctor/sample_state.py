"""An even sample of the rows, the same in whatever order the chunks come."""

from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl

from bindoctor.bins import Counts
from bindoctor.cells import Cells
from bindoctor.hashing import Hashes
from bindoctor.levels import RowCodes

MAX_SAMPLED_ROWS = 20_000
MIN_SAMPLED_ROWS = 400
MAX_SAMPLED_CELLS = 500_000
MAX_HASH = 2**64 - 1
MAX_KEPT = 6


class SampledRows(msgspec.Struct, frozen=True, eq=False):
    """Some rows: their cells as written, and n hashes, class codes and row numbers."""

    cells: pl.DataFrame
    hashes: Hashes
    codes: Counts
    rows: Counts

    def take(self, at: Counts) -> "SampledRows":
        """Return the rows at these positions."""
        return SampledRows(
            self.cells[at] if self.cells.width else self.cells, self.hashes[at], self.codes[at], self.rows[at]
        )


class SampleState(msgspec.Struct, eq=False):
    """The labelled rows whose numbers have the smallest hashes, at most ``most`` of them once they are needed."""

    most: int
    parts: list[SampledRows] = msgspec.field(default_factory=list)
    limit: int = MAX_HASH

    @classmethod
    def of(cls, columns: int) -> "SampleState":
        """Return an empty state for a table of so many columns."""
        return cls(min(MAX_SAMPLED_ROWS, max(MAX_SAMPLED_CELLS // max(columns, 1), MIN_SAMPLED_ROWS)))

    def update(self, columns: Mapping[str, Cells], rows: RowCodes) -> None:
        """Take in a chunk's rows."""
        chosen = np.flatnonzero((rows.codes > 0) & (rows.hashes <= np.uint64(self.limit)))
        if len(chosen) > self.most:
            chosen = np.sort(chosen[np.argpartition(rows.hashes[chosen], self.most)[: self.most]])
        cells = pl.DataFrame({name: column.written for name, column in columns.items()})
        cells = cells[chosen] if columns else cells
        self._add(SampledRows(cells, rows.hashes[chosen], rows.codes[chosen], rows.rows[chosen]))

    def merge(self, other: "SampleState", codes: Counts) -> None:
        """Take in another state, whose class codes become ``codes``."""
        for part in other.parts:
            self._add(SampledRows(part.cells, part.hashes, codes[part.codes], part.rows))

    @property
    def full(self) -> bool:
        """Tell whether rows have been left out."""
        return sum(len(part.rows) for part in self.parts) > self.most or self.limit < MAX_HASH

    def finish(self) -> SampledRows:
        """Return the sampled rows in file order."""
        joined = self._joined()
        return joined.take(np.argsort(joined.rows))

    def _add(self, part: SampledRows) -> None:
        self.parts.append(part)
        hashes = np.concatenate([part.hashes for part in self.parts])
        if len(hashes) > self.most:
            self.limit = int(np.partition(hashes, self.most - 1)[self.most - 1])
        # Cells are costly to move, so that many more than needed are kept for a while.
        if len(hashes) > MAX_KEPT * self.most:
            self.parts = [self._joined()]

    def _joined(self) -> SampledRows:
        parts = self.parts
        every = SampledRows(
            pl.concat([part.cells for part in parts]),
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )
        if len(every.rows) <= self.most:
            return every
        return every.take(np.argpartition(every.hashes, self.most - 1)[: self.most])
