"""Walks over the fields of protocol buffers without their schema."""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, int | bytes]


def fields_of(message: bytes) -> Iterator[Field]:
    """Yield number, wire type and value of each field; fixed ones come as bytes.

    Source: Protocol Buffers, "Encoding".

    Raises:
        ValueError: it is no protocol buffer, or is cut off.
    """
    at, end = 0, len(message)
    while at < end:
        key = message[at]
        # Nearly all keys and sizes are of one byte.
        if key < 0x80:
            at += 1
        else:
            key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = (message[at], at + 1) if at < end and message[at] < 0x80 else _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > end:
            raise ValueError("cut off")
        yield number, kind, message[at : at + size]
        at += size


def text_of(value: int | bytes) -> str:
    """Return a field that holds text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def bytes_of(value: int | bytes) -> bytes:
    """Return a field that holds bytes or a message."""
    return value if isinstance(value, bytes) else b""


def signed(value: int | bytes) -> int:
    """Return an int64 field, whose negative numbers are written as large ones."""
    number = value if isinstance(value, int) else 0
    return number - 2**64 if number >= 2**63 else number


def floats_in(value: int | bytes, code: str) -> tuple[float, ...]:
    """Return a field's little-endian floats, packed or not: ``code`` is "f" or "d"; what does not fit is left out."""
    content = bytes_of(value)
    count = len(content) // struct.calcsize(code)
    return struct.unpack_from(f"<{count}{code}", content)


def varints_in(value: int | bytes) -> tuple[int, ...]:
    """Return a field's integers, packed or not."""
    if isinstance(value, int):
        return (signed(value),)
    at, found = 0, []
    while at < len(value):
        number, at = _varint(value, at)
        found.append(signed(number))
    return tuple(found)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(message):
            raise ValueError("cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise ValueError("a number of more than 64 bits")
