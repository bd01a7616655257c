"""bindoctor: a linter and advisor for classifiers that retrains to verify its own advice."""

from bindoctor import scores
from bindoctor.audit import Audit, Ignore, Known, Skipped
from bindoctor.dataset import Dataset, Rows, Table
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.findings import Aim, Confidence, Finding, Fix, RowList, Severity, Where
from bindoctor.history import Epoch, History
from bindoctor.part_names import is_held_out
from bindoctor.parts import Part, Parts, Shift, Unseen
from bindoctor.predictions import Predictions
from bindoctor.profile import Blocks, ColumnProfile, Distribution, Extremes, Level, Moments, Profile
from bindoctor.readers import read
from bindoctor.recipe import Recipe
from bindoctor.rules import Example, Rule, counts, example, rule
from bindoctor.version import VERSION

__version__ = VERSION

__all__ = [
    "Aim",
    "Audit",
    "Blocks",
    "ColumnProfile",
    "Confidence",
    "Dataset",
    "Distribution",
    "Epoch",
    "Evidence",
    "Example",
    "Extremes",
    "Finding",
    "Fix",
    "History",
    "Ignore",
    "InputError",
    "Known",
    "Level",
    "Moments",
    "Part",
    "Parts",
    "Predictions",
    "Profile",
    "Recipe",
    "RowList",
    "Rows",
    "Rule",
    "Severity",
    "Shift",
    "Skipped",
    "Table",
    "Unseen",
    "Where",
    "counts",
    "example",
    "is_held_out",
    "read",
    "rule",
    "scores",
]
