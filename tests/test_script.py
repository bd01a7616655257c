"""The standalone script: it makes the same model, holds only what the recipe uses, and trusts no text."""

import ast
import csv
import gzip
import json
import math
import os
import random
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch
from conftest import Cli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindoctor import Evidence, InputError, Recipe, Table
from bindoctor.dataset import Dataset
from bindoctor.final import train_final
from bindoctor.readers import open_dataset, open_source, table_source
from bindoctor.rows import rows_of
from bindoctor.script import render_script
from bindoctor.script.layout import literal, quoted

QUICK = {"train.epochs": 4, "model.hidden": [16]}
SCALED = {**QUICK, "features.scale": "standard"}
UNUSED = ["team", "day", "weight", "part", "town"]
PEOPLE = {**SCALED, "features.impute": "median", "data.missing-tokens": ["?"], "data.drop": ["kind", *UNUSED]}
KINDS = {**PEOPLE, "data.drop": ["y", *UNUSED], "loss.kind": "cross-entropy"}
DATED = {
    "features.dates.day": {"format": "%Y-%m-%d", "parts": ["month", "weekday", "days"]},
    "data.drop": ["kind", "team", "weight", "part", "town"],
}


@dataclass(frozen=True)
class Case:
    """A data file, its target, and what the recipe changes in the naive one."""

    data: str
    target: str
    edits: Mapping[str, Any]
    valid: str = ""
    test: str = ""

    def dataset(self, folder: Path = Path()) -> Dataset:
        """Open the files in a folder."""
        valid, test = (open_source(folder / name) if name else None for name in (self.valid, self.test))
        return replace(opened(folder / self.data, self.target), valid=valid, test=test)


