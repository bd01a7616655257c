"""``bindoctor init``: write a first settings file."""

from pathlib import Path

import click

from bindoctor.cli.options import data_options
from bindoctor.config import FILE_NAME, DataSettings
from bindoctor.errors import InputError
from bindoctor.files import write_beside
from bindoctor.first import first_config
from bindoctor.workspace import open_workspace


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
    write_beside(path, first_config(workspace))
    click.echo(f"written  {path}")
    if workspace.dataset.guessed:
        click.echo(f"guessed  target {workspace.dataset.target!r}: {workspace.dataset.guessed}")
    return 0
