"""Turns sections of the recipe into unfitted scikit-learn and PyTorch objects."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import FeatureHasher
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from torch import nn

from bindoctor.engineering import Columns, check_engineering, engineered_columns
from bindoctor.errors import InputError
from bindoctor.recipe_sections import Data, Features, Model, Optimizer

Floats = npt.NDArray[np.float64]

MAX_QUANTILES = 1000
MAX_MATRIX_BYTES = 2 * 2**30
MAX_WEIGHTS = 2**28
HASHED_INPUTS = 32
MIN_PRIOR = 1e-6

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def signed_log1p(values: npt.ArrayLike) -> Floats:
    """Return sign(x) · log(1 + |x|): log1p where x >= 0, and its mirror image below, so that order is kept."""
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(np.sign(array) * np.log1p(np.abs(array)))


def hashed_levels(columns: Any) -> Floats:
    """Return ``HASHED_INPUTS`` numbers for each text column, shape (n, columns · HASHED_INPUTS).

    A level is one of -1 and 1 in one of them (Weinberger et al. 2009), by MurmurHash3, which is the same everywhere.
    """
    hasher = FeatureHasher(HASHED_INPUTS, input_type="string")
    cells = np.asarray(columns, dtype=object)
    return np.hstack([hasher.transform(cells[:, [k]]).toarray() for k in range(cells.shape[1])])


def hashed_names(transformer: FunctionTransformer, columns: Sequence[str]) -> npt.NDArray[Any]:
    """Return the names of the numbers of ``hashed_levels``: those of their columns."""
    return np.repeat(np.asarray(columns, dtype=object), HASHED_INPUTS)


def column_kinds(features: pl.DataFrame) -> dict[str, Literal["number", "text"]]:
    """Return each column's kind by its type: text for String, number for everything else, arrays included."""
    return {name: "text" if kind == pl.String else "number" for name, kind in features.schema.items()}


def check_columns(data: Data, features: Features, columns: Columns) -> None:
    """Check that the columns which the recipe treats one by one exist and are of the right kind.

    A column that the recipe drops, or turns into others, may still be named.

    Raises:
        InputError: a setting names an unknown column, or one of the wrong kind, or no feature column is left.
    """
    if not columns:
        raise InputError("no feature column is left to train on; recipe.data.drop removes all of them.")
    check_engineering(data, features, columns)
    known = engineered_columns(features, columns)
    gone = {*data.drop, *features.dates, *features.derive}
    settings: tuple[tuple[str, str, Iterable[str]], ...] = (
        ("transform", "number", features.transform),
        ("clip", "number", features.clip),
        ("encode-columns", "text", features.encode_columns),
    )
    for setting, kind, named in settings:
        for name in named:
            if name not in known and name not in gone:
                raise InputError(f"recipe.features.{setting} names {name!r}, which is no feature column.")
            if known.get(name, kind) != kind:
                raise InputError(
                    f"recipe.features.{setting} names {name!r}, a {known[name]} column, but takes {kind} columns "
                    "(recipe.data.casts changes a column's kind)."
                )


