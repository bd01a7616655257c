"""Which columns name something that has several rows, and how alike the rows of one are."""

import re
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Profile, Rows

PEOPLE = (
    "applicant|athlete|author|borrower|buyer|client|customer|cust|donor|driver|employee|emp|guest|individual|infant|"
    "member|mother|participant|passenger|patient|person|physician|player|policyholder|pupil|respondent|rider|seller|"
    "shopper|speaker|student|subj|subject|subscriber|user|visitor|voter|wearer"
)
THINGS = (
    "account|acct|animal|baby|case|child|cookie|cow|device|dog|doctor|engine|episode|family|farm|horse|household|judge|"
    "machine|mouse|plot|policy|rat|recording|scan|sensor|session|specimen|tail|ticket|trip|vehicle|worker"
)
SUFFIX = "(?:code|hash|ids?|key|name|no|nr|nbr|num|number|ref|uid|uuid)"
PERSON_NUMBER = re.compile(rf"(?:{PEOPLE})s?{SUFFIX}|mrn|pid|uid|sid|subid")
THING_NUMBER = re.compile(rf"(?:{THINGS})s?{SUFFIX}")
PERSON = re.compile(rf"(?:{PEOPLE})s?")
THING = re.compile("tickets?|households?|sessions?")

MIN_VALUES = 5
MIN_BARE_VALUES = 20
MIN_ROWS_PER_VALUE = 1.2
MIN_PAIRS = 50
MIN_LIKENESS = 0.5
MAX_FEATURES = 200
PERMUTATIONS = 30

Kind = Literal["person", "thing", ""]
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """How much more often than at random two rows with one value of a column have one label.

    Attributes:
        pairs: pairs of sampled rows with one value.
        kappa: (A − B) / (1 − B), with A the share of these pairs with one label and B that of random pairs: 0 as at
            random, 1 always (Cohen 1960).
        z: standard deviations between A and what labels in random order give.
    """

    pairs: int
    kappa: float
    z: float


def entity_kind(column: ColumnProfile) -> Kind:
    """Tell whether a column's name says that it names people, or other things that have rows of their own."""
    word = re.sub(r"[\W_]+", "", column.name).lower()
    bare = column.distinct >= MIN_BARE_VALUES
    if PERSON_NUMBER.fullmatch(word) or (bare and PERSON.fullmatch(word)):
        return "person"
    return "thing" if THING_NUMBER.fullmatch(word) or (bare and THING.fullmatch(word)) else ""


def can_repeat(column: ColumnProfile) -> bool:
    """Tell whether the values can name things with several rows: whole numbers or texts that repeat, none mostly."""
    if column.role in ("constant", "identifier", "date", "text") or column.distinct < MIN_VALUES:
        return False
    if column.moments is not None and not column.moments.integer:
        return False
    commonest = column.levels[0].count if column.levels else 0
    return column.count >= MIN_ROWS_PER_VALUE * column.distinct and commonest <= 0.5 * column.count


class Groups(NamedTuple):
    """The sampled rows that have a value in a column, sorted by it: runs that begin at ``starts``, ``sizes`` long."""

    rows: Codes
    starts: Codes
    sizes: Codes

    @classmethod
    def of(cls, sample: Rows, column: ColumnProfile) -> "Groups":
        """Group the rows by a column."""
        codes = _codes(sample.features[column.name].to_numpy(), column)
        rows = np.flatnonzero(codes >= 0)
        rows = rows[np.argsort(codes[rows], kind="stable")]
        ordered = codes[rows]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(rows) else rows
        return cls(rows, starts, np.diff(starts, append=len(rows)))

    @property
    def pairs(self) -> int:
        """Return how many pairs of rows have one value."""
        return int((self.sizes * (self.sizes - 1)).sum()) // 2

    def share_of_equal_pairs(self, values: Codes) -> float:
        """Return the share of the pairs that have one of these values too, shape (rows,), in the groups' order."""
        group = np.repeat(np.arange(len(self.starts)), self.sizes)
        _, counts = np.unique(group * (int(values.max()) + 1) + values, return_counts=True)
        return float((counts * (counts - 1)).sum()) / 2 / self.pairs


def label_agreement(sample: Rows, groups: Groups, *, min_kappa: float = -1.0) -> Agreement | None:
    """Measure how alike the labels of one value are; None with too few pairs, or a kappa below ``min_kappa``."""
    if groups.pairs < MIN_PAIRS:
        return None
    labels = sample.labels[groups.rows]
    agreed = groups.share_of_equal_pairs(labels)
    expected = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    kappa = (agreed - expected) / (1 - expected) if expected < 1 else 0.0
    if kappa < min_kappa:
        return None
    random = np.random.default_rng(0)
    drawn = [groups.share_of_equal_pairs(random.permutation(labels)) for _ in range(PERMUTATIONS)]
    spread = float(np.std(drawn))
    return Agreement(groups.pairs, kappa, (agreed - float(np.mean(drawn))) / spread if spread > 0 else 0.0)


def alike_columns(profile: Profile, sample: Rows, groups: Groups, name: str) -> tuple[tuple[str, ...], int]:
    """Return the other columns that are much more alike within a value than between, and how many were looked at."""
    others = [other for other in profile.columns if other != name and _varies(profile.columns[other])][:MAX_FEATURES]
    alike = [
        other
        for other in others
        if _likeness(sample.features[other].to_numpy()[groups.rows], profile.columns[other], groups) >= MIN_LIKENESS
    ]
    return tuple(alike), len(others)


def _varies(column: ColumnProfile) -> bool:
    return not (column.constant or column.identifier or column.date_format) and column.count > 0


def _codes(cells: npt.NDArray[np.object_] | Floats, column: ColumnProfile) -> Codes:
    """Number the values, −1 where there is none."""
    if column.kind == "number":
        missing = np.isnan(cells.astype(np.float64))
        _, codes = np.unique(np.where(missing, 0.0, cells.astype(np.float64)), return_inverse=True)
    else:
        missing = np.array([cell is None for cell in cells])
        _, codes = np.unique([cell or "" for cell in cells], return_inverse=True)
    return np.where(missing, -1, codes)


def _likeness(cells: npt.NDArray[np.object_] | Floats, column: ColumnProfile, groups: Groups) -> float:
    """Return the intraclass correlation of numbers (Fisher 1925), kappa of the pairs of texts."""
    if column.kind == "number":
        numbers = cells.astype(np.float64)
        present = ~np.isnan(numbers)
        if not present.any():
            return 0.0
        values = np.where(present, numbers, numbers[present].mean())
        values = np.clip(values, *np.quantile(values, [0.01, 0.99]))
        total, freedom = float(values.var()), len(values) - len(groups.starts)
        if not (total > 0 and freedom > 0):
            return 0.0
        means = np.add.reduceat(values, groups.starts) / groups.sizes
        return 1 - float(((values - np.repeat(means, groups.sizes)) ** 2).sum()) / freedom / total
    values = _codes(cells, column) + 1
    expected = float(((np.bincount(values) / len(values)) ** 2).sum())
    return (groups.share_of_equal_pairs(values) - expected) / (1 - expected) if expected < 1 else 0.0
