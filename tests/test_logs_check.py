"""``bindoctor check --run`` lints a training run from anywhere, with data or without."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from log_files import FALLING, TURNING, keras_csv, lightning_csv, lines, mlflow_run, skorch_history

DATA = "x,z,y\n" + "".join(f"{i * 37 % 101},{i * 53 % 89},{'yes' if i * 7 % 5 < 2 else 'no'}\n" for i in range(200))


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
    return path


def checked(cli: Cli, *arguments: object) -> dict[str, Any]:
    done = cli("check", *arguments, "--output-format", "json")
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_run_is_checked_in_any_folder_without_data(cli: Cli, tmp_path: Path) -> None:
    report = checked(cli, "--run", put(tmp_path, "training.log", keras_csv()))
    assert report["data"] is None
    assert report["run"] == {
        "path": str(tmp_path / "training.log"),
        "source": "Keras CSVLogger",
        "runs": 1,
        "epochs": 5,
        "points": {"train accuracy": 5, "train loss": 5, "valid loss": 5},
        "too_short": "",
        "remarks": [],
    }
    by_status = {outcome["code"]: outcome["status"] for outcome in report["outcomes"]}
    assert by_status["BD101"] == "skipped"
    assert "error" not in by_status.values()


def test_the_text_says_what_was_read_of_a_run(cli: Cli, tmp_path: Path) -> None:
    put(tmp_path, "logs/version_0/metrics.csv", lightning_csv())
    put(tmp_path, "logs/version_1/metrics.csv", lightning_csv())
    done = cli("check", "--run", "logs")
    text = " ".join(done.stdout.split())
    assert "logs: Lightning CSVLogger, 2 epochs (train loss 4 points; valid accuracy, valid loss 3 points;" in text
    assert "read version_1/metrics.csv, the newest of 2 logs of Lightning" in text
    assert "rules did not run: they are about data, a recipe or predictions, and only a run was given" in text


def test_a_run_that_is_too_short_is_said_to_be(cli: Cli, tmp_path: Path) -> None:
    log = put(tmp_path, "history.json", json.dumps(skorch_history()[:2]))
    assert checked(cli, "--run", log)["run"]["too_short"] == "2 epochs: too few to judge a curve"
    assert "2 epochs: too few to judge a curve" in cli("check", "--run", log).stdout


def test_a_run_of_few_epochs_is_said_to_be_one(cli: Cli, tmp_path: Path) -> None:
    log = put(tmp_path, "history.json", json.dumps({"loss": [0.7, 0.6, 0.5], "val_loss": [0.7, 0.6, 0.5]}))
    assert checked(cli, "--run", log)["run"]["too_short"] == "3 epochs: few to judge a curve, only coarse faults show"


def test_one_point_a_metric_is_said_to_be_no_curve(cli: Cli, tmp_path: Path) -> None:
    run = mlflow_run(tmp_path / "mlruns" / "0" / "abc", {"Accuracy": [0.84], "F1": [0.7]})
    report = checked(cli, "--run", run)["run"]
    assert (report["source"], report["epochs"], report["points"]) == ("MLflow", 0, {"accuracy": 1, "f1": 1})
    assert report["too_short"] == "every metric was logged once: there is no curve to judge"


def test_a_run_and_data_are_checked_together(cli: Cli, tmp_path: Path) -> None:
    data = put(tmp_path, "data.csv", DATA)
    log = put(tmp_path, "training.log", keras_csv())
    report = checked(cli, data, "--target", "y", "--run", log)
    assert report["data"]["rows"] == 200
    assert report["run"]["epochs"] == 5
    ran = {outcome["code"] for outcome in report["outcomes"] if outcome["status"] in ("passed", "findings")}
    assert {"BD101", "BD402"} <= ran


def test_the_settings_data_are_checked_beside_a_run(cli: Cli, tmp_path: Path) -> None:
    put(tmp_path, "data.csv", DATA)
    put(tmp_path, "bindoctor.toml", '[data]\npath = "data.csv"\ntarget = "y"\n')
    report = checked(cli, "--run", put(tmp_path, "training.log", keras_csv()))
    assert report["data"]["rows"] == 200
    assert report["run"]["epochs"] == 5


def test_settings_without_data_choose_the_rules_of_a_run(cli: Cli, tmp_path: Path) -> None:
    put(tmp_path, "bindoctor.toml", '[check]\nselect = ["BD402"]\n')
    report = checked(cli, "--run", put(tmp_path, "training.log", keras_csv()))
    assert [outcome["code"] for outcome in report["outcomes"]] == ["BD402"]


def test_without_a_run_nothing_is_said_of_one(cli: Cli, tmp_path: Path) -> None:
    assert "run" not in checked(cli, put(tmp_path, "data.csv", DATA), "--target", "y")


@pytest.mark.parametrize("output", ["--output-file", "--rows-output"])
@pytest.mark.parametrize("run", ["logs/metrics.csv", "logs"], ids=["file", "folder"])
def test_a_log_is_not_written_over(cli: Cli, tmp_path: Path, output: str, run: str) -> None:
    log = put(tmp_path, "logs/metrics.csv", lightning_csv())
    done = cli("check", "--run", run, output, "logs/metrics.csv")
    assert done.returncode == 2
    assert "would be overwritten" in done.stderr
    assert log.read_text() == lightning_csv()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--train",), "--train: needs DATA"),
        (("--predictions", "training.log"), "--predictions: needs DATA"),
        (("--target", "y"), "needs DATA"),
    ],
)
def test_what_needs_data_says_so(cli: Cli, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    put(tmp_path, "training.log", keras_csv())
    done = cli("check", "--run", "training.log", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize("content", ["", "x,y\n1,2\n", "\x1b[31m,b\n1,2\n", "[" * 3000])
def test_a_log_that_cannot_be_read_exits_2_with_one_line(cli: Cli, tmp_path: Path, content: str) -> None:
    done = cli("check", "--run", put(tmp_path, "log.csv", content))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


def test_control_characters_of_a_log_do_not_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{i},{a},{60 + i}" for i, a in enumerate(FALLING)]
    log = put(tmp_path, "log\x1b[2J.csv", lines("epoch,loss,val_acc\x1b[\x07", *rows))
    done = cli("check", "--run", log)
    assert done.returncode in (0, 1), done.stderr
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "percent" in done.stdout


def test_the_exit_code_follows_the_findings(cli: Cli, tmp_path: Path) -> None:
    falling = [0.7 * 0.93**i for i in range(30)]
    turning = [0.5 + 0.0008 * (i - 8) ** 2 for i in range(30)]
    put(tmp_path, "data.csv", DATA)
    log = put(tmp_path, "log.csv", lines("loss,val_loss", *(f"{t},{v}" for t, v in zip(falling, turning, strict=True))))
    done = cli("check", "data.csv", "--target", "y", "--run", log, "--select", "BD402")
    assert done.returncode == 1
    assert "is lowest at epoch 8" in done.stdout
    put(tmp_path, "calm.csv", lines("loss,val_loss", *(f"{t},{v}" for t, v in zip(FALLING, TURNING, strict=True))))
    assert cli("check", "data.csv", "--target", "y", "--run", "calm.csv", "--select", "BD402").returncode == 0
