import hashlib
import io
import math
import os
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
import safetensors.torch
import skops.io
import torch
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from bindoctor import InputError, Recipe, Table
from bindoctor.final import FinalModel, train_final
from bindoctor.readers import open_dataset, open_source, table_source
from bindoctor.rows import features_of, rows_of
from bindoctor.store import FILES, load_model, save_model

QUICK = {"train.epochs": 3, "model.hidden": [8]}
MIXED = {
    **QUICK,
    "features.impute": "median",
    "features.indicators": True,
    "features.scale": "standard",
    "features.rare": 20,
    "features.encode-columns.city": "target",
    "features.transform.income": "log1p",
}
BOOSTED = {"model.kind": "gradient-boosting"}
COMPLETE = {"data.drop": ["age"]}


def people(rows: int = 240, *, classes: tuple[str, ...] = ("no", "yes"), seed: int = 0) -> Table:
    """Numbers with and without holes, texts with rare levels and holes, and a target that depends on both."""
    draw = random.Random(seed)
    cells: dict[str, list[object]] = {"income": [], "age": [], "city": [], "job": [], "y": []}
    for _ in range(rows):
        income = draw.lognormvariate(3, 1)
        city = draw.choice(["Ulm", "Bonn", "Kiel"])
        cells["income"].append(income)
        cells["age"].append(None if draw.random() < 0.2 else draw.randint(18, 80))
        cells["city"].append(city)
        cells["job"].append(draw.choice(["cook", "clerk", "cook", "clerk", "pilot", None]))
        position = (income > 20) + (city == "Kiel") * draw.random()
        cells["y"].append(classes[min(int(position * len(classes) / 2), len(classes) - 1)])
    return Table(cells)


def trained(edits: Mapping[str, Any], table: Table | None = None) -> FinalModel:
    recipe = Recipe().edited(edits)
    return train_final(recipe, rows_of(open_dataset(table_source(table or people()), "y"), recipe), seed=0)


def without_target(table: Table) -> dict[str, list[object]]:
    return {name: list(cells) for name, cells in table.cells.items() if name != "y"}


def rewrite(folder: Path, name: str, content: bytes, **changes: Any) -> None:
    """Forge a file of a model, manifest included."""
    manifest = msgspec.json.decode((folder / "model.json").read_bytes())
    manifest["digests"][name] = hashlib.sha256(content).hexdigest()
    (folder / name).write_bytes(content)
    (folder / "model.json").write_bytes(msgspec.json.encode({**manifest, **changes}))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(edits: Mapping[str, Any]) -> Path:
        save_model(tmp_path, trained(edits))
        return tmp_path / "model"

    return save


@pytest.mark.parametrize(
    "edits",
    [
        {**QUICK, **COMPLETE},
        {**QUICK, **COMPLETE, "model.batch-norm": True, "model.dropout": 0.2, "features.scale": "power"},
        {**QUICK, **COMPLETE, "features.scale": "quantile", "loss.kind": "cross-entropy"},
        MIXED,
        {**MIXED, "decide.calibrate": "isotonic", "decide.threshold": "tuned", "split.folds": 2},
        {**MIXED, "decide.calibrate": "platt", "split.folds": 2},
        BOOSTED,
        {**BOOSTED, **MIXED, "features.scale": "log1p"},
    ],
    ids=str,
)
def test_a_model_read_back_answers_exactly_as_the_one_that_was_saved(edits: dict[str, Any], tmp_path: Path) -> None:
    model, rows = trained(edits), table_source(people(seed=1))
    save_model(tmp_path, model)
    table = load_model(tmp_path).table(rows)
    features = rows_of(open_dataset(rows, "y"), model.fitted.recipe).features
    np.testing.assert_array_equal(table["p_yes"], model.predict(features)[:, 1])
    answers = [model.fitted.classes[k] for k in model.decide(features)]
    assert table["decision"].to_list() == answers
    assert table["row"].to_list() == list(range(240))


ENGINEERED = {
    **MIXED,
    "features.dates.day": {"format": "%d.%m.%Y", "parts": ["month", "weekday", "days"]},
    "features.derive.share": {"op": "ratio", "a": "income", "b": "debt"},
    "features.derive.over_town": {"op": "group-mean-difference", "a": "income", "by": "city"},
    "features.clip.share": [0.05, 0.95],
    "features.encode-columns.job": "hash",
    "features.keep": 12,
}
UNIMPUTED = {
    **QUICK,
    **COMPLETE,
    "features.dates.day": {"format": "%d.%m.%Y"},
    "features.derive.share": {"op": "ratio", "a": "income", "b": "debt"},
}
CLEANED = {
    **MIXED,
    "data.drop": ["day"],
    "data.tidy": ["city", "job"],
    "data.limits.income": [0, 200],
    "data.limits.age": [-math.inf, 70],
    "data.conflicts": "majority",
    "data.drop-rows": [3, 7],
    "data.weight": "debt",
    "split.column": "part",
}


