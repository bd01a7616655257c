"""Tells in which encoding text is: UTF-8, UTF-16, UTF-32, or Windows-1252 where it is no UTF-8."""

import codecs
import re
from typing import Literal

from bindoctor.errors import InputError

Found = Literal["ascii", "utf-8", "cp1252"]

BYTE_ORDER_MARK = codecs.BOM_UTF8
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
"""Byte-order marks; UTF-32's come first because UTF-16's are their beginning."""

MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}",
)
MIN_ZERO_SHARE = 0.3


class BadTextError(ValueError):
    """Text that cannot be read right: the cause, and the position of the byte where it begins."""

    def __init__(self, position: int, cause: str) -> None:
        super().__init__(cause)
        self.position = position


def codec(name: str) -> str:
    """Return Python's name of an encoding.

    Raises:
        InputError: there is no text encoding of that name.
    """
    try:
        found = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise InputError(f"encoding: there is no text encoding {name!r}; utf-8, cp1252 and utf-16 are usual.") from None
    return "utf-8" if found.name == "utf-8-sig" else found.name


def marked(head: bytes) -> str:
    """Return the encoding that a byte-order mark names, "" without one."""
    return next((encoding for mark, encoding in MARKS.items() if head.startswith(mark)), "")


def wide(head: bytes) -> str:
    """Return "utf-16-le" or "utf-16-be" for text whose every other byte is mostly zero, else ""."""
    half = max(1, len(head) // 2)
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if odd >= MIN_ZERO_SHARE and even < 0.1 * odd:
        return "utf-16-le"
    return "utf-16-be" if even >= MIN_ZERO_SHARE and odd < 0.1 * even else ""


def to_utf8(block: bytes, *, strict: bool) -> tuple[bytes, Found]:
    """Return whole rows of text as UTF-8, and which of the usual encodings they are in.

    Args:
        block: the bytes of whole rows.
        strict: whether anything but UTF-8 is an error; otherwise text without one valid UTF-8 sequence is taken as
            Windows-1252.

    Raises:
        BadTextError: neither fits.
    """
    if block.isascii():
        return block, "ascii"
    try:
        block.decode("utf-8")
        return block, "utf-8"
    except UnicodeDecodeError as error:
        start = error.start
    bad = f"not UTF-8 (byte {block[start]:#04x})"
    if strict:
        raise BadTextError(start, f"{bad}; save it as UTF-8, or name its --encoding.")
    if MULTIBYTE.search(block):
        raise BadTextError(start, f"{bad}, though other characters are; mend the line, or name the file's --encoding.")
    try:
        return block.decode("cp1252").encode("utf-8"), "cp1252"
    except UnicodeDecodeError as error:
        cause = f"neither UTF-8 nor Windows-1252 (byte {block[error.start]:#04x}); name the file's --encoding."
        raise BadTextError(error.start, cause) from None
