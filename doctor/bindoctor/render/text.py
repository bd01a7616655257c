"""The report on a terminal."""

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from bindoctor.examine import KNOWN
from bindoctor.findings import Aim, Finding, Severity
from bindoctor.recipe import Change, toml_value
from bindoctor.report import DataSummary, PartSummary, Report, RunSummary

if TYPE_CHECKING:
    from rich.table import Table

    from bindoctor.treatment import Treatment, Trial

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
STATUS_STYLES = {
    "verified": "bold green",
    "corrected": "bold cyan",
    "not-confirmed": "bold yellow",
    "cannot-verify": "bold yellow",
    "nothing-to-do": "bold",
    "improved": "green",
    "worse": "red",
    "error": "red",
}
ROLE_WORDS = {
    "number": ("number", "numbers"),
    "category": ("category", "categories"),
    "text": ("text", "texts"),
    "date": ("date", "dates"),
    "identifier": ("identifier", "identifiers"),
    "weight": ("weight", "weights"),
    "constant": ("constant", "constants"),
    "dropped": ("dropped", "dropped"),
}
PLAIN_ROLES = ("number", "category")
MAX_NAMES = 3
MAX_METRICS = 6
AIM_WORDS = {Aim.CORRECT: "fix", Aim.IMPROVE: "try", Aim.ADVISE: "advice"}
MAX_FIXES = 3
WHY_LOG_LOSS = "Judged by log-loss: probabilities matter, and it is the most powerful score; --score chooses another."


def printable(text: object) -> str:
    """Replace control characters, so that a cell of an untrusted file cannot steer the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


class Indented(msgspec.Struct, frozen=True):
    """Text that is indented, wrapped lines too, without blanks at the ends of lines."""

    text: Text
    columns: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines as they fit, as segments: text would be wrapped once more."""
        lines = self.text.wrap(console, max(1, options.max_width - self.columns))
        for line in lines:
            line.rstrip()
            line.pad_left(self.columns)
        # Joined, a line's own style becomes one of its parts', which is what is rendered.
        yield from Text("\n").join(lines).render(console, end="\n")


def indented(text: Text, columns: int) -> Indented:
    """Indent text, wrapped lines too."""
    return Indented(text, columns)


def count_by_severity(findings: Iterable[Finding]) -> str:
    """Say how many findings of each severity there are: ``1 error, 2 notes``; "" when there is none."""
    by_severity = Counter(finding.severity or Severity.NOTE for finding in findings)
    return ", ".join(
        f"{by_severity[severity]} {severity}{'s' if by_severity[severity] != 1 else ''}"
        for severity in Severity
        if by_severity[severity]
    )


def standard_console() -> Console:
    """Return a console on standard output without rich's guessing at numbers and markup in what it prints."""
    return Console(highlight=False, markup=False, emoji=False)


def report_text(report: Report, *, quiet: bool = False) -> str:
    """Return what ``print_report`` prints, as plain text of 120 columns."""
    kept = io.StringIO()
    console = Console(file=kept, width=120, no_color=True, highlight=False, markup=False, force_jupyter=False)
    print_report(report, console, quiet=quiet)
    return kept.getvalue()


def summary_line(report: Report) -> str:
    """Say in a line what the report is about and how many findings it has."""
    found = count_by_severity(report.findings) or "no findings"
    if report.data is None:
        return f"{run_text(report.run)}; {found}" if report.run else found
    return f"{printable(report.data.path)}: {report.data.rows} rows, target {printable(report.data.target)!r}; {found}"