def rich_people(rows: int = 240, *, seed: int = 0) -> Table:
    """People with debts, some of them none, dates, and which part they belong to."""
    cells: dict[str, list[object]] = {name: list(column) for name, column in people(rows, seed=seed).cells.items()}
    cells["debt"] = [k * (seed + 3) % 7 for k in range(rows)]
    cells["day"] = [f"{1 + k % 28:02d}.{1 + k % 12:02d}.{2020 + k % (3 + seed)}" for k in range(rows)]
    cells["part"] = ["test" if k % 5 == 0 else "train" for k in range(rows)]
    return Table(cells)


@pytest.mark.parametrize(
    "edits",
    [
        ENGINEERED,
        {**ENGINEERED, **BOOSTED, "features.impute": "none", "features.keep": 0},
        {**ENGINEERED, **BOOSTED, "features.impute": "none", "features.keep": 5},
        UNIMPUTED,
        CLEANED,
        {**CLEANED, **BOOSTED},
    ],
    ids=["engineered", "engineered trees", "few inputs of trees", "nothing imputed", "cleaned", "cleaned trees"],
)
def test_what_is_made_of_columns_is_made_alike_by_a_model_read_back(edits: dict[str, Any], tmp_path: Path) -> None:
    model = trained(edits, rich_people())
    save_model(tmp_path, model)
    cells = without_target(rich_people(seed=1))
    cells["city"] = ["Rome", None, *cells["city"][2:]]
    cells["day"] = ["soon", None, *cells["day"][2:]]
    source = table_source(Table(cells))
    features = features_of(source, model.fitted.recipe, model.fitted.columns)
    table = load_model(tmp_path).table(source)
    np.testing.assert_array_equal(table["p_yes"], model.predict(features)[:, 1])
    assert np.isfinite(table["p_yes"].to_numpy()).all()
    assert np.ptp(table["p_yes"].to_numpy()) > 0.01


def test_rows_to_predict_need_neither_weights_nor_parts(tmp_path: Path) -> None:
    save_model(tmp_path, trained(CLEANED, rich_people()))
    assert load_model(tmp_path).table(table_source(Table(without_target(people())))).height == 240


def test_inputs_that_are_not_there_are_refused(saved: Callable[..., Path]) -> None:
    folder = saved({**MIXED, "features.keep": 3})
    manifest = msgspec.json.decode((folder / "model.json").read_bytes())
    manifest["learned"]["kept"] = [0, 1, 10**6]
    (folder / "model.json").write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(InputError, match="do not fit together"):
        load_model(folder)


def test_the_table_of_three_classes_has_a_probability_for_each(tmp_path: Path) -> None:
    table = people(classes=("low", "mid", "top"))
    edits = {**MIXED, "loss.kind": "cross-entropy", "decide.calibrate": "temperature", "split.folds": 2}
    save_model(tmp_path, trained(edits, table))
    answered = load_model(tmp_path / "model").table(table_source(table))
    assert answered.columns == ["row", "p_low", "p_mid", "p_top", "decision"]
    probability = answered.select("p_low", "p_mid", "p_top").to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    likeliest = np.array(["low", "mid", "top"])[probability.argmax(axis=1)]
    assert answered["decision"].to_list() == likeliest.tolist()


@pytest.mark.parametrize("edits", [{**QUICK, **COMPLETE}, MIXED, BOOSTED], ids=["plain", "mixed", "boosted"])
def test_missing_values_and_levels_never_seen_are_answered(edits: dict[str, Any], saved: Callable[..., Path]) -> None:
    folder = saved(edits)
    strange: dict[str, list[object]] = {
        "income": [None, "a lot", 30.0],
        "age": [None, 30, None],
        "city": ["Rome", None, "Ulm"],
        "job": ["diver", "cook", None],
    }
    probability = load_model(folder).table(table_source(Table(strange))).select("p_no", "p_yes").to_numpy()
    assert probability.shape == (3, 2)
    assert np.isfinite(probability).all()


