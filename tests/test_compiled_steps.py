"""Compiled steps are those of plain PyTorch, for all that a recipe can say of a network."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from test_train import make_rows

from bindoctor import Recipe, Rows
from bindoctor.compiled_steps import is_sparse
from bindoctor.loop import train_network
from bindoctor.prepare import prepare

torch.set_num_threads(1)

CALM = {"features.scale": "standard", "train.epochs": 20, "train.batch-size": 32, "optimizer.learning-rate": 0.003}

SGD: dict[str, object] = {"optimizer.kind": "sgd", "optimizer.momentum": 0.9}
RMSPROP: dict[str, object] = {"optimizer.kind": "rmsprop", "optimizer.learning-rate": 1e-3}

SAME: dict[str, Mapping[str, object]] = {
    "Adam": {"optimizer.kind": "adam"},
    "Adam with weight decay": {"optimizer.kind": "adam", "optimizer.weight-decay": 0.01},
    "AdamW": {"optimizer.kind": "adamw", "optimizer.weight-decay": 0.01},
    "SGD": SGD,
    "SGD with weight decay": {**SGD, "optimizer.weight-decay": 0.01},
    "RMSprop": RMSPROP,
    "RMSprop with momentum": {**RMSPROP, "optimizer.momentum": 0.5, "optimizer.weight-decay": 0.01},
    "logistic regression": {**SGD, "model.kind": "logistic"},
    **{name: {**SGD, "model.activation": name} for name in ("leaky-relu", "elu", "gelu", "tanh", "sigmoid")},
    "dropout": {**SGD, "model.dropout": 0.3},
    "batch normalisation": {**SGD, "model.batch-norm": True},
    "batch normalisation and dropout": {**SGD, "model.batch-norm": True, "model.dropout": 0.2},
    "a bias from the class shares": {**SGD, "model.prior-bias": True},
    "L1": {**SGD, "optimizer.l1": 0.001},
    "clipped gradients": {**SGD, "optimizer.clip-norm": 0.1},
    "cosine schedule": {**SGD, "optimizer.schedule": "cosine"},
    "steps down": {**SGD, "optimizer.schedule": "step"},
    "plateau": {**SGD, "optimizer.schedule": "plateau"},
    "class weights": {**SGD, "loss.class-weight": "balanced"},
    "a positive weight": {**SGD, "loss.class-weight": 5.0},
    "label smoothing": {**SGD, "loss.label-smoothing": 0.1},
    "focal loss": {**SGD, "loss.kind": "focal"},
    "focal loss with class weights": {**SGD, "loss.kind": "focal", "loss.class-weight": "balanced"},
    "two logits": {**SGD, "loss.kind": "cross-entropy"},
    "two logits, smoothed and weighted": {
        **SGD,
        "loss.kind": "cross-entropy",
        "loss.label-smoothing": 0.1,
        "loss.class-weight": "balanced",
    },
    "early stopping": {**SGD, "train.patience": 3},
    "early stopping, the last epoch kept": {**SGD, "train.patience": 3, "train.restore-best": False},
    "batches larger than the rows": {**SGD, "train.batch-size": 1000},
    "over-sampled": {**SGD, "resample.method": "random-over"},
    "under-sampled below a batch": {**SGD, "resample.method": "random-under", "train.batch-size": 250},
    "under-sampled, dropout": {**SGD, "resample.method": "random-under", "model.dropout": 0.3},
    "SMOTE, batch normalisation, cosine schedule": {
        **SGD,
        "resample.method": "smote",
        "model.batch-norm": True,
        "optimizer.schedule": "cosine",
        "train.batch-size": 23,
    },
    "SMOTE and early stopping": {**SGD, "resample.method": "smote", "train.patience": 3},
}


def logits_of(recipe: Recipe, rows: Rows, *, plain: bool) -> tuple[torch.Tensor, list[float]]:
    prepared = prepare(recipe, rows, rows.take(np.arange(50)), seed=3)
    network, history = train_network(recipe, prepared, seed=7, plain=plain)
    with torch.no_grad():
        answers = network(torch.from_numpy(prepared.train.matrix))
    return answers, [epoch.train_loss or 0.0 for epoch in history.epochs]


@pytest.mark.parametrize("edits", SAME.values(), ids=SAME.keys())
def test_compiled_steps_come_to_the_logits_of_plain_pytorch(edits: Mapping[str, object]) -> None:
    recipe = Recipe().edited({**CALM, **edits})
    mine, losses = logits_of(recipe, make_rows(300), plain=False)
    theirs, their_losses = logits_of(recipe, make_rows(300), plain=True)
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-4)
    assert losses == pytest.approx(their_losses, abs=1e-5)


@pytest.mark.parametrize(
    "edits",
    [
        {"loss.kind": "cross-entropy"},
        {"loss.kind": "cross-entropy", "loss.class-weight": "balanced"},
        {"loss.kind": "cross-entropy", "loss.label-smoothing": 0.2},
        {"loss.kind": "focal"},
        {"loss.kind": "focal", "loss.class-weight": "balanced"},
    ],
)
def test_compiled_steps_come_to_the_logits_of_plain_pytorch_for_three_classes(
    edits: Mapping[str, object],
) -> None:
    recipe = Recipe().edited({**CALM, **SGD, **edits})
    rows = make_rows(300, classes=3)
    mine, _ = logits_of(recipe, rows, plain=False)
    theirs, _ = logits_of(recipe, rows, plain=True)
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-4)


def many_levels(count: int) -> Rows:
    """Return rows of which three columns are numbers and two have hundreds of levels, all in use."""
    rows = make_rows(count)
    random = np.random.default_rng(5)
    codes = {f"code{i}": [f"L{code}" for code in random.permutation(count) % 150] for i in range(2)}
    return replace(rows, features=rows.features.with_columns(pl.Series(name, cells) for name, cells in codes.items()))


@pytest.mark.parametrize(
    "name",
    [
        *("Adam", "SGD", "L1", "dropout", "batch normalisation", "logistic regression", "two logits"),
        *("early stopping", "over-sampled", "under-sampled below a batch"),
    ],
)
def test_sparse_rows_come_to_the_same(name: str) -> None:
    rows, recipe = many_levels(600), Recipe().edited({**CALM, **SAME[name]})
    assert is_sparse(prepare(recipe, rows, seed=3).train.matrix)
    mine, losses = logits_of(recipe, rows, plain=False)
    theirs, their_losses = logits_of(recipe, rows, plain=True)
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-4)
    assert losses == pytest.approx(their_losses, abs=1e-5)


def test_weighted_rows_weigh_the_same_in_both() -> None:
    rows = make_rows(300)
    recipe = Recipe().edited({**CALM, **SGD})
    prepared = prepare(recipe, rows, seed=0)
    weights = np.random.default_rng(0).gamma(1.0, size=len(prepared.train.labels)).astype(np.float32)
    object.__setattr__(prepared, "weights", weights / weights.mean())
    networks = [train_network(recipe, prepared, seed=1, plain=plain)[0] for plain in (False, True)]
    with torch.no_grad():
        mine, theirs = (network(torch.from_numpy(prepared.train.matrix)) for network in networks)
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-4)
