"""What a user accepts beforehand, in settings or in a baseline, as the command line shows it."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

ROWS = [f"{i},{i * 37 % 101 / 10},eur,{'yes' if i % 3 == 0 else 'no'}" for i in range(1, 301)]
DATA = "id,x,unit,y\n" + "\n".join(ROWS) + "\n"
SETTINGS = '[data]\npath = "data.csv"\ntarget = "y"\n'
SELECT = '[check]\nselect = ["BD1", "BD9"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text(DATA)
    (tmp_path / "bindoctor.toml").write_text(SETTINGS + SELECT)
    return tmp_path


def report_of(cli: Cli, *options: object) -> dict[str, Any]:
    done = cli("check", "--output-format", "json", *options)
    assert done.stderr == ""
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def codes(report: dict[str, Any], key: str = "findings") -> list[str]:
    return [finding["code"] for finding in report[key]]


def add(project: Path, text: str) -> None:
    path = project / "bindoctor.toml"
    path.write_text(path.read_text() + text)


def test_a_baseline_leaves_only_what_is_new(cli: Cli, project: Path) -> None:
    assert {"BD109", "BD110"} <= set(codes(report_of(cli)))
    recorded = cli("baseline")
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout.startswith("written  bindoctor-baseline.json: ")
    done = cli("check")
    assert done.returncode == 0
    assert "No new findings" in done.stdout
    assert "compared with bindoctor-baseline.json" in done.stdout
    (project / "data.csv").write_text(DATA.replace("yes", "Yes", 3))
    report = report_of(cli)
    assert report["baseline"] == "bindoctor-baseline.json"
    assert "BD123" in codes(report)
    assert {"BD109", "BD110"} <= set(codes(report, "ignored"))
    assert {one["reason"] for one in report["ignored"]} == {"baseline"}
    statuses = {outcome["code"]: (outcome["status"], outcome["why"]) for outcome in report["outcomes"]}
    assert statuses["BD110"] == ("ignored", "baseline")


def test_a_mended_finding_is_stale_until_recorded_again(cli: Cli, project: Path) -> None:
    cli("baseline")
    (project / "data.csv").write_text(DATA.replace("eur", "usd", 150))
    report = report_of(cli)
    assert codes(report) == ["BD901"]
    assert "BD109 (column 'unit')" in report["findings"][0]["message"]
    assert report["exit_code"] == 0
    assert cli("baseline").returncode == 0
    assert codes(report_of(cli)) == []


def test_a_baseline_of_another_file_or_target_is_not_used_by_itself(cli: Cli, project: Path) -> None:
    cli("baseline")
    (project / "other.csv").write_text(DATA)
    assert "BD110" in codes(report_of(cli, "other.csv", "--target", "y", "--select", "BD1"))
    given = report_of(cli, "other.csv", "--target", "y", "--select", "BD1", "--baseline", "bindoctor-baseline.json")
    assert codes(given) == []
    done = cli("check", "--target", "x", "--baseline", "bindoctor-baseline.json")
    assert done.returncode == 2
    assert "was recorded for the target 'y'" in done.stderr


def test_the_settings_may_name_the_baseline(cli: Cli, project: Path) -> None:
    add(project, 'baseline = "known.json"\n')
    done = cli("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "known.json: the baseline cannot be read" in done.stderr
    assert cli("baseline").stdout.startswith("written  known.json")
    assert codes(report_of(cli)) == []


def test_a_baseline_never_goes_over_another_file(cli: Cli, project: Path) -> None:
    (project / "notes.json").write_text("{}")
    for name in ("notes.json", "data.csv", "bindoctor.toml"):
        before = (project / name).read_bytes()
        assert cli("baseline", "--output", name).returncode == 2
        assert (project / name).read_bytes() == before
    (project / "other.csv").write_text(DATA)
    done = cli("baseline", "other.csv", "--target", "y")
    assert done.returncode == 2
    assert "is about data.csv" in done.stderr
    assert not (project / "bindoctor-baseline.json").exists()


def test_ignored_findings_stay_in_the_report_with_their_reasons(cli: Cli, project: Path) -> None:
    add(project, '[check.ignore]\nconstant-column = "for later"\n[check.ignore."column:id"]\nBD110 = "for joins"\n')
    report = report_of(cli)
    assert not {"BD109", "BD110"} & set(codes(report))
    reasons = {one["code"]: (one["reason"], one["where"]["kind"]) for one in report["ignored"]}
    assert reasons["BD109"] == ("for later", "column")
    assert reasons["BD110"] == ("for joins", "column")
    assert "2 ignored" in cli("check").stdout


def test_an_ignore_that_matches_nothing_is_a_note(cli: Cli, project: Path) -> None:
    add(project, '[check.ignore."column:idd"]\nBD110 = "for joins"\n')
    report = report_of(cli)
    (unused,) = [finding for finding in report["findings"] if finding["code"] == "BD902"]
    assert unused["message"] == "BD110 is ignored at column 'idd', and there is no such column (nearest: 'id')"
    assert unused["severity"] == "note"


def test_what_is_accepted_of_one_file_is_not_of_another(cli: Cli, project: Path) -> None:
    add(project, '[check.ignore]\nBD109 = "for later"\n')
    (project / "other.csv").write_text(DATA)
    report = report_of(cli, "other.csv", "--target", "y")
    assert "BD109" in codes(report)
    assert report["ignored"] == []


def test_rules_that_did_not_run_are_a_finding_only_when_asked_for(cli: Cli, project: Path) -> None:
    plain = cli("check", "--select", "ALL")
    assert "BD904" not in plain.stdout
    assert "needs history: give --run PATH, or --train" in " ".join(plain.stdout.split())
    report = report_of(cli, "--select", "BD402", "--extend-select", "BD904", "--fail-on", "note")
    assert codes(report) == ["BD904"]
    assert report["exit_code"] == 1


def test_every_row_of_a_finding_is_written_when_asked(cli: Cli, project: Path) -> None:
    (project / "data.csv").write_text(DATA + "\n".join(ROWS[:150]) + "\n")
    report = report_of(cli, "--rows-output", "rows.csv")
    (finding,) = [one for one in report["findings"] if one["code"] == "BD113"]
    assert (finding["rows"]["count"], len(finding["rows"]["first"])) == (150, 100)
    with (project / "rows.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["code"] == "BD113"]
    assert [int(row["row"]) for row in rows] == list(range(300, 450))
    assert {(row["place"], row["name"]) for row in rows} == {("row", "")}


def test_rows_never_go_over_what_is_read_or_written(cli: Cli, project: Path) -> None:
    for options in (["data.csv"], ["bindoctor.toml"], ["out.txt", "--output-file", "out.txt"]):
        done = cli("check", "--rows-output", *options)
        assert (done.returncode, done.stdout) == (2, "")
    assert (project / "data.csv").read_text() == DATA


def test_what_the_columns_seem_to_be_for_is_said(cli: Cli, project: Path) -> None:
    add(project, '[recipe.data]\ndrop = ["x"]\n')
    roles = {"id": "identifier", "x": "dropped", "unit": "constant", "y": "target"}
    assert report_of(cli)["data"]["roles"] == roles
    assert "columns: 1 identifier ('id'), 1 constant ('unit'), 1 dropped ('x')" in cli("check").stdout


def test_init_says_what_it_guessed_and_writes_settings_that_can_be_uncommented(cli: Cli, project: Path) -> None:
    (project / "bindoctor.toml").unlink()
    done = cli("init", "data.csv")
    assert "guessed  target 'y'" in done.stdout
    assert "guessed  positive class 'yes'" in done.stdout
    assert "guessed  columns: 1 number, 1 identifier ('id'), 1 constant ('unit')" in done.stdout
    path = project / "bindoctor.toml"
    text = path.read_text()
    assert "# columns that seem to name the row: id" in text
    path.write_text(text.replace("# [check", "[check").replace("# BD", "BD"))
    assert {one["code"]: one["reason"] for one in report_of(cli)["ignored"]} == {
        "BD110": "needed for joins",
        "BD304": "a first look",
    }
