"""Options and habits that commands share."""

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console

from bindoctor.config import DataSettings
from bindoctor.errors import InputError
from bindoctor.extras import require_training
from bindoctor.extras import training_is_installed as training_is_installed
from bindoctor.files import write_beside
from bindoctor.readers import ReadOptions
from bindoctor.render.rows import rows_csv
from bindoctor.render.text import print_report, report_text
from bindoctor.report import Report
from bindoctor.workspace import RuleChoice

Command = Callable[..., int]
Names = tuple[str, ...]
PATH = click.Path(path_type=Path)


READING_OPTIONS = (
    click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be read, and say how many."),
    click.option("--null-token", "null_tokens", multiple=True, metavar="TEXT", help="Read as missing; repeatable."),
    click.option("--encoding", default="", help="The encoding of text, when it is not found by itself."),
    click.option("--header/--no-header", default=None, help="The first line names columns, or is data; else found."),
    click.option("--delimiter", default="", help="What separates fields, when it is not found by itself."),
)


def data_options(command: Command) -> Command:
    """Add DATA and how to read it, handed on as one value ``data``."""

    @functools.wraps(command)
    def collected(data: Path | None, valid: Path | None, test: Path | None, **others: Any) -> int:
        paths = {"path": data, "valid": valid, "test": test}
        asked: dict[str, Any] = {name: "" if path is None else str(path) for name, path in paths.items()}
        asked |= {name: others.pop(name) for name in DataSettings.__struct_fields__ if name in others}
        return command(data=DataSettings(**asked), **others)

    for option in (
        *READING_OPTIONS,
        click.option("--test", type=PATH, help="Rows to test on, in a file of their own: checked, never trained on."),
        click.option(
            "--valid", type=PATH, help="Rows to validate on, in a file of their own: checked, never trained on."
        ),
        click.option("--positive", default="", help="The positive class of a binary target."),
        click.option("--target", default="", help="The target column: its name, or its 0-based position."),
        click.argument("data", type=PATH, required=False),
    ):
        collected = option(collected)
    return collected


def reading_options(command: Command) -> Command:
    """Add how to read a data file, handed on as one value ``reading``."""

    @functools.wraps(command)
    def collected(**others: Any) -> int:
        given = {name: others.pop(name) for name in ReadOptions.__struct_fields__}
        return command(reading=ReadOptions(**{name: value for name, value in given.items() if value != ""}), **others)

    for option in READING_OPTIONS:
        collected = option(collected)
    return collected


def rule_options(command: Command) -> Command:
    """Add the choice of rules, handed on as one value ``choice``; each option may hold several, separated by commas."""

    @functools.wraps(command)
    def collected(select: Names, ignore: Names, extend_select: Names, **others: Any) -> int:
        return command(choice=RuleChoice(select, ignore, extend_select), **others)

    for name, text in (
        ("--extend-select", "Add rules to the selected ones."),
        ("--ignore", "Leave rules out."),
        ("--select", "Only these rules: codes, prefixes or slugs."),
    ):
        collected = click.option(name, multiple=True, metavar="RULES", help=text, callback=_split)(collected)
    return collected


def report_options(command: Command) -> Command:
    """Add what shapes the report."""
    for option in (
        click.option("--no-color", is_flag=True, help="Plain text."),
        click.option("--quiet", "-q", is_flag=True, help="Findings without fixes, and no progress."),
        click.option(
            "--fail-on",
            type=click.Choice(["error", "warning", "note", "never"]),
            help="Exit 1 from this severity on (default: warning; fix: never).",
        ),
        click.option("--rows-output", type=PATH, help="Write every row that findings are about there, as CSV."),
        click.option("--output-file", type=PATH, help="Write the report there instead of to standard output."),
        click.option("--output-format", type=click.Choice(["text", "json", "html"]), default="text", show_default=True),
    ):
        command = option(command)
    return command


def emit(
    report: Report,
    *,
    output_format: str,
    output_file: Path | None,
    rows_output: Path | None,
    quiet: bool,
    no_color: bool,
) -> None:
    """Write the report as asked."""
    if rows_output is not None:
        write_beside(rows_output, rows_csv(report.findings))
    if output_format == "text" and output_file is None:
        print_report(report, console(sys.stdout, no_color=no_color), quiet=quiet)
        return
    text = _written(report, output_format, quiet=quiet)
    if output_file is None:
        click.echo(text, nl=False)
    else:
        write_beside(output_file, text)


def _written(report: Report, output_format: str, *, quiet: bool) -> str:
    if output_format == "json":
        return json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if output_format == "html":
        from bindoctor.render.html import report_page

        return report_page(report)
    return report_text(report, quiet=quiet)


def check_output(output_file: Path | None, *inputs: Path | None) -> None:
    """Make sure, before any work, that a report or table does not go over what is read.

    Raises:
        InputError: the output is a folder, or one of the inputs.
    """
    if output_file is None:
        return
    if output_file.is_dir():
        raise InputError(f"{output_file}: is a folder; name a file to write.")
    if output_file.resolve() in {path.resolve() for path in inputs if path is not None}:
        raise InputError(f"{output_file}: is read by this command and would be overwritten; name another file.")


def check_outputs(output: Mapping[str, Any], *inputs: Path | None) -> None:
    """Make sure of the same for the files that ``report_options`` name, and that these are two.

    Raises:
        InputError: see ``check_output``, or both outputs are one file.
    """
    report, rows = output["output_file"], output["rows_output"]
    check_output(report, *inputs)
    check_output(rows, *inputs)
    if report is not None and rows is not None and report.resolve() == rows.resolve():
        raise InputError(f"{rows}: cannot hold both the report and the rows; name two files.")


def console(file: TextIO, *, no_color: bool = False) -> Console:
    """Return a console without rich's guessing at numbers and markup in what it prints."""
    return Console(file=file, no_color=no_color or None, highlight=False, markup=False, emoji=False)


def prepare_training() -> None:
    """Make sure that what training needs is installed, and give it one thread: networks this small lose by two.

    Raises:
        InputError: a package of the extra is missing; says what to install.
    """
    require_training()
    import torch

    torch.set_num_threads(1)


def _split(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> Names:
    return tuple(part.strip() for item in value for part in item.split(",") if part.strip())