LOAN = "Personal Loan"
CASES = {
    "the naive recipe": Case("loan.csv", LOAN, {}),
    "scaling, dropout, weight decay, early stopping and a tuned threshold": Case(
        "small_loan.csv",
        LOAN,
        {
            **SCALED,
            "model.hidden": [32, 16],
            "model.dropout": 0.5,
            "optimizer.weight-decay": 0.01,
            "train.epochs": 12,
            "train.patience": 2,
            "decide.threshold": "tuned",
            "split.folds": 3,
        },
    ),
    "SMOTE": Case("small_loan.csv", LOAN, {**SCALED, "resample.method": "smote"}),
    "SMOTE up to a ratio": Case(
        "small_loan.csv",
        LOAN,
        {**SCALED, "resample.method": "smote", "resample.ratio": 0.6, "resample.neighbors": 3},
    ),
    "under-sampling": Case("small_loan.csv", LOAN, {**SCALED, "resample.method": "random-under"}),
    "over-sampling, batch normalisation and early stopping": Case(
        "small_loan.csv",
        LOAN,
        {**SCALED, "resample.method": "random-over", "model.batch-norm": True, "train.patience": 2},
    ),
    "SMOTE and Tomek links": Case("small_loan.csv", LOAN, {**SCALED, "resample.method": "smote-tomek"}),
    "SMOTENC": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "features.indicators": True,
            "features.rare": 20,
            "features.encode-columns.city": "target",
            "resample.method": "smotenc",
        },
    ),
    "focal loss, RMSprop, a schedule, L1 and clipping": Case(
        "small_loan.csv",
        LOAN,
        {
            **QUICK,
            "features.scale": "power",
            "loss.kind": "focal",
            "optimizer.kind": "rmsprop",
            "optimizer.schedule": "cosine",
            "optimizer.l1": 1e-4,
            "optimizer.clip-norm": 1.0,
        },
    ),
    "a plateau schedule without early stopping": Case(
        "small_loan.csv", LOAN, {**SCALED, "optimizer.schedule": "plateau", "loss.label-smoothing": 0.1}
    ),
    "SGD, batch normalisation, balanced weights and a start from the prior": Case(
        "small_loan.csv",
        LOAN,
        {
            **QUICK,
            "features.scale": "robust",
            "optimizer.kind": "sgd",
            "optimizer.momentum": 0.9,
            "model.batch-norm": True,
            "train.batch-size": 109,
            "loss.class-weight": "balanced",
            "model.prior-bias": True,
        },
    ),
    "early stopping on average precision": Case(
        "small_loan.csv",
        LOAN,
        {**SCALED, "train.patience": 2, "train.monitor": "average-precision", "optimizer.schedule": "step"},
    ),
    "two logits, early stopping on accuracy, isotonic calibration": Case(
        "small_loan.csv",
        LOAN,
        {
            **SCALED,
            "loss.kind": "cross-entropy",
            "loss.class-weight": 3.0,
            "train.patience": 2,
            "train.monitor": "accuracy",
            "train.restore-best": False,
            "train.device": "cpu",
            "decide.calibrate": "isotonic",
            "decide.threshold": "tuned",
            "decide.tune-for": "f1",
            "split.folds": 2,
        },
    ),
    "errors that cost differently": Case(
        "small_loan.csv", LOAN, {**SCALED, "decide.cost": {"fp": 1, "fn": 20}, "split.folds": 2}
    ),
    "the Bayes threshold on calibrated answers": Case(
        "small_loan.csv",
        LOAN,
        {
            **SCALED,
            "decide.cost": {"fp": 0.5, "fn": 4},
            "decide.threshold": "bayes",
            "decide.calibrate": "platt",
            "split.folds": 2,
        },
    ),
    "logistic regression": Case("small_loan.csv", LOAN, {"model.kind": "logistic", "features.scale": "log1p"}),
    "gradient boosting": Case("small_loan.csv", LOAN, {"model.kind": "gradient-boosting"}),
    "gradient boosting with missing cells, weights, early stopping and Platt's calibration": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "model.kind": "gradient-boosting",
            "features.impute": "none",
            "loss.class-weight": "balanced",
            "train.patience": 3,
            "decide.calibrate": "platt",
            "split.folds": 2,
        },
    ),
    "texts, imputation with indicators, and a transform of one column": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "features.indicators": True,
            "features.rare": 20,
            "features.encode-columns.city": "target",
            "features.transform.income": "log1p",
        },
    ),
    "quantiles and target encoding": Case(
        "people.csv", "y", {**PEOPLE, "features.scale": "quantile", "features.encode": "target"}
    ),
    "three classes with temperature calibration": Case(
        "people.csv", "kind", {**KINDS, "decide.calibrate": "temperature", "split.folds": 2}
    ),
    "three classes, focal loss, over-sampling and one-against-rest calibration": Case(
        "people.csv",
        "kind",
        {
            **KINDS,
            "loss.kind": "focal",
            "loss.label-smoothing": 0.1,
            "loss.class-weight": "balanced",
            "resample.method": "random-over",
            "train.patience": 2,
            "train.monitor": "average-precision",
            "decide.calibrate": "isotonic",
            "split.folds": 2,
        },
    ),
    "groups": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "split.group": "team",
            "split.valid": 0.15,
            "split.folds": 3,
            "train.patience": 2,
            "decide.threshold": "tuned",
            "decide.tune-for": "balanced-accuracy",
        },
    ),
    "dates": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "split.time": "day",
            "split.folds": 3,
            "train.patience": 2,
            "decide.threshold": "tuned",
            "decide.tune-for": "accuracy",
        },
    ),
    "cells that stand for missing ones": Case(
        "people.csv",
        "y",
        {**PEOPLE, "data.missing-tokens": ["?", "30"], "data.missing-values.visits": ["0"], "data.casts.age": "text"},
    ),
    "text read as numbers, renamed labels and no repeated rows": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "data.missing-tokens": [],
            "data.casts.visits": "number",
            "data.target-levels.yes": "oui",
            "data.target-levels.no": "non",
            "data.deduplicate": True,
        },
    ),
    "no repeated rows, told apart by columns that are dropped and not by the rows' numbers": Case(
        "numbered.csv",
        "y",
        {**PEOPLE, "data.drop": ["kind", *UNUSED], "data.casts.age": "text", "data.deduplicate": True},
    ),
    "no numbered rows that contradict each other": Case(
        "numbered.csv",
        "y",
        {**PEOPLE, "data.drop": ["kind", *UNUSED, "income", "city", "job"], "data.conflicts": "majority"},
    ),
    "no numbered rows of held-out files": Case(
        "numbered.csv", "y", {**PEOPLE, "data.drop-overlap": True}, valid="numbered_valid.csv"
    ),
    "rows without a target": Case("targetless.csv", "y", {**PEOPLE, "data.drop-missing-target": True}),
    "semicolons and an unnamed column": Case("semicolons.csv", "y", {**PEOPLE}),
    "Parquet": Case("people.parquet", "y", {**PEOPLE}),
    "dates, derived columns, clipping, hashed levels and a choice of inputs": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            **DATED,
            "features.derive.pay": {"op": "ratio", "a": "income", "b": "visits"},
            "features.derive.over_town": {"op": "group-mean-ratio", "a": "income", "by": "city"},
            "features.derive.by_age": {"op": "group-mean-difference", "a": "income", "by": "age"},
            "features.clip.income": [0.02, 0.98],
            "features.clip.pay": [0.05, 0.95],
            "features.encode": "hash",
            "features.encode-columns.job": "onehot",
            "features.indicators": True,
            "features.keep": 18,
            "train.patience": 2,
        },
    ),
    "quotients and dates where nothing is imputed": Case(
        "people.csv",
        "y",
        {
            **SCALED,
            **DATED,
            "data.drop": ["kind", "team", "age", "job", "city"],
            "data.limits.income": [0, math.inf],
            "data.missing-values.visits": [],
            "data.casts.visits": "text",
            "features.derive.growth": {"op": "ratio", "a": "income", "b": "day_weekday"},
            "features.derive.square": {"op": "product", "a": "income", "b": "income"},
        },
    ),
    "only dates and numbers as they are": Case(
        "people.csv",
        "y",
        {
            **QUICK,
            **DATED,
            "data.drop": ["kind", "team", "age", "job", "city", "visits"],
            "features.dates.day": {"parts": ["weekday", "month"]},
            "features.derive.later": {"op": "difference", "a": "day_month", "b": "income"},
            "features.clip.later": [0.1, 0.9],
            "features.clip.day_weekday": [0, 0.5],
        },
    ),
    "trees on made columns with missing cells": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            **DATED,
            "model.kind": "gradient-boosting",
            "features.impute": "none",
            "features.derive.pay": {"op": "ratio", "a": "income", "b": "visits"},
            "features.keep": 6,
            "data.weight": "weight",
            "data.drop": ["kind", "team"],
            "loss.class-weight": "balanced",
            "train.patience": 3,
        },
    ),
    "SMOTENC on chosen inputs": Case(
        "people.csv",
        "y",
        {**PEOPLE, "features.indicators": True, "features.keep": 7, "resample.method": "smotenc"},
    ),
    "weights and early stopping": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "data.weight": "weight",
            "train.patience": 2,
            "loss.class-weight": 2.0,
            "decide.threshold": "tuned",
            "split.folds": 2,
        },
    ),
    "weighted trees": Case(
        "people.csv", "y", {**PEOPLE, "data.weight": "weight", "model.kind": "gradient-boosting", "train.patience": 3}
    ),
    "weighted focal loss": Case("people.csv", "y", {**PEOPLE, "data.weight": "weight", "loss.kind": "focal"}),
    "weights of three classes": Case("people.csv", "kind", {**KINDS, "data.weight": "weight"}),
    "weighted focal loss of three classes": Case(
        "people.csv",
        "kind",
        {**KINDS, "data.weight": "weight", "loss.kind": "focal", "loss.class-weight": "balanced"},
    ),
    "untidy texts and limits": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "data.tidy": ["town", "city"],
            "data.drop": ["kind", "team", "day"],
            "data.limits.age": [20, 60],
            "data.limits.visits": [-math.inf, 7],
        },
    ),
    "a column of parts, listed rows and the majority of rows that contradict each other": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "data.drop": ["kind", "team", "day", "income", "weight", "town"],
            "data.drop-rows": [0, 17, 200],
            "data.conflicts": "majority",
            "data.deduplicate": True,
            "split.column": "part",
            "train.patience": 2,
            "decide.calibrate": "platt",
            "split.folds": 2,
        },
    ),
    "early stopping on a column's validation rows": Case(
        "parts.csv",
        "y",
        {
            **PEOPLE,
            "data.drop-rows": [0, 5, 17],
            "data.deduplicate": True,
            "split.column": "part",
            "split.time": "day",
            "train.patience": 2,
        },
    ),
    "early stopping on a column's validation rows, but within folds on a part of each": Case(
        "parts.csv",
        "y",
        {
            **PEOPLE,
            "model.kind": "gradient-boosting",
            "split.column": "part",
            "split.group": "team",
            "train.patience": 2,
            "decide.threshold": "tuned",
            "split.folds": 2,
        },
    ),
    "no rows that contradict each other": Case(
        "people.csv",
        "y",
        {
            **PEOPLE,
            "data.drop": ["kind", "team", "day", "income", "weight", "town", "part", "city"],
            "data.conflicts": "drop",
        },
    ),
    "no rows of held-out files": Case(
        "people.csv",
        "y",
        {**PEOPLE, "data.drop-overlap": True, "data.missing-tokens": ["?"]},
        valid="valid.csv",
        test="test.csv",
    ),
}


