"""Every rule keeps its own promises, and the pack is laid out as one rule a file."""

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

import bindoctor_rules
from bindoctor.registry import discover
from bindoctor.rules import Rule
from bindoctor.testing import check_rule

RULES = discover().rules
OWN = [rule for rule in RULES if rule.code.startswith("BD")]
FILES = sorted(Path(bindoctor_rules.__file__).parent.glob("bd*.py"))


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_a_rule_keeps_its_promises(rule: Rule) -> None:
    check_rule(rule)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_file_holds_one_rule_and_is_named_after_it(file: Path) -> None:
    module = importlib.import_module(f"bindoctor_rules.{file.stem}")
    (only,) = [value for value in vars(module).values() if isinstance(value, Rule)]
    assert file.stem == f"{only.code.lower()}_{only.slug.replace('-', '_')}"


def test_every_pack_loads() -> None:
    assert discover().broken == ()


def test_every_rule_file_is_found() -> None:
    assert len(OWN) == len(FILES) > 0


def test_codes_and_slugs_are_used_once() -> None:
    for names in ([rule.code for rule in RULES], [rule.slug for rule in RULES]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("rule", OWN, ids=[rule.code for rule in OWN])
def test_an_option_is_a_threshold_by_name(rule: Rule) -> None:
    for option in rule.options:
        assert re.match(r"(min|max)_", option.name), option.name


@pytest.mark.parametrize("rule", OWN, ids=[rule.code for rule in OWN])
def test_a_page_cites_at_least_one_dated_source(rule: Rule) -> None:
    references = rule.documentation.partition("## References")[2]
    assert re.search(r"\((1[89]|20)\d\d\)|documentation|user guide", references)
