"""The report as HTML: a piece of a page for notebooks, and a page of its own.

Everything that comes from data is escaped, nothing is loaded from elsewhere and nothing runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from bindoctor.examine import KNOWN
from bindoctor.findings import Aim, Finding, Fix, Severity
from bindoctor.recipe import Change, toml_value
from bindoctor.render.text import AIM_WORDS, count_by_severity, printable, roles_text, run_text
from bindoctor.report import DataSummary, Report, RunSummary

if TYPE_CHECKING:
    from bindoctor.treatment import Gain, Treatment, Trial

MAX_CLASSES = 6
MAX_ROWS = 20
MAX_LENGTH = 300
GOOD = ("verified", "improved", "kept")
BAD = ("worse", "error")


def report_page(report: Report) -> str:
    """Return a whole HTML document."""
    about = report.data or report.run
    title = f"bindoctor: {_text(about.path)}" if about else "bindoctor"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_style('page.css')}</style>\n</head>\n"
        f"<body>\n{report_html(report)}\n</body>\n</html>\n"
    )


def report_html(report: Report) -> str:
    """Return the report as one ``div`` with its style, to be shown inside another page."""
    parts = [] if report.data is None else [_data(report.data)]
    if report.run is not None:
        parts.append(_run(report.run))
    if report.treatment is not None:
        parts.append(_treatment(report.treatment, report.written))
    parts.append(_findings(report))
    parts.append(_rest(report))
    return f'<div class="bindoctor"><style>{_style("report.css")}</style>\n{"".join(parts)}</div>'


def _style(name: str) -> str:
    return files("bindoctor.render").joinpath(name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    """Escape for HTML, in attributes too, with control characters spelled out."""
    return escape(printable(value), quote=True)


def _run(run: RunSummary) -> str:
    short = f"<p><b>{_text(run.too_short)}</b></p>" if run.too_short else ""
    remarks = "".join(f'<p class="dim">{_text(remark)}</p>' for remark in run.remarks)
    return f"<p>{_text(run_text(run))}</p>{short}{remarks}"


def _data(data: DataSummary) -> str:
    positive = f", positive is <b>{_text(repr(data.positive))}</b>" if data.positive else ""
    lines = [
        f"<h2>{_text(data.path)}</h2>",
        f"<p>{data.rows} rows, {data.columns} columns; target <b>{_text(repr(data.target))}</b>{positive}</p>",
        _classes(data),
    ]
    for name, part in data.parts.items():
        shares = ", ".join(f"{_text(repr(label))} {count}" for label, count in list(part.classes.items())[:MAX_CLASSES])
        use = "validate" if name == "valid" else "test"
        lines.append(f"<p>{_text(part.path)}: {part.rows} rows kept apart to {use} ({shares or 'no target'})</p>")
    lines += [f'<p class="dim">{_text(remark)}</p>' for remark in data.remarks]
    if data.roles:
        lines.append(f'<p class="dim">columns: {_text(roles_text(data.roles))}</p>')
    return "\n".join(lines)


def _classes(data: DataSummary) -> str:
    """Show the class shares as a bar with its words."""
    total = max(1, sum(data.classes.values()))
    shown = list(data.classes.items())[:MAX_CLASSES]
    more = f" and {len(data.classes) - MAX_CLASSES} more" if len(data.classes) > MAX_CLASSES else ""
    words = ", ".join(f"{_text(repr(label))} {100 * count / total:.3g} %" for label, count in shown) + more
    bars = "".join(f'<i style="flex:{count}"></i>' for _, count in shown if count)
    return f'<div class="classes" aria-hidden="true">{bars}</div><p class="dim">{words}</p>'


def _findings(report: Report) -> str:
    said = count_by_severity(report.findings) or "No findings"
    return f"<h3>{said}</h3>" + "".join(_finding(finding) for finding in report.findings)


def _finding(finding: Finding) -> str:
    severity = finding.severity or Severity.NOTE
    sure = f' <span class="dim">({finding.confidence} confidence)</span>' if finding.confidence != "high" else ""
    inside = []
    if finding.explains:
        inside.append(f"<p>explains {_text(', '.join(finding.explains))}</p>")
    if finding.rows is not None and finding.rows.count:
        first = ", ".join(str(row) for row in finding.rows.first[:MAX_ROWS])
        more = " …" if finding.rows.count > MAX_ROWS else ""
        inside.append(f"<p>{finding.rows.count} row{'s' * (finding.rows.count > 1)}: {first}{more}</p>")
    if finding.fixes:
        inside.append(f"<ul>{''.join(_fix(fix) for fix in finding.fixes)}</ul>")
    if finding.measured:
        inside.append(_pairs(finding.measured))
    return (
        f'<details class="finding {severity}"><summary><span class="chip {severity}">{severity}</span> '
        f"<b>{_text(finding.code)}</b> {_text(finding.slug)} "
        f'<span class="dim">{_text(finding.where)}</span>{sure}'
        f'<span class="message">{_text(finding.message)}</span></summary>{"".join(inside)}</details>'
    )


def _fix(fix: Fix) -> str:
    edits = "".join(f"<code>{_text(path)} = {_value(value)}</code>" for path, value in fix.edits.items())
    aim = AIM_WORDS.get(fix.aim, str(Aim(fix.aim)))
    return f"<li>{aim}: {_text(fix.title)} {edits}</li>"


def _pairs(measured: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_shortened(value)}</td></tr>" for name, value in measured.items())
    return f'<div class="scroll"><table class="measured">{rows}</table></div>'


def _shortened(value: object) -> str:
    text = _words(value)
    return _text(text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} …")


def _words(value: object) -> str:
    """Write a measured value for reading: numbers of four digits, lists and tables without brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _treatment(treatment: "Treatment", written: Sequence[str]) -> str:
    status = treatment.status
    kind = "good" if status in GOOD else "plain" if status in ("corrected", "nothing-to-do") else "unsure"
    parts = [
        f'<section class="verdict {kind}"><p><span class="chip {kind}">{status.replace("-", " ")}</span> '
        f"{_text(treatment.why.rstrip('.'))}.</p>"
    ]
    if treatment.class_shares:
        parts.append(_before_and_after(treatment))
    if treatment.gain is not None:
        parts.append(_gain(treatment.gain, treatment.score))
    parts.append("</section>")
    parts.append(_changes(treatment.original.changes(treatment.recipe)))
    if treatment.corrections:
        listed = "".join(
            f"<li><b>{_text(correction.code)}</b> {_text(correction.title)}</li>"
            for correction in treatment.corrections
        )
        parts.append(
            f"<details><summary>{_count(treatment.corrections, 'correction')}, kept whatever the score does</summary>"
            f"<ul>{listed}</ul></details>"
        )
    if treatment.trials:
        parts.append(_trials(treatment.trials))
    parts += [f'<p class="dim">{_text(note)}</p>' for note in treatment.notes]
    if written:
        listed = "".join(f"<li><code>{_text(path)}</code></li>" for path in written)
        parts.append(f"<details><summary>{_count(written, 'file')} written</summary><ul>{listed}</ul></details>")
    return "".join(parts)


