"""Logs that are cut off, damaged or hostile are read as far as they are whole, or refused in one line."""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_files import (
    FALLING,
    RISING,
    TURNING,
    event,
    event_curves,
    events,
    field,
    keras_csv,
    lightning_csv,
    lines,
    mlflow_database,
    record,
    skorch_history,
    trainer_state,
    wandb_run,
)

from bindoctor import Epoch, History, InputError
from bindoctor.logs import read_history
from bindoctor.logs.salvage import CutList, CutObject, loads
from bindoctor.logs.tensorboard import BATCH

PAIRS = [{"loss": loss, "val_loss": valid} for loss, valid in zip(FALLING, TURNING, strict=True)]


def database() -> bytes:
    with TemporaryDirectory() as folder:
        return mlflow_database(Path(folder, "mlflow.db"), {"run": {"loss": FALLING, "val_loss": TURNING}}).read_bytes()


KINDS: dict[str, Callable[[], bytes]] = {
    "keras": lambda: keras_csv().encode(),
    "lightning": lambda: lightning_csv().encode(),
    "trainer": lambda: json.dumps(trainer_state(), indent=2).encode(),
    "skorch": lambda: json.dumps(skorch_history()).encode(),
    "lists": lambda: json.dumps({"loss": FALLING, "val": {"loss": TURNING, "acc": RISING}}).encode(),
    "json lines": lambda: lines(*map(json.dumps, PAIRS)).encode(),
    "own": lambda: History((Epoch(1, 0.6, 0.65), Epoch(2, 0.5, 0.6)), first_loss=0.9).to_csv().encode(),
    "events": lambda: events(event_curves(loss=FALLING, val_loss=TURNING), tensor="content"),
    "mlflow": lambda: lines(*(f"{1_700_000_000_000 + i} {v} {i}" for i, v in enumerate(FALLING))).encode(),
    "database": database,
    "wandb": lambda: wandb_run([{"epoch": i, "loss": v} for i, v in enumerate(FALLING)]),
}


@cache
def content_of(kind: str) -> bytes:
    return KINDS[kind]()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_log_cut_off_anywhere_is_read_or_refused(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "val_loss"
    content = content_of(kind)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    try:
        history = read_history(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        known = {*FALLING, *TURNING, *RISING}
        if kind in ("skorch", "lists"):
            assert {e.valid_loss for e in history.epochs if e.valid_loss is not None} <= known


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_log_with_bytes_changed_is_read_or_refused(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "val_loss"
    content = bytearray(content_of(kind))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        read_history(path)
    except InputError as error:
        assert str(error)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode())))
def test_any_content_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_history(path)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["nan", "1/3", "5%", "tensor(1)", "1,5"]),
)
NAMES = st.sampled_from(["epoch", "step", "loss", "val_loss", "val_acc", "phase", "fold", "lr", "metric", "value", ""])
LISTS = st.dictionaries(NAMES, st.lists(CELLS, max_size=8), max_size=5)
RECORDS = st.dictionaries(NAMES, st.one_of(CELLS, st.dictionaries(NAMES, CELLS, max_size=2)), max_size=5)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.one_of(st.lists(RECORDS, max_size=8), st.dictionaries(NAMES, st.lists(CELLS, max_size=8), max_size=5))
)
def test_any_records_are_read_or_refused(tmp_path: Path, document: object) -> None:
    for text in (json.dumps(document), lines(*map(json.dumps, document if isinstance(document, list) else [document]))):
        path = tmp_path / "log"
        path.write_text(text)
        try:
            history = read_history(path)
        except InputError as error:
            assert str(error)
        else:
            assert [e.epoch for e in history.epochs] == sorted({e.epoch for e in history.epochs})