def test_a_missing_number_counts_as_the_training_median_where_nothing_imputes_it(saved: Callable[..., Path]) -> None:
    table = people()
    folder = saved({**QUICK, **COMPLETE})
    cells = without_target(table)
    unknown: list[object] = [None] * 240
    gone = load_model(folder).table(table_source(Table({**cells, "income": unknown})))
    median: object = float(np.median(np.array(cells["income"], dtype=float)))
    middle = load_model(folder).table(table_source(Table({**cells, "income": [median] * 240})))
    assert gone.equals(middle)


def test_the_order_of_columns_and_further_columns_do_not_matter(saved: Callable[..., Path]) -> None:
    model = load_model(saved(MIXED))
    cells = without_target(people())
    notes: list[object] = ["x"] * 240
    turned = {"note": notes, **dict(reversed(cells.items()))}
    assert model.table(table_source(Table(cells))).equals(model.table(table_source(Table(turned))))


def test_a_column_that_the_file_lacks_is_named(saved: Callable[..., Path]) -> None:
    model = load_model(saved(MIXED))
    cells = without_target(people())
    del cells["city"]
    with pytest.raises(InputError, match="'city'"):
        model.table(table_source(Table(cells)))


def test_a_csv_file_is_answered_row_by_row(saved: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("job,income,city\ncook,12.5,Ulm\npilot,,\n")
    table = load_model(saved({**QUICK, **COMPLETE})).table(open_source(path))
    assert table["row"].to_list() == [0, 1]


def test_the_folder_holds_tensors_arrays_and_json_and_no_pickle(saved: Callable[..., Path]) -> None:
    folder = saved(MIXED)
    assert {path.name for path in folder.iterdir()} == {"model.json", "preprocessor.skops", "weights.safetensors"}
    with zipfile.ZipFile(folder / "preprocessor.skops") as archive:
        arrays = [name for name in archive.namelist() if name != "schema.json"]
        assert arrays
        for name in arrays:
            np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
    assert safetensors.torch.load_file(folder / "weights.safetensors")["0.weight"].dtype == torch.float32


def test_the_files_written_are_returned(tmp_path: Path) -> None:
    written = save_model(tmp_path / "out", trained(BOOSTED))
    assert {path.name for path in written} == {"model.json", "preprocessor.skops", "estimator.skops"}
    assert all(path.is_file() for path in written)


def test_a_new_model_replaces_an_old_one_whole(saved: Callable[..., Path], tmp_path: Path) -> None:
    saved(BOOSTED)
    folder = saved({**QUICK, **COMPLETE})
    assert {path.name for path in folder.iterdir()} == FILES - {"estimator.skops"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failing_save_leaves_the_old_model(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved({**QUICK, **COMPLETE})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == "fresh":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(InputError, match="No space"):
        saved(MIXED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        save_model(tmp_path, trained(BOOSTED))
    assert (tmp_path / "model" / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match=r"taken/model: cannot be written \(File exists\)"):
        save_model(tmp_path / "taken", trained(BOOSTED))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model there"):
        load_model(tmp_path)


@pytest.mark.parametrize("edits", [MIXED, BOOSTED], ids=["network", "boosted"])
def test_a_missing_file_is_named(edits: dict[str, Any], saved: Callable[..., Path]) -> None:
    for name in FILES - {"model.json"}:
        folder = saved(edits)
        if (folder / name).exists():
            (folder / name).unlink()
            with pytest.raises(InputError, match=f"{name}: cannot be read"):
                load_model(folder)


@pytest.mark.parametrize("edits", [MIXED, BOOSTED], ids=["network", "boosted"])
def test_a_damaged_file_is_named(edits: dict[str, Any], saved: Callable[..., Path]) -> None:
    folder = saved(edits)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:]):
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=f"{path.name}: is damaged"):
                load_model(folder)
        path.write_bytes(whole)


def test_files_of_two_models_are_not_mixed(saved: Callable[..., Path]) -> None:
    folder = saved({**QUICK, **COMPLETE})
    weights = (folder / "weights.safetensors").read_bytes()
    folder = saved({**QUICK, **COMPLETE, "optimizer.learning-rate": 0.01})
    (folder / "weights.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match="another model"):
        load_model(folder)


def test_a_model_of_a_later_format_says_so(saved: Callable[..., Path]) -> None:
    folder = saved({**QUICK, **COMPLETE})
    (folder / "model.json").write_bytes(b'{"format": 3, "shape": "unknown"}')
    with pytest.raises(InputError, match="has format 3"):
        load_model(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["yes"]},
        {"classes": ["no", "yes", "perhaps"]},
        {"width": 0},
        {"width": 10**15},
        {"columns": {"income": "picture"}},
        {"recipe": {"model": {"hidden": [10**12, 10**12]}}},
        {"recipe": {"model": {"kind": "gradient-boosting"}}},
        {"decision": {"threshold": "high"}},
        {"decision": {"threshold": 0.5, "calibrator": {"type": "platt", "slope": [1, 1, 1], "intercept": [0, 0]}}},
        {"code": "import os"},
    ],
    ids=str,
)
def test_a_manifest_that_does_not_fit_is_refused(changes: dict[str, Any], saved: Callable[..., Path]) -> None:
    folder = saved({**QUICK, **COMPLETE})
    rewrite(folder, "weights.safetensors", (folder / "weights.safetensors").read_bytes(), **changes)
    with pytest.raises(InputError):
        load_model(folder)


