"""What ``bindoctor.fix`` hands back: the report with its treatment, the recipe that is left, and its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.fixing import model_left, one_thread
from bindoctor.history import TrainingFailed
from bindoctor.recipe import Recipe
from bindoctor.report import Report
from bindoctor.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from bindoctor.classifier import RecipeClassifier
    from bindoctor.final import FinalModel
    from bindoctor.treatment import Treatment


@dataclass(frozen=True, eq=False, repr=False)
class FixResult:
    """A finished treatment.

    Attributes:
        report: the findings, and the treatment.
        workspace: the data and rules that it was made of.
        labels: what the caller calls each class.
        named: whether the columns had names.
        trained: the model that was written, or None.
    """

    report: Report
    workspace: Workspace
    labels: Mapping[str, Any]
    named: bool = True
    trained: "FinalModel | None" = None

    @property
    def treatment(self) -> "Treatment":
        """Return what was found out: corrections, trials, the confirmation."""
        assert self.report.treatment is not None
        return self.report.treatment

    @property
    def status(self) -> str:
        """Return what can be claimed: verified, corrected, not-confirmed, cannot-verify or nothing-to-do."""
        return self.treatment.status

    @property
    def recipe(self) -> Recipe:
        """Return the recipe that is left."""
        return self.treatment.recipe

    @cached_property
    def model(self) -> "RecipeClassifier":
        """Return the recipe that is left trained on all rows, as ``bindoctor fix --apply`` would write it.

        It is trained when it is first asked for, unless it was written.

        Raises:
            InputError: it cannot be trained on all rows.
        """
        if self.workspace.dataset.row_shape:
            raise InputError("model: an estimator takes tables; fix(…, out=folder) writes one that takes arrays.")
        from bindoctor.classifier import RecipeClassifier

        model = self.trained
        if model is None:
            try:
                with one_thread():
                    model, _ = model_left(self.workspace, self.treatment)
            except TrainingFailed as error:
                raise InputError(f"training on all rows failed: {error}.") from error
        dataset = self.workspace.dataset
        columns = [name for name in dataset.source.columns if name != dataset.target]
        return RecipeClassifier.of_model(model, self.labels, columns, named=self.named)

    def script(self) -> str:
        """Return a standalone script that trains the recipe on all rows.

        Raises:
            InputError: the data are not in one file.
        """
        from bindoctor.script import render_script

        dataset = self.workspace.dataset
        return render_script(dataset, Evidence(dataset, recipe=self.recipe))

    def findings_frame(self) -> pl.DataFrame:
        """Return one row a finding; see ``Report.findings_frame``."""
        return self.report.findings_frame()

    def trials_frame(self) -> pl.DataFrame:
        """Return one row a trial; see ``Report.trials_frame``."""
        return self.report.trials_frame()

    def show(self, console: "Console | None" = None) -> None:
        """Print the report on a console, standard output when not given."""
        self.report.show(console)

    def __str__(self) -> str:
        return str(self.report)

    def __repr__(self) -> str:
        return f"<FixResult {self.status}: {self.treatment.why}>"

    def _repr_html_(self) -> str:
        return self.report._repr_html_()
