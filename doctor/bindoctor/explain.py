"""Writes the pages of rules from their docstrings and their examples, which are executed."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bindoctor.errors import InputError
from bindoctor.findings import Aim, Finding, Fix
from bindoctor.recipe import Recipe, toml_value
from bindoctor.registry import discover
from bindoctor.rules import Example, Rule
from bindoctor.testing import findings_in

CATALOGUE = "rules/README.md"
START, END = "<!-- rules:start -->", "<!-- rules:end -->"
FAMILIES = {
    "1": "Data",
    "2": "Evaluation",
    "3": "Recipe",
    "4": "Run",
    "5": "Model",
    "6": "Predictions",
    "9": "bindoctor itself",
}
KEPT = {
    Aim.CORRECT: "makes the score honest, and is kept whatever it does to the score",
    Aim.IMPROVE: "is kept only when its trial shows a better model",
    Aim.ADVISE: "is shown and never applied",
}


def page(rule: Rule) -> str:
    """Return a rule's page in Markdown: its docstring, its options, and its examples with what they really say.

    Raises:
        AssertionError: an example of the rule cannot be executed.
    """
    return "\n".join([f"# {rule.code}: {rule.slug}", "", *_body(rule, 2)]) + "\n"


def catalogue(rules: Sequence[Rule]) -> str:
    """Return a Markdown document with the table of the rules and all of their pages, by family."""
    lines = [
        "# Rules",
        "",
        "This page is generated from the rules (`python -m bindoctor.explain`): every message and every change of a "
        "recipe below is what the rule said when the page was written.",
        "",
        *(f"- A fix marked **{aim.value}** {effect}." for aim, effect in KEPT.items()),
        "",
        table(rules),
    ]
    for digit, family in FAMILIES.items():
        members = [rule for rule in rules if _number(rule)[0] == digit]
        if members:
            lines += ["", f"## {family}"]
        for rule in members:
            lines += ["", f"### {rule.code}: {rule.slug}", "", *_body(rule, 4)]
    return "\n".join(lines) + "\n"


def table(rules: Iterable[Rule], document: str = "") -> str:
    """Return a Markdown table of rules: code, slug, severity and summary.

    Each code links to its page in the catalogue, which is ``document`` or, when that is empty, the same page.
    """
    rows = [
        f"| [{rule.code}]({document}#{rule.code.lower()}-{rule.slug}) | {rule.slug} | {rule.severity} "
        f"| {_cell(rule.summary)} |"
        for rule in rules
    ]
    return "\n".join(["| code | rule | severity | speaks when |", "|---|---|---|---|", *rows])


def with_table(readme: str, rules: Iterable[Rule]) -> str:
    """Return a README with the table of rules between its two markers brought up to date.

    Raises:
        InputError: a marker is missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InputError(f"the README lacks a marker of the table of rules; put {START} and {END} around its place.")
    return f"{before}{START}\n{table(rules, CATALOGUE)}\n{END}{after}"


def write_documents(root: Path, rules: Sequence[Rule]) -> None:
    """Write ``rules/README.md`` and the table in ``README.md`` under a project's root.

    Raises:
        InputError: one of them cannot be read or written, or the README lacks a marker.
    """
    readme = root / "README.md"
    try:
        (root / CATALOGUE).write_text(catalogue(rules), encoding="utf-8")
        readme.write_text(with_table(readme.read_text(encoding="utf-8"), rules), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}; run this in the root of the project.") from error


def _body(rule: Rule, level: int) -> list[str]:
    heading = "#" * level
    asked = " · runs only where its own code or name is selected" if rule.opt_in else ""
    lines = [f"*{rule.severity}* · needs {', '.join(rule.needs) or 'nothing'}{asked}", ""]
    lines += [heading + line[2:] if line.startswith("## ") else line for line in rule.documentation.splitlines()]
    if rule.options:
        lines += [
            "",
            f"{heading} Options",
            "",
            f"Set under `[rules.{rule.code}]`.",
            "",
            "| option | default |",
            "|---|---|",
        ]
        lines += [f"| `{option.name}` | `{toml_value(option.default)}` |" for option in rule.options]
    lines += ["", f"{heading} Examples"]
    shown: set[str] = set()
    for situation in rule.flags:
        lines += ["", *_flagged(rule, situation, shown)]
    lines += ["", "Passes:", "", *(f"- {situation.title}" for situation in rule.passes)]
    return lines


def _flagged(rule: Rule, situation: Example, shown: set[str]) -> list[str]:
    """Return an example with its findings and fixes; a change of the recipe is spelt out once a page."""
    lines = [f"Flags: {situation.title}"]
    for finding in findings_in(rule, situation):
        lines += ["", f"> {_headline(rule, finding)}", ""]
        for fix in finding.fixes:
            lines.append(f"- {fix.title} ({fix.aim.value})")
            change = _diff(fix, situation.recipe or Recipe())
            if change and change not in shown:
                lines += ["", change, ""]
                shown.add(change)
    return [line for line, after in zip(lines, [*lines[1:], ""], strict=True) if line or after]


def _headline(rule: Rule, finding: Finding) -> str:
    loudness = f" ({finding.severity})" if finding.severity is not rule.severity else ""
    return f"**{finding.where}**{loudness}: {finding.message}"


def _diff(fix: Fix, recipe: Recipe) -> str:
    lines = [
        f"  {sign}{change.path} = {toml_value(value)}"
        for change in recipe.changes(recipe.edited(fix.edits))
        for sign, value in (("-", change.before), ("+", change.after))
    ]
    return "\n".join(["  ```diff", *lines, "  ```"]) if lines else ""


def _number(rule: Rule) -> str:
    return rule.code[-3:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Bring the documents of the project in the current folder up to date."""
    try:
        write_documents(Path(), [rule for rule in discover().rules if rule.code.startswith("BD")])
    except InputError as error:
        sys.exit(f"bindoctor: {error}")


if __name__ == "__main__":
    main()
