"""The example pack is installed as anyone's would be, and its rules are rules like all others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROWS = "".join(
    f"{i * 37 % 101},{'fm'[i % 2]},reader{i % 9}@example.org,{'yes' if i % 3 else 'no'}\n" for i in range(300)
)
DATA = "x,sex,contact,y\n" + ROWS
SETTINGS = '[data]\npath = "data.csv"\ntarget = "y"\n'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip has built and installed the pack into, from a copy of its sources."""
    folder = tmp_path_factory.mktemp("plugin")
    sources = shutil.copytree(PLUGIN, folder / "sources", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    target = folder / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Run Python in an empty folder, with the pack on its path."""
    (tmp_path / "data.csv").write_text(DATA)
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def started(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return started


def test_its_rules_are_listed_and_explained(run: Run) -> None:
    listed = run("bindoctor", "rules")
    assert listed.returncode == 0, listed.stderr
    assert "ACME101" in listed.stdout
    assert "personal-data" in listed.stdout
    page = run("bindoctor", "rule", "ACME101").stdout
    assert page.startswith("# ACME101: protected-attribute")
    assert "`max_levels` | `30`" in page
    assert "'Applicant_Sex' reads as a protected attribute (sex)" in page


def test_its_rules_run_with_all_others(run: Run) -> None:
    report = json.loads(run("bindoctor", "check", "data.csv", "--target", "y", "--output-format", "json").stdout)
    found = {finding["code"]: finding for finding in report["findings"]}
    assert found["ACME101"]["where"] == {"kind": "column", "name": "sex"}
    assert found["ACME102"]["message"] == "'contact' holds e-mail addresses: 300 of the first 300 cells"
    assert found["ACME102"]["severity"] == "error"
    assert {"BD103", "ACME101"} <= {outcome["code"] for outcome in report["outcomes"]}
    assert report["exit_code"] == 1


def test_its_rules_are_configured_selected_and_ignored(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bindoctor.toml").write_text(
        SETTINGS
        + '[rules.ACME101]\nnames = ["caste"]\n[rules.personal-data]\nmax-rows = 50\n'
        + '[check.ignore."column:contact"]\nACME102 = "made up"\n'
    )
    done = run("bindoctor", "check", "--select", "ACME", "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert [(one["code"], one["reason"], one["measured"]["of"]) for one in report["ignored"]] == [
        ("ACME102", "made up", 50)
    ]
    assert [(o["code"], o["status"]) for o in report["outcomes"]] == [("ACME101", "passed"), ("ACME102", "ignored")]
    left = json.loads(run("bindoctor", "check", "--ignore", "ACME1", "--output-format", "json").stdout)
    assert not [outcome for outcome in left["outcomes"] if outcome["code"].startswith("ACME")]
    (tmp_path / "bindoctor.toml").write_text(SETTINGS + '[rules.ACME101]\nnames = "sex"\n')
    refused = run("bindoctor", "check")
    assert refused.returncode == 2
    assert "'rules.ACME101.names' must be a list of texts" in refused.stderr


def test_its_own_tests_pass(run: Run) -> None:
    done = run("pytest", "-p", "no:cacheprovider", "--rootdir", PLUGIN, PLUGIN / "tests")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


BROKEN = """
from bindoctor import Severity, example, rule

@rule("BAD101", severity=Severity.NOTE, flags=[example("a", says="x")], passes=[example("b")])
def bad_rule(recipe):
    \"\"\"Divide by zero.\"\"\"
    yield 1 / 0
"""


@pytest.fixture
def broken(installed: Path) -> Iterator[None]:
    """A second pack beside the first, whose only rule breaks."""
    info = installed / "bad_rules-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-rules\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[bindoctor.rules]\nBAD = bad_rules\n")
    (installed / "bad_rules.py").write_text(BROKEN)
    yield
    shutil.rmtree(info)


@pytest.mark.usefixtures("broken")
def test_a_rule_that_breaks_hides_no_other_and_fails_the_check(run: Run, tmp_path: Path) -> None:
    done = run("bindoctor", "check", "data.csv", "--target", "y")
    assert done.returncode == 2
    assert "rule BAD101 broke: ZeroDivisionError: division by zero" in done.stdout
    assert "ACME102" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    recorded = run("bindoctor", "baseline", "data.csv", "--target", "y")
    assert recorded.returncode == 2
    assert "No baseline was recorded" in recorded.stderr
    assert not (tmp_path / "bindoctor-baseline.json").exists()


@pytest.mark.usefixtures("broken")
def test_a_page_whose_examples_break_is_one_line_of_error(run: Run) -> None:
    done = run("bindoctor", "rule", "BAD101")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "the examples of BAD101 cannot be executed" in done.stderr
