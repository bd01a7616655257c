"""``bindoctor rules`` and ``bindoctor rule``: what there is, and one rule's page."""

import sys

import click
from rich.table import Table
from rich.text import Text

from bindoctor.cli.options import console
from bindoctor.errors import InputError
from bindoctor.explain import page
from bindoctor.registry import discover
from bindoctor.render.text import STYLES, printable


@click.command("rules")
def show_rules() -> int:
    """List every rule: code, slug, severity and what it says."""
    registry = discover()
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    for rule in registry.rules:
        table.add_row(
            Text(rule.code, style="bold"),
            Text(rule.severity, style=STYLES[rule.severity]),
            rule.slug,
            rule.summary + (" (only when selected by name)" if rule.opt_in else ""),
        )
    out = console(sys.stdout)
    out.print(table)
    for pack in registry.broken:
        click.echo(f"bindoctor: rule pack {printable(pack.name)}: {printable(pack.why)}", err=True)
    return 2 if registry.broken else 0


@click.command("rule")
@click.argument("name", metavar="CODE")
def show_rule(name: str) -> int:
    """Show a rule's page, with its examples executed."""
    rule = discover().find(name)
    try:
        text = page(rule)
    except Exception as error:
        raise InputError(f"the examples of {rule.code} cannot be executed: {error}.") from error
    out = console(sys.stdout)
    if out.is_terminal:
        # A tenth of a second to import, for one command.
        from rich.markdown import Markdown

        out.print(Markdown(text))
    else:
        click.echo(text)
    return 0