def _before_and_after(treatment: "Treatment") -> str:
    locked = treatment.status in ("verified", "not-confirmed")
    place = f"{treatment.locked_rows} locked rows" if locked else "cross-validated"
    after = "with the fixes" if treatment.status == "not-confirmed" else "after"
    rows = [
        f"<tr{' class=judged' if name == treatment.score else ''}><th>{_text(name)}</th>"
        + "".join(f"<td>{_number(v, name)}</td>" for v in (treatment.before, treatment.after, treatment.class_shares))
        + "</tr>"
        for name in treatment.class_shares
    ]
    return (
        f'<div class="scroll"><table><tr><th>{place}</th><td>before</td><td>{after}</td>'
        f"<td>class shares</td></tr>{''.join(rows)}</table></div>"
    )


def _gain(gain: "Gain", score: str) -> str:
    chosen = f"; measured {gain.raw:.4f}, shrunken for having been chosen" if gain.shrunken != gain.raw else ""
    return (
        f"<p>Expected gain in {_text(score)} on new rows: <b>{gain.shrunken:.4f}</b> (95 % interval {gain.low:.4f} to "
        f"{gain.high:.4f}{chosen}).</p>"
    )


def _changes(changes: Iterable[Change]) -> str:
    lines = "".join(
        f"<del>- {_text(change.path)} = {_value(change.before)}</del><ins>+ {_text(change.path)} = "
        f"{_value(change.after)}</ins>"
        for change in changes
    )
    return f'<pre class="changes">{lines}</pre>' if lines else "<p>The recipe stays as it is.</p>"


