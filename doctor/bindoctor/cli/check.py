"""``bindoctor check``: lint data, recipe and run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bindoctor.baseline import read_baseline
from bindoctor.cli.evidence import GivenRun, gather, run_options
from bindoctor.cli.options import PATH, check_outputs, data_options, emit, report_options, rule_options
from bindoctor.config import DataSettings
from bindoctor.errors import InputError
from bindoctor.workspace import RuleChoice, names_data, open_run_workspace, open_workspace


@click.command()
@data_options
@run_options
@rule_options
@click.option(
    "--baseline",
    "baseline_path",
    type=PATH,
    help="Report only what is not in this baseline (default: the one beside the settings, when it is of this data).",
)
@report_options
def check(
    data: DataSettings,
    given: GivenRun,
    choice: RuleChoice,
    baseline_path: Path | None,
    fail_on: str | None,
    **output: Any,
) -> int:
    """Lint DATA, the recipe, and a training run where one is known.

    Without DATA, bindoctor.toml or [tool.bindoctor] in pyproject.toml says what to check; where neither names data,
    --run PATH alone is. A run in bindoctor-out that belongs to the same recipe and data is read, not repeated.
    """
    if given.history is not None and not names_data(data):
        return _check_run(data, given, choice, baseline_path, fail_on, output)
    workspace = open_workspace(data, choice)
    baseline = workspace.baseline(baseline_path)
    run = given.read()
    check_outputs(output, *workspace.inputs, *run.files, baseline_path or workspace.baseline_path)
    evidence = gather(workspace, given, run.history)
    outcomes = workspace.examine(evidence, baseline)
    report = workspace.report(outcomes, evidence, fail_on, baseline, run=given.history)
    emit(report, **output)
    return report.exit_code


def _check_run(
    data: DataSettings,
    given: GivenRun,
    choice: RuleChoice,
    baseline_path: Path | None,
    fail_on: str | None,
    output: Mapping[str, Any],
) -> int:
    """Lint a training run of which there are no data."""
    assert given.history is not None
    needs_data = {
        "--train": given.train,
        "--predictions": given.predictions is not None,
        "an option that says how DATA is read": data != DataSettings(),
    }
    named = next((option for option, asked in needs_data.items() if asked), "")
    if named:
        raise InputError(f"{named}: needs DATA, and no data file is named; give one, or leave it out to check the run.")
    workspace = open_run_workspace(choice)
    run = given.read()
    assert run.history is not None
    check_outputs(output, *run.files, workspace.config.path, baseline_path)
    baseline = read_baseline(baseline_path) if baseline_path else None
    report = workspace.report(given.history, run.history, fail_on, baseline)
    emit(report, **output)
    return report.exit_code