def write_people(path: Path, rows: int = 300) -> None:
    """Write numbers and texts with holes, padded cells, repeated rows, and two targets that depend on them."""
    draw = random.Random(3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["income", "age", "city", "job", "visits", "team", "day", "weight", "part", "town", "y", "kind"]
        )
        for _ in range(rows):
            income, city = round(draw.lognormvariate(3, 1), 3), draw.choice(["Ulm", "Bonn", "Kiel", "Bad\nTölz"])
            age = "" if draw.random() < 0.1 else draw.choice([f" {draw.randint(18, 80)}", "30", "30.0"])
            job = draw.choice(["cook", "clerk", "cook", "clerk", "pilot", "", " ", "smith"])
            visits = "?" if draw.random() < 0.1 else draw.randint(0, 9)
            place = (income > 20) + (city == "Kiel") * draw.random() + draw.random() / 2
            day = f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
            row = [income, age, city, job, visits, f"t{draw.randint(0, 30)}", day]
            row += [draw.choice([1, 2, 0.5]), draw.choice(["train", "Train", "test"])]
            row += [draw.choice([city.upper(), f"{city}\u200b", f" {city}", "Ulm\u00a0", "\u200b"])]
            row += ["yes " if place > 1 else "no", ["low", "mid", "top"][min(int(place * 1.2), 2)]]
            writer.writerows([row] * (2 if draw.random() < 0.05 else 1))


