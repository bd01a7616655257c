"""Saves a trained model as a folder without pickles, and predicts from such a folder, trusting nothing in it."""

import hashlib
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import polars as pl
import safetensors.torch
import torch
from safetensors import SafetensorError
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn

from bindoctor.build import build_network
from bindoctor.dataset import ARRAY, Source
from bindoctor.decide import Decision
from bindoctor.engineering import Learned
from bindoctor.errors import InputError
from bindoctor.final import FinalModel
from bindoctor.history import History
from bindoctor.loop import RANDOM
from bindoctor.losses import output_count
from bindoctor.outputs import MODEL_FOLDER
from bindoctor.own_model import make_own
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Model
from bindoctor.rows import features_of
from bindoctor.skops_files import check_storable, check_trees, dump_estimator, load_estimator, load_own_estimator
from bindoctor.torch_steps import network_logits
from bindoctor.train import Fitted
from bindoctor.version import VERSION

FORMAT = 2
PROBED = 4
MANIFEST_FILE = "model.json"
PREPROCESSOR_FILE = "preprocessor.skops"
WEIGHTS_FILE = "weights.safetensors"
ESTIMATOR_FILE = "estimator.skops"
FILES = frozenset({MANIFEST_FILE, PREPROCESSOR_FILE, WEIGHTS_FILE, ESTIMATOR_FILE})


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``model.json`` holds.

    Attributes:
        format: the version of this layout.
        made_with: the versions of the packages that wrote it.
        recipe: what was trained.
        classes: class labels, in the order of the probabilities.
        columns: the columns that rows to predict must have, and how they are read.
        learned: what columns are made and inputs chosen with, learnt from training rows.
        medians: what a missing number is read as, for columns that nothing else answers it for.
        width: inputs of the network or the trees.
        probe: logits of a network of the user's own for rows that ``_probe_rows`` makes, to tell whether their code is
            still what it was; empty for other models.
        shape: of a row that is an array; empty for a table.
        decision: threshold and calibrator.
        digests: SHA-256 of the other files by name.
    """

    format: int
    made_with: dict[str, str]
    recipe: Recipe
    classes: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    columns: Annotated[dict[str, Literal["number", "text"]], msgspec.Meta(min_length=1)]
    learned: Learned
    medians: dict[str, float]
    width: Annotated[int, msgspec.Meta(ge=1)]
    decision: Decision
    digests: dict[str, str]
    probe: tuple[tuple[float, ...], ...] = ()
    shape: tuple[Annotated[int, msgspec.Meta(ge=1, lt=2**31)], ...] = ()


class _AnyFormat(msgspec.Struct):
    format: int


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model read back from disk; its history is empty."""

    model: FinalModel

    def table(self, source: Source) -> pl.DataFrame:
        """Answer every row of a source: ``row`` (0-based), ``p_<class>`` for each class, and the class ``decision``.

        The target may be absent. Levels that training never saw and missing values are answered as
        ``FinalModel.predict`` says; a cell of a number column that is no number counts as missing.

        Raises:
            InputError: the source lacks a column that the model needs, cannot be read, or holds too large a number.
        """
        fitted = self.model.fitted
        probability = self.model.predict(features_of(source, fitted.recipe, fitted.columns, fitted.shape))
        return pl.DataFrame(
            {
                "row": np.arange(len(probability)),
                **{f"p_{label}": probability[:, k] for k, label in enumerate(fitted.classes)},
                "decision": np.array(fitted.classes)[self.model.decision.answer(probability)],
            }
        )


def save_model(out: Path, model: FinalModel) -> tuple[Path, ...]:
    """Write ``out/model``, all of it at once: a model that is there already is replaced, never mixed with.

    Returns:
        The files written.

    Raises:
        InputError: there is something at ``out/model`` that is not a model, or the folder cannot be written.
    """
    folder = out / MODEL_FOLDER
    foreign = _foreign(folder)
    if foreign:
        raise InputError(f"{folder}: {foreign!r} is there, which belongs to no model; move it, or name another folder.")
    contents = _contents(model)
    try:
        _replace(folder, contents)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); name another folder, or make room."
        ) from error
    return tuple(folder / file for file in contents)


