"""What one command found out, and its stable JSON form."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bindoctor.config import FailOn
from bindoctor.examine import Accepted, Outcome, findings_of
from bindoctor.findings import Finding, Fix, Severity

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from bindoctor.treatment import Treatment

SCHEMA = 1


class PartSummary(msgspec.Struct, frozen=True):
    """A part kept apart; ``classes`` maps each label to its rows."""

    path: str
    rows: int
    classes: Mapping[str, int]


class DataSummary(msgspec.Struct, frozen=True):
    """What was looked at.

    Attributes:
        classes: each label's rows.
        roles: what each column seems to be for.
        parts: the parts given, "valid" and "test".
        remarks: what reading and scanning decided or left out.
    """

    path: str
    rows: int
    columns: int
    target: str
    positive: str | None
    classes: Mapping[str, int]
    roles: Mapping[str, str] = msgspec.field(default_factory=dict)
    parts: Mapping[str, PartSummary] = msgspec.field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class RunSummary(msgspec.Struct, frozen=True):
    """What was read of a training run.

    Attributes:
        source: what wrote the log, "" for bindoctor itself.
        runs: how many runs the log holds; all else is the last one's.
        points: how often each loss, score and the like was logged, by part and metric.
        too_short: why it is too short to judge a curve, else "".
        remarks: what reading decided or left out.
    """

    path: str
    source: str
    runs: int
    epochs: int
    points: Mapping[str, int]
    too_short: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Report:
    """What was looked at, what came of it, and the exit code that follows.

    Printed, it reads as on a terminal; in a notebook it shows as a page. ``data`` is None where a training run alone
    was checked, ``run`` where none was given.
    """

    version: str
    data: DataSummary | None
    outcomes: tuple[Outcome, ...]
    treatment: "Treatment | None" = None
    written: tuple[str, ...] = ()
    fail_on: FailOn = "warning"
    broken_packs: tuple[str, ...] = ()
    baseline: str = ""
    run: RunSummary | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return all findings that are reported, loudest first."""
        return findings_of(self.outcomes)

    @property
    def accepted(self) -> tuple[Accepted, ...]:
        """Return the findings that are not reported because the user accepted them, in the order of the outcomes."""
        return tuple(one for outcome in self.outcomes for one in outcome.accepted)

    @property
    def exit_code(self) -> int:
        """Return 2 when a rule or a pack broke, 1 when a finding is as loud as ``fail_on``, else 0."""
        if self.broken_packs or any(outcome.status == "error" for outcome in self.outcomes):
            return 2
        if self.fail_on == "never":
            return 0
        limit = Severity(self.fail_on).rank
        return int(any(finding.severity and finding.severity.rank >= limit for finding in self.findings))

    def findings_frame(self) -> "pl.DataFrame":
        """Return a Polars data frame of the findings, one a row; ``render.frames`` says which columns it has."""
        from bindoctor.render.frames import findings_frame

        return findings_frame(self)

    def trials_frame(self) -> "pl.DataFrame":
        """Return a Polars data frame of the treatment's trials, one a row; without rows where there was none."""
        from bindoctor.render.frames import trials_frame

        return trials_frame(self)

    def show(self, console: "Console | None" = None) -> None:
        """Print the report on a console, standard output when not given."""
        from bindoctor.render.text import print_report, standard_console

        print_report(self, console or standard_console())

    def __str__(self) -> str:
        from bindoctor.render.text import report_text

        return report_text(self)

    def __repr__(self) -> str:
        from bindoctor.render.text import summary_line

        return f"<Report {summary_line(self)}>"

    def _repr_html_(self) -> str:
        from bindoctor.render.html import report_html

        return report_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: plain values, no NaN or infinity (they become null)."""
        values: dict[str, Any] = {
            "schema": SCHEMA,
            "tool": {"name": "bindoctor", "version": self.version},
            "data": self.data and _data(self.data),
            "findings": [_finding(finding) for finding in self.findings],
            "ignored": [{**_finding(one.finding), "reason": one.reason} for one in self.accepted],
            "outcomes": [{"code": o.rule.code, "status": o.status, "why": o.why} for o in self.outcomes],
        }
        if self.run is not None:
            values["run"] = msgspec.structs.asdict(self.run)
        if self.baseline:
            values["baseline"] = self.baseline
        if self.treatment is not None:
            values["treatment"] = _treatment(self.treatment, self.written)
        values["exit_code"] = self.exit_code
        built: dict[str, Any] = _plain(values)
        return built


def _data(data: DataSummary) -> dict[str, Any]:
    return {
        "path": data.path,
        "rows": data.rows,
        "columns": data.columns,
        "target": data.target,
        "positive": data.positive,
        "classes": dict(data.classes),
        "roles": dict(data.roles),
        "parts": {
            name: {"path": part.path, "rows": part.rows, "classes": dict(part.classes)}
            for name, part in data.parts.items()
        },
        "remarks": list(data.remarks),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "slug": finding.slug,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "where": {"kind": finding.where.kind, "name": finding.where.name},
        "measured": finding.measured,
        "rows": {"count": finding.rows.count, "first": finding.rows.first}
        if finding.rows
        else {"count": 0, "first": []},
        "fixes": [_fix(fix) for fix in finding.fixes],
        "explains": finding.explains,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "aim": fix.aim, "edits": fix.edits}


def _treatment(treatment: "Treatment", written: Sequence[str]) -> dict[str, Any]:
    gain = treatment.gain
    return {
        "status": treatment.status,
        "corrections": [{"code": c.code, "title": c.title, "edits": c.edits} for c in treatment.corrections],
        "score": treatment.score,
        "before": treatment.before,
        "after": treatment.after,
        "gain": gain and {"raw": gain.raw, "shrunken": gain.shrunken, "low": gain.low, "high": gain.high},
        "trials": [
            {
                "code": trial.code,
                "title": trial.title,
                "edits": trial.edits,
                "placebo": trial.placebo,
                "status": trial.status,
                "gain": trial.gain,
                "t": trial.t,
                "repeats": trial.repeats,
            }
            for trial in treatment.trials
        ],
        "edits": treatment.edits,
        "written": list(written),
    }


def _plain(value: Any) -> Any:
    """Turn mappings, sequences, enums and NumPy values into what JSON can hold, and anything else into text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
