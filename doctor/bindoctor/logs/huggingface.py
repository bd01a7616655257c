"""Reads the ``trainer_state.json`` of Hugging Face's Trainer."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.curves import history_of
from bindoctor.logs.recorder import Recorder
from bindoctor.logs.rows import RowReader
from bindoctor.logs.salvage import CutList, CutObject

CLASSIFIERS = ("ForSequenceClassification", "ForImageClassification", "ForAudioClassification", "ForMultipleChoice")
SUMMARY = ("train_runtime", "total_flos")
MAX_CONFIG = 2**20


def read_trainer_state(path: Path, state: Mapping[str, Any]) -> History:
    """Read a trainer's state; the model's configuration beside it tells whether its loss is a classifier's.

    Raises:
        InputError: its ``log_history`` is no list of objects with losses.
    """
    recorder = Recorder()
    reader = RowReader(path, recorder)
    records = state["log_history"]
    for number, record in enumerate(records, start=1):
        if isinstance(record, CutObject):
            recorder.remarks.append(f"the last record ({number}) is cut off and left out")
        elif not isinstance(record, dict):
            raise InputError(f"{path}: 'log_history' must be a list of objects.")
        else:
            reader.add(_point(record), number, strict=False)
    if isinstance(state, CutObject) and not isinstance(records, CutList):
        recorder.remarks.append("the file is cut off after its records")
    _unhide_nan(recorder, records)
    return history_of(
        recorder,
        path,
        source="Hugging Face Trainer",
        entropy_scale=_is_classifier(path.parent),
        best_step=_best_step(state),
    )


def _point(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave the means over the whole training out of the record that ends it."""
    if any(name in record for name in SUMMARY):
        return {name: value for name, value in record.items() if name != "train_loss"}
    return record


def _unhide_nan(recorder: Recorder, records: Sequence[Any]) -> None:
    """Put back NaN where the trainer wrote 0 instead (``logging_nan_inf_filter``).

    A loss of exactly 0 may also be a small one that was rounded; a gradient norm or a validation loss that is NaN
    from there on is proof.
    """
    track = recorder.tracks.get("loss")
    if track is None or not track.values:
        return
    zeros = 0
    while zeros < len(track.values) and track.values[-1 - zeros] == 0:
        zeros += 1
    if not zeros:
        return
    start = track.steps[-zeros]
    others = (recorder.tracks.get("grad_norm"), recorder.tracks.get("eval_loss"))
    proven = any(
        math.isnan(value)
        for other in others
        if other is not None
        for value, step in zip(other.values, other.steps, strict=True)
        if step >= start
    )
    if proven:
        for place in range(len(track.values) - zeros, len(track.values)):
            track.values[place] = math.nan
        recorder.remarks.append(
            f"the loss is written as 0 from step {start:g} on where it was NaN (logging_nan_inf_filter); read as NaN"
        )
    elif zeros > 1:
        recorder.remarks.append(
            f"the loss is exactly 0 from step {start:g} on: rounded, or NaN that the trainer hid "
            "(logging_nan_inf_filter); train with logging_nan_inf_filter=False to know"
        )


def _best_step(state: Mapping[str, Any]) -> float:
    """Return the step of the checkpoint that scored best, NaN where none is named."""
    step = state.get("best_global_step")
    if isinstance(step, int) and not isinstance(step, bool):
        return float(step)
    found = re.search(r"checkpoint-(\d{1,15})$", str(state.get("best_model_checkpoint") or "").rstrip("/\\"))
    return float(found[1]) if found else math.nan


def _is_classifier(folder: Path) -> bool | None:
    """Tell from the model's configuration, or its adapter's, whether the loss is a cross-entropy over classes."""
    adapter = _config(folder / "adapter_config.json").get("task_type")
    if isinstance(adapter, str):
        return adapter == "SEQ_CLS"
    config = _config(folder / "config.json")
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        return None
    if config.get("problem_type") == "regression":
        return False
    name = str(architectures[0])
    return name.endswith(CLASSIFIERS) if re.search(r"For[A-Z]", name) else None


def _config(path: Path) -> Mapping[str, Any]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = json.loads(file.read(MAX_CONFIG))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
