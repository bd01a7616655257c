"""Finds the installed rule packs and the rules in them."""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points

import msgspec

from bindoctor.errors import InputError
from bindoctor.rules import Rule

GROUP = "bindoctor.rules"


class BrokenPack(msgspec.Struct, frozen=True):
    """A pack, or a module of one, that could not be loaded, and why."""

    name: str
    why: str


class Registry(msgspec.Struct, frozen=True):
    """The rules of all installed packs by code, and what could not be loaded."""

    rules: tuple[Rule, ...]
    broken: tuple[BrokenPack, ...] = ()

    def find(self, name: str) -> Rule:
        """Return the rule with this code or slug.

        Raises:
            InputError: there is none; names the nearest.
        """
        for rule in self.rules:
            if name.upper() == rule.code or name.lower() == rule.slug:
                return rule
        raise InputError(f"no rule is called {name!r}{self._nearest(name)}; 'bindoctor rules' lists them.")

    def select(self, names: Iterable[str], *, option: str) -> tuple[Rule, ...]:
        """Return the rules that match any of the code prefixes or slugs; "ALL" matches every rule.

        Rules that are opt-in match their own code or slug only.

        Raises:
            InputError: a name that matches nothing.
        """
        found = [self._matching(name, option) for name in names]
        return tuple(rule for rule in self.rules if any(rule.code in codes for codes in found))

    def choose(self, selected: Iterable[tuple[str, str]], ignored: Iterable[tuple[str, str]]) -> tuple[Rule, ...]:
        """Return the rules that are selected and not ignored; of two names for a rule the more specific one counts.

        A code or slug is more specific than a prefix, a longer prefix more than a shorter one, "ALL" the least; of
        equally specific names the ignoring one counts.

        Args:
            selected: names to select, each with the option or setting that holds it.
            ignored: names to leave out, likewise.

        Raises:
            InputError: a name that matches nothing.
        """
        wanted = self._strengths(selected)
        unwanted = self._strengths(ignored)
        return tuple(rule for rule in self.rules if wanted.get(rule.code, 0) > unwanted.get(rule.code, 0))

    def _strengths(self, names: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Return, by rule code, how specific the most specific name for it is."""
        strengths: dict[str, int] = {}
        for name, option in names:
            for code in self._matching(name, option):
                letters = len(name) if code.startswith(name.upper()) else len(code)
                strength = 1 if name.upper() == "ALL" else 1 + letters
                strengths[code] = max(strengths.get(code, 0), strength)
        return strengths

    def _matching(self, name: str, option: str) -> set[str]:
        upper, lower = name.upper(), name.lower()
        prefix = bool(re.fullmatch(r"[A-Z]+\d*", upper))
        matching = {
            rule.code
            for rule in self.rules
            if rule.code == upper
            or rule.slug == lower
            or (not rule.opt_in and (upper == "ALL" or (prefix and rule.code.startswith(upper))))
        }
        if not matching:
            raise InputError(
                f"{option}: {name!r} matches no rule{self._nearest(name)}; give a code, its prefix or a slug "
                "('bindoctor rules' lists them)."
            )
        return matching

    def _nearest(self, name: str) -> str:
        names = [*(rule.code for rule in self.rules), *(rule.slug for rule in self.rules)]
        by_lower = {known.lower(): known for known in names}
        near = [by_lower[match] for match in get_close_matches(name.lower(), list(by_lower), n=3)]
        return f" (nearest: {', '.join(near)})" if near else ""


@cache
def discover() -> Registry:
    """Load every rule pack registered under the entry point ``bindoctor.rules``.

    The entry point's name is the prefix of all codes in the pack. A module of a pack that cannot be imported, and a
    rule with another prefix or with a code or slug that is taken, is reported in ``broken`` and hides no other.
    """
    rules: dict[str, Rule] = {}
    slugs: dict[str, Rule] = {}
    broken: list[BrokenPack] = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name != "BD", p.name)):
        found, unloadable = _rules_of(point.value)
        broken += unloadable
        for rule in found:
            if re.sub(r"\d+$", "", rule.code) != point.name:
                why = f"{rule.code} does not start with the pack's prefix {point.name}"
            elif rules.get(rule.code, rule) is not rule:
                why = f"{rule.code} is taken by {rules[rule.code].check.__module__}"
            elif slugs.get(rule.slug, rule) is not rule:
                why = f"{rule.code}'s name {rule.slug} is taken by {slugs[rule.slug].code}"
            else:
                rules[rule.code] = slugs[rule.slug] = rule
                continue
            broken.append(BrokenPack(point.value, why))
    return Registry(tuple(sorted(rules.values(), key=lambda rule: rule.code)), tuple(broken))


def _rules_of(package: str) -> tuple[list[Rule], list[BrokenPack]]:
    """Import a package and all modules in it; one that cannot be imported hides no other."""
    modules, broken, names = [], [], [package]
    while names:
        name = names.pop(0)
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            broken.append(BrokenPack(name, f"{type(error).__name__}: {error}"))
            continue
        modules.append(module)
        names += [info.name for info in pkgutil.iter_modules(getattr(module, "__path__", []), name + ".")]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Rule)], broken
