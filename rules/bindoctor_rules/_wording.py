"""How rules put numbers and column names into a sentence."""

from collections.abc import Sequence


def listed(names: Sequence[str], limit: int = 4) -> str:
    """Return the first names in quotes: ``'a', 'b' and 7 more``."""
    quoted = [f"'{name}'" for name in names[:limit]]
    if len(names) > limit:
        return f"{', '.join(quoted)} and {len(names) - limit} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