def load_model(path: Path, named: Callable[[], Model] = Model) -> StoredModel:
    """Read a model that ``save_model`` wrote.

    The files may come from anybody. None of them can name code to run: scikit-learn's objects are read by skops against
    a list of allowed types, weights as plain tensors, everything else as checked JSON. A network or an estimator of the
    user's own is only made where the user's settings name the same one.

    Args:
        path: the model folder, or the folder that holds it.
        named: gives the model that the user's settings name; asked only for a model that is the user's own.

    Raises:
        InputError: there is no model, or a file of it is missing, damaged or not what this version writes, or it is
            another one than the settings name, or the code has changed since.
    """
    folder = path if (path / MANIFEST_FILE).is_file() else path / MODEL_FOLDER
    if not (folder / MANIFEST_FILE).is_file():
        raise InputError(
            f"{path}: no model there; name the folder that 'bindoctor train' wrote, such as bindoctor-out."
        )
    manifest = _read_manifest(folder / MANIFEST_FILE)
    own = manifest.recipe.model.own
    settings = named() if own else Model()
    if own and own not in (settings.factory, settings.estimator):
        raise InputError(
            f"{folder}: is a model of {own}, code that only settings may name; run this in the folder whose "
            f"bindoctor.toml says {manifest.recipe.model.kind} = {own!r} under [recipe.model]."
        )

    def read(name: str) -> bytes:
        content = _read(folder / name)
        if hashlib.sha256(content).hexdigest() != manifest.digests.get(name):
            raise InputError(f"{folder / name}: is damaged or belongs to another model; train again.")
        return content

    try:
        model = _assembled(folder, manifest, read)
        # One row without a single value goes through every part, so that what does not fit shows here.
        answered = model.predict(_empty_row(manifest))
    except InputError:
        raise
    # Objects that a stranger put together can fail in any way.
    except Exception as error:
        raise InputError(
            f"{folder}: its files do not fit together ({type(error).__name__}); train again.{_versions(manifest)}"
        ) from error
    if answered.shape != (1, len(manifest.classes)) or not np.isfinite(answered).all():
        raise InputError(f"{folder}: the model does not answer with probabilities of its classes; train again.")
    return StoredModel(model)


def _empty_row(manifest: Manifest) -> pl.DataFrame:
    if manifest.shape:
        zeros = np.zeros((1, *manifest.shape), dtype=np.float32)
        return pl.DataFrame({ARRAY: pl.Series(ARRAY, zeros, dtype=pl.Array(pl.Float32, manifest.shape))})
    return pl.DataFrame(
        {name: [None] for name in manifest.columns},
        schema={name: pl.Float64 if kind == "number" else pl.String for name, kind in manifest.columns.items()},
    )


def _foreign(folder: Path) -> str:
    """Return the name of something at the model's place that no ``save_model`` wrote, or ""."""
    if not folder.exists():
        return ""
    if not folder.is_dir():
        return folder.name
    return min((entry.name for entry in folder.iterdir() if entry.name not in FILES), default="")


