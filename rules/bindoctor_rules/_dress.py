"""Which texts are numbers with a currency, a unit or commas."""

import re
from collections.abc import Mapping

from bindoctor import ColumnProfile, Profile
from bindoctor_rules._codes import named_as_code

MIN_PARSED = 0.9
MIN_DISTINCT = 11
MAX_READ = 2000
DRESSED = re.compile(
    r"[-+]?(?P<sign>[$€£¥₹])?\s?[-+]?(?:\d{1,3}(?P<commas>(?:,\d{3})+)|\d+)(?:\.\d+)?\s?"
    r"(?P<unit>%|[A-Za-z]{1,10}\.?|[$€£¥₹])?"
)


def dress_of(
    column: ColumnProfile, profile: Profile, min_parsed: float = MIN_PARSED, min_distinct: int = MIN_DISTINCT
) -> Mapping[str, str] | None:
    """Return how the numbers of a text column are dressed, and one of them; None if not all are in one way.

    Columns whose name says code are left alone: in "184xx" for a postal code the letters are no unit.
    """
    if column.kind == "number" or column.parsed or column.shape or column.distinct < min_distinct:
        return None
    if column.identifier or named_as_code(column.name):
        return None
    texts = [level.value for level in column.levels]
    if not texts and profile.sample is not None:
        some = profile.sample.features[column.name].drop_nulls()
        texts = list(dict.fromkeys(some.head(MAX_READ).to_list()))
    tokens = {text for text, _ in column.tokens}
    texts = [text.strip() for text in texts if text.strip() not in tokens]
    found = [match for text in texts if (match := DRESSED.fullmatch(text))]
    if len(found) < max(min_distinct, min_parsed * len(texts)):
        return None
    signs = {match["sign"] or "" for match in found} - {""}
    units = {match["unit"] or "" for match in found} - {""}
    commas = any(match["commas"] for match in found)
    if len(signs) > 1 or len(units) > 1 or not (signs or units or commas):
        return None
    dress = [*signs, *units, *([","] if commas else [])]
    return {"dress": " and ".join(f"'{part}'" for part in dress), "example": found[0][0]}
