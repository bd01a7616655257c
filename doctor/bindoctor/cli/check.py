"""``bindoctor check``: lint data, recipe and run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bindoctor.cli.options import PATH, check_output, data_options, emit, prepare_training, report_options, rule_options
from bindoctor.config import DataSettings
from bindoctor.evidence import Evidence
from bindoctor.history import read_history
from bindoctor.outputs import read_run
from bindoctor.predictions import read_predictions
from bindoctor.workspace import RuleChoice, Workspace, open_workspace


@click.command()
@data_options
@click.option("--run", "run_path", type=PATH, help="A training history to lint: CSV or JSON, one record an epoch.")
@click.option("--predictions", "predictions_path", type=PATH, help="Out-of-sample predictions to lint: CSV or JSON.")
@click.option("--train", "train_first", is_flag=True, help="Train the recipe on folds first, and lint that run too.")
@rule_options
@report_options
def check(
    data: DataSettings,
    choice: RuleChoice,
    run_path: Path | None,
    predictions_path: Path | None,
    train_first: bool,
    fail_on: str | None,
    **output: Any,
) -> int:
    """Lint DATA, the recipe, and a training run where one is known.

    Without DATA, bindoctor.toml or [tool.bindoctor] in pyproject.toml says what to check. A run in bindoctor-out that
    belongs to the same recipe and data is read, not repeated.
    """
    workspace = open_workspace(data, choice)
    check_output(output["output_file"], *workspace.inputs, run_path, predictions_path)
    evidence = _with_run(workspace, workspace.evidence(), run_path, predictions_path, train_first)
    report = workspace.report(workspace.examine(evidence), evidence, fail_on)
    emit(report, **output)
    return report.exit_code


def _with_run(
    workspace: Workspace, evidence: Evidence, run: Path | None, predictions: Path | None, train_first: bool
) -> Evidence:
    if train_first:
        prepare_training()
        from bindoctor.final import train_evidence

        evidence, note = train_evidence(evidence)
        if note:
            click.echo(f"bindoctor: {note}", err=True)
    elif run is None and predictions is None:
        return read_run(workspace.out, workspace.run_key(evidence), evidence)
    if run is not None:
        evidence = replace(evidence, history=read_history(run))
    if predictions is not None:
        assert evidence.profile is not None and evidence.recipe is not None
        threshold = evidence.recipe.decide.fixed_threshold
        evidence = replace(evidence, predictions=read_predictions(predictions, evidence.profile.classes, threshold))
    return evidence
