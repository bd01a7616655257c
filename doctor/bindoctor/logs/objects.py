"""Reads logs in JSON: records, columns, and what Hugging Face, skorch, Keras, XGBoost and LightGBM write."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.columns import lists_in, number_of, position, read_columns
from bindoctor.logs.curves import history_of
from bindoctor.logs.huggingface import read_trainer_state
from bindoctor.logs.names import meaning
from bindoctor.logs.recorder import Recorder
from bindoctor.logs.rows import RowReader
from bindoctor.logs.salvage import CutObject, loads
from bindoctor.logs.texts import whole

MAX_DEPTH = 6
HUGGING_FACE = {"total_flos", "eval_runtime", "train_runtime"}
"""What the trainer alone writes."""


def read_json(path: Path, text: TextIO) -> History:
    """Read one JSON document.

    Raises:
        InputError: it is no JSON, or holds no losses.
    """
    content = whole(path, text)
    try:
        loaded = loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}).") from None
    return history_in(path, loaded)


def history_in(path: Path, loaded: Any) -> History:
    """Return the history of a document that is in memory; ``path`` is what messages call it.

    Raises:
        InputError: it holds no losses.
    """
    if isinstance(loaded, dict) and isinstance(loaded.get("log_history"), list):
        return read_trainer_state(path, loaded)
    if isinstance(loaded, dict) and isinstance(loaded.get("iterations"), list) and isinstance(loaded.get("meta"), dict):
        return _of_records(path, list(_catboost(loaded)), "CatBoost")
    records = records_in(loaded)
    if records is not None:
        if any(isinstance(record, dict) and HUGGING_FACE & record.keys() for record in records):
            return read_trainer_state(path, {"log_history": records})
        if all(isinstance(record, dict) and _is_lists(record) for record in records):
            return read_columns(path, dict(lists_in({f"run {i}": record for i, record in enumerate(records, 1)})))
        if any(isinstance(record, dict) and "batches" in record for record in records):
            return read_skorch(path, records)
        return _of_records(path, records)
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: expected a list of objects, one an epoch.")
    lists = dict(lists_in(loaded))
    return read_columns(path, lists) if lists else _of_records(path, [loaded])


def read_json_lines(path: Path, text: TextIO) -> History:
    """Read one JSON object a line; other lines are passed over, and a last one that is cut off is said.

    Raises:
        InputError: no line holds losses.
    """
    recorder = Recorder()
    reader = RowReader(path, recorder)
    number = strange = 0
    broken = False
    for line in text:
        if not line.strip():
            continue
        if broken:
            strange += 1
        number += 1
        try:
            record = json.loads(line)
            broken = not isinstance(record, dict)
        except (ValueError, RecursionError):
            broken = True
        if not broken:
            reader.add(_openmmlab(record), number, strict=False)
    if broken:
        recorder.remarks.append(f"the last record ({number}) is cut off and left out")
    if strange:
        recorder.remarks.append(f"{strange} lines that are no JSON objects are left out")
    return history_of(recorder, path, source="JSON Lines")


def _openmmlab(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name what MMEngine's ``scalars.json`` holds of a validation, whose "step" is the epoch."""
    if not {"data_time", "step"} <= record.keys() or {"lr", "loss", "epoch"} & record.keys():
        return record
    scores = {f"val/{name}": value for name, value in record.items() if name not in ("step", "data_time", "time")}
    return {"epoch": record["step"], **scores}


def _catboost(loaded: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the records of ``catboost_training.json``, whose values are in the order of the metrics' names."""
    for record in loaded["iterations"]:
        if not isinstance(record, dict):
            continue
        values = {"iteration": record.get("iteration")}
        for part in ("learn", "test"):
            metrics, row = loaded["meta"].get(f"{part}_metrics"), record.get(part)
            if isinstance(metrics, list) and isinstance(row, list):
                names = [str(metric.get("name")) for metric in metrics if isinstance(metric, dict)]
                values |= {f"{part}/{name}": value for name, value in zip(names, row, strict=False)}
        yield values


def records_in(loaded: Any, depth: int = 0) -> list[Any] | None:
    """Return the list of objects in a document, the document itself or under some key, longest first."""
    if isinstance(loaded, list):
        return loaded if any(isinstance(item, dict) for item in loaded) else None
    if not isinstance(loaded, dict) or depth >= MAX_DEPTH:
        return None
    if isinstance(loaded.get("columns"), list) and isinstance(loaded.get("data"), list):
        rows = [row for row in loaded["data"] if isinstance(row, list)]
        return [dict(zip(map(str, loaded["columns"]), row, strict=False)) for row in rows]
    found = [records for value in loaded.values() if (records := records_in(value, depth + 1))]
    return max(found, key=len, default=None)


def _is_lists(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is a whole run, a list a metric."""
    return any(isinstance(value, list) and meaning(str(name)).metric for name, value in record.items())


def _of_records(path: Path, records: Sequence[Any], source: str = "JSON") -> History:
    recorder = Recorder()
    reader = RowReader(path, recorder)
    for number, record in enumerate(records, start=1):
        if isinstance(record, CutObject):
            if number == 1:
                raise InputError(f"{path}: is cut off within its first record.")
            recorder.remarks.append(f"the last record ({number}) is cut off and left out")
        elif not isinstance(record, dict):
            raise InputError(f"{path}: expected a list of objects, one an epoch.")
        else:
            reader.add(record, number)
    names = {name for record in records[:1] if isinstance(record, dict) for name in record}
    if {"_step", "_runtime"} <= names:
        return history_of(recorder, path, source="Weights & Biases summary")
    return history_of(recorder, path, source=source)


def read_skorch(path: Path, records: Sequence[Any]) -> History:
    """Read skorch's ``history.json``: one object an epoch, with the losses of its batches."""
    recorder = Recorder()
    reader = RowReader(path, recorder)
    step = 0
    best = math.nan
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise InputError(f"{path}: expected a list of objects, one an epoch.")
        batches = record.get("batches")
        whole_record = not isinstance(record, CutObject) and any(
            name in record for name in ("train_loss", "valid_loss")
        )
        if not whole_record:
            what = "the last record" if number == len(records) else "record"
            recorder.remarks.append(f"{what} ({number}) has no losses of its epoch: it is cut off and left out")
            continue
        epoch = position([record.get("epoch", number)], 0)
        for batch in batches if isinstance(batches, list) else ():
            if isinstance(batch, dict) and "train_loss" in batch:
                step += 1
                loss = number_of(path, "train_loss", number - 1, batch["train_loss"])
                if loss is not None:
                    recorder.add("batch_train_loss", loss, float(step), epoch)
        if record.get("event_cp") is True:
            best = float(step)
        fields = {name: value for name, value in record.items() if name not in ("batches", "epoch")}
        reader.add({**fields, "epoch": epoch, "step": step}, number)
    return history_of(recorder, path, source="skorch", best_step=best)