def write_data(folder: Path, loan: Path, small_loan: Path) -> None:
    (folder / "loan.csv").write_bytes(loan.read_bytes())
    (folder / "small_loan.csv").write_bytes(small_loan.read_bytes())
    write_people(folder / "people.csv")
    people = pl.read_csv(folder / "people.csv", infer_schema=False)
    typed = people.with_columns(pl.col("income").cast(pl.Float64), (pl.col("city") == "Kiel").alias("city"))
    typed.write_parquet(folder / "people.parquet")
    people.rename({"income": ""}).write_csv(folder / "semicolons.csv", separator=";", include_bom=True)
    unknown = people.with_row_index().with_columns(
        pl.when(pl.col("index") % 9 == 4).then(None).otherwise(pl.col("y")).alias("y"),
        pl.when(pl.col("index") % 9 == 4).then(pl.lit("total")).otherwise(pl.col("income")).alias("income"),
    )
    unknown.drop("index").write_csv(folder / "targetless.csv")
    fifth = pl.int_range(pl.len()) % 5 == 0
    parts = people.with_columns(pl.when(fifth).then(pl.lit("valid")).otherwise(pl.col("part")).alias("part"))
    parts.write_csv(folder / "parts.csv")
    people.tail(40).write_csv(folder / "valid.csv")
    people.with_row_index("number").write_csv(folder / "numbered.csv")
    people.tail(40).with_row_index("number").write_csv(folder / "numbered_valid.csv")
    people.head(30).with_columns(pl.col("income").cast(pl.Float64).cast(pl.String)).write_csv(folder / "test.csv")


