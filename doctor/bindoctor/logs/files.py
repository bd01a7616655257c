"""Recognises a log by its content, and hands it to the reader of its format."""

import json
from pathlib import Path

from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.logs.delimited import read_delimited
from bindoctor.logs.objects import read_json, read_json_lines
from bindoctor.logs.texts import first_lines, head_of, opened


def read_history(path: Path) -> History:
    """Read a training log.

    Args:
        path: a file, or a folder in which one is looked for.

    Raises:
        InputError: it cannot be read, is empty, or has no losses or scores.
    """
    return _read_file(path)


def files_of(path: Path) -> tuple[Path, ...]:
    return (path,)


def _read_file(path: Path) -> History:
    head = head_of(path)
    if not head.strip():
        raise InputError(f"{path}: the training history is empty.")
    with opened(path, head) as text:
        lines = first_lines(text, 2)
        if lines and lines[0][:1] in ("[", "{"):
            return read_json_lines(path, text) if _is_lines(lines) else read_json(path, text)
        return read_delimited(path, text)


def _is_lines(lines: list[str]) -> bool:
    try:
        return isinstance(json.loads(lines[0]), dict) and len(lines) > 1
    except (ValueError, RecursionError):
        return False