def test_a_type_that_our_files_do_not_hold_is_named_and_not_loaded(saved: Callable[..., Path]) -> None:
    folder = saved(MIXED)
    forged = ColumnTransformer([("run", FunctionTransformer(os.system), ["income"])])
    rewrite(folder, "preprocessor.skops", skops.io.dumps(forged))
    with pytest.raises(InputError, match=r"preprocessor\.skops: holds 'posix\.system'"):
        load_model(folder)


def test_another_estimator_than_the_expected_one_is_refused(saved: Callable[..., Path]) -> None:
    folder = saved(BOOSTED)
    rewrite(folder, "estimator.skops", (folder / "preprocessor.skops").read_bytes())
    with pytest.raises(InputError, match="holds a ColumnTransformer instead of a HistGradientBoostingClassifier"):
        load_model(folder)


@pytest.mark.parametrize("field", ["left", "right", "feature_idx", "is_categorical"])
def test_a_tree_that_points_outside_is_refused(field: str, saved: Callable[..., Path], tmp_path: Path) -> None:
    model = trained(BOOSTED)
    assert model.fitted.estimator is not None
    nodes = model.fitted.estimator._predictors[0][0].nodes
    nodes[field][0] = 2**30 if field != "is_categorical" else 1
    save_model(tmp_path, model)
    with pytest.raises(InputError, match="a tree in it"):
        load_model(tmp_path)


def test_a_tree_that_walks_in_circles_is_refused(tmp_path: Path) -> None:
    model = trained(BOOSTED)
    assert model.fitted.estimator is not None
    model.fitted.estimator._predictors[0][0].nodes["left"][0] = 0
    save_model(tmp_path, model)
    with pytest.raises(InputError, match="points outside"):
        load_model(tmp_path)


def test_weights_that_are_no_numbers_are_refused(saved: Callable[..., Path]) -> None:
    folder = saved({**QUICK, **COMPLETE})
    state = safetensors.torch.load_file(folder / "weights.safetensors")
    state["0.weight"].fill_(torch.nan)
    rewrite(folder, "weights.safetensors", safetensors.torch.save(state))
    with pytest.raises(InputError, match="does not answer with probabilities"):
        load_model(folder)


def test_loading_does_not_touch_the_random_numbers_of_the_caller(saved: Callable[..., Path]) -> None:
    folder = saved(MIXED)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_model(folder)
    assert torch.equal(torch.rand(3), expected)


def test_the_manifest_is_readable_and_names_what_made_it(saved: Callable[..., Path]) -> None:
    text = (saved(MIXED) / "model.json").read_text()
    manifest = msgspec.json.decode(text)
    assert manifest["classes"] == ["no", "yes"]
    assert manifest["columns"] == {"income": "number", "age": "number", "city": "text", "job": "text"}
    assert Recipe.from_dict(manifest["recipe"]) == Recipe().edited(MIXED)
    assert set(manifest["made_with"]) == {"bindoctor", "scikit-learn", "skops", "torch"}
    assert len(text.splitlines()) > 20


def test_a_wide_range_of_numbers_gives_finite_probabilities(saved: Callable[..., Path]) -> None:
    model = load_model(saved(MIXED))
    extremes: list[object] = [-1e30, -1.0, 0.0, 1e-30, 1e30]
    ulm: list[object] = ["Ulm"] * 5
    cells = {"income": extremes, "age": extremes, "city": ulm, "job": ulm}
    probability = model.table(table_source(Table(cells))).select(pl.col("^p_.*$")).to_numpy()
    assert np.isfinite(probability).all()
