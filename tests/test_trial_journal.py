"""The journal of finished trials survives whatever cuts it off or damages it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindoctor.history import Epoch, History
from bindoctor.trial_journal import Record, TrialJournal

ANSWERS = np.random.default_rng(0).random((20, 2))
CURVE = History((Epoch(1, 0.5, float("nan"), learning_rate=0.1), Epoch(2, 0.25)), first_loss=0.7, best_epoch=2)
RECORDS = {
    "first": Record("", ANSWERS.tobytes(), 2, CURVE, ("answers 0.1 for every row",)),
    "second": Record("the loss became nan after epoch 3", history=History(())),
    "third": Record("", (ANSWERS / 2).tobytes(), 2, CURVE),
}


def filled(path: Path) -> TrialJournal:
    journal = TrialJournal(path, "context")
    for key, record in RECORDS.items():
        journal.keep(key, record)
    return journal


def same(one: Record | None, other: Record) -> bool:
    return one is not None and repr(one) == repr(other)


def test_what_was_kept_is_recalled_to_the_last_bit(tmp_path: Path) -> None:
    for journal in (filled(tmp_path / "j"), TrialJournal(tmp_path / "j", "context")):
        assert all(same(journal.recall(key), record) for key, record in RECORDS.items())
        assert journal.recall("fourth") is None
        found = journal.recall("first")
        assert found is not None
        assert np.array_equal(np.frombuffer(found.probability).reshape(-1, 2), ANSWERS)


def test_nothing_is_made_before_the_first_record(tmp_path: Path) -> None:
    TrialJournal(tmp_path / "out" / "j", "context")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_about_something_else_is_started_anew(tmp_path: Path) -> None:
    filled(tmp_path / "j")
    other = TrialJournal(tmp_path / "j", "other data")
    assert other.recall("first") is None
    other.keep("first", RECORDS["third"])
    assert TrialJournal(tmp_path / "j", "context").recall("second") is None
    assert same(TrialJournal(tmp_path / "j", "other data").recall("first"), RECORDS["third"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(where=st.floats(0, 1))
def test_a_journal_cut_off_anywhere_keeps_its_whole_records_and_takes_new_ones(tmp_path: Path, where: float) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    filled(path)
    text = path.read_bytes()
    path.write_bytes(text[: round(where * len(text))])
    journal = TrialJournal(path, "context")
    recalled = [key for key in RECORDS if journal.recall(key) is not None]
    assert recalled == list(RECORDS)[: len(recalled)]
    journal.keep("new", RECORDS["first"])
    again = TrialJournal(path, "context")
    assert same(again.recall("new"), RECORDS["first"])
    assert all(same(again.recall(key), RECORDS[key]) for key in recalled)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_no_damaged_record_is_ever_believed(tmp_path: Path, where: float, byte: int) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    filled(path)
    text = bytearray(path.read_bytes())
    text[int(where * len(text))] = byte
    path.write_bytes(text)
    journal = TrialJournal(path, "context")
    for key, record in RECORDS.items():
        found = journal.recall(key)
        assert found is None or same(found, record)


def test_a_folder_that_cannot_be_written_keeps_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    journal = TrialJournal(tmp_path / "file" / "j", "context")
    journal.keep("first", RECORDS["first"])
    assert journal.recall("first") is None


def test_two_runs_may_keep_their_records_side_by_side(tmp_path: Path) -> None:
    one, other = TrialJournal(tmp_path / "j", "context"), TrialJournal(tmp_path / "j", "context")
    one.keep("first", RECORDS["first"])
    other = TrialJournal(tmp_path / "j", "context")
    other.keep("second", RECORDS["second"])
    one.keep("third", RECORDS["third"])
    assert same(one.recall("third"), RECORDS["third"])
    assert all(same(TrialJournal(tmp_path / "j", "context").recall(key), record) for key, record in RECORDS.items())


def test_a_journal_that_another_run_has_started_anew_is_not_misread(tmp_path: Path) -> None:
    one = filled(tmp_path / "j")
    other = TrialJournal(tmp_path / "j", "newdata")
    for key, record in zip(RECORDS, reversed(RECORDS.values()), strict=True):
        other.keep(key, record)
    assert all(one.recall(key) is None for key in RECORDS)


@pytest.mark.parametrize("key", ["first", "second"])
def test_a_later_record_of_a_key_counts(tmp_path: Path, key: str) -> None:
    filled(tmp_path / "j").keep(key, RECORDS["third"])
    assert same(TrialJournal(tmp_path / "j", "context").recall(key), RECORDS["third"])
