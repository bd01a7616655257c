"""The generated documents are those that the rules would write now."""

from pathlib import Path

import pytest

from bindoctor.errors import InputError
from bindoctor.explain import END, START, catalogue, page, table, with_table, write_documents
from bindoctor.registry import discover
from bindoctor.rules import Rule

ROOT = Path(__file__).resolve().parent.parent
OWN = [rule for rule in discover().rules if rule.code.startswith("BD")]


def test_the_catalogue_is_up_to_date() -> None:
    written = (ROOT / "rules" / "README.md").read_text(encoding="utf-8")
    assert written == catalogue(OWN), "run: python -m bindoctor.explain"


def test_the_readme_lists_the_rules() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == with_table(readme, OWN), "run: python -m bindoctor.explain"


@pytest.mark.parametrize("rule", OWN, ids=[rule.code for rule in OWN])
def test_a_page_shows_what_the_rule_says_its_options_and_its_examples(rule: Rule) -> None:
    text = page(rule)
    assert text.startswith(f"# {rule.code}: {rule.slug}\n")
    assert rule.summary in text
    for option in rule.options:
        assert f"`{option.name}`" in text
    for situation in (*rule.flags, *rule.passes):
        assert situation.title in text
    for situation in rule.flags:
        assert situation.says in text


def test_a_page_shows_a_fix_as_a_change_of_the_recipe() -> None:
    text = page(discover().find("BD201"))
    assert "  ```diff\n  -split.stratify = false\n  +split.stratify = true\n  ```" in text


def test_the_table_has_a_line_a_rule_that_links_to_its_page() -> None:
    lines = table(OWN, "rules/README.md").splitlines()
    assert len(lines) == len(OWN) + 2
    assert lines[2].startswith(f"| [{OWN[0].code}](rules/README.md#{OWN[0].code.lower()}-{OWN[0].slug}) |")


def test_only_what_is_between_the_markers_is_replaced() -> None:
    readme = f"before\n{START}\nold\n{END}\nafter\n"
    assert with_table(readme, OWN) == f"before\n{START}\n{table(OWN, 'rules/README.md')}\n{END}\nafter\n"


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(InputError, match="lacks a marker"):
        with_table(f"{START} only", OWN)


def test_writing_brings_both_documents_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "README.md").write_text(f"{START}\n{END}\n")
    write_documents(tmp_path, OWN)
    assert (tmp_path / "rules" / "README.md").read_text(encoding="utf-8") == catalogue(OWN)
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme == with_table(readme, OWN)
    assert f"{OWN[0].code}" in readme


def test_writing_elsewhere_says_where_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="root of the project"):
        write_documents(tmp_path, OWN)
