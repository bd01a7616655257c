"""Reads MLflow's runs: the files of one run, or the newest run of a database."""

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.curves import history_of
from bindoctor.logs.recorder import NAN, Recorder

LINE = re.compile(
    r"(\d{9,16}) ([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf|infinity))(?: (-?\d{1,15}))?(?: .*)?",
    re.IGNORECASE | re.ASCII,
)
SQLITE = b"SQLite format 3\0"
Point = tuple[int, float, int]


def is_metric(line: str) -> bool:
    """Tell whether a line is a point as MLflow writes it to files: a time in milliseconds, a value and a step."""
    return LINE.fullmatch(line.strip()) is not None


def read_metric_files(path: Path, files: Iterable[tuple[str, Path]], remarks: Iterable[str] = ()) -> History:
    """Read a run's metrics, one file each, given by name.

    Raises:
        InputError: none is a loss or a score, or one cannot be read.
    """
    recorder = Recorder()
    for name, file in files:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror or error}).") from None
        points: list[Point] = []
        for number, line in enumerate(lines, start=1):
            found = LINE.fullmatch(line.strip())
            if found:
                points.append((int(found[1]), float(found[2]), int(found[3] or 0)))
            elif number == len(lines):
                recorder.remarks.append(f"{file.name}: the last record ({number}) is cut off and left out")
            elif line.strip():
                raise InputError(f"{file}: line {number} is no metric of MLflow's: a time, a value and a step.")
        _record(recorder, name, points)
    return history_of(recorder, path, source="MLflow", remarks=tuple(remarks))


def read_database(path: Path) -> History:
    """Read the newest run with metrics of an MLflow database, which is opened for reading only.

    Raises:
        InputError: it is damaged, none of MLflow's, or has no run with losses or scores.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as database:
            database.text_factory = lambda content: content.decode("utf-8", "replace")
            # Views and triggers of a foreign file must not run functions.
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {"runs", "metrics"} <= tables:
                raise InputError(f"{path}: is a database, but none of MLflow's: it has no tables 'runs' and 'metrics'.")
            runs = database.execute(
                "SELECT run_uuid, name FROM runs WHERE run_uuid IN (SELECT run_uuid FROM metrics) "
                "AND coalesce(lifecycle_stage, 'active') = 'active' ORDER BY start_time DESC, run_uuid"
            ).fetchall()
            if not runs:
                raise InputError(f"{path}: holds no run with metrics.")
            newest, name = runs[0]
            points: dict[str, list[Point]] = {}
            for key, value, time, step, is_nan in database.execute(
                "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY step, timestamp",
                (newest,),
            ):
                points.setdefault(str(key), []).append(
                    (int(time or 0), NAN if is_nan else float(value), int(step or 0))
                )
    except sqlite3.Error as error:
        raise InputError(f"{path}: the database cannot be read ({error}).") from None
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: a metric of the newest run is no number.") from None
    recorder = Recorder()
    for key, values in points.items():
        _record(recorder, key, values)
    remarks = [f"read run {name or newest} ({newest}), the newest of {len(runs)}"] if len(runs) > 1 else []
    return history_of(recorder, path, source="MLflow", remarks=tuple(remarks))


def _record(recorder: Recorder, name: str, points: list[Point]) -> None:
    """Hand on points by step, or in the order of time where no step was given."""
    unnumbered = len(points) > 1 and len({step for *_, step in points}) == 1
    ordered = sorted(points, key=lambda point: point[0] if unnumbered else point[2])
    for place, (_, value, step) in enumerate(ordered):
        recorder.add(name, value, float(place if unnumbered else step))
