"""The mergeable statistics of whole rows: duplicates, conflicting labels, and the row number's hold on the class."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bindoctor.column_states import Counts
from bindoctor.findings import RowList
from bindoctor.hashing import Hashes, mix


@dataclass(frozen=True, eq=False)
class RowPart:
    """The rows of one chunk: feature hashes, class codes (0 without target) and row numbers, each of shape (n,)."""

    hashes: Hashes
    codes: Counts
    rows: Counts


@dataclass(eq=False)
class RowState:
    """A hash, a class code and a number for each row seen: 24 bytes a row."""

    parts: list[RowPart] = field(default_factory=list)

    def update(self, hashes: Hashes, codes: Counts, rows: Counts) -> None:
        """Take in a chunk's feature hashes, class codes and row numbers, each of shape (n,)."""
        self.parts.append(RowPart(hashes, codes, rows))

    def merge(self, other: "RowState", codes: Counts) -> None:
        """Take in another state, whose class codes become ``codes``."""
        self.parts.extend(RowPart(part.hashes, codes[part.codes], part.rows) for part in other.parts)

    def ordered(self) -> RowPart:
        """Return all rows in file order."""
        parts = sorted(self.parts, key=lambda part: int(part.rows[0]))
        return RowPart(
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )


@dataclass(frozen=True)
class Repeats:
    """Rows that repeat others: see ``Profile``."""

    duplicates: RowList
    conflicts: RowList
    conflict_floor: float


def repeats_of(part: RowPart, classes: int) -> Repeats:
    """Find duplicates and conflicting labels among rows in file order, by 64-bit hashes of their features.

    A null equals a null. Rows without a target can be duplicates of each other and conflict with nothing.
    """
    order = np.argsort(part.hashes, kind="stable")
    hashes, codes, rows = part.hashes[order], part.codes[order], part.rows[order]
    group = np.cumsum(np.concatenate([[False], hashes[1:] != hashes[:-1]]))
    key = group * (classes + 1) + codes
    _, first = np.unique(key, return_index=True)
    again = np.ones(len(key), dtype=np.bool_)
    again[first] = False
    members = np.flatnonzero(np.bincount(group) > 1)
    row_in_group = np.isin(group, members) & (codes > 0)
    position = np.searchsorted(members, group[row_in_group])
    counts = np.zeros((len(members), classes), dtype=np.int64)
    np.add.at(counts, (position, codes[row_in_group] - 1), 1)
    mixed = (counts > 0).sum(axis=1) > 1
    wrong = int((counts.sum(axis=1) - counts.max(axis=1, initial=0))[mixed].sum())
    labelled = int((codes > 0).sum())
    return Repeats(
        RowList.of(rows[again]), RowList.of(rows[row_in_group][mixed[position]]), wrong / labelled if labelled else 0.0
    )


def order_auc(part: RowPart, classes: int) -> float:
    """Return AUC₁ of the row number among labelled rows in file order; the largest one-vs-rest one of many classes."""
    codes = part.codes[part.codes > 0] - 1
    counts = np.bincount(codes, minlength=classes)
    ranks = np.bincount(codes, weights=np.arange(1, len(codes) + 1), minlength=classes)
    return largest_auc(ranks, counts)


def largest_auc(rank_sums: np.ndarray, counts: Counts) -> float:
    """Return the largest one-vs-rest AUC₁ from each class's sum of ranks (1-based, ties averaged) and its count."""
    rest = counts.sum() - counts
    present = (counts > 0) & (rest > 0)
    if not present.any():
        return 0.5
    n, others, sums = counts[present].astype(float), rest[present].astype(float), rank_sums[present]
    auc = (sums - n * (n + 1) / 2) / (n * others)
    return float(np.maximum(auc, 1 - auc).max())


def digest_of(part: RowPart, labels: Sequence[str], columns: Sequence[str]) -> str:
    """Return a SHA-256, in hex, of the columns and the multiset of rows; ``labels[c]`` is class code c's label."""
    label_hashes = [int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]) for label in labels]
    identity = mix(part.hashes ^ np.array(label_hashes, dtype=np.uint64)[part.codes])
    sums = [int(identity.sum(dtype=np.uint64)), int(mix(identity + np.uint64(1)).sum(dtype=np.uint64))]
    return hashlib.sha256(repr((tuple(columns), len(part.rows), sums)).encode()).hexdigest()
