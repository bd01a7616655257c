"""Reads logs that hold a list a metric: Keras's histories, evaluation results of boosting libraries, people's own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.curves import history_of
from bindoctor.logs.names import EPOCH_NAMES, STEP_NAMES, UNPARTED, meaning, part_in, plain
from bindoctor.logs.recorder import NAN, Recorder
from bindoctor.logs.rows import MAX_POSITION, number_in
from bindoctor.logs.salvage import CutList

MAX_DEPTH = 6
MAX_SPACED = 10
"""A curve of so many times fewer points is a validation at every so many epochs; beyond, one at each epoch's end."""

Lists = Mapping[str, Sequence[Any]]


def read_columns(path: object, lists: Lists) -> History:
    """Read lists by the name of their metric, those of several runs by ``run/metric``; ``path`` is named in messages.

    Raises:
        InputError: none is of a loss or a score, or one holds a text that is no number.
    """
    recorder = Recorder()
    cut = [name for name, values in lists.items() if isinstance(values, CutList)]
    if cut:
        recorder.remarks.append(f"the log is cut off within {cut[-1]!r}, after record {len(lists[cut[-1]])}")
    for run in _runs(_with_parts(lists, recorder)):
        recorder.new_run()
        _record(path, run, recorder)
    return history_of(recorder, path, source=_source(lists))


def lists_in(loaded: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the lists of numbers in nested objects by ``outer/inner``; objects by position count as lists,
    and lists of lists are of several runs."""
    for key, value in loaded.items():
        name = f"{prefix}{str(key).strip()}"
        if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
            yield from ((f"{place}/{name}", item) for place, item in enumerate(value))
        elif isinstance(value, list):
            yield name, value
        elif isinstance(value, dict) and value and all(str(k).isdecimal() for k in value):
            yield name, [value[k] for k in sorted(value, key=lambda k: (len(str(k)), str(k)))]
        elif isinstance(value, dict) and depth < MAX_DEPTH:
            yield from lists_in(value, f"{name}/", depth + 1)


def _runs(lists: Lists) -> Sequence[Lists]:
    """Return the lists of each run, where the first part of every name says the run (``fold_1/val_loss``)."""
    runs: dict[str, dict[str, Sequence[Any]]] = {}
    for name, values in lists.items():
        run, slash, metric = name.partition("/")
        said = meaning(run)
        if not slash or said.part or said.metric:
            return [lists]
        runs.setdefault(run, {})[metric] = values
    return list(runs.values()) if len(runs) > 1 else [lists]


def _record(path: object, lists: Lists, recorder: Recorder) -> None:
    curves = [values for name, values in lists.items() if meaning(name).metric not in ("", *UNPARTED)]
    longest = max(map(len, curves or lists.values()), default=0)
    epochs = next((values for name, values in lists.items() if plain(name) in EPOCH_NAMES), None)
    steps = next((values for name, values in lists.items() if plain(name) in STEP_NAMES), None)
    of_batches = any(_spread(len(values), longest) > MAX_SPACED for values in curves)
    for name, values in lists.items():
        if plain(name) in EPOCH_NAMES | STEP_NAMES:
            continue
        spread = _spread(len(values), longest)
        for place, raw in enumerate(values):
            value = number_of(path, name, place, raw)
            if value is None:
                continue
            at = math.ceil((place + 1) * spread) - 1
            if epochs is None and steps is None:
                recorder.add(name, value, *((float(at), NAN) if of_batches else (NAN, float(at))))
            else:
                recorder.add(name, value, position(steps, at), position(epochs, at))


def _spread(points: int, longest: int) -> float:
    """Return how many points of the longest curve there are to one of this; 1 where they do not go together."""
    if not points or not longest or (longest % points and points % longest):
        return 1
    return longest / points


def position(places: Sequence[Any] | None, at: int) -> float:
    """Return the epoch or step in a list; NaN where there is none."""
    try:
        found = number_in(places[at]) if places is not None and at < len(places) else None
    except ValueError:
        found = None
    return found if found is not None and abs(found) < MAX_POSITION else NAN


def number_of(path: object, name: str, place: int, raw: Any) -> float | None:
    """Return a value of a list, None where nothing was logged.

    Raises:
        InputError: a text in a list of losses or scores is no number.
    """
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
