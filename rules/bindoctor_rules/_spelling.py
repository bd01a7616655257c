"""Which texts are one level written in several ways."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

NO_ANSWER = frozenset(["?", "??", "n/a", "#n/a", "na", "<na>", "nan", "null", "#null!", "missing"])
"""Target labels, in small letters, that stand for a missing one."""


def tidy(text: str) -> str:
    """Return a text as ``data.tidy`` reads it: without invisible characters, surplus blanks or case."""
    shown = text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(shown.split()).casefold()


def spellings(counts: Mapping[str, int]) -> list[list[str]]:
    """Return the groups of texts that are one level, each with the commonest text first, the largest group first.

    Args:
        counts: how often each text occurs; texts that are nothing but blanks and invisible characters are left out.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for text in counts:
        groups[tidy(text)].append(text)
    several = [_by_count(texts, counts) for key, texts in groups.items() if key and len(texts) > 1]
    return sorted(several, key=lambda texts: (-sum(counts[text] for text in texts), texts[0]))


def _by_count(texts: Iterable[str], counts: Mapping[str, int]) -> list[str]:
    return sorted(texts, key=lambda text: (-counts[text], text))