def _replace(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder's files beside it, then put them in its place; where that fails, the old folder stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
        fresh, stale = Path(name, "fresh"), Path(name, "stale")
        fresh.mkdir()
        for file, content in contents.items():
            (fresh / file).write_bytes(content)
        try:
            if folder.exists():
                folder.rename(stale)
            fresh.rename(folder)
        except BaseException:
            if stale.exists() and not folder.exists():
                stale.rename(folder)
            raise


def _contents(model: FinalModel) -> Mapping[str, bytes]:
    fitted = model.fitted
    files = {PREPROCESSOR_FILE: dump_estimator(fitted.preprocessor)}
    if fitted.network is not None:
        state = {name: tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}
        files[WEIGHTS_FILE] = safetensors.torch.save(state)
    if fitted.estimator is not None:
        files[ESTIMATOR_FILE] = dump_estimator(fitted.estimator)
        if fitted.recipe.model.own:
            check_storable(fitted.recipe.model.own, files[ESTIMATOR_FILE])
    width = math.prod(fitted.shape) if fitted.shape else 0
    width = width or len(fitted.learned.kept or fitted.preprocessor.get_feature_names_out())
    manifest = Manifest(
        format=FORMAT,
        made_with={"bindoctor": VERSION, **{name: version(name) for name in ("scikit-learn", "skops", "torch")}},
        recipe=fitted.recipe,
        classes=fitted.classes,
        columns=dict(fitted.columns),
        learned=fitted.learned,
        medians=dict(model.medians),
        width=width,
        decision=model.decision,
        digests={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        probe=_probe(fitted.network, _probe_rows(width)) if fitted.network and fitted.recipe.model.own else (),
        shape=fitted.shape,
    )
    return {MANIFEST_FILE: msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n", **files}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); train again, or name the folder of a model."
        ) from None


def _read_manifest(path: Path) -> Manifest:
    content = _read(path)
    try:
        found = msgspec.json.decode(content, type=_AnyFormat).format
        if found != FORMAT:
            raise InputError(
                f"{path}: has format {found}, and bindoctor {VERSION} reads format {FORMAT}; train again, or use the "
                "version that wrote it."
            )
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: is damaged or not a model ({error}); train again.") from None


def _assembled(folder: Path, manifest: Manifest, read: Callable[[str], bytes]) -> FinalModel:
    recipe = manifest.recipe
    preprocessor = load_estimator(folder / PREPROCESSOR_FILE, read(PREPROCESSOR_FILE), ColumnTransformer)
    network: nn.Module | None = None
    estimator: Any = None
    if recipe.model.kind == "gradient-boosting":
        estimator = load_estimator(folder / ESTIMATOR_FILE, read(ESTIMATOR_FILE), HistGradientBoostingClassifier)
        check_trees(folder / ESTIMATOR_FILE, estimator, manifest.width)
    elif recipe.model.kind == "estimator":
        estimator = load_own_estimator(folder / ESTIMATOR_FILE, read(ESTIMATOR_FILE), manifest.width)
    elif recipe.model.kind == "factory":
        network = _load_own_network(folder / WEIGHTS_FILE, read(WEIGHTS_FILE), manifest)
    else:
        network = _load_network(folder / WEIGHTS_FILE, read(WEIGHTS_FILE), manifest)
    fitted = Fitted(
        recipe,
        manifest.classes,
        manifest.columns,
        manifest.learned,
        preprocessor,
        network,
        estimator,
        History(()),
        manifest.shape,
    )
    return FinalModel(fitted, manifest.decision, manifest.medians)


def _load_own_network(path: Path, content: bytes, manifest: Manifest) -> nn.Module:
    model, rows = manifest.recipe.model, _probe_rows(manifest.width)
    outputs = output_count(manifest.recipe.loss, len(manifest.classes))
    with RANDOM, torch.random.fork_rng(devices=[]):
        made = make_own(model, rows, outputs, seed=manifest.recipe.train.seed, shape=manifest.shape)
    network = made.network
    try:
        state = safetensors.torch.load(content)
    except SafetensorError as error:
        raise InputError(f"{path}: is no safetensors file ({error}); train again.") from None
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    changed = f"{path}: does not fit the network that {model.factory} makes now; train again, or undo the change."
    if {name: tensor.shape for name, tensor in state.items()} != expected:
        raise InputError(changed)
    network.load_state_dict(state)
    # The same weights in other code are another model.
    if not np.allclose(_probe(network.eval(), rows), manifest.probe, rtol=1e-3, atol=1e-4):
        raise InputError(changed)
    return network


def _probe_rows(width: int) -> torch.Tensor:
    """Return a few rows with numbers of the size of scaled features, shape (PROBED, width)."""
    return torch.randn(PROBED, width, generator=torch.Generator().manual_seed(0))


def _probe(network: nn.Module, rows: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, network_logits(network, rows).tolist()))


def _load_network(path: Path, content: bytes, manifest: Manifest) -> nn.Sequential:
    # On the meta device nothing is allocated, whatever sizes a stranger's manifest claims.
    with torch.device("meta"):
        outputs = output_count(manifest.recipe.loss, len(manifest.classes))
        network = build_network(manifest.recipe.model, manifest.width, outputs)
    expected = {name: (tensor.shape, tensor.dtype) for name, tensor in network.state_dict().items()}
    try:
        state = safetensors.torch.load(content)
    except SafetensorError as error:
        raise InputError(f"{path}: is no safetensors file ({error}); train again.") from None
    if {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()} != expected:
        raise InputError(f"{path}: does not hold the weights of the network in {MANIFEST_FILE}; train again.")
    network.load_state_dict(state, assign=True)
    return network.eval()


def _versions(manifest: Manifest) -> str:
    here = {name: version(name) for name in ("scikit-learn", "skops", "torch")}
    other = [
        f"{name} {made} (here {here[name]})"
        for name, made in manifest.made_with.items()
        if made != here.get(name, made)
    ]
    return f" It was made with {', '.join(other)}." if other else ""
