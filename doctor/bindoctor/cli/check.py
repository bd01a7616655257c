"""``bindoctor check``: lint data, recipe and run."""

from pathlib import Path
from typing import Any

import click

from bindoctor.cli.evidence import GivenRun, gather, run_options
from bindoctor.cli.options import PATH, check_outputs, data_options, emit, report_options, rule_options
from bindoctor.config import DataSettings
from bindoctor.workspace import RuleChoice, open_workspace


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

    Without DATA, bindoctor.toml or [tool.bindoctor] in pyproject.toml says what to check. A run in bindoctor-out that
    belongs to the same recipe and data is read, not repeated.
    """
    workspace = open_workspace(data, choice)
    baseline = workspace.baseline(baseline_path)
    check_outputs(output, *workspace.inputs, *given.files, baseline_path or workspace.baseline_path)
    evidence = gather(workspace, given)
    report = workspace.report(workspace.examine(evidence, baseline), evidence, fail_on, baseline)
    emit(report, **output)
    return report.exit_code
