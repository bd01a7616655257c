"""Lays out Python source as ``ruff format`` does, and writes any value as a safe literal."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

WIDTH = 88
INDENT = "    "


@dataclass(frozen=True)
class Bracket:
    """A call or a display: what stands before the items, the items, and what stands after them."""

    opening: str
    items: tuple["str | Bracket", ...]
    closing: str

    @property
    def display(self) -> bool:
        """Tell whether this is a list, a tuple or a dictionary, which breaks into one item a line at once."""
        return self.opening == "(" or not self.opening.endswith("(")

    def __str__(self) -> str:
        return f"{self.opening}{', '.join(map(str, self.items))}{self.closing}"


Expression = str | Bracket


def call(name: str, *arguments: Expression) -> Bracket:
    """Return the call of a name."""
    return Bracket(f"{name}(", arguments, ")")


def lay_out(expression: Expression, *, before: str = "", after: str = "", depth: int = 0) -> str:
    """Return an expression as lines that fit into 88 columns once they are indented, as far as its items allow.

    Args:
        expression: what to lay out.
        before: what the first line starts with, such as "x = ".
        after: what the last line ends with, such as ",".
        depth: how many times the caller will indent the lines.
    """
    room = WIDTH - len(INDENT) * depth
    line = f"{before}{expression}{after}"
    if isinstance(expression, str) or not expression.items or cell_len(line) <= room:
        return line
    inside = ", ".join(map(str, expression.items))
    if expression.display or cell_len(inside) > room - len(INDENT):
        inside = "\n".join(lay_out(item, after=",", depth=depth + 1) for item in expression.items)
    return f"{before}{expression.opening}\n{indented([inside])}\n{expression.closing}{after}"


def indented(lines: Iterable[str]) -> str:
    """Join lines and indent them once."""
    return textwrap.indent("\n".join(lines), INDENT)


def single_blanks(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines without a blank one at the start or behind another one."""
    before = ""
    for line in lines:
        if line or before:
            yield line
        before = line


def quoted(text: str) -> str:
    """Return a literal that evaluates to ``text``, whatever is in it: ``repr`` with the quotes that ruff prefers."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return f"{quote}{''.join(_escaped(character, quote) for character in text)}{quote}"


def literal(value: object) -> Expression:
    """Return settings as source: numbers, texts, and lists and dictionaries of them."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return Bracket("{", tuple(_pair(quoted(key), literal(item)) for key, item in value.items()), "}")
    if isinstance(value, Sequence):
        return Bracket("[", tuple(literal(item) for item in value), "]")
    if isinstance(value, float) and math.isinf(value):
        return "math.inf" if value > 0 else "-math.inf"
    return repr(value)


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return f"\\{character}"
    return character if character.isprintable() else repr(character)[1:-1]


def _pair(key: str, value: Expression) -> Expression:
    return (
        f"{key}: {value}" if isinstance(value, str) else Bracket(f"{key}: {value.opening}", value.items, value.closing)
    )
