"""The recipe: everything about a training that is not data, as one frozen value, with TOML both ways."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bindoctor.errors import InputError
from bindoctor.recipe_sections import (
    MIN_ROWS_IN_LEAF,
    Data,
    Decide,
    Features,
    Loss,
    Model,
    Optimizer,
    Resample,
    Section,
    Split,
    Train,
)


class Change(msgspec.Struct, frozen=True):
    """One setting that differs between two recipes; ``None`` where a table entry is absent."""

    path: str
    before: Any
    after: Any


class Recipe(Section, frozen=True):
    """The whole recipe. ``Recipe()`` is the naive setup most people start from."""

    data: Data = Data()
    split: Split = Split()
    features: Features = Features()
    resample: Resample = Resample()
    model: Model = Model()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()
    decide: Decide = Decide()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "recipe") -> "Recipe":
        """Check and convert plain values, as TOML gives them.

        Raises:
            InputError: an unknown key or a value of the wrong type or range, with its key path.
        """
        try:
            return msgspec.convert(_with_own_model(values), cls)
        except msgspec.ValidationError as error:
            raise InputError(f"{source}: {_explain(error)}") from None

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain nested values with the keys of the TOML form."""
        built: dict[str, dict[str, Any]] = msgspec.to_builtins(self)
        return built

    def edited(self, edits: Mapping[str, Any]) -> "Recipe":
        """Return a recipe with dotted settings replaced.

        ``features.scale`` sets a value, ``data.casts.home.dest`` one entry of a table (what follows the second dot
        is the entry's name, dots included), ``data.drop+`` extends a list with what is not in it yet. An entry that is
        itself a table, as in ``features.dates``, is given as a dictionary. Dashes and underscores are the same.

        Raises:
            InputError: a path that does not exist or a value that does not fit it.
        """
        values = self.to_dict()
        if {"model.factory", "model.estimator"} & edits.keys() and "model.kind" not in edits:
            for name in ("kind", "hidden", "activation"):
                del values["model"][name]
        for path, given in edits.items():
            value = msgspec.to_builtins(given)
            section, _, rest = path.partition(".")
            name, _, entry = rest.partition(".")
            key = name.rstrip("+").replace("_", "-")
            if section not in KEYS or key not in KEYS[section]:
                raise InputError(f"recipe: there is no setting {path!r}.")
            table = values[section]
            if entry:
                table[key] = {**table[key], entry: value}
            elif name.endswith("+"):
                table[key] = list(dict.fromkeys([*table[key], *value]))
            else:
                table[key] = value
        return Recipe.from_dict(values)

    def setting(self, path: str) -> Any:
        """Return the value of a dotted setting, as ``edited`` takes it."""
        section, _, name = path.partition(".")
        return self.to_dict()[section][name]

    @property
    def rare_below(self) -> int:
        """Return the training rows below which category levels share a column: ``features.rare``.

        For trees it is no fewer than a leaf holds, because a tree cannot split off what is rarer.
        """
        return max(self.features.rare, MIN_ROWS_IN_LEAF if self.model.kind == "gradient-boosting" else 0)

    def changes(self, other: "Recipe") -> tuple[Change, ...]:
        """List the settings in which ``other`` differs from this recipe, in the recipe's order."""
        return tuple(
            Change(path, before, after)
            for (path, before), (_, after) in zip(_flat(self), _flat(other), strict=True)
            if before != after
        )

    def digest(self) -> str:
        """Return a SHA-256 of the settings, in hex."""
        return hashlib.sha256(msgspec.json.encode(self.to_dict(), order="deterministic")).hexdigest()


KEYS = {section: frozenset(table) for section, table in Recipe().to_dict().items()}
"""The settings of each section."""


def toml_value(value: Any) -> str:
    """Return a setting's value as TOML writes it on one line; "null" for an entry that is not there."""
    if isinstance(value, dict):
        inside = ", ".join(f"{toml_value(key)} = {toml_value(entry)}" for key, entry in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(entry) for entry in value)}]"
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    # TOML escapes as JSON does, and one character more.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _with_own_model(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recipe's values with what naming a factory or an estimator implies."""
    model = values.get("model")
    if not isinstance(model, Mapping) or not (model.get("factory") or model.get("estimator")):
        return values
    implied: dict[str, Any] = {"kind": "factory" if model.get("factory") else "estimator"}
    if model.get("factory"):
        implied |= {"hidden": [], "activation": "own"}
    return {**values, "model": {**implied, **model}}


def _flat(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    for section, table in recipe.to_dict().items():
        for key, value in table.items():
            yield f"{section}.{key}", value


def _explain(error: msgspec.ValidationError) -> str:
    text, _, place = str(error).partition(" - at `$")
    path = "recipe" + place.rstrip("`")
    if "unknown field" in text:
        field = text.split("`")[1]
        return f"unknown key '{path}.{field}'."
    return f"'{path}': {text[0].lower()}{text[1:].replace('`', '')}."
