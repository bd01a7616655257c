"""NumPy arrays: tables of two dimensions, rows that are arrays of more, and nothing that is unpickled."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Cli
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.channels import as_rows, channel_frame, row_shape_of
from bindoctor.dataset import Dataset
from bindoctor.evidence import Evidence
from bindoctor.final import train_evidence, train_final
from bindoctor.own_code import forget_own_code
from bindoctor.prepare import prepare
from bindoctor.readers import open_dataset, open_source
from bindoctor.readers.arrays import ArraySource, memory_source, with_labels
from bindoctor.rows import rows_of
from bindoctor.sampling import excerpt
from bindoctor.scan import scan
from bindoctor.store import load_model, save_model

CODE = """
from torch import nn

def images(shape, outputs):
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, outputs)
    )

def line(shape, outputs):
    length, channels = shape
    return Convolution(channels, outputs)

class Convolution(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.convolution, self.head = nn.Conv1d(channels, 6, 5), nn.Linear(6, outputs)

    def forward(self, x):
        return self.head(self.convolution(x.transpose(1, 2)).relu().amax(2))

def recurrent(shape, outputs):
    return Recurrent(shape[1], outputs)

class Recurrent(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.cell, self.head = nn.GRU(channels, 8, batch_first=True), nn.Linear(8, outputs)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with a user's networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(CODE)
    forget_own_code()
    yield tmp_path
    forget_own_code()


def pictures(n: int = 240, channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return images of bytes, of which some hold a bright square, and which do."""
    random = np.random.default_rng(0)
    y = (np.arange(n) % 5 == 0).astype(np.int64)
    x = random.integers(0, 90, (n, channels, 8, 8)).astype(np.uint8)
    for i in np.flatnonzero(y):
        row, column = random.integers(0, 5, 2)
        x[i, 0, row : row + 3, column : column + 3] = 220
    return x, y


def waves(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    y, t = np.arange(n) % 2, np.linspace(0, 1, 20)
    first = np.sin(2 * np.pi * (2 + 3 * y[:, None]) * t + random.random((n, 1)))
    return np.stack([40 + 10 * first, random.normal(size=(n, 20))], axis=2), y


def opened(path: Path, target: str | None = None) -> Dataset:
    return open_dataset(open_source(path), target)


# Reading


def test_two_dimensions_are_a_table(tmp_path: Path) -> None:
    x = np.array([[1.5, np.nan], [2, 3], [4, 5]])
    np.savez(tmp_path / "d.npz", X=x, y=np.array([0, 1, 0]))
    (frame,) = opened(tmp_path / "d.npz").source.batches()
    assert frame.to_dict(as_series=False) == {
        "0": ["1.5", "2.0", "4.0"],
        "1": [None, "3.0", "5.0"],
        "y": ["0", "1", "0"],
    }


@pytest.mark.parametrize(("inputs", "labels"), [("X", "y"), ("images", "labels"), ("data", "target")])
def test_arrays_are_found_in_an_archive_by_their_usual_names(tmp_path: Path, inputs: str, labels: str) -> None:
    x, y = pictures(10)
    named: dict[str, Any] = {inputs: x, labels: y, "more": np.zeros(3)}
    np.savez_compressed(tmp_path / "d.npz", **named)
    dataset = opened(tmp_path / "d.npz")
    assert (dataset.target, dataset.row_shape) == (labels, (2, 8, 8))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["good", "bad"]), ["good", "bad"]),
        (np.array([b"good", b"bad"]), ["good", "bad"]),
        (np.array([1.0, 0.0]), ["1", "0"]),
        (np.array([True, False]), ["true", "false"]),
        (np.array([[3], [4]]), ["3", "4"]),
        (np.array([1.0, np.nan]), ["1", None]),
    ],
)
def test_labels_in_a_file_of_their_own_become_text(tmp_path: Path, labels: np.ndarray, expected: list[str]) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 4)))
    np.save(tmp_path / "y.npy", labels)
    path = tmp_path / "y.npy"
    source = with_labels(open_source(tmp_path / "x.npy"), path)
    (frame,) = source.batches([str(path)])
    assert frame[str(path)].to_list() == expected


def test_an_array_in_memory_is_read_as_that_of_a_file(tmp_path: Path) -> None:
    x, y = pictures(30)
    source, filed = memory_source(x, y), open_source(_save(tmp_path, X=x, y=y))
    assert [frame.equals(other) for frame, other in zip(source.batches(), filed.batches(), strict=True)] == [True]
    assert source.digest() != memory_source(x + 1, y).digest()
    assert source.digest() != memory_source(x, 1 - y).digest()


def test_an_npy_file_stays_on_the_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2), dtype=np.uint8))
    source = open_source(tmp_path / "x.npy")
    assert isinstance(source, ArraySource)
    assert isinstance(source.array, np.memmap)


def _save(path: Path, **arrays: Any) -> Path:
    np.savez(path / "d.npz", **arrays)
    return path / "d.npz"


def _cut(path: Path) -> Path:
    whole = _save(path, X=np.zeros((9, 4, 4)), y=np.zeros(9)).read_bytes()
    (path / "cut.npz").write_bytes(whole[:-200])
    return path / "cut.npz"


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "objects": (lambda p: _save(p, X=np.array([{}, 1], dtype=object), y=np.zeros(2)), "are not unpickled"),
    "labels that are objects": (
        lambda p: _save(p, X=np.zeros((2, 2, 2)), y=np.array([{}, 1], object)),
        "not unpickled",
    ),
    "texts": (lambda p: _save(p, X=np.array([["a"], ["b"]]), y=np.zeros(2)), "the inputs are <U1, and not numbers"),
    "complex numbers": (lambda p: _save(p, X=np.zeros((2, 2), complex), y=np.zeros(2)), "and not numbers"),
    "one dimension": (lambda p: _save(p, X=np.zeros(3), y=np.zeros(3)), r"give rows of numbers, \(n, …\)"),
    "no rows": (lambda p: _save(p, X=np.zeros((0, 3, 3)), y=np.zeros(0)), "which holds nothing"),
    "another number of labels": (
        lambda p: _save(p, X=np.zeros((3, 2, 2)), y=np.zeros(4)),
        "3 rows of inputs and 4 labels",
    ),
    "one-hot labels": (lambda p: _save(p, X=np.zeros((3, 2, 2)), y=np.eye(3)), r"give y\.argmax\(axis=1\)"),
    "no inputs": (lambda p: _save(p, a=np.zeros(3), b=np.zeros(3)), "holds no array called X.*only a, b"),
    "a file that is cut off": (_cut, "cut off or damaged|cannot be read"),
}


def test_inputs_alone_are_asked_for_their_labels(cli: Cli, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2)))
    done = cli("check", "x.npy")
    assert done.returncode == 2
    assert "x.npy: holds no labels; name their file with --target y.npy" in done.stderr


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_one_message(tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        open_source(make(tmp_path))
    assert "\n" not in str(caught.value)


# What is scanned


def test_rows_are_told_apart_by_all_their_cells_and_channels_by_one_of_each_row(tmp_path: Path) -> None:
    x, y = pictures(2000)
    x[1] = 200 * (np.arange(64).reshape(8, 8) % 2)  # the second channel of nobody else is so
    x[7], y[7] = x[3], y[3]
    x[9], y[9] = x[4], 1 - y[4]
    path = _save(tmp_path, X=x, y=y)
    profile = scan(opened(path), Recipe())
    assert profile.row_shape == (2, 8, 8)
    assert [list(profile.duplicates.numbers), list(profile.conflicts.numbers)] == [[7], [4, 9]]
    assert list(profile.columns) == ["channel 0", "channel 1"]
    moments = profile.columns["channel 1"].moments
    assert moments is not None
    assert moments.median == pytest.approx(np.median(x[:, 1]), abs=4)
    assert moments.std == pytest.approx(x[:, 1].std(), rel=0.05)


def test_an_excerpt_scans_and_trains_on_its_rows_alone(tmp_path: Path) -> None:
    x, y = pictures(60)
    part = excerpt(opened(_save(tmp_path, X=x, y=y)), np.arange(5, 35, 2))
    rows = rows_of(part, Recipe())
    assert scan(part, Recipe()).rows == 15
    assert np.array_equal(rows.row_ids, np.arange(5, 35, 2))
    assert np.array_equal(rows.features["array"].to_numpy(), x[5:35:2].astype(np.float32))
    assert np.array_equal(rows.take(np.array([3, 0])).features["array"].to_numpy(), x[[11, 5]].astype(np.float32))


# Preprocessing

SHAPES = st.sampled_from([(3, 4, 5), (6, 2), (8, 8, 3), (2, 3, 2, 2)])


@given(SHAPES, st.integers(1, 5))
def test_channels_go_apart_and_together_again(shape: tuple[int, ...], n: int) -> None:
    import polars as pl

    x = np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)
    features = pl.DataFrame({"array": pl.Series("array", x)})
    assert row_shape_of(features) == shape
    assert np.array_equal(as_rows(channel_frame(features).to_numpy(), shape), x.reshape(n, -1))


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "quantile", "power", "log1p"])
def test_each_channel_is_scaled_as_one_column_fitted_on_training_rows(tmp_path: Path, scale: str) -> None:
    x, y = pictures()
    x[:, 1] //= 3
    rows = rows_of(opened(_save(tmp_path, X=x, y=y)), Recipe())
    train, test = np.arange(100), np.arange(100, 240)
    done = prepare(Recipe().edited({"features.scale": scale}), rows.take(train), rows.take(test), seed=0)
    assert done.shape == (2, 8, 8) and done.test is not None
    cells = done.train.matrix.reshape(-1, 2, 64)
    if scale == "standard":
        exact = x.astype(np.float64).reshape(-1, 2, 64)
        means, stds = exact[:100].mean((0, 2)), exact[:100].std((0, 2))
        expected = (exact[100:] - means[:, None]) / stds[:, None]
        assert np.allclose(done.test.matrix.reshape(-1, 2, 64), expected, atol=1e-5)
    assert np.isfinite(cells).all()
    assert cells[:, 0].std() / cells[:, 1].std() < 1.6


def test_missing_cells_are_said_or_imputed(tmp_path: Path) -> None:
    x, y = pictures()
    x = x.astype(np.float32)
    x[3, 1, 2, 2] = np.nan
    rows = rows_of(opened(_save(tmp_path, X=x, y=y)), Recipe())
    with pytest.raises(InputError, match="'channel 1' has 1 missing cells"):
        prepare(Recipe(), rows, seed=0)
    done = prepare(Recipe().edited({"features.impute": "median"}), rows, seed=0)
    assert done.train.matrix.reshape(x.shape)[3, 1, 2, 2] == np.nanmedian(x[:, 1])


@pytest.mark.parametrize("setting", [{"data.drop": ["channel 0"]}, {"features.keep": 3}, {"features.indicators": True}])
def test_settings_about_columns_are_refused(tmp_path: Path, setting: dict[str, object]) -> None:
    rows = rows_of(opened(_save(tmp_path, X=pictures()[0], y=pictures()[1])), Recipe())
    with pytest.raises(InputError, match=rf"recipe\.{next(iter(setting))} is about columns"):
        prepare(Recipe().edited(setting), rows, seed=0)


# Training

SETUPS: dict[str, dict[str, object]] = {
    "images": {"train.epochs": 60, "optimizer.learning-rate": 0.02, "model.dropout": 0.1, "model.batch-norm": True},
    "line": {"train.epochs": 30, "optimizer.learning-rate": 0.02},
    "recurrent": {"train.epochs": 30, "optimizer.learning-rate": 0.02},
}


@pytest.mark.parametrize("name", SETUPS)
def test_a_network_of_arrays_learns_is_stored_and_answers_as_before(here: Path, name: str) -> None:
    x, y = pictures() if name == "images" else waves()
    recipe = Recipe().edited(
        {"model.factory": f"train:{name}", "features.scale": "standard", "train.device": "cpu", **SETUPS[name]}
    )
    dataset = opened(_save(here, X=x, y=y))
    evidence, note = train_evidence(Evidence(dataset, scan(dataset, recipe), recipe))
    assert not note
    assert evidence.predictions is not None and evidence.model is not None
    assert evidence.model.outputs.shape == (len(y), 1)
    answers = evidence.predictions.probability[:, 1]
    assert answers[evidence.predictions.truth == 1].mean() > 0.3 + answers[evidence.predictions.truth == 0].mean()
    model = train_final(recipe, rows_of(dataset, recipe), seed=0)
    save_model(here, model)
    loaded = load_model(here, lambda: recipe.model)
    table = loaded.table(dataset.source)
    assert np.allclose(table["p_1"].to_numpy(), model.predict(rows_of(dataset, recipe).features)[:, 1], atol=1e-6)
    np.savez(here / "other.npz", X=np.zeros((2, 3)), y=np.zeros(2))
    with pytest.raises(InputError, match="and the model takes"):
        loaded.table(open_source(here / "other.npz"))


@pytest.mark.parametrize("kind", ["mlp", "logistic", "gradient-boosting"])
def test_other_models_take_the_cells_of_an_array_as_inputs(here: Path, kind: str) -> None:
    x, y = pictures()
    recipe = Recipe().edited({"model.kind": kind, "features.scale": "minmax", "train.epochs": 2})
    dataset = opened(_save(here, X=x, y=y))
    model = train_final(recipe, rows_of(dataset, recipe), seed=0)
    save_model(here, model)
    assert load_model(here).table(dataset.source).height == len(y)
    if model.fitted.network is not None:
        assert next(model.fitted.network.parameters()).shape[1] == 128
    assert torch.get_num_threads() > 0


# The command line


def test_check_says_what_holds_for_arrays_and_which_rules_do_not_apply(cli: Cli, tmp_path: Path) -> None:
    x, y = pictures(400)
    x[11], y[11] = x[10], y[10]
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.where(y, "bad", "good"))
    done = cli("check", "x.npy", "--target", "y.npy", "--output-format", "json")
    report = json.loads(done.stdout)
    found = {finding["code"]: finding for finding in report["findings"]}
    assert {"BD103", "BD113"} <= set(found)
    assert found["BD113"]["rows"]["first"] == [11]
    assert "2 of 2 channels" in found["BD103"]["message"]
    skipped = {o["code"]: o["why"] for o in report["outcomes"] if o["status"] == "skipped"}
    assert skipped["BD109"] == "reads columns, which rows that are arrays do not have"
    assert "BD101" not in skipped


def test_rows_of_the_validation_part_are_found_among_the_training_rows(cli: Cli, tmp_path: Path) -> None:
    x, y = pictures(400)
    np.savez(tmp_path / "d.npz", X=x[:300], y=y[:300])
    np.savez(tmp_path / "v.npz", X=np.concatenate([x[295:300], x[300:]]), y=np.concatenate([y[295:300], y[300:]]))
    done = cli("check", "d.npz", "--valid", "v.npz", "--output-format", "json")
    found = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "5 of 105" in found["BD202"]["message"]
