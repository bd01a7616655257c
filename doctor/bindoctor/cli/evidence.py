"""What a command is told about a training run, and the evidence that it makes."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec

from bindoctor.cli.options import PATH, prepare_training, training_is_installed
from bindoctor.evidence import Evidence
from bindoctor.history import History
from bindoctor.outputs import RUN_FILE, read_run
from bindoctor.predictions import read_predictions
from bindoctor.profile import EVERYTHING
from bindoctor.workspace import Workspace


class GivenRun(msgspec.Struct, frozen=True):
    """Files of a run from elsewhere, and whether the recipe is to be trained here."""

    history: Path | None = None
    predictions: Path | None = None
    train: bool = False

    def read(self) -> "ReadRun":
        """Read the log.

        Raises:
            InputError: it cannot be used.
        """
        if self.history is None:
            return ReadRun(None, (self.predictions,))
        from bindoctor.logs import read_log

        history, files = read_log(self.history)
        return ReadRun(history, (*files, self.predictions))


class ReadRun(msgspec.Struct, frozen=True):
    """A log that has been read, if there was one, and the run's files, which must not be written over."""

    history: History | None
    files: tuple[Path | None, ...]


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add where a run is found, handed on as one value ``given``."""

    @functools.wraps(command)
    def collected(run_path: Path | None, predictions_path: Path | None, train_first: bool, **others: Any) -> int:
        return command(given=GivenRun(run_path, predictions_path, train_first), **others)

    for option in (
        click.option(
            "--train", "train_first", is_flag=True, help="Train the recipe on folds first, and lint that run too."
        ),
        click.option(
            "--predictions", "predictions_path", type=PATH, help="Out-of-sample predictions to lint: CSV or JSON."
        ),
        click.option(
            "--run",
            "run_path",
            type=PATH,
            help="A training run to lint, file or folder: of Lightning, Keras, Hugging Face, TensorBoard, MLflow, "
            "Weights & Biases, skorch, fastai, XGBoost, LightGBM or Ultralytics, or any table with losses.",
        ),
    ):
        collected = option(collected)
    return collected


def gather(workspace: Workspace, given: GivenRun, history: History | None) -> Evidence:
    """Scan the data and add the run: the one given, the one trained here, else a stored one of the same setup.

    Args:
        workspace: the data and its recipe.
        given: what was asked.
        history: the log that was given, read.

    Raises:
        InputError: a file of the run cannot be used.
    """
    # Rows are read as a complete scan tells, whatever the rules ask for.
    whole = given.train or (given.predictions is not None and workspace.asks_for("simple_models"))
    evidence = workspace.evidence(EVERYTHING if whole else workspace.states)
    if given.train:
        prepare_training()
        from bindoctor.final import train_evidence

        evidence, note = train_evidence(evidence)
        if note:
            click.echo(f"bindoctor: {note}", err=True)
        evidence = with_simple_models(workspace, evidence)
    elif history is None and given.predictions is None:
        # The key holds a digest of the whole file, which is not worth computing for nothing.
        if not (workspace.out / RUN_FILE).is_file():
            return evidence
        return read_run(workspace.out, workspace.run_key(evidence), evidence)
    if history is not None:
        evidence = replace(evidence, history=history)
    if given.predictions is not None:
        assert evidence.profile is not None and evidence.recipe is not None
        threshold = evidence.recipe.decide.fixed_threshold
        found = read_predictions(given.predictions, evidence.profile.classes, threshold)
        evidence = with_simple_models(workspace, replace(evidence, predictions=found))
    return evidence


def with_simple_models(workspace: Workspace, evidence: Evidence) -> Evidence:
    """Add what simple models make of the run's rows, where a selected rule asks for it and training is installed.

    Raises:
        InputError: the recipe does not fit the file.
    """
    if not workspace.asks_for("simple_models") or not training_is_installed():
        return evidence
    prepare_training()
    from bindoctor.simple_models import SimpleModels

    return replace(evidence, simple_models=SimpleModels().beside(evidence))
