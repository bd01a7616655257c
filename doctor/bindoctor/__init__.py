"""bindoctor: a linter and advisor for classifiers that retrains to verify its own advice."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from bindoctor.version import VERSION

if TYPE_CHECKING:
    from bindoctor import scores
    from bindoctor.api import check, fix
    from bindoctor.audit import Audit, Ignore, Known, Skipped
    from bindoctor.before import preflight
    from bindoctor.classifier import RecipeClassifier as RecipeClassifier
    from bindoctor.column_profile import ColumnProfile, Distribution, Extremes, Level, LevelList, Moments
    from bindoctor.dataset import Dataset, Rows, Table
    from bindoctor.errors import InputError
    from bindoctor.evidence import Evidence
    from bindoctor.findings import Aim, Confidence, Finding, Fix, RowList, Severity, Where
    from bindoctor.fix_result import FixResult
    from bindoctor.history import Epoch, History, Series
    from bindoctor.inspection import (
        FitFacts,
        InputFacts,
        Inspection,
        LabelFacts,
        LayerFacts,
        OptimizerFacts,
        OutputFacts,
        ParameterFacts,
        StepFacts,
    )
    from bindoctor.live import watch
    from bindoctor.logs import read_history
    from bindoctor.part_names import is_held_out
    from bindoctor.parts import Part, Parts, Shift, Unseen
    from bindoctor.predictions import Importance, Predictions, SimpleModel
    from bindoctor.profile import Blocks, Profile
    from bindoctor.readers import read
    from bindoctor.recipe import Recipe
    from bindoctor.report import Report
    from bindoctor.rules import Example, Rule, counts, example, rule
    from bindoctor.task import Task
    from bindoctor.treatment import Treatment

__version__ = VERSION

HOMES = {
    "api": "check fix",
    "audit": "Audit Ignore Known Skipped",
    "before": "preflight",
    "classifier": "RecipeClassifier",
    "column_profile": "ColumnProfile Distribution Extremes Level LevelList Moments",
    "dataset": "Dataset Rows Table",
    "errors": "InputError",
    "evidence": "Evidence",
    "fix_result": "FixResult",
    "findings": "Aim Confidence Finding Fix RowList Severity Where",
    "history": "Epoch History Series",
    "inspection": (
        "FitFacts InputFacts Inspection LabelFacts LayerFacts OptimizerFacts OutputFacts ParameterFacts StepFacts"
    ),
    "live": "watch",
    "logs": "read_history",
    "part_names": "is_held_out",
    "parts": "Part Parts Shift Unseen",
    "predictions": "Importance Predictions SimpleModel",
    "profile": "Blocks Profile",
    "readers": "read",
    "recipe": "Recipe",
    "report": "Report",
    "rules": "Example Rule counts example rule",
    "task": "Task",
    "treatment": "Treatment",
}
"""Public names by the module they come from, which is imported when one of them is first used."""

# What trains is not among them: importing all names must not import PyTorch.
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
    "FitFacts",
    "Fix",
    "FixResult",
    "History",
    "Ignore",
    "Importance",
    "InputError",
    "InputFacts",
    "Inspection",
    "Known",
    "LabelFacts",
    "LayerFacts",
    "Level",
    "LevelList",
    "Moments",
    "OptimizerFacts",
    "OutputFacts",
    "ParameterFacts",
    "Part",
    "Parts",
    "Predictions",
    "Profile",
    "Recipe",
    "Report",
    "RowList",
    "Rows",
    "Rule",
    "Series",
    "Severity",
    "Shift",
    "SimpleModel",
    "Skipped",
    "StepFacts",
    "Table",
    "Task",
    "Treatment",
    "Unseen",
    "Where",
    "check",
    "counts",
    "example",
    "fix",
    "is_held_out",
    "preflight",
    "read",
    "read_history",
    "rule",
    "scores",
    "watch",
]


def __getattr__(name: str) -> object:
    if name == "scores":
        return import_module("bindoctor.scores")
    for module, names in HOMES.items():
        if name in names.split():
            found = getattr(_imported(module, name), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'bindoctor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "RecipeClassifier"})


def _imported(module: str, name: str) -> ModuleType:
    try:
        return import_module(f"bindoctor.{module}")
    except ModuleNotFoundError as error:
        raise ImportError(f"bindoctor.{name} needs {error.name}; run: pip install 'bindoctor[train]'") from error
