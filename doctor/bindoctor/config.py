"""The project's settings: ``bindoctor.toml``, or ``[tool.bindoctor]`` in ``pyproject.toml``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec

from bindoctor.audit import Ignore
from bindoctor.errors import InputError
from bindoctor.findings import KINDS, Where
from bindoctor.recipe import Recipe
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

    ``ignore`` maps a code or slug to the reason, or a place (``"column:NAME"``, ``"target"`` …) to such a table for the
    findings there. ``baseline`` is the path of a recorded baseline, relative to the settings file.
    """

    select: tuple[str, ...] = ("ALL",)
    extend_select: tuple[str, ...] = ()
    fail_on: FailOn = "warning"
    ignore: dict[str, str | dict[str, str]] = {}
    baseline: str = ""


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
        if where.startswith("check.ignore"):
            raise InputError(
                f"{path}: 'check.ignore' is a table of reasons: write BD101 = \"the reason\" below [check.ignore]."
            ) from None
        if "unknown field" in text:
            key = text.split("`")[1]
            raise InputError(f"{path}: unknown key '{where + '.' if where else ''}{key}'.") from None
        raise InputError(f"{path}: '{where}': {text[0].lower()}{text[1:].replace('`', '')}.") from None
    recipe = Recipe.from_dict(parsed.recipe, source=str(path))
    return Config(
        path, parsed.data, recipe, parsed.check, parsed.rules, sets_loss="kind" in parsed.recipe.get("loss", {})
    )


def accepted_findings(config: Config, registry: Registry) -> tuple[Ignore, ...]:
    """Return what ``[check.ignore]`` accepts, rules by code.

    Raises:
        InputError: an unknown rule, a place of unknown kind, or an empty reason.
    """
    found: list[Ignore] = []
    for name, value in config.check.ignore.items():
        place = None if isinstance(value, str) else name
        reasons = {name: value} if isinstance(value, str) else value
        where = None if place is None else _place(config, place)
        for rule, reason in reasons.items():
            key = f"check.ignore.{rule}" if place is None else f'check.ignore."{place}".{rule}'
            if not reason.strip():
                raise InputError(f"{config.path}: '{key}' is empty; say why the finding is accepted.")
            try:
                found.append(Ignore(registry.find(rule).code, reason, where))
            except InputError as error:
                raise InputError(f"{config.path}: '{key}': {error}") from None
    return tuple(found)


def _place(config: Config, text: str) -> Where:
    name, _, rest = text.partition(":")
    kind = next((kind for kind in KINDS if kind == name), None)
    if kind is None:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean '{near[0]}{text[len(name) :]}'?" if near else f"places are {', '.join(KINDS)}"
        raise InputError(f"{config.path}: 'check.ignore.\"{text}\"': {name!r} is no kind of place; {hint}.")
    return Where(kind, rest)


def check_rule_options(config: Config, registry: Registry) -> Mapping[str, Mapping[str, Any]]:
    """Return the rules' options by code, with underscores, held against each rule's signature.

    Raises:
        InputError: an unknown rule or option, a value of another type than the default, no finite number, a share
            outside 0 to 1, or a negative count.
    """
    checked: dict[str, dict[str, Any]] = {}
    for name, options in config.rules.items():
        try:
            rule = registry.find(name)
        except InputError as error:
            raise InputError(f"{config.path}: 'rules.{name}': {error}") from None
        known = {option.name: option.default for option in rule.options}
        for key, value in options.items():
            option = key.replace("-", "_")
            if option not in known:
                choices = ", ".join(known) or "it has none"
                raise InputError(f"{config.path}: 'rules.{name}.{key}' is no option of {rule.code} ({choices}).")
            lacks = _misfit(option, value, known[option])
            if lacks:
                raise InputError(
                    f"{config.path}: 'rules.{name}.{key}' must be {lacks}, as its default {_shown(known[option])} is."
                )
            checked.setdefault(rule.code, {})[option] = tuple(value) if isinstance(value, list) else value
    return checked


def _misfit(option: str, value: Any, default: Any) -> str:
    """Say what a value lacks to stand in for an option's default, or ""."""
    if isinstance(default, tuple | list):
        if not isinstance(value, list) or any(_misfit(option, entry, one) for entry in value for one in default[:1]):
            return f"a list of {_kind(default[0])}s" if default else "a list"
        return ""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return "" if isinstance(value, type(default)) else _kind(default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "a number"
    if "share" in option.split("_") and not 0 <= value <= 1:
        return "a share from 0 to 1"
    if isinstance(default, int) and not isinstance(value, int):
        return "a whole number"
    if isinstance(default, int) and value < 0 <= default:
        return "zero or more"
    return ""


def _kind(default: Any) -> str:
    if isinstance(default, bool):
        return "true or false"
    return {str: "text", int: "whole number", float: "number"}.get(type(default), type(default).__name__)


def _shown(default: Any) -> str:
    return repr(list(default) if isinstance(default, tuple) else default)


def _tools(project: Path) -> dict[str, Any]:
    tools = _parse(project).get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _parse(path: Path) -> dict[str, Any]:
    # Imported here, as a file of data is often checked without settings, and compiling its patterns takes 2 ms.
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from None
    except RecursionError:
        raise InputError(f"{path}: its values are nested too deeply; settings are nested five deep at most.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None
