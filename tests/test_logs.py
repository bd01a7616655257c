"""Training logs are read whatever wrote them, into epochs and into the points as they were logged."""

import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from log_files import (
    FALLING,
    RISING,
    TURNING,
    event_curves,
    events,
    keras_csv,
    lightning_csv,
    lines,
    mlflow_database,
    mlflow_run,
    skorch_history,
    trainer_state,
    wandb_run,
)

from bindoctor import History, InputError, Series
from bindoctor.logs import METRICS, read_history

Write = Callable[[str | bytes | object], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a log under a name that says nothing: text, bytes, or an object as JSON."""

    def to_file(content: str | bytes | object) -> Path:
        path = tmp_path / "log"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), newline="")
        return path

    return to_file


def series(history: History, part: str, metric: str, run: int = 0) -> Series:
    return next(s for s in history.series if (s.part, s.metric, s.run) == (part, metric, run))


def curve(history: History, name: str) -> list[float]:
    return [float(value) for value in history.curve(name)]


def numbers(history: History) -> list[int]:
    return [epoch.epoch for epoch in history.epochs]


def test_keras_csv_keeps_its_epochs_from_0(write: Write) -> None:
    history = read_history(write(keras_csv()))
    assert (history.source, history.runs, numbers(history)) == ("Keras CSVLogger", 1, [0, 1, 2, 3, 4])
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING
    assert curve(history, "train_score") == RISING
    assert history.first_loss is None
    assert history.entropy_scale is None


def test_lightning_rows_of_steps_and_of_validation_become_epochs(write: Write) -> None:
    history = read_history(write(lightning_csv()))
    assert history.source == "Lightning CSVLogger"
    assert numbers(history) == [0, 1]
    assert curve(history, "train_loss") == pytest.approx([0.6, 0.3])
    assert curve(history, "valid_loss") == [0.55, 0.45]
    assert series(history, "train", "loss").steps == (4, 9, 14, 19)
    assert series(history, "test", "loss").values == (0.5,)
    assert any("no epoch" in remark or "not an epoch" in remark for remark in history.remarks)


def test_lightning_that_validates_within_an_epoch_takes_the_last_validation(write: Write) -> None:
    log = lines(
        "epoch,step,train_loss,val_loss", "0,4,0.7,", "0,4,,0.66", "0,9,0.5,", "0,9,,0.6", "1,19,0.4,", "1,19,,0.5"
    )
    assert curve(read_history(write(log)), "valid_loss") == [0.6, 0.5]


def test_lightning_learning_rates_without_an_epoch_are_put_where_their_steps_are(write: Write) -> None:
    log = lines("epoch,lr-Adam,step,train_loss", ",0.1,4,", "0,,9,0.7", ",0.05,14,", "1,,19,0.5")
    assert curve(read_history(write(log)), "learning_rate") == [0.1, 0.05]


def test_a_validation_before_training_is_the_loss_at_the_start(write: Write) -> None:
    log = lines("epoch,step,train_loss,val_loss", "0,0,,0.9", "0,9,0.7,", "0,9,,0.6", "1,19,0.5,", "1,19,,0.5")
    history = read_history(write(log))
    assert history.first_loss == 0.9
    assert curve(history, "valid_loss") == [0.6, 0.5]


def test_losses_logged_both_ways_are_told_apart(write: Write) -> None:
    log = lines(
        "epoch,step,train_loss_step,train_loss_epoch", "0,4,0.9,", "0,9,0.7,", "0,9,,0.8", "1,19,0.5,", "1,19,,0.6"
    )
    history = read_history(write(log))
    assert curve(history, "train_loss") == [0.8, 0.6]
    assert series(history, "train", "batch-loss").values == (0.9, 0.7, 0.5)


def test_hugging_face_grids_are_put_into_epochs(write: Write) -> None:
    history = read_history(write(trainer_state()))
    assert history.source == "Hugging Face Trainer"
    assert numbers(history) == [1, 2, 3]
    assert curve(history, "train_loss") == pytest.approx([np.mean([0.675, 0.65, 0.625, 0.6]), 0.5375, 0.4375])
    assert curve(history, "valid_loss") == pytest.approx([0.6, 0.55, 0.5])
    assert curve(history, "valid_score") == pytest.approx([0.7, 0.8, 0.9])
    assert len(series(history, "train", "loss").values) == 12
    assert series(history, "valid", "loss").epochs == (1.0, 2.0, 3.0)
    assert history.best_epoch == 2


def test_the_mean_loss_at_the_end_of_a_training_is_no_point(write: Write) -> None:
    history = read_history(write(trainer_state()))
    assert 0.55 not in series(history, "train", "loss").values


def test_hugging_face_without_evaluations_has_whole_epochs(write: Write) -> None:
    points = [{"epoch": step / 40, "loss": 1 / step, "step": step} for step in range(10, 101, 10)]
    history = read_history(write({"log_history": points}))
    assert numbers(history) == [1, 2, 3]
    assert curve(history, "train_loss")[0] == pytest.approx(np.mean([1 / 10, 1 / 20, 1 / 30, 1 / 40]))
    assert np.isnan(history.curve("valid_loss")).all()


def test_evaluations_within_epochs_each_end_one(write: Write) -> None:
    points: list[dict[str, float]] = []
    for step in range(10, 101, 10):
        points.append({"epoch": step / 100, "loss": 0.7 - step / 1000, "step": step})
        if step % 20 == 0:
            points.append({"epoch": step / 100, "eval_loss": 0.7 - step / 2000, "step": step})
    history = read_history(write({"log_history": points}))
    assert numbers(history) == [1, 2, 3, 4, 5]
    assert "validated 5 times" in history.remarks[0]


def test_an_evaluation_before_the_first_step_is_the_loss_at_the_start(write: Write) -> None:
    state = trainer_state()
    state["log_history"].insert(0, {"epoch": 0, "eval_loss": 0.71, "step": 0})
    history = read_history(write(state))
    assert history.first_loss == 0.71
    assert numbers(history) == [1, 2, 3]


@pytest.mark.parametrize(
    ("proof", "value"), [({"grad_norm": math.nan}, math.nan), ({"grad_norm": 0.5}, 0.0)], ids=["proven", "not proven"]
)
def test_a_zero_that_hides_nan_is_read_as_nan_where_that_is_proven(
    write: Write, proof: dict[str, float], value: float
) -> None:
    points: list[dict[str, float]] = [{"epoch": 0.5, "loss": 0.6, "step": 5}]
    points += [{"epoch": i / 2, "loss": 0.0, "step": 5 * i, **proof} for i in (2, 3, 4)]
    history = read_history(write({"log_history": points}))
    assert series(history, "train", "loss").values == pytest.approx((0.6, value, value, value), nan_ok=True)
    assert "logging_nan_inf_filter" in history.remarks[0]


@pytest.mark.parametrize(
    ("name", "config", "scale"),
    [
        ("config.json", {"architectures": ["GPT2LMHeadModel"]}, None),
        ("config.json", {"architectures": ["FalconForCausalLM"]}, False),
        ("config.json", {"architectures": ["BertForSequenceClassification"]}, True),
        ("config.json", {"architectures": ["BertForSequenceClassification"], "problem_type": "regression"}, False),
        ("adapter_config.json", {"task_type": "CAUSAL_LM"}, False),
        ("adapter_config.json", {"task_type": "SEQ_CLS"}, True),
        ("adapter_config.json", {"task_type": None}, None),
        ("config.json", [1], None),
    ],
)
def test_the_models_configuration_tells_whether_its_loss_is_a_classifiers(
    write: Write, tmp_path: Path, name: str, config: object, scale: bool | None
) -> None:
    (tmp_path / name).write_text(json.dumps(config))
    assert read_history(write(trainer_state())).entropy_scale is scale


def test_skorch_has_epochs_and_batches(write: Write) -> None:
    history = read_history(write(skorch_history()))
    assert history.source == "skorch"
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_score") == RISING
    assert len(series(history, "train", "batch-loss").values) == 10
    assert history.best_epoch == 3


def test_a_training_that_skorch_did_not_finish_lacks_its_last_epoch(write: Write) -> None:
    history = read_history(write([*skorch_history(), {"batches": [{"train_loss": 0.3}, {}], "epoch": 6}]))
    assert numbers(history) == [1, 2, 3, 4, 5]
    assert "the last record (6)" in history.remarks[0]


@pytest.mark.parametrize("tensor", ["", "content", "list"])
def test_tensorboard_scalars_are_read_plain_and_as_tensors(write: Write, tensor: str) -> None:
    history = read_history(write(events(event_curves(Loss__train=FALLING, Loss__val=TURNING), tensor=tensor)))
    assert history.source == "TensorBoard"
    assert numbers(history) == [0, 1, 2, 3, 4]
    assert curve(history, "train_loss") == pytest.approx(FALLING)
    assert curve(history, "valid_loss") == pytest.approx(TURNING)


def test_tensorboard_points_of_steps_end_an_epoch_with_each_validation(write: Write) -> None:
    scalars: list[tuple[str, int, float]] = []
    for step in range(10, 201, 10):
        scalars.append(("train/loss", step, 0.7 - step / 1000))
        if step % 100 == 0:
            scalars.append(("eval/loss", step, 0.7 - step / 2000))
    history = read_history(write(events(scalars)))
    assert numbers(history) == [1, 2]
    assert curve(history, "train_loss") == pytest.approx([0.645, 0.545])
    assert len(series(history, "train", "loss").steps) == 20


def test_tensorboard_epochs_that_are_logged_say_which_step_is_in_which(write: Write) -> None:
    scalars: list[tuple[str, int, float]] = []
    for step in range(10, 121, 10):
        scalars += [("train/loss", step, 1 / step), ("train/epoch", step, step / 40)]
    history = read_history(write(events(scalars)))
    assert numbers(history) == [1, 2, 3]
    assert series(history, "train", "loss").epochs == pytest.approx([step / 40 for step in range(10, 121, 10)])


def test_an_event_file_that_starts_again_holds_two_runs(write: Write) -> None:
    first, second = event_curves(loss=FALLING), event_curves(loss=TURNING)
    history = read_history(write(events([*first, *second])))
    assert history.runs == 2
    assert curve(history, "train_loss") == pytest.approx(TURNING)
    assert series(history, "train", "loss", run=0).values == pytest.approx(FALLING)


def test_a_damaged_event_is_left_out_and_named(write: Write) -> None:
    content = bytearray(events(event_curves(loss=FALLING)))
    content[-6] ^= 1
    history = read_history(write(bytes(content)))
    assert len(history.epochs) == 4
    assert "record 6 damaged" in history.remarks[0]


def test_what_follows_a_damaged_length_is_left_out(write: Write) -> None:
    content = bytearray(events(event_curves(loss=FALLING)))
    at = len(content) - 2 * len(events(event_curves(loss=FALLING))[len(events([])) :]) // 5
    content[at] ^= 1
    history = read_history(write(bytes(content)))
    assert len(history.epochs) == 3
    assert "record 5 is damaged; it and what follows are left out" in history.remarks[0]


CURVES = {"train_loss": FALLING, "val_loss": TURNING, "val_acc": RISING}


def test_a_run_of_mlflows_files_is_read(tmp_path: Path) -> None:
    run = mlflow_run(tmp_path / "mlruns" / "0" / "abc", {"train/loss": FALLING, "val/loss": TURNING, "val_acc": RISING})
    for path in (run, run / "metrics", tmp_path / "mlruns"):
        history = read_history(path)
        assert history.source == "MLflow"
        assert curve(history, "valid_loss") == TURNING
        assert curve(history, "valid_score") == RISING


def test_scores_of_no_part_are_no_epochs(tmp_path: Path) -> None:
    history = read_history(mlflow_run(tmp_path / "run", {"Accuracy": [0.84], "F1": [0.7]}))
    assert series(history, "", "accuracy").values == (0.84,)
    assert all(epoch.train_loss is None and epoch.valid_loss is None for epoch in history.epochs)


def test_a_single_file_of_mlflows_is_named_as_its_metric(tmp_path: Path) -> None:
    path = tmp_path / "val_loss"
    path.write_text(lines(*(f"{1_700_000_000_000 + i} {value} {i}" for i, value in enumerate(TURNING))))
    assert curve(read_history(path), "valid_loss") == TURNING


def test_mlflow_points_without_steps_are_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "loss"
    path.write_text(lines(*(f"{1_700_000_000_000 + i} {FALLING[i]} 0" for i in (1, 0, 2, 3, 4))))
    assert curve(read_history(path), "train_loss") == FALLING


def test_the_newest_run_of_an_mlflow_database_is_read(tmp_path: Path) -> None:
    path = mlflow_database(tmp_path / "mlflow.db", {"old": {"loss": [1.0, 2.0]}, "new": CURVES})
    before = path.read_bytes()
    history = read_history(path)
    assert curve(history, "train_loss") == FALLING
    assert history.remarks[0] == "read run name-new (new), the newest of 2"
    assert path.read_bytes() == before


def test_nan_in_an_mlflow_database_is_one(tmp_path: Path) -> None:
    history = read_history(mlflow_database(tmp_path / "mlflow.db", {"run": {"loss": [0.7, math.nan]}}))
    assert curve(history, "train_loss") == pytest.approx([0.7, math.nan], nan_ok=True)


@pytest.mark.parametrize("length", [5, 1200])
def test_a_run_of_weights_and_biases_is_read_beyond_its_blocks(write: Write, length: int) -> None:
    rows = [{"_step": i, "epoch": i, "train/loss": 1 / (i + 1), "val": {"loss": 2 / (i + 1)}} for i in range(length)]
    history = read_history(write(wandb_run(rows)))
    assert history.source == "Weights & Biases"
    assert len(history.epochs) == length
    assert curve(history, "valid_loss") == pytest.approx([2 / (i + 1) for i in range(length)])


def test_a_summary_of_weights_and_biases_is_one_point(write: Write) -> None:
    history = read_history(write({"_step": 99, "_runtime": 3.5, "train/loss": 0.3, "val": {"loss": 0.4}}))
    assert history.source == "Weights & Biases summary"
    assert [epoch.valid_loss for epoch in history.epochs] == [0.4]


def test_fastai_scores_are_of_the_validation_rows(write: Write) -> None:
    log = lines("epoch,train_loss,valid_loss,accuracy,time", "0,0.7,0.6,0.8,00:03", "1,0.5,0.55,0.85,00:03")
    history = read_history(write(log))
    assert history.source == "fastai CSVLogger"
    assert curve(history, "valid_score") == [0.8, 0.85]
    assert np.isnan(history.curve("train_score")).all()


def test_ultralytics_names_are_read_with_their_blanks(write: Write) -> None:
    log = lines(
        "                  epoch,             train/loss,  metrics/accuracy_top1,               val/loss,     lr/pg0",
        "                      1,                   0.57,                  0.826,                   0.42,     0.0033",
        "                      2,                   0.59,                  0.813,                   0.63,     0.0066",
    )
    history = read_history(write(log))
    assert history.source == "Ultralytics"
    assert curve(history, "valid_score") == [0.826, 0.813]
    assert curve(history, "learning_rate") == [0.0033, 0.0066]


@pytest.mark.parametrize(
    "sets", [("train", "valid"), ("training", "valid_0"), ("learn", "validation"), ("validation_0", "validation_1")]
)
@pytest.mark.parametrize("metric", ["logloss", "binary_logloss", "Logloss", "mlogloss"])
def test_evaluation_results_of_boosting_libraries_are_read(write: Write, sets: tuple[str, str], metric: str) -> None:
    history = read_history(write({sets[0]: {metric: FALLING}, sets[1]: {metric: TURNING}}))
    assert history.source == "XGBoost or LightGBM evaluation"
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING
    assert history.entropy_scale is True


def test_numbered_evaluation_sets_are_taken_by_their_order_and_that_is_said(write: Write) -> None:
    history = read_history(write({"validation_0": {"logloss": FALLING}, "validation_1": {"logloss": TURNING}}))
    assert "'validation_0' is taken for the training rows" in history.remarks[0]


def test_error_rates_become_accuracies(write: Write) -> None:
    history = read_history(write({"train": {"error": [0.5, 0.25]}, "valid": {"error": [0.5, 0.375]}}))
    assert (history.score, curve(history, "valid_score")) == ("accuracy", [0.5, 0.625])
    assert series(history, "valid", "error").values == (0.5, 0.375)


def test_a_single_evaluation_set_is_of_validation_rows(write: Write) -> None:
    history = read_history(write({"validation_0": {"logloss": TURNING, "auc": RISING}}))
    assert curve(history, "valid_loss") == TURNING
    assert (history.score, curve(history, "valid_score")) == ("roc-auc", RISING)
    assert np.isnan(history.curve("train_loss")).all()


@pytest.mark.parametrize(
    "document",
    [
        {"loss": FALLING, "accuracy": RISING, "val_loss": TURNING},
        {"history": {"loss": FALLING, "val_loss": TURNING}, "params": {"epochs": 5}},
        {"train": {"loss": FALLING}, "val": {"loss": TURNING}},
        {"train_losses": FALLING, "val_losses": TURNING},
        {"train_loss_history": FALLING, "val_loss_history": TURNING},
        {"trainLoss": FALLING, "valLoss": TURNING},
        {"Train Loss": FALLING, "Validation Loss": TURNING},
        {"loss": {str(i): v for i, v in enumerate(FALLING)}, "val_loss": {str(i): v for i, v in enumerate(TURNING)}},
        {"columns": ["loss", "val_loss"], "index": [0, 1, 2, 3, 4], "data": list(zip(FALLING, TURNING, strict=True))},
        {"epochs": [{"train": {"loss": t}, "val": {"loss": v}} for t, v in zip(FALLING, TURNING, strict=True)]},
        [
            {"epoch": i, "loss": str(t), "val_loss": f"{v}"}
            for i, (t, v) in enumerate(zip(FALLING, TURNING, strict=True))
        ],
    ],
    ids=lambda document: next(iter(document)) if isinstance(document, dict) else "list",
)
def test_json_of_many_shapes_is_read(write: Write, document: object) -> None:
    history = read_history(write(document))
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING


@pytest.mark.parametrize(
    "columns",
    [
        ("loss", "val_loss"),
        ("train_loss", "test_loss"),
        ("train/loss", "val/loss"),
        ("Loss/train", "Loss/val"),
        ("loss_train", "loss_valid"),
        ("Training Loss", "Validation Loss"),
        ("train_cross_entropy", "dev_cross_entropy"),
        ("avg_train_loss", "avg_eval_loss"),
        ("train_nll", "valid_nll"),
        ("trainloss", "testloss"),
        ("exp-1 - train/loss", "exp-1 - val/loss"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ; "])
def test_tables_with_the_usual_names_are_read(write: Write, columns: tuple[str, str], delimiter: str) -> None:
    rows = [delimiter.join((str(i), str(t), str(v))) for i, (t, v) in enumerate(zip(FALLING, TURNING, strict=True))]
    history = read_history(write(lines(delimiter.join(("Epoch", *columns)), *rows)))
    assert numbers(history) == [0, 1, 2, 3, 4]
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING


def test_columns_apart_by_blanks_are_read(write: Write) -> None:
    history = read_history(write(lines("# epoch  loss   val_loss", "1  0.7  0.6", "2  0.5  0.55")))
    assert curve(history, "valid_loss") == [0.6, 0.55]


def test_decimal_commas_between_semicolons_are_read(write: Write) -> None:
    assert curve(read_history(write("epoch;loss\n1;0,7\n2;0,5\n")), "train_loss") == [0.7, 0.5]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_part_of_a_name(write: Write, encoding: str) -> None:
    assert curve(read_history(write("loss,val_loss\n0.7,0.6\n".encode(encoding))), "train_loss") == [0.7]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("nan", math.nan),
        ("NaN", math.nan),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        ("", None),
        ("NA", None),
        ("None", None),
        ("tensor(0.5, device='cuda:0')", 0.5),
        ("tensor(0.5000)", 0.5),
        ("50%", 0.5),
    ],
)
def test_cells_are_numbers_not_logged_or_not_finite(write: Write, cell: str, value: float | None) -> None:
    found = read_history(write(f"epoch;loss;val_loss\n1;{cell};1\n2;0.4;1\n")).epochs[0].train_loss
    assert found is value if value is None or found is None else found == pytest.approx(value, nan_ok=True)


def test_nan_in_json_is_a_number_and_null_is_nothing(write: Write) -> None:
    history = read_history(write('[{"loss": NaN, "val_loss": null}, {"loss": Infinity, "val_loss": 0.5}]'))
    assert curve(history, "train_loss") == pytest.approx([math.nan, math.inf], nan_ok=True)
    assert history.epochs[0].valid_loss is None


def test_an_epoch_that_held_nan_has_no_mean(write: Write) -> None:
    history = read_history(write(lines("epoch,step,train_loss", "0,1,0.5", "0,2,nan", "1,3,0.4")))
    assert curve(history, "train_loss") == pytest.approx([math.nan, 0.4], nan_ok=True)


def test_percentages_become_shares_and_that_is_said(write: Write) -> None:
    history = read_history(write(lines("epoch,loss,val_acc", "1,0.7,61.5", "2,0.5,70")))
    assert curve(history, "valid_score") == [0.615, 0.7]
    assert history.remarks == ("'val_acc' is logged in percent and read as a share",)


@pytest.mark.parametrize("phases", [("train", "val"), ("Training", "Validation"), ("train", "test")])
def test_a_column_may_say_which_part_a_record_is_of(write: Write, phases: tuple[str, str]) -> None:
    rows = [f"{i},{p},{v}" for i in range(5) for p, v in zip(phases, (FALLING[i], TURNING[i]), strict=True)]
    history = read_history(write(lines("epoch,phase,loss", *rows)))
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING


def test_a_column_may_say_which_metric_a_record_is_of(write: Write) -> None:
    rows = [
        f"{name},{value},{i}"
        for i in range(5)
        for name, value in (("train_loss", FALLING[i]), ("val_loss", TURNING[i]))
    ]
    history = read_history(write(lines("metric,value,step", *rows)))
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING


def test_json_lines_are_read_among_other_lines(write: Write) -> None:
    log = lines(
        '{"epoch": 1, "train_lr": 0.1, "train_loss": 0.7, "test_acc1": 91.5}',
        "saved",
        '{"epoch": 2, "train_loss": 0.5}',
    )
    history = read_history(write(log))
    assert history.source == "JSON Lines"
    assert curve(history, "train_loss") == [0.7, 0.5]
    assert "1 lines that are no JSON objects are left out" in history.remarks


def test_validations_of_openmmlab_are_of_the_epoch_that_they_call_step(write: Write) -> None:
    records: list[dict[str, float]] = []
    for epoch in (1, 2):
        for step in (50, 100):
            at = (epoch - 1) * 100 + step
            records.append({"lr": 0.1, "data_time": 0.1, "loss": 1 / at, "epoch": epoch, "iter": at, "step": at})
        records.append({"accuracy/top1": 60.0 + epoch, "data_time": 0.1, "time": 0.2, "step": epoch})
    history = read_history(write(lines(*map(json.dumps, records))))
    assert history.runs == 1
    assert curve(history, "train_loss") == pytest.approx([0.015, (1 / 150 + 1 / 200) / 2])
    assert curve(history, "valid_score") == [0.61, 0.62]


def test_the_log_of_catboost_is_read(write: Write) -> None:
    metrics = {"learn_metrics": [{"name": "Logloss"}], "test_metrics": [{"name": "Logloss"}, {"name": "AUC"}]}
    rows = [
        {"iteration": i, "learn": [t], "test": [v, a], "passed_time": 0.1}
        for i, (t, v, a) in enumerate(zip(FALLING, TURNING, RISING, strict=True))
    ]
    history = read_history(write({"meta": metrics, "iterations": rows}))
    assert (history.source, history.score, history.entropy_scale) == ("CatBoost", "roc-auc", True)
    assert curve(history, "train_loss") == FALLING
    assert curve(history, "valid_loss") == TURNING


def test_what_trackers_get_from_hugging_face_has_its_epochs(write: Write) -> None:
    rows: list[dict[str, float]] = []
    for step in range(10, 61, 10):
        rows.append({"_step": len(rows), "train/global_step": step, "train/epoch": step / 30, "train/loss": 1 / step})
        if step % 30 == 0:
            rows.append(
                {"_step": len(rows), "train/global_step": step, "train/epoch": step / 30, "eval/loss": 2 / step}
            )
    history = read_history(write(wandb_run(rows)))
    assert numbers(history) == [1, 2]
    assert curve(history, "valid_loss") == pytest.approx([2 / 30, 2 / 60])


def test_a_score_by_no_other_name_is_one_where_its_part_is_said(write: Write) -> None:
    history = read_history(write({"loss_curve": FALLING, "validation_scores": RISING}))
    assert (history.score, curve(history, "valid_score")) == ("score", RISING)


def test_rows_called_test_serve_as_validation_where_there_are_no_others(write: Write) -> None:
    history = read_history(write({"train_loss": FALLING, "test_loss": TURNING}))
    assert curve(history, "valid_loss") == TURNING
    assert series(history, "test", "loss").values == tuple(TURNING)
    assert "serve as validation" in history.remarks[0]


@pytest.mark.parametrize(
    "again", [keras_csv(TURNING).partition("\n")[2], keras_csv(TURNING)], ids=["appended", "with its header"]
)
def test_the_last_of_appended_runs_is_the_history(write: Write, again: str) -> None:
    history = read_history(write(keras_csv() + again))
    assert history.runs == 2
    assert curve(history, "train_loss") == TURNING
    assert series(history, "train", "loss", run=0).values == tuple(FALLING)
    assert "the log holds 2 runs; the last one is judged" in history.remarks


def test_a_run_that_was_taken_up_again_is_one_run(write: Write) -> None:
    rows = [f"{i},{1 / (i + 1)}" for i in (*range(10), *range(7, 12))]
    history = read_history(write(lines("epoch,loss", *rows)))
    assert history.runs == 1
    assert numbers(history) == list(range(12))
    assert "taken up again at epoch 7" in history.remarks[0]


def test_trainings_of_one_epoch_one_after_another_are_one_run(write: Write) -> None:
    rows = [f"0,{t},{v}" for t, v in zip(FALLING, TURNING, strict=True)]
    history = read_history(write(lines("epoch,loss,val_loss", *rows)))
    assert curve(history, "train_loss") == FALLING
    assert history.remarks == ("every record is of epoch 0: each counts as one",)


def test_folds_in_one_table_are_runs(write: Write) -> None:
    rows = [f"{fold},{i},{value}" for fold, values in enumerate((FALLING, TURNING)) for i, value in enumerate(values)]
    history = read_history(write(lines("fold,epoch,loss", *rows)))
    assert (history.runs, curve(history, "train_loss")) == (2, TURNING)


@pytest.mark.parametrize(
    "document",
    [
        {"fold_0": {"loss": FALLING}, "fold_1": {"loss": TURNING}},
        {"train_loss": [FALLING, TURNING]},
        [{"loss": FALLING}, {"loss": TURNING}],
    ],
    ids=["by name", "lists of lists", "list"],
)
def test_folds_in_one_document_are_runs(write: Write, document: object) -> None:
    history = read_history(write(document))
    assert (history.runs, curve(history, "train_loss")) == (2, TURNING)
    assert series(history, "train", "loss", run=0).values == tuple(FALLING)


def test_a_table_of_results_is_no_curve(write: Write) -> None:
    history = read_history(write(lines("Activation,Accuracy,train_acc", "tanh,0.8,0.9", "relu,0.5,0.6")))
    assert (history.epochs, history.series, history.runs) == ((), (), 1)
    assert "scores without losses, epochs or steps are no curve" in history.remarks
    of_models = read_history(write(lines("model,train_loss,val_loss", "lr,0.6,0.6", "mlp,0.1,0.7", "rf,0.2,0.4")))
    assert (of_models.runs, len(of_models.epochs)) == (3, 1)


def test_the_log_history_of_hugging_face_is_known_by_itself(write: Write) -> None:
    history = read_history(write(trainer_state()["log_history"]))
    assert history.source == "Hugging Face Trainer"
    assert numbers(history) == [1, 2, 3]


def test_a_scalar_exported_from_tensorboard_is_named_as_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run-train-tag-epoch_loss.csv"
    path.write_text(lines("Wall time,Step,Value", *(f"{1.7e9 + i},{i},{value}" for i, value in enumerate(FALLING))))
    assert curve(read_history(path), "train_loss") == FALLING


@pytest.mark.parametrize(
    ("name", "part", "metric"),
    [
        ("val_MulticlassF1Score", "valid", "f1"),
        ("train/BinaryAccuracy", "train", "accuracy"),
        ("valid_BinaryAUROC", "valid", "roc-auc"),
        ("eval_roc_auc", "valid", "roc-auc"),
        ("Prec@1/val", "valid", "accuracy"),
        ("val_auc_2", "valid", "roc-auc"),
        ("val_dense_1_accuracy", "valid", "dense-accuracy"),
        ("grad_2.0_norm_total", "", "gradient-norm"),
        ("lr-AdamW/pg1", "", "learning-rate"),
        ("val_macro_f1", "valid", "macro-f1"),
    ],
)
def test_names_of_many_libraries_are_understood(write: Write, name: str, part: str, metric: str) -> None:
    history = read_history(write({"loss": FALLING, name: RISING}))
    found = next(s for s in history.series if s.values == tuple(RISING))
    assert (found.part, found.metric) in ((part, metric), (part, name))
    assert found.metric == metric or metric not in METRICS


def test_learning_rates_of_steps_beside_losses_of_epochs_are_put_together(write: Write) -> None:
    history = read_history(write({"loss": [0.7, 0.6, 0.5], "lr": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}))
    assert curve(history, "learning_rate") == [0.2, 0.4, 0.6]


def test_a_validation_every_other_epoch_is_put_there(write: Write) -> None:
    history = read_history(write({"loss": [0.7, 0.6, 0.5, 0.4], "val_loss": [0.65, 0.5]}))
    assert curve(history, "valid_loss") == pytest.approx([math.nan, 0.65, math.nan, 0.5], nan_ok=True)


def test_losses_of_batches_beside_scores_of_epochs_are_put_together(write: Write) -> None:
    history = read_history(write({"train_loss": [1 / i for i in range(1, 61)], "val_loss": [0.3, 0.2, 0.1]}))
    assert len(history.epochs) == 3
    assert curve(history, "train_loss")[0] == pytest.approx(np.mean([1 / i for i in range(1, 21)]))


@pytest.mark.parametrize(
    ("names", "scale"),
    [
        (("loss", "val_loss"), None),
        (("train_binary_crossentropy", "val_binary_crossentropy"), True),
        (("train_logloss", "valid_logloss"), True),
        (("loss", "perplexity"), False),
        (("loss", "val_mse"), False),
        (("train/box_loss", "train/loss"), False),
    ],
)
def test_names_say_whether_a_loss_is_a_cross_entropy(write: Write, names: tuple[str, str], scale: bool | None) -> None:
    assert read_history(write(dict.fromkeys(names, FALLING))).entropy_scale is scale


def test_a_loss_that_equals_the_cross_entropy_beside_it_is_one(write: Write) -> None:
    assert read_history(write({"loss": FALLING, "binary_crossentropy": FALLING})).entropy_scale is True
    regularised = [value + 0.1 for value in FALLING]
    assert read_history(write({"loss": regularised, "binary_crossentropy": FALLING})).entropy_scale is None


def test_the_only_loss_by_another_name_is_taken(write: Write) -> None:
    assert curve(read_history(write({"focal_loss": FALLING})), "train_loss") == FALLING


def test_losses_beside_those_that_are_judged_are_named(write: Write) -> None:
    history = read_history(write({"loss": FALLING, "fine_tune_loss": TURNING, "best_val_loss": TURNING}))
    assert curve(history, "train_loss") == FALLING
    assert history.remarks == ("not judged: 'fine_tune_loss'",)


def test_the_first_of_several_validation_losses_is_judged_and_that_is_said(write: Write) -> None:
    history = read_history(write({"loss": FALLING, "eval_news_loss": TURNING, "eval_web_loss": FALLING}))
    assert curve(history, "valid_loss") == TURNING
    assert history.remarks == ("not judged: 'eval_web_loss'",)


@pytest.mark.parametrize("names", [("box_loss", "cls_loss"), ("best_val_loss", "min_loss")])
def test_losses_of_which_none_is_the_whole_are_refused(write: Write, names: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="no loss column"):
        read_history(write(dict.fromkeys(names, FALLING)))


def test_many_points_without_epochs_are_put_together(write: Write) -> None:
    history = read_history(write(lines("step,loss", *(f"{10 * i},{i}" for i in range(2500)))))
    assert len(history.epochs) == 834
    assert curve(history, "train_loss")[:2] == [1.0, 4.0]
    assert "3 points from step 0 to 24990" in history.remarks[0]


@pytest.mark.parametrize("content", [b"\x7fELF" + bytes(200), bytes(range(256)) * 9, b"\x89PNG\r\n\x1a\n\0\0\0"])
def test_what_is_no_text_is_refused(write: Write, content: bytes) -> None:
    with pytest.raises(InputError, match="is binary"):
        read_history(write(content))


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE metrics (x)")
    database.commit()
    database.close()
    with pytest.raises(InputError, match=r"none of MLflow's"):
        read_history(path)
