"""Reads scalars from TensorBoard's event files: plain ones, and Keras's, which are tensors."""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.crc import masked_crcs
from bindoctor.logs.curves import history_of
from bindoctor.logs.names import part_in
from bindoctor.logs.recorder import NAN, Recorder
from bindoctor.logs.wire import bytes_of, fields_of, floats_in, signed, text_of, varints_in

HEADER = struct.Struct("<QI")
BATCH = 20_000
MAX_SCALAR = 2**16
"""Longer records hold images, graphs and histograms, no scalars, and are passed over."""

FORMATS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Numbers' formats in a tensor's content, by ``DataType``."""

Record = tuple[int, bytes, int]


class Events(msgspec.Struct, frozen=True):
    """Event files that belong together: ``files`` are in the order of their writing, ``part`` is that of the rows."""

    files: tuple[Path, ...]
    part: str = ""


def is_event_file(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is a sequence of checked records."""
    if len(head) < HEADER.size:
        return False
    _, crc = HEADER.unpack_from(head)
    return bool(masked_crcs([head[:8]])[0] == crc)


def read_events(path: Path, groups: Sequence[Events], remarks: Sequence[str] = ()) -> History:
    """Read event files.

    Raises:
        InputError: they hold no scalars of losses or scores, or one cannot be read.
    """
    recorder = Recorder()
    for group in groups:
        recorder.same_runs_again()
        for file in group.files:
            for tag, step, value in _scalars(file, recorder.remarks):
                name = f"{group.part}/{tag}" if group.part and not part_in(tag.partition("/")[0]) else tag
                # Keras counts epochs in the place of steps under these names.
                by_epoch = tag.startswith("epoch_")
                recorder.add(name, value, NAN if by_epoch else float(step), float(step) if by_epoch else NAN)
    if not recorder.tracks:
        raise InputError(f"{path}: holds no scalars.")
    return history_of(recorder, path, source="TensorBoard", remarks=remarks)


def _scalars(path: Path, remarks: list[str]) -> Iterator[tuple[str, int, float]]:
    batch: list[Record] = []
    damaged: list[int] = []
    for record in _records(path, remarks):
        batch.append(record)
        if len(batch) == BATCH:
            yield from _checked(batch, damaged)
            batch = []
    yield from _checked(batch, damaged)
    if damaged:
        first = f"record {damaged[0]}" if len(damaged) == 1 else f"{len(damaged)} records, the first is {damaged[0]},"
        remarks.append(f"{path.name}: {first} damaged and left out")


def _records(path: Path, remarks: list[str]) -> Iterator[Record]:
    """Yield number, content and checksum of each record that may hold scalars, as far as the file is whole."""
    try:
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size
            number = 0
            while header := file.read(HEADER.size):
                number += 1
                left -= HEADER.size
                if len(header) < HEADER.size:
                    remarks.append(f"{path.name}: the last record ({number}) is cut off and left out")
                    return
                length, crc = HEADER.unpack(header)
                if masked_crcs_of_length(header) != crc:
                    remarks.append(f"{path.name}: record {number} is damaged; it and what follows are left out")
                    return
                if length + 4 > left:
                    remarks.append(f"{path.name}: the last record ({number}) is cut off and left out")
                    return
                left -= length + 4
                if length > MAX_SCALAR:
                    file.seek(length + 4, os.SEEK_CUR)
                    continue
                content = file.read(length + 4)
                if len(content) < length + 4:
                    remarks.append(f"{path.name}: the last record ({number}) is cut off and left out")
                    return
                yield number, content[:-4], int.from_bytes(content[-4:], "little")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from None


_LENGTHS: dict[bytes, int] = {}


def masked_crcs_of_length(header: bytes) -> int:
    """Return the checksum of a record's length, which few distinct ones have."""
    length = header[:8]
    found = _LENGTHS.get(length)
    if found is None:
        found = int(masked_crcs([length])[0])
        if len(_LENGTHS) < MAX_SCALAR:
            _LENGTHS[length] = found
    return found


def _checked(batch: Sequence[Record], damaged: list[int]) -> Iterator[tuple[str, int, float]]:
    right = masked_crcs([content for _, content, _ in batch]) == np.array([crc for *_, crc in batch], dtype=np.uint32)
    for (number, content, _), whole in zip(batch, right.tolist(), strict=True):
        if not whole:
            damaged.append(number)
            continue
        try:
            yield from _of_event(content)
        except ValueError:
            damaged.append(number)


def _of_event(event: bytes) -> list[tuple[str, int, float]]:
    """Return tag, step and value of an event's scalars."""
    step, summary = 0, b""
    for number, _, value in fields_of(event):
        if number == 2:
            step = signed(value)
        elif number == 5:
            summary = bytes_of(value)
    found = []
    for number, _, value in fields_of(summary):
        if number == 1:
            scalar = _of_value(bytes_of(value))
            if scalar is not None:
                found.append((scalar[0], step, scalar[1]))
    return found


def _of_value(message: bytes) -> tuple[str, float] | None:
    tag, number = "", None
    for field, _, value in fields_of(message):
        if field == 1:
            tag = text_of(value)
        elif field == 2:
            number = next(iter(floats_in(value, "f")), None)
        elif field == 8:
            number = _of_tensor(bytes_of(value))
    return None if number is None or not tag else (tag, number)


def _of_tensor(message: bytes) -> float | None:
    """Return a tensor's only number; None where there are several, or none."""
    kind, content, numbers = 0, b"", list[float]()
    for field, _, value in fields_of(message):
        if field == 1:
            kind = signed(value)
        elif field == 2 and any(number == 2 for number, *_ in fields_of(bytes_of(value))):
            return None
        elif field == 4:
            content = bytes_of(value)
        elif field in (5, 6):
            numbers += floats_in(value, "f" if field == 5 else "d")
        elif field in (7, 10):
            numbers += varints_in(value)
    if content and kind in FORMATS and len(content) == np.dtype(FORMATS[kind]).itemsize:
        numbers = [float(np.frombuffer(content, dtype=FORMATS[kind])[0])]
    return float(numbers[0]) if len(numbers) == 1 else None
