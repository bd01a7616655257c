"""bindoctor: a linter and advisor for classifiers that retrains to verify its own advice."""

from importlib import import_module
from typing import TYPE_CHECKING

from bindoctor.version import VERSION

if TYPE_CHECKING:
    from bindoctor import scores
    from bindoctor.audit import Audit, Ignore, Known, Skipped
    from bindoctor.before import preflight
    from bindoctor.column_profile import ColumnProfile, Distribution, Extremes, Level, LevelList, Moments
    from bindoctor.dataset import Dataset, Rows, Table
    from bindoctor.errors import InputError
    from bindoctor.evidence import Evidence
    from bindoctor.findings import Aim, Confidence, Finding, Fix, RowList, Severity, Where
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
    from bindoctor.part_names import is_held_out
    from bindoctor.parts import Part, Parts, Shift, Unseen
    from bindoctor.predictions import Importance, Predictions, SimpleModel
    from bindoctor.profile import Blocks, Profile
    from bindoctor.readers import read
    from bindoctor.recipe import Recipe
    from bindoctor.rules import Example, Rule, counts, example, rule
    from bindoctor.task import Task

__version__ = VERSION

HOMES = {
    "audit": "Audit Ignore Known Skipped",
    "before": "preflight",
    "column_profile": "ColumnProfile Distribution Extremes Level LevelList Moments",
    "dataset": "Dataset Rows Table",
    "errors": "InputError",
    "evidence": "Evidence",
    "findings": "Aim Confidence Finding Fix RowList Severity Where",
    "history": "Epoch History Series",
    "inspection": (
        "FitFacts InputFacts Inspection LabelFacts LayerFacts OptimizerFacts OutputFacts ParameterFacts StepFacts"
    ),
    "live": "watch",
    "part_names": "is_held_out",
    "parts": "Part Parts Shift Unseen",
    "predictions": "Importance Predictions SimpleModel",
    "profile": "Blocks Profile",
    "readers": "read",
    "recipe": "Recipe",
    "rules": "Example Rule counts example rule",
    "task": "Task",
}
"""Public names by the module they come from, which is imported when one of them is first used."""

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
    "Unseen",
    "Where",
    "counts",
    "example",
    "is_held_out",
    "preflight",
    "read",
    "rule",
    "scores",
    "watch",
]


def __getattr__(name: str) -> object:
    if name == "scores":
        return import_module("bindoctor.scores")
    for module, names in HOMES.items():
        if name in names.split():
            found = getattr(import_module(f"bindoctor.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module 'bindoctor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
