"""Everything a rule can ask for, each part optional."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from bindoctor.audit import Audit
from bindoctor.dataset import Dataset
from bindoctor.history import History
from bindoctor.inspection import Inspection
from bindoctor.parts import Parts
from bindoctor.predictions import Predictions, SimpleModel
from bindoctor.profile import Profile
from bindoctor.recipe import Recipe
from bindoctor.task import Task


@dataclass(frozen=True)
class Evidence:
    """What is known about a setup. After the recipe changes, the other parts are replaced with it."""

    dataset: Dataset | None = None
    profile: Profile | None = None
    recipe: Recipe | None = None
    history: History | None = None
    predictions: Predictions | None = None
    parts: Parts | None = None
    simple_models: tuple[SimpleModel, ...] | None = None
    """What simple models answer on the folds of the predictions, where training packages are at hand."""
    model: Inspection | None = None
    """What one batch shows of a live model, its loss and its optimizer."""
    task: Task | None = None
    """The scale of losses and scores; that of the profile, where there is one."""
    audit: Audit | None = None
    """What the other rules said, for rules about bindoctor itself; ``examine`` fills it in after they ran."""

    def __post_init__(self) -> None:
        if self.profile is not None:
            object.__setattr__(self, "task", Task.of(self.profile))

    def after(self, recipe: Recipe, profile: Profile, parts: Parts | None = None) -> "Evidence":
        """Return the evidence on a changed recipe: its own profile and parts, and no run until it has been trained."""
        return replace(
            self,
            recipe=recipe,
            profile=profile,
            parts=parts,
            history=None,
            predictions=None,
            simple_models=None,
            model=None,
        )

    def with_run(self, history: History, predictions: Predictions) -> "Evidence":
        """Return the evidence with what training its recipe produced."""
        return replace(self, history=history, predictions=predictions, simple_models=None)


EVIDENCE_NAMES = tuple(field.name for field in fields(Evidence))

GIVEN_BY = {
    "history": "--run PATH",
    "profile": "DATA",
    "dataset": "DATA",
    "recipe": "DATA",
    "task": "DATA",
    "model": "a training loop to bindoctor.watch",
    "predictions": "--predictions FILE",
    "simple_models": "--predictions FILE",
    "parts": "--valid FILE or --test FILE",
}
TRAINED = ("history", "predictions", "simple_models")


def how_to_give(missing: Sequence[str]) -> str:
    """Say which options of ``check`` bring the missing evidence, ``: give …``; "" when some cannot be given."""
    if not all(name in GIVEN_BY for name in missing):
        return ""
    train = ", or --train" if any(name in TRAINED for name in missing) else ""
    return f": give {' and '.join(dict.fromkeys(GIVEN_BY[name] for name in missing))}{train}"
