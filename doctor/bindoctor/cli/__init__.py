"""The command line."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from bindoctor.version import VERSION

COMMANDS = {
    "check": "check:check",
    "fix": "fix:fix",
    "undo": "fix:undo",
    "init": "init:init",
    "train": "model:train",
    "predict": "model:predict",
    "script": "model:script",
    "baseline": "baseline:record_baseline",
    "rule": "catalogue:show_rule",
    "rules": "catalogue:show_rules",
}
"""The module in this package that each command is in, and its name there."""

GARBAGE_OBJECTS = 200_000
"""How many more objects there have to be before the garbage collector looks for unused ones."""


class Commands(click.Group):
    """Imports a command when it is asked for, as each needs another part of bindoctor."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(f"bindoctor.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


TRAINING = {"fix", "train"}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="bindoctor")
def commands() -> None:
    """Find out why a classifier scores low, fix it, retrain, and verify that it really got better."""


def main() -> None:
    """Run the command line and exit: 0 fine, 1 findings, 2 could not do it, 130 interrupted."""
    prepare_libraries(sys.argv[1:2])
    try:
        code = commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("bindoctor: interrupted; nothing was applied.", err=True)
        sys.exit(130)
    except Exception as error:
        message = _message(error)
        if not message:
            raise
        click.echo(f"bindoctor: {message}", err=True)
        sys.exit(2)
    sys.exit(code or 0)


def _message(error: Exception) -> str:
    """Return what to tell the user, "" for an error that is a bug."""
    from bindoctor.errors import InputError
    from bindoctor.history import TrainingFailed
    from bindoctor.render.text import printable

    if isinstance(error, InputError | TrainingFailed):
        return printable(error)
    if isinstance(error, OSError):
        return printable(f"{error.filename or 'output'}: {error.strerror or error}.")
    return ""


def prepare_libraries(command: Sequence[str] = ()) -> None:
    """Say how many threads the libraries may start, which they ask when they are imported, and import them quickly.

    bindoctor has threads of its own: OpenBLAS's beside them spin, and as many of Polars' again get in their way. The
    memory of one piece of a file fits the next, so that Polars' allocator need not give it back at once; where a model
    is trained afterwards, that needs it. What has been
    imported stays, so the garbage collector need not look for it after every few hundred objects, nor once more at
    the end, when the process gives back all of its memory anyway.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("POLARS_MAX_THREADS", str(max((os.cpu_count() or 1) // 2, 1)))
    kept = "dirty_decay_ms:500,muzzy_decay_ms:0" if TRAINING & {*command} else "dirty_decay_ms:10000,muzzy_decay_ms:-1"
    os.environ.setdefault("_RJEM_MALLOC_CONF", kept)
    gc.set_threshold(GARBAGE_OBJECTS)
    atexit.register(gc.freeze)
