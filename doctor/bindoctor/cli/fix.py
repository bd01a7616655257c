"""``bindoctor fix`` and ``bindoctor undo``."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import bindoctor
from bindoctor.cli.options import (
    check_outputs,
    console,
    data_options,
    emit,
    prepare_training,
    report_options,
    rule_options,
)
from bindoctor.config import FILE_NAME, DataSettings, find_config
from bindoctor.errors import TooFewRows
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, findings_of
from bindoctor.files import write_beside
from bindoctor.findings import PERMITS, permitted
from bindoctor.history import TrainingFailed
from bindoctor.journal import read_text, record, sha256
from bindoctor.journal import undo as undo_last
from bindoctor.outputs import REPORT_FILE
from bindoctor.own_source import code_digest
from bindoctor.recipe import Score
from bindoctor.report import Report
from bindoctor.settings_text import render_config
from bindoctor.trial_journal import FILE_NAME as TRIALS_FILE
from bindoctor.trial_journal import TrialJournal
from bindoctor.workspace import OUT_FOLDER, RuleChoice, Workspace, open_workspace

if TYPE_CHECKING:
    from bindoctor.course import Event
    from bindoctor.treatment import Treatment

DEPENDED_ON = ("torch", "numba", "numpy", "polars", "scikit-learn", "imbalanced-learn")
"""The libraries whose versions may change what a training comes to."""


class Duration(click.ParamType[float]):
    """A span of time such as 90s, 5m or 1.5h, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number of seconds, or one with its unit."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", str(value).strip())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no time; write 90s, 5m or 1h.", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@click.command()
@data_options
@click.option(
    "--apply", "apply_it", is_flag=True, help="Write the verified recipe, the model, the report and the journal."
)
@click.option(
    "--score",
    type=click.Choice(get_args(Score)),
    default="auto",
    show_default=True,
    help="What fixes are judged by; auto is the recipe's score, else log loss: probabilities matter, and it is the "
    "most powerful. Past two classes average precision, ROC AUC, F1 and balanced accuracy are means over classes.",
)
@click.option(
    "--budget", type=Duration(), help="End in this time (90s, 5m, 1h) with what has been found and confirmed by then."
)
@click.option("--jobs", type=click.IntRange(1), help="Trainings at a time (default: one a core).")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Of folds, trainings and the locked part (default: the recipe's)."
)
@click.option(
    "--allow",
    type=click.Choice(sorted(PERMITS)),
    multiple=True,
    help="Also try fixes that go further: 'estimator' those that train another kind of model; repeatable.",
)
@rule_options
@report_options
def fix(data: DataSettings, choice: RuleChoice, apply_it: bool, fail_on: str | None, **given: Any) -> int:
    """Try the fixes that the findings offer, and verify together the ones that help.

    Without --apply the settings and the model stay as they are. Finished trials are kept in bindoctor-out, where a run
    after an interruption, or with --apply, takes them from. A verdict is an answer, whichever it is: exit 0. With
    --fail-on, findings count as in check.
    """
    started = time.monotonic()
    prepare_training()
    from bindoctor.own_inspection import with_own_model

    asked = {name: given.pop(name) for name in ("score", "budget", "jobs", "seed", "allow")}
    trials = Trials(**asked, apply_it=apply_it, started=started)
    workspace = open_workspace(data, choice)
    check_outputs(given, *workspace.inputs)
    if apply_it:
        workspace.require_own_settings()
    evidence = with_own_model(workspace.evidence())
    outcomes = workspace.examine(evidence)
    diagnose = _diagnosis(workspace, evidence, outcomes)
    with _progress(shown=not given["quiet"]) as progress:
        treatment = _treat(workspace, evidence, diagnose, trials, progress)
    outcomes = _with_run_rules(outcomes, diagnose(treatment.baseline))
    report = replace(workspace.report(outcomes, evidence, fail_on or "never"), treatment=treatment)
    if apply_it:
        report = _apply(workspace, report, treatment)
    emit(report, **given)
    return report.exit_code


@dataclass(frozen=True)
class Trials:
    """What was asked of the trials; ``started`` is when the command was, in seconds of ``time.monotonic``."""

    score: str
    budget: float | None
    jobs: int | None
    seed: int | None
    allow: tuple[str, ...]
    apply_it: bool
    started: float


@click.command()
def undo() -> int:
    """Put bindoctor.toml back as it was before the last applied fix."""
    path = find_config(Path()) or Path(FILE_NAME)
    click.echo(undo_last(path, path.parent / OUT_FOLDER))
    return 0


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


def _treat(
    workspace: Workspace,
    evidence: Evidence,
    diagnose: "Callable[[Evidence], Sequence[Outcome]]",
    trials: Trials,
    progress: "Callable[[Event], None]",
) -> "Treatment":
    from bindoctor.budget import Budget
    from bindoctor.treat import treat

    assert evidence.recipe is not None
    return treat(
        evidence,
        lambda seen: permitted(findings_of(diagnose(seen)), trials.allow),
        seed=evidence.recipe.train.seed if trials.seed is None else trials.seed,
        score=trials.score,
        jobs=trials.jobs,
        budget=Budget(trials.budget, trials.started),
        writes_model=trials.apply_it,
        journal=_journal(workspace),
        progress=progress,
    )


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


def _apply(workspace: Workspace, report: Report, treatment: "Treatment") -> Report:
    from bindoctor.final import train_final
    from bindoctor.outputs import write_run
    from bindoctor.rows import rows_of
    from bindoctor.sampling import rows_that_fit
    from bindoctor.skops_files import NotStorable
    from bindoctor.store import save_model

    recipe, final = treatment.recipe, treatment.final
    path, out = workspace.config_path, workspace.out
    before = read_text(path)
    after = render_config(replace(workspace.config, path=path, recipe=recipe), before)
    rows = rows_of(workspace.dataset, recipe)
    fitting = rows_that_fit([recipe], rows, seed=recipe.train.seed)
    if len(fitting) < len(rows):
        note = f"The model was trained on {len(fitting)} of {len(rows)} rows: no more fit into memory as inputs."
        treatment, rows = replace(treatment, notes=(*treatment.notes, note)), rows.take(fitting)
    try:
        stored = save_model(out, train_final(recipe, rows, seed=recipe.train.seed))
    except NotStorable as error:
        treatment = replace(treatment, notes=(*treatment.notes, f"No model was written: {error}"))
        stored = ()
    except (TrainingFailed, TooFewRows) as error:
        note = f"No model was written: training on all rows failed ({error})."
        treatment = replace(treatment, notes=(*treatment.notes, note))
        stored = ()
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
    return report


@contextmanager
def _progress(*, shown: bool) -> "Iterator[Callable[[Event], None]]":
    """Show the stage, the trainings done and the fixes still in the race on standard error, when that is a terminal."""
    err = console(sys.stderr)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not (shown and err.is_terminal),
    ) as bar:
        task = bar.add_task("scanning", total=None, note="")

        def show(event: "Event") -> None:
            bar.update(task, description=event.stage, note=_where(event))

        yield show


def _where(event: "Event") -> str:
    said = [f"{event.fitted} trainings"]
    if event.trials:
        said.append(f"{event.trials} fixes tried, {event.dropped} of them dropped early")
    if event.alive:
        said.append(f"{event.alive} in the race")
    if event.left is not None:
        said.append(f"about {event.left / 60:.0f} min left" if event.left >= 90 else f"about {event.left:.0f} s left")
    return ", ".join(said)
