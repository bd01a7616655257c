"""``bindoctor baseline``: record the present findings, so that ``check`` reports only new ones."""

from pathlib import Path

import click

from bindoctor.baseline import baseline_text, read_baseline
from bindoctor.cli.evidence import GivenRun, gather, run_options
from bindoctor.cli.options import PATH, check_output, data_options, rule_options
from bindoctor.config import DataSettings
from bindoctor.errors import InputError
from bindoctor.files import write_beside
from bindoctor.render.text import count_by_severity, printable
from bindoctor.workspace import RuleChoice, open_workspace


@click.command("baseline")
@data_options
@run_options
@rule_options
@click.option("--output", type=PATH, help="The file to write (default: bindoctor-baseline.json beside the settings).")
def record_baseline(data: DataSettings, given: GivenRun, choice: RuleChoice, output: Path | None) -> int:
    """Record the present findings of DATA; 'bindoctor check' then reports only new and louder ones.

    A finding is recognised by its rule and its place, not by its numbers. Ignored findings are not recorded. Run it
    again to forget what no longer occurs.
    """
    workspace = open_workspace(data, choice)
    if output is None:
        workspace.require_own_settings()
    path = output or workspace.baseline_path
    run = given.read()
    check_output(path, *workspace.inputs, *run.files)
    if path.exists():
        _check_replaceable(path)
    evidence = gather(workspace, given, run.history)
    outcomes = workspace.examine(evidence)
    report = workspace.report(outcomes, evidence, "never")
    broken = [f"rule {o.rule.code} broke: {o.why}" for o in outcomes if o.status == "error"]
    broken += [f"rule pack {pack}" for pack in report.broken_packs]
    if broken:
        raise InputError(f"{'; '.join(broken)}. No baseline was recorded, as it would lack findings.")
    findings = [f for o in outcomes if "audit" not in o.rule.needs for f in o.findings]
    write_beside(path, baseline_text(path, Path(workspace.dataset.source.name), workspace.dataset.target, findings))
    click.echo(f"written  {printable(path)}: {count_by_severity(findings) or 'no findings'}")
    return 0


def _check_replaceable(path: Path) -> None:
    try:
        read_baseline(path)
    except InputError:
        raise InputError(f"{path}: exists and is no baseline of findings; name another file.") from None
