"""Trainings in a stack come to what each would come to alone."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from test_compiled_steps import CALM, SAME, SGD
from test_train import make_rows

from bindoctor import Recipe, Rows
from bindoctor.history import TrainingFailed
from bindoctor.loop import train_network
from bindoctor.prepare import prepare
from bindoctor.stacked import Member, Trained, stacks, train_stack

torch.set_num_threads(1)
CPU = torch.device("cpu")

EXACT = {name: edits for name, edits in SAME.items() if "dropout" not in name}


def members_of(recipes: list[Recipe], rows: Rows) -> list[Member]:
    """Return trainings on parts of different sizes, as folds are."""
    found = []
    for number, recipe in enumerate(recipes):
        kept = np.arange(number * 3, len(rows))
        prepared = prepare(recipe, rows.take(kept), rows.take(np.arange(40 + number)), seed=number)
        found.append(Member(recipe, prepared, 7 + number))
    return found


def hold_to_the_plain_loop(members: list[Member]) -> None:
    for member, found in zip(members, train_stack(members, CPU), strict=True):
        network, history = train_network(member.recipe, member.prepared, seed=member.seed, plain=True)
        assert isinstance(found, Trained)
        matrix = torch.from_numpy(member.prepared.train.matrix)
        with torch.no_grad():
            assert torch.allclose(found.network(matrix), network(matrix), rtol=0, atol=1e-4)
        assert len(found.history.epochs) == len(history.epochs)
        assert found.history.best_epoch == history.best_epoch
        for name in ("train_loss", "valid_loss", "train_score", "valid_score", "learning_rate", "gradient_norm"):
            assert found.history.curve(name) == pytest.approx(history.curve(name), abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("edits", EXACT.values(), ids=EXACT.keys())
def test_stacked_steps_come_to_the_logits_of_plain_pytorch(edits: Mapping[str, object]) -> None:
    hold_to_the_plain_loop(members_of([Recipe().edited({**CALM, **edits})] * 3, make_rows(300)))


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
def test_stacked_steps_come_to_the_logits_of_plain_pytorch_for_three_classes(edits: Mapping[str, object]) -> None:
    recipe = Recipe().edited({**CALM, **SGD, **edits})
    hold_to_the_plain_loop(members_of([recipe] * 2, make_rows(300, classes=3)))


def test_recipes_of_one_shape_may_differ_in_their_settings() -> None:
    edits: list[dict[str, object]] = [
        {},
        {"optimizer.learning-rate": 0.001, "optimizer.l1": 0.001, "train.epochs": 7},
        {"optimizer.weight-decay": 0.01, "optimizer.clip-norm": 0.1, "loss.class-weight": "balanced"},
        {"train.patience": 2, "loss.label-smoothing": 0.1, "optimizer.schedule": "cosine"},
    ]
    members = members_of([Recipe().edited({**CALM, **SGD, **each}) for each in edits], make_rows(300))
    assert stacks(members) == [[0, 1, 2, 3]]
    hold_to_the_plain_loop(members)


def test_weighted_rows_weigh_the_same() -> None:
    members = members_of([Recipe().edited({**CALM, **SGD})] * 2, make_rows(300))
    for member in members:
        weights = np.random.default_rng(0).gamma(1.0, size=len(member.prepared.train.labels)).astype(np.float32)
        object.__setattr__(member.prepared, "weights", weights / weights.mean())
    hold_to_the_plain_loop(members)


def test_a_member_that_diverges_fails_alone() -> None:
    good = Recipe().edited({**CALM, **SGD})
    wild = good.edited({"optimizer.learning-rate": 1e30})
    members = members_of([good, wild, good], make_rows(300))
    fine, failed, other = train_stack(members, CPU)
    assert isinstance(failed, TrainingFailed) and "the loss became" in str(failed)
    assert isinstance(fine, Trained) and isinstance(other, Trained)
    hold_to_the_plain_loop([members[0], members[2]])


def test_dropout_regularises_the_member_that_has_it() -> None:
    plain = Recipe().edited({**CALM, **SGD, "train.epochs": 60, "train.batch-size": 16})
    members = members_of([plain, plain.edited({"model.dropout": 0.5})], make_rows(300))
    without, with_dropout = train_stack(members, CPU)
    assert isinstance(without, Trained) and isinstance(with_dropout, Trained)
    assert not any(isinstance(layer, torch.nn.Dropout) for layer in without.network)
    _, plainly = train_network(members[1].recipe, members[1].prepared, seed=members[1].seed, plain=True)
    ends = [history.curve("train_loss")[-10:].mean() for history in (without.history, with_dropout.history, plainly)]
    assert ends[1] > 1.1 * ends[0]
    assert ends[1] == pytest.approx(ends[2], rel=0.1)
    (alone,) = train_stack([members[0]], CPU)
    assert isinstance(alone, Trained)
    assert without.history.curve("train_loss") == pytest.approx(alone.history.curve("train_loss"), abs=1e-5)


def test_networks_of_other_shapes_go_into_other_stacks() -> None:
    edits: list[dict[str, object]] = [{}, {"model.hidden": [8]}, {"optimizer.kind": "sgd"}, {"model.dropout": 0.2}]
    assert stacks(members_of([Recipe().edited(each) for each in edits], make_rows(300))) == [[0, 3], [1], [2]]


def test_weights_count_for_how_many_trainings_a_stack_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    members = members_of([Recipe().edited({"model.hidden": [400, 400]})] * 4, make_rows(60))
    monkeypatch.setattr("bindoctor.stacked.MAX_STACKED_NUMBERS", 3_000_000)
    assert [len(stack) for stack in stacks(members)] == [2, 2]
