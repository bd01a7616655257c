"""The example of a user's own repository does what its README says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from conftest import Cli

EXAMPLE = Path(__file__).parents[1] / "examples" / "own_model"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the example, where the command line runs."""
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def test_its_data_is_what_its_script_makes(repository: Path) -> None:
    before = (repository / "readings.csv").read_bytes()
    (repository / "readings.csv").unlink()
    subprocess.run([sys.executable, "make_data.py"], cwd=repository, check=True)
    assert (repository / "readings.csv").read_bytes() == before


def test_a_check_runs_no_code_of_the_users(repository: Path, cli: Cli) -> None:
    (repository / "train.py").write_text("raise RuntimeError('this must not run')\n")
    done = cli("check", "--output-format", "json")
    codes = {finding["code"] for finding in json.loads(done.stdout)["findings"]}
    assert {"BD103", "BD304"} <= codes


def test_a_fix_is_verified_applied_scripted_and_taken_back(repository: Path, cli: Cli) -> None:
    settings = (repository / "bindoctor.toml").read_text()
    done = cli("fix", "--apply", "--select", "BD103,BD201,BD205", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    treatment = json.loads(done.stdout)["treatment"]
    assert treatment["status"] == "verified"
    assert treatment["after"]["log-loss"] < 0.4 < treatment["before"]["log-loss"]
    applied = (repository / "bindoctor.toml").read_text()
    assert 'scale = "' in applied
    assert "# called as make_model(inputs, outputs, width=64)" in applied
    assert cli("predict", "bindoctor-out", "readings.csv", "--output-file", "scores.csv").returncode == 0
    assert cli("script", "--output-file", "standalone.py").returncode == 0
    assert "from train import make_model" in (repository / "standalone.py").read_text()
    subprocess.run([sys.executable, "standalone.py"], cwd=repository, check=True)
    ours, scripts = (pl.read_csv(repository / name)["p_yes"] for name in ("scores.csv", "predictions.csv"))
    assert (ours - scripts).abs().max() < 1e-6  # type: ignore[operator]
    assert cli("undo").returncode == 0
    assert (repository / "bindoctor.toml").read_text() == settings


def test_an_edit_of_the_network_is_said_as_code(repository: Path, cli: Cli) -> None:
    path = repository / "bindoctor.toml"
    path.write_text(
        path.read_text().replace('factory = "train:make_model"', 'factory = "train:make_model"\ndropout = 0.25', 1)
    )
    done = cli("script")
    assert done.returncode == 0, done.stderr
    assert "    network.first_act = nn.Sequential(network.first_act, nn.Dropout(0.25))" in done.stdout.splitlines()


def test_an_estimator_of_a_package_is_trained_and_scripted_to_the_same(repository: Path, cli: Cli) -> None:
    (repository / "bindoctor.toml").write_text(
        '[data]\npath = "readings.csv"\ntarget = "failed"\npositive = "yes"\n'
        '[recipe.model]\nestimator = "sklearn.ensemble:ExtraTreesClassifier"\n'
        "[recipe.model.options]\nn_estimators = 30\n[recipe.loss]\nclass-weight = 'balanced'\n"
    )
    for command in (
        ("train",),
        ("predict", "bindoctor-out", "readings.csv", "--output-file", "scores.csv"),
        ("script", "--output-file", "standalone.py"),
    ):
        done = cli(*command)
        assert done.returncode == 0, done.stderr
    subprocess.run([sys.executable, "standalone.py"], cwd=repository, check=True)
    ours, scripts = (pl.read_csv(repository / name)["p_yes"] for name in ("scores.csv", "predictions.csv"))
    assert (ours - scripts).abs().max() < 1e-6  # type: ignore[operator]
