"""Finds where rows of delimited text end, and which of them do not have the right number of fields."""

import re

import msgspec
import numpy as np
import numpy.typing as npt

QUOTE, NEWLINE, RETURN = ord('"'), ord("\n"), ord("\r")

Positions = npt.NDArray[np.int64]


def count(data: npt.NDArray[np.uint8], byte: int) -> int:
    """Count a byte; several times as fast as ``bytes.count``."""
    return int(np.count_nonzero(data == byte))


def line_ends(block: bytes) -> int:
    r"""Count the line ends of a block: ``\n``, ``\r\n`` and ``\r`` each are one."""
    ends = block.count(b"\n")
    if b"\r" in block:
        ends += block.count(b"\r") - block.count(b"\r\n")
    return ends


def last_row_end(block: bytes) -> int:
    """Return the position after the last line end that is outside quotes, 0 if there is none.

    The block starts at the start of a row. Lines end in a carriage return alone only where no line feed is outside
    quotes; one at the very end may be half of a line end and does not count.
    """
    end = _last_outside_quotes(block, b"\n", len(block))
    if not end and b"\r" in block:
        end = _last_outside_quotes(block, b"\r", len(block) - 1)
    return end


def _last_outside_quotes(block: bytes, mark: bytes, stop: int) -> int:
    end = block.rfind(mark, 0, stop) + 1
    if not end or b'"' not in block:
        return end
    quotes = block.count(b'"', 0, end)
    while end and quotes % 2:
        opening = block.rfind(b'"', 0, end)
        previous = block.rfind(mark, 0, opening) + 1
        quotes -= block.count(b'"', previous, opening) + 1
        end = previous
    return end


def with_newlines(block: bytes) -> bytes:
    """Replace carriage returns that end a line by themselves, outside quotes, with line feeds."""
    data = np.frombuffer(block, dtype=np.uint8)
    returns = np.flatnonzero(data == RETURN)
    following = data[np.minimum(returns + 1, len(data) - 1)]
    alone = returns[(following != NEWLINE) | (returns + 1 == len(data))]
    if len(alone) and b'"' in block:
        alone = alone[np.searchsorted(np.flatnonzero(data == QUOTE), alone) % 2 == 0]
    if not len(alone):
        return block
    mended = data.copy()
    mended[alone] = NEWLINE
    return mended.tobytes()


def stray_quote(block: bytes, delimiter: str) -> int:
    """Return the position of the first quote that neither opens nor closes a field, -1 if there is none.

    The block starts at the start of a row, so that quotes open and close by turns.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(data == QUOTE)
    around = np.zeros(256, dtype=np.bool_)
    around[[QUOTE, ord(delimiter), NEWLINE, RETURN]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = opening[(opening > 0) & ~around[data[opening - 1]]]
    after = closing[~around[data[np.minimum(closing + 1, len(data) - 1)]] & (closing + 1 < len(data))]
    return int(min([*before[:1], *after[:1]], default=-1))


class RowShapes(msgspec.Struct, frozen=True, eq=False):
    """Where each row of a block starts and ends (its line end included), and how many fields it has."""

    starts: Positions
    ends: Positions
    fields: Positions


def row_shapes(block: bytes, delimiter: str) -> RowShapes:
    """Return the rows of a block that ends with a line end; blank lines count as rows of one field."""
    data = np.frombuffer(block, dtype=np.uint8)
    if b'"' not in block:
        ends = np.flatnonzero(data == NEWLINE)
        fields = np.diff(np.searchsorted(np.flatnonzero(data == ord(delimiter)), ends), prepend=0) + 1
        return RowShapes(np.concatenate([[0], ends[:-1] + 1]), ends + 1, fields)
    quote = data == QUOTE
    places = np.flatnonzero(quote | (data == NEWLINE) | (data == ord(delimiter)))
    quotes = quote[places]
    # A running count modulo 256 is odd inside quotes.
    places = places[~quotes & (np.cumsum(quotes, dtype=np.uint8) % 2 == 0)]
    lines = np.flatnonzero(data[places] == NEWLINE)
    ends = places[lines] + 1
    return RowShapes(np.concatenate([[0], ends[:-1]]), ends, np.diff(lines, prepend=-1))


def without_blank_lines(block: bytes, delimiter: str) -> bytes:
    """Leave out the lines that hold nothing but blanks; a line of delimiters is a row."""
    blank = rb"(?:[%s]*\r?\n)+" % b" \t".replace(delimiter.encode(), b"")
    if not re.search(rb"(?:\A|\n)" + blank, block):
        return block
    if b'"' in block:
        return re.sub(rb'("[^"]*")|(?:\A|(?<=\n))' + blank, lambda match: match[1] or b"", block)
    return re.sub(rb"\A" + blank + rb"|(?<=\n)" + blank, b"", block)
