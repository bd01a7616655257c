"""The user's own network or estimator goes where one of bindoctor's goes: trained, scored, stored, and answered for."""

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from conftest import Cli

from bindoctor import Aim, Evidence, Finding, Fix, InputError, Recipe, Rows, Table, Where
from bindoctor.final import train_final
from bindoctor.loop import train_network
from bindoctor.own_code import forget_own_code
from bindoctor.own_inspection import with_own_model
from bindoctor.own_mlp import as_mlp
from bindoctor.own_source import code_digest, source_files
from bindoctor.prepare import prepare
from bindoctor.readers import open_dataset, table_source
from bindoctor.recipe_sections import Model
from bindoctor.scan import scan
from bindoctor.splits import repeated_folds
from bindoctor.store import load_model, save_model
from bindoctor.train import cross_fit, fit_prepared
from bindoctor.treat import treat

SAME = """
from torch import nn

def make_model(inputs, outputs, dropout=0.0):
    layers = [nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, outputs)]
    return nn.Sequential(*layers)
"""
QUICK = {"train.epochs": 5, "train.batch-size": 32, "features.scale": "standard", "train.device": "cpu"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, whose modules are imported anew."""
    monkeypatch.chdir(tmp_path)
    forget_own_code()
    yield tmp_path
    forget_own_code()


def rows(classes: int = 2, n: int = 300) -> Rows:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, n)
    features = pl.DataFrame({"a": random.normal(labels, 1.0), "b": random.normal(5, 20, n), "c": random.normal(size=n)})
    return Rows(features, labels, tuple("xyzuv"[:classes]), np.arange(n))


def own(code: str, folder: Path, edits: Mapping[str, object] = {}, name: str = "make_model") -> Recipe:
    (folder / "train.py").write_text(code)
    return Recipe().edited({**QUICK, "model.factory": f"train:{name}", **edits})


def train(recipe: Recipe, data: Rows | None = None) -> torch.nn.Module:
    return train_network(recipe, prepare(recipe, data or rows(), seed=0), seed=0, plain=True)[0]


SETUPS: tuple[dict[str, object], ...] = (
    {},
    {"model.prior-bias": True, "model.batch-norm": True, "train.patience": 2},
    {"loss.kind": "focal", "loss.class-weight": "balanced", "optimizer.kind": "sgd", "optimizer.momentum": 0.9},
    {"optimizer.l1": 0.001, "optimizer.clip-norm": 1.0, "optimizer.schedule": "cosine", "resample.method": "smote"},
    {"loss.kind": "cross-entropy", "loss.label-smoothing": 0.1, "train.monitor": "average-precision"},
)


@pytest.mark.parametrize("setup", SETUPS)
def test_a_factory_of_the_same_network_gives_the_scores_of_the_built_in_one(
    here: Path, setup: dict[str, object]
) -> None:
    recipe = own(SAME, here, setup)
    built_in = Recipe().edited({**QUICK, "model.hidden": [16, 8], **setup})
    data = rows()
    (folds,) = repeated_folds(data, recipe.split, repeats=1, folds=3, seed=0)
    mine = cross_fit(recipe, data, folds, seed=3, plain=True)
    theirs = cross_fit(built_in, data, folds, seed=3, plain=True)
    assert not mine.failures
    assert np.array_equal(mine.predictions.probability, theirs.predictions.probability)
    assert mine.history == theirs.history


SPLIT = """
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.head, self.body = nn.Linear(16, outputs), nn.Linear(inputs, 16)
        self.act, self.drop, self.norm = nn.GELU(), nn.Dropout(0.2), nn.BatchNorm1d(16)

    def forward(self, x):
        return self.head(self.drop(self.act(self.norm(self.body(x)))))

def make_model(inputs, outputs):
    return Net(inputs, outputs)
"""


@pytest.mark.parametrize("setup", SETUPS)
def test_an_mlp_of_any_make_is_trained_by_compiled_steps_to_the_same(here: Path, setup: dict[str, object]) -> None:
    recipe = own(SPLIT, here, setup | {"model.batch-norm": False})
    prepared = prepare(recipe, rows(), rows(), seed=0)
    network, _ = train_network(recipe, prepared, seed=0)
    found = as_mlp(network, torch.randn(4, 3))
    assert found is not None
    assert (found[1].hidden, found[1].activation, found[1].dropout, found[1].batch_norm) == ((16,), "gelu", 0.2, True)
    compiled, curve = fit_prepared(recipe, prepared, seed=0)
    plain, plain_curve = fit_prepared(recipe, prepared, seed=0, plain=True)
    # Adam divides by square roots of tiny numbers, whose rounding differs.
    assert np.allclose(compiled, plain, atol=2e-3)
    assert len(curve.epochs) == len(plain_curve.epochs)


UNLIKE = {
    "a function between": ("self.act(self.norm(self.body(x)))", "self.act(self.norm(self.body(x)).abs())"),
    "dropout as a function": ("self.drop(", "nn.functional.dropout(training=self.training, input="),
    "a skipped connection": ("return self.head(", "return self.body(x)[:, :1] + self.head("),
    "a module called twice": ("self.act(self.norm", "self.act(self.act(self.norm"),
    "another slope": ("nn.GELU()", "nn.LeakyReLU(0.3)"),
    "weights of no use": ("self.act, self.drop", "self.more = nn.Linear(2, 2)\n        self.act, self.drop"),
    "no bias": ("nn.Linear(16, outputs)", "nn.Linear(16, outputs, bias=False)"),
    "frozen weights": ("return Net(inputs, outputs)", "return frozen(Net(inputs, outputs))"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_what_is_no_plain_mlp_is_trained_as_it_is(here: Path, case: str) -> None:
    before, after = UNLIKE[case]
    code = SPLIT.replace(before, after)
    if case == "a module called twice":
        code = code.replace("self.body(x))))", "self.body(x)))))")
    code += "\ndef frozen(net):\n    net.body.requires_grad_(False)\n    return net\n"
    recipe = own(code, here)
    prepared = prepare(recipe, rows(), rows(), seed=0)
    network, _ = train_network(recipe, prepared, seed=0)
    assert before in SPLIT
    assert as_mlp(network, torch.randn(4, 3)) is None
    as_is, plain = (fit_prepared(recipe, prepared, seed=0, plain=plain)[0] for plain in (False, True))
    assert np.array_equal(as_is, plain)


def test_a_keyword_of_the_factory_takes_the_setting_and_options_take_the_rest(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = SAME.replace("dropout=0.0):", "dropout=0.0, hidden=(4,), depth=1):").replace(
        "    return", "    print('said', dropout, hidden, depth)\n    return"
    )
    recipe = own(code, here, {"model.dropout": 0.3, "model.hidden": [9, 9], "model.options.depth": 4})
    network = train(recipe)
    assert "said 0.3 [9, 9] 4" in capsys.readouterr().err
    assert not [m for m in network.modules() if isinstance(m, torch.nn.Dropout)]


def test_what_a_factory_prints_stays_out_of_the_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(own(SAME.replace("    return", "    print('chatter')\n    return"), here))
    said = capsys.readouterr()
    assert "chatter" not in said.out
    assert "chatter" in said.err


def test_one_output_may_come_without_a_second_dimension(here: Path) -> None:
    code = """
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.line = nn.Linear(inputs, 1)

    def forward(self, x):
        return self.line(x)[:, 0]

def make_model(inputs, outputs):
    return Net(inputs)
"""
    logistic = Recipe().edited({**QUICK, "model.kind": "logistic"})
    prepared = prepare(logistic, rows(), rows(), seed=0)
    mine, _ = fit_prepared(own(code, here), prepared, seed=0, plain=True)
    theirs, _ = fit_prepared(logistic, prepared, seed=0, plain=True)
    assert np.array_equal(mine, theirs)


WRONG: dict[str, tuple[str, dict[str, object], str]] = {
    "no such module": ("", {"model.factory": "nowhere:make"}, r"there is no nowhere\.py beside the settings"),
    "no such function": (SAME, {"model.factory": "train:build"}, r"train\.py: has no function 'build'.*make_model"),
    "a syntax error": ("def make_model(:\n", {}, r"^train\.py:1: importing 'train'.*SyntaxError"),
    "an import that fails": ("\nimport no_such_package\n", {}, r"^train\.py:2: importing .*no_such_package"),
    "a loop that runs at import": ("\n\nraise SystemExit(3)\n", {}, r"^train\.py:3: importing .*SystemExit: 3"),
    "a factory that raises": (
        "def make_model(inputs, outputs):\n    width = inputs\n    return [][width]\n",
        {},
        r"^train\.py:3: train:make_model, which recipe\.model\.factory names, fails: IndexError",
    ),
    "too few parameters": ("def make_model():\n    pass\n", {}, r"cannot be called with \(3, 1\): too many positional"),
    "an option that it does not take": (SAME, {"model.options.wide": 3}, r"unexpected keyword argument 'wide'"),
    "hidden units that it does not take": (SAME, {"model.hidden": [3]}, r"takes no keyword 'hidden'"),
    "not a network": (
        "def make_model(inputs, outputs):\n    return 3\n",
        {},
        r"^train\.py:1: .*returns int, and not a",
    ),
    "too many outputs": (
        "from torch import nn\ndef make_model(inputs, outputs):\n    return nn.Linear(inputs, 7)\n",
        {},
        r"answers with shape \(n, 7\), and the loss needs logits of shape \(n, 1\) or \(n,\)",
    ),
    "other inputs": (
        "from torch import nn\ndef make_model(inputs, outputs):\n    return nn.Linear(8, outputs)\n",
        {},
        r"given rows of shape \(2, 3\), fails: RuntimeError",
    ),
    "nothing to train": (
        "from torch import nn\ndef make_model(inputs, outputs):\n"
        "    return nn.Linear(inputs, outputs).requires_grad_(False)\n",
        {},
        "has no parameter that can be trained",
    ),
    "a forward that fails": (
        "from torch import nn\n\nclass Net(nn.Linear):\n    def forward(self, x):\n        return self.gone(x)\n\n"
        "def make_model(inputs, outputs):\n    return Net(inputs, outputs)\n",
        {},
        r"^train\.py:5: .*fails: AttributeError: 'Net' object has no attribute 'gone'",
    ),
    "a name that is taken": ("", {"model.factory": "json:make"}, r"json\.py: is called as the module 'json'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_factory_is_one_message_with_its_file_and_line(here: Path, case: str) -> None:
    code, edits, message = WRONG[case]
    (here / "json.py").write_text("def make(): pass\n")
    with pytest.raises(InputError, match=message) as caught:
        train(own(code, here, edits))
    assert "\n" not in str(caught.value)
    assert not [path for path in sys.path if path == str(here)]


def test_a_network_that_the_factory_keeps_is_not_trained_twice(here: Path) -> None:
    code = "from torch import nn\nKEPT = nn.Linear(3, 1)\ndef make_model(inputs, outputs):\n    return KEPT\n"
    recipe = own(code, here)
    first, second = (train(recipe).state_dict()["weight"] for _ in range(2))
    assert torch.equal(first, second)


def test_a_factory_that_draws_from_numpy_gives_the_same_network_again(here: Path) -> None:
    code = SAME.replace("    layers", "    import numpy, torch\n    layers").replace(
        "    return nn.Sequential(*layers)",
        "    torch.nn.init.constant_(layers[0].bias, numpy.random.rand())\n    return nn.Sequential(*layers)",
    )
    recipe, before = own(code, here), np.random.get_state()[1].copy()  # type: ignore[index]
    one, two = (train(recipe).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_a_row_left_over_sits_out_where_the_network_normalises_batches(here: Path) -> None:
    code = SAME.replace("nn.ReLU(), nn.Linear(16, 8)", "nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8)")
    assert train(own(code, here, {"train.batch-size": 299}))


# Code that changes


def test_the_files_of_a_model_are_what_it_imports_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    for name, code in {
        "train.py": "import os, numpy\nfrom nets.cnn import Net\nimport helpers as h\n",
        "nets/__init__.py": "from . import blocks\n",
        "nets/cnn.py": "from .blocks import Block\nfrom ..train import x\n",
        "nets/blocks.py": "import train\n",
        "helpers.py": "def (:",
        "unused.py": "",
    }.items():
        (tmp_path / name).write_text(code)
    found = [str(path.relative_to(tmp_path)) for path in source_files("train:make", tmp_path)]
    assert found == ["helpers.py", "nets/__init__.py", "nets/blocks.py", "nets/cnn.py", "train.py"]


def test_a_change_of_an_imported_file_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import helpers\n")
    (tmp_path / "helpers.py").write_text("WIDTH = 3\n")
    recipe = Recipe().edited({"model.factory": "train:make"})
    before = code_digest(recipe, tmp_path)
    (tmp_path / "helpers.py").write_text("WIDTH = 4\n")
    assert before != code_digest(recipe, tmp_path)
    assert code_digest(Recipe(), tmp_path) == ""


def test_edited_code_is_imported_anew_by_the_next_command(here: Path) -> None:
    recipe = own(SAME, here)
    train(recipe)
    own(SAME.replace("16", "24"), here)
    assert train(recipe).state_dict()["0.weight"].shape == (16, 3)
    forget_own_code()
    assert train(recipe).state_dict()["0.weight"].shape == (24, 3)


def test_a_module_that_a_notebook_has_imported_before_is_imported_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = own(SAME, here)
    monkeypatch.syspath_prepend(here)
    before = importlib.import_module("train")
    own(SAME.replace("16", "240"), here)
    assert train(recipe).state_dict()["0.weight"].shape == (240, 3)
    assert before.make_model(3, 1)[0].out_features == 16


# Stored models


def named(reference: str, kind: str = "factory") -> Model:
    return Recipe().edited({f"model.{kind}": reference}).model


def test_a_stored_network_answers_as_before_where_the_settings_name_it(here: Path) -> None:
    model = train_final(own(SAME, here, {"model.dropout": 0.2, "model.batch-norm": True}), rows(), seed=0)
    save_model(here, model)
    loaded = load_model(here, lambda: named("train:make_model"))
    assert np.array_equal(loaded.model.predict(rows().features), model.predict(rows().features))


def test_a_stored_network_is_not_made_where_no_settings_name_its_code(here: Path) -> None:
    save_model(here, train_final(own(SAME, here), rows(), seed=0))
    (here / "train.py").write_text("raise RuntimeError('this must not run')\n")
    forget_own_code()
    for settings in (Model, lambda: named("other:make_model")):
        with pytest.raises(InputError, match="is a model of train:make_model, code that only settings may name"):
            load_model(here, settings)


@pytest.mark.parametrize("change", [("16", "17"), ("nn.ReLU()", "nn.Tanh()")])
def test_a_stored_network_whose_code_has_changed_is_not_used(here: Path, change: tuple[str, str]) -> None:
    save_model(here, train_final(own(SAME, here), rows(), seed=0))
    own(SAME.replace(*change), here)
    forget_own_code()
    with pytest.raises(InputError, match="does not fit the network that train:make_model makes now"):
        load_model(here, lambda: named("train:make_model"))


# Estimators

FOREST = """
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

def forest(trees=20):
    return RandomForestClassifier(trees)

def pipeline():
    return make_pipeline(StandardScaler(), LogisticRegression())

def bayes():
    return GaussianNB()

def neighbours():
    return KNeighborsClassifier()

def svc():
    return SVC()

class Mine(GaussianNB):
    pass
"""


def estimator(name: str, folder: Path, edits: Mapping[str, object] = {}) -> Recipe:
    (folder / "train.py").write_text(FOREST)
    return Recipe().edited({**QUICK, "model.estimator": name if ":" in name else f"train:{name}", **edits})


@pytest.mark.parametrize("name", ["forest", "pipeline", "bayes", "sklearn.ensemble:ExtraTreesClassifier"])
@pytest.mark.parametrize("classes", [2, 3])
def test_an_estimator_is_fitted_scored_stored_and_answers_as_before(here: Path, name: str, classes: int) -> None:
    recipe, data = estimator(name, here, {"loss.kind": "bce" if classes == 2 else "cross-entropy"}), rows(classes)
    (folds,) = repeated_folds(data, recipe.split, repeats=1, folds=3, seed=0)
    first, second = (cross_fit(recipe, data, folds, seed=1).predictions.probability for _ in range(2))
    assert np.array_equal(first, second)
    model = train_final(recipe, data, seed=0)
    save_model(here, model)
    reference = recipe.model.estimator
    loaded = load_model(here, lambda: named(reference, "estimator"))
    assert np.array_equal(loaded.model.predict(data.features), model.predict(data.features))
    with pytest.raises(InputError, match="code that only settings may name"):
        load_model(here)


@pytest.mark.parametrize("name", ["neighbours", "Mine"])
def test_an_estimator_that_no_file_can_be_trusted_with_is_not_stored(here: Path, name: str) -> None:
    model = train_final(estimator(name, here), rows(), seed=0)
    with pytest.raises(InputError, match="a type that cannot be read back safely, and is not stored"):
        save_model(here, model)
    assert not (here / "model").exists()


def test_an_estimator_without_probabilities_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"gives a SVC, which has no predict_proba; wrap it in CalibratedClassifierCV"):
        train_final(estimator("svc", here), rows(), seed=0)


def test_a_pipeline_cannot_be_weighted_and_the_message_says_what_to_do(here: Path) -> None:
    recipe = estimator("pipeline", here, {"loss.class-weight": "balanced"})
    with pytest.raises(InputError, match=r"weights cannot be carried out.*takes no sample_weight; unset"):
        train_final(recipe, rows(), seed=0)


def test_a_forged_tree_is_refused(here: Path) -> None:
    recipe = estimator("forest", here)
    model = train_final(recipe, rows(), seed=0)
    tree = model.fitted.estimator.estimators_[0].tree_
    tree.children_left[0] = 2**20
    save_model(here, model)
    with pytest.raises(InputError, match="a tree in it points outside of itself"):
        load_model(here, lambda: named("train:forest", "estimator"))


# The command line


def test_edited_code_shares_no_trials_with_what_it_was(cli: Cli, tmp_path: Path, small_loan: Path) -> None:
    (tmp_path / "data.csv").write_bytes(small_loan.read_bytes())
    (tmp_path / "train.py").write_text(SAME)
    (tmp_path / "bindoctor.toml").write_text(
        '[data]\npath = "data.csv"\ntarget = "Personal Loan"\n[recipe.model]\nfactory = "train:make_model"\n'
        '[recipe.features]\nscale = "standard"\n[recipe.train]\nepochs = 2\ndevice = "cpu"\n'
    )
    said = []
    for code in (SAME, SAME, SAME.replace("16", "24")):
        (tmp_path / "train.py").write_text(code)
        done = cli("fix", "--select", "BD304,BD407", "--budget", "60s", "--output-format", "json")
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout)["treatment"]["before"])
    assert said[0] == said[1] != said[2]


# Treatment

ENDS_IN_SIGMOID = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.body, self.head, self.squash = nn.Linear(inputs, 8), nn.Linear(8, 1), nn.Sigmoid()

    def forward(self, x):
        return self.squash(self.head(torch.relu(self.body(x))))

def make_model(inputs, outputs):
    return Net(inputs)
"""


def evidence_on(recipe: Recipe) -> Evidence:
    data = rows()
    cells = {**data.features.to_dict(as_series=False), "y": [data.classes[k] for k in data.labels]}
    dataset = open_dataset(table_source(Table(cells)), "y")
    return with_own_model(Evidence(dataset, scan(dataset, recipe), recipe))


def offers(evidence: Evidence) -> tuple[Finding, ...]:
    """Offer what a rule about a last sigmoid would, and dropout."""
    assert evidence.recipe is not None
    fixes = [Fix("Dropout 0.5", {"model.dropout": 0.5})]
    if evidence.model is not None and evidence.model.outputs.module == "Sigmoid":
        fixes.append(Fix("Take the sigmoid off", {"model.strip-output": True}, Aim.CORRECT))
    return (Finding("", Where("model"), fixes=tuple(fixes), code="TT101"),)


def test_a_treatment_takes_a_last_sigmoid_off_and_says_what_cannot_be_carried_out(here: Path) -> None:
    evidence = evidence_on(own(ENDS_IN_SIGMOID, here))
    assert evidence.model is not None
    assert evidence.model.outputs.module == "Sigmoid"
    assert 0 <= evidence.model.outputs.low <= evidence.model.outputs.high <= 1
    done = treat(evidence, offers, repeats=2, folds=3)
    assert [correction.edits for correction in done.corrections] == [{"model.strip-output": True}]
    assert done.final.model is not None
    assert done.final.model.outputs.last == ""
    assert done.final.model.outputs.module == ""
    assert "In code, the network of train:make_model is changed so: network.squash = nn.Identity()" in done.notes
    (trial,) = (trial for trial in done.trials if not trial.placebo)
    assert trial.status == "error"
    assert "recipe.model.dropout cannot be carried out" in trial.why


def test_a_look_at_a_network_finds_weights_that_do_not_learn(here: Path) -> None:
    code = ENDS_IN_SIGMOID.replace("    return Net(inputs)", "    net = Net(inputs)\n    return frozen(net)")
    code += (
        "\ndef frozen(net):\n    net.body.weight.requires_grad_(False)\n    nn.init.zeros_(net.body.bias)\n"
        "    return net\n"
    )
    found = evidence_on(own(code, here)).model
    assert found is not None
    facts = {parameter.name: parameter for parameter in found.parameters}
    assert (facts["body.weight"].trainable, facts["body.weight"].gradient) == (False, None)
    assert facts["body.bias"].constant == 0
    assert facts["head.weight"].gradient
    assert (found.loss, found.takes, found.labels.values) == ("BCEWithLogitsLoss", "logits", (0.0, 1.0))
