"""Reads logs in JSON: records, columns, and what Hugging Face, skorch, Keras, XGBoost and LightGBM write."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.curves import history_of
from bindoctor.logs.huggingface import read_trainer_state
from bindoctor.logs.names import EPOCH_NAMES, STEP_NAMES, meaning, part_in, plain
from bindoctor.logs.recorder import NAN, Recorder
from bindoctor.logs.rows import MAX_POSITION, RowReader, number_in
from bindoctor.logs.salvage import CutList, CutObject, loads
from bindoctor.logs.texts import whole

MAX_DEPTH = 6
MAX_SPACED = 10
"""A curve of so many times fewer points is a validation at every so many epochs; beyond, one at each epoch's end."""

Lists = Mapping[str, Sequence[Any]]


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
    if isinstance(loaded, dict) and isinstance(loaded.get("log_history"), list):
        return read_trainer_state(path, loaded)
    records = records_in(loaded)
    if records is not None:
        if any(isinstance(record, dict) and "batches" in record for record in records):
            return read_skorch(path, records)
        return _of_records(path, records)
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: expected a list of objects, one an epoch.")
    lists = dict(lists_in(loaded))
    return _of_lists(path, lists) if lists else _of_records(path, [loaded])


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
            reader.add(record, number, strict=False)
    if broken:
        recorder.remarks.append(f"the last record ({number}) is cut off and left out")
    if strange:
        recorder.remarks.append(f"{strange} lines that are no JSON objects are left out")
    return history_of(recorder, path, source="JSON Lines")


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


def lists_in(loaded: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the lists of numbers in nested objects by ``outer/inner``; objects by position count as lists."""
    for key, value in loaded.items():
        name = f"{prefix}{str(key).strip()}"
        if isinstance(value, list):
            yield name, value
        elif isinstance(value, dict) and value and all(str(k).isdecimal() for k in value):
            yield name, [value[k] for k in sorted(value, key=lambda k: (len(str(k)), str(k)))]
        elif isinstance(value, dict) and depth < MAX_DEPTH:
            yield from lists_in(value, f"{name}/", depth + 1)


def _of_records(path: Path, records: Sequence[Any]) -> History:
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
    return history_of(recorder, path, source="JSON")


def _of_lists(path: Path, lists: Lists) -> History:
    recorder = Recorder()
    cut = [name for name, values in lists.items() if isinstance(values, CutList)]
    if cut:
        recorder.remarks.append(f"the log is cut off within {cut[-1]!r}, after record {len(lists[cut[-1]])}")
    named = _with_parts(lists, recorder)
    known = {name: values for name, values in named.items() if meaning(name).metric or plain(name) in EPOCH_NAMES}
    longest = max(map(len, (known or named).values()), default=0)
    epochs = next((values for name, values in lists.items() if plain(name) in EPOCH_NAMES), None)
    steps = next((values for name, values in lists.items() if plain(name) in STEP_NAMES), None)
    for name, values in named.items():
        if plain(name) in EPOCH_NAMES | STEP_NAMES:
            continue
        spread = _spread(len(values), longest)
        for place, raw in enumerate(values):
            value = _number(path, name, place, raw)
            if value is None:
                continue
            at = (place + 1) * spread - 1
            if epochs is None and steps is None:
                recorder.add(name, value, *((NAN, float(at)) if spread <= MAX_SPACED else (float(at), NAN)))
            else:
                recorder.add(name, value, _at(steps, at), _at(epochs, at))
    if any(_spread(len(values), longest) > MAX_SPACED for values in known.values() if values):
        for track in recorder.tracks.values():
            for place, epoch in enumerate(track.epochs):
                if track.steps[place] != track.steps[place]:
                    track.steps[place], track.epochs[place] = epoch, NAN
    return history_of(recorder, path, source=_source(lists))


def _spread(points: int, longest: int) -> int:
    """Return how many points of the longest curve there are to one of this."""
    return max(longest // points, 1) if points and longest % points == 0 else 1


def _at(places: Sequence[Any] | None, at: int) -> float:
    try:
        found = number_in(places[at]) if places is not None and at < len(places) else None
    except ValueError:
        found = None
    return found if found is not None and math.isfinite(found) and abs(found) < MAX_POSITION else NAN


def _number(path: Path, name: str, place: int, raw: Any) -> float | None:
    try:
        return number_in(raw)
    except ValueError:
        if isinstance(raw, str) and meaning(name).metric:
            raise InputError(f"{path}: record {place + 1}, column {name!r}: {raw[:40]!r} is not a number.") from None
        return None


def _with_parts(lists: Lists, recorder: Recorder) -> Lists:
    """Name the sets of boosting libraries: XGBoost's and LightGBM's numbered ones do not say what they are."""
    sets = list(dict.fromkeys(name.partition("/")[0] for name in lists if "/" in name))
    numbered = [name for name in sets if plain(name).removesuffix("-" + name[-1:]) in ("validation", "valid", "eval")]
    numbered = [name for name in numbered if name[-1:].isdecimal()]
    if len(numbered) < 2 or any(part_in(name) == "train" or name == "training" for name in sets):
        return lists
    # By their order: people list the training rows first, and what they are is not in the log.
    recorder.remarks.append(f"{numbered[0]!r} is taken for the training rows and {numbered[-1]!r} for the validation")
    renamed = {numbered[0]: "train", numbered[-1]: "valid"}
    named = {}
    for name, values in lists.items():
        first, slash, rest = name.partition("/")
        named[f"{renamed[first]}/{rest}" if slash and first in renamed else name] = values
    return named


def _source(lists: Lists) -> str:
    last = {name.rpartition("/")[2] for name in lists if "/" in name}
    if last & {"logloss", "mlogloss", "error", "merror", "binary_logloss", "multi_logloss", "auc", "aucpr", "Logloss"}:
        return "XGBoost or LightGBM evaluation"
    if "loss" in lists and "/" not in "".join(lists):
        return "Keras History"
    return "JSON"


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
        epoch = _at([record.get("epoch", number)], 0)
        for batch in batches if isinstance(batches, list) else ():
            if isinstance(batch, dict) and "train_loss" in batch:
                step += 1
                loss = _number(path, "train_loss", number - 1, batch["train_loss"])
                if loss is not None:
                    recorder.add("batch_train_loss", loss, float(step), epoch)
        if record.get("event_cp") is True:
            best = float(step)
        fields = {name: value for name, value in record.items() if name not in ("batches", "epoch")}
        reader.add({**fields, "epoch": epoch, "step": step}, number)
    return history_of(recorder, path, source="skorch", best_step=best)