def input_frame(features: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """Return the given columns as the preprocessor takes them: a missing text becomes the level "" of its own.

    No cell that was read from a file is "", because blank cells are missing.
    """
    text = [name for name, kind in columns.items() if kind == "text"]
    return features.select(list(columns)).with_columns(pl.col(text).fill_null(""))


def build_preprocessor(
    features: Features, columns: Columns, *, classes: int = 2, rows: int = MAX_QUANTILES, seed: int = 0
) -> ColumnTransformer:
    """Build the unfitted preprocessor: a frame of ``columns`` in, a dense matrix out.

    Number columns are imputed, transformed (``features.transform``) and scaled, text columns encoded; missing numbers
    get indicator columns behind them where the recipe asks. Levels with fewer than ``features.rare`` training rows
    share one column, which also takes levels never seen in training; without such a column these get zeros. Target
    encoding (Micci-Barreca 2001) is cross-fitted over five folds of the training rows in ``fit_transform`` and then
    scaled as a number is; hashed levels stay as ``hashed_levels`` gives them. The scale "log1p" is the signed
    logarithm, standardised; "quantile" maps to the normal distribution; "power" is the Yeo-Johnson transform (2000).

    Args:
        features: the recipe's section.
        columns: the columns to preprocess by name, those of ``engineered_columns``.
        classes: how many classes the target has.
        rows: training rows, the upper limit of the quantiles that can be told apart.
        seed: for the folds of target encoding and the subsample of quantiles.
    """
    numbers = [name for name, kind in columns.items() if kind == "number"]
    texts = [name for name, kind in columns.items() if kind == "text"]
    steps: list[tuple[str, Any, list[str]]] = []
    for transform in ("none", *dict.fromkeys(features.transform.values())):
        chosen = [name for name in numbers if features.transform.get(name, "none") == transform]
        pipeline = [
            *_imputer(features),
            *_scaler("transform", transform, rows, seed),
            *_scaler("scale", features.scale, rows, seed),
        ]
        steps.append((f"numbers_{transform}", Pipeline(pipeline) if pipeline else "passthrough", chosen))
    if features.indicators:
        steps.append(("missing", MissingIndicator(features="missing-only", error_on_new=False), numbers))
    target_encoded, hashed, one_hot = (
        [name for name in texts if features.encode_columns.get(name, features.encode) == encoding]
        for encoding in ("target", "hash", "onehot")
    )
    encoder = TargetEncoder(
        target_type="binary" if classes == 2 else "multiclass", cv=KFold(5, shuffle=True, random_state=seed)
    )
    scaled_encoder = Pipeline([("encode", encoder), *_scaler("scale", features.scale, rows, seed)])
    steps.append(("target", scaled_encoder, target_encoded))
    steps.append(("hash", FunctionTransformer(hashed_levels, feature_names_out=hashed_names), hashed))
    steps.append(
        (
            "onehot",
            OneHotEncoder(
                sparse_output=False,
                handle_unknown="infrequent_if_exist",
                min_frequency=features.rare or None,
                dtype=np.float32,
            ),
            one_hot,
        )
    )
    return ColumnTransformer([step for step in steps if step[2]], sparse_threshold=0)


def categorical_blocks(preprocessor: ColumnTransformer) -> list[slice]:
    """Return the matrix columns that hold one category together: a column's one-hot levels, a missing indicator."""
    blocks = []
    for name, columns in preprocessor.output_indices_.items():
        widths = []
        if name == "missing":
            widths = [1] * (columns.stop - columns.start)
        elif name == "onehot":
            encoder = preprocessor.named_transformers_[name]
            rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
            widths = [
                len(levels) - (0 if grouped is None else len(grouped) - 1)
                for levels, grouped in zip(encoder.categories_, rare, strict=True)
            ]
        ends = columns.start + np.cumsum(widths, dtype=np.int64)
        blocks += [slice(int(end) - width, int(end)) for end, width in zip(ends, widths, strict=True)]
    return blocks


def input_width(features: Features, frame: pl.DataFrame) -> int:
    """Return how many inputs the preprocessor makes of a frame that ``input_frame`` gives, indicators aside."""
    return sum(_widths(features, frame).values())


def check_matrix_size(features: Features, frame: pl.DataFrame) -> None:
    """Check that the matrix of ``frame`` stays within 2 GiB of float32 for its one-hot levels.

    Raises:
        InputError: it does not; names the column with the most levels.
    """
    widths = _widths(features, frame)
    levels = {name: width for name, width in widths.items() if _encoding(features, frame, name) == "onehot"}
    size = 4 * len(frame) * sum(widths.values())
    if size > MAX_MATRIX_BYTES and levels:
        worst = max(levels, key=lambda name: levels[name])
        raise InputError(
            f"one-hot encoding takes {size / 2**30:.0f} GiB, most of it for the {levels[worst]} levels of {worst!r}; "
            "drop the column, group its levels with recipe.features.rare, or give it 'target' or 'hash' in "
            "recipe.features.encode-columns."
        )


def _encoding(features: Features, frame: pl.DataFrame, name: str) -> str:
    return features.encode_columns.get(name, features.encode) if frame.schema[name] == pl.String else ""


def _widths(features: Features, frame: pl.DataFrame) -> dict[str, int]:
    """Return how many inputs each column becomes."""
    widths = {}
    for name in frame.columns:
        encoding = _encoding(features, frame, name)
        widths[name] = HASHED_INPUTS if encoding == "hash" else 1
        if encoding == "onehot":
            widths[name] = int((frame[name].value_counts()["count"] >= max(features.rare, 1)).sum())
    return widths


def check_network_size(model: Model, width: int, outputs: int) -> None:
    """Check that the network has at most 2²⁸ weights, 1 GiB of them.

    Raises:
        InputError: it has more.
    """
    sizes = [width, *(model.hidden if model.kind == "mlp" else ()), outputs]
    weights = sum(before * after for before, after in itertools.pairwise(sizes))
    if weights > MAX_WEIGHTS:
        raise InputError(
            f"recipe.model.hidden makes a network of {weights:.3g} weights, {weights / 2**28:.1f} GiB of them; "
            "use fewer units."
        )


def build_network(model: Model, width: int, outputs: int, prior: Sequence[float] | None = None) -> nn.Sequential:
    """Build the network with PyTorch's default initialisation (the global generator's state decides it).

    Args:
        model: the recipe's section; "logistic" has no hidden layer.
        width: columns of the input matrix.
        outputs: 1 logit for two classes, or one logit a class.
        prior: class shares, to start the last bias from when the recipe says so (Lin et al. 2017, section 3.3).
    """
    layers: list[nn.Module] = []
    for size in model.hidden if model.kind == "mlp" else ():
        layers.append(nn.Linear(width, size))
        if model.batch_norm:
            layers.append(nn.BatchNorm1d(size))
        layers.append(ACTIVATIONS[model.activation]())
        if model.dropout:
            layers.append(nn.Dropout(model.dropout))
        width = size
    head = nn.Linear(width, outputs)
    if model.prior_bias and prior is not None:
        with torch.no_grad():
            head.bias.copy_(prior_logits(prior, outputs))
    return nn.Sequential(*layers, head)


def prior_logits(prior: Sequence[float], outputs: int) -> torch.Tensor:
    """Return the logits that answer with these class shares, shape (outputs,)."""
    log_prior = np.log(np.clip(prior, MIN_PRIOR, 1.0))
    return torch.from_numpy(log_prior[1:] - log_prior[:1] if outputs == 1 else log_prior)


def build_optimizer(optimizer: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer; ``momentum`` belongs to SGD and RMSprop, ``weight_decay`` is decoupled in AdamW only."""
    parameters = list(network.parameters())
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    # The fused kernels halve the Python time of a step.
    match optimizer.kind:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, momentum=optimizer.momentum, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay, momentum=optimizer.momentum)


def _imputer(features: Features) -> list[tuple[str, Any]]:
    if features.impute == "none":
        return []
    strategy = {"most-frequent": "most_frequent", "zero": "constant"}.get(features.impute, features.impute)
    return [("impute", SimpleImputer(strategy=strategy, fill_value=0.0, keep_empty_features=True))]


def _scaler(name: str, kind: str, rows: int, seed: int) -> list[tuple[str, Any]]:
    match kind:
        case "standard":
            return [(name, StandardScaler())]
        case "minmax":
            return [(name, MinMaxScaler())]
        case "robust":
            return [(name, RobustScaler())]
        case "power":
            return [(name, PowerTransformer(method="yeo-johnson"))]
        case "quantile":
            quantiles = min(MAX_QUANTILES, rows)
            scaler = QuantileTransformer(n_quantiles=quantiles, output_distribution="normal", random_state=seed)
            return [(name, scaler)]
        case "log1p":
            logarithm = (f"{name}_log1p", FunctionTransformer(signed_log1p, feature_names_out="one-to-one"))
            return [logarithm, (name, StandardScaler())] if name == "scale" else [logarithm]
    return []
