"""The report on a terminal: calm, complete, and no line wider than it is."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from bindoctor import Finding, Fix, Recipe, RowList, Severity, Where
from bindoctor.examine import Accepted, Outcome
from bindoctor.registry import discover
from bindoctor.render.text import count_by_severity, print_report, roles_text
from bindoctor.report import DataSummary, Report

RULE = discover().find("BD110")
FOUND = Finding(
    "'id' names the row: " + "5000 distinct integers in file order " * 4,
    Where("column", "id"),
    fixes=(Fix("Leave out 'id'", {"data.drop+": ["id"]}),),
    severity=Severity.WARNING,
    rows=RowList.of(range(12)),
    code="BD110",
    slug="identifier-column",
    explains=("BD103", "BD111"),
)
DATA = DataSummary("data.csv", 5000, 3, "y", "1", {"0": 4000, "1": 1000}, {"id": "identifier", "x": "number"})
REPORT = Report("1.0", DATA, (Outcome(RULE, "findings", (FOUND,)),))


def shown(report: Report, width: int = 80, *, quiet: bool = False) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, highlight=False, markup=False), quiet=quiet)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal_or_ends_in_a_blank(width: int) -> None:
    for line in shown(REPORT, width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_what_is_aside_is_dim_on_a_terminal_with_colours() -> None:
    out = io.StringIO()
    print_report(REPORT, Console(file=out, width=80, highlight=False, force_terminal=True, color_system="truecolor"))
    assert "\x1b[2mcolumns: 1 number, 1 identifier ('id')\x1b[0m\n" in out.getvalue()
    assert "\x1b[33mwarning" in out.getvalue()


def test_a_cause_names_what_it_explains() -> None:
    assert "        explains BD103, BD111\n" in shown(REPORT)
    assert "explains" not in shown(replace(REPORT, outcomes=(Outcome(RULE, "passed"),)))


def test_the_columns_are_said_under_the_headline() -> None:
    assert shown(REPORT).splitlines()[1] == "columns: 1 number, 1 identifier ('id')"


def test_plain_columns_are_counted_and_others_named() -> None:
    roles = {f"x{i}": "number" for i in range(7)} | {f"id{i}": "identifier" for i in range(5)} | {"day": "date"}
    assert roles_text(roles) == "7 numbers, 1 date ('day'), 5 identifiers ('id0', 'id1', 'id2' and 2 more)"
    assert roles_text({"y": "target"}) == "none but the target"


def test_findings_are_counted_loudest_first() -> None:
    findings = [replace(FOUND, severity=severity) for severity in (Severity.NOTE, Severity.ERROR, Severity.NOTE)]
    assert count_by_severity(findings) == "1 error, 2 notes"


def test_accepted_findings_are_counted_by_how_they_were_accepted() -> None:
    accepted = (Accepted(FOUND, "needed for joins"), Accepted(FOUND, "baseline"))
    report = replace(REPORT, outcomes=(Outcome(RULE, "ignored", accepted=accepted),), baseline="known.json")
    text = shown(report)
    assert "No new findings; 0 rules passed; 1 ignored." in text
    assert "compared with known.json: 1 known finding is left out" in text


def test_rules_that_did_not_run_are_listed_with_what_would_let_them() -> None:
    skipped = Outcome(discover().find("BD402"), "skipped", why="needs history: give --run PATH, or --train")
    text = shown(replace(REPORT, outcomes=(skipped,)))
    assert "1 rule did not run (needs history: give --run PATH, or --train): BD402" in text


def test_the_json_holds_what_rules_measured_whatever_its_type() -> None:
    numbers = {"a": np.array([1.0, np.nan]), "c": 10**400, "e": np.float64("inf"), "f": np.int64(2)}
    measured = {**numbers, "b": {3}, "d": Recipe}
    outcome = Outcome(RULE, "findings", (replace(FOUND, measured=measured),))
    (found,) = replace(REPORT, outcomes=(outcome,)).to_dict()["findings"]
    assert found["measured"] == {"a": [1.0, None], "b": [3], "c": 10**400, "d": str(Recipe), "e": None, "f": 2}
    assert found["rows"]["count"] == 12
    assert found["explains"] == ["BD103", "BD111"]
