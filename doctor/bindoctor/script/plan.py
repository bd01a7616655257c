"""What of the recipe and the rows decides how a script is written, checked as training would check it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from bindoctor.build import check_columns, column_kinds
from bindoctor.cells import Cells
from bindoctor.dataset import Dataset, Rows
from bindoctor.decide import needs_fitting
from bindoctor.errors import InputError
from bindoctor.losses import class_weights, output_count
from bindoctor.recipe import Recipe
from bindoctor.selection import select
from bindoctor.splits import inner_validation, repeated_folds, stratifiable

Key = Literal["groups", "times"]


@dataclass(frozen=True, eq=False)
class Plan:
    """A recipe and the rows it selects, and what a script's parts ask about them."""

    dataset: Dataset
    recipe: Recipe
    rows: Rows

    @cached_property
    def columns(self) -> Mapping[str, Literal["number", "text"]]:
        """Return the feature columns' kinds by name."""
        return column_kinds(self.rows.features)

    @property
    def numbers(self) -> list[str]:
        """Return the number columns."""
        return [name for name, kind in self.columns.items() if kind == "number"]

    @property
    def texts(self) -> list[str]:
        """Return the text columns."""
        return [name for name, kind in self.columns.items() if kind == "text"]

    @property
    def used(self) -> set[str]:
        """Return all columns of the file that training looks at."""
        split = self.recipe.split
        return {*self.columns, self.dataset.target, split.group, split.time} & set(self.dataset.source.columns)

    @property
    def binary(self) -> bool:
        """Tell whether there are two classes."""
        return len(self.rows.classes) == 2

    @property
    def network(self) -> bool:
        """Tell whether a network is trained, and not trees."""
        return self.recipe.model.kind != "gradient-boosting"

    @property
    def single_logit(self) -> bool:
        """Tell whether the network has one output for two classes."""
        return self.network and output_count(self.recipe.loss, len(self.rows.classes)) == 1

    @property
    def watches(self) -> bool:
        """Tell whether early stopping watches a part of the training rows."""
        return self.recipe.train.patience > 0

    @property
    def fits_decision(self) -> bool:
        """Tell whether a threshold or calibrator is fitted on out-of-fold answers."""
        return needs_fitting(self.recipe.decide)

    @property
    def selects(self) -> bool:
        """Tell whether some rows of the file may be left out of training."""
        return self.recipe.data.deduplicate or self.recipe.data.drop_missing_target

    @property
    def keys(self) -> tuple[Key, ...]:
        """Return what rows are kept apart by, where the script splits rows at all."""
        if not (self.watches or self.fits_decision):
            return ()
        if self.rows.groups is not None:
            return ("groups",)
        return () if self.rows.order is None else ("times",)

    @property
    def stratified(self) -> bool:
        """Tell whether the part that early stopping watches is stratified."""
        return stratifiable(self.rows, self.recipe.split.valid)

    @property
    def lone_rows(self) -> bool:
        """Tell whether some rows have no group."""
        return any(cells.stripped.null_count() for cells in self._key_cells(self.recipe.split.group))

    @property
    def dated(self) -> bool:
        """Tell whether times are dates, and not numbers."""
        return any(cells.numbers.null_count() for cells in self._key_cells(self.recipe.split.time))

    def _key_cells(self, column: str) -> list[Cells]:
        return [chunk.others[column] for chunk in select(self.dataset, self.recipe)]


def check_plan(plan: Plan) -> None:
    """Refuse what training would refuse.

    Raises:
        InputError: the recipe does not fit the columns or the number of classes, missing numbers are not imputed, or
            there are too few rows to split.
    """
    recipe, classes = plan.recipe, len(plan.rows.classes)
    check_columns(recipe.data, recipe.features, plan.columns)
    class_weights(recipe.loss, np.bincount(plan.rows.labels, minlength=classes).tolist())
    if plan.network:
        output_count(recipe.loss, classes)
    if recipe.decide.threshold == "tuned" and not plan.binary:
        raise InputError(f"recipe.decide.threshold 'tuned' fits two classes, but the target has {classes}; remove it.")
    holes = plan.rows.features.select(pl.col(plan.numbers).null_count())
    for name in plan.numbers:
        if plan.network and recipe.features.impute == "none" and holes[name][0]:
            raise InputError(
                f"column {name!r} has {holes[name][0]} missing cells and recipe.features.impute is 'none'; "
                "a network cannot train on missing numbers: set it to 'median', for example."
            )
    seed = recipe.train.seed
    if plan.watches:
        inner_validation(plan.rows, recipe.split, seed=seed)
    if plan.fits_decision:
        repeated_folds(plan.rows, recipe.split, repeats=1, folds=recipe.split.folds, seed=seed)