def print_report(report: Report, console: Console, *, quiet: bool = False) -> None:
    """Print findings, the treatment and the summary line; with ``quiet``, without advice and fixes."""
    if report.data is not None:
        _print_data(report.data, console)
    if report.run is not None:
        console.print(indented(Text(run_text(report.run)), 0))
        if report.run.too_short:
            console.print(indented(Text(report.run.too_short, style="bold"), 0))
        for remark in report.run.remarks:
            console.print(indented(Text(printable(remark), style="dim"), 0))
    for finding in report.findings:
        console.print()
        console.print(finding_text(finding, quiet=quiet))
    console.print()
    if report.treatment is not None:
        print_treatment(report.treatment, console)
        for path in report.written:
            console.print(Text(f"written  {printable(path)}"))
        console.print()
    for line in _summary(report):
        console.print(line)


def _print_data(data: DataSummary, console: Console) -> None:
    console.print(indented(_headline(data), 0))
    for name, part in data.parts.items():
        console.print(indented(_part(name, part), 0))
    for remark in data.remarks:
        console.print(indented(Text(printable(remark), style="dim"), 0))
    if data.roles:
        console.print(indented(Text(f"columns: {roles_text(data.roles)}", style="dim"), 0))


def print_treatment(treatment: "Treatment", console: Console) -> None:
    """Print the corrections, every trial, the confirmation and the recipe's difference."""
    if treatment.corrections:
        console.print(Text("Corrections", style="bold"), Text("(kept whatever they do to the score)", style="dim"))
        for correction in treatment.corrections:
            console.print(indented(Text(f"{correction.code}  {printable(correction.title)}"), 2))
        console.print(indented(_score_of_corrections(treatment), 2))
        console.print()
    if treatment.trials:
        console.print(Text("Trials", style="bold"), Text("(same folds, same seeds; positive is better)", style="dim"))
        if treatment.trials[0].score == "log-loss":
            console.print(indented(Text(WHY_LOG_LOSS, style="dim"), 2))
        console.print(*_trials(treatment.trials), sep="\n")
    for note in treatment.notes:
        console.print(indented(Text(printable(note), style="dim"), 2))
    console.print()
    status = (treatment.status.replace("-", " ").upper(), STATUS_STYLES[treatment.status])
    console.print(Text.assemble(status, f": {printable(treatment.why).rstrip('.')}."))
    if treatment.class_shares:
        console.print(_before_and_after(treatment))
    if treatment.gain is not None and treatment.status == "verified":
        gain = treatment.gain
        # What was measured on the locked rows had no part in the choice, and is not shrunken.
        chosen = f"; measured {gain.raw:.4f}, shrunken for having been chosen" if gain.shrunken != gain.raw else ""
        interval = f"95 % interval {gain.low:.4f} to {gain.high:.4f}{chosen}"
        console.print(Text(f"Expected gain in {treatment.score} on new rows: {gain.shrunken:.4f} ({interval})."))
    print_changes(treatment.original.changes(treatment.recipe), console)
    console.print()


def print_changes(changes: Sequence[Change], console: Console) -> None:
    """Print the recipe's difference as removed and added lines."""
    console.print(Text("\nRecipe" if changes else "\nThe recipe stays as it is.", style="bold"))
    for change in changes:
        console.print(indented(Text(f"- {change.path} = {_value(change.before)}", style="red"), 2))
        console.print(indented(Text(f"+ {change.path} = {_value(change.after)}", style="green"), 2))


def run_text(run: RunSummary) -> str:
    """Say what was read of a run."""
    counts: dict[int, list[str]] = {}
    for name, count in run.points.items():
        counts.setdefault(count, []).append(name)
    epochs = f"{run.epochs} epoch{'s' if run.epochs != 1 else ''}"
    said = ", ".join(
        [run.source or "a history of bindoctor's", f"the last of {run.runs} runs: {epochs}" if run.runs > 1 else epochs]
    )
    points = "; ".join(
        f"{', '.join(names[:MAX_METRICS])}{' …' if len(names) > MAX_METRICS else ''} {count} point{'s' * (count != 1)}"
        for count, names in sorted(counts.items(), reverse=True)
    )
    return f"{printable(run.path)}: {printable(said)} ({printable(points) or 'no curve'})"


