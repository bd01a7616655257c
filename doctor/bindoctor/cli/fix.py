"""``bindoctor fix`` and ``bindoctor undo``."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

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
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, findings_of
from bindoctor.files import write_beside
from bindoctor.history import TrainingFailed
from bindoctor.journal import read_text, record
from bindoctor.journal import undo as undo_last
from bindoctor.outputs import REPORT_FILE
from bindoctor.report import Report
from bindoctor.settings_text import render_config
from bindoctor.workspace import OUT_FOLDER, RuleChoice, Workspace, open_workspace

if TYPE_CHECKING:
    from bindoctor.course import Event
    from bindoctor.treatment import Treatment


@click.command()
@data_options
@click.option(
    "--apply", "apply_it", is_flag=True, help="Write the verified recipe, the model, the report and the journal."
)
@click.option(
    "--score",
    type=click.Choice(["auto", "log-loss", "average-precision", "roc-auc"]),
    default="auto",
    show_default=True,
    help="What fixes are judged by; auto is the recipe's score, else log loss.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Of folds, trainings and the locked part (default: the recipe's)."
)
@rule_options
@report_options
def fix(
    data: DataSettings,
    choice: RuleChoice,
    apply_it: bool,
    score: str,
    seed: int | None,
    fail_on: str | None,
    **output: Any,
) -> int:
    """Try the fixes that the findings offer, and verify together the ones that help.

    Without --apply nothing is written. A verdict is an answer, whichever it is: exit 0. With --fail-on, findings
    count as in check.
    """
    prepare_training()
    workspace = open_workspace(data, choice)
    check_outputs(output, *workspace.inputs)
    if apply_it:
        workspace.require_own_settings()
    evidence = workspace.evidence()
    outcomes = workspace.examine(evidence)
    with _progress(shown=not output["quiet"]) as progress:
        treatment = _treat(workspace, evidence, score, seed, progress)
    outcomes = _with_run_rules(outcomes, workspace.examine(treatment.baseline))
    report = replace(workspace.report(outcomes, evidence, fail_on or "never"), treatment=treatment)
    if apply_it:
        report = _apply(workspace, report, treatment)
    emit(report, **output)
    return report.exit_code


@click.command()
def undo() -> int:
    """Put bindoctor.toml back as it was before the last applied fix."""
    path = find_config(Path()) or Path(FILE_NAME)
    click.echo(undo_last(path, path.parent / OUT_FOLDER))
    return 0


def _treat(
    workspace: Workspace, evidence: Evidence, score: str, seed: int | None, progress: "Callable[[Event], None]"
) -> "Treatment":
    from bindoctor.treat import treat

    assert evidence.recipe is not None
    return treat(
        workspace.dataset,
        evidence.recipe,
        lambda seen: findings_of(workspace.examine(seen)),
        seed=evidence.recipe.train.seed if seed is None else seed,
        score=score,
        progress=progress,
    )


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
    from bindoctor.store import save_model

    recipe, final = treatment.recipe, treatment.final
    path, out = workspace.config_path, workspace.out
    before = read_text(path)
    after = render_config(replace(workspace.config, path=path, recipe=recipe), before)
    try:
        model = train_final(recipe, rows_of(workspace.dataset, recipe), seed=recipe.train.seed)
        stored = save_model(out, model)
    except TrainingFailed as error:
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
            racing = f", {event.alive} fixes in the race" if event.alive else ""
            bar.update(task, description=event.stage, note=f"{event.fitted} trainings{racing}")

        yield show
