"""Reads the rows that recipes are tried on, each as its own recipe reads them."""

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import Dataset, Rows
from bindoctor.errors import InputError
from bindoctor.left_out import conflicting_rows
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Data
from bindoctor.rows import rows_of
from bindoctor.selection import indices_in, select

Index = npt.NDArray[np.int64]

ROW_SETTINGS = ("drop_rows", "drop_overlap", "conflicts", "deduplicate")
"""The settings of ``recipe.data`` that leave out rows which have a target."""


class TrialRows:
    """One data set's rows as any recipe reads them, compared with those of the setup that all others are held to.

    A recipe's choice of rows decides what is trained on, never what is scored: a setup that is only asked easy
    questions looks good.
    """

    def __init__(self, dataset: Dataset, baseline: Recipe) -> None:
        self.dataset = dataset
        self._baseline = baseline.data
        self._selected: dict[str, Index] = {}

    def read(self, recipe: Recipe, row_ids: Index) -> Rows:
        """Return these rows of the file as a recipe reads them, in this order, whether it would leave some out or not.

        Rows that the setup of all leaves out by number are not read: what stands in them may fit nothing.

        Raises:
            InputError: the recipe does not fit the file.
        """
        settings = dict(zip(ROW_SETTINGS, (getattr(Data(), name) for name in ROW_SETTINGS), strict=True))
        every_row = msgspec.structs.replace(recipe.data, **{**settings, "drop_rows": self._baseline.drop_rows})
        every = rows_of(self.dataset, msgspec.structs.replace(recipe, data=every_row))
        order = np.argsort(every.row_ids)
        position = np.searchsorted(every.row_ids, row_ids, sorter=order)
        found = order[np.minimum(position, len(order) - 1)]
        if not np.array_equal(every.row_ids[found], row_ids):
            raise InputError("the fix leaves out rows that the setup without it is measured on")
        return every.take(found)

    def trained_on(self, recipe: Recipe, rows: Rows, index: Index) -> Index:
        """Return which of some training rows a recipe does train on: all but those that it leaves out.

        Rows that contradict each other are looked for among the training rows alone, so that no held-out label decides.

        Args:
            recipe: what is tried.
            rows: as ``read`` returns them.
            index: positions of the training rows.
        """
        data = recipe.data
        if data == self._baseline or all(getattr(data, name) == getattr(Data(), name) for name in ROW_SETTINGS):
            return index
        alone = msgspec.structs.replace(recipe, data=msgspec.structs.replace(data, conflicts="keep"))
        key = repr(data)
        if key not in self._selected:
            self._selected[key] = np.concatenate([index[:0], *(chunk.rows for chunk in select(self.dataset, alone))])
        index = index[np.isin(rows.row_ids[index], self._selected[key])]
        if data.conflicts == "keep":
            return index
        numbering = indices_in(self.dataset, alone)
        features = rows.features.drop(numbering, strict=False)[index].hash_rows().to_numpy()
        labels = pl.Series(rows.labels[index].astype(str))
        return np.setdiff1d(index, conflicting_rows([(features, labels, index)], data.conflicts))
