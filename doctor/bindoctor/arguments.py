"""What a caller in Python gives, as evidence is made of it: tables with their target, runs and predictions."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import Dataset, Source, Table
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.logs import history_in, read_history
from bindoctor.predictions import Predictions, read_predictions
from bindoctor.readers import ReadOptions, open_dataset, open_source, part_of, table_source
from bindoctor.readers.arrays import ArraySource, memory_source
from bindoctor.readers.frames import FrameSource, as_text
from bindoctor.readers.header import free_name
from bindoctor.readers.typed import typed
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of


def dataset_of(
    data: Any,
    y: Any,
    target: str | int,
    positive: Any,
    options: ReadOptions,
    recipe: Recipe,
    valid: Any = None,
    test: Any = None,
) -> Dataset:
    """Return a data set of a path, a table in memory or a ``Dataset``.

    Args:
        data: the path of what ``open_source`` opens, a table in memory, or a data set, which brings its own target.
        y: the class of each row of a table in memory, shape (n,), which becomes a column of it.
        target: the target column's name or 0-based position; with ``y``, the name that ``y`` gets.
        positive: the positive class of two.
        options: how a file is read.
        recipe: says which columns a part may lack.
        valid: rows to validate on: a path or table with the columns of ``data``, or a pair of a table and its classes.
        test: rows to test on, in the same way.

    Raises:
        InputError: the data cannot be read as a table with a target, or a part lacks a column.
    """
    if isinstance(data, Dataset):
        if y is not None or target != "":
            raise InputError("data: a Dataset has its target; give neither y nor target.")
        found = data
    elif isinstance(data, Table):
        found = open_dataset(table_source(data), data.target, data.positive)
    else:
        source = _source(data, options, "data")
        name = str(target)
        if y is not None:
            name = free_name(source.columns, name or str(getattr(y, "name", None) or "target"))
            source = _joined(source, y, name)
        elif isinstance(source, ArraySource):
            raise InputError(f"data: an array of shape {source.array.shape} holds no labels; give them as y.")
        found = open_dataset(source, name or None, label_text(positive))
    if valid is None and test is None:
        return found
    return replace(
        found, valid=_part(found, recipe, valid, "valid", options), test=_part(found, recipe, test, "test", options)
    )


def labels_of(data: Any, y: Any, dataset: Dataset, classes: Sequence[str]) -> Mapping[str, Any]:
    """Return what the caller calls each class: the value in ``y`` or in the table's target column.

    Of a file, whole numbers are integers and other numbers floats where every class is one, as in ``bindoctor.read``.
    """
    given = y
    if given is None and dataset.target in [name for name in getattr(data, "columns", ()) if isinstance(name, str)]:
        given = data[dataset.target]
    if given is None:
        return dict(zip(classes, typed(pl.Series("", list(classes))).to_list(), strict=True))
    for present in ("dropna", "drop_nulls"):
        given = getattr(given, present)() if hasattr(given, present) else given
    return {label_text(value): value for value in dict.fromkeys(np.asarray(given).ravel().tolist())}


def label_text(value: Any) -> str:
    """Return a class as the text that a file would hold; "" for None."""
    if value is None:
        return ""
    text = as_text(pl.DataFrame({"y": [value.item() if isinstance(value, np.generic) else value]}))["y"][0]
    return "" if text is None else str(text).strip()


def history_from(run: Any) -> tuple[History, Path]:
    """Return a run's curve of a ``History``, a path, or logged values in memory, and what to call it.

    Values in memory are what a log in JSON may hold: lists by name ({"loss": […], "val_loss": […]}, as Keras'
    ``History.history`` is), a list of mappings, one an epoch, or an object with such an attribute ``history``.

    Raises:
        InputError: it is none of these, cannot be read, or has no loss among it.
    """
    name = Path("run")
    if isinstance(run, History):
        return run, name
    if isinstance(run, str | PathLike):
        return read_history(Path(run)), Path(run)
    values = getattr(run, "history", run)
    if isinstance(values, Mapping | list | tuple):
        return history_in(name, _plain(values)), name
    raise InputError(
        f"run: {type(run).__name__} is no training run; give a path, a History, or lists of logged values by name, "
        'such as {"loss": [0.7, 0.5], "val_loss": [0.6, 0.5]}.'
    )


def predictions_from(predictions: Any, evidence: Evidence) -> Predictions:
    """Return out-of-sample predictions of a path, a ``Predictions``, or the probabilities of all rows of the data.

    Probabilities are an array of shape (n,), of the positive class, or (n, classes) in the order that scikit-learn's
    ``predict_proba`` has: ascending labels, numbers as numbers.

    Raises:
        InputError: they cannot be read, are no probabilities, or not as many as the rows.
    """
    if isinstance(predictions, Predictions):
        return predictions
    recipe, profile, dataset = evidence.recipe, evidence.profile, evidence.dataset
    assert recipe is not None and profile is not None and dataset is not None
    threshold = recipe.decide.fixed_threshold
    if isinstance(predictions, str | PathLike):
        return read_predictions(Path(predictions), profile.classes, threshold)
    try:
        probability = np.asarray(predictions, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"predictions: {type(predictions).__name__} holds no probabilities; give a path or an array of them."
        ) from None
    rows = rows_of(dataset, recipe, profile)
    spread = _spread(probability, rows.classes)
    if len(rows) and int(rows.row_ids.max()) >= len(spread):
        raise InputError(
            f"predictions: are of {len(spread)} rows, and the data have more; give one of each row, in their order."
        )
    every = np.arange(len(rows))
    return Predictions.of_rows(rows, every, spread[rows.row_ids], np.zeros(len(rows), dtype=np.int64), threshold)


def inspection_from(model: Any, evidence: Evidence) -> Inspection:
    """Return what was seen of a model: by the caller, or here by some rows of the data as the recipe prepares them.

    Raises:
        InputError: it is neither an ``Inspection`` nor a network, or it cannot be called with the rows.
    """
    if isinstance(model, Inspection):
        return model
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        raise InputError(f"model: {type(model).__name__} is neither a torch.nn.Module nor an Inspection of one.")
    from bindoctor.own_inspection import look_at

    return look_at(model, evidence)


def _spread(probability: npt.NDArray[np.float64], classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return checked probabilities of shape (n, classes), in the classes' own order."""
    if probability.ndim == 2 and probability.shape[1] == 1:
        probability = probability[:, 0]
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InputError("predictions: hold values that are no probabilities (0 to 1).")
    if probability.ndim == 1 and len(classes) == 2:
        return np.column_stack([1 - probability, probability])
    if probability.ndim != 2 or probability.shape[1] != len(classes):
        raise InputError(
            f"predictions: are of shape {probability.shape}, and there are {len(classes)} classes; give one column a "
            "class" + (", or the positive class's alone." if len(classes) == 2 else ".")
        )
    sums = probability.sum(axis=1, keepdims=True)
    if np.abs(sums - 1).max(initial=0) > 0.005 * len(classes):
        raise InputError("predictions: the probabilities of a row do not sum to 1.")
    values = typed(pl.Series("", list(classes))).to_list()
    ascending = sorted(range(len(classes)), key=lambda k: values[k])
    ordered = np.empty_like(probability)
    ordered[:, ascending] = probability / sums
    return ordered