def opened(path: Path | str, target: str) -> Dataset:
    return open_dataset(open_source(Path(path)), target)


def rendered(dataset: Dataset, edits: Mapping[str, Any]) -> str:
    return render_script(dataset, Evidence(recipe=Recipe().edited(edits)))


def read_answers(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], list[str]]:
    """Return row numbers, probabilities and decisions of a ``predictions.csv``."""
    table = pl.read_csv(path, infer_schema=False)
    probability = table.select(pl.col("^p_.*$").cast(pl.Float64)).to_numpy()
    return table["row"].cast(pl.Int64).to_numpy(), probability, table["decision"].to_list()


RUN_ALL = """
import os, runpy, sys
sys.modules["bindoctor"] = None  # importing it fails
for folder in sys.argv[1:]:
    os.chdir(folder)
    runpy.run_path("script.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, loan: Path, small_loan: Path) -> Path:
    """The data files, and for each case a folder with its script and what the script wrote."""
    folder = tmp_path_factory.mktemp("script")
    write_data(folder, loan, small_loan)
    places = []
    for name, case in CASES.items():
        place = folder / name
        place.mkdir()
        for file in filter(None, (case.data, case.valid, case.test)):
            (place / file).symlink_to(folder / file)
        before = Path.cwd()
        os.chdir(place)
        try:
            (place / "script.py").write_text(rendered(case.dataset(), case.edits), encoding="utf-8")
        finally:
            os.chdir(before)
        places.append(place)
    command = [sys.executable, "-c", RUN_ALL, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("one_thread")
def test_a_script_answers_as_the_trained_model_does(name: str, folder: Path) -> None:
    case, recipe = CASES[name], Recipe().edited(CASES[name].edits)
    dataset = case.dataset(folder)
    rows = rows_of(dataset, recipe)
    model = train_final(recipe, rows, seed=recipe.train.seed)
    numbers, probability, decisions = read_answers(folder / name / "predictions.csv")
    np.testing.assert_array_equal(numbers, np.arange(sum(batch.height for batch in dataset.source.batches())))
    np.testing.assert_allclose(probability[rows.row_ids], model.predict(rows.features), rtol=0, atol=1e-5)
    expected = [rows.classes[k] for k in model.decide(rows.features)]
    assert [decisions[row] for row in rows.row_ids] == expected
    assert np.isfinite(probability).all()
    assert np.ptp(probability[:, 1]) > 0.01


@pytest.mark.parametrize("name", CASES)
def test_a_script_is_formatted_and_has_nothing_to_complain_about(name: str, folder: Path) -> None:
    check_with_ruff((folder / name / "script.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_every_function_and_constant_of_a_script_is_used(name: str, folder: Path) -> None:
    tree = ast.parse((folder / name / "script.py").read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    defined |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert defined - read == set()


def test_a_script_runs_as_a_program_of_its_own(tmp_path: Path, loan: Path) -> None:
    dataset = opened(loan, LOAN)
    (tmp_path / "train.py").write_text(rendered(dataset, {"train.epochs": 1}), encoding="utf-8")
    command = [sys.executable, "-I", "train.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
    numbers, _, decisions = read_answers(tmp_path / "predictions.csv")
    assert len(numbers) == 5000
    assert set(decisions) <= {"0", "1"}


def test_the_commands_train_predict_and_script_agree(cli: Cli, tmp_path: Path, small_loan: Path) -> None:
    (tmp_path / "loan.csv").write_bytes(small_loan.read_bytes())
    (tmp_path / "bindoctor.toml").write_text(
        f'[data]\npath = "loan.csv"\ntarget = "{LOAN}"\n'
        '[recipe.features]\nscale = "standard"\n[recipe.train]\nepochs = 3\n'
        "[recipe.decide]\ncost = { fp = 1, fn = 20 }\n"
    )
    for command in (["train"], ["predict", "bindoctor-out", "loan.csv", "--output-file", "predicted.csv"]):
        assert cli(*command).returncode == 0
    done = cli("script")
    assert done.returncode == 0, done.stderr
    (tmp_path / "script.py").write_text(done.stdout)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, timeout=120, check=True)
    predicted, written = (read_answers(tmp_path / name) for name in ("predicted.csv", "predictions.csv"))
    np.testing.assert_array_equal(predicted[0], written[0])
    np.testing.assert_allclose(predicted[1], written[1], rtol=0, atol=1e-5)
    assert predicted[2] == written[2]
    scores = json.loads((tmp_path / "bindoctor-out" / "metrics.json").read_text())["held_back"]
    model = json.loads((tmp_path / "bindoctor-out" / "model" / "model.json").read_text())
    assert scores["cost"] < 0.9
    assert model["recipe"]["decide"]["cost"] == {"fp": 1, "fn": 20}
    assert model["decision"]["threshold"] < 0.4


def test_the_naive_script_imports_no_scikit_learn(folder: Path) -> None:
    text = (folder / "the naive recipe" / "script.py").read_text()
    assert "sklearn" not in text
    assert "imblearn" not in text
    assert len(text.splitlines()) < 100


def test_gradient_boosting_needs_no_torch(folder: Path) -> None:
    assert "torch" not in (folder / "gradient boosting" / "script.py").read_text()


def test_a_script_follows_only_the_recipe(folder: Path) -> None:
    for name, case in CASES.items():
        text, recipe = (folder / name / "script.py").read_text(), Recipe().edited(case.edits)
        assert ("imblearn" in text) == (recipe.resample.method != "none")
        assert ("PATIENCE" in text) == (recipe.train.patience > 0)
        assert ("Dropout" in text) == (recipe.model.dropout > 0)
        assert ("FOLDS" in text) == (recipe.decide.cut == "tuned" or recipe.decide.calibrate != "none")
        assert ("drop_duplicates" in text or "duplicated" in text) == recipe.data.deduplicate
        assert "bindoctor" not in imported(text)


def imported(text: str) -> set[str]:
    """Return the top-level packages that a script imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def check_with_ruff(text: str) -> None:
    for command in (["format", "--check", "--diff"], ["check"]):
        full = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "--stdin-filename", "x.py", "-"]
        done = subprocess.run(full, input=text, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


NASTY = (
    '"""; open("owned", "w"); """',
    "'; open('owned', 'w'); '",
    "\\",
    "quote \" and ' both",
    "line\nbreak",
    "tab\tand \x07 bell",
    "\u202ekcart eht ffo\u202c",
    "{label} %s {0}",
    "# comment",
    "naïve größe 数",
    "x" * 120,
)


def test_no_text_of_data_or_recipe_is_ever_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target, labels = "target'\"\n", ["\"); open('owned', 'w')  #", "'''"]
    draw = random.Random(0)
    data = tmp_path / 'it\'s "data" \\.csv'
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*NASTY, target])
        for _ in range(120):
            levels = [draw.choice(NASTY) for _ in NASTY[1:]]
            value = draw.random()
            writer.writerow([value, *levels, labels[value + draw.random() / 4 > 0.6]])
    edits = {
        "data.missing-tokens": [NASTY[0], "no"],
        f"data.missing-values.{NASTY[1]}": [NASTY[2]],
        f"features.encode-columns.{NASTY[3]}": "target",
        f"data.target-levels.{labels[0]}": '"""',
        "train.epochs": 2,
    }
    text = rendered(opened(data.name, target), edits)
    check_with_ruff(text)
    (tmp_path / "script.py").write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "owned").exists()
    constants = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    assert {*NASTY[:4], target, data.name, '"""', labels[1]} <= constants
    assert set(read_answers(tmp_path / "predictions.csv")[2]) <= {'"""', labels[1]}


