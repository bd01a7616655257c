"""In a folder the newest log is found by what lies in it, and the choice is said."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from log_files import (
    FALLING,
    TURNING,
    event_curves,
    events,
    keras_csv,
    lightning_csv,
    lines,
    mlflow_database,
    mlflow_run,
    trainer_state,
    wandb_run,
)

from bindoctor import Epoch, History, InputError
from bindoctor.logs import read_history, read_log


def put(path: Path, content: str | bytes, changed: int = 1_700_000_000) -> Path:
    """Write a file as it was changed at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (changed, changed))
    return path


def train(history: History) -> list[float]:
    return [float(value) for value in history.curve("train_loss")]


def test_the_highest_version_of_lightning_is_read(tmp_path: Path) -> None:
    for version, changed in ((9, 3), (10, 1), (2, 2)):
        put(tmp_path / "lightning_logs" / f"version_{version}" / "metrics.csv", lightning_csv(), changed)
    history, files = read_log(tmp_path)
    assert files == (tmp_path / "lightning_logs" / "version_10" / "metrics.csv",)
    assert history.remarks[0] == (
        f"read {Path('lightning_logs/version_10/metrics.csv')}, the newest of 3 logs of Lightning"
    )


def test_a_version_of_lightning_is_a_folder_too(tmp_path: Path) -> None:
    put(tmp_path / "metrics.csv", lightning_csv())
    put(tmp_path / "hparams.yaml", "lr: 0.1\n")
    history = read_history(tmp_path)
    assert len(history.epochs) == 2
    assert not any("newest" in remark for remark in history.remarks)


def test_the_state_of_the_last_checkpoint_is_read(tmp_path: Path) -> None:
    for step in (100, 200, 1000):
        state = trainer_state(global_step=step)
        put(tmp_path / f"checkpoint-{step}" / "trainer_state.json", json.dumps(state), 10_000 - step)
    assert read_log(tmp_path)[1] == (tmp_path / "checkpoint-1000" / "trainer_state.json",)


def test_the_state_of_the_whole_training_is_read_before_those_of_its_checkpoints(tmp_path: Path) -> None:
    put(tmp_path / "checkpoint-300" / "trainer_state.json", json.dumps(trainer_state()), 2)
    whole = put(tmp_path / "trainer_state.json", json.dumps(trainer_state()), 1)
    assert read_log(tmp_path)[1] == (whole,)


def test_the_events_that_keras_writes_to_two_folders_are_one_run(tmp_path: Path) -> None:
    for part, loss in (("train", FALLING), ("validation", TURNING)):
        content = events(event_curves(epoch_loss=loss), tensor="content")
        put(tmp_path / "logs" / part / f"events.out.tfevents.1700000000.host.{part}.v2", content)
    for folder in (tmp_path, tmp_path / "logs"):
        history = read_history(folder)
        assert train(history) == pytest.approx(FALLING)
        assert history.curve("valid_loss").tolist() == pytest.approx(TURNING)
        assert [epoch.epoch for epoch in history.epochs] == [0, 1, 2, 3, 4]
    alone = read_history(tmp_path / "logs" / "validation")
    assert alone.curve("valid_loss").tolist() == pytest.approx(TURNING)


def test_the_events_that_pytorch_writes_a_folder_a_curve_are_one_run(tmp_path: Path) -> None:
    put(tmp_path / "Loss_train" / "events.out.tfevents.1.host", events(event_curves(Loss=FALLING)))
    put(tmp_path / "Loss_val" / "events.out.tfevents.1.host", events(event_curves(Loss=TURNING)))
    history = read_history(tmp_path)
    assert train(history) == pytest.approx(FALLING)
    assert history.curve("valid_loss").tolist() == pytest.approx(TURNING)


def test_several_event_files_of_a_folder_are_read_in_their_order(tmp_path: Path) -> None:
    later = [("loss", step, value) for step, value in enumerate(TURNING, start=3)]
    put(tmp_path / "events.out.tfevents.1700000002.a", events(later))
    put(tmp_path / "events.out.tfevents.1700000001.b", events(event_curves(loss=FALLING)))
    history = read_history(tmp_path)
    assert history.runs == 1
    assert train(history) == pytest.approx([*FALLING[:3], *TURNING])
    assert any("taken up again at step 3" in remark for remark in history.remarks)


def test_the_newest_of_several_tensorboard_runs_is_read(tmp_path: Path) -> None:
    put(tmp_path / "runs" / "b" / "events.out.tfevents.1700000001.host", events(event_curves(loss=FALLING)), 9)
    put(tmp_path / "runs" / "aa" / "events.out.tfevents.1700000002.host", events(event_curves(loss=TURNING)), 3)
    history = read_history(tmp_path)
    assert train(history) == pytest.approx(TURNING)
    assert "the newest of 2 logs of TensorBoard" in history.remarks[0]


