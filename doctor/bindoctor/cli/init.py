"""``bindoctor init``: write a first settings file."""

from pathlib import Path

import click

from bindoctor.cli.options import data_options
from bindoctor.config import FILE_NAME, DataSettings
from bindoctor.errors import InputError
from bindoctor.files import write_beside
from bindoctor.first import POSITIVE_GUESS, first_config
from bindoctor.render.text import printable, roles_text
from bindoctor.workspace import open_workspace, summarise


@click.command()
@data_options
def init(data: DataSettings) -> int:
    """Write a first bindoctor.toml for DATA: the naive recipe, and what was guessed about the columns."""
    path = Path(FILE_NAME)
    if not data.path:
        raise InputError("no data file given; run 'bindoctor init DATA.csv'.")
    if path.exists():
        raise InputError(f"{path} exists; edit it, or move it away to start anew.")
    workspace = open_workspace(data)
    evidence = workspace.evidence()
    assert evidence.profile is not None
    write_beside(path, first_config(workspace, evidence))
    click.echo(f"written  {path}")
    summary = summarise(workspace.dataset, evidence.profile)
    if workspace.dataset.guessed:
        click.echo(printable(f"guessed  target {summary.target!r}: {workspace.dataset.guessed}"))
    if summary.positive is not None and not workspace.dataset.positive:
        click.echo(printable(f"guessed  positive class {summary.positive!r}: {POSITIVE_GUESS}"))
    click.echo(f"guessed  columns: {roles_text(summary.roles)}")
    return 0
