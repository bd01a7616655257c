"""A plain log of a training run is read whatever its columns are called."""

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


def test_a_history_that_bindoctor_wrote_comes_back_the_same(tmp_path: Path) -> None:
    history = History((Epoch(1, 0.6, 0.65, gradient_norm=1.5), Epoch(2, 0.5, 0.6)), first_loss=0.9)
    assert read_history(written(tmp_path / "history.csv", history.to_csv())) == history


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
        ("epoch,score\n1,2\n", "no loss column"),
        ("loss\n0.5\nhigh\n", "record 2, column 'loss': 'high' is not a number"),
        ("[{", "not valid JSON"),
        ("[1, 2]", "list of objects"),
        ('{"loss": 0.5}', "no loss column"),
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
