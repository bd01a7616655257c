"""What of the recipe and the rows decides how a script is written, checked as training would check it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
import torch

from bindoctor.build import check_columns, column_kinds
from bindoctor.cells import Cells
from bindoctor.dataset import Dataset, Rows, Source
from bindoctor.decide import needs_fitting, require_two_classes
from bindoctor.engineering import engineered_columns, learn
from bindoctor.errors import InputError
from bindoctor.loop import RANDOM
from bindoctor.losses import class_weights, output_count
from bindoctor.own_estimator import make_estimator
from bindoctor.own_model import Made, make_own
from bindoctor.part_names import held_out_rows, is_validation
from bindoctor.prepare import prepare
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Dates, Derived
from bindoctor.selection import indices_in, select
from bindoctor.splits import inner_validation, repeated_folds, stratifiable, training_rows, validation_rows

Key = Literal["groups", "times"]
Array = Literal["groups", "times", "row_weights", "held_out", "validation", "identity"]


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
        """Return the number columns of the file."""
        return [name for name, kind in self.columns.items() if kind == "number"]

    @property
    def texts(self) -> list[str]:
        """Return the text columns, without those of dates."""
        return [name for name, kind in self.columns.items() if kind == "text" and name not in self.dates]

    @property
    def dates(self) -> Mapping[str, Dates]:
        """Return how the columns of dates become numbers, by name."""
        return {name: dates for name, dates in self.recipe.features.dates.items() if name in self.columns}

    @cached_property
    def inputs(self) -> list[str]:
        """Return the number columns that preprocessing sees, those that are made of others included."""
        made = engineered_columns(self.recipe.features, self.columns)
        return [name for name, kind in made.items() if kind == "number"]

    @property
    def derived(self) -> Mapping[str, Derived]:
        """Return how columns are made of others, by name."""
        return {name: derived for name, derived in self.recipe.features.derive.items() if name in self.inputs}

    @property
    def clipped(self) -> Mapping[str, tuple[float, float]]:
        """Return the shares of the quantiles that columns are clipped to, by name."""
        return {name: shares for name, shares in self.recipe.features.clip.items() if name in self.inputs}

    @property
    def makes(self) -> bool:
        """Tell whether columns are made or clipped before they are preprocessed."""
        return bool(self.dates or self.derived or self.clipped)

    @property
    def must_be_there(self) -> bool:
        """Tell whether no number may be missing, because nothing imputes them."""
        return self.recipe.model.kind != "gradient-boosting" and self.recipe.features.impute == "none"

    @property
    def used(self) -> set[str]:
        """Return all columns of the file that training, or the search for repeated rows, looks at."""
        if self.recipe.data.deduplicate:
            return set(self.dataset.source.columns)
        split, weight = self.recipe.split, self.recipe.data.weight
        named = {*self.columns, self.dataset.target, split.group, split.time, split.column, weight}
        return named & set(self.dataset.source.columns)

    @property
    def binary(self) -> bool:
        """Tell whether there are two classes."""
        return len(self.rows.classes) == 2

    @property
    def network(self) -> bool:
        """Tell whether a network is trained, and not trees."""
        return self.recipe.model.network

    @cached_property
    def made(self) -> Made | None:
        """Return the network of the user's own, with the edits that the recipe asks for; None for another model.

        Raises:
            InputError: it cannot be made so, or trained on these rows.
        """
        if self.recipe.model.kind != "factory":
            return None
        prepared = prepare(self.recipe, training_rows(self.rows), seed=self.recipe.train.seed)
        example = torch.from_numpy(prepared.train.matrix[:2])
        outputs = output_count(self.recipe.loss, len(self.rows.classes))
        with RANDOM, torch.random.fork_rng(devices=[]):
            return make_own(self.recipe.model, example, outputs, seed=self.recipe.train.seed)

    @property
    def resamples_network(self) -> bool:
        """Tell whether a network is trained on resampled rows."""
        return self.network and self.recipe.resample.method != "none"

    @property
    def single_logit(self) -> bool:
        """Tell whether the network has one output for two classes."""
        return self.network and output_count(self.recipe.loss, len(self.rows.classes)) == 1

    @property
    def watches(self) -> bool:
        """Tell whether early stopping watches a part of the training rows."""
        return self.recipe.train.patience > 0 and self.recipe.model.kind != "estimator"

    @property
    def watches_column(self) -> bool:
        """Tell whether early stopping of the final model watches the rows that the split's column names for it."""
        return self.watches and validation_rows(self.rows) is not None

    @property
    def cuts(self) -> bool:
        """Tell whether a part for early stopping is cut from training rows."""
        return self.watches and (self.fits_decision or not self.watches_column)

    @property
    def fits_decision(self) -> bool:
        """Tell whether a threshold or calibrator is fitted on out-of-fold answers."""
        return needs_fitting(self.recipe.decide)

    @property
    def selects(self) -> bool:
        """Tell whether some rows of the file may be left out of training."""
        return self.leaves_out or self.recipe.data.deduplicate or self.rows.held_out is not None

    @property
    def leaves_out(self) -> bool:
        """Tell whether rows are left out that hold what no other row does."""
        data = self.recipe.data
        return data.drop_missing_target or bool(data.drop_rows or self.held_out_files) or data.conflicts != "keep"

    @property
    def held_out_files(self) -> list[Source]:
        """Return the files whose rows are not to be trained on."""
        files = (self.dataset.valid, self.dataset.test) if self.recipe.data.drop_overlap else ()
        return [source for source in files if source is not None]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return what is read of each row beside features and label."""
        weights: tuple[Array, ...] = () if self.rows.weights is None else ("row_weights",)
        held_out: tuple[Array, ...] = () if self.rows.held_out is None else ("held_out",)
        validation: tuple[Array, ...] = ("validation",) if self.watches_column else ()
        identity: tuple[Array, ...] = ("identity",) if self.recipe.data.deduplicate else ()
        return (*self.keys, *weights, *held_out, *validation, *identity)

    @property
    def fit_arrays(self) -> tuple[Array, ...]:
        """Return what training is given beside features and labels."""
        unused: set[Array] = {"held_out", "validation", "identity", *(() if self.cuts else self.keys)}
        return tuple(name for name in self.arrays if name not in unused)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Return what rows are kept apart by, where the script splits rows at all."""
        if not (self.cuts or self.fits_decision):
            return ()
        if self.rows.groups is not None:
            return ("groups",)
        return () if self.rows.order is None else ("times",)

    @property
    def stratified(self) -> bool:
        """Tell whether the part that early stopping watches is stratified."""
        return stratifiable(training_rows(self.rows), self.recipe.split.valid)

    @property
    def lone_rows(self) -> bool:
        """Tell whether some rows have no group."""
        return any(cells.stripped.null_count() for cells in self._key_cells(self.recipe.split.group))

    @property
    def dated(self) -> bool:
        """Tell whether times are dates, and not numbers."""
        return any(cells.numbers.null_count() for cells in self._key_cells(self.recipe.split.time))

    @property
    def held_out_levels(self) -> list[str]:
        """Return the levels of the split's column whose rows are kept back from training."""
        column, source = self.recipe.split.column, self.dataset.source.name
        levels = pl.concat([cells.stripped for cells in self._key_cells(column)])
        return levels.filter(pl.Series(held_out_rows(source, column, levels))).unique().sort().to_list()

    @property
    def validation_levels(self) -> list[str]:
        """Return the levels of the split's column whose rows are kept back to validate on."""
        column = self.recipe.split.column
        return [level for level in self.held_out_levels if is_validation(column, level)]

    @cached_property
    def numbering(self) -> list[str]:
        """Return the columns that only number the rows, in which equal rows may differ."""
        found = indices_in(self.dataset, self.recipe)
        return [name for name in self.dataset.source.columns if name in found]

    @property
    def compared(self) -> list[str]:
        """Return the columns in which repeated rows are equal, beside the target: dropped ones as well."""
        left_out = {self.dataset.target, *self.numbering}
        return [name for name in self.dataset.source.columns if name not in left_out]

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
    if plan.dataset.row_shape:
        raise InputError(f"{plan.dataset.source.name}: scripts are written for tables, and its rows are arrays.")
    if plan.network:
        output_count(recipe.loss, classes)
    if recipe.model.kind == "estimator":
        make_estimator(recipe.model, recipe.train.seed)
    require_two_classes(recipe.decide, classes)
    _, made = learn(recipe.features, plan.columns, plan.rows.features, fill=plan.must_be_there)
    for name in plan.inputs if plan.must_be_there else ():
        if made[name].null_count():
            raise InputError(
                f"column {name!r} has {made[name].null_count()} missing cells and recipe.features.impute is 'none'; "
                "a network cannot train on missing numbers: set it to 'median', for example."
            )
    if plan.rows.weights is not None and recipe.resample.method != "none":
        raise InputError(
            "recipe.data.weight and recipe.resample.method cannot both be set: rows that are made up have no weight; "
            "unset one of them."
        )
    seed, rows = recipe.train.seed, training_rows(plan.rows)
    if plan.cuts:
        inner_validation(rows, recipe.split, seed=seed)
    # Last, as it takes the longest.
    _ = plan.made
    if plan.fits_decision:
        repeated_folds(rows, recipe.split, repeats=1, folds=recipe.split.folds, seed=seed)
