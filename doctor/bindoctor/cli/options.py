"""Options and habits that commands share."""

import importlib.util
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console

from bindoctor.errors import InputError
from bindoctor.files import write_beside
from bindoctor.render.text import print_report
from bindoctor.report import Report

Command = Callable[..., int]
PATH = click.Path(path_type=Path)


def data_argument(command: Command) -> Command:
    """Add DATA and the options that say how to read it."""
    for option in (
        click.option("--positive", help="The positive class of a binary target."),
        click.option("--target", help="The target column: its name, or its 0-based position."),
        click.argument("data", type=PATH, required=False),
    ):
        command = option(command)
    return command


def rule_options(command: Command) -> Command:
    """Add the choice of rules; each value may hold several, separated by commas."""
    for name, text in (
        ("--extend-select", "Add rules to the selected ones."),
        ("--ignore", "Leave rules out."),
        ("--select", "Only these rules: codes, prefixes or slugs."),
    ):
        command = click.option(name, multiple=True, metavar="RULES", help=text, callback=_split)(command)
    return command


def report_options(command: Command) -> Command:
    """Add what shapes the report."""
    for option in (
        click.option("--no-color", is_flag=True, help="Plain text."),
        click.option("--quiet", "-q", is_flag=True, help="Findings without fixes, and no progress."),
        click.option(
            "--fail-on",
            type=click.Choice(["error", "warning", "note", "never"]),
            help="Exit 1 from this severity on (default: warning).",
        ),
        click.option("--output-file", type=PATH, help="Write the report there instead of to standard output."),
        click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    ):
        command = option(command)
    return command


def emit(report: Report, *, output_format: str, output_file: Path | None, quiet: bool, no_color: bool) -> None:
    """Write the report as asked."""
    if output_format == "json":
        text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if output_file is None:
            click.echo(text, nl=False)
        else:
            write_beside(output_file, text)
    elif output_file is None:
        print_report(report, console(sys.stdout, no_color=no_color), quiet=quiet)
    else:
        kept = io.StringIO()
        print_report(report, Console(file=kept, width=120, no_color=True, highlight=False, markup=False), quiet=quiet)
        write_beside(output_file, kept.getvalue())


def console(file: TextIO, *, no_color: bool = False) -> Console:
    """Return a console without rich's guessing at numbers and markup in what it prints."""
    return Console(file=file, no_color=no_color or None, highlight=False, markup=False, emoji=False)


def need_training() -> None:
    """Make sure that what training needs is installed.

    Raises:
        InputError: a package of the extra is missing; says what to install.
    """
    missing = [
        name for name in ("torch", "sklearn", "imblearn", "safetensors", "skops") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise InputError(f"this trains a model and needs {', '.join(missing)}; run: pip install 'bindoctor[train]'")


def _split(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for item in value for part in item.split(",") if part.strip())