def _trials(trials: "Sequence[Trial]") -> str:
    placebos = sum(trial.placebo for trial in trials)
    kept = sum(trial.kept for trial in trials)
    head = "<tr><th>rule</th><th>fix</th><td>gain</td><td>in</td><td>t</td><td>runs</td><th>verdict</th></tr>"
    return (
        f"<details><summary>{len(trials) - placebos} fixes tried, {kept} kept; {placebos} placebos</summary>"
        f'<p class="dim">Same folds, same seeds; a positive gain is better.</p><div class="scroll">'
        f"<table>{head}{''.join(_trial(trial) for trial in trials)}</table></div></details>"
    )


def _trial(trial: "Trial") -> str:
    verdict = "kept" if trial.kept else trial.status
    kind = "good" if verdict in GOOD else "bad" if verdict in BAD else "dim"
    why = f'<br><span class="dim">{_text(trial.why)}</span>' if trial.why else ""
    return (
        f"<tr{' class=dim' if trial.placebo else ''}><th>{_text(trial.code or '–')}</th>"
        f'<th class="wide">{_text(trial.title)}{why}</th>'
        f"<td>{'–' if trial.gain is None else f'{trial.gain:+.4f}'}</td><td>{_text(trial.score)}</td>"
        f"<td>{'–' if trial.t is None else f'{trial.t:+.1f}'}</td><td>{trial.repeats}</td>"
        f'<th class="{kind}">{verdict.replace("-", " ")}</th></tr>'
    )


def _rest(report: Report) -> str:
    parts = [
        f'<p class="chip error">rule {_text(outcome.rule.code)} broke: {_text(outcome.why)}</p>'
        for outcome in report.outcomes
        if outcome.status == "error"
    ]
    parts += [f'<p class="chip error">rule pack {_text(broken)}</p>' for broken in report.broken_packs]
    if report.baseline:
        known = sum(one.reason == KNOWN for one in report.accepted)
        parts.append(f'<p class="dim">compared with {_text(report.baseline)}: {known} known findings left out</p>')
    ignored = [one for one in report.accepted if one.reason != KNOWN]
    if ignored:
        listed = "".join(
            f"<li><b>{_text(one.finding.code)}</b> {_text(one.finding.message)} ({_text(one.reason)})</li>"
            for one in ignored
        )
        parts.append(f"<details><summary>{_count(ignored, 'finding')} ignored</summary><ul>{listed}</ul></details>")
    skipped: dict[str, list[str]] = {}
    for outcome in report.outcomes:
        if outcome.status == "skipped":
            skipped.setdefault(outcome.why, []).append(outcome.rule.code)
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    listed = "".join(f"<li>{_text(why)}: {', '.join(map(_text, codes))}</li>" for why, codes in skipped.items())
    count = sum(len(codes) for codes in skipped.values())
    if count:
        said = f"{passed} rules passed, {count} did not run"
        parts.append(f'<details class="dim"><summary>{said}</summary><ul>{listed}</ul></details>')
    else:
        parts.append(f'<p class="dim">{passed} rules passed</p>')
    parts.append(f'<p class="dim">bindoctor {_text(report.version)}</p>')
    return "".join(parts)


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _number(values: Mapping[str, float], name: str) -> str:
    return f"{values[name]:.4f}" if name in values else "–"


def _value(value: object) -> str:
    return _text(toml_value(value))
