"""Finds the newest log in a folder, by what lies in it."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from bindoctor.errors import InputError
from bindoctor.logs.mlflow import SQLITE, is_metric
from bindoctor.logs.names import meaning, part_in
from bindoctor.logs.tensorboard import Events

MAX_DEPTH = 8
MAX_FILES = 50_000
SKIPPED = {"node_modules", "site-packages", "__pycache__"}
PLAIN = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".log", ".txt"}
LIKELY = re.compile(r"hist|log|metric|result|train|curve|loss|eval|progress|summary", re.IGNORECASE)
STAMP = re.compile(r"(20\d{6})[-_T](\d{6})")
TIMED = ("TensorBoard", "MLflow")
MAX_PLAIN = 100
MAX_PLAIN_SIZE = 64 * 2**20


class Log(msgspec.Struct, frozen=True):
    """One log: what kind, where, its files, and how new it is; ``parts`` are TensorBoard's."""

    kind: str
    path: Path
    files: tuple[Path, ...]
    age: tuple[float, ...] = ()
    parts: tuple[Events, ...] = ()


def logs_in(folder: Path) -> Iterator[tuple[Log, str]]:
    """Yield the logs to try, the likeliest first, and a remark on the choice.

    The first kind of which there is any decides, and of it the newest: by the numbers in ``version_3`` and
    ``checkpoint-500``, by the times in file names and records, else by when files were changed.

    Raises:
        InputError: the folder cannot be read.
    """
    files = list(_walk(folder))
    for find in FINDERS:
        found = find(folder, files)
        if found:
            newest = max(found, key=_ages(found))
            read = f"read {newest.path.relative_to(folder)}" if newest.path != folder else ""
            yield newest, f"{read}, the newest of {len(found)} logs of {newest.kind}" if len(found) > 1 else read
    plain = [file for file in files if file.suffix.lower() in PLAIN and _size(file) <= MAX_PLAIN_SIZE]
    plain.sort(key=lambda file: (LIKELY.search(file.name) is None, -_changed(file), str(file)))
    for file in plain[:MAX_PLAIN]:
        yield Log("file", file, (file,)), f"read {file.relative_to(folder)}"


def _ages(found: Sequence[Log]) -> Callable[[Log], tuple[object, ...]]:
    """Return what is larger for a newer log.

    That is the time of writing where files hold it, else a date and time in the path, or numbers in paths that differ
    in nothing else (``train``, ``train2``), else when files were changed, which a copy may have lost.
    """
    if found[0].kind not in TIMED:
        stamps = {log.path: STAMP.findall(str(log.path)) for log in found}
        if all(stamps.values()):
            return lambda log: (*stamps[log.path][-1], str(log.path))
        if len({re.sub(r"\d+", "", str(log.path)) for log in found}) == 1:
            return lambda log: tuple(int(digits[:30]) for digits in re.findall(r"\d+", str(log.path)))
    return lambda log: (log.age, str(log.path))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files under a folder, without links to folders and hidden ones."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror or error}).") from None
    count = 0
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        kept = [name for name in folders if not name.startswith(".") and name not in SKIPPED]
        folders[:] = sorted(kept) if depth < MAX_DEPTH else []
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield path
            count += 1
            if count >= MAX_FILES:
                return


def _by_name(kind: str, matches: Callable[[Path], bool]) -> "Finder":
    def find(folder: Path, files: Sequence[Path]) -> list[Log]:
        return [Log(kind, file, (file,), (_changed(file),)) for file in files if matches(file) and _size(file)]

    return find


def _trainer_states(folder: Path, files: Sequence[Path]) -> list[Log]:
    """Return one state a run: that of the output folder, or of the checkpoint with most steps."""
    by_run: dict[Path, list[tuple[int, int, Path]]] = {}
    for file in files:
        if file.name == "trainer_state.json":
            run = file.parent.parent if re.fullmatch(r"checkpoint-\d+", file.parent.name) else file.parent
            steps = re.search(rb'"global_step"\s*:\s*(\d{1,18})', _content(file))
            by_run.setdefault(run, []).append((int(steps[1]) if steps else 0, -len(file.parts), file))
    return [
        Log("Hugging Face Trainer", (newest := max(states))[2], (newest[2],), (max(_changed(s[2]) for s in states),))
        for states in by_run.values()
    ]