def _plain(value: Any) -> Any:
    """Return mappings, sequences and arrays as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return _plain(value.tolist()) if hasattr(value, "tolist") else value


def _source(data: Any, options: ReadOptions, name: str) -> Source:
    if isinstance(data, np.ndarray) and data.ndim > 2:
        return memory_source(data, None)
    if hasattr(data, "toarray"):
        raise InputError(f"{name}: sparse matrices are not read; give {name}.toarray(), or the table it was made of.")
    if hasattr(data, "detach"):
        raise InputError(f"{name}: tensors are not read; give {name}.detach().cpu().numpy().")
    if isinstance(data, str | PathLike):
        return open_source(data if data == "-" else Path(data), options)
    try:
        return open_source(data, options)
    except InputError:
        raise
    # What a library's own table fails with when it is turned into columns can be anything.
    except Exception as error:
        raise InputError(f"{name}: {type(data).__name__} cannot be read as a table ({error}).") from error


def _joined(source: Source, y: Any, name: str) -> Source:
    """Return a table or an array in memory with its labels."""
    if isinstance(source, ArraySource):
        return memory_source(source.array, np.asarray(y), name)
    if not isinstance(source, FrameSource) or source.content:
        raise InputError("y: goes with a table in memory; of a file, name the column with target=.")
    if hasattr(y, "toarray"):
        raise InputError("y: is a sparse matrix; give one class a row, shape (n,).")
    if not hasattr(y, "to_frame"):
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1:
            raise InputError(f"y: is of shape {y.shape}; give one class a row, shape (n,).")
    if len(y) != source.frame.height:
        raise InputError(f"y: has {len(y)} classes, and the table {source.frame.height} rows; give one a row.")
    column = _source(y.to_frame() if hasattr(y, "to_frame") else y[:, None], ReadOptions(), "y")
    assert isinstance(column, FrameSource)
    return FrameSource(source.frame.with_columns(column.frame.to_series().alias(name)), source.name, source.remarks)


def _part(dataset: Dataset, recipe: Recipe, part: Any, name: str, options: ReadOptions) -> Source | None:
    if part is None:
        return None
    from bindoctor.compare import no_features

    if isinstance(part, tuple) and len(part) == 2:
        source: Source = _joined(_source(part[0], options, name), part[1], dataset.target)
    else:
        source = _source(part, options, name)
    if isinstance(source, FrameSource) and not source.content:
        source = replace(source, name=name)
    return part_of(dataset.source, source, name, no_features(dataset, recipe))