@given(st.text())
def test_a_quoted_text_evaluates_to_itself(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text


@given(
    st.recursive(st.text(max_size=40) | st.integers() | st.floats(0, 1), lambda inner: st.lists(inner), max_leaves=6)
)
def test_a_literal_evaluates_to_its_value(value: object) -> None:
    assert ast.literal_eval(str(literal(value))) == value


CHOICES: dict[str, list[Any]] = {
    "train.patience": [0, 3],
    "train.monitor": ["loss", "accuracy", "average-precision"],
    "train.restore-best": [True, False],
    "train.device": ["auto", "cpu", "cuda"],
    "model.kind": ["mlp", "logistic", "gradient-boosting"],
    "model.hidden": [[64, 32], [7], []],
    "model.activation": ["relu", "leaky-relu", "elu", "gelu", "tanh", "sigmoid"],
    "model.dropout": [0.0, 0.25],
    "model.batch-norm": [False, True],
    "model.prior-bias": [False, True],
    "loss.class-weight": ["none", "balanced"],
    "loss.label-smoothing": [0.0, 0.1],
    "optimizer.kind": ["adam", "adamw", "sgd", "rmsprop"],
    "optimizer.momentum": [0.0, 0.9],
    "optimizer.schedule": ["constant", "cosine", "step", "plateau"],
    "optimizer.l1": [0.0, 1e-5],
    "optimizer.weight-decay": [0.0, 0.01],
    "optimizer.clip-norm": [0.0, 1.0],
    "data.deduplicate": [False, True],
    "data.drop-missing-target": [False, True],
    "data.missing-tokens": [[], ["?", "-1"]],
    "data.casts": [{}, {"visits": "number"}, {"age": "text"}],
    "features.impute": ["mean", "median", "most-frequent", "zero"],
    "features.indicators": [False, True],
    "features.scale": ["none", "standard", "minmax", "robust", "quantile", "power", "log1p"],
    "features.encode": ["onehot", "target", "hash"],
    "features.encode-columns": [{}, {"city": "hash"}, {"job": "target", "city": "onehot"}],
    "features.dates": [{}, {"day": {"parts": ["month", "weekday"]}}],
    "features.derive": [
        {},
        {"pay": {"op": "ratio", "a": "income", "b": "weight"}},
        {
            "over_town": {"op": "group-mean-difference", "a": "income", "by": "city"},
            "more": {"op": "product", "a": "income", "b": "weight"},
        },
    ],
    "features.clip": [{}, {"income": [0.01, 0.99]}],
    "features.keep": [0, 6],
    "data.tidy": [[], ["city", "town"]],
    "data.limits": [{}, {"income": [0, math.inf]}],
    "data.drop-rows": [[], [1, 2, 3]],
    "data.conflicts": ["keep", "majority", "drop"],
    "split.column": ["", "part"],
    "features.transform": [{}, {"income": "power"}, {"income": "log1p", "visits": "quantile"}],
    "features.rare": [0, 20],
    "resample.method": ["none", "smote", "borderline-smote", "adasyn", "random-over", "random-under", "smote-tomek"],
    "resample.ratio": [1.0, 0.5],
    "resample.neighbors": [5, 3],
    "decide.calibrate": ["none", "temperature", "platt", "isotonic"],
    "split.group": ["", "team"],
}
OF_TARGET: dict[str, dict[str, list[Any]]] = {
    "y": {"loss.kind": ["bce", "focal", "cross-entropy"], "decide.threshold": [0.5, "tuned"]},
    "kind": {"loss.kind": ["focal", "cross-entropy"]},
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.randoms(use_true_random=False), target=st.sampled_from(["y", "kind"]))
def test_any_recipe_renders_to_formatted_code_without_loose_ends(
    draw: random.Random, target: str, folder: Path
) -> None:
    edits = {name: draw.choice(choices) for name, choices in {**CHOICES, **OF_TARGET[target]}.items()}
    if "visits" not in edits["data.casts"]:
        edits["data.missing-tokens"] = ["?", "-1"]
    check_with_ruff(rendered(opened(folder / "people.csv", target), edits))


def test_the_same_recipe_renders_to_the_same_script(folder: Path) -> None:
    dataset = opened(folder / "people.csv", "y")
    assert rendered(dataset, PEOPLE) == rendered(dataset, PEOPLE)


@pytest.mark.parametrize(
    ("target", "edits", "says"),
    [
        ("y", {**PEOPLE, "features.impute": "none"}, "missing cells"),
        ("y", {**PEOPLE, "features.transform.cty": "power"}, "'cty'"),
        ("y", {**PEOPLE, "features.transform.city": "power"}, "text column"),
        ("kind", {**KINDS, "loss.kind": "bce"}, "'bce'"),
        ("kind", {**KINDS, "loss.class-weight": 3.0}, "class-weight"),
        ("kind", {**KINDS, "decide.threshold": "tuned"}, "threshold"),
        ("kind", {**KINDS, "decide.cost": {"fp": 1, "fn": 2}}, "cost fits two classes"),
        ("y", {**PEOPLE, "data.drop": ["city", "job", "kind", *UNUSED], "resample.method": "smotenc"}, "smotenc"),
        ("y", {**PEOPLE, "decide.calibrate": "platt", "split.folds": 200}, "fewer than the 200 folds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_that_cannot_be_trained_is_refused(
    target: str, edits: dict[str, Any], says: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=says):
        rendered(opened(folder / "people.csv", target), edits)


def test_rows_without_a_target_are_refused_like_in_training(folder: Path) -> None:
    with pytest.raises(InputError, match="drop-missing-target"):
        rendered(opened(folder / "targetless.csv", "y"), PEOPLE)


def test_a_table_in_memory_has_no_script() -> None:
    table = table_source(Table({"x": [1, 2, 3, 4], "y": ["a", "b", "a", "b"]}))
    with pytest.raises(InputError, match="needs a data file"):
        rendered(open_dataset(table, "y"), {})


def test_a_file_without_header_is_read_by_position(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    draw = random.Random(0)
    values = [draw.random() for _ in range(60)]
    path.write_text("".join(f"{value},{int(value > 0.5)}\n" for value in values))
    dataset = open_dataset(open_source(path, header=False), "1")
    (tmp_path / "script.py").write_text(rendered(dataset, {"train.epochs": 1}))
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read_answers(tmp_path / "predictions.csv")[0]) == 60


LAYOUTS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "titles": (b"A report\n\nx,t,y\n%s", {}),
    "comments": (b"# by, us\nx,t,y\n%s", {}),
    "decimal commas": (b"x;t;y\n%s", {"delimiter": ";"}),
    "a delimiter at every end": (b"x,t,y,\n%s", {"end": b",\n"}),
    "no header": (b"%s", {}),
    "names twice": (b"x,x,y\n%s", {}),
    "another encoding": ("x,größe,y\n%s".encode("cp1252"), {}),
    "UTF-16": (b"x,t,y\n%s", {"encode": "utf-16"}),
    "gzip": (b"x,t,y\n%s", {"pack": gzip.compress}),
    "old line ends": (b"x,t,y\r%s", {"end": b"\r"}),
    "null tokens": (b"x,t,y\n%s", {"tokens": ("red", "nothing")}),
}


@pytest.mark.parametrize(("head", "how"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_script_reads_a_file_of_any_layout_as_bindoctor_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, how: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(0)
    delimiter = how.get("delimiter", ",")
    cells = [(f"{draw.random():.3f}", draw.choice(["red", "blue", "grey"]), draw.choice("ab")) for _ in range(60)]
    lines = [delimiter.join([x.replace(".", "," if delimiter == ";" else "."), t, y]) for x, t, y in cells]
    content = head % b"".join(line.encode() + how.get("end", b"\n") for line in lines)
    if "encode" in how:
        content = content.decode().encode(how["encode"])
    path = tmp_path / "data.csv"
    path.write_bytes(how.get("pack", bytes)(content))
    source = open_source(path, null_tokens=how.get("tokens", ()))
    dataset = open_dataset(source, source.columns[2])
    (tmp_path / "script.py").write_text(rendered(dataset, {"train.epochs": 1}), encoding="utf-8")
    features, labels = runpy.run_path(str(tmp_path / "script.py"))["read_rows"]()
    rows = rows_of(dataset, Recipe())
    assert labels.tolist() == rows.labels.tolist()
    expected = rows.features.with_columns(pl.col(pl.String).fill_null(""))
    assert {name: features[name].tolist() for name in features} == expected.to_dict(as_series=False)
