"""Reads JSON that ends too early up to there."""

import json
import re
from typing import Any

SPACE = re.compile(r"[ \t\r\n]*")
UNFINISHED = re.compile(r'"(?:[^"\\]|\\.)*\\?|[-+\w.]*', re.DOTALL)
DIGITS = re.compile(r"[-+.\deE]*")
MAX_DEPTH = 64
DECODER = json.JSONDecoder()


class CutObject(dict[str, Any]):
    """An object whose end is missing, with the members that are whole."""


class CutList(list[Any]):
    """A list whose end is missing, with the items that are whole; the last may itself be cut off."""


class CutOffError(Exception):
    """The text ends within a value; what of it is whole is ``value``, None for nothing."""

    def __init__(self, value: CutObject | CutList | None) -> None:
        super().__init__()
        self.value = value


def loads(text: str) -> Any:
    """Parse JSON; what is cut off comes back as a ``CutObject`` or a ``CutList``.

    Raises:
        ValueError: it is not the beginning of a JSON object or list, or is nested too deep.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        try:
            _value(text, 0, 0)
        except CutOffError as cut:
            if cut.value is None:
                raise error from None
            return cut.value
        raise
    except RecursionError:
        raise ValueError("nested too deep") from None


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    at = _skip(text, at)
    if at == len(text):
        raise CutOffError(None)
    try:
        value, end = DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        pass
    except RecursionError:
        raise ValueError("nested too deep") from None
    else:
        # A number that nothing follows may have lost its last digits.
        if text[at] not in '[{"' and DIGITS.fullmatch(text, end):
            raise CutOffError(None)
        return value, end
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deep")
    if text[at] == "[":
        return _list(text, at + 1, depth)
    if text[at] == "{":
        return _object(text, at + 1, depth)
    unfinished = UNFINISHED.match(text, at)
    if unfinished and unfinished.end() == len(text):
        raise CutOffError(None)
    raise json.JSONDecodeError("Expecting value", text, at)


def _list(text: str, at: int, depth: int) -> tuple[Any, int]:
    found = CutList()
    while True:
        try:
            value, at = _value(text, at, depth + 1)
        except CutOffError as cut:
            if cut.value is not None:
                found.append(cut.value)
            raise CutOffError(found) from None
        found.append(value)
        at = _comma(text, at, found)


def _object(text: str, at: int, depth: int) -> tuple[Any, int]:
    found = CutObject()
    while True:
        try:
            name, at = _value(text, at, depth + 1)
        except CutOffError:
            raise CutOffError(found) from None
        at = _skip(text, at)
        if at == len(text):
            raise CutOffError(found)
        if not isinstance(name, str) or text[at] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        try:
            found[name], at = _value(text, at + 1, depth + 1)
        except CutOffError as cut:
            if cut.value is not None:
                found[name] = cut.value
            raise CutOffError(found) from None
        at = _comma(text, at, found)


def _comma(text: str, at: int, found: CutObject | CutList) -> int:
    """Return where the next member begins."""
    at = _skip(text, at)
    if at == len(text):
        raise CutOffError(found)
    if text[at] != ",":
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    assert found is not None
    return found.end()
