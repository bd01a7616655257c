"""What a script has to know about the recipe and the rows before it can be written."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from bindoctor.build import check_columns, column_kinds
from bindoctor.dataset import Dataset, Rows
from bindoctor.decide import needs_fitting
from bindoctor.errors import InputError
from bindoctor.losses import class_weights, output_count
from bindoctor.profile import Profile
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.selection import select
from bindoctor.splits import inner_validation, repeated_folds

Key = Literal["groups", "times"]


@dataclass(frozen=True, eq=False)
class Plan:
    """The recipe, and what of the rows decides how it is written out."""

    dataset: Dataset
    recipe: Recipe
    rows: Rows

    @cached_property
    def columns(self) -> Mapping[str, Literal["number", "text"]]:
        """Return the feature columns by name."""
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
    def binary(self) -> bool:
        """Tell whether there are two classes."""
        return len(self.rows.classes) == 2

    @property
    def network(self) -> bool:
        """Tell whether a network is trained, and not trees."""
        return self.recipe.model.kind != "gradient-boosting"

    @property
    def outputs(self) -> int:
        """Return the network's logits a row."""
        return output_count(self.recipe.loss, len(self.rows.classes))

    @property
    def fits_decision(self) -> bool:
        """Tell whether a threshold or calibrator is fitted on out-of-fold answers."""
        return needs_fitting(self.recipe.decide)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Return what rows are split by, where the script splits them at all."""
        if not (self.recipe.train.patience or self.fits_decision):
            return ()
        if self.rows.groups is not None:
            return ("groups",)
        return ("times",) if self.rows.order is not None else ()

    @property
    def selects(self) -> bool:
        """Tell whether rows of the file are left out of training."""
        return self.recipe.data.deduplicate or self.recipe.data.drop_missing_target
```
