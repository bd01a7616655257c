"""What the cells of a column that are no numbers look like."""

from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl

from bindoctor.bins import Counts
from bindoctor.cells import Cells
from bindoctor.levels import Levels
from bindoctor.series import taken
from bindoctor.tokens import count_lookalikes

MAX_LISTED = 5


class TextFacts(msgspec.Struct, frozen=True):
    """Mergeable facts about texts.

    Attributes:
        lookalikes: cells that may stand for a missing value, with counts.
        first: up to five cells and the row each occurs in first.
        longest: characters of the longest cell.
    """

    lookalikes: Mapping[str, int] = msgspec.field(default_factory=dict)
    first: Mapping[str, int] = msgspec.field(default_factory=dict)
    longest: int = 0

    @classmethod
    def of(cls, cells: Cells, rows: Counts) -> "TextFacts":
        """Look at the cells of a chunk in which most differ; ``rows`` are their row numbers, shape (n,)."""
        at = np.flatnonzero((cells.numbers.is_null() & cells.written.is_not_null()).to_numpy())
        return cls._of(taken(cells.written, at), np.ones(len(at), dtype=np.int64), rows[at])

    @classmethod
    def of_levels(cls, levels: Levels) -> "TextFacts":
        """Look at counted values."""
        if not len(levels.keys):
            return cls()
        at = np.flatnonzero(~np.isfinite(levels.numbers))
        if not len(at):
            return cls()
        return cls._of(taken(levels.texts, at), levels.counts.sum(axis=0)[at], levels.first_rows[at])

    @classmethod
    def _of(cls, written: pl.Series, counts: Counts, rows: Counts) -> "TextFacts":
        if not len(written):
            return cls()
        longest = written.str.len_chars().max()
        assert isinstance(longest, int)
        texts = written.str.strip_chars()
        # Blanks around a text do not make it another one, so a few more than are listed may be needed.
        earliest = np.argsort(rows, kind="stable")[: 8 * MAX_LISTED]
        first: dict[str, int] = {}
        for text, row in zip(taken(texts, earliest).to_list(), rows[earliest].tolist(), strict=True):
            first.setdefault(text, row)
        return cls(count_lookalikes(texts, counts), _earliest(first), longest)

    def merged(self, other: "TextFacts") -> "TextFacts":
        """Return the facts of both."""
        lookalikes = {
            text: self.lookalikes.get(text, 0) + other.lookalikes.get(text, 0)
            for text in (*self.lookalikes, *other.lookalikes)
        }
        first = dict(self.first)
        for text, row in other.first.items():
            first[text] = min(row, first.get(text, row))
        return TextFacts(lookalikes, _earliest(first), max(self.longest, other.longest))


def _earliest(first: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(first.items(), key=lambda item: (item[1], item[0]))[:MAX_LISTED])
