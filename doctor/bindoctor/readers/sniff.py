"""Finds out how delimited text is laid out from its head: delimiter, lines before the table, column names, decimals."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import msgspec

from bindoctor.errors import InputError
from bindoctor.readers.cells import kind_of, writes_decimal_commas
from bindoctor.readers.encodings import BadTextError, Found, to_utf8
from bindoctor.readers.header import guess_header, unique_names
from bindoctor.readers.rowends import with_newlines
from bindoctor.readers.streams import ByteStream

DELIMITERS = ",;\t|"
RARE_DELIMITERS = "\x01\x1f^~: "
HEAD_BYTES = 1 << 18
MAX_HEAD_BYTES = 96 << 20
SNIFFED_ROWS = 200
SNIFFED_CELLS = 100_000
MIN_SHARE = 0.5
MIN_RARE_SHARE = 0.95


class Layout(msgspec.Struct, frozen=True):
    """How to read delimited text.

    Attributes:
        delimiter: one ASCII character.
        columns: the column names.
        data_offset: bytes before the first data row.
        first_line: 1-based number of the first data row's line.
        row_bytes: bytes of a row, on average over the head.
        header: whether a line names the columns.
        titled: whether lines that are no part of the table stand before it.
        names: the cells of the header as written.
        header_line: its bytes, without the line end.
        strict: whether anything but UTF-8 is an error.
        encoding: what the head is encoded in, where it is to be found out.
        trailing: whether every row ends with a delimiter that separates nothing.
        decimal_commas: the columns whose numbers have a decimal comma.
        remarks: what was decided that the user should know.
    """

    delimiter: str
    columns: tuple[str, ...]
    data_offset: int
    first_line: int
    row_bytes: float
    header: bool
    titled: bool = False
    names: tuple[str, ...] = ()
    header_line: bytes = b""
    strict: bool = False
    encoding: Found = "ascii"
    trailing: bool = False
    decimal_commas: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class _Record(msgspec.Struct, frozen=True):
    """One row of the head: bytes from start to end (line end included), its 1-based line, and its content."""

    start: int
    end: int
    line: int
    raw: bytes
    text: str


class NoRowsError(InputError):
    """The file has no data rows."""


def sniff(
    stream: ByteStream,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    strict: bool = False,
    mark: int = 0,
    decimal_commas: Sequence[str] | None = None,
    null_tokens: Sequence[str] = (),
    skip_bad_rows: bool = False,
    remarks: Sequence[str] = (),
) -> Layout:
    """Read the head of delimited text and say how to read the rest.

    Args:
        stream: the text.
        delimiter: what separates fields, if it is known.
        header: whether a line names the columns, if it is known.
        strict: whether the text is known to be UTF-8.
        mark: bytes of a byte-order mark at the start.
        decimal_commas: the columns whose numbers have a decimal comma, if they are known.
        null_tokens: cells that mean a missing value.
        skip_bad_rows: whether a row with a NUL byte is passed over.
        remarks: what is to be said already.

    Raises:
        InputError: the head is not text, there is no data row, the header does not fit the rows, or names clash.
        NoRowsError: an InputError that says that there is no data row.
    """
    sniffer = _Sniffer(stream, header, strict, decimal_commas, frozenset(null_tokens), skip_bad_rows, list(remarks))
    return sniffer.layout(delimiter, mark)


class _Sniffer(msgspec.Struct):
    """What is known so far of one file's layout."""

    stream: ByteStream
    header: bool | None
    strict: bool
    decimal_commas: Sequence[str] | None
    null_tokens: frozenset[str]
    skip_bad_rows: bool
    remarks: list[str]
    encoding: Found = "ascii"

    def layout(self, delimiter: str | None, mark: int) -> Layout:
        records, complete = self._records(mark, delimiter)
        if not records:
            raise NoRowsError(f"{self.stream.name}: has no lines with text in it; give a file with data rows.")
        directive = re.fullmatch(r'"?sep=(.)"?', records[0].text.strip(" "))
        titled = bool(directive) and len(records) > 1
        if directive and titled:
            self.remarks.append(f"line {records[0].line} ({records[0].text!r}) names the delimiter and is no row")
            delimiter, records = delimiter or directive[1], records[1:]
        commented = [record for record in records if record.text.startswith("#")]
        texts = [record.text for record in records if record not in commented[: len(records) - 1]]
        if delimiter is None:
            delimiter = self._delimiter(texts or [records[0].text], records[0].line)
            if delimiter in "\t ":  # A line of nothing but such delimiters is a row.
                return self.layout(delimiter, mark)
        rows = [fields_of(record.text, delimiter) for record in records]
        width = _width(rows[len(commented) :] or rows)
        start = self._skip_preamble(records, rows, width)
        records, rows = records[start:], rows[start:]
        if not rows[0]:
            self._fail(records[0].line, "a quote in the middle of a field; quote the whole field.")
        trailing = self._trailing(rows, width)
        if trailing:
            rows = [_without_empty_end(row) for row in rows]
            width -= 1
        elif len(_without_empty_end(rows[0])) == width != len(rows[0]) and self.header is not False:
            self.remarks.append("the header ends with a delimiter that the rows do not have; it is left out")
            rows = [_without_empty_end(rows[0]), *rows[1:]]
        first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
        below = below[: max(20, SNIFFED_CELLS // len(first))]
        if self.null_tokens:
            below = [["" if cell.strip() in self.null_tokens else cell for cell in row] for row in below]
        if self.header is None:
            self._guess_header(first, below)
        if self.header:
            columns = self._names(records[0].line, first)
            self._check_width(records, rows, width)
            if len(records) == 1 and complete:
                raise NoRowsError(
                    f"{self.stream.name}: has a header line but no data rows; give a file with data rows."
                )
        else:
            columns = tuple(str(position) for position in range(len(first)))
            below = [first, *below]
        begin = records[0].end if self.header else records[0].start
        line = records[0].line + (records[0].text.count("\n") + 1 if self.header else 0)
        return Layout(
            delimiter,
            columns,
            mark + begin,
            line,
            (records[-1].end - records[0].start) / len(records),
            bool(self.header),
            titled or start > 0,
            tuple(first) if self.header else (),
            records[0].raw if self.header else b"",
            self.strict,
            self.encoding,
            trailing,
            self._decimal_commas(delimiter, columns, below),
            tuple(self.remarks),
        )

    def _records(self, mark: int, delimiter: str | None) -> tuple[list[_Record], bool]:
        """Return the rows of the head, at least two where there are, and whether it is the whole file."""
        size = HEAD_BYTES
        while True:
            head, complete = self.stream.head(size)
            body = with_newlines(head[mark:])
            found = self._cut(body, complete, b" \t\r\n".replace((delimiter or "\n").encode(), b""))
            if len(found) >= 2 or complete or size >= MAX_HEAD_BYTES:
                return self._decoded(body, found), complete
            size *= 8

    def _cut(self, body: bytes, complete: bool, blanks: bytes) -> list[tuple[int, int]]:
        """Cut the head into rows at line ends outside quotes; leave out blank lines and a last row that is cut off."""
        found: list[tuple[int, int]] = []
        start = 0
        while start < len(body) and len(found) < SNIFFED_ROWS:
            end = body.find(b"\n", start) + 1
            quotes = body.count(b'"', start, end)
            while end and quotes % 2:
                further = body.find(b"\n", end) + 1
                quotes += body.count(b'"', end, further)
                end = further
            if not end and not complete:
                break
            end = end or len(body)
            if body[start:end].strip(blanks + b"\n"):
                found.append((start, end))
            start = end
        return found

    def _decoded(self, body: bytes, found: Sequence[tuple[int, int]]) -> list[_Record]:
        if self.skip_bad_rows:
            found = [(start, end) for start, end in found if b"\0" not in body[start:end]]
        if not found:
            return []
        zero = -1 if self.skip_bad_rows else body.find(b"\0", 0, found[-1][1])
        if zero >= 0:
            self._fail(
                1 + body.count(b"\n", 0, zero), "a NUL byte; the file is damaged or not text, save it as UTF-8 CSV."
            )
        start, end = found[0][0], found[-1][1]
        try:
            _, self.encoding = to_utf8(body[start:end], strict=self.strict)
        except BadTextError as error:
            self._fail(1 + body.count(b"\n", 0, start + error.position), str(error))
        codec = "cp1252" if self.encoding == "cp1252" else "utf-8"
        records, line, place = [], 1, 0
        for start, end in found:
            line += body.count(b"\n", place, start)
            raw = body[start:end].rstrip(b"\r\n")
            records.append(_Record(start, end, line, raw, raw.decode(codec)))
            line += body.count(b"\n", start, end)
            place = end
        return records

    def _delimiter(self, texts: Sequence[str], line: int) -> str:
        found = find_delimiter(texts)
        if found:
            if found in RARE_DELIMITERS:
                self.remarks.append(f"fields are taken to be separated by {found!r}; say --delimiter if that is wrong")
            return found
        words = {len(text.split()) for text in texts}
        aligned = len(words) == 1 and max(words) >= 2 and any(re.search(r"\S  +\S", text) for text in texts)
        if len(texts) >= 2 and aligned:
            self._fail(line, "the columns look aligned with blanks; save the table with commas or tabs between them.")
        return ","

    def _skip_preamble(self, records: Sequence[_Record], rows: Sequence[list[str]], width: int) -> int:
        """Return how many rows at the start are no part of the table: comments and titles.

        Raises:
            InputError: a row at the start has another number of fields than the table, and may be its header.
        """
        start = 0
        while start < len(rows) - 1 and records[start].text.startswith("#"):
            start += 1
        if start and len(rows[start - 1]) == width > 1 and not self._is_header(rows, start, width):
            start -= 1  # The last comment has a name for each column: "#id,age,…".
        comments = start
        if width > 1 and self.header is not False:
            while start < len(rows) - 1 and self._is_title(rows, start, width):
                start += 1
        if start:
            last = records[start - 1]
            where = f"line {last.line}" if start == 1 else f"lines {records[0].line} to {last.line}"
            what = "a comment" if start == comments else "a title"
            self.remarks.append(f"{where} left out: {what} before the table")
        return start

    def _is_title(self, rows: Sequence[list[str]], at: int, width: int) -> bool:
        """Tell whether a row is a title: fewer fields than the table, or all but one of them empty, over a header."""
        row = rows[at]
        filled = sum(bool(cell.strip()) for cell in row)
        if len(row) == width:
            return width >= 3 and filled == 1 and self._is_header(rows, at + 1, width)
        rest = next((later for later in range(at + 1, len(rows)) if len(rows[later]) == width), None)
        if rest is None or len(_without_empty_end(row)) == width:
            return False
        if len(row) == width - 1 > 1:
            return False
        return self._is_header(rows, rest, width) and sum(len(r) == width for r in rows) > MIN_SHARE * len(rows)

    def _is_header(self, rows: Sequence[list[str]], at: int, width: int) -> bool:
        """Tell whether a row has all names, and text over numbers or over levels that repeat."""
        row = rows[at] if at < len(rows) else []
        below = [later for later in rows[at + 1 :] if len(later) == width][:100]
        if len(row) != width or not below or any(kind_of(cell) != "text" for cell in row if cell.strip()):
            return False
        guess = guess_header(row, below)
        return guess.header and not guess.doubt

    def _trailing(self, rows: Sequence[list[str]], width: int) -> bool:
        """Tell whether every row ends with a delimiter that separates nothing."""
        if len(rows[0]) != width or width < 2 or any(row[-1] for row in rows if len(row) == width):
            return False
        self.remarks.append("every line ends with a delimiter; the empty last column is left out")
        return True

    def _guess_header(self, first: Sequence[str], below: Sequence[Sequence[str]]) -> None:
        guess = guess_header(first, below)
        self.header = guess.header
        if not guess.header:
            self.remarks.append(
                "no header: the first line is data, and columns are called 0, 1, …; say --header if it holds names"
            )
        elif guess.doubt:
            self.remarks.append(
                f"the first line is taken for the header, but {guess.doubt}; say --no-header if it is data"
            )

    def _names(self, line: int, first: Sequence[str]) -> tuple[str, ...]:
        columns, made = unique_names(first)
        clash = [name for name, times in Counter(columns).items() if times > 1]
        if clash:
            self._fail(line, f"the column name {clash[0]!r} occurs more than once; rename one of the columns.")
        if made:
            more = f" and {len(made) - 5} more" if len(made) > 5 else ""
            self.remarks.append(
                f"columns without a name of their own are called {', '.join(map(repr, made[:5]))}{more}"
            )
        return columns

    def _check_width(self, records: Sequence[_Record], rows: Sequence[list[str]], width: int) -> None:
        """Refuse rows that all have one field more than the header: the first is an index, or names have shifted."""
        below = [len(row) for row in rows[1:] if row]
        if len(below) >= 2 and set(below) == {len(rows[0]) + 1}:
            self._fail(
                records[0].line,
                f"the header has {len(rows[0])} names, but every row has {len(rows[0]) + 1} fields; name the column "
                "without a name (the first, where the table was saved with row names).",
            )

    def _decimal_commas(self, delimiter: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
        if self.decimal_commas is not None:
            return tuple(name for name in columns if name in self.decimal_commas)
        if delimiter == "," or not rows:
            return ()
        cells = dict(zip(columns, zip(*rows, strict=True), strict=True))
        decided = {name: writes_decimal_commas(column) for name, column in cells.items()}
        if True not in decided.values():
            return ()
        # One column is sure; those whose commas alone could also be thousands' follow it.
        commas = tuple(
            name
            for name, column in cells.items()
            if decided[name] or (decided[name] is None and any("," in cell for cell in column))
        )
        shown = ", ".join(map(repr, commas[:5])) + (f" and {len(commas) - 5} more" if len(commas) > 5 else "")
        self.remarks.append(f"numbers with a decimal comma are read as numbers in {shown}")
        return commas

    def _fail(self, line: int, cause: str) -> NoReturn:
        raise InputError(f"{self.stream.name}:{line}: {cause}")


def find_delimiter(texts: Sequence[str]) -> str:
    """Return what separates fields: most lines have the same number of them, their cells are clean; "" for nothing.

    Blanks, colons and other rare ones count only where the usual ones separate nothing.
    """
    usual = {mark: _score(texts, mark) for mark in DELIMITERS if any(mark in text for text in texts)}
    fitting = {mark: score for mark, score in usual.items() if score[0] >= MIN_SHARE}
    if fitting:
        return max(fitting, key=lambda mark: fitting[mark])
    # Row names make the first of rows separated by blanks shorter than the others.
    below = texts[1:] or texts
    rare = {mark: _score(below, mark) for mark in RARE_DELIMITERS if all(mark in text for text in texts)}
    rare = {
        mark: s for mark, s in rare.items() if s[0] >= MIN_RARE_SHARE and len(texts) > 1 and _holds_numbers(texts, mark)
    }
    if rare:
        return max(rare, key=lambda mark: rare[mark])
    return max(usual, key=lambda mark: texts[0].count(mark), default="")


def fields_of(text: str, delimiter: str) -> list[str]:
    """Return one row's fields; none when a stray quote has joined several lines to a row."""
    with _long_fields(len(text)):
        try:
            return next(csv.reader([text], delimiter=delimiter))
        except csv.Error:
            return []


@contextmanager
def _long_fields(length: int) -> Iterator[None]:
    limit = csv.field_size_limit()
    csv.field_size_limit(max(limit, length))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _score(texts: Sequence[str], delimiter: str) -> tuple[float, float, int]:
    """Return the share of rows with the usual number of fields, the share of clean cells, and that number."""
    rows = [fields_of(text, delimiter) for text in texts]
    width = _width(rows)
    same = [row for row in rows if len(row) == width]
    if width < 2:
        return (0.0, 0.0, width)
    cells = [cell for row in same[:100] for cell in row]
    others = frozenset(DELIMITERS) - {delimiter}
    clean = sum(others.isdisjoint(cell) or kind_of(cell) == "number" for cell in cells) / len(cells)
    return (round(len(same) / len(rows), 1), clean, width)


def _holds_numbers(texts: Sequence[str], delimiter: str) -> bool:
    """Tell whether a rare delimiter separates numbers from other things: "New York" and 10:30 are one cell each."""
    rows = [fields_of(text, delimiter) for text in texts]
    width = _width(rows)
    kinds = [[kind_of(cell) for cell in row] for row in rows[1:] if len(row) == width]
    if all(kind_of(text) == "date" for text in texts[1:]):
        return False
    return any(all(kind == "number" for kind in column) for column in zip(*kinds, strict=True)) and all(
        kind != "missing" for column in kinds for kind in column
    )


def _width(rows: Sequence[list[str]]) -> int:
    """Return the most frequent number of fields; the first row's, where others are as frequent."""
    widths = Counter(len(row) for row in rows if row)
    return max(widths, key=lambda width: (widths[width], width == len(rows[0]))) if widths else 0


def _without_empty_end(row: list[str]) -> list[str]:
    return row[:-1] if row and not row[-1] else row