@settings(max_examples=200)
@given(
    document=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.floats(0, 1), st.text(max_size=4)),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
        max_leaves=12,
    ).map(lambda value: [value]),
    share=st.floats(0, 1),
)
def test_json_cut_off_holds_only_what_was_in_it(document: list[object], share: float) -> None:
    text = json.dumps(document)
    cut = text[: int(share * len(text))]
    if not cut:
        return

    def is_beginning(found: object, whole: object) -> bool:
        if isinstance(found, CutList):
            assert isinstance(whole, list)
            return all(is_beginning(a, b) for a, b in zip(found, whole[: len(found)], strict=True))
        if isinstance(found, CutObject):
            assert isinstance(whole, dict)
            return all(is_beginning(value, whole[key]) for key, value in found.items())
        return found == whole

    assert is_beginning(loads(cut), document)


@pytest.mark.parametrize(
    ("end", "last", "says"),
    [
        ("5,0.7,0.3", 4, "the last record (6) is cut off"),
        ("5,0.7,0.3,0.", 4, "the last record (6) is cut off"),
        ("5,0.7,0.3,0.6\r\n", 5, ""),
    ],
    ids=["fields missing", "no end of line", "whole"],
)
def test_a_table_cut_off_in_its_last_record_is_read_up_to_there(tmp_path: Path, end: str, last: int, says: str) -> None:
    path = tmp_path / "training.log"
    path.write_bytes((keras_csv() + end).encode())
    history = read_history(path)
    assert history.epochs[-1].epoch == last
    assert any(says in remark for remark in history.remarks) or not says


def test_a_table_written_by_hand_needs_no_end_of_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("loss,val_loss\n0.7,0.6\n0.5,0.4")
    assert read_history(path).curve("valid_loss").tolist() == [0.6, 0.4]
    path.write_text("loss,val_loss\n0.7,0.6\n0.5,4e-")
    assert read_history(path).curve("valid_loss").tolist() == [0.6]


def test_a_trainer_state_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    text = json.dumps(trainer_state())
    path = tmp_path / "trainer_state.json"
    path.write_text(text[: text.rindex('"eval_accuracy"')])
    history = read_history(path)
    assert [epoch.valid_loss for epoch in history.epochs] == pytest.approx([0.6, 0.55, None])
    assert "the last record (15) is cut off and left out" in history.remarks


def test_an_event_file_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(events(event_curves(loss=FALLING))[:-3])
    history = read_history(path)
    assert history.curve("train_loss").tolist() == pytest.approx(FALLING[:-1])
    assert history.remarks == ("events.out.tfevents.1: the last record (6) is cut off and left out",)


def test_a_weights_and_biases_run_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "run.wandb"
    path.write_bytes(wandb_run([{"epoch": i, "loss": v} for i, v in enumerate(FALLING)])[:-3])
    history = read_history(path)
    assert history.curve("train_loss").tolist() == FALLING[:-1]
    assert "cut off" in history.remarks[0]


def test_images_and_graphs_in_an_event_file_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    graph = record(field(4, bytes(2**17)))
    path.write_bytes(events([("loss", 0, 0.7)]) + graph + events([("loss", 1, 0.5)]))
    assert read_history(path).curve("train_loss").tolist() == pytest.approx([0.7, 0.5])


def test_event_files_of_many_records_are_checked_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    content = record(event("loss", 1, 0.5))
    path.write_bytes(events([("loss", 0, 0.7)]) + content * (BATCH + 5) + content[:-1] + b"\0" + content)
    history = read_history(path)
    assert len(history.series[0].values) == BATCH + 7
    assert f"record {BATCH + 8} damaged" in history.remarks[0]


def test_a_table_of_thousands_of_runs_is_read_to_the_last(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        lines("run,epoch,loss", *(f"{run},{epoch},{run + epoch}" for run in range(5000) for epoch in (0, 1)))
    )
    history = read_history(path)
    assert history.runs == 5000
    assert history.curve("train_loss").tolist() == [4999, 5000]
    assert [s.run for s in history.series] == list(range(4900, 5000))


def test_numbers_too_large_for_a_float_are_infinite(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(f'[{{"loss": {10**400}}}, {{"loss": 1}}]')
    assert read_history(path).epochs[0].train_loss == math.inf


def test_names_of_a_foreign_log_do_not_reach_the_terminal_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,a\x1b[2Jb\n1,2\n")
    with pytest.raises(InputError, match="no loss column"):
        read_history(path)
