"""Finds the rows that a recipe leaves out for what stands in other rows: in a held-out file, or with another label."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.hashing import Hashes, mix, text_hash

Mask = npt.NDArray[np.bool_]


def row_identity(features: Hashes, labels: pl.Series) -> Hashes:
    """Return a hash of each row's features and target, shape (n,)."""
    return mix(features ^ text_hash(labels))


class HeldOut:
    """The rows of files that a model is not trained on."""

    def __init__(self) -> None:
        self._rows = np.empty(0, dtype=np.uint64)
        self._unlabelled = np.empty(0, dtype=np.uint64)

    def add(self, features: Hashes, labels: pl.Series | None) -> None:
        """Take in rows: hashes of their features and their labels, or None where the file has no target."""
        if labels is None:
            self._unlabelled = np.union1d(self._unlabelled, features)
        else:
            self._rows = np.union1d(self._rows, row_identity(features, labels))

    def holds(self, features: Hashes, labels: pl.Series) -> Mask:
        """Tell which rows stand in the files, shape (n,); in a file without a target, equal features are enough."""
        found = np.isin(features, self._unlabelled)
        if len(self._rows):
            found |= np.isin(row_identity(features, labels), self._rows)
        return found


def conflicting_rows(
    chunks: Iterable[tuple[Hashes, pl.Series, npt.NDArray[np.int64]]], how: Literal["majority", "drop"]
) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows to leave out because equal features come with different labels, ascending.

    Rows without a label contradict nothing. It holds 24 bytes a row.

    Args:
        chunks: hashes of features, labels, and row numbers, each of length n.
        how: "majority" leaves out those with another label than the most frequent one of their features, all of them
            where two are equally frequent; "drop" leaves out all of them.
    """
    features, labels, rows = [], [], []
    for hashes, texts, numbers in chunks:
        labelled = texts.is_not_null().to_numpy()
        features.append(hashes[labelled])
        labels.append(row_identity(hashes, texts)[labelled])
        rows.append(numbers[labelled])
    if not rows:
        return np.empty(0, dtype=np.int64)
    _, group = np.unique(np.concatenate(features), return_inverse=True)
    _, kind, counts = np.unique(np.concatenate(labels), return_inverse=True, return_counts=True)
    votes, size = counts[kind], np.bincount(group)[group]
    unwanted = votes < size
    if how == "majority":
        most = np.zeros(len(size), dtype=np.int64)
        np.maximum.at(most, group, votes)
        leads = votes == most[group]
        alone = np.bincount(group, weights=leads)[group] == votes
        unwanted &= ~(leads & alone)
    return np.sort(np.concatenate(rows)[unwanted])
