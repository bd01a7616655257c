"""Finds the installed rule packs and the rules in them."""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from bindoctor.errors import InputError
from bindoctor.rules import Rule

GROUP = "bindoctor.rules"


@dataclass(frozen=True)
class BrokenPack:
    """A pack, or a module of one, that could not be loaded, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Registry:
    """The rules of all installed packs by code, and what could not be loaded."""

    rules: tuple[Rule, ...]
    broken: tuple[BrokenPack, ...] = ()

    def find(self, name: str) -> Rule:
        """Return the rule with this code or slug.

        Raises:
            InputError: there is none.
        """
        for rule in self.rules:
            if name.upper() == rule.code or name.lower() == rule.slug:
                return rule
        raise InputError(f"no rule is called {name!r}; 'bindoctor rules' lists them.")

    def select(self, names: Iterable[str], *, option: str) -> tuple[Rule, ...]:
        """Return the rules that match any of the code prefixes or slugs; "ALL" matches every rule.

        Raises:
            InputError: a name that matches nothing.
        """
        chosen: set[str] = set()
        for name in names:
            upper, lower = name.upper(), name.lower()
            matching = {
                rule.code
                for rule in self.rules
                if upper == "ALL"
                or lower == rule.slug
                or (re.fullmatch(r"[A-Z]+\d*", upper) and rule.code.startswith(upper))
            }
            if not matching:
                raise InputError(
                    f"{option}: {name!r} matches no rule; give a code, its prefix or a slug (bindoctor rules)."
                )
            chosen |= matching
        return tuple(rule for rule in self.rules if rule.code in chosen)


@cache
def discover() -> Registry:
    """Load every rule pack registered under the entry point ``bindoctor.rules``.

    The entry point's name is the prefix of all codes in the pack. A pack that cannot be imported, or that uses another
    prefix or a code twice, is reported in ``broken`` and does not hide the others.
    """
    rules: dict[str, Rule] = {}
    broken: list[BrokenPack] = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "BD", p.name)):
        try:
            found = _rules_of(point.value)
        except Exception as error:
            broken.append(BrokenPack(point.value, f"{type(error).__name__}: {error}"))
            continue
        for rule in found:
            if re.sub(r"\d+$", "", rule.code) != point.name:
                broken.append(
                    BrokenPack(point.value, f"{rule.code} does not start with the pack's prefix {point.name}")
                )
            elif rules.get(rule.code, rule) is not rule:
                broken.append(BrokenPack(point.value, f"{rule.code} is taken by {rules[rule.code].check.__module__}"))
            else:
                rules[rule.code] = rule
    return Registry(tuple(sorted(rules.values(), key=lambda rule: rule.code)), tuple(broken))


def _rules_of(package: str) -> list[Rule]:
    top = importlib.import_module(package)
    modules = [top]
    found = pkgutil.walk_packages(getattr(top, "__path__", []), package + ".")
    modules.extend(importlib.import_module(info.name) for info in found)
    return [value for module in modules for value in vars(module).values() if isinstance(value, Rule)]
