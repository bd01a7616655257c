"""``bindoctor fix`` and ``bindoctor undo``."""

import time
from pathlib import Path
from typing import Any, get_args

import click

from bindoctor.cli.options import check_outputs, data_options, emit, prepare_training, report_options, rule_options
from bindoctor.config import FILE_NAME, DataSettings, find_config
from bindoctor.findings import PERMITS
from bindoctor.fixing import Trials, apply, seconds_in, treated
from bindoctor.journal import undo as undo_last
from bindoctor.recipe_sections import Score
from bindoctor.render.progress import progress_line
from bindoctor.workspace import OUT_FOLDER, RuleChoice, open_workspace


class Duration(click.ParamType[float]):
    """A span of time such as 90s, 5m or 1.5h, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number of seconds, or one with its unit."""
        found = seconds_in(str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write 90s, 5m or 1h.", param, ctx)
        return found


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
    asked = {name: given.pop(name) for name in ("score", "budget", "jobs", "seed", "allow")}
    trials = Trials(**asked, writes_model=apply_it, keeps_journal=True, started=started)
    workspace = open_workspace(data, choice)
    check_outputs(given, *workspace.inputs)
    if apply_it:
        workspace.require_own_settings()
    with progress_line(shown=not given["quiet"]) as progress:
        report = treated(workspace, trials, fail_on=fail_on or "never", progress=progress)
    if apply_it:
        report, _ = apply(workspace, report)
    emit(report, **given)
    return report.exit_code


@click.command()
def undo() -> int:
    """Put bindoctor.toml back as it was before the last applied fix."""
    path = find_config(Path()) or Path(FILE_NAME)
    click.echo(undo_last(path, path.parent / OUT_FOLDER))
    return 0
