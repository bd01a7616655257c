"""The callbacks of other libraries, held by what those libraries hand to them."""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from live_setups import loader_of, network, rows, train
from torch import nn

from bindoctor.errors import InputError

BINARY = nn.BCEWithLogitsLoss()
LIBRARIES = {
    "skorch": ("skorch.callbacks", "skorch", "pip install skorch"),
    "transformers": ("transformers", "transformers", r"pip install 'transformers\[torch\]'"),
    "lightning": ("lightning.pytorch", "pytorch_lightning", "pip install lightning"),
}


def _callback(monkeypatch: pytest.MonkeyPatch, name: str, **names: type) -> Any:
    """Import a callback beside a library that has these classes and no others."""
    path = LIBRARIES[name][0]
    for start in range(len(path.split("."))):
        part = ".".join(path.split(".")[: start + 1])
        module = ModuleType(part)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, part, module)
    monkeypatch.delitem(sys.modules, f"bindoctor.callbacks.{name}", raising=False)
    return importlib.import_module(f"bindoctor.callbacks.{name}").BinDoctor


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path, other, command = LIBRARIES[name]
    for blocked in {path, path.partition(".")[0], other}:
        monkeypatch.setitem(sys.modules, blocked, None)
    monkeypatch.delitem(sys.modules, f"bindoctor.callbacks.{name}", raising=False)
    with pytest.raises(InputError, match=command):
        importlib.import_module(f"bindoctor.callbacks.{name}")


def test_a_skorch_net_is_watched(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    callback = _callback(monkeypatch, "skorch", Callback=object)()
    model = network(nn.Sigmoid())
    net = SimpleNamespace(
        module_=model,
        criterion_=BINARY,
        optimizer_=torch.optim.Adam(model.parameters()),
        get_dataset=lambda X, y: (X, y),
        get_iterator=lambda dataset, training: loader_of(*dataset),
    )
    inputs, labels = rows()
    callback.on_train_begin(net, X=inputs, y=labels)
    train(model, BINARY, net.optimizer_, loader_of(inputs, labels), epochs=2)
    callback.on_train_end(net)
    assert callback.watch_.findings[0].code == "BD501"
    assert "BD501" in capsys.readouterr().out
    assert not model._forward_hooks


class OwnLoss(nn.Module):
    """Returns its loss beside its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network(outputs=2)

    def forward(self, values: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.net(values)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def test_a_hugging_face_trainer_is_watched(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    callback = _callback(monkeypatch, "transformers", TrainerCallback=object)()
    model = OwnLoss()
    optimizer = torch.optim.SGD(model.parameters(), 50.0)
    inputs, labels = rows()
    batches = [{"values": inputs[i : i + 32], "labels": labels[i : i + 32, 0].long()} for i in range(0, 256, 32)]
    callback.on_train_begin(
        None, None, None, model=model, optimizer=SimpleNamespace(optimizer=optimizer), train_dataloader=batches
    )
    for batch in batches * 2:
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()
    callback.on_train_end(None, SimpleNamespace(is_world_process_zero=True), None)
    assert len(callback.watch.history.epochs) == 2
    assert callback.watch.findings[0].code == "BD302"
    assert "learning-rate-extreme" in capsys.readouterr().out


class LightningModule(nn.Module):
    """Stands for Lightning's own, whose ``forward`` a user need not define."""


def test_a_lightning_trainer_is_watched_through_the_network_that_its_module_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    callback = _callback(monkeypatch, "lightning", Callback=object, LightningModule=LightningModule)(quiet=True)

    class Mine(LightningModule):
        """Calls its network, and not itself, in a training step."""

        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss = network(nn.Sigmoid()), nn.BCEWithLogitsLoss()

    mine, (inputs, labels) = Mine(), rows()
    loader = loader_of(inputs, labels)
    optimizer = torch.optim.Adam(mine.parameters())
    trainer = SimpleNamespace(
        optimizers=[optimizer],
        train_dataloader=loader,
        val_dataloaders=None,
        callback_metrics={"val_loss": torch.tensor(0.5)},
        is_global_zero=True,
    )
    callback.on_train_start(trainer, mine)
    train(mine.net, mine.loss, optimizer, loader, epochs=2)
    callback.on_train_epoch_end(trainer, mine)
    callback.on_train_end(trainer, mine)
    assert callback.watch.findings[0].code == "BD501"
    assert not mine.net._forward_hooks


def test_lightning_s_logged_values_stand_in_for_a_loss_that_cannot_be_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    binary = nn.functional.binary_cross_entropy_with_logits
    callback = _callback(monkeypatch, "lightning", Callback=object, LightningModule=LightningModule)(binary, quiet=True)
    model, (inputs, labels) = network(), rows()
    loader = loader_of(inputs, labels)
    optimizer = torch.optim.Adam(model.parameters())
    metrics = {"val_loss": torch.tensor(0.5), "other": torch.tensor(1.0)}
    trainer = SimpleNamespace(
        optimizers=[optimizer], train_dataloader=loader, val_dataloaders=None, callback_metrics=metrics
    )
    callback.on_train_start(trainer, model)
    train(model, binary, optimizer, loader, epochs=1)
    callback.on_train_epoch_end(trainer, model)
    callback.on_exception(trainer, model, KeyboardInterrupt())
    assert [epoch.valid_loss for epoch in callback.watch.history.epochs] == [0.5]
    assert not model._forward_hooks
