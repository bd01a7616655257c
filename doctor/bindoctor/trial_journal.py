"""Keeps what finished trainings came to, so that a treatment that was cut off goes on where it stopped."""

import base64
import binascii
import hashlib
import os
from pathlib import Path
from threading import Lock

import msgspec

from bindoctor.files import write_beside
from bindoctor.history import History

FILE_NAME = "trials.journal"


class Record(msgspec.Struct, frozen=True):
    """What one training on all folds of a repeat, or on all rows, came to.

    Attributes:
        failed: why it failed, or "" when there is a result.
        probability: the answers, float64 in C order.
        classes: columns of ``probability``.
        history: the mean curve.
        failures: why folds failed that the constant answer stands in for.
    """

    failed: str = ""
    probability: bytes = b""
    classes: int = 0
    history: History | None = None
    failures: tuple[str, ...] = ()


class TrialJournal:
    """A file of records, one a line, that is only ever appended to.

    A line holds a SHA-256, the record's key and the record. A line that was cut off, or that does not fit its digest,
    is passed over: its training is done again. The first line says what the records depend on besides their keys; a
    file about anything else is started anew.
    """

    def __init__(self, path: Path, context: str) -> None:
        """Open the journal, or start one.

        Args:
            path: the file.
            context: a digest of all that a training depends on and that its key does not name: the data, the
                versions of the program and its libraries.

        Raises:
            OSError: the file cannot be read or written.
        """
        self._path = path
        self._lock = Lock()
        self._places: dict[str, tuple[int, int]] = {}
        first = f"bindoctor trials 1 {context}\n".encode()
        if not path.is_file() or not self._read(first):
            write_beside(path, first)

    def recall(self, key: str) -> Record | None:
        """Return the record that was kept under a key, if there is one."""
        with self._lock:
            if key not in self._places:
                return None
            start, length = self._places[key]
            with self._path.open("rb") as file:
                file.seek(start)
                return _decoded(file.read(length))

    def keep(self, key: str, record: Record) -> None:
        """Append a record, and return once it is on the disk."""
        body = base64.b64encode(msgspec.msgpack.encode(record))
        line = f"{_digest(key.encode(), body)} {key} ".encode() + body + b"\n"
        with self._lock:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                # A line that was cut off before stays one bad line, and does not spoil this one.
                os.write(handle, b"\n" + line)
                os.fsync(handle)
                end = os.lseek(handle, 0, os.SEEK_CUR)
            finally:
                os.close(handle)
            self._places[key] = (end - 1 - len(body), len(body))

    def _read(self, first: bytes) -> bool:
        with self._path.open("rb") as file:
            if file.readline() != first:
                return False
            start = len(first)
            for line in file:
                fields = line.rstrip(b"\n").split(b" ")
                if len(fields) == 3 and fields[0].decode("ascii", "replace") == _digest(fields[1], fields[2]):
                    place = start + len(fields[0]) + len(fields[1]) + 2
                    self._places[fields[1].decode()] = (place, len(fields[2]))
                start += len(line)
        return True


def _digest(key: bytes, body: bytes) -> str:
    return hashlib.sha256(key + b" " + body).hexdigest()


def _decoded(body: bytes) -> Record | None:
    """Return a record, or None for bytes that another program put in its place."""
    try:
        return msgspec.msgpack.decode(base64.b64decode(body, validate=True), type=Record)
    except (binascii.Error, msgspec.DecodeError):
        return None