def events_of(file: Path) -> tuple[Path, str]:
    """Return the folder of the run that an event file belongs to, and the part that its own folder names.

    Keras writes to ``train`` and ``validation``, ``add_scalars`` of PyTorch to ``Loss_train``, that of tensorboardX to
    ``Loss/train``.
    """
    folder = file.parent
    part = part_in(folder.name)
    if part and meaning(folder.parent.name).metric:
        return folder.parent.parent, part
    if part or (meaning(folder.name).part and meaning(folder.name).metric):
        return folder.parent, part or meaning(folder.name).part
    return folder, ""


def _event_files(folder: Path, files: Sequence[Path]) -> list[Log]:
    runs: dict[Path, dict[tuple[Path, str], list[Path]]] = {}
    for file in files:
        if "tfevents" in file.name and _size(file):
            # The folder that was asked for is not looked beyond.
            run, part = events_of(file)
            run = run if run.is_relative_to(folder) else folder
            runs.setdefault(run, {}).setdefault((file.parent, part), []).append(file)
    found = []
    for run, groups in runs.items():
        every = [file for group in groups.values() for file in group]
        parts = tuple(Events(tuple(sorted(group, key=_written)), part) for (_, part), group in groups.items())
        found.append(Log("TensorBoard", run, tuple(every), (max(map(_written, every)),), parts))
    return found


def _metric_files(folder: Path, files: Sequence[Path]) -> list[Log]:
    runs: dict[Path, list[Path]] = {}
    for file in files:
        if file.suffix in PLAIN | {".yaml", ".yml", ".py"} or _size(file) > MAX_PLAIN_SIZE:
            continue
        lines = _content(file, 256).decode("utf-8", "replace").splitlines()
        if lines and is_metric(lines[0]):
            above = next((p for p in file.parents if p.name == "metrics" and p.is_relative_to(folder)), folder)
            runs.setdefault(above, []).append(file)
    found = []
    for metrics, group in runs.items():
        about = _content(metrics.parent / "meta.yaml", 4096) if metrics.name == "metrics" else b""
        if b"lifecycle_stage: deleted" in about:
            continue
        started = re.search(rb"start_time: (\d{1,16})", about)
        age = int(started[1]) / 1000 if started else max(map(_changed, group))
        found.append(Log("MLflow", metrics, tuple(group), (age,)))
    return found


def _databases(folder: Path, files: Sequence[Path]) -> list[Log]:
    return [
        Log("MLflow databases", file, (file,), (_changed(file),))
        for file in files
        if file.suffix in (".db", ".sqlite", ".sqlite3") and _content(file, len(SQLITE)) == SQLITE
    ]


Finder = Callable[[Path, Sequence[Path]], list[Log]]
FINDERS: tuple[Finder, ...] = (
    _trainer_states,
    _by_name("Lightning", lambda file: file.name == "metrics.csv"),
    _by_name("Ultralytics", lambda file: file.name == "results.csv"),
    _by_name("Weights & Biases", lambda file: file.suffix == ".wandb"),
    _by_name("Weights & Biases", lambda file: file.name == "wandb-summary.json"),
    _metric_files,
    _databases,
    _event_files,
)
"""Finds the logs of each kind, in the order in which kinds are tried."""


def _written(file: Path) -> float:
    """Return when an event file was begun, which its name says, else when it was changed."""
    found = re.search(r"tfevents\.(\d{9,11})(?:\.|$)", file.name)
    return float(found[1]) if found else _changed(file)


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _content(file: Path, size: int = MAX_PLAIN_SIZE) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except OSError:
        return b""


def names_of(log: Log) -> Iterable[tuple[str, Path]]:
    """Return an MLflow log's files by the names of their metrics."""
    return [(file.relative_to(log.path).as_posix(), file) for file in log.files]
