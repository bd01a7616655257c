"""Reads JSON Lines, one object a row, and JSON lists of objects."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import polars as pl

from bindoctor.dataset import Piece, Source
from bindoctor.errors import InputError
from bindoctor.readers.encodings import BadTextError, to_utf8
from bindoctor.readers.frames import FrameSource
from bindoctor.readers.rowends import line_ends
from bindoctor.readers.sniff import NoRowsError
from bindoctor.readers.streams import ByteStream

BLOCK_BYTES = 4 << 20

Record = dict[str, str | None]


class _RepeatedKeyError(ValueError):
    """An object has a key twice."""


class JsonLinesSource(msgspec.Struct, frozen=True):
    """One JSON object a line; a key that is absent is a missing cell.

    Attributes:
        stream: the text.
        columns: the keys of all objects, in the order in which they first occur.
        strict: whether anything but UTF-8 is an error.
        mark: bytes of a byte-order mark at the start.
        remarks: what was decided when the file was opened.
    """

    stream: ByteStream
    columns: tuple[str, ...]
    strict: bool
    mark: int
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the path."""
        return self.stream.name

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Cut the file at line ends; each piece parses its lines when it is called.

        Raises:
            InputError: a line that is no flat JSON object, when the piece is called.
        """
        wanted = self.columns if columns is None else [name for name in self.columns if name in columns]
        for line, block in _blocks(self.stream, self.mark):
            yield partial(self._parse, block, line, wanted)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows in file order.

        Raises:
            InputError: as ``pieces`` does.
        """
        for piece in self.pieces(columns):
            frame = piece()
            if frame.height:
                yield frame

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes, in hex."""
        return self.stream.digest()

    def _parse(self, block: bytes, line: int, columns: Sequence[str]) -> pl.DataFrame:
        records = [record for _, record in _records(self.name, block, line, strict=self.strict)]
        return _frame(records, columns)


def json_source(stream: ByteStream, *, strict: bool, mark: int, remarks: tuple[str, ...]) -> Source:
    """Open JSON Lines, whose keys are read first, or a list of objects, which is loaded whole.

    Numbers are kept as written.

    Raises:
        InputError: invalid JSON, a nested value, a key twice in one object, or no object, with the line.
    """
    begin, _ = stream.head(1 << 16)
    if begin[mark:].lstrip().startswith(b"["):
        return _list_source(stream, strict=strict, mark=mark, remarks=remarks)
    columns: dict[str, None] = {}
    for line, block in _blocks(stream, mark):
        for _, record in _records(stream.name, block, line, strict=strict):
            columns.update(dict.fromkeys(record))
    if not columns:
        raise NoRowsError(f"{stream.name}: its JSON objects are empty; give a file with data rows.")
    return JsonLinesSource(stream, tuple(columns), strict, mark, remarks)


def _list_source(stream: ByteStream, *, strict: bool, mark: int, remarks: tuple[str, ...]) -> Source:
    whole = b"".join(stream.blocks(BLOCK_BYTES))[mark:]
    values = _decoded(stream.name, _utf8(stream.name, whole, 1, strict=strict), 1)
    columns: dict[str, None] = {}
    records = []
    for position, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise InputError(f"{stream.name}: item {position} of the list is no JSON object; give one object a row.")
        columns.update(dict.fromkeys(value))
        records.append(_flat(f"{stream.name}: item {position}", value))
    if not columns:
        raise NoRowsError(f"{stream.name}: has no JSON object in its list; give a file with data rows.")
    return FrameSource(_frame(records, list(columns)), stream.name, remarks, stream.digest())


def _blocks(stream: ByteStream, mark: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, and the number of the first of them."""
    line, rest = 1, b""
    for read in stream.blocks(BLOCK_BYTES, mark):
        rest += read
        end = rest.rfind(b"\n") + 1
        if end:
            yield line, rest[:end]
            line += line_ends(rest[:end])
            rest = rest[end:]
    if rest:
        yield line, rest


def _records(name: str, block: bytes, line: int, *, strict: bool) -> Iterator[tuple[int, Record]]:
    text = _utf8(name, block, line, strict=strict)
    for number, row in enumerate(text.split("\n"), start=line):
        if not row.strip():
            continue
        value = _decoded(name, row, number)
        if not isinstance(value, dict):
            raise InputError(f"{name}:{number}: no JSON object; give one object a line.")
        yield number, _flat(f"{name}:{number}", value)


def _utf8(name: str, block: bytes, line: int, *, strict: bool) -> str:
    try:
        return to_utf8(block, strict=True)[0].decode("utf-8")
    except BadTextError as error:
        bad = line + line_ends(block[: error.position])
        raise InputError(f"{name}:{bad}: {error}") from None


def _decoded(name: str, text: str, line: int) -> Any:
    try:
        return json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_constant, object_pairs_hook=_without_repetition
        )
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise InputError(
            f"{name}:{where}: invalid JSON ({error.msg}, character {error.colno}); mend the line."
        ) from None
    except _RepeatedKeyError as error:
        raise InputError(
            f"{name}:{line}: the key {error.args[0]!r} occurs twice in one object; mend the line."
        ) from None
    except RecursionError:
        raise InputError(f"{name}:{line}: JSON nested too deeply; give flat objects.") from None


def _constant(text: str) -> str | None:
    return None if text == "NaN" else text


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _flat(where: str, value: dict[str, Any]) -> Record:
    record: Record = {}
    for key, cell in value.items():
        if isinstance(cell, dict | list):
            what = "an object" if isinstance(cell, dict) else "a list"
            raise InputError(f"{where}: column {key!r} holds {what}, not a single value; leave it out or unpack it.")
        record[key] = {True: "true", False: "false"}[cell] if isinstance(cell, bool) else (cell or None)
    return record


def _frame(records: Sequence[Record], columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series(name, [record.get(name) for record in records], pl.String) for name in columns}
    )
