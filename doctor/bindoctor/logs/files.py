"""Recognises a log by its content, or what lies in a folder, and hands it to the reader of its format."""

import json
from pathlib import Path

from msgspec.structs import replace

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.delimited import read_delimited
from bindoctor.logs.folders import Log, events_of, logs_in, names_of
from bindoctor.logs.mlflow import SQLITE, is_metric, read_database, read_metric_files
from bindoctor.logs.objects import read_json, read_json_lines
from bindoctor.logs.tensorboard import Events, is_event_file, read_events
from bindoctor.logs.texts import first_lines, head_of, opened
from bindoctor.logs.wandb import MAGIC, read_run_file


def read_history(path: Path) -> History:
    """Read a training log, whatever wrote it.

    Lightning's, Keras's and fastai's CSV, Hugging Face's ``trainer_state.json``, skorch's ``history.json``,
    TensorBoard's event files, MLflow's files and databases, runs of Weights & Biases, evaluation results of XGBoost and
    LightGBM, Ultralytics' ``results.csv``, and CSV, JSON and JSON Lines with the usual names.

    Args:
        path: a file, recognised by its content, or a folder, of which the newest log is read.

    Returns:
        The history: its epochs are the last run's, its series everything that was logged, its remarks what reading
        left out or decided.

    Raises:
        InputError: it cannot be read, is empty, or has no losses or scores.
    """
    return read_log(path)[0]


def read_log(path: Path) -> tuple[History, tuple[Path, ...]]:
    """Read a training log, and return the files that it was read from as well.

    Raises:
        InputError: see ``read_history``.
    """
    if not path.is_dir():
        return _read_file(path), (path,)
    problems: list[str] = []
    for log, remark in logs_in(path):
        try:
            history = _read(log)
        except InputError as error:
            problems.append(str(error))
            continue
        said = [remark] if remark else []
        said += [f"passed over: {problem}" for problem in problems if log.kind != "file"]
        return replace(history, remarks=(*said, *history.remarks)), log.files
    if problems:
        raise InputError(f"{path}: no file in this folder is a training log; name one. The likeliest: {problems[0]}")
    raise InputError(
        f"{path}: holds no training log: no metrics.csv, trainer_state.json, TensorBoard events, MLflow metrics, "
        "Weights & Biases run, or table with losses."
    )


def _read(log: Log) -> History:
    if log.kind == "TensorBoard":
        return read_events(log.path, log.parts)
    if log.kind == "MLflow":
        return read_metric_files(log.path, names_of(log))
    return _read_file(log.path)


def _read_file(path: Path) -> History:
    head = head_of(path)
    if not head.strip():
        raise InputError(f"{path}: the training history is empty.")
    if head.startswith(SQLITE):
        return read_database(path)
    if head.startswith(MAGIC):
        return read_run_file(path)
    if is_event_file(head) or ("tfevents" in path.name and b"\0" in head):
        return read_events(path, (Events((path,), events_of(path)[1]),))
    with opened(path, head) as text:
        lines = first_lines(text, 2)
        if lines and lines[0][:1] in ("[", "{"):
            return read_json_lines(path, text) if _is_json_lines(lines) else read_json(path, text)
        if lines and is_metric(lines[0]):
            return read_metric_files(path, [(_metric_name(path), path)])
        return read_delimited(path, text)


def _is_json_lines(lines: list[str]) -> bool:
    try:
        return isinstance(json.loads(lines[0]), dict) and len(lines) > 1
    except (ValueError, RecursionError):
        return False


def _metric_name(path: Path) -> str:
    """Return the metric of a file of MLflow's, which is called so, also where it was copied elsewhere."""
    name = path.name.removesuffix(".txt")
    return name.rpartition("metrics_")[2] or name
