"""The report on a live model or training, on a terminal or in a notebook."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from bindoctor.findings import Finding, Severity
from bindoctor.render.text import count_by_severity, finding_text, indented, printable
from bindoctor.report import Report


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings loudest first, and of equally loud ones what is about the model before what its run shows."""
    return tuple(sorted(findings, key=lambda one: (-(one.severity or Severity.NOTE).rank, one.where.kind != "model")))


def print_live(report: Report, headline: str, console: Console, remarks: Sequence[str] = ()) -> None:
    """Print what was looked at, the findings, and how many rules had nothing to say."""
    console.print(indented(Text(printable(headline), style="bold"), 0))
    for remark in remarks:
        console.print(indented(Text(printable(remark), style="dim"), 0))
    for finding in in_order(report.findings):
        console.print()
        console.print(finding_text(finding, quiet=False))
    console.print()
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    found = count_by_severity(report.findings) or "No findings"
    console.print(indented(Text(f"{found}; {passed} rule{'s' if passed != 1 else ''} passed.", style="bold"), 0))
    for outcome in report.outcomes:
        if outcome.status == "error":
            console.print(
                indented(Text(f"rule {outcome.rule.code} broke: {printable(outcome.why)}", style="bold red"), 0)
            )
    for broken in report.broken_packs:
        console.print(indented(Text(f"rule pack {printable(broken)}", style="bold red"), 0))