def _headline(data: DataSummary) -> Text:
    return Text.assemble(
        (printable(data.path), "bold"),
        f": {data.rows} rows, {data.columns} columns; target ",
        (f"{printable(data.target)!r}", "bold"),
        f" ({_shares(data.classes)}" + (f"; positive is {printable(data.positive)!r})" if data.positive else ")"),
    )


def roles_text(roles: Mapping[str, str]) -> str:
    """Say what the columns seem to be for, and name those that are no plain features."""
    by_role: dict[str, list[str]] = {}
    for name, role in roles.items():
        by_role.setdefault(role, []).append(name)
    parts = []
    for role, (one, many) in ROLE_WORDS.items():
        names = by_role.get(role, [])
        if names:
            listed = ", ".join(f"'{printable(name)}'" for name in names[:MAX_NAMES])
            more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
            shown = "" if role in PLAIN_ROLES else f" ({listed}{more})"
            parts.append(f"{len(names)} {one if len(names) == 1 else many}{shown}")
    return ", ".join(parts) or "none but the target"


def _part(name: str, part: PartSummary) -> Text:
    what = f"{part.rows} rows kept apart to {'validate' if name == 'valid' else 'test'}"
    shares = _shares(part.classes) or "no target"
    return Text.assemble((printable(part.path), "bold"), f": {what} ({shares})")


def _shares(classes: Mapping[str, int]) -> str:
    total = max(1, sum(classes.values()))
    shares = [f"{printable(label)!r} {100 * count / total:.3g} %" for label, count in list(classes.items())[:6]]
    return ", ".join(shares) + (f" and {len(classes) - 6} more" if len(classes) > 6 else "")


def finding_text(finding: Finding, *, quiet: bool) -> RenderableType:
    """Lay out a finding: its head, its message, and with fixes and rows unless ``quiet``."""
    severity = finding.severity or Severity.NOTE
    head = Text.assemble(
        (f"{severity.value:<8}", STYLES[severity]),
        (finding.code, "bold"),
        f" {finding.slug}",
        (f"  {printable(finding.where)}", "dim"),
        (f"  ({finding.confidence} confidence)" if finding.confidence != "high" else "", "dim"),
    )
    lines: list[RenderableType] = [indented(head, 0), indented(Text(printable(finding.message)), 8)]
    if finding.explains:
        lines.append(indented(Text(f"explains {', '.join(finding.explains)}", style="dim"), 8))
    if finding.rows is not None and finding.rows.first and not quiet:
        first = ", ".join(str(row) for row in finding.rows.first[:8])
        more = " …" if finding.rows.count > 8 else ""
        lines.append(indented(Text(f"rows {first}{more}", style="dim"), 8))
    if not quiet:
        lines.extend(
            indented(Text(f"{AIM_WORDS[fix.aim]}: {printable(fix.title)}", style="dim"), 8)
            for fix in finding.fixes[:MAX_FIXES]
        )
        if len(finding.fixes) > MAX_FIXES:
            lines.append(indented(Text(f"and {len(finding.fixes) - MAX_FIXES} more to try", style="dim"), 8))
    return Group(*lines)


def _score_of_corrections(treatment: "Treatment") -> Text:
    score = treatment.score
    if not treatment.honest:
        return Text("Nothing could be trained to compare them.", style="dim")
    if not treatment.as_found:
        return Text("The setup as found could not be trained.", style="dim")
    if all(path.startswith("split.") for correction in treatment.corrections for path in correction.edits):
        return Text("They change how well the score is known, not the model.", style="dim")
    compared = (treatment.as_found, treatment.honest, treatment.class_shares)
    if not all(score in values for values in compared):
        which = "as found" if score not in treatment.as_found else "after them"
        return Text(f"{score} is undefined for the setup {which}: a class is missing in every fold.", style="dim")
    found, honest, constant = (values[score] for values in compared)
    return Text(
        f"{score} {found:.4f} as found, {honest:.4f} after them ({constant:.4f} for always answering the class "
        "shares). The first was not measured honestly, so the two are not comparable; gains are measured from "
        "the second.",
        style="dim",
    )


