"""Makes a history of what a log holds: names become metrics, and points become epochs."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from bindoctor.errors import InputError
from bindoctor.history import History, Series
from bindoctor.logs.epochs import Floats, Points, epochs_of, timed
from bindoctor.logs.names import UNPARTED, Meaning, Part, is_bookkeeping, meaning, plain
from bindoctor.logs.recorder import Recorder, Track

SCORES = (
    *("accuracy", "balanced-accuracy", "roc-auc", "f1", "macro-f1", "weighted-f1", "average-precision", "mcc"),
    *("recall", "precision", "specificity", "score"),
)
"""What serves as an epoch's score, best first."""

RATES = (*SCORES, "error")
MAX_NAMED = 4
MAX_RUNS = 100
"""Points of earlier runs than the last so many are not handed on."""

MAX_SHARE = 1.5
"""A rate beyond it is a percentage."""


class Column(msgspec.Struct, frozen=True):
    """One metric of one part: the name in the log and its points."""

    name: str
    part: Part
    metric: str
    track: Track
    percent: bool = False


def history_of(
    recorder: Recorder,
    path: object,
    *,
    source: str,
    entropy_scale: bool | None = None,
    best_step: float = math.nan,
    remarks: Sequence[str] = (),
) -> History:
    """Return the history of what was recorded.

    Args:
        recorder: the points.
        path: the log, for messages.
        source: what wrote it.
        entropy_scale: whether the losses are cross-entropies, where the log says more than its names do.
        best_step: the step whose weights were kept; NaN where it is not known.
        remarks: what the reader has to say beside what the recorder has.

    Raises:
        InputError: nothing in the log is a loss or a score.
    """
    columns = _columns(recorder)
    if not any(column.metric in ("loss", *RATES) for column in columns):
        raise no_losses(path, recorder.tracks)
    said = [*remarks, *recorder.remarks]
    columns = [_as_share(column, said) for column in columns]
    if recorder.unnumbered and not any(column.metric == "loss" for column in columns):
        # A table of results, of which each record may be a model of its own.
        said.append("scores without losses, epochs or steps are no curve")
        columns = []
    said += _others(columns)
    run = _last_run(columns)
    main = {(column.part, column.metric): _points(column, run) for column in columns}
    main = _with_accuracy({key: points for key, points in main.items() if len(points.values)})
    score = _score(main)
    clocks = {each: _clock(recorder, each) for each in range(max(0, recorder.runs - MAX_RUNS), recorder.runs)}
    if run not in clocks:
        clocks[run] = _clock(recorder, run)
    made = epochs_of(main, score, clocks[run], best_step)
    if run:
        said.append(f"the log holds {run + 1} runs; the last one is judged")
    return History(
        made.epochs,
        made.first_loss,
        made.best_epoch,
        tuple(series for column in columns for series in _series(column, clocks, run)),
        run + 1,
        source,
        tuple(dict.fromkeys((*said, *made.remarks))),
        _scale(recorder, columns) if entropy_scale is None else entropy_scale,
        score or "accuracy",
    )


def no_losses(path: object, names: Iterable[str]) -> InputError:
    """Return the error that nothing among these names is a loss or a score."""
    listed = ", ".join(name[:40] for name in [*names][:12]) or "nothing"
    return InputError(f"{path}: no loss column among {listed}; name one 'train_loss' or 'val_loss'.")


def _columns(recorder: Recorder) -> list[Column]:
    """Decide what each track is; of several names for one metric the best keeps it, the others keep their names."""
    meanings = {
        name: meaning(name)
        for name in recorder.tracks
        if not is_bookkeeping(name) and plain(name).removeprefix("train-") != "epoch"
    }
    parts = {name: _part(found, meanings.values()) for name, found in meanings.items()}
    chosen: dict[tuple[Part, str], list[str]] = {}
    for name, found in meanings.items():
        if found.metric:
            chosen.setdefault((parts[name], found.metric), []).append(name)
    _fall_back(meanings, parts, chosen)

    def rank(name: str) -> tuple[int, int]:
        track = recorder.tracks[name]
        return {"epoch": 0, "": 1, "batch": 2}[meanings[name].grain], -len(track.values)

    metric_of: dict[str, str] = {}
    for (_, metric), names in chosen.items():
        best, *others = sorted(names, key=rank)
        metric_of[best] = metric
        finer = [name for name in others if meanings[name].grain == "batch"]
        if finer:
            metric_of[finer[0]] = f"batch-{metric}"
    return [Column(name, parts[name], metric_of.get(name, name), recorder.tracks[name]) for name in meanings]


def _part(found: Meaning, every: Iterable[Meaning]) -> Part:
    """Return the part of a metric whose name may not say: as Keras means it, or fastai, or not at all."""
    if found.metric in UNPARTED:
        return ""
    if found.part or not found.metric:
        return found.part
    known = {(other.part, other.metric) for other in every}
    if ("", "loss") in known:
        return "train" if ("train", found.metric) not in known else ""
    if ("valid", found.metric) in known:
        return "train" if ("train", found.metric) not in known else ""
    if ("valid", "loss") in known:
        return "valid"
    return "train" if ("train", "loss") in known and ("train", found.metric) not in known else ""


