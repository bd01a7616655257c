"""Watching changes nothing, and sees what the loop does."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from live_setups import WIDTH, loader_of, loud, network, rows, train, watched
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import Dataset

import bindoctor
from bindoctor.errors import InputError

BINARY = nn.BCEWithLogitsLoss()


def _with_everything() -> nn.Sequential:
    """Make a model whose state moves in training in every way: dropout, running statistics, plain weights."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))


def _hooks(model: nn.Module) -> int:
    return sum(len(hooks) for one in model.modules() for name, hooks in vars(one).items() if name.endswith("_hooks"))


def _random_state() -> tuple[Any, ...]:
    numbers: Any = np.random.get_state(legacy=True)
    return random.getstate(), numbers[1].tolist(), torch.get_rng_state().tolist()


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_watched_training_is_the_bare_one_to_the_last_bit() -> None:
    results = []
    for watching in (False, True):
        model = _with_everything()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        torch.manual_seed(3)
        loader, valid = loader_of(*rows()), loader_of(*rows(), shuffle=False)
        if watching:
            with bindoctor.watch(model, BINARY, optimizer, loader, valid):
                losses = train(model, BINARY, optimizer, loader, valid, epochs=4)
        else:
            losses = train(model, BINARY, optimizer, loader, valid, epochs=4)
        results.append((losses, model.state_dict(), torch.rand(3)))
    (losses, state, after), (watched_losses, watched_state, watched_after) = results
    assert losses == watched_losses
    assert _equal(state, watched_state)
    assert torch.equal(after, watched_after)


@pytest.mark.parametrize("training", [True, False])
def test_a_preflight_leaves_everything_as_it_was(training: bool) -> None:
    model = _with_everything().train(training)
    model[0].weight.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    loader = loader_of(*rows())
    model[4].weight.grad = torch.ones_like(model[4].weight)  # type: ignore[arg-type]
    state, modes, hooks, numbers = copy.deepcopy(model.state_dict()), model.training, _hooks(model), _random_state()
    trainable = [p.requires_grad for p in model.parameters()]
    bindoctor.preflight(model, BINARY, optimizer, loader)
    assert _equal(state, model.state_dict())
    assert model.training is modes and all(one.training is modes for one in model.modules())
    assert _hooks(model) == hooks
    assert _random_state() == numbers
    assert [p.requires_grad for p in model.parameters()] == trainable
    assert [p.grad is not None for p in model.parameters()] == [False] * 4 + [True, False]
    assert bool((model[4].weight.grad == 1).all())


