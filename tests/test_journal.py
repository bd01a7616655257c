"""Undo puts back every byte, or says why it will not."""

from pathlib import Path

import pytest

from bindoctor import InputError
from bindoctor.journal import read_text, record, undo

BEFORE = '# mine\r\n[recipe.features]\nscale = "none"   # keep\n\n\n'


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    config = tmp_path / "bindoctor.toml"
    after = '[recipe.features]\nscale = "standard"\n'
    record(tmp_path / "bindoctor-out", "fix", config, BEFORE, after)
    config.write_bytes(after.encode())
    return config


def test_undo_restores_the_file_byte_for_byte(applied: Path) -> None:
    undo(applied, applied.parent / "bindoctor-out")
    assert applied.read_bytes() == BEFORE.encode()


def test_undo_refuses_when_the_file_was_edited_since(applied: Path) -> None:
    applied.write_text("# my own edit\n")
    with pytest.raises(InputError, match="was edited after the fix"):
        undo(applied, applied.parent / "bindoctor-out")
    assert applied.read_text() == "# my own edit\n"


def test_a_second_undo_has_nothing_left_to_do(applied: Path) -> None:
    undo(applied, applied.parent / "bindoctor-out")
    with pytest.raises(InputError, match="nothing to undo"):
        undo(applied, applied.parent / "bindoctor-out")


def test_two_fixes_are_undone_one_after_the_other(applied: Path) -> None:
    out = applied.parent / "bindoctor-out"
    first = read_text(applied)
    record(out, "fix", applied, first, "second = 2\n")
    applied.write_text("second = 2\n")
    undo(applied, out)
    assert read_text(applied) == first
    undo(applied, out)
    assert applied.read_bytes() == BEFORE.encode()


def test_undo_removes_a_file_that_the_fix_created(tmp_path: Path) -> None:
    config = tmp_path / "bindoctor.toml"
    record(tmp_path / "bindoctor-out", "fix", config, None, "x = 1\n")
    config.write_text("x = 1\n")
    undo(config, tmp_path / "bindoctor-out")
    assert not config.exists()


def test_a_damaged_journal_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"at": "now"\n')
    with pytest.raises(InputError, match=r"journal\.jsonl:1"):
        undo(tmp_path / "bindoctor.toml", tmp_path)


def test_line_separators_in_the_settings_do_not_break_the_journal(tmp_path: Path) -> None:
    config, out = tmp_path / "bindoctor.toml", tmp_path / "bindoctor-out"
    before = "# one\u2028two\u0085three\n"
    record(out, "fix", config, before, "x = 1\n")
    config.write_text("x = 1\n")
    undo(config, out)
    assert read_text(config) == before
