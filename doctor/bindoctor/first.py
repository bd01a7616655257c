"""The first settings file for a data set: the naive recipe, and what was guessed said in comments."""

import textwrap
from collections.abc import Iterable

import msgspec
import tomlkit
from tomlkit.items import Comment, Table

from bindoctor.column_profile import ColumnProfile
from bindoctor.config import DataSettings
from bindoctor.evidence import Evidence
from bindoctor.profile import Profile
from bindoctor.workspace import Workspace

POSITIVE_GUESS = "the label that usually means yes, else the rarer one"
TITLES = {
    "number": "numbers",
    "category": "categories",
    "text": "running texts",
    "date": "dates",
    "identifier": "columns that seem to name the row",
    "weight": "columns that seem to weigh the row",
    "constant": "columns with one value",
}
SHOWN = (
    ("data", ("drop", "missing-tokens", "deduplicate")),
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


def first_config(workspace: Workspace, evidence: Evidence) -> str:
    """Return the text of a first ``bindoctor.toml``, ``evidence`` being the workspace's."""
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
            data["positive"].comment(f"guessed: {POSITIVE_GUESS}")
    defaults = msgspec.to_builtins(DataSettings())
    for key, value in msgspec.to_builtins(workspace.config.data).items():
        if key not in data and value != defaults[key]:
            data[key] = list(value) if isinstance(value, tuple) else value
    _describe_columns(data, profile)
    document["data"] = data
    recipe = tomlkit.table(is_super_table=True)
    for section, keys in SHOWN:
        table = tomlkit.table()
        for key in keys:
            table[key] = values[section][key]
        recipe[section] = table
    document["recipe"] = recipe
    document["check"] = _check_table(profile.columns.values())
    return tomlkit.dumps(document)


def _describe_columns(data: Table, profile: Profile) -> None:
    data.add(tomlkit.nl())
    for role, title in TITLES.items():
        listed = ", ".join(column.name for column in profile.columns.values() if column.role == role)
        for line in textwrap.wrap(f"{title}: {listed}", 100, subsequent_indent="    ") if listed else ():
            data.add(_comment(line))


def _check_table(columns: Iterable[ColumnProfile]) -> Table:
    """Return ``[check]`` with its defaults, and how a finding is accepted."""
    check = tomlkit.table()
    check["select"] = ["ALL"]
    check["fail-on"] = "warning"
    check.add(tomlkit.nl())
    identifier = next((column.name for column in columns if column.role == "identifier"), "NAME")
    for line in (
        "Accept a finding by rule, or in one place, with the reason:",
        "[check.ignore]",
        'BD304 = "a first look"',
        f"[check.ignore.{tomlkit.string('column:' + identifier).as_string()}]",
        'BD110 = "needed for joins"',
    ):
        check.add(_comment(line))
    return check


def _comment(line: str) -> Comment:
    """Return a comment; TOML allows no control characters in it."""
    return tomlkit.comment(line if line.isprintable() else line.encode("unicode_escape").decode())