def _fall_back(
    meanings: Mapping[str, Meaning], parts: dict[str, Part], chosen: dict[tuple[Part, str], list[str]]
) -> None:
    """Take a loss by another name for a part that has none by the usual ones.

    The only one that there is; of several validation losses (``eval_news_loss``) the first, if training has one.
    """
    known = {part for part, metric in chosen if metric == "loss"}
    for part in dict.fromkeys(parts.values()):
        losses = [
            name
            for name, found in meanings.items()
            if parts[name] == part and not found.metric and _is_loss_by_another_name(found)
        ]
        alone = len(losses) == 1 and bool(part or not known)
        if part not in known and (alone or (losses and part == "valid" and known)):
            parts[losses[0]] = part or "train"
            chosen[part or "train", "loss"] = losses[:1]


def _is_loss_by_another_name(found: Meaning) -> bool:
    words = found.words.split("-")
    return words[-1] in ("loss", "losses") and words[0] not in ("best", "min", "lowest", "loss")


def _as_share(column: Column, said: list[str]) -> Column:
    if column.metric.removeprefix("batch-") not in RATES:
        return column
    values = np.asarray(column.track.values)
    finite = values[np.isfinite(values)]
    if not len(finite) or not MAX_SHARE < finite.max() <= 100 or finite.min() < 0:
        return column
    said.append(f"{column.name!r} is logged in percent and read as a share")
    return msgspec.structs.replace(column, percent=True)


def _others(columns: Sequence[Column]) -> list[str]:
    """Name losses beside those that are judged, such as those of a second task or of fine-tuning."""
    names = [
        repr(column.name)
        for column in columns
        if column.metric == column.name and _is_loss_by_another_name(meaning(column.name))
    ]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return [f"not judged: {', '.join(names[:MAX_NAMED])}{more}"] if names else []


def _with_accuracy(main: Mapping[tuple[Part, str], Points]) -> dict[tuple[Part, str], Points]:
    """Add the accuracy of a part of which only the error rate was logged."""
    added = {
        (part, "accuracy"): Points(1 - points.values, points.steps, points.epochs)
        for (part, metric), points in main.items()
        if metric == "error"
    }
    return {**added, **main}


def _last_run(columns: Sequence[Column]) -> int:
    """Return the last run with losses, else with scores: rows after it may be of a test only."""
    for metrics in (("loss",), RATES):
        runs = [c.track.runs[-1] for c in columns if c.metric in metrics and c.part != "test" and c.track.runs]
        runs = runs or [c.track.runs[-1] for c in columns if c.metric in metrics and c.track.runs]
        if runs:
            return max(runs)
    return 0


def _points(column: Column, run: int) -> Points:
    track = column.track
    last = np.asarray(track.runs) == run
    values = np.asarray(track.values)[last]
    return Points(
        values / 100 if column.percent else values, np.asarray(track.steps)[last], np.asarray(track.epochs)[last]
    )


def _series(column: Column, clocks: Mapping[int, Floats], last: int) -> Iterable[Series]:
    track = column.track
    runs = np.asarray(track.runs)
    for run in (run for run in np.unique(runs).tolist() if run in clocks):
        points = timed(_points(column, run), clocks[run])
        yield Series(
            column.part,
            column.metric,
            tuple(points.values.tolist()),
            tuple(points.steps.astype(np.int64).tolist()) if np.isfinite(points.steps).all() else (),
            tuple(points.epochs.tolist()) if np.isfinite(points.epochs).all() else (),
            # What follows the last run with losses is a test of it.
            min(run, last),
        )


def _clock(recorder: Recorder, run: int) -> Floats:
    """Return what says which step belongs to which epoch, shape (n, 2), by step: the log's other points and "epoch"."""
    pairs: list[Floats] = []
    for name, track in recorder.tracks.items():
        last = np.asarray(track.runs) == run
        epochs = track.values if plain(name).removeprefix("train-") == "epoch" else track.epochs
        pair = np.column_stack((np.asarray(track.steps)[last], np.asarray(epochs)[last]))
        pairs.append(pair[np.isfinite(pair).all(axis=1)])
    every = np.concatenate(pairs) if pairs else np.empty((0, 2))
    return np.unique(every, axis=0)


def _score(main: Mapping[tuple[Part, str], Points]) -> str:
    for parts in (("valid",), ("test", "train")):
        for score in SCORES:
            if any((part, score) in main for part in parts):
                return score
    return ""


def _scale(recorder: Recorder, columns: Sequence[Column]) -> bool | None:
    """Tell whether the losses are cross-entropies in nats, as far as names say."""
    found = [meaning(name) for name in recorder.tracks]
    if any(one.is_other_task for one in found):
        return False
    losses = [column for column in columns if column.metric == "loss"]
    if losses and all(meaning(column.name).is_entropy for column in losses):
        return True
    entropies = {meaning(name).part: track for name, track in recorder.tracks.items() if meaning(name).is_entropy}
    for column in losses:
        beside = entropies.get(meaning(column.name).part)
        if beside is None or len(beside.values) != len(column.track.values):
            return None
        if not np.allclose(np.asarray(beside.values), np.asarray(column.track.values), rtol=0.01, atol=1e-3):
            return None
    return True if losses else None
