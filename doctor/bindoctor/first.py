"""The first settings file for a data set: the naive recipe, and what was guessed said in comments."""

import textwrap
from collections.abc import Iterable

import tomlkit
from tomlkit.items import Table

from bindoctor.profile import Profile
from bindoctor.workspace import Workspace

SHOWN = (
    ("split", ("kind", "valid", "stratify")),
    ("features", ("impute", "scale", "encode")),
    ("resample", ("method",)),
    ("model", ("kind", "hidden", "activation", "dropout")),
    ("loss", ("kind", "class-weight")),
    ("optimizer", ("kind", "learning-rate", "weight-decay")),
    ("train", ("epochs", "batch-size", "patience", "seed")),
    ("decide", ("threshold", "calibrate")),
)
"""Settings written although they are defaults: the ones people change first."""


def first_config(workspace: Workspace) -> str:
    """Return the text of a first ``bindoctor.toml``."""
    evidence = workspace.evidence()
    assert evidence.profile is not None and evidence.recipe is not None
    dataset, profile, values = workspace.dataset, evidence.profile, evidence.recipe.to_dict()
    document = tomlkit.document()
    document.add(
        tomlkit.comment("Read by 'bindoctor check', improved by 'bindoctor fix --apply', put back by 'bindoctor undo'.")
    )
    data = tomlkit.table()
    data["path"] = workspace.config.data.path
    data["target"] = dataset.target
    if dataset.guessed:
        data["target"].comment(f"guessed: {dataset.guessed}")
    if len(profile.classes) == 2:
        data["positive"] = profile.classes[1]
        if not dataset.positive:
            data["positive"].comment("guessed: the label that usually means yes, else the rarer one")
    if workspace.config.data.delimiter:
        data["delimiter"] = workspace.config.data.delimiter
    if workspace.config.data.header is False:
        data["header"] = False
    _describe_columns(data, profile)
    document["data"] = data
    recipe = tomlkit.table(is_super_table=True)
    for section, keys in SHOWN:
        table = tomlkit.table()
        for key in keys:
            table[key] = values[section][key]
        recipe[section] = table
    document["recipe"] = recipe
    return tomlkit.dumps(document)


def _describe_columns(data: Table, profile: Profile) -> None:
    guesses: tuple[tuple[str, Iterable[str]], ...] = (
        ("number columns", (c.name for c in profile.numbers)),
        ("text columns, read as categories", (c.name for c in profile.categories)),
        ("columns that look like row identifiers", (c.name for c in profile.columns.values() if c.identifier)),
        ("constant columns", (c.name for c in profile.columns.values() if c.constant)),
    )
    data.add(tomlkit.nl())
    for title, names in guesses:
        listed = ", ".join(names)
        for line in textwrap.wrap(f"{title}: {listed}", 100, subsequent_indent="    ") if listed else ():
            data.add(tomlkit.comment(line.encode("unicode_escape").decode() if not line.isprintable() else line))
