"""Which whole numbers are names of something rather than amounts of it."""

import math
import re

import numpy as np
import numpy.typing as npt

CODE_HEAD = re.compile(
    "(?:zip|zipcode|postcode|postal|postalcode|pincode|fips|region|district|county|state|country|city|province|branch|"
    "store|shop|category|kind|model|brand|channel|sector|industry|department|dept|division|occupation|profession|race|"
    "ethnicity|religion|nationality|marital|marriage|device|browser|system|carrier|airline|vendor|supplier|site|route|"
    "warehouse|segment|cluster|species|genre)s?|.*type|.*code"
)
ENTITY = re.compile(
    "user|customer|client|patient|member|account|person|subject|household|respondent|employee|student|passenger|row|"
    "record|case|order|transaction|invoice|session|visitor|participant|worker"
)
AMOUNT_WORD = re.compile(
    "n|nr|num|number|qty|quantity|totals?|amounts?|ages?|agegrp|years?|months?|weeks?|days?|hours?|times?|income|salary|"
    "price|cost|persons?|people|children|kids|dependents|siblings|education|educ|class|.*(?:count|level|grade|rating|score|"
    "rank|size|stage|index)s?"
)
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

MIN_LEVELS, MAX_CODED_LEVELS = 3, 12
UNKNOWN_CODES = (8.0, 9.0, 88.0, 98.0, 99.0)
MIN_UNKNOWN_ROWS, MIN_UNKNOWN_GAP = 5, 3.0

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def named_as_code(name: str) -> bool:
    """Tell whether the head of a column's name says code: "ZIP Code", "from_area_id", "MOSTYPE", but not "store sales".

    The head is the last word, digits and plurals aside; an id that names a person, a case or an order is none.
    """
    words = _words(name)
    if not words:
        return False
    head = words[-1]
    if head == "id":
        return len(words) > 1 and not ENTITY.fullmatch(words[-2])
    return bool(CODE_HEAD.fullmatch(head))


def named_as_amount(name: str) -> bool:
    """Tell whether a word of a column's name says count, age, grade or another amount or order."""
    return any(AMOUNT_WORD.fullmatch(word) for word in _words(name))


def holds_unknown_code(values: Floats, counts: Counts) -> bool:
    """Tell whether consecutive codes are followed, after a gap as long as they, by 8, 9, 88, 98 or 99 for "unknown".

    Args:
        values: the column's distinct numbers, ascending, shape (m,).
        counts: their rows, shape (m,).
    """
    if not MIN_LEVELS <= len(values) <= MAX_CODED_LEVELS or values[-1] not in UNKNOWN_CODES:
        return False
    run = values[:-1]
    consecutive = run[0] in (0, 1) and run[-1] - run[0] == len(run) - 1
    gap = max(MIN_UNKNOWN_GAP, len(run))
    return bool(consecutive and values[-1] - run[-1] >= gap and counts[-1] >= MIN_UNKNOWN_ROWS)


def zigzag(by_class: Counts) -> float:
    """Return by how much the class shares change direction along a column's values beyond what is noise.

    That is twice the log likelihood by which a share of its own for each value beats shares that rise or fall all along
    (or, for five values or more, turn once), less the logarithm of the rows for each further parameter (Schwarz 1978).
    Positive means that the numbers are in no order that the outcome knows. For more than two classes it is the second
    largest over the classes, each against the rest: of an ordered outcome the middle class alone comes and goes. Where
    shares of their own are no better than one for all, that alone is looked at, to be quick.

    Args:
        by_class: rows by value, ascending, and class, shape (m, classes).
    """
    rows = by_class.sum(axis=1)
    table, rows = by_class[rows > 0], rows[rows > 0]
    turns = 1 if len(table) >= 5 else 0
    noise = (len(table) - 2 - turns) * math.log(max(rows.sum(), 2))
    gains = []
    for inside in table.T if table.shape[1] > 2 else table.T[:1]:
        share = inside / rows
        everything = _likelihood(inside, rows, share)
        if 2 * (everything - _likelihood(inside, rows, np.full(len(rows), inside.sum() / rows.sum()))) <= noise:
            gains.append(-noise)
            continue
        fits = _turning(share, rows) if turns else (_rising(share, rows), -_rising(-share, rows))
        gains.append(2 * (everything - max(_likelihood(inside, rows, fit) for fit in fits)) - noise)
    return sorted(gains)[-2 if len(gains) > 1 else -1]


def follows(by_class: Counts) -> bool:
    """Tell whether the class shares rise or fall all along a column's values, by the same measure as ``zigzag``."""
    rows = by_class.sum(axis=1)
    table, rows = by_class[rows > 0], rows[rows > 0]
    noise = math.log(max(rows.sum(), 2))
    trend = False
    for inside in table.T:
        share = inside / rows
        fitted = max(_likelihood(inside, rows, fit) for fit in (_rising(share, rows), -_rising(-share, rows)))
        flat = _likelihood(inside, rows, np.full(len(rows), inside.sum() / rows.sum()))
        if 2 * (_likelihood(inside, rows, share) - fitted) > (len(rows) - 2) * noise:
            return False
        trend |= 2 * (fitted - flat) > (len(rows) - 1) * noise
    return trend


def _words(name: str) -> list[str]:
    return [word.lower() for word in WORDS.findall(name) if not word.isdigit()]


def _turning(share: Floats, rows: Counts) -> list[Floats]:
    """Return the fits that change direction at most once, at each place."""
    fits = []
    for at in range(len(share) + 1):
        for sign in (1, -1):
            before, after = sign * share[:at], sign * share[at:]
            fits.append(sign * np.concatenate([_rising(before, rows[:at]), -_rising(-after, rows[at:])]))
    return fits


def _rising(share: Floats, rows: Counts) -> Floats:
    """Return the weighted least squares fit that never falls: pool adjacent violators (Ayer et al. 1955)."""
    means: list[float] = []
    weights: list[float] = []
    lengths: list[int] = []
    for mean, weight in zip(share.tolist(), rows.tolist(), strict=True):
        length = 1
        while means and means[-1] >= mean:
            pooled = weights[-1] + weight
            mean = (means.pop() * weights[-1] + mean * weight) / pooled
            weights.pop()
            weight, length = pooled, length + lengths.pop()
        means.append(mean)
        weights.append(weight)
        lengths.append(length)
    return np.repeat(means, lengths).astype(np.float64)


def _likelihood(inside: Counts, rows: Counts, share: Floats) -> float:
    p = np.clip(share, 1e-12, 1 - 1e-12)
    return float((inside * np.log(p) + (rows - inside) * np.log1p(-p)).sum())
