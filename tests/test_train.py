"""Training does what the recipe says, twice the same, logs honestly, and says so when it fails."""

import itertools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bindoctor import InputError, Recipe, Rows, Table, scores
from bindoctor.build import build_network
from bindoctor.compiled_steps import CompiledSteps
from bindoctor.evidence import Evidence
from bindoctor.final import train_evidence, train_final
from bindoctor.loop import train_network
from bindoctor.losses import plain_log_loss
from bindoctor.progress import epoch_orders
from bindoctor.readers import open_dataset, table_source
from bindoctor.resampling import SYNTHETIC
from bindoctor.rows import rows_of
from bindoctor.splits import repeated_folds, user_split
from bindoctor.train import Fitted, TrainingFailed, cross_fit, fit, fit_prepared, prepare

torch.set_num_threads(1)

QUICK: dict[str, object] = {"train.epochs": 4, "train.batch-size": 32, "optimizer.learning-rate": 0.01}


def make_rows(n: int = 240, *, classes: int = 2, share: float = 0.25, scale: float = 1.0, seed: int = 0) -> Rows:
    """Two number columns that tell the class, one that does not, and a text column."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < share).astype(np.int64) if classes == 2 else random.integers(0, classes, n)
    features = pl.DataFrame(
        {
            "income": (random.normal(size=n) + 1.5 * labels) * scale,
            "age": random.normal(size=n) + labels,
            "noise": random.normal(size=n),
            "home": random.choice(["own", "rent", "free"], n).tolist(),
        }
    )
    return Rows(features, labels, ("no", "yes", "maybe")[:classes], np.arange(n) * 10)


def recipe_with(edits: Mapping[str, object]) -> Recipe:
    return Recipe().edited({**QUICK, **edits})


def trained(edits: Mapping[str, object], rows: Rows | None = None, watch: Rows | None = None, seed: int = 0) -> Fitted:
    return fit(recipe_with(edits), make_rows() if rows is None else rows, seed=seed, watch=watch)


# Epochs


RESAMPLED = ["none", "random-over", "random-under", "smote", "smote-enn"]


def steps_taken(edits: Mapping[str, object], monkeypatch: pytest.MonkeyPatch, *, plain: bool) -> int:
    """Return how many steps the optimizer takes."""
    recipe, made = recipe_with({"train.epochs": 3, "features.scale": "standard", **edits}), []

    class Watched(CompiledSteps):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr("bindoctor.loop.CompiledSteps", Watched)
    counted: list[object] = []
    hook = register_optimizer_step_post_hook(
        lambda optimizer, args, kwargs: counted.append(optimizer) if isinstance(optimizer, torch.optim.Adam) else None
    )
    try:
        train_network(recipe, prepare(recipe, rare_rows(), seed=0), seed=0, plain=plain)
    finally:
        hook.remove()
    return len(counted) if plain else made[0]._taken


def rare_rows() -> Rows:
    return make_rows(400, share=0.15)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("batch_size", [32, 1000])
def test_resampling_changes_no_number_of_optimizer_steps(
    batch_size: int, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {
        method: steps_taken({"resample.method": method, "train.batch-size": batch_size}, monkeypatch, plain=plain)
        for method in RESAMPLED
    }
    assert set(steps.values()) == {3 * math.ceil(400 / batch_size)}, steps


@pytest.mark.parametrize("method", RESAMPLED)
def test_an_epoch_has_as_many_rows_as_before_resampling_and_draws_all_resampled_ones_alike(method: str) -> None:
    recipe = recipe_with({"resample.method": method, "features.scale": "standard"})
    prepared = prepare(recipe, rare_rows(), seed=0)
    orders = list(itertools.islice(epoch_orders(recipe, prepared, torch.Generator().manual_seed(0)), 20))
    assert [len(order) for order in orders] == [400] * 20
    drawn = np.bincount(torch.cat(orders), minlength=len(prepared.train.labels))
    assert len(drawn) == len(prepared.train.labels)
    assert drawn.max() - drawn.min() <= 1
    assert (len(prepared.train.labels) == 400) == (method == "none")


def test_the_rows_of_early_stopping_count_in_no_epoch() -> None:
    recipe = recipe_with({"train.patience": 3, "resample.method": "random-over"})
    prepared = prepare(recipe, rare_rows(), seed=0)
    assert prepared.valid is not None
    assert prepared.epoch_rows == 400 - len(prepared.valid.labels)


# What practitioners start from

SETUPS = {
    "SMOTE, then a small network": """
        [recipe.resample]
        method = "smote"
        [recipe.model]
        hidden = [64]
        [recipe.optimizer]
        kind = "adam"
        learning-rate = 1e-3
    """,
    "standardised, dropout and weight decay": """
        [recipe.features]
        scale = "standard"
        [recipe.model]
        hidden = [128, 64]
        dropout = 0.5
        [recipe.optimizer]
        weight-decay = 0.01
    """,
    "early stopping on a validation part": """
        [recipe.split]
        kind = "holdout"
        valid = 0.2
        stratify = true
        [recipe.train]
        epochs = 200
        patience = 10
    """,
}


@pytest.mark.parametrize("setup", SETUPS)
def test_the_setups_that_practitioners_start_from_learn_something(setup: str) -> None:
    recipe = Recipe.from_dict(tomllib.loads(SETUPS[setup])["recipe"])
    rows = make_rows(400)
    run = cross_fit(recipe, rows, user_split(rows, recipe.split, seed=0), seed=0)
    assert scores.measure("roc-auc", run.predictions) > 0.8
    assert run.history.epochs[-1].train_loss is not None and run.history.first_loss is not None
    assert run.history.epochs[-1].train_loss < run.history.first_loss


def test_early_stopping_ends_ten_epochs_after_the_best() -> None:
    history = trained({"train.epochs": 300, "train.patience": 10}).history
    assert history.best_epoch is not None
    assert len(history.epochs) == history.best_epoch + 10 < 300


# Everything that can be set trains

EVERY_SETTING = [
    *[{"loss.kind": kind} for kind in ("bce", "focal", "cross-entropy")],
    *[{"loss.class-weight": weight} for weight in ("balanced", 3.0)],
    *[{"optimizer.kind": kind} for kind in ("adam", "adamw", "sgd", "rmsprop")],
    *[{"optimizer.schedule": kind} for kind in ("constant", "cosine", "step", "plateau")],
    *[{"resample.method": method} for method in ("none", "random-over", "random-under", *SYNTHETIC)],
    *[{"features.scale": kind} for kind in ("none", "standard", "minmax", "robust", "quantile", "power", "log1p")],
    *[{"model.activation": kind} for kind in ("relu", "leaky-relu", "elu", "gelu", "tanh", "sigmoid")],
    *[{"model.kind": kind} for kind in ("mlp", "logistic", "gradient-boosting")],
    *[{"train.monitor": kind, "train.patience": 2} for kind in ("loss", "accuracy", "average-precision")],
    {"features.encode": "target"},
    {"model.batch-norm": True, "model.dropout": 0.3, "model.prior-bias": True},
    {"optimizer.l1": 1e-4, "optimizer.weight-decay": 1e-3, "optimizer.clip-norm": 1.0},
    {"optimizer.kind": "sgd", "optimizer.momentum": 0.9},
    {"loss.label-smoothing": 0.1, "loss.class-weight": "balanced"},
    {"loss.kind": "focal", "loss.label-smoothing": 0.1, "loss.class-weight": "balanced", "loss.focal-gamma": 0.5},
]


@pytest.mark.parametrize("edits", EVERY_SETTING, ids=str)
def test_every_setting_trains_and_gives_probabilities(edits: Mapping[str, object]) -> None:
    rows = make_rows()
    probability = trained(edits, rows).probability(rows.features)
    assert probability.shape == (240, 2)
    assert probability.dtype == np.float64
    assert probability.sum(axis=1) == pytest.approx(1)
    assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize(
    "edits",
    [
        {"loss.kind": "cross-entropy"},
        {"loss.kind": "focal", "loss.class-weight": "balanced"},
        {"loss.kind": "cross-entropy", "loss.label-smoothing": 0.1, "resample.method": "smote"},
        {"loss.kind": "cross-entropy", "train.patience": 2, "train.monitor": "average-precision"},
        {"model.kind": "gradient-boosting"},
        {"loss.kind": "cross-entropy", "decide.calibrate": "isotonic", "features.encode": "target"},
    ],
    ids=str,
)
def test_three_classes_train_too(edits: Mapping[str, object]) -> None:
    rows = make_rows(300, classes=3)
    run = cross_fit(recipe_with(edits), rows, user_split(rows, Recipe().split, seed=0), seed=0)
    assert run.predictions.probability.shape == (60, 3)
    assert run.predictions.probability.sum(axis=1) == pytest.approx(1)
    assert scores.measure("roc-auc", run.predictions) > 0.5


def test_bce_with_three_classes_names_the_setting() -> None:
    with pytest.raises(InputError, match=r"recipe\.loss\.kind is 'bce', which fits two classes, but the target has 3"):
        trained({}, make_rows(classes=3))


def test_one_positive_weight_for_three_classes_names_the_setting() -> None:
    with pytest.raises(InputError, match=r"recipe\.loss\.class-weight is 4, .* but the target has 3 classes"):
        trained({"loss.kind": "cross-entropy", "loss.class-weight": 4.0}, make_rows(classes=3))


def test_a_missing_gpu_is_said() -> None:
    if torch.cuda.is_available():
        assert trained({"train.device": "cuda"}).network is not None
    else:
        with pytest.raises(InputError, match=r"recipe\.train\.device is 'cuda', but PyTorch sees no GPU"):
            trained({"train.device": "cuda"})


def test_batch_normalisation_of_single_rows_is_refused() -> None:
    with pytest.raises(InputError, match=r"batch-norm needs recipe\.train\.batch-size to be 2 or more"):
        trained({"model.batch-norm": True, "train.batch-size": 1})


def test_batch_normalisation_survives_a_last_batch_of_one_row() -> None:
    assert trained({"model.batch-norm": True}, make_rows(97)).network is not None


def test_average_precision_cannot_be_watched_on_one_class() -> None:
    rows = make_rows(40)
    one_rare = Rows(rows.features, (np.arange(40) == 3).astype(np.int64), rows.classes, rows.row_ids)
    with pytest.raises(InputError, match="monitor is 'average-precision', but the validation part of 8 rows holds one"):
        trained({"train.patience": 3, "train.monitor": "average-precision"}, one_rare)


# The same twice


@pytest.mark.parametrize(
    "edits",
    [
        {"model.dropout": 0.5, "resample.method": "smotenc", "train.patience": 2},
        {"features.encode": "target", "loss.kind": "focal"},
        {"model.kind": "gradient-boosting"},
    ],
    ids=str,
)
def test_the_same_seed_gives_the_same_model_whatever_ran_before(edits: Mapping[str, object]) -> None:
    rows = make_rows()
    first = trained(edits, rows).probability(rows.features)
    torch.manual_seed(99)
    torch.rand(7)
    np.random.seed(5)
    assert np.array_equal(first, trained(edits, rows).probability(rows.features))


def test_another_seed_gives_another_model() -> None:
    rows = make_rows()
    assert not np.array_equal(
        trained({}, rows).probability(rows.features), trained({}, rows, seed=1).probability(rows.features)
    )


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    trained({"model.dropout": 0.5})
    assert torch.equal(before, torch.get_rng_state())


def test_rows_that_are_only_watched_change_nothing() -> None:
    rows = make_rows()
    alone, watched = trained({}, rows), trained({}, rows, watch=make_rows(seed=1))
    assert np.array_equal(alone.probability(rows.features), watched.probability(rows.features))
    assert alone.history.epochs[-1].valid_loss is None
    assert watched.history.epochs[-1].valid_loss is not None
    assert watched.history.best_epoch is None


def test_prepared_rows_give_what_training_from_scratch_gives() -> None:
    rows = make_rows()
    train, test = rows.take(np.arange(200)), rows.take(np.arange(200, 240))
    recipe = recipe_with({"resample.method": "smote", "features.scale": "standard", "model.dropout": 0.2})
    prepared = prepare(recipe_with({"resample.method": "smote", "features.scale": "standard"}), train, test, seed=4)
    shared, _ = fit_prepared(recipe, prepared, seed=4, plain=True)
    assert np.array_equal(shared, fit(recipe, train, seed=4).probability(test.features))


@pytest.mark.filterwarnings("error")
def test_rows_that_must_not_be_written_to_are_trained_on_without_a_warning() -> None:
    rows = make_rows()
    rows.labels.flags.writeable = False
    assert trained({}, rows).network is not None


def test_prepared_rows_are_not_changed_by_training() -> None:
    rows = make_rows()
    prepared = prepare(recipe_with({}), rows, rows, seed=0)
    before = prepared.train.matrix.copy()
    fit_prepared(recipe_with({"loss.label-smoothing": 0.2}), prepared, seed=0)
    assert np.array_equal(before, prepared.train.matrix)


def test_a_few_lines_of_plain_pytorch_repeat_the_training_exactly() -> None:
    rows = make_rows()
    recipe = recipe_with({"model.dropout": 0.3, "train.epochs": 5})
    fitted = fit(recipe, rows, seed=11)
    prepared = prepare(recipe, rows, seed=11)
    matrix, labels = torch.from_numpy(prepared.train.matrix), torch.from_numpy(prepared.train.labels).float()
    torch.manual_seed(11)
    network = build_network(recipe.model, matrix.shape[1], 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    shuffle = torch.Generator().manual_seed(11)
    for _ in range(5):
        network.train()
        order = torch.randperm(len(labels), generator=shuffle)
        for start in range(0, len(labels), 32):
            batch = order[start : start + 32]
            loss = nn.functional.binary_cross_entropy_with_logits(network(matrix[batch])[:, 0], labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval()
    with torch.no_grad():
        positive = torch.sigmoid(network(matrix)[:, 0].double()).numpy()
    assert positive == pytest.approx(fitted.probability(rows.features)[:, 1], abs=1e-6)


def test_two_logits_learn_what_one_does() -> None:
    rows = make_rows(scale=1.0)
    one, two = ({"loss.kind": kind, "model.kind": "logistic", "train.epochs": 60} for kind in ("bce", "cross-entropy"))
    difference = trained(one, rows).probability(rows.features) - trained(two, rows).probability(rows.features)
    assert np.abs(difference).max() < 0.1


# The curve


@pytest.mark.parametrize(
    "edits",
    [{}, {"loss.kind": "focal"}, {"loss.class-weight": 20.0}, {"loss.label-smoothing": 0.4}, {"optimizer.l1": 0.1}],
    ids=str,
)
def test_the_curve_is_in_nats_whatever_is_minimised(edits: Mapping[str, object]) -> None:
    rows = make_rows(share=0.2)
    still = {**edits, "optimizer.learning-rate": 1e-12, "model.kind": "logistic", "model.prior-bias": True}
    fitted = trained(still, rows, watch=rows)
    loss = scores.log_loss(rows.labels, fitted.probability(rows.features))
    epoch = fitted.history.epochs[-1]
    assert [fitted.history.first_loss, epoch.train_loss, epoch.valid_loss] == pytest.approx([loss] * 3, rel=1e-4)


def test_the_curve_holds_rate_gradient_norm_and_both_scores() -> None:
    epochs = trained({"optimizer.schedule": "cosine"}, watch=make_rows(seed=1)).history.epochs
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == pytest.approx([0.01, 0.01 * (1 + np.sqrt(0.5)) / 2, 0.005, 0.01 * (1 - np.sqrt(0.5)) / 2])
    for epoch in epochs:
        assert epoch.gradient_norm is not None and epoch.gradient_norm > 0
        assert epoch.train_score is not None and 0 <= epoch.train_score <= 1
        assert epoch.valid_score is not None and 0 <= epoch.valid_score <= 1


def test_the_learning_rate_falls_once_the_loss_stays() -> None:
    rows = make_rows(60)
    still = {"optimizer.schedule": "plateau", "optimizer.kind": "sgd", "optimizer.learning-rate": 1e-6}
    epochs = trained({**still, "train.epochs": 6, "train.batch-size": 60}, rows).history.epochs
    assert epochs[-1].learning_rate is not None and epochs[-1].learning_rate < 1e-6


def test_the_gradient_norm_is_logged_before_clipping() -> None:
    clipped = trained({"optimizer.clip-norm": 1e-6, "train.epochs": 1}).history.epochs[0]
    free = trained({"train.epochs": 1}).history.epochs[0]
    assert clipped.gradient_norm == pytest.approx(free.gradient_norm)


def test_clipping_holds_plain_gradient_descent_still() -> None:
    still = trained({"optimizer.kind": "sgd", "optimizer.clip-norm": 1e-9}).history
    assert still.epochs[-1].train_loss == pytest.approx(still.first_loss, rel=1e-4)


def test_l1_drives_weights_towards_zero() -> None:
    def size(edits: Mapping[str, object]) -> float:
        network = trained({**edits, "train.epochs": 20}).network
        assert network is not None
        return float(sum(p.detach().abs().sum() for p in network.parameters()))

    assert size({"optimizer.l1": 0.01}) < 0.7 * size({})


def test_early_stopping_restores_the_best_epoch() -> None:
    edits = {"train.epochs": 80, "train.patience": 8, "optimizer.learning-rate": 0.05}
    prepared = prepare(recipe_with(edits), make_rows(120), seed=0)
    assert prepared.valid is not None
    matrix, labels = torch.from_numpy(prepared.valid.matrix), torch.from_numpy(prepared.valid.labels)

    def loss_after(restore: bool) -> tuple[float, list[float]]:
        network, history = train_network(recipe_with({**edits, "train.restore-best": restore}), prepared, seed=0)
        curve = history.curve("valid_loss")
        assert history.best_epoch == 1 + curve.argmin()
        with torch.no_grad():
            return plain_log_loss(network(matrix), labels), curve.tolist()

    restored, curve = loss_after(True)
    assert restored == pytest.approx(min(curve))
    last, curve = loss_after(False)
    assert last == pytest.approx(curve[-1])
    assert last > restored


def test_early_stopping_looks_at_its_own_part_and_not_at_held_out_rows() -> None:
    rows, edits = make_rows(), {"train.patience": 2, "train.epochs": 30}
    alone, watched = trained(edits, rows), trained(edits, rows, watch=make_rows(seed=1))
    assert alone.history == watched.history


# Through folds


def test_every_held_out_row_is_answered_once_by_a_model_that_never_saw_it() -> None:
    rows = make_rows()
    (folds,) = repeated_folds(rows, Recipe().split, repeats=1, folds=3, seed=0)
    run = cross_fit(recipe_with({}), rows, folds, seed=0, plain=True)
    answered = run.predictions
    assert sorted(answered.row_ids.tolist()) == rows.row_ids.tolist()
    for number, (train, test) in enumerate(folds):
        here = answered.fold == number
        assert answered.row_ids[here].tolist() == rows.row_ids[test].tolist()
        alone = fit(recipe_with({}), rows.take(train), seed=0).probability(rows.features[test])
        assert np.array_equal(answered.probability[here], alone)
    assert np.array_equal(answered.truth, rows.labels[answered.row_ids // 10])


def test_the_curve_of_a_run_is_the_mean_over_folds() -> None:
    rows = make_rows()
    (folds,) = repeated_folds(rows, Recipe().split, repeats=1, folds=3, seed=0)
    single = [cross_fit(recipe_with({}), rows, [fold], seed=0).history.epochs[-1].train_loss for fold in folds]
    mean = cross_fit(recipe_with({}), rows, folds, seed=0).history.epochs[-1].train_loss
    assert mean == pytest.approx(np.mean([loss for loss in single if loss is not None]))


# Failure


def test_a_loss_that_explodes_is_a_failure_with_its_epoch() -> None:
    with pytest.raises(TrainingFailed, match=r"loss became (nan|inf) in epoch \d"):
        trained({"optimizer.kind": "sgd", "optimizer.learning-rate": 1e9}, make_rows(scale=1e6))


def test_one_answer_for_every_row_is_a_failure_and_never_a_score() -> None:
    too_deep = {"model.hidden": [2] * 12, "model.activation": "sigmoid", "train.epochs": 2}
    rows = make_rows()
    prepared = prepare(recipe_with({}), rows.take(np.arange(200)), rows.take(np.arange(200, 240)), seed=0)
    with pytest.raises(TrainingFailed, match=r"answers 0\.\d{3} for every row after epoch 2"):
        fit_prepared(recipe_with(too_deep), prepared, seed=0)
    with pytest.raises(TrainingFailed, match="for every row"):
        fit(recipe_with(too_deep), rows, seed=0)


def test_in_a_run_the_class_shares_stand_in_for_a_collapsed_fold_and_the_reason_is_kept() -> None:
    rows = make_rows()
    (folds,) = repeated_folds(rows, Recipe().split, repeats=1, folds=3, seed=0)
    run = cross_fit(recipe_with({"model.hidden": [2] * 12, "model.activation": "sigmoid"}), rows, folds, seed=0)
    assert len(run.failures) == 3
    for number, (train, _) in enumerate(folds):
        answered = run.predictions.probability[run.predictions.fold == number]
        assert answered == pytest.approx(np.tile([1 - rows.labels[train].mean(), rows.labels[train].mean()], (80, 1)))


def test_rows_that_are_all_alike_may_be_answered_alike() -> None:
    rows = make_rows()
    alike = rows.take(np.zeros(5, dtype=np.int64))
    probability, _ = fit_prepared(recipe_with({}), prepare(recipe_with({}), rows, alike, seed=0), seed=0)
    assert np.ptp(probability[:, 1]) < 1e-6


def test_gradient_boosting_answers_zero_for_a_class_it_never_saw() -> None:
    rows = make_rows(300, classes=3)
    known = rows.take(np.flatnonzero(rows.labels < 2))
    probability = trained({"model.kind": "gradient-boosting"}, known).probability(rows.features)
    assert probability.shape == (300, 3)
    assert (probability[:, 2] == 0).all()


def test_gradient_boosting_of_one_class_is_refused() -> None:
    rows = make_rows()
    with pytest.raises(InputError, match="the training rows hold one class only"):
        trained({"model.kind": "gradient-boosting"}, rows.take(np.flatnonzero(rows.labels == 0)))


def test_gradient_boosting_stops_early_on_its_validation_part() -> None:
    history = trained({"model.kind": "gradient-boosting", "train.patience": 3}, make_rows(400)).history
    assert history.best_epoch is not None
    assert history.best_epoch <= len(history.epochs) < 100


# Weights


def weighted(rows: Rows, weights: Sequence[float]) -> Rows:
    return replace(rows, weights=np.array(weights, dtype=np.float64))


@pytest.mark.parametrize(
    "loss",
    [
        {},
        {"loss.kind": "focal", "loss.label-smoothing": 0.1},
        {"loss.kind": "cross-entropy"},
        {"loss.kind": "cross-entropy", "loss.class-weight": 3.0},
        {"loss.class-weight": 3.0},
    ],
    ids=str,
)
def test_a_row_of_weight_two_trains_like_two_rows(loss: dict[str, object]) -> None:
    whole_batches = {"train.batch-size": 10_000, "model.kind": "logistic", "optimizer.kind": "sgd", **loss}
    rows = make_rows(60).take(np.arange(60))
    counts = 1 + np.arange(60) % 3
    twice = rows.take(np.repeat(np.arange(60), counts))
    first = trained(whole_batches, weighted(rows, (0.7 * counts).tolist()))
    second = trained(whole_batches, twice)
    np.testing.assert_allclose(first.probability(rows.features), second.probability(rows.features), atol=1e-6)
    unweighted = trained(whole_batches, rows)
    assert np.abs(first.probability(rows.features) - unweighted.probability(rows.features)).max() > 1e-4


@pytest.mark.parametrize("kind", ["mlp", "gradient-boosting"])
def test_rows_without_weight_teach_nothing(kind: str) -> None:
    rows = make_rows(200)
    weights = (np.arange(200) % 4 != 0).astype(float)
    lying = replace(rows, labels=np.where(weights == 0, 1 - rows.labels, rows.labels))
    edits: dict[str, object] = {"model.kind": kind, "train.batch-size": 10_000}
    first, second = trained(edits, weighted(rows, weights.tolist())), trained(edits, weighted(lying, weights.tolist()))
    if kind == "mlp":
        np.testing.assert_array_equal(first.probability(rows.features), second.probability(rows.features))
        return
    # Trees put rows without weight into their bins and leaves, but learn no answer from them.
    truth, counted = rows.labels[weights == 1], rows.features.filter(pl.Series(weights == 1))
    right = [(model.probability(counted).argmax(axis=1) == truth).mean() for model in (second, trained(edits, lying))]
    assert right[0] > right[1]


def test_weights_have_mean_one_over_the_rows_trained_on() -> None:
    rows = weighted(make_rows(), (np.arange(240) + 1.0).tolist())
    done = prepare(recipe_with({"train.patience": 3}), rows, seed=0)
    assert done.weights is not None
    assert len(done.weights) == len(done.train.labels) < 240
    assert done.weights.mean() == pytest.approx(1, abs=1e-6)


def test_weights_count_in_training_and_not_in_scores() -> None:
    rows = make_rows()
    folds = repeated_folds(rows, recipe_with({}).split, repeats=1, folds=3, seed=0)[0]
    run = cross_fit(recipe_with({}), weighted(rows, np.linspace(0.1, 9, 240).tolist()), folds, seed=0)
    loss = scores.log_loss(run.predictions.truth, run.predictions.probability)
    per_fold = [
        scores.log_loss(rows.labels[test], run.predictions.probability[run.predictions.fold == number])
        for number, (_, test) in enumerate(folds)
    ]
    assert run.history.epochs[-1].valid_loss == pytest.approx(np.mean(per_fold), abs=1e-5)
    assert loss == pytest.approx(np.average(per_fold, weights=[len(test) for _, test in folds]))


def test_weights_of_nothing_and_resampled_weights_are_refused() -> None:
    with pytest.raises(InputError, match=r"weights of recipe\.data\.weight have the mean 0"):
        trained({}, weighted(make_rows(), [0.0] * 240))
    with pytest.raises(InputError, match=r"data\.weight and recipe\.resample\.method cannot both"):
        trained({"resample.method": "smote"}, weighted(make_rows(), [1.0] * 240))


def test_a_network_beyond_memory_is_refused_before_it_is_made() -> None:
    with pytest.raises(InputError, match=r"makes a network of 4\.3e\+09 weights, 16\.0 GiB"):
        trained({"model.hidden": [65_536, 65_536]})


def test_the_final_model_is_not_trained_on_rows_that_a_column_keeps_back() -> None:
    rows = make_rows()
    held_out = np.arange(240) % 3 == 0
    lying = replace(rows, labels=np.where(held_out, 1 - rows.labels, rows.labels), held_out=held_out)
    edits: dict[str, object] = {"decide.threshold": "tuned", "decide.calibrate": "platt", "split.folds": 3}
    first = train_final(recipe_with(edits), lying, seed=0)
    second = train_final(recipe_with(edits), rows.take(np.flatnonzero(~held_out)), seed=0)
    np.testing.assert_array_equal(first.predict(rows.features), second.predict(rows.features))
    assert first.decision.threshold == second.decision.threshold


def parted(cells: Sequence[str]) -> Evidence:
    rows = make_rows()
    columns = {name: rows.features[name].to_list() for name in rows.features.columns}
    table = Table({**columns, "part": cells, "y": rows.labels.tolist()})
    edits: dict[str, object] = {"train.patience": 2, "train.epochs": 30, "split.column": "part"}
    return Evidence(open_dataset(table_source(table), "y"), recipe=recipe_with(edits))


def test_early_stopping_of_the_final_model_watches_the_columns_validation_rows_and_trains_on_all_others() -> None:
    evidence = parted([("train", "train", "valid", "test")[i % 4] for i in range(240)])
    assert evidence.dataset is not None and evidence.recipe is not None
    rows = rows_of(evidence.dataset, evidence.recipe)
    model = train_final(evidence.recipe, rows, seed=0)
    assert rows.validation is not None
    part = np.arange(240) % 4
    apart = [
        replace(rows.take(np.flatnonzero(chosen)), held_out=None, validation=None) for chosen in (part < 2, part == 2)
    ]
    given = fit(evidence.recipe, apart[0], seed=0, valid=apart[1])
    assert model.fitted.history == given.history
    assert model.fitted.history != fit(evidence.recipe, apart[0], seed=0).history


@pytest.mark.parametrize(("other", "answered"), [("test", 1), ("valid", 2)])
def test_rows_that_early_stopping_watched_are_not_scored(other: str, answered: int) -> None:
    evidence = parted([("train", "train", "valid", other)[i % 4] for i in range(240)])
    run, note = train_evidence(evidence)
    assert run.predictions is not None and not note
    assert len(run.predictions.truth) == 60 * answered
    assert set(run.predictions.row_ids % 4) == ({3} if other == "test" else {2, 3})
