"""What ``fix`` does, for the command and for a call from Python alike: ask the rules, treat, and write the result."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import bindoctor
from bindoctor.errors import TooFewRows
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, findings_of
from bindoctor.files import write_beside
from bindoctor.findings import permitted
from bindoctor.history import TrainingFailed
from bindoctor.journal import read_text, record, sha256
from bindoctor.outputs import REPORT_FILE, write_run
from bindoctor.own_source import code_digest
from bindoctor.report import Report
from bindoctor.settings_text import render_config
from bindoctor.trial_journal import FILE_NAME as TRIALS_FILE
from bindoctor.trial_journal import TrialJournal
from bindoctor.workspace import Workspace

if TYPE_CHECKING:
    from bindoctor.course import Event
    from bindoctor.final import FinalModel
    from bindoctor.treatment import Treatment

DEPENDED_ON = ("torch", "numba", "numpy", "polars", "scikit-learn", "imbalanced-learn")
"""The libraries whose versions may change what a training comes to."""


@dataclass(frozen=True)
class Trials:
    """What is asked of the trials.

    Attributes:
        score: what fixes are judged by.
        budget: seconds after ``started`` in which everything is to be done; None for as long as it takes.
        jobs: trainings at a time; None for one a core.
        seed: of folds, trainings and the locked part; None for the recipe's.
        allow: what fixes may go as far as, keys of ``PERMITS``.
        writes_model: whether the model that is left is to be written, for which time is put aside.
        keeps_journal: whether finished trials are kept in the workspace's folder, and taken from there.
        started: when the command or the call began, in seconds of ``time.monotonic``.
    """

    score: str = "auto"
    budget: float | None = None
    jobs: int | None = None
    seed: int | None = None
    allow: tuple[str, ...] = ()
    writes_model: bool = False
    keeps_journal: bool = False
    started: float = field(default_factory=time.monotonic)


def seconds_in(span: str) -> float | None:
    """Return the seconds in a span of time such as 90s, 5m, 1.5h or 90; None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", span.strip())
    if found is None or not float(found[1]):
        return None
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@contextmanager
def one_thread() -> Iterator[None]:
    """Give PyTorch one thread, by which networks this small are faster, and afterwards as many as it had."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def treated(
    workspace: Workspace, trials: Trials, *, fail_on: str = "never", progress: "Callable[[Event], None]"
) -> Report:
    """Scan the data, ask the rules, try the fixes that they offer, and report all of it.

    Raises:
        InputError: the data or the recipe cannot be trained on at all.
    """
    from bindoctor.budget import Budget
    from bindoctor.own_inspection import with_own_model
    from bindoctor.treat import treat

    evidence = with_own_model(workspace.evidence())
    assert evidence.recipe is not None
    outcomes = workspace.examine(evidence)
    diagnose = _diagnosis(workspace, evidence, outcomes)
    treatment = treat(
        evidence,
        lambda seen: permitted(findings_of(diagnose(seen)), trials.allow),
        seed=evidence.recipe.train.seed if trials.seed is None else trials.seed,
        score=trials.score,
        jobs=trials.jobs,
        budget=Budget(trials.budget, trials.started),
        writes_model=trials.writes_model,
        journal=_journal(workspace) if trials.keeps_journal else None,
        progress=progress,
    )
    outcomes = _with_run_rules(outcomes, diagnose(treatment.baseline))
    return replace(workspace.report(outcomes, evidence, fail_on), treatment=treatment)


def model_left(workspace: Workspace, treatment: "Treatment") -> "tuple[FinalModel, str]":
    """Train the recipe that a treatment left on all rows, or on as many as fit into memory as inputs.

    Returns:
        The model, and what must be said of rows that were left out, or "".

    Raises:
        InputError: the recipe does not fit the rows.
        TrainingFailed: training collapsed.
    """
    from bindoctor.final import train_final
    from bindoctor.rows import rows_of
    from bindoctor.sampling import rows_that_fit

    recipe, note = treatment.recipe, ""
    classes = treatment.final.profile.classes if treatment.final.profile else ()
    # Where nobody has named it, the positive class is the rarer one, which rows that are left out may change.
    dataset = replace(workspace.dataset, positive=classes[1]) if len(classes) == 2 else workspace.dataset
    rows = rows_of(dataset, recipe)
    fitting = rows_that_fit([recipe], rows, seed=recipe.train.seed)
    if len(fitting) < len(rows):
        note = f"The model was trained on {len(fitting)} of {len(rows)} rows: no more fit into memory as inputs."
        rows = rows.take(fitting)
    return train_final(recipe, rows, seed=recipe.train.seed), note


def apply(workspace: Workspace, report: Report) -> "tuple[Report, FinalModel | None]":
    """Write the recipe into the settings, and the model, its run, the report and the journal into their folder.

    Returns:
        The report with what was written, and the model, None where training on all rows failed.

    Raises:
        InputError: a file or folder cannot be written.
    """
    from bindoctor.skops_files import NotStorable
    from bindoctor.store import save_model

    treatment = report.treatment
    assert treatment is not None
    recipe, final = treatment.recipe, treatment.final
    path, out = workspace.config_path, workspace.out
    before = read_text(path)
    after = render_config(replace(workspace.config, path=path, recipe=recipe), before)
    model: FinalModel | None = None
    stored: tuple[Path, ...] = ()
    notes: list[str] = []
    try:
        model, note = model_left(workspace, treatment)
        notes += [note] if note else []
        stored = save_model(out, model)
    except NotStorable as error:
        notes.append(f"No model was written: {error}")
    except (TrainingFailed, TooFewRows) as error:
        notes.append(f"No model was written: training on all rows failed ({error}).")
    treatment = replace(treatment, notes=(*treatment.notes, *notes))
    metrics = {
        "status": treatment.status,
        "score": treatment.score,
        "before": treatment.before,
        "after": treatment.after,
        "locked_rows": treatment.locked_rows,
    }
    written = [
        *stored,
        *write_run(out, workspace.run_key(final), final.history, final.predictions, metrics),
        out / REPORT_FILE,
    ]
    if before != after:
        record(out, "fix", path, before, after, treatment.status)
        written += [path]
    report = replace(report, treatment=treatment, written=tuple(str(file) for file in written))
    write_beside(out / REPORT_FILE, json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if before != after:
        write_beside(path, after)
    return report, model


def _diagnosis(
    workspace: Workspace, first: Evidence, outcomes: Sequence[Outcome]
) -> "Callable[[Evidence], Sequence[Outcome]]":
    """Return what asks the rules, with simple models beside every run where a selected rule asks for them.

    What they said of the ``first`` evidence is known.
    """
    from bindoctor.simple_models import SimpleModels

    simple = SimpleModels() if workspace.asks_for("simple_models") else None

    def diagnose(seen: Evidence) -> Sequence[Outcome]:
        if seen is first:
            return outcomes
        return workspace.examine(replace(seen, simple_models=simple.beside(seen)) if simple else seen)

    return diagnose


def _journal(workspace: Workspace) -> TrialJournal:
    """Open the journal of finished trials, which hold for this data, these libraries and this very code."""
    versions = [f"{name} {version(name)}" for name in DEPENDED_ON]
    code = [path.read_text(encoding="utf-8") for path in sorted(Path(bindoctor.__file__).parent.rglob("*.py"))]
    own = code_digest(workspace.config.recipe, workspace.config.folder.absolute())
    context = sha256("\n".join([*versions, *code, own, workspace.data_digest, repr(workspace.config.data)]))
    return TrialJournal(workspace.out / TRIALS_FILE, context)


def _with_run_rules(first: Sequence[Outcome], on_baseline: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Take the rules that need a run from the honest baseline's evidence, all others from the setup as found.

    What the audit found to be missing or unused in the setup, and no longer is with a run, is not said.
    """
    return tuple(
        late if early.status == "skipped" or ("audit" in early.rule.needs and not late.findings) else early
        for early, late in zip(first, on_baseline, strict=True)
    )
