"""Reads logs of one line a record: Lightning, Keras, fastai, Ultralytics, timm, and tables of any kind."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from bindoctor.errors import InputError
from bindoctor.history import COLUMNS, History
from bindoctor.logs.curves import history_of, no_losses
from bindoctor.logs.names import meaning, plain
from bindoctor.logs.recorder import Recorder
from bindoctor.logs.rows import NOT_LOGGED, RowReader, number_in
from bindoctor.logs.texts import whole

DELIMITERS = ",;\t|"
EXPORTED = re.compile(r"__(MIN|MAX)$")
OF_A_RUN = re.compile(r"^.+ - (?=\S+$)")


def read_delimited(path: Path, text: TextIO) -> History:
    """Read a table with a header.

    A header that comes again begins another run. The last line counts only where all of its fields are there.

    Raises:
        InputError: it has no loss column, or a field of one that is no number.
    """
    if text.readline(len(COLUMNS) + 2).strip() == COLUMNS:
        text.seek(0)
        return _own(path, whole(path, text))
    text.seek(0)
    recorder = Recorder()
    reader = RowReader(path, recorder)
    pending: tuple[list[str], bool] | None = None
    number = short = 0
    try:
        records = _records(text)
        columns = _named(next(records, ([], True))[0])
        if not columns:
            raise InputError(f"{path}: the training history is empty.")
        if not any(meaning(name).metric for name in columns) and "value" not in map(plain, columns):
            raise no_losses(path, columns)
        for record in records:
            if pending is not None:
                number += 1
                columns, missing = _take(path, reader, columns, pending[0], number)
                short += missing
            pending = record
        if pending is not None:
            _take_last(path, reader, recorder, columns, *pending, number + 1)
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error}).") from None
    if short:
        recorder.remarks.append(f"{short} records have fewer fields than the header")
    return history_of(recorder, path, source=_source(columns))


def _own(path: Path, text: str) -> History:
    """Read what bindoctor wrote."""
    try:
        return History.from_csv(text)
    except ValueError as damage:
        before = "".join(text.splitlines(keepends=True)[:-1])
        try:
            history = History.from_csv(before)
        except ValueError:
            raise InputError(f"{path}: {damage}.") from None
        return replace(history, remarks=(f"the last record ({before.count(chr(10))}) is cut off and left out",))


def _records(text: TextIO) -> Iterator[tuple[list[str], bool]]:
    """Yield records, blank lines and remarks left out, and whether a line feed ended each; the header is the first."""
    lines = _Lines(text)
    header = next((line for line in lines if line.strip()), "")
    if not header:
        return
    found = max(DELIMITERS, key=header.count)
    if found not in header:
        for line in _chained(header, lines):
            if line.split() and not (line.startswith("#") and line is not header):
                yield line.lstrip("#").split(), lines.ended
        return
    for record in csv.reader(_chained(header, lines), delimiter=found, skipinitialspace=True):
        if any(field.strip() for field in record) and not (record[0].startswith("#") and len(record) == 1):
            yield record, lines.ended


class _Lines:
    """Lines of a text; ``ended`` tells whether the last one read was ended as those before it."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._ending = ""
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            ending = line[len(line.rstrip("\r\n")) :]
            # Programs that write \r\n do so after every record; by hand, the last line often has no end.
            self.ended = bool(ending) or self._ending != "\r\n"
            self._ending = ending
            yield line


def _chained(first: str, others: _Lines) -> Iterator[str]:
    yield first
    yield from others


def _named(header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names; what Weights & Biases adds to them in exports is taken off."""
    names = [field.strip().lstrip("#").strip() for field in header]
    named: list[str] = []
    for name in names:
        short = OF_A_RUN.sub("", name)
        short = short if meaning(short).metric and not EXPORTED.search(name) else name
        named.append(short if short not in named else name)
    return tuple(named)


def _take(
    path: Path,
    reader: RowReader,
    columns: tuple[str, ...],
    record: list[str],
    number: int,
) -> tuple[tuple[str, ...], bool]:
    """Add a record; return the columns of what follows, and whether fields were missing."""
    if _is_header(record):
        reader.restart()
        return _named(record), False
    while len(record) > len(columns) and not record[-1].strip():
        record.pop()
    if len(record) > len(columns):
        raise InputError(f"{path}: record {number} has more fields than the header.")
    reader.add_flat({name: field for name, field in zip(columns, record, strict=False) if name}, number)
    return columns, len(record) < len(columns)


def _take_last(
    path: Path,
    reader: RowReader,
    recorder: Recorder,
    columns: tuple[str, ...],
    record: list[str],
    ended: bool,
    number: int,
) -> None:
    """Add the last record unless it was cut off."""
    if not ended or len(record) < len(columns) or _ends_within(record[-1]):
        recorder.remarks.append(f"the last record ({number}) is cut off and left out")
        return
    _take(path, reader, columns, record, number)


def _ends_within(field: str) -> bool:
    """Tell whether a field is the beginning of a number or of "nan" and the like, and none itself."""
    text = field.strip().lower()
    if text in NOT_LOGGED or text.lstrip("+-") in ("inf", "infinity"):
        return False
    return re.fullmatch(r"[-+]?(\d+\.?\d*e[-+]?|\.|n|na|i|in|inf[inty]*)?", text) is not None


def _is_header(record: Sequence[str]) -> bool:
    """Tell whether a record names columns: no field is a number, and one is the name of a metric."""
    for field in record:
        try:
            if number_in(field) is not None:
                return False
        except ValueError:
            continue
    return any(meaning(field.strip()).metric for field in record)


def _source(columns: Sequence[str]) -> str:
    names = {plain(name) for name in columns}
    exact = {*columns}
    if {"epoch", "step"} <= exact and not {"loss", "val_loss"} <= exact:
        return "Lightning CSVLogger"
    if any(name.startswith("lr/pg") for name in columns) or {"train/loss", "metrics/accuracy_top1"} <= exact:
        return "Ultralytics"
    if {"epoch", "train_loss", "valid_loss", "time"} <= exact:
        return "fastai CSVLogger"
    if columns and columns[0] == "epoch" and "loss" in exact and list(columns[1:]) == sorted(columns[1:]):
        return "Keras CSVLogger"
    if {"epoch", "train-loss", "eval-loss"} <= names:
        return "timm"
    return "CSV"
