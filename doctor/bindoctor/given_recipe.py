"""The recipe that a caller in Python gives, in whatever form."""

import tomllib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from bindoctor.errors import InputError
from bindoctor.recipe import Recipe

Given = Recipe | Mapping[str, Any] | str | PathLike[str] | None


def recipe_of(given: Given) -> tuple[Recipe, bool]:
    """Return a recipe, and whether its loss was named rather than left at the default.

    Args:
        given: a recipe; settings by dotted path that differ from ``Recipe()``, such as {"features.scale": "standard"};
            the path of a ``bindoctor.toml``, or of a ``pyproject.toml`` with ``[tool.bindoctor]``, of which only
            ``[recipe]`` counts; or None for ``Recipe()``.

    Raises:
        InputError: an unknown setting or a value that does not fit it, a file that cannot be read or is no TOML, or
            something that is no recipe.
    """
    if given is None:
        return Recipe(), False
    if isinstance(given, Recipe):
        return given, given.loss.kind != Recipe().loss.kind
    if isinstance(given, Mapping):
        edits = {str(path): value for path, value in given.items()}
        return Recipe().edited(edits), any(path.replace("_", "-") == "loss.kind" for path in edits)
    if isinstance(given, str | PathLike):
        tables = _recipe_tables(Path(given))
        return Recipe.from_dict(tables, source=str(given)), "kind" in tables.get("loss", {})
    raise InputError(
        f"recipe: {type(given).__name__} is no recipe; give a Recipe, edits such as "
        '{"features.scale": "standard"}, or the path of a bindoctor.toml.'
    )


def _recipe_tables(path: Path) -> dict[str, Any]:
    try:
        values: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a bindoctor.toml.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as settings ({error}).") from None
    for key in ("tool", "bindoctor", "recipe") if path.name == "pyproject.toml" else ("recipe",):
        values = values.get(key, {})
        if not isinstance(values, dict):
            raise InputError(f"{path}: '{key}' must be a table.")
    return dict(values)