def _trials(trials: "Sequence[Trial]") -> Iterable[RenderableType]:
    table = _table()
    table.add_column("  rule")
    table.add_column("fix", overflow="fold")
    table.add_column("gain", justify="right", no_wrap=True)
    table.add_column("in", no_wrap=True)
    table.add_column("t", justify="right", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for trial in trials:
        verdict = Text("kept" if trial.kept else trial.status.replace("-", " "))
        verdict.stylize("bold green" if trial.kept else STATUS_STYLES.get(trial.status, ""))
        table.add_row(
            f"  {trial.code or '–'}",
            Text(printable(trial.title), style="dim" if trial.placebo else ""),
            "–" if trial.gain is None else f"{trial.gain:+.4f}",
            trial.score,
            "–" if trial.t is None else f"{trial.t:+.1f}",
            str(trial.repeats),
            verdict,
        )
    yield table
    for trial in trials:
        if trial.why:
            yield indented(Text(f"{printable(trial.title)}: {printable(trial.why).rstrip('.')}.", style="dim"), 2)


def _before_and_after(treatment: "Treatment") -> "Table":
    locked = treatment.status in ("verified", "not-confirmed")
    place = f"{treatment.locked_rows} locked rows" if locked else "cross-validated"
    table = _table()
    table.add_column(f"  {place}")
    table.add_column("before", justify="right")
    table.add_column("with the fixes" if treatment.status == "not-confirmed" else "after", justify="right")
    table.add_column("class shares", justify="right", style="dim")
    for name in treatment.class_shares:
        row = [_number(values, name) for values in (treatment.before, treatment.after, treatment.class_shares)]
        table.add_row(f"  {name}", *row, style="bold" if name == treatment.score else "")
    return table


def _table() -> "Table":
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")


def _number(values: Mapping[str, float], name: str) -> str:
    return f"{values[name]:.4f}" if name in values else "–"


def _value(value: object) -> str:
    return printable(toml_value(value))


def _summary(report: Report) -> Iterable[RenderableType]:
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    known = sum(one.reason == KNOWN for one in report.accepted)
    ignored = len(report.accepted) - known
    parts = [
        count_by_severity(report.findings) or ("No new findings" if known else "No findings"),
        f"{passed} rule{'s' if passed != 1 else ''} passed",
    ]
    if ignored:
        parts.append(f"{ignored} ignored")
    yield indented(Text("; ".join(parts) + ".", style="bold"), 0)
    if report.baseline:
        findings = "1 known finding is" if known == 1 else f"{known} known findings are"
        text = f"compared with {printable(report.baseline)}: {findings if known else 'no known finding is'} left out"
        yield indented(Text(text, style="dim"), 0)
    skipped: dict[str, list[str]] = {}
    beside = 0
    for outcome in report.outcomes:
        if outcome.status == "skipped" and report.data is None and "history" not in outcome.rule.needs:
            beside += 1
        elif outcome.status == "skipped":
            skipped.setdefault(outcome.why, []).append(outcome.rule.code)
    if beside:
        text = f"{beside} rules did not run: they are about data, a recipe or predictions, and only a run was given"
        yield indented(Text(text, style="dim"), 0)
    for why, codes in skipped.items():
        rules = f"{len(codes)} rule{'s' if len(codes) != 1 else ''}"
        yield indented(Text(f"{rules} did not run ({why}): {', '.join(codes)}", style="dim"), 0)
    for outcome in report.outcomes:
        if outcome.status == "error":
            yield indented(Text(f"rule {outcome.rule.code} broke: {printable(outcome.why)}", style="bold red"), 0)
    for broken in report.broken_packs:
        yield indented(Text(f"rule pack {printable(broken)}", style="bold red"), 0)
