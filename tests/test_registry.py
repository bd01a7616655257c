"""Rule packs are found by entry point, and one that is broken hides no other."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bindoctor import registry
from bindoctor.errors import InputError
from bindoctor.registry import Registry, discover

RULE = '''
from bindoctor import Severity, example, rule

@rule("{code}", severity=Severity.NOTE, flags=[example("a")], passes=[example("b")])
def {name}(recipe):
    """Say nothing."""
    yield from ()
'''


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path in which modules become packs: those named in ``packs.txt`` as ``PREFIX module``."""
    monkeypatch.syspath_prepend(tmp_path)

    def entry_points(group: str) -> list[EntryPoint]:
        lines = (tmp_path / "packs.txt").read_text().splitlines()
        return [EntryPoint(prefix, package, group) for prefix, package in map(str.split, lines)]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    discover.cache_clear()
    yield tmp_path
    discover.cache_clear()
    for name, module in list(sys.modules.items()):
        if tmp_path in Path(getattr(module, "__file__", None) or "/").parents:
            del sys.modules[name]


def write(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def codes(found: Registry) -> list[str]:
    return [rule.code for rule in found.rules]


def test_a_broken_pack_does_not_hide_the_others(packs: Path) -> None:
    write(packs, sound_pack=RULE.format(code="OK101", name="fine"), torn_pack="raise RuntimeError('no such device')")
    (packs / "packs.txt").write_text("OK sound_pack\nTORN torn_pack\nGONE missing_pack\n")
    found = discover()
    assert codes(found) == ["OK101"]
    assert {broken.name: broken.why for broken in found.broken} == {
        "torn_pack": "RuntimeError: no such device",
        "missing_pack": "ModuleNotFoundError: No module named 'missing_pack'",
    }


def test_a_rule_with_a_foreign_prefix_is_refused(packs: Path) -> None:
    write(
        packs,
        bold_pack=RULE.format(code="BD999", name="taken") + RULE.format(code="BOLD1", name="x").replace("1", "001"),
    )
    (packs / "packs.txt").write_text("BOLD bold_pack\n")
    found = discover()
    assert codes(found) == ["BOLD001"]
    assert [broken.why for broken in found.broken] == ["BD999 does not start with the pack's prefix BOLD"]


def test_a_code_used_twice_keeps_the_first_rule(packs: Path) -> None:
    write(packs, twin_pack=RULE.format(code="TW101", name="first") + RULE.format(code="TW101", name="second"))
    (packs / "packs.txt").write_text("TW twin_pack\n")
    found = discover()
    assert [rule.slug for rule in found.rules] == ["first"]
    assert [broken.why for broken in found.broken] == ["TW101 is taken by twin_pack"]


def test_rules_in_the_modules_of_a_package_are_found(packs: Path) -> None:
    (packs / "deep_pack").mkdir()
    (packs / "deep_pack" / "__init__.py").write_text("")
    (packs / "deep_pack" / "one.py").write_text(RULE.format(code="DP101", name="one"))
    (packs / "deep_pack" / "two.py").write_text(RULE.format(code="DP102", name="two"))
    (packs / "packs.txt").write_text("DP deep_pack\n")
    assert codes(discover()) == ["DP101", "DP102"]


def test_a_rule_is_found_by_code_and_by_slug_in_any_case() -> None:
    rule = discover().rules[0]
    assert discover().find(rule.code.lower()) is rule
    assert discover().find(rule.slug.upper()) is rule


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(InputError, match="no rule is called 'BD000'"):
        discover().find("BD000")


def test_a_prefix_selects_a_family() -> None:
    selected = discover().select(["BD3"], option="--select")
    assert selected
    assert all(rule.code.startswith("BD3") for rule in selected)


def test_all_selects_every_rule_once() -> None:
    everything = tuple(rule for rule in discover().rules if not rule.opt_in)
    assert discover().select(["ALL", "BD3"], option="--select") == everything


@pytest.mark.parametrize("name", ["BD904", "bd904", "evidence-skipped"])
def test_an_opt_in_rule_is_selected_by_its_own_code_or_slug_only(name: str) -> None:
    assert [rule.code for rule in discover().select([name], option="--select")] == ["BD904"]
    assert "BD904" not in {rule.code for rule in discover().select(["BD", "BD9", "BD90"], option="--select")}


def chosen(selected: list[str], ignored: list[str]) -> list[str]:
    wanted, unwanted = ([(name, "--select") for name in names] for names in (selected, ignored))
    return [rule.code for rule in discover().choose(wanted, unwanted)]


def test_the_more_specific_name_counts() -> None:
    assert chosen(["BD110"], ["BD1"]) == ["BD110"]
    assert chosen(["identifier-column"], ["BD11"]) == ["BD110"]
    assert "BD110" not in chosen(["BD1"], ["BD110"])
    assert "BD110" not in chosen(["ALL"], ["identifier-column"])
    assert "BD110" in chosen(["ALL", "BD110"], ["BD11"])


def test_of_equally_specific_names_the_ignoring_one_counts() -> None:
    for name in ("ALL", "BD", "BD1", "BD110"):
        assert chosen([name], [name]) == []
    assert chosen(["BD110"], ["identifier-column"]) == []


def test_an_unknown_name_comes_with_its_option_and_the_nearest_ones() -> None:
    with pytest.raises(InputError, match=r"--select: 'clas-imbalance' matches no rule \(nearest: class-imbalance"):
        chosen(["clas-imbalance"], [])


def test_a_selection_keeps_the_order_of_codes() -> None:
    chosen = discover().select(["BD310", "BD301"], option="--select")
    assert [rule.code for rule in chosen] == ["BD301", "BD310"]


def test_a_selection_by_slug_takes_one_rule() -> None:
    assert [rule.code for rule in discover().select(["plain-sgd"], option="--select")] == ["BD310"]


@pytest.mark.parametrize("name", ["BD0", "plain", "", "BD.*", "sgd-plain"])
def test_a_name_that_matches_nothing_is_refused_with_the_option(name: str) -> None:
    with pytest.raises(InputError, match="--ignore"):
        discover().select([name], option="--ignore")


def test_a_module_that_cannot_be_imported_hides_no_other_of_its_pack(packs: Path) -> None:
    (packs / "half_pack").mkdir()
    (packs / "half_pack" / "__init__.py").write_text("")
    (packs / "half_pack" / "one.py").write_text(RULE.format(code="HP101", name="whole"))
    (packs / "half_pack" / "two.py").write_text("import no_such_module")
    (packs / "half_pack" / "three.py").write_text("raise SystemExit(0)")
    (packs / "packs.txt").write_text("HP half_pack\n")
    found = discover()
    assert codes(found) == ["HP101"]
    assert {broken.name for broken in found.broken} == {"half_pack.two", "half_pack.three"}


def test_a_name_that_is_taken_is_refused(packs: Path) -> None:
    write(packs, a_pack=RULE.format(code="AA101", name="same"), b_pack=RULE.format(code="BB101", name="same"))
    (packs / "packs.txt").write_text("AA a_pack\nBB b_pack\n")
    found = discover()
    assert codes(found) == ["AA101"]
    assert [broken.why for broken in found.broken] == ["BB101's name same is taken by AA101"]
