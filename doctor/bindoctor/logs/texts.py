"""Opens logs that are text."""

import codecs
from pathlib import Path
from typing import TextIO

from bindoctor.errors import InputError

HEAD = 4096
MAX_JSON = 256 * 2**20
"""Bytes of JSON that are parsed at once; JSON Lines and CSV are read line by line and may be larger."""

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def head_of(path: Path) -> bytes:
    """Return a file's first bytes.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise InputError(f"{path}: the log cannot be read ({error.strerror or error}).") from None


def opened(path: Path, head: bytes) -> TextIO:
    """Open a text file in its encoding, what cannot be decoded replaced.

    Raises:
        InputError: its head is not text.
    """
    encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in head:
        raise InputError(
            f"{path}: is binary and no training log that bindoctor knows; give a CSV or JSON file, a TensorBoard event "
            "file, or the folder of a run."
        )
    return path.open(encoding=encoding, errors="replace", newline="")


def whole(path: Path, text: TextIO) -> str:
    """Return a whole text.

    Raises:
        InputError: it is too large to be one JSON document.
    """
    content = text.read(MAX_JSON + 1)
    if len(content) > MAX_JSON:
        raise InputError(f"{path}: is beyond {MAX_JSON >> 20} MB; write the log as CSV or JSON Lines.")
    return content


def first_lines(text: TextIO, count: int) -> list[str]:
    """Return the first lines that are not blank, of at most a megabyte each, and go back to the start."""
    lines: list[str] = []
    for _ in range(100):
        line = text.readline(2**20)
        if not line or len(lines) == count:
            break
        if line.strip():
            lines.append(line.strip())
    text.seek(0)
    return lines
