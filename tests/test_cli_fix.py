"""``bindoctor fix`` as a user meets it: nothing is changed unless asked, and what is written can be taken back."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from conftest import Cli

SETTINGS = """# Our loan model.
[data]
path = "small_loan.csv"
target = "Personal Loan"

[recipe.train]
epochs = 15        # enough to see something
batch-size = 64
"""


@pytest.fixture
def folder(tmp_path: Path, small_loan: Path) -> Path:
    (tmp_path / "small_loan.csv").write_bytes(small_loan.read_bytes())
    (tmp_path / "bindoctor.toml").write_text(SETTINGS)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Return a folder's files, but for the journal of finished trials."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "trials.journal"}


def test_fix_shows_everything_and_changes_nothing(cli: Cli, folder: Path) -> None:
    before = contents(folder)
    done = cli("fix")
    assert done.returncode == 0, done.stderr
    for part in (
        "BD103",
        "Corrections",
        "Trials",
        "Judged by log-loss: probabilities matter",
        "placebo",
        "locked rows",
        "VERIFIED",
        '+ features.scale = "',
    ):
        assert part in done.stdout
    assert contents(folder) == before


def test_apply_writes_the_verified_recipe_and_undo_takes_it_back(cli: Cli, folder: Path) -> None:
    data = (folder / "small_loan.csv").read_bytes()
    done = cli("fix", "--apply", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    treatment = report["treatment"]
    assert list(treatment) == [
        *("status", "corrections", "score", "before", "after", "gain", "trials", "edits", "written"),
    ]
    assert treatment["status"] == "verified"
    assert set(treatment["gain"]) == {"raw", "shrunken", "low", "high"}
    assert treatment["after"]["log-loss"] < treatment["before"]["log-loss"]
    assert {"code", "title", "edits", "placebo", "status", "gain", "t", "repeats"} == set(treatment["trials"][0])
    # The small table's later rows are all of one class, so the row number is a leak and not just a name.
    assert "BD116" in {correction["code"] for correction in treatment["corrections"]}
    assert "ID" in treatment["edits"]["data.drop"]

    settings = (folder / "bindoctor.toml").read_text()
    assert "# Our loan model." in settings
    assert "# enough to see something" in settings
    assert 'drop = ["ID"]' in settings
    out = folder / "bindoctor-out"
    assert json.loads((out / "report.json").read_text()) == report
    for name in ("model/weights.safetensors", "model/model.json", "history.csv", "metrics.json", "journal.jsonl"):
        assert (out / name).is_file(), name
    assert all(Path(folder / name).is_file() for name in treatment["written"])
    assert not [path for path in out.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib", ".pt")]

    checked = json.loads(cli("check", "--output-format", "json").stdout)
    assert "BD103" not in {finding["code"] for finding in checked["findings"]}
    skipped = {o["code"] for o in checked["outcomes"] if o["status"] == "skipped"}
    # Simple models are trained beside a run, and are not stored with it.
    assert {code for code in skipped if code.startswith(("BD4", "BD6"))} == {"BD605", "BD609"}

    predicted = cli("predict", "bindoctor-out", "small_loan.csv", "--output-file", "p.csv")
    assert predicted.returncode == 0, predicted.stderr
    table = pl.read_csv(folder / "p.csv")
    assert table.columns == ["row", "p_0", "p_1", "decision"]
    assert table.height == 1200

    assert cli("undo").returncode == 0
    assert (folder / "bindoctor.toml").read_text() == SETTINGS
    assert (folder / "small_loan.csv").read_bytes() == data


def test_what_is_judged_by_is_chosen_among_all_scores(cli: Cli, folder: Path) -> None:
    done = cli("fix", "--score", "macro")
    assert done.returncode == 2
    for name in ("log-loss", "average-precision", "roc-auc", "f1", "balanced-accuracy", "mcc", "accuracy", "cost"):
        assert f"'{name}'" in done.stderr
    done = cli("fix", "--score", "cost")
    assert done.returncode == 2
    assert "set recipe.decide.cost" in done.stderr


def test_undo_refuses_an_edited_file(cli: Cli, folder: Path) -> None:
    nothing = cli("undo")
    assert nothing.returncode == 2
    assert "nothing to undo" in nothing.stderr


def test_fix_without_settings_creates_them(cli: Cli, tmp_path: Path, small_loan: Path) -> None:
    table = pl.read_csv(small_loan, infer_schema=False).select("Income", "CCAvg", "Education", "Personal Loan")
    table.head(400).write_csv(tmp_path / "loan.csv")
    done = cli("fix", "loan.csv", "--target", "Personal Loan", "--apply", "--select", "BD103")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bindoctor.toml").read_text()
    assert 'path = "loan.csv"' in text
    assert 'target = "Personal Loan"' in text
    again = cli("fix", "--select", "BD110")
    assert again.returncode == 0, again.stderr
    assert cli("undo").returncode == 0
    assert not (tmp_path / "bindoctor.toml").exists()


def test_fewer_rows_than_folds_cannot_be_verified(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("x,y\n1,a\n2,b\n3,a\n4,b\n")
    done = cli("fix", "few.csv", "--target", "y")
    assert done.returncode == 0, done.stderr
    assert "CANNOT VERIFY" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["few.csv"]


def test_fewer_rare_rows_than_folds_are_an_answer_and_the_corrections_are_applied(cli: Cli, folder: Path) -> None:
    table = pl.read_csv(folder / "small_loan.csv", infer_schema=False)
    rare = pl.col("Personal Loan") == "1"
    pl.concat([table.filter(rare).head(3), table.filter(~rare).head(200)]).write_csv(folder / "small_loan.csv")
    done = cli("fix", "--apply")
    assert done.returncode == 0, done.stderr
    for part in ("Corrections", "Leave out 'ID'", "CANNOT VERIFY: class '1' has 2 rows, fewer than the 5 folds"):
        assert part in " ".join(done.stdout.split()), part
    assert 'drop = ["ID"]' in (folder / "bindoctor.toml").read_text()
    assert json.loads((folder / "bindoctor-out" / "report.json").read_text())["treatment"]["status"] == "cannot-verify"


def test_without_enough_groups_for_a_threshold_nothing_is_claimed_and_no_model_written(cli: Cli, folder: Path) -> None:
    table = pl.read_csv(folder / "small_loan.csv", infer_schema=False)
    table.with_columns((pl.int_range(pl.len()) % 3).alias("team")).write_csv(folder / "small_loan.csv")
    with (folder / "bindoctor.toml").open("a") as file:
        file.write('\n[recipe.decide]\nthreshold = "tuned"\n[recipe.split]\ngroup = "team"\n')
    done = cli("fix", "--apply")
    assert done.returncode == 0, done.stderr
    for part in ("CANNOT VERIFY: group column 'team' has 2 groups", "No model was written"):
        assert part in " ".join(done.stdout.split()), part
    assert not (folder / "bindoctor-out" / "model").exists()


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start ``bindoctor fix`` and wait until it has finished its first trainings."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bindoctor", "fix", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = folder / "bindoctor-out" / "trials.journal"
    while process.poll() is None and not (journal.is_file() and journal.stat().st_size > 10_000):
        time.sleep(0.05)
    return process


def test_ctrl_c_leaves_everything_as_it_was(folder: Path) -> None:
    before = contents(folder)
    process = started(folder, "--apply")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert contents(folder) == before


def test_a_killed_run_goes_on_where_it_stopped_and_reports_the_same(cli: Cli, folder: Path) -> None:
    command = ("fix", "--output-format", "json", "--select", "BD103,BD110,BD101")
    process = started(folder, *command[1:])
    process.kill()
    process.communicate(timeout=60)
    journal = folder / "bindoctor-out" / "trials.journal"
    kept = journal.read_bytes()
    resumed = cli(*command)
    assert resumed.returncode == 0, resumed.stderr
    # What had been finished is at the start of the file still, and is not there twice.
    assert journal.read_bytes().startswith(kept[: kept.rindex(b"\n")])
    keys = [line.split(b" ")[1] for line in journal.read_bytes().splitlines()[1:] if line.count(b" ") == 2]
    assert len(keys) == len(set(keys))
    journal.unlink()
    assert cli(*command).stdout == resumed.stdout


def test_a_budget_ends_with_what_has_been_found_by_then(cli: Cli, folder: Path) -> None:
    done = cli("fix", "--budget", "1s", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    treatment = json.loads(done.stdout)["treatment"]
    assert treatment["status"] in ("cannot-verify", "corrected")
    assert all(trial["placebo"] or trial["status"] == "out-of-time" for trial in treatment["trials"])
    refused = cli("fix", "--budget", "soon")
    assert refused.returncode == 2
    assert "90s, 5m or 1h" in refused.stderr


def test_a_missing_extra_is_named_with_what_to_install(folder: Path) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a);"
        "sys.argv = ['bindoctor', 'fix']; from bindoctor.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'bindoctor[train]'" in done.stderr


@pytest.mark.parametrize("allowed", [False, True])
def test_another_estimator_is_tried_only_when_it_is_allowed(cli: Cli, folder: Path, allowed: bool) -> None:
    options = ["--allow", "estimator"] if allowed else []
    done = cli("fix", "--select", "BD103,BD605", "--output-format", "json", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (found,) = [finding for finding in report["findings"] if finding["code"] == "BD605"]
    assert all("--allow estimator" in fix["title"] for fix in found["fixes"])
    tried = [trial for trial in report["treatment"]["trials"] if "model.kind" in trial["edits"]]
    assert bool(tried) == allowed
    if allowed:
        assert report["treatment"]["edits"]["model.kind"] == "gradient-boosting"
        assert report["treatment"]["status"] == "verified"