class DrawingRows(Dataset[tuple[Tensor, Tensor]]):
    """Rows with noise drawn from the random numbers of Python and NumPy."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        noise = random.random() + np.random.random()
        return torch.full((WIDTH,), index + noise), torch.tensor([float(index % 2)])


@pytest.mark.parametrize("workers", [0, 2])
def test_the_order_and_the_noise_of_a_loader_stay(workers: int) -> None:
    orders = []
    for look in (False, True):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        generator = torch.Generator().manual_seed(5)
        loader = torch.utils.data.DataLoader(DrawingRows(), 16, shuffle=True, generator=generator, num_workers=workers)
        if look:
            model = network()
            bindoctor.preflight(model, BINARY, torch.optim.Adam(model.parameters()), loader)
        quick = torch.utils.data.DataLoader(DrawingRows(), 16, shuffle=True, generator=generator)
        orders.append(torch.cat([inputs[:, 0] for inputs, _ in quick]))
    assert torch.equal(*orders)


def test_an_exception_in_the_loop_goes_on_its_way_and_leaves_no_hook() -> None:
    model, loss = network(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters())
    before = _hooks(model)
    with (
        pytest.raises(ZeroDivisionError),
        bindoctor.watch(model, loss, optimizer, loader_of(*rows())) as w,
    ):
        train(model, loss, optimizer, loader_of(*rows()), epochs=1)
        raise ZeroDivisionError
    assert _hooks(model) == before and _hooks(loss) == 0
    assert not optimizer._optimizer_step_pre_hooks and not optimizer._optimizer_step_post_hooks
    assert len(w.history.epochs) == 1


def test_the_history_holds_what_the_loop_computed() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    inputs, labels = rows()
    loader, valid = loader_of(inputs, labels), loader_of(inputs[:70], labels[:70], 32, shuffle=False)
    with bindoctor.watch(model, BINARY, optimizer, loader, valid) as w:
        losses = train(model, BINARY, optimizer, loader, valid, epochs=3)
    history = w.history
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3]
    means = [sum(losses[i : i + len(loader)]) / len(loader) for i in range(0, len(losses), len(loader))]
    assert [epoch.train_loss for epoch in history.epochs] == pytest.approx(means)
    model.eval()
    with torch.no_grad():
        outputs = model(inputs[:70])
    last = history.epochs[-1]
    assert last.valid_loss == pytest.approx(float(BINARY(outputs, labels[:70])), abs=1e-6)
    assert last.valid_score == pytest.approx(float(((outputs > 0).float() == labels[:70]).float().mean()))
    assert last.learning_rate == 0.01
    (loss,) = [one for one in history.series if (one.part, one.metric) == ("train", "loss")]
    assert loss.values == pytest.approx(losses, abs=1e-6) and loss.steps == tuple(range(len(losses)))
    assert history.entropy_scale is True


def test_the_answers_of_the_last_validation_are_kept() -> None:
    w = watched(network(outputs=3), nn.CrossEntropyLoss(), rows(classes=3))
    predictions = w.predictions
    assert predictions is not None
    assert predictions.classes == ("0", "1", "2")
    assert predictions.truth.tolist() == rows(classes=3)[1][192:].tolist()
    assert predictions.probability.sum(1) == pytest.approx(1.0)


def test_a_loss_function_is_watched_where_the_loop_calls_it_through_the_watch() -> None:
    model, loss = network(), F.binary_cross_entropy_with_logits
    optimizer, loader = torch.optim.Adam(model.parameters()), loader_of(*rows())
    with bindoctor.watch(model, loss, optimizer, loader) as w:
        losses = train(model, w.loss, optimizer, loader, epochs=2)
    assert w.history.epochs[0].train_loss == pytest.approx(sum(losses[:8]) / 8)


def test_values_can_be_handed_over() -> None:
    model = network()
    optimizer, loader = torch.optim.Adam(model.parameters()), loader_of(*rows())
    with bindoctor.watch(model, F.binary_cross_entropy_with_logits, optimizer, loader) as w:
        for epoch in range(2):
            train(model, F.binary_cross_entropy_with_logits, optimizer, loader, epochs=1)
            w.log(loss=0.5 - epoch / 10, valid_loss=0.6, valid_accuracy=0.7)
        with pytest.raises(InputError, match="'val_auc' is not known"):
            w.log(val_auc=0.5)
    assert [(e.train_loss, e.valid_loss, e.valid_score) for e in w.history.epochs] == [(0.5, 0.6, 0.7), (0.4, 0.6, 0.7)]


def test_an_iterator_is_left_to_the_training() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())

    def stream() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(20):
            yield rows(32)

    batches = stream()
    with pytest.raises(InputError, match="would be lost to the training"):
        bindoctor.preflight(model, BINARY, optimizer, batches)
    with bindoctor.watch(model, BINARY, optimizer, batches) as w:
        assert len(train(model, BINARY, optimizer, batches, epochs=1)) == 20
    assert w.inspection is not None and w.inspection.takes == "logits"


class Own(nn.Module):
    """Returns its loss and its logits, as models of Hugging Face do."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network(outputs=2)

    def forward(self, values: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.net(values)
        return {"logits": logits} if labels is None else {"loss": F.cross_entropy(logits, labels), "logits": logits}


def test_a_model_that_returns_its_loss_is_watched_with_mappings() -> None:
    model = Own()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    inputs, labels = rows()
    batches = [
        {"values": inputs[i : i + 32], "labels": labels[i : i + 32, 0].long()} for i in range(0, len(inputs), 32)
    ]
    with bindoctor.watch(model, None, optimizer, batches) as w:
        for _ in range(3):
            for batch in batches:
                optimizer.zero_grad()
                model(**batch)["loss"].backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for batch in batches:
                    model(**batch)
            model.train()
    history = w.history
    assert len(history.epochs) == 3
    assert history.epochs[-1].valid_loss is not None and history.epochs[-1].valid_loss < 0.6
    assert history.epochs[-1].valid_score is not None and history.epochs[-1].valid_score > 0.7


def test_a_model_that_cannot_be_copied_is_put_back() -> None:
    class Keeping(nn.Module):
        """Keeps a tensor with its graph, which cannot be copied."""

        def __init__(self) -> None:
            super().__init__()
            self.net = _with_everything()
            self.kept = self.net[0].weight.sum()  # type: ignore[operator]

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.net(x)
            return out

    model = Keeping()
    state = copy.deepcopy(model.state_dict())
    found = bindoctor.preflight(model, BINARY, torch.optim.Adam(model.parameters()), rows())
    assert found.inspection.first_loss == pytest.approx(0.7, abs=0.2)
    assert _equal(state, model.state_dict()) and model.training and _hooks(model) == 0


def test_a_batch_that_the_model_does_not_take_is_said_in_one_line() -> None:
    model = network()
    with pytest.raises(InputError, match="the model cannot be called with the inputs of a batch"):
        bindoctor.preflight(model, BINARY, None, (torch.zeros(8, 3), torch.zeros(8, 1)))
    with bindoctor.watch(
        model, BINARY, torch.optim.Adam(model.parameters()), [(torch.zeros(8, 3), torch.zeros(8))]
    ) as w:
        pass
    assert "not looked at before training" in w.remarks[0]


@pytest.mark.parametrize(
    ("model", "loader", "says"),
    [
        ("a name", [], "not a PyTorch module"),
        (nn.Linear(2, 1), [], "gives no batch"),
        (nn.Linear(2, 1), [torch.zeros(4, 2)], "not \\(inputs, labels\\)"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(model: Any, loader: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        bindoctor.preflight(model, BINARY, None, loader)


def test_the_report_is_shown_on_a_terminal_and_in_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    w = watched(network(nn.Sigmoid()), BINARY, rows())
    report = w.report()
    shown = capsys.readouterr().out
    assert "BD501 output-loss-mismatch" in shown and "BCEWithLogitsLoss" in shown and "18 steps" in shown
    assert report.findings[0].code == "BD501"
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["code"] == "BD501"
    assert "output-loss-mismatch" in w._repr_html_() and "output-loss-mismatch" in str(w)


def test_html_escapes_what_a_model_calls_itself() -> None:
    named = type("<script>alert(1)</script>", (nn.Linear,), {})
    model = named(WIDTH, 1)
    html = bindoctor.preflight(model, BINARY, torch.optim.Adam(model.parameters()), rows())._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_a_terminal_is_not_steered_by_what_a_model_calls_itself() -> None:
    named = type("\x1b[2Jgone", (nn.Linear,), {})
    model = named(WIDTH, 1)
    text = str(bindoctor.preflight(model, BINARY, torch.optim.Adam(model.parameters()), rows()))
    assert "\x1b" not in text


def test_the_class_shares_are_counted_from_the_loader() -> None:
    w = watched(network(), BINARY, rows(400, share=0.25))
    assert w.task.shares == pytest.approx((0.75, 0.25), abs=0.05)
    assert (w.task.train_rows, w.task.valid_rows) == (300, 100)


def test_layers_of_a_shared_weight_and_a_loss_with_weights_of_its_own_are_no_fault() -> None:
    class Weighted(nn.Module):
        """Learns a temperature beside the model."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
            return F.binary_cross_entropy_with_logits(outputs * self.scale, labels)

    shared = nn.Linear(WIDTH, WIDTH)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(WIDTH, 1))
    loss = Weighted()
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()])
    assert bindoctor.preflight(model, loss, optimizer, rows()).findings == ()


def test_sparse_gradients_are_watched() -> None:
    model = nn.Sequential(nn.EmbeddingBag(50, 8, sparse=True), nn.Linear(8, 1))
    inputs, labels = torch.randint(0, 50, (128, 6)), torch.randint(0, 2, (128, 1)).float()
    optimizer, loader = torch.optim.SGD(model.parameters(), 0.1), loader_of(inputs, labels)
    with bindoctor.watch(model, BINARY, optimizer, loader) as w:
        train(model, BINARY, optimizer, loader)
    assert loud(w) == [] and w.remarks == ()


def test_a_fault_in_watching_does_not_stop_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    optimizer, loader = torch.optim.Adam(model.parameters()), loader_of(*rows())
    with bindoctor.watch(model, BINARY, optimizer, loader) as w:
        assert w._hooks is not None

        def fails(*_: object) -> None:
            raise RuntimeError("no more")

        monkeypatch.setattr(w._hooks.passes, "add", fails)
        assert len(train(model, BINARY, optimizer, loader)) == 24
    assert w.remarks == ("watching ended early: RuntimeError: no more",)
    assert _hooks(model) == 0


def test_the_training_rows_evaluated_before_the_validation_rows_are_left_out() -> None:
    model, (inputs, labels) = network(), rows()
    optimizer, loader = torch.optim.Adam(model.parameters(), 0.01), loader_of(inputs, labels)
    valid = loader_of(inputs[:60], labels[:60], shuffle=False)
    with bindoctor.watch(model, BINARY, optimizer, loader, valid) as w:
        for _ in range(2):
            train(model, BINARY, optimizer, loader, [*loader, *valid], epochs=1)
    model.eval()
    with torch.no_grad():
        expected = float(BINARY(model(inputs[:60]), labels[:60]))
    assert w.history.epochs[-1].valid_loss == pytest.approx(expected, abs=1e-6)
    assert w.predictions is not None and len(w.predictions.truth) == 60


@pytest.mark.parametrize("goes_on", [False, True])
def test_weights_that_are_put_back_at_the_end_are_those_of_the_best_epoch(goes_on: bool) -> None:
    model, loss = network(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters())
    loader, valid = loader_of(*rows()), loader_of(*rows(64), shuffle=False)
    with bindoctor.watch(model, loss, optimizer, loader, valid) as w:
        train(model, loss, optimizer, loader, valid)
        assert w.history.best_restored is None
        model.load_state_dict(copy.deepcopy(model.state_dict()))
        assert w.history.best_restored is True
        if goes_on:
            train(model, loss, optimizer, loader, valid, epochs=1)
    assert w.history.best_restored is (None if goes_on else True)
    model.load_state_dict(model.state_dict())
