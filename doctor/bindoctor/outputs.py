"""What training and treatment leave in ``bindoctor-out``, and how a later check reads it back."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.files import write_beside
from bindoctor.history import History
from bindoctor.predictions import Predictions, read_predictions

RUN_FILE, HISTORY_FILE, PREDICTIONS_FILE = "run.json", "history.csv", "predictions.csv"
METRICS_FILE, REPORT_FILE, MODEL_FOLDER = "metrics.json", "report.json", "model"


class RunKey(msgspec.Struct, frozen=True):
    """Which recipe and data a run belongs to, by digest."""

    recipe: str
    data: str


def write_run(
    out: Path, key: RunKey, history: History | None, predictions: Predictions | None, metrics: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write a run's curve, out-of-fold predictions and scores, and last of all the key that makes them valid."""
    files = {METRICS_FILE: json.dumps(_without_nan(metrics), indent=2, allow_nan=False) + "\n"}
    if history is not None:
        files[HISTORY_FILE] = history.to_csv()
    if predictions is not None:
        files[PREDICTIONS_FILE] = predictions.to_csv()
    (out / RUN_FILE).unlink(missing_ok=True)
    for name in (HISTORY_FILE, PREDICTIONS_FILE):
        if name not in files:
            (out / name).unlink(missing_ok=True)
    for name, text in files.items():
        write_beside(out / name, text)
    write_beside(out / RUN_FILE, json.dumps({"recipe": key.recipe, "data": key.data}, indent=2) + "\n")
    return tuple(out / name for name in files)


def read_run(out: Path, key: RunKey, evidence: Evidence) -> Evidence:
    """Add the run in ``out`` to the evidence when it is of the same recipe and data; otherwise change nothing.

    Raises:
        InputError: a file of the run is damaged.
    """
    path = out / RUN_FILE
    if not path.is_file():
        return evidence
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete {out} or train again.") from None
    if stored != {"recipe": key.recipe, "data": key.data}:
        return evidence
    history, predictions = out / HISTORY_FILE, out / PREDICTIONS_FILE
    classes = evidence.profile.classes if evidence.profile else ()
    threshold = evidence.recipe.decide.fixed_threshold if evidence.recipe else 0.5
    return replace(
        evidence,
        history=_read_history(history) if history.is_file() else None,
        predictions=read_predictions(predictions, classes, threshold) if predictions.is_file() else None,
    )


def _read_history(path: Path) -> History:
    try:
        return History.from_csv(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete {path.parent} or train again.") from None


def _without_nan(value: Any) -> Any:
    """Write a score that is undefined as null: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
