"""Reads the curve in a run's file of Weights & Biases, without the service."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.curves import history_of
from bindoctor.logs.recorder import Recorder
from bindoctor.logs.rows import RowReader
from bindoctor.logs.wire import bytes_of, fields_of, text_of

MAGIC = b":W&B"
HEADER_SIZE = 7
BLOCK = 2**15
CHUNK_HEADER = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
HISTORY, ITEM, STEP = 2, 1, 2
KEY, NESTED_KEY, VALUE = 1, 2, 16


def read_run_file(path: Path, remarks: tuple[str, ...] = ()) -> History:
    """Read ``run-*.wandb``: records framed as in LevelDB's log, each a protocol buffer.

    Raises:
        InputError: it cannot be read, or holds no losses or scores.
    """
    recorder = Recorder()
    reader = RowReader(path, recorder)
    number = 0
    for record in _records(path, recorder.remarks):
        try:
            for field, _, value in fields_of(record):
                if field == HISTORY:
                    number += 1
                    reader.add(_row(bytes_of(value)), number, strict=False)
        except ValueError:
            recorder.remarks.append("a damaged record is left out")
    return history_of(recorder, path, source="Weights & Biases", remarks=remarks)


def _row(message: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field, _, value in fields_of(message):
        if field == ITEM:
            keys: list[str] = []
            text = ""
            for part, _, content in fields_of(bytes_of(value)):
                if part in (KEY, NESTED_KEY):
                    keys.append(text_of(content))
                elif part == VALUE:
                    text = text_of(content)
            name = "/".join(key for key in keys if key)
            try:
                row[name] = json.loads(text)
            except (ValueError, RecursionError):
                continue
        elif field == STEP:
            steps = [content for part, _, content in fields_of(bytes_of(value)) if part == 1]
            row.setdefault("_step", steps[0] if steps else 0)
    return {name: value for name, value in row.items() if isinstance(value, int | float | str | dict)}


def _records(path: Path, remarks: list[str]) -> Iterator[bytes]:
    """Yield records, put together from their pieces, as far as the file is whole."""
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK)
            if block[: len(MAGIC)] != MAGIC:
                raise InputError(f"{path}: is no run file of Weights & Biases.")
            at, pieces, number = HEADER_SIZE, list[bytes](), 0
            while block:
                while at + CHUNK_HEADER <= len(block):
                    crc = int.from_bytes(block[at : at + 4], "little")
                    length = int.from_bytes(block[at + 4 : at + 6], "little")
                    kind = block[at + 6]
                    content = block[at + CHUNK_HEADER : at + CHUNK_HEADER + length]
                    if kind == 0:
                        break
                    if len(content) < length:
                        remarks.append(f"the last record ({number + 1}) is cut off and left out")
                        return
                    if zlib.crc32(block[at + 6 : at + CHUNK_HEADER + length]) != crc:
                        remarks.append(f"record {number + 1} is damaged; it and what follows are left out")
                        return
                    pieces = [content] if kind in (FULL, FIRST) else [*pieces, content]
                    if kind in (FULL, LAST):
                        number += 1
                        yield b"".join(pieces)
                    at += CHUNK_HEADER + length
                block, at = file.read(BLOCK), 0
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None
