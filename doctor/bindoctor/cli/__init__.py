"""The command line."""

import sys

import click

from bindoctor.cli.baseline import record_baseline
from bindoctor.cli.catalogue import show_rule, show_rules
from bindoctor.cli.check import check
from bindoctor.cli.fix import fix, undo
from bindoctor.cli.init import init
from bindoctor.cli.model import predict, script, train
from bindoctor.errors import InputError
from bindoctor.history import TrainingFailed
from bindoctor.render.text import printable
from bindoctor.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="bindoctor")
def commands() -> None:
    """Find out why a classifier scores low, fix it, retrain, and verify that it really got better."""


for command in (check, fix, undo, init, train, predict, script, record_baseline, show_rule, show_rules):
    commands.add_command(command)


def main() -> None:
    """Run the command line and exit: 0 fine, 1 findings, 2 could not do it, 130 interrupted."""
    try:
        code = commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("bindoctor: interrupted; nothing was applied.", err=True)
        sys.exit(130)
    except (InputError, TrainingFailed) as error:
        click.echo(f"bindoctor: {printable(error)}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(printable(f"bindoctor: {error.filename or 'output'}: {error.strerror or error}."), err=True)
        sys.exit(2)
    sys.exit(code or 0)
