"""Puts class labels in order, the positive class of a binary problem second."""

import math
from collections.abc import Mapping

POSITIVE_NAMES = (
    ("0", "1"),
    ("-1", "1"),
    ("no", "yes"),
    ("false", "true"),
    ("negative", "positive"),
    ("neg", "pos"),
    ("n", "y"),
    ("f", "t"),
)


def order_classes(counts: Mapping[str, int], positive: str = "") -> tuple[str, ...]:
    """Put labels in order; of two, the positive class comes second.

    The positive class is the given one, else the conventional one (1 over 0, yes over no …), else the rarer one. More
    than two classes are sorted, as numbers when they are numbers, a given positive class last.
    """
    labels = sorted(counts, key=_sort_key)
    if positive:
        return (*(label for label in labels if label != positive), positive)
    if len(labels) != 2:
        return tuple(labels)
    spelled = {_spelling(label): label for label in labels}
    for negative, usual in POSITIVE_NAMES:
        if set(spelled) == {negative, usual}:
            return (spelled[negative], spelled[usual])
    first, second = labels
    return (second, first) if counts[first] < counts[second] else (first, second)


def _sort_key(label: str) -> tuple[bool, float, str]:
    number = _number(label)
    return (number is None, number or 0.0, label)


def _spelling(label: str) -> str:
    number = _number(label)
    return str(int(number)) if number is not None and number.is_integer() else label.casefold()


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
