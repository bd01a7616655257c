"""Keeps what finished trainings came to, so that a treatment that was cut off goes on where it stopped."""

import base64
import hashlib
import os
from pathlib import Path

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

    A line holds a SHA-256 of the first line and the rest of its own, the record's key and the record. A line that was
    cut off, or that does not fit its digest, is passed over: its training is done again. The first line says what the
    records depend on besides their keys; a file about anything else is started anew. Where nothing can be written,
    nothing is kept.
    """

    def __init__(self, path: Path, context: str) -> None:
        """Read what a journal holds; the file is made for the first record.

        Args:
            path: the file.
            context: a digest of all that a training depends on and that its key does not name: the data, the
                versions of the program and its libraries.
        """
        self._path = path
        self._first = f"bindoctor trials 1 {context}\n".encode()
        self._places: dict[str, tuple[int, int]] = {}
        self._writable = True
        try:
            self._begun = path.is_file() and self._read()
        except OSError:
            self._begun = self._writable = False

    def recall(self, key: str) -> Record | None:
        """Return the record that was kept under a key, if there is one.

        The line is checked again: another run may have started the file anew.
        """
        if key not in self._places:
            return None
        start, length = self._places[key]
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                found = self._checked(file.read(length))
        except OSError:
            return None
        if found is None or found[0] != key:
            return None
        return msgspec.msgpack.decode(base64.b64decode(found[1]), type=Record)

    def keep(self, key: str, record: Record) -> None:
        """Append a record, and return once it is on the disk."""
        if not self._writable:
            return
        body = base64.b64encode(msgspec.msgpack.encode(record))
        try:
            if not self._begun:
                write_beside(self._path, self._first)
                self._begun = True
            # A line that was cut off before stays one bad line, and does not spoil this one.
            line = f"{self._digest(key.encode(), body)} {key} ".encode() + body + b"\n"
            self._places[key] = (self._append(b"\n" + line) - len(line), len(line))
        except OSError:
            self._writable = False

    def _append(self, line: bytes) -> int:
        """Write a line at the end, which others may have moved, and return where it ends."""
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())
            return file.tell()

    def _read(self) -> bool:
        with self._path.open("rb") as file:
            start = len(first := file.readline())
            if first != self._first:
                return False
            for line in file:
                if found := self._checked(line):
                    self._places[found[0]] = (start, len(line))
                start += len(line)
        return True

    def _digest(self, key: bytes, body: bytes) -> str:
        return hashlib.sha256(self._first + key + b" " + body).hexdigest()

    def _checked(self, line: bytes) -> tuple[str, bytes] | None:
        """Return a line's key and its encoded record, or None for a line that does not fit its digest."""
        fields = line.rstrip(b"\n").split(b" ")
        if len(fields) != 3 or fields[0].decode("ascii", "replace") != self._digest(fields[1], fields[2]):
            return None
        return fields[1].decode(), fields[2]
