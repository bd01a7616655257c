"""Checks that a rule keeps its own promises, for every rule pack's test suite."""

import copy
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from bindoctor.compare import compare_parts
from bindoctor.evidence import Evidence
from bindoctor.examine import examine
from bindoctor.findings import Aim, Finding, Fix
from bindoctor.profile import EVERYTHING, State
from bindoctor.readers import open_dataset, table_source
from bindoctor.recipe import Recipe
from bindoctor.rules import Example, Rule
from bindoctor.scan import scan
from bindoctor.settings_text import recipe_toml

SECTIONS = ("## Why it matters", "## When to ignore it", "## References")


def evidence_of(situation: Example, states: frozenset[State] = EVERYTHING) -> Evidence:
    """Turn an example into evidence: its tables, scanned as its recipe selects them, become dataset, profile, parts."""
    evidence = Evidence(
        recipe=situation.recipe,
        history=situation.history,
        predictions=situation.predictions,
        simple_models=situation.simple_models,
        model=situation.model,
        task=situation.task,
        audit=situation.audit,
    )
    if situation.table is None:
        return evidence
    dataset = open_dataset(table_source(situation.table), situation.table.target or None, situation.table.positive)
    dataset = replace(
        dataset,
        valid=None if situation.valid is None else table_source(situation.valid, name="the validation table"),
        test=None if situation.test is None else table_source(situation.test, name="the test table"),
    )
    recipe = situation.recipe or Recipe()
    profile = scan(dataset, recipe, states)
    return replace(evidence, dataset=dataset, profile=profile, parts=compare_parts(dataset, recipe, profile))


def findings_in(rule: Rule, situation: Example) -> tuple[Finding, ...]:
    """Return what the rule says about an example.

    Raises:
        AssertionError: the rule could not run, because it broke or the example lacks what it needs.
    """
    (outcome,) = examine([rule], evidence_of(situation, rule.scans), options={rule.code: situation.options or {}})
    assert outcome.status in ("findings", "passed"), (
        f"{rule.code}, {situation.title!r}: {outcome.status}: {outcome.why}"
    )
    return outcome.findings


def check_rule(rule: Rule) -> None:
    """Hold a rule to its examples and its documentation.

    Every flagging example is flagged, with the message it promises; every passing one is silent; the page has its
    sections; every fix applies to the example's recipe, survives TOML there and back, and is no longer offered once
    it is applied; the evidence is not changed.

    Raises:
        AssertionError: naming the rule, the example and what is wrong.
    """
    assert rule.flags, f"{rule.code} has no example that it flags"
    assert rule.passes, f"{rule.code} has no example that it passes"
    for section in SECTIONS:
        assert section in rule.documentation, f"{rule.code}: the docstring lacks the section {section!r}"
    for situation in rule.passes:
        found = findings_in(rule, situation)
        assert not found, f"{rule.code} should pass {situation.title!r}, but says: {found[0].message}"
    for situation in rule.flags:
        found = findings_in(rule, situation)
        assert found, f"{rule.code} should flag {situation.title!r}, but is silent"
        messages = [finding.message for finding in found]
        assert any(situation.says in m for m in messages), f"{rule.code}, {situation.title!r}: says {messages}"
        assert situation.says, f"{rule.code}, {situation.title!r}: the example does not say what it expects to read"
        _is_repeatable(rule, situation)
        for fix in _fixes(found):
            _fix_holds(rule, situation, fix)


def _is_repeatable(rule: Rule, situation: Example) -> None:
    evidence = evidence_of(situation, rule.scans)
    before = copy.deepcopy((evidence.profile, evidence.recipe, evidence.history, evidence.parts))
    first = examine([rule], evidence, options={rule.code: situation.options or {}})
    again = examine([rule], evidence, options={rule.code: situation.options or {}})
    assert first == again, f"{rule.code}, {situation.title!r}: says something else the second time"
    after = (evidence.profile, evidence.recipe, evidence.history, evidence.parts)
    assert before == after, f"{rule.code}, {situation.title!r}: changes its evidence"


def _fixes(found: tuple[Finding, ...]) -> Iterator[Fix]:
    for finding in found:
        yield from finding.fixes


def _fix_holds(rule: Rule, situation: Example, fix: Fix) -> None:
    place = f"{rule.code}, {situation.title!r}, fix {fix.title!r}"
    if fix.aim is Aim.ADVISE and not fix.edits:
        return
    assert fix.edits, f"{place}: has no edits"
    assert situation.recipe is not None, f"{place}: the example has no recipe to apply it to"
    fixed = situation.recipe.edited(fix.edits)
    assert fixed != situation.recipe, f"{place}: changes nothing"
    loaded = Recipe.from_dict(_reparsed(fixed))
    assert loaded == fixed, f"{place}: does not survive TOML"
    after = findings_in(rule, msgspec.structs.replace(situation, recipe=fixed))
    offered = [other.edits for other in _fixes(after)]
    assert fix.edits not in offered, f"{place}: still offered after it was applied"


def _reparsed(recipe: Recipe) -> dict[str, object]:
    return dict(tomllib.loads(recipe_toml(recipe)).get("recipe", {}))
