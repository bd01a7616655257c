"""Finds out how a CSV file is laid out from its head: delimiter, column names, and where the data rows begin."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bindoctor.errors import InputError

DELIMITERS = ",;\t|"
HEAD_BYTES = 1 << 18
SNIFFED_ROWS = 200


@dataclass(frozen=True)
class Layout:
    """How to read a CSV file.

    Attributes:
        delimiter: one ASCII character.
        columns: the column names.
        data_offset: bytes before the first data row.
        first_line: 1-based number of the first data row's line.
        bare_returns: whether lines end in a carriage return alone.
        header: whether a line names the columns.
    """

    delimiter: str
    columns: tuple[str, ...]
    data_offset: int
    first_line: int
    bare_returns: bool
    header: bool


def sniff(path: Path, *, delimiter: str | None, header: bool) -> Layout:
    """Read the head of a CSV file and say how to read the rest.

    The delimiter is the one that gives most lines the same number of fields as the first line, and the most fields.

    Raises:
        InputError: the head is no UTF-8 text, there is no data row, or column names clash.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        complete = len(head) < HEAD_BYTES
    offset = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise InputError(f"{path}: is not UTF-8 text (UTF-16, or a binary file); save it as UTF-8 CSV.")
    bare_returns = b"\n" not in head and b"\r" in head
    body = head[offset:].replace(b"\r", b"\n") if bare_returns else head[offset:]
    records = _records(body, complete)
    if not records:
        raise InputError(f"{path}: has no lines with text in them; give a CSV file with data rows.")
    texts = [_decoded(path, body, record) for record in records]
    chosen = delimiter or _delimiter(texts)
    first = _fields(texts[0], chosen)
    if not first:
        raise InputError(f"{path}:{records[0].line}: a quote in the middle of a field; quote the whole field.")
    if not header:
        columns = tuple(str(position) for position in range(len(first)))
        return Layout(chosen, columns, offset + records[0].start, records[0].line, bare_returns, header)
    columns = _named(path, records[0].line, first)
    if len(records) == 1 and complete:
        raise InputError(f"{path}: has a header line but no data rows; give a file with data rows.")
    end = records[0].end
    return Layout(
        chosen, columns, offset + end, records[0].line + body.count(b"\n", records[0].start, end), bare_returns, header
    )


@dataclass(frozen=True)
class _Record:
    """Where one row of the head is: bytes from start to end (line end included), and its 1-based line."""

    start: int
    end: int
    line: int


def _records(body: bytes, complete: bool) -> list[_Record]:
    """Cut the head into rows at line ends outside quotes; leave out blank lines and a last row that is cut off."""
    found: list[_Record] = []
    start, line = 0, 1
    while start < len(body) and len(found) < SNIFFED_ROWS:
        end = body.find(b"\n", start) + 1
        while end and body.count(b'"', start, end) % 2:
            end = body.find(b"\n", end) + 1
        if not end and not complete and found:
            break
        end = end or len(body)
        if body[start:end].strip():
            found.append(_Record(start, end, line))
        line += body.count(b"\n", start, end)
        start = end
    return found


def _decoded(path: Path, body: bytes, record: _Record) -> str:
    try:
        return body[record.start : record.end].decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        line = record.line + body.count(b"\n", record.start, record.start + error.start)
        bad = body[record.start + error.start]
        raise InputError(f"{path}:{line}: not UTF-8 (byte {bad:#04x}); save it as UTF-8.") from None


def _named(path: Path, line: int, names: list[str]) -> tuple[str, ...]:
    """Give every column a name of its own, as pandas does: "Unnamed: 3" for none, "x.1" for the second "x"."""
    seen: Counter[str] = Counter()
    columns = []
    for position, name in enumerate(names):
        columns.append((f"{name}.{seen[name]}" if seen[name] else name) or f"Unnamed: {position}")
        seen[name] += bool(name)
    clash = [name for name, count in Counter(columns).items() if count > 1]
    if clash:
        raise InputError(
            f"{path}:{line}: the column name {clash[0]!r} occurs more than once; rename one of the columns."
        )
    return tuple(columns)


def _delimiter(texts: list[str]) -> str:
    def score(candidate: str) -> tuple[float, int]:
        fields = [len(_fields(text, candidate)) for text in texts]
        same = sum(count == fields[0] for count in fields)
        return (same / len(fields) if fields[0] > 1 else 0.0, fields[0])

    return max(DELIMITERS, key=score)


def _fields(text: str, delimiter: str) -> list[str]:
    """Return one row's fields; none when a stray quote has joined several lines to a row."""
    try:
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error:
        return []
