"""The mergeable statistics of whole rows: duplicates and conflicting labels, by 64-bit hashes."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bindoctor.bins import Counts
from bindoctor.findings import RowList
from bindoctor.hashing import Hashes, mix

MAX_HASHED_ROWS = 1 << 26


class RowPart(msgspec.Struct, frozen=True, eq=False):
    """Rows of one chunk, each part of shape (n,).

    Attributes:
        identity: hashes of all that tells rows apart.
        features: hashes of the features alone; the same array where nothing else tells rows apart.
        codes: class codes, 0 without target.
        rows: row numbers.
    """

    identity: Hashes
    features: Hashes
    codes: npt.NDArray[np.int16]
    rows: Counts

    def of_share(self, halvings: int) -> "RowPart":
        """Return the rows whose features' hash starts with so many zeros: a half, a quarter …, twins kept together."""
        kept = self.features >> np.uint64(64 - halvings) == 0 if halvings else np.ones(len(self.rows), dtype=np.bool_)
        identity = self.identity[kept]
        features = identity if self.features is self.identity else self.features[kept]
        return RowPart(identity, features, self.codes[kept], self.rows[kept])


class RowState(msgspec.Struct, eq=False):
    """Hashes, a class code and a number for each row seen: about 18 bytes a row, up to 2²⁶ rows.

    Beyond that only the rows whose hash starts with ``halvings`` zeros are kept.
    """

    parts: list[RowPart] = msgspec.field(default_factory=list)
    kept: int = 0
    halvings: int = 0

    def update(self, part: RowPart) -> None:
        """Take in a chunk's rows."""
        self._add(part, 0)

    def merge(self, other: "RowState", codes: Counts) -> None:
        """Take in another state, whose class codes become ``codes``."""
        self._halve(other.halvings)
        for part in other.parts:
            recoded = codes[part.codes].astype(np.int16)
            self._add(RowPart(part.identity, part.features, recoded, part.rows), other.halvings)

    def repeats(self, classes: int) -> "Repeats":
        """Find duplicates and conflicting labels among the rows seen.

        A null equals a null. Rows without a target can be duplicates of each other and conflict with nothing.
        """
        if not self.parts:
            return Repeats(RowList.of(()), RowList.of(()), 0.0)
        parts = sorted(self.parts, key=lambda part: int(part.rows[0]) if len(part.rows) else 0)
        features, codes = _joined([p.features for p in parts]), _joined([p.codes for p in parts]).astype(np.int64)
        rows = _joined([p.rows for p in parts])
        apart = any(part.identity is not part.features for part in parts)
        identity = _joined([p.identity for p in parts]) if apart else features
        again = rows[_again(mix(identity ^ mix(codes.astype(np.uint64))))]
        conflicts, wrong = _conflicts(features, codes, rows, classes)
        labelled = int((codes > 0).sum())
        return Repeats(RowList.of(again), RowList.of(conflicts), wrong / labelled if labelled else 0.0)

    def _add(self, part: RowPart, halvings: int) -> None:
        part = part if halvings >= self.halvings else part.of_share(self.halvings)
        self.parts.append(part)
        self.kept += len(part.rows)
        while self.kept > MAX_HASHED_ROWS:
            self._halve(self.halvings + 1)

    def _halve(self, halvings: int) -> None:
        if halvings > self.halvings:
            self.halvings = halvings
            self.parts = [part.of_share(halvings) for part in self.parts]
            self.kept = sum(len(part.rows) for part in self.parts)


class Repeats(msgspec.Struct, frozen=True):
    """Rows that repeat others: see ``Profile``."""

    duplicates: RowList
    conflicts: RowList
    conflict_floor: float


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _repeated(hashes: Hashes) -> Counts:
    """Return the positions of the hashes that occur more than once, ascending."""
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.empty(0, dtype=np.int64)
    at = np.minimum(np.searchsorted(twice, hashes), len(twice) - 1)
    return np.flatnonzero(twice[at] == hashes)


def _again(hashes: Hashes) -> Counts:
    """Return the positions of the hashes that occurred before."""
    candidates = _repeated(hashes)
    _, first = np.unique(hashes[candidates], return_index=True)
    again = np.ones(len(candidates), dtype=np.bool_)
    again[first] = False
    return candidates[again]


def _conflicts(features: Hashes, codes: Counts, rows: Counts, classes: int) -> tuple[Counts, int]:
    """Return the rows whose features are those of a row with another label, and how many every model gets wrong."""
    candidates = _repeated(features)
    candidates = candidates[codes[candidates] > 0]
    _, group = np.unique(features[candidates], return_inverse=True)
    cell, cell_of_row = np.unique(group * classes + codes[candidates] - 1, return_inverse=True)
    counts = np.bincount(cell_of_row, minlength=len(cell))
    labels_of = np.bincount(cell // classes) if len(cell) else np.empty(0, dtype=np.int64)
    mixed = labels_of > 1
    totals = np.bincount(group, minlength=len(mixed))
    largest = np.zeros(len(mixed), dtype=np.int64)
    np.maximum.at(largest, cell // classes, counts)
    return rows[candidates[mixed[group]]], int((totals - largest)[mixed].sum())
