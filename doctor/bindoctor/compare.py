"""Holds the parts that a user keeps apart against the training rows, in one more pass over those."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from bindoctor.dataset import Dataset, Source
from bindoctor.findings import RowList
from bindoctor.hashing import Hashes
from bindoctor.left_out import row_identity
from bindoctor.parts import Part, PartName, Parts
from bindoctor.profile import Profile
from bindoctor.readers import part_of
from bindoctor.recipe import Recipe
from bindoctor.scan import scan
from bindoctor.selection import Chunk, indices_in, select
from bindoctor.shifts import shifts_of, unseen_of


def compare_parts(dataset: Dataset, recipe: Recipe, profile: Profile) -> Parts | None:
    """Scan the validation and the test part and look for their rows among the training rows; None without parts.

    Rows are the same where the 64-bit hashes of their features and target are, a missing value equal to a missing
    value, however numbers are written. Of a part, 33 bytes a row are kept; of the training rows, nothing.

    Args:
        dataset: the training rows' source, with the parts.
        recipe: how cells are read. What leaves out rows applies to the training rows alone.
        profile: the scan of the training rows under this recipe.

    Raises:
        InputError: a part cannot be read, or lacks a column that the recipe makes a feature.
    """
    if dataset.valid is None and dataset.test is None:
        return None
    indices = indices_in(dataset, recipe)
    valid = None if dataset.valid is None else _opened("valid", dataset.valid, dataset, recipe, indices)
    test = None if dataset.test is None else _opened("test", dataset.test, dataset, recipe, indices)
    opened = [part for part in (valid, test) if part is not None]
    if profile.columns:
        for chunk in select(dataset, recipe, indices=indices):
            for part in opened:
                part.index.meet(chunk)
    shared, same_file, same_rows = RowList.of(()), False, False
    if valid is not None and test is not None:
        same_file = _same_file(valid.source, test.source)
        same_rows = np.array_equal(np.sort(valid.index.keys), np.sort(test.index.keys))
        if profile.columns:
            shared = RowList.of(test.index.rows[np.isin(test.index.keys, valid.index.keys)])
    return Parts(
        None if valid is None else valid.compared(dataset, profile),
        None if test is None else test.compared(dataset, profile),
        same_file,
        same_rows,
        shared,
    )


def no_features(dataset: Dataset, recipe: Recipe) -> frozenset[str]:
    """Return the columns that a part may lack: the target, and what the recipe makes no feature."""
    return frozenset({dataset.target, recipe.data.weight, recipe.split.column, *recipe.data.drop})


@dataclass(eq=False)
class RowIndex:
    """The rows of a part by hash, and which of them have been met elsewhere.

    Attributes:
        rows: 0-based numbers of the data rows in the file, shape (n,).
        features: hashes of their features, shape (n,).
        keys: what makes two rows the same, shape (n,): a hash of features and target, of the features alone where
            no row of the part has a target.
        labelled: whether they have a target, shape (n,).
        met_rows: how many rows have been met that are the same as one of these.
    """

    rows: npt.NDArray[np.int64]
    features: Hashes
    keys: Hashes
    labelled: npt.NDArray[np.bool_]
    met_rows: int = 0
    met_keys: "Met" = field(init=False)
    met_features: "Met" = field(init=False)

    def __post_init__(self) -> None:
        self.met_keys = Met(np.unique(self.keys))
        self.met_features = Met(np.unique(self.features))

    @classmethod
    def of(cls, chunks: Iterator[Chunk]) -> "RowIndex":
        """Take in all rows of a part."""
        parts = [(chunk.rows, chunk.feature_hashes, _identities(chunk), _labelled(chunk)) for chunk in chunks]
        rows, features, identities, labelled = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(rows, features, identities if labelled.any() else features, labelled)

    def meet(self, chunk: Chunk) -> None:
        """Note which rows a chunk of other rows holds: n log m steps for n rows there and m here."""
        same = self.met_keys.add(_identities(chunk) if self.labelled.any() else chunk.feature_hashes)
        self.met_features.add(chunk.feature_hashes)
        self.met_rows += int(same.sum())

    def holds_all_of(self, rows: int) -> bool:
        """Tell whether the part is, target included, the very rows that were met, of which there are ``rows``."""
        return bool(self.labelled.any()) and self.met_rows == rows == len(self.rows) == self.overlap.count

    @property
    def overlap(self) -> RowList:
        """Return the rows that have been met."""
        return RowList.of(self.rows[self.met_keys.of(self.keys)])

    @property
    def relabelled(self) -> RowList:
        """Return the rows with a target whose features have been met, but never with their target."""
        other = self.met_features.of(self.features) & ~self.met_keys.of(self.keys)
        return RowList.of(self.rows[self.labelled & other])


@dataclass(eq=False)
class Met:
    """Which of some hashes (ascending, distinct) have been met."""

    hashes: Hashes
    met: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.met = np.zeros(len(self.hashes), dtype=np.bool_)

    def add(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Meet hashes, shape (n,), and return which of them are looked for."""
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        found = self.hashes[at] == hashes
        self.met[at[found]] = True
        return np.asarray(found)

    def of(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return which of ``hashes``, all of them looked for, have been met."""
        return np.asarray(self.met[np.searchsorted(self.hashes, hashes)])


class _Opened(msgspec.Struct, frozen=True, eq=False):
    """A part that has been read, not yet held against the training rows."""

    name: PartName
    source: Source
    profile: Profile
    index: RowIndex

    def compared(self, dataset: Dataset, training: Profile) -> Part:
        """Return what came of it."""
        return Part(
            self.name,
            self.source.name,
            self.profile,
            _same_file(self.source, dataset.source),
            self.index.holds_all_of(training.rows),
            self.index.overlap,
            self.index.relabelled,
            self.index.met_rows,
            tuple(shifts_of(training, self.profile)),
            tuple(unseen_of(training, self.profile)),
        )


def _opened(name: PartName, source: Source, dataset: Dataset, recipe: Recipe, indices: frozenset[str]) -> _Opened:
    arranged = part_of(dataset.source, source, name, no_features(dataset, recipe))
    part = replace(dataset, source=arranged, positive="", valid=None, test=None)
    whole = _whole(recipe)
    return _Opened(name, source, scan(part, whole, min_classes=0), RowIndex.of(select(part, whole, indices=indices)))


def _whole(recipe: Recipe) -> Recipe:
    """Return the recipe without what leaves out rows."""
    data = msgspec.structs.replace(
        recipe.data, drop_rows=(), drop_overlap=False, drop_missing_target=False, conflicts="keep", deduplicate=False
    )
    return msgspec.structs.replace(recipe, data=data)


def _identities(chunk: Chunk) -> Hashes:
    return row_identity(chunk.feature_hashes, chunk.labels)


def _labelled(chunk: Chunk) -> npt.NDArray[np.bool_]:
    return chunk.labels.is_not_null().to_numpy()


def _same_file(one: Source, other: Source) -> bool:
    """Tell whether both are one file on disk; tables in memory are never."""
    try:
        return Path(one.name).samefile(other.name)
    except OSError:
        return False
