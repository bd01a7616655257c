"""Check and fix called from Python: the command's answers, on whatever table there is, with nothing left behind."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import Cli

import bindoctor
from bindoctor import InputError, Report
from bindoctor.fix_result import FixResult
from bindoctor.report import DataSummary

TARGET = "Personal Loan"
QUICK: dict[str, Any] = {"recipe": {"train.epochs": 5}, "select": ["BD103", "BD110", "BD411"]}


def data_of(report: Report) -> DataSummary:
    assert report.data is not None
    return report.data


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.fixture(scope="session")
def table(small_loan: Path) -> pl.DataFrame:
    return bindoctor.read(small_loan)


@pytest.fixture(scope="session")
def quick(small_loan: Path) -> FixResult:
    return bindoctor.fix(small_loan, target=TARGET, **QUICK)


def same_but_for_the_place(report: Report, of_command: str) -> None:
    ours, theirs = report.to_dict(), json.loads(of_command)
    for said in (ours, theirs):
        del said["data"]["path"]
    assert ours == theirs


def test_check_says_what_the_command_says(cli: Cli, small_loan: Path) -> None:
    done = cli("check", small_loan, "--target", TARGET, "--output-format", "json")
    same_but_for_the_place(bindoctor.check(small_loan, target=TARGET), done.stdout)
    assert done.returncode == 1


def test_fix_finds_what_the_command_finds_to_the_last_digit(
    cli: Cli, small_loan: Path, quick: FixResult, tmp_path: Path
) -> None:
    settings = f'[data]\npath = "{small_loan.as_posix()}"\ntarget = "{TARGET}"\n[recipe.train]\nepochs = 5\n'

    (tmp_path / "bindoctor.toml").write_text(settings)
    done = cli("fix", "--select", ",".join(QUICK["select"]), "--output-format", "json")
    assert done.returncode == 0, done.stderr
    same_but_for_the_place(quick.report, done.stdout)
    assert quick.treatment.trials


def test_every_kind_of_table_gives_the_same_findings(small_loan: Path, table: pl.DataFrame) -> None:
    columns = {name: table[name].to_list() for name in table.columns}
    rest, y = table.drop(TARGET), table[TARGET]
    expected = codes(bindoctor.check(small_loan, target=TARGET))
    pandas = pd.DataFrame(columns)
    given: list[tuple[Any, Any]] = [
        (rest, y),
        (rest.lazy(), y.to_list()),
        (pandas.drop(columns=TARGET), pandas[TARGET]),
        (pandas.drop(columns=TARGET), y.to_numpy()[:, None]),
    ]
    for X, labels in given:
        assert codes(bindoctor.check(X, labels)) == expected, type(X)
    for whole in (table, pandas, str(small_loan)):
        assert codes(bindoctor.check(whole, target=TARGET)) == expected
    array = bindoctor.check(rest.to_numpy(), y)
    assert data_of(array).target == TARGET
    assert data_of(array).columns == table.width
    assert {"BD103", "BD116"} <= set(codes(array))


def test_the_classes_get_a_column_whose_name_is_free() -> None:
    X = pl.DataFrame({"target": [1.5, 2.5, 3.5] * 20, "x": range(60)})
    assert data_of(bindoctor.check(X, [0, 1, 1] * 20)).target == "target_2"
    assert data_of(bindoctor.check(X, pl.Series("label", [0, 1, 1] * 20))).target == "label"
    leaked = bindoctor.check(X.with_columns(label=pl.Series([0, 1, 1] * 20)), pd.Series([0, 1, 1] * 20, name="label"))
    assert data_of(leaked).target == "label_2"
    assert "BD115" in codes(leaked)


def test_missing_classes_of_any_library_are_found() -> None:
    X = pl.DataFrame({"x": range(60)})
    for y in (pd.Series([0, 1, None] * 20, dtype="Int64"), pl.Series([0, 1, None] * 20), [0.0, 1.0, np.nan] * 20):
        assert "BD122" in codes(bindoctor.check(X, y)), type(y)


def test_a_run_is_given_as_lists_as_records_as_an_object_or_as_a_path(table: pl.DataFrame, tmp_path: Path) -> None:
    curves = {"loss": [0.6 - 0.04 * k for k in range(12)], "val_loss": [0.5] * 4 + [0.5 + 0.05 * k for k in range(8)]}
    records = [dict(zip(curves, row, strict=True)) for row in zip(*curves.values(), strict=True)]
    (tmp_path / "log.json").write_text(json.dumps(records))

    class KerasHistory:
        history = curves

    for run in (curves, records, KerasHistory(), tmp_path / "log.json", str(tmp_path / "log.json")):
        assert "BD402" in codes(bindoctor.check(table, target=TARGET, run=run))


def test_a_run_is_checked_without_data(tmp_path: Path) -> None:
    curves = {"loss": [0.6 - 0.04 * k for k in range(12)], "val_loss": [0.5] * 4 + [0.5 + 0.05 * k for k in range(8)]}
    report = bindoctor.check(run=curves)
    assert report.data is None
    assert "12 epochs" in repr(report)
    assert "12 epochs" in report._repr_html_()
    with pytest.raises(InputError, match="NoneType is no table"):
        bindoctor.check(y=[0, 1], run=curves)


def test_probabilities_are_in_the_order_of_the_sorted_classes() -> None:
    random = np.random.default_rng(0)
    y = np.array(["good"] * 60 + ["bad"] * 340)
    X = random.normal(size=(400, 2)) + (y == "good")[:, None]
    good = np.clip(0.15 + 0.7 * (y == "good") + random.normal(scale=0.05, size=400), 0.01, 0.99)
    of_two = bindoctor.check(X, y, predictions=np.column_stack([1 - good, good]), select="BD604")
    of_positive = bindoctor.check(X, y, predictions=good, select="BD604")
    turned = bindoctor.check(X, y, predictions=np.column_stack([good, 1 - good]), select="BD604")
    assert data_of(of_two).positive == "good"
    assert codes(of_two) == codes(of_positive) == []
    assert codes(turned) == ["BD604"]


def test_training_a_run_of_ones_own(table: pl.DataFrame) -> None:
    report = bindoctor.check(table, target=TARGET, train=True, recipe={"train.epochs": 2}, select="BD4,BD6")
    assert {outcome.status for outcome in report.outcomes} <= {"findings", "passed"}
    assert "BD411" in codes(report)


def test_parts_are_tables_paths_or_pairs(table: pl.DataFrame, tmp_path: Path) -> None:
    head = table.head(50)
    head.write_csv(tmp_path / "valid.csv")
    rest, y = table.drop(TARGET), table[TARGET]
    for valid in (head, tmp_path / "valid.csv"):
        assert "BD202" in codes(bindoctor.check(table, target=TARGET, valid=valid))
    pair = bindoctor.check(rest, y, test=(head.drop(TARGET), head[TARGET]))
    assert "BD202" in codes(pair)
    assert sum(data_of(pair).parts["test"].classes.values()) == 50


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"data": "nowhere.csv"}, "nowhere.csv"),
        ({"data": [[1, 2], [3, 4]]}, "list is no table"),
        ({"y": [0, 1]}, "y: has 2 classes, and the table 60 rows"),
        ({"y": np.zeros((60, 2))}, r"y: is of shape \(60, 2\)"),
        ({"target": "z"}, "there is no column 'z'"),
        ({"recipe": {"features.scale": "huge"}}, "recipe.features.scale"),
        ({"recipe": 3}, "int is no recipe"),
        ({"run": {"size": [0.5]}}, "run: no loss column among size"),
        ({"run": {"loss": ["high"]}}, "run: record 1, column 'loss': 'high' is not a number"),
        ({"run": 3}, "run: int is no training run"),
        ({"predictions": [2.0] * 60}, "no probabilities"),
        ({"predictions": [0.5] * 6}, "predictions: are of 6 rows"),
        ({"predictions": np.zeros((60, 3))}, r"shape \(60, 3\), and there are 2 classes"),
        ({"predictions": "nowhere.csv"}, "nowhere.csv: cannot read the predictions"),
        ({"model": 3.5}, "float is neither a torch.nn.Module nor an Inspection"),
        ({"train": True, "run": {"loss": [0.5]}}, "give neither run nor predictions"),
        ({"select": "BD999"}, "BD999"),
        ({"delimiter": "ab"}, "delimiter"),
    ],
    ids=repr,
)
def test_what_cannot_be_used_is_an_input_error(given: dict[str, Any], says: str) -> None:
    data = {"data": pl.DataFrame({"x": range(60), "y": [0, 1] * 30})}
    with pytest.raises(InputError, match=says):
        bindoctor.check(**{**data, **given})


def test_sparse_matrices_and_tensors_are_refused_with_what_to_give_instead() -> None:
    import torch
    from scipy.sparse import csr_matrix

    with pytest.raises(InputError, match=r"sparse matrices are not read; give data.toarray\(\)"):
        bindoctor.check(csr_matrix(np.eye(4)), [0, 1, 0, 1])
    with pytest.raises(InputError, match="tensors are not read"):
        bindoctor.check(torch.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"score": "best"}, "score: 'best' is none of 'auto'"),
        ({"budget": "soon"}, "budget: 'soon' is no time"),
        ({"budget": -1}, "budget: -1 is no time"),
        ({"jobs": 0}, "jobs: must be a whole number from 1"),
        ({"seed": 1.5}, "seed: must be a whole number"),
        ({"allow": "anything"}, "allow: 'anything' is none of 'estimator'"),
    ],
)
def test_what_fix_cannot_do_is_said_before_any_work(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        bindoctor.fix(pl.DataFrame({"x": range(60), "y": [0, 1] * 30}), target="y", **given)


def test_nothing_here_is_read_and_nothing_is_written(
    small_loan: Path, quick: FixResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bindoctor.toml").write_text("this is [no TOML")
    (tmp_path / "bindoctor-out").write_text("nor a folder")
    report = bindoctor.check(small_loan, target=TARGET)
    assert "BD103" in codes(report)
    again = bindoctor.fix(small_loan, target=TARGET, **QUICK)
    assert again.report.to_dict() == quick.report.to_dict()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bindoctor-out", "bindoctor.toml"]


def test_torch_has_as_many_threads_afterwards_as_before(small_loan: Path) -> None:
    code = (
        "import torch, bindoctor; torch.set_num_threads(2)\n"
        f"bindoctor.fix({str(small_loan)!r}, target={TARGET!r}, recipe={{'train.epochs': 1}}, select='BD411')\n"
        "assert torch.get_num_threads() == 2"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_model_answers_with_the_callers_own_classes(table: pl.DataFrame, quick: FixResult) -> None:
    X, y = table.drop(TARGET), table[TARGET]
    assert quick.model.classes_.tolist() == [0, 1]
    assert quick.model.score(X, y) > 0.8
    assert quick.model is quick.model
    texts = np.where(y.to_numpy() == 1, "took", "left")
    named = bindoctor.fix(X, texts, positive="left", **QUICK)
    assert data_of(named.report).positive == "left"
    assert named.model.classes_.tolist() == ["left", "took"]
    assert (named.model.predict(X) == texts).mean() > 0.8
    # The estimator takes compiled steps, which differ by rounding.
    trained = bindoctor.RecipeClassifier(quick.recipe).fit(X, y)
    assert np.abs(trained.predict_proba(X) - quick.model.predict_proba(X)).max() < 1e-3


def test_what_is_written_is_what_apply_writes(cli: Cli, small_loan: Path, table: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "results"
    result = bindoctor.fix(small_loan, target=TARGET, out=out, **QUICK)
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    stored = {"model/model.json", "model/preprocessor.skops", "model/weights.safetensors", "history.csv", "report.json"}
    assert {"bindoctor.toml", *(f"bindoctor-out/{name}" for name in stored)} <= names
    assert json.loads((out / "bindoctor-out" / "report.json").read_text()) == result.report.to_dict()
    assert set(result.report.written) == {str(out / name) for name in names if "journal" not in name} - {
        str(out / "bindoctor-out" / "run.json")
    }
    done = cli("predict", out / "bindoctor-out", small_loan, "--output-file", "p.csv")
    assert done.returncode == 0, done.stderr
    probability = pl.read_csv(tmp_path / "p.csv")["p_1"].to_numpy()
    assert np.allclose(result.model.predict_proba(table.drop(TARGET))[:, 1], probability, atol=1e-12)
    checked = subprocess.run(
        [sys.executable, "-m", "bindoctor", "check"], cwd=out, capture_output=True, text=True, timeout=120
    )
    assert "unscaled-features" not in checked.stdout
    undone = subprocess.run([sys.executable, "-m", "bindoctor", "undo"], cwd=out, capture_output=True, text=True)
    assert undone.returncode == 0
    assert not (out / "bindoctor.toml").exists()


def test_results_of_other_data_are_not_written_over(small_loan: Path, tmp_path: Path) -> None:
    (tmp_path / "bindoctor.toml").write_text('[data]\npath = "other.csv"\n')
    with pytest.raises(InputError, match=r"is about other\.csv; name another folder"):
        bindoctor.fix(small_loan, target=TARGET, out=tmp_path, **QUICK)
    with pytest.raises(InputError, match="is no folder"):
        bindoctor.fix(small_loan, target=TARGET, out=tmp_path / "bindoctor.toml", **QUICK)


def test_the_script_of_a_file_is_rendered_and_one_of_a_table_in_memory_refused(
    quick: FixResult, table: pl.DataFrame
) -> None:
    compile(quick.script(), "script.py", "exec")
    in_memory = bindoctor.fix(table.head(80), target=TARGET, **QUICK)
    with pytest.raises(InputError, match="save the table"):
        in_memory.script()


def test_findings_and_trials_are_data_frames(quick: FixResult) -> None:
    findings = quick.findings_frame()
    assert findings.columns[:4] == ["code", "slug", "severity", "confidence"]
    assert findings["code"].to_list() == codes(quick.report)
    assert json.loads(findings["measured"][0]) == quick.report.to_dict()["findings"][0]["measured"]
    trials = quick.trials_frame()
    assert trials.height == len(quick.treatment.trials)
    assert trials.filter(pl.col("placebo"))["code"].unique().to_list() == [""]
    assert trials.filter(pl.col("kept"))["gain"].min() > 0  # type: ignore[operator]
    assert json.loads(trials.filter(pl.col("kept"))["edits"][0])
    empty = bindoctor.check(pl.DataFrame({"x": range(60), "y": [0, 1] * 30}), target="y", select="BD113")
    assert empty.findings_frame().schema == findings.schema
    assert empty.trials_frame().schema == trials.schema


def test_printing_reads_as_on_a_terminal_and_the_short_form_is_one_line(
    quick: FixResult, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "VERIFIED" in str(quick)
    assert str(quick.report) == str(quick)
    assert re.fullmatch(r"<FixResult verified: .*>", repr(quick))
    assert re.fullmatch(r"<Report .*: 1200 rows, target 'Personal Loan'; .*>", repr(quick.report))
    quick.show()
    assert "BD103" in capsys.readouterr().out


def test_importing_bindoctor_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, bindoctor, polars as pl\n"
        "from bindoctor import *\n"
        "report = bindoctor.check(pl.DataFrame({'x': range(60), 'y': [0, 1] * 30}), target='y')\n"
        "report._repr_html_(), str(report), report.findings_frame(), bindoctor.fix, bindoctor.Treatment\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'click', 'scipy', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.stdout.strip() == "[]", done.stderr


def test_without_the_packages_that_train_it_is_said_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import bindoctor, polars as pl\n"
        "try: bindoctor.RecipeClassifier\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "bindoctor.RecipeClassifier needs sklearn" in done.stdout, done.stderr
    assert "pip install 'bindoctor[train]'" in done.stdout


def test_the_code_in_the_readme_runs(small_loan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## From Python\n.*?```python\n(.*?)```", readme, flags=re.DOTALL)
    rows = pl.read_csv(small_loan, infer_schema=False).gather_every(3)
    rows.rename({TARGET: "bought"}).write_csv(tmp_path / "customers.csv")
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), known)
    assert known["result"].status in ("verified", "corrected", "not-confirmed", "cannot-verify")
    assert [path.name for path in tmp_path.iterdir()] == ["customers.csv"]


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_network_is_looked_at_on_the_data(outputs: int) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(200, 4))
    labels = np.where(inputs[:, 0] > 0, "yes", "no")
    torch.manual_seed(0)
    good = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, outputs))
    before = copy.deepcopy(good.state_dict())
    assert bindoctor.check(inputs, labels, model=good, select="BD5").findings == ()
    assert all(torch.equal(before[name], value) for name, value in good.state_dict().items())
    squashed = torch.nn.Sequential(good, torch.nn.Sigmoid() if outputs == 1 else torch.nn.Softmax(dim=1))
    found = bindoctor.check(inputs, labels, model=squashed, select="BD5").findings
    assert [finding.code for finding in found] == ["BD501"]
    with pytest.raises(InputError, match=r"model: Sequential cannot be called with rows of shape \(3,\)"):
        bindoctor.check(inputs[:, :3], labels, model=good, select="BD5")


def test_images_are_checked_with_their_labels_and_their_network() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = random.normal(size=(120, 1, 6, 6)).astype(np.float32)
    images[:, 0, 2] += labels[:, None]
    valid = images[:20], labels[:20]
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 1))
    report = bindoctor.check(images, labels, model=network, valid=valid)
    assert report.data is not None and report.data.rows == 120
    found = {finding.code for finding in report.findings}
    assert "BD202" in found
    assert not {code for code in found if code.startswith("BD5")}
    assert {o.rule.code for o in report.outcomes if o.status == "passed"} >= {"BD113", "BD501", "BD507"}
    with pytest.raises(InputError, match="holds no labels; give them as y"):
        bindoctor.check(images)
    with pytest.raises(InputError, match="120"):
        bindoctor.check(images, labels[:50])
