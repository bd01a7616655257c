"""A run's curve as a value: its own file, its mean, and tables of any origin."""

import json
from pathlib import Path

import numpy as np
import pytest

from bindoctor import Epoch, History, InputError
from bindoctor.logs import read_history


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_csv_with_the_usual_names_is_read(tmp_path: Path) -> None:
    history = read_history(written(tmp_path / "log.csv", "epoch,loss,val_loss,lr\n1,0.7,0.6,0.001\n2,0.5,,0.001\n"))
    assert history.curve("train_loss").tolist() == [0.7, 0.5]
    assert history.epochs[1].valid_loss is None
    assert np.isnan(history.curve("valid_loss")[1])


@pytest.mark.parametrize(
    "log",
    [
        [{"epoch": 1, "train_loss": 0.7}, {"epoch": 2, "train_loss": 0.5}],
        {"epoch": [1, 2], "train_loss": [0.7, 0.5], "note": "mine"},
    ],
)
def test_json_may_be_a_list_of_objects_or_an_object_of_lists(tmp_path: Path, log: object) -> None:
    history = read_history(written(tmp_path / "log.json", json.dumps(log)))
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]
    assert history.curve("train_loss").tolist() == [0.7, 0.5]


HISTORY = History((Epoch(1, 0.6, 0.65, 0.7, 0.8, gradient_norm=1.5), Epoch(2, 0.5, 0.6)), first_loss=0.9)


def test_a_history_that_bindoctor_wrote_comes_back_the_same(tmp_path: Path) -> None:
    assert History.from_csv(HISTORY.to_csv()) == HISTORY
    assert read_history(written(tmp_path / "history.csv", HISTORY.to_csv())) == HISTORY


def test_numbers_that_are_none_come_back_as_well() -> None:
    back = History.from_csv(History((Epoch(1, float("inf"), float("nan")),)).to_csv())
    assert back.epochs[0].train_loss == float("inf")
    assert back.epochs[0].valid_loss is not None
    assert np.isnan(back.epochs[0].valid_loss)


def test_a_history_of_bindoctors_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    history = read_history(written(tmp_path / "history.csv", HISTORY.to_csv()[:-6]))
    assert history.epochs == HISTORY.epochs[:1]
    assert history.remarks == ("the last record (3) is cut off and left out",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch,loss\n1,2\n", "expected the columns"),
        (HISTORY.to_csv() + "3,high,,,,,\n", "record 4: could not convert"),
        (HISTORY.to_csv() + "3,1\n", "record 4 has 2 fields, not 7"),
    ],
)
def test_a_stored_history_that_is_damaged_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        History.from_csv(text)


def test_the_mean_of_runs_ends_where_the_first_of_them_ends() -> None:
    long = History((Epoch(1, 0.6), Epoch(2, 0.4), Epoch(3, 0.3)), first_loss=0.7, best_epoch=3)
    short = History((Epoch(1, 0.8), Epoch(2, 0.6)), first_loss=0.9, best_epoch=2)
    mean = History.mean([long, short])
    assert mean.curve("train_loss") == pytest.approx([0.7, 0.5])
    assert mean.first_loss == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("epoch,score\n1,2\n", "no loss column among epoch, score"),
        ("loss\n0.5\nhigh\n", "record 2, column 'loss': 'high' is not a number"),
        ("loss,lr\n0.5,1,2\n0.4,1\n", "record 1 has more fields than the header"),
        ("[{", "is cut off within its first record"),
        ("[{]", "not valid JSON"),
        ("[1, 2]", "list of objects"),
        ('{"seed": 0.5}', "no loss column"),
        ('{"loss": [0.5, "high"]}', "record 2, column 'loss': 'high' is not a number"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_history(written(tmp_path / "log", text))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        read_history(tmp_path / "nowhere.csv")
