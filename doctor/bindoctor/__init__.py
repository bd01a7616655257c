"""bindoctor: a linter and advisor for classifiers that retrains to verify its own advice."""

from bindoctor import scores
from bindoctor.dataset import Dataset, Rows, Table
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.findings import Aim, Confidence, Finding, Fix, RowList, Severity, Where
from bindoctor.history import Epoch, History
from bindoctor.predictions import Predictions
from bindoctor.profile import ColumnProfile, Level, Moments, Profile
from bindoctor.readers import read
from bindoctor.recipe import Recipe
from bindoctor.rules import Example, Rule, counts, example, rule
from bindoctor.version import VERSION

__version__ = VERSION

__all__ = [
    "Aim",
    "ColumnProfile",
    "Confidence",
    "Dataset",
    "Epoch",
    "Evidence",
    "Example",
    "Finding",
    "Fix",
    "History",
    "InputError",
    "Level",
    "Moments",
    "Predictions",
    "Profile",
    "Recipe",
    "RowList",
    "Rows",
    "Rule",
    "Severity",
    "Table",
    "Where",
    "counts",
    "example",
    "read",
    "rule",
    "scores",
]
