"""The project's settings: ``bindoctor.toml``, or ``[tool.bindoctor]`` in ``pyproject.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import tomlkit

from bindoctor.errors import InputError
from bindoctor.examine import Ignore
from bindoctor.recipe import Recipe, update_document
from bindoctor.registry import Registry

FILE_NAME = "bindoctor.toml"
FailOn = Literal["error", "warning", "note", "never"]


class DataSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """``[data]``: the files, relative to the settings file, the target, and how to read them.

    What is "" or not set is found out; ``valid`` and ``test`` are parts of the data in files of their own.
    """

    path: str = ""
    target: str = ""
    positive: str = ""
    delimiter: str = ""
    header: bool | None = None
    encoding: str = ""
    null_tokens: tuple[str, ...] = ()
    skip_bad_rows: bool = False
    valid: str = ""
    test: str = ""


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """``[check]``: which rules speak, and what makes the command fail.

    ``ignore`` maps a code or slug to the reason, or ``"column:NAME"`` to such a table for one column.
    """

    select: tuple[str, ...] = ("ALL",)
    extend_select: tuple[str, ...] = ()
    fail_on: FailOn = "warning"
    ignore: dict[str, str | dict[str, str]] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data: DataSettings = DataSettings()
    recipe: dict[str, Any] = {}
    check: CheckSettings = CheckSettings()
    rules: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Config:
    """Settings as read; ``path`` is None without a settings file, ``sets_loss`` tells whether the loss is named."""

    path: Path | None = None
    data: DataSettings = field(default_factory=DataSettings)
    recipe: Recipe = field(default_factory=Recipe)
    check: CheckSettings = field(default_factory=CheckSettings)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sets_loss: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder that relative paths start from and that ``bindoctor-out`` lies in."""
        return self.path.parent if self.path else Path()

    @property
    def ignores(self) -> tuple[Ignore, ...]:
        """Return the accepted findings."""
        found: list[Ignore] = []
        for name, value in self.check.ignore.items():
            if isinstance(value, str):
                found.append(Ignore(name, value))
            else:
                column = name.removeprefix("column:")
                found += [Ignore(code, reason, column) for code, reason in value.items()]
        return tuple(found)


def find_config(folder: Path) -> Path | None:
    """Return ``bindoctor.toml`` in the folder, else a ``pyproject.toml`` there with ``[tool.bindoctor]``."""
    own = folder / FILE_NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "bindoctor" in _tools(project):
        return project
    return None


def load_config(path: Path | None) -> Config:
    """Read a settings file; without one, everything has its default.

    Raises:
        InputError: the file is no TOML (with the line), or holds an unknown key or a wrong type (with the key path).
    """
    if path is None:
        return Config()
    values = _parse(path)
    if path.name == "pyproject.toml":
        values = _tools(path)["bindoctor"]
    try:
        parsed = msgspec.convert(values, _File)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$.")
        where = place.rstrip("`")
        if "unknown field" in text:
            key = text.split("`")[1]
            raise InputError(f"{path}: unknown key '{where + '.' if where else ''}{key}'.") from None
        raise InputError(f"{path}: '{where}': {text[0].lower()}{text[1:].replace('`', '')}.") from None
    recipe = Recipe.from_dict(parsed.recipe, source=str(path))
    return Config(
        path, parsed.data, recipe, parsed.check, parsed.rules, sets_loss="kind" in parsed.recipe.get("loss", {})
    )


def check_rule_options(config: Config, registry: Registry) -> Mapping[str, Mapping[str, Any]]:
    """Return the rules' options by code, with underscores, held against each rule's signature.

    Raises:
        InputError: an unknown rule or option, or a value of another type than the default.
    """
    checked: dict[str, dict[str, Any]] = {}
    for name, options in config.rules.items():
        rule = registry.find(name)
        known = {option.name: option.default for option in rule.options}
        for key, value in options.items():
            option = key.replace("-", "_")
            if option not in known:
                choices = ", ".join(known) or "it has none"
                raise InputError(f"{config.path}: 'rules.{name}.{key}' is no option of {rule.code} ({choices}).")
            default = known[option]
            number = isinstance(default, int | float) and not isinstance(default, bool)
            fits = (
                isinstance(value, int | float) and not isinstance(value, bool)
                if number
                else isinstance(value, type(default))
            )
            if not fits:
                kind = "a number" if number else f"of type {type(default).__name__}"
                raise InputError(f"{config.path}: 'rules.{name}.{key}' must be {kind}, as its default {default!r} is.")
            checked.setdefault(rule.code, {})[option] = value
    return checked


def render_config(config: Config, text: str | None) -> str:
    """Return the settings file's text with ``config``'s data and recipe in it; comments and order of ``text`` stay.

    Args:
        config: what the file is to say.
        text: the file as it is, or None for a new one.
    """
    document = tomlkit.parse(text or "")
    holder = document
    if config.path is not None and config.path.name == "pyproject.toml":
        holder = document["tool"]["bindoctor"]
    data = holder.setdefault("data", tomlkit.table())
    defaults = msgspec.to_builtins(DataSettings())
    for key, value in msgspec.to_builtins(config.data).items():
        if value != data.get(key, defaults[key]):
            data[key] = list(value) if isinstance(value, tuple) else value
    update_document(holder, config.recipe)
    return tomlkit.dumps(document)


def _tools(project: Path) -> dict[str, Any]:
    tools = _parse(project).get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from None
    except RecursionError:
        raise InputError(f"{path}: its values are nested too deeply; no setting is nested over five deep.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None