def test_the_newest_run_of_mlflow_is_read_and_deleted_ones_are_not(tmp_path: Path) -> None:
    mlflow_run(tmp_path / "mlruns" / "1" / "zz", {"loss": FALLING}, start=1_700_000_000_000)
    mlflow_run(tmp_path / "mlruns" / "1" / "aa", {"loss": TURNING}, start=1_700_000_009_000)
    deleted = mlflow_run(tmp_path / "mlruns" / "1" / "bb", {"loss": [9.0]}, start=1_700_000_010_000)
    (deleted / "meta.yaml").write_text("lifecycle_stage: deleted\nstart_time: 1700000010000\n")
    assert train(read_history(tmp_path)) == TURNING


def test_a_database_in_a_folder_is_found_by_its_content(tmp_path: Path) -> None:
    mlflow_database(tmp_path / "mlflow.db", {"run": {"loss": FALLING}})
    put(tmp_path / "notes.db", "loss\n1\n")
    assert train(read_history(tmp_path)) == FALLING


def test_the_curve_of_a_weights_and_biases_run_is_read_before_its_summary(tmp_path: Path) -> None:
    run = tmp_path / "wandb" / "run-20240101_000000-abc"
    put(run / "run-abc.wandb", wandb_run([{"epoch": i, "loss": value} for i, value in enumerate(FALLING)]))
    put(run / "files" / "wandb-summary.json", json.dumps({"_step": 4, "_runtime": 1, "loss": 9.0}))
    assert train(read_history(tmp_path)) == FALLING
    (run / "run-abc.wandb").unlink()
    assert train(read_history(tmp_path)) == [9.0]


def test_the_newest_of_several_weights_and_biases_runs_is_read(tmp_path: Path) -> None:
    for name, loss, changed in (("20240301_101500-zz", TURNING, 1), ("20240229_235959-aa", FALLING, 9)):
        rows = [{"epoch": i, "loss": value} for i, value in enumerate(loss)]
        put(tmp_path / "wandb" / f"run-{name}" / f"run-{name[-2:]}.wandb", wandb_run(rows), changed)
    assert train(read_history(tmp_path)) == TURNING


def test_the_last_training_of_ultralytics_is_read(tmp_path: Path) -> None:
    for name, loss in (("train", 0.1), ("train2", 0.2), ("train10", 0.3)):
        put(tmp_path / "runs" / "classify" / name / "results.csv", f"epoch,train/loss,lr/pg0\n1,{loss},0.1\n")
    assert train(read_history(tmp_path)) == [0.3]


def test_what_bindoctor_trained_is_found_in_its_folder(tmp_path: Path) -> None:
    put(tmp_path / "history.csv", History((Epoch(1, 0.6, 0.5), Epoch(2, 0.5, 0.4))).to_csv())
    put(tmp_path / "metrics.json", '{"log-loss": 0.4}')
    put(tmp_path / "predictions.csv", "row,probability\n1,0.5\n")
    history = read_history(tmp_path)
    assert train(history) == [0.6, 0.5]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("training.log", keras_csv()),
        ("out.txt", lines('{"loss": 0.69}', '{"loss": 0.52}', '{"loss": 0.41}', '{"loss": 0.36}', '{"loss": 0.33}')),
        ("a.json", json.dumps({"loss": FALLING})),
    ],
)
def test_a_table_with_losses_is_found_among_other_files(tmp_path: Path, name: str, content: str) -> None:
    put(tmp_path / "data.csv", "x,y\n1,no\n")
    put(tmp_path / "hyperparameters.json", '{"units": 64}')
    put(tmp_path / "train.py", "loss = 1\n")
    put(tmp_path / name, content)
    history = read_history(tmp_path)
    assert train(history) == FALLING
    assert history.remarks[0] == f"read {name}"


def test_a_log_that_cannot_be_read_is_passed_over_and_named(tmp_path: Path) -> None:
    put(tmp_path / "metrics.csv", "a,b\n1,2\n")
    put(tmp_path / "results.csv", "epoch,train/loss,lr/pg0\n1,0.7,0.1\n2,0.5,0.1\n")
    history = read_history(tmp_path)
    assert train(history) == [0.7, 0.5]
    assert history.remarks[0] == "read results.csv"
    assert "passed over" in history.remarks[1]


@pytest.mark.parametrize("fill", [lambda folder: None, lambda folder: put(folder / "model.pt", b"\0\1\2")])
def test_a_folder_without_a_log_is_refused(tmp_path: Path, fill: Callable[[Path], object]) -> None:
    fill(tmp_path)
    with pytest.raises(InputError, match="holds no training log"):
        read_history(tmp_path)


def test_a_folder_of_tables_without_losses_names_the_likeliest(tmp_path: Path) -> None:
    put(tmp_path / "data.csv", "x,y\n1,no\n")
    with pytest.raises(InputError, match=r"no file in this folder is a training log.*data\.csv: no loss column"):
        read_history(tmp_path)


def test_links_between_folders_do_not_lead_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "run" / "log.csv", keras_csv())
    (tmp_path / "run" / "again").symlink_to(tmp_path)
    assert train(read_history(tmp_path)) == FALLING
