"""Writes settings as TOML into what a user has written, so that comments and order stay."""

from collections.abc import MutableMapping
from typing import Any

import msgspec
import tomlkit

from bindoctor.config import Config, DataSettings
from bindoctor.errors import InputError
from bindoctor.recipe import Recipe


def render_config(config: Config, text: str | None) -> str:
    """Return the settings file's text with ``config``'s data and recipe in it; comments and order of ``text`` stay.

    Args:
        config: what the file is to say.
        text: the file as it is, or None for a new one.

    Raises:
        InputError: the file is nested too deeply to be edited.
    """
    try:
        document = tomlkit.parse(text or "")
    except RecursionError:
        raise InputError(f"{config.path}: its values are nested too deeply to be edited.") from None
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


def recipe_toml(recipe: Recipe) -> str:
    """Write the settings that differ from ``Recipe()`` as ``[recipe.*]`` tables."""
    document = tomlkit.document()
    update_document(document, recipe)
    return tomlkit.dumps(document)


def update_document(document: MutableMapping[str, Any], recipe: Recipe) -> None:
    """Set ``[recipe.*]`` of a tomlkit document to ``recipe``, touching only what differs, so that comments stay."""
    written = Recipe.from_dict(_plain(document.get("recipe", {})))
    for change in written.changes(recipe):
        section, _, key = change.path.partition(".")
        tables = document.setdefault("recipe", tomlkit.table(is_super_table=True))
        table = tables.setdefault(section, tomlkit.table())
        table[key] = _inline(change.after)


def _inline(value: Any) -> Any:
    """Return a table, and tables in it, as inline tables."""
    if not isinstance(value, dict):
        return value
    inline = tomlkit.inline_table()
    inline.update({name: _inline(entry) for name, entry in value.items()})
    return inline


def _plain(value: Any) -> Any:
    return value.unwrap() if hasattr(value, "unwrap") else value
