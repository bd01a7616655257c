"""A broken training is told by its cause, and a healthy one is left in peace."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from live_setups import WIDTH, loud, network, rows, train, watched
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from bindoctor.before import preflight
from bindoctor.live import Watch, watch

BINARY = nn.BCEWithLogitsLoss()
Setup = Callable[[], Watch]


def _frozen(*layers: int, trained: bool = False) -> nn.Sequential:
    model = network()
    for layer in layers:
        for parameter in model[layer].parameters():
            parameter.requires_grad_(False)
            if trained:
                parameter.mul_(3.0 * torch.rand(()) + 1)
    return model


def _filled(value: float) -> nn.Sequential:
    model = network()
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def _dead() -> nn.Sequential:
    model = network()
    nn.init.constant_(model[0].bias, -100.0)  # type: ignore[arg-type]
    return model


def _saturated() -> nn.Sequential:
    model = network(unit=nn.Tanh)
    with torch.no_grad():
        model[0].weight.mul_(100.0)  # type: ignore[operator]
        model[2].weight.mul_(50.0)  # type: ignore[operator]
    return model


class InAPlainList(nn.Module):
    """Keeps its hidden layers where PyTorch does not look."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(WIDTH, 32), nn.Linear(32, 32)]
        self.last = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = layer(x).relu()
        out: Tensor = self.last(x)
        return out


class Cut(nn.Module):
    """Cuts the graph behind its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.first(x).relu().detach())
        return out


class AlwaysDropping(nn.Module):
    """Calls dropout as a function, which knows nothing of modes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(F.dropout(self.first(x).relu(), 0.5))
        return out


class Halved(nn.Module):
    """A user's own sigmoid, made of another function."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * x.tanh()


class OwnBinary(nn.Module):
    """A user's own binary cross-entropy, which broadcasts in silence."""

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (F.softplus(outputs) - outputs * labels).mean()


class Focal(nn.Module):
    """A user's own focal loss."""

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        plain = F.binary_cross_entropy_with_logits(outputs, labels, reduction="none")
        return ((1 - torch.exp(-plain)) ** 2 * plain).mean()


def _flat() -> tuple[Tensor, Tensor]:
    inputs, labels = rows()
    return inputs, labels.squeeze(1)


def _mapped(scale: float, shift: float) -> tuple[Tensor, Tensor]:
    inputs, labels = rows()
    return inputs, labels * scale + shift


def _numbered_from(first: int) -> tuple[Tensor, Tensor]:
    inputs, labels = rows(classes=3)
    return inputs, labels + first


def _with_one(value: float) -> tuple[Tensor, Tensor]:
    inputs, labels = rows()
    inputs[5, 3] = value
    return inputs, labels


def _dropping() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))


def _normalising() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1))


def _missing_from_the_optimizer() -> Watch:
    model = network()
    return watched(model, BINARY, rows(), parameters=[*model[0].parameters(), *model[4].parameters()])


def _elsewhere() -> Watch:
    return watched(network(), BINARY, rows(), parameters=network().parameters())


BROKEN: dict[str, tuple[str, Setup]] = {
    "learning rate a thousand times too high": ("BD302", lambda: watched(network(), BINARY, rows(), rate=1.0)),
    "learning rate a thousand times too low": ("BD302", lambda: watched(network(), BINARY, rows(), rate=1e-6)),
    "inputs of a million": ("BD511", lambda: watched(network(), BINARY, rows(scale=1e6))),
    "NaN in an input": ("BD511", lambda: watched(network(), BINARY, _with_one(torch.nan))),
    "infinity in an input": ("BD511", lambda: watched(network(), BINARY, _with_one(torch.inf))),
    "sigmoid before a logits loss": ("BD501", lambda: watched(network(nn.Sigmoid()), BINARY, rows())),
    "sigmoid before an own logits loss": ("BD501", lambda: watched(network(nn.Sigmoid()), Focal(), rows())),
    "own sigmoid before a logits loss": ("BD501", lambda: watched(network(Halved()), BINARY, rows())),
    "softmax over one output": ("BD501", lambda: watched(network(nn.Softmax(1)), nn.BCELoss(), rows())),
    "softmax before cross-entropy": (
        "BD501",
        lambda: watched(network(nn.Softmax(1), outputs=3), nn.CrossEntropyLoss(), rows(classes=3)),
    ),
    "probabilities into NLLLoss": (
        "BD501",
        lambda: watched(network(nn.Softmax(1), outputs=3), nn.NLLLoss(), rows(classes=3)),
    ),
    "ReLU as output": ("BD501", lambda: watched(network(nn.ReLU()), BINARY, rows())),
    "labels -1 and 1": ("BD507", lambda: watched(network(), BINARY, _mapped(2, -1))),
    "labels 1 and 2": ("BD507", lambda: watched(network(), BINARY, _mapped(1, 1))),
    "(n,) against (n, 1)": ("BD507", lambda: watched(network(), OwnBinary(), _flat())),
    "no zero_grad": ("BD510", lambda: watched(network(), BINARY, rows(), reset=False)),
    "dropout in validation": ("BD509", lambda: watched(_dropping(), BINARY, rows(), evaluate=False)),
    "batch statistics in validation": ("BD509", lambda: watched(_normalising(), BINARY, rows(), evaluate=False)),
    "dropout that knows no mode": ("BD509", lambda: watched(AlwaysDropping(), BINARY, rows())),
    "last layer frozen": ("BD506", lambda: watched(_frozen(4), BINARY, rows())),
    "random layer frozen": ("BD506", lambda: watched(_frozen(2), BINARY, rows())),
    "a layer missing from the optimizer": ("BD506", _missing_from_the_optimizer),
    "the optimizer of another model": ("BD506", _elsewhere),
    "layers in a plain list": ("BD506", lambda: watched(InAPlainList(), BINARY, rows())),
    "a cut graph": ("BD506", lambda: watched(Cut(), BINARY, rows())),
    "all weights zero": ("BD503", lambda: watched(_filled(0.0), BINARY, rows())),
    "all weights alike": ("BD503", lambda: watched(_filled(0.1), BINARY, rows())),
    "deep sigmoid network": ("BD503", lambda: watched(network(depth=10, unit=nn.Sigmoid), BINARY, rows())),
    "dead units": ("BD502", lambda: watched(_dead(), BINARY, rows())),
    "saturated units": ("BD505", lambda: watched(_saturated(), BINARY, rows())),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_training_is_told_by_its_cause(name: str) -> None:
    code, setup = BROKEN[name]
    w = setup()
    assert w.findings[0].code == code, [(f.code, f.message) for f in w.findings]
    assert loud(w) == [code]


REFUSED: dict[str, tuple[str, nn.Module, nn.Module, tuple[Tensor, Tensor]]] = {
    "(n,) against (n, 1)": ("BD507", network(), BINARY, _flat()),
    "integer labels for a binary loss": ("BD507", network(), BINARY, (rows()[0], rows()[1].long())),
    "float class numbers": ("BD507", network(outputs=2), nn.CrossEntropyLoss(), _flat()),
    "class numbers from 1 on": (
        "BD507",
        network(outputs=3),
        nn.CrossEntropyLoss(),
        (rows()[0], rows(classes=3)[1] + 1),
    ),
    "logits into BCELoss": ("BD501", network(), nn.BCELoss(), rows()),
    "one output into cross-entropy": ("BD501", network(), nn.CrossEntropyLoss(), (rows()[0], rows()[1].long()[:, 0])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_loss_refuses_is_found_before_training(name: str) -> None:
    code, model, loss, data = REFUSED[name]
    found = preflight(model, loss, torch.optim.Adam(model.parameters()), data)
    assert [finding.code for finding in found.findings if finding.severity == "error"] == [code]


class Recurrent(nn.Module):
    """Reads ten numbers one after the other."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cells, self.last = nn.LSTM(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.cells(x.unsqueeze(2))[0][:, -1])
        return out


def _convolving() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Unflatten(1, (1, WIDTH)), nn.Conv1d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1)]
    return nn.Sequential(*layers)


def _prior_bias() -> nn.Sequential:
    model = network()
    nn.init.zeros_(model[4].weight)  # type: ignore[arg-type]
    nn.init.constant_(model[4].bias, -3.0)  # type: ignore[arg-type]
    return model


def _logistic() -> nn.Linear:
    model = nn.Linear(WIDTH, 1)
    nn.init.zeros_(model.weight)
    return model


def _between_zero_and_one() -> nn.Sequential:
    """Make a network whose logits start within [0, 1], and whose hidden units never let large inputs through."""
    model = network(unit=nn.Sigmoid)
    nn.init.constant_(model[4].bias, 0.5)  # type: ignore[arg-type]
    with torch.no_grad():
        model[4].weight.mul_(0.1)  # type: ignore[operator]
    return model


HEALTHY: dict[str, Setup] = {
    "logits that start between 0 and 1": lambda: watched(_between_zero_and_one(), BINARY, rows()),
    "network": lambda: watched(network(), BINARY, rows()),
    "logistic regression from zero": lambda: watched(_logistic(), BINARY, rows()),
    "tanh units": lambda: watched(network(unit=nn.Tanh), BINARY, rows()),
    "wide inputs that the model normalises": lambda: watched(
        nn.Sequential(nn.BatchNorm1d(WIDTH), *network()), BINARY, rows(scale=100.0)
    ),
    "dropout": lambda: watched(_dropping(), BINARY, rows()),
    "batch normalisation": lambda: watched(_normalising(), BINARY, rows()),
    "LSTM": lambda: watched(Recurrent(), BINARY, rows()),
    "CNN": lambda: watched(_convolving(), BINARY, rows()),
    "1 in 50": lambda: watched(network(), BINARY, rows(1000, share=0.02)),
    "sigmoid and BCELoss": lambda: watched(network(nn.Sigmoid()), nn.BCELoss(), rows()),
    "cross-entropy": lambda: watched(network(outputs=3), nn.CrossEntropyLoss(), rows(classes=3)),
    "log-softmax and NLLLoss": lambda: watched(network(nn.LogSoftmax(1), outputs=3), nn.NLLLoss(), rows(classes=3)),
    "own focal loss": lambda: watched(network(), Focal(), rows()),
    "starts at the class shares": lambda: watched(_prior_bias(), BINARY, rows(share=0.05)),
    "the loop fits shapes and types": lambda: watched(
        network(),
        BINARY,
        (rows()[0], rows()[1].squeeze(1).long()),
        between=lambda outputs, labels: (outputs.squeeze(1), labels.float()),
    ),
    "the loop maps labels": lambda: watched(
        network(), BINARY, _mapped(2, -1), between=lambda outputs, labels: (outputs, (labels + 1) / 2)
    ),
    "the loop applies the sigmoid": lambda: watched(
        network(), nn.BCELoss(), rows(), between=lambda outputs, labels: (torch.sigmoid(outputs), labels)
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_is_left_in_peace(name: str) -> None:
    assert loud(HEALTHY[name]()) == []


def test_a_trained_backbone_may_be_frozen() -> None:
    w = watched(_frozen(0, trained=True), BINARY, rows())
    (finding,) = [one for one in w.findings if one.code == "BD506"]
    assert finding.severity == "note"


def test_an_optimizer_that_makes_no_step_is_named() -> None:
    model, (inputs, labels) = network(), rows()
    optimizer, other = torch.optim.Adam(model.parameters()), torch.optim.Adam(model.parameters())
    loader = [(inputs[:32], labels[:32])] * 20
    with watch(model, BINARY, optimizer, loader) as w:
        train(model, BINARY, other, loader, epochs=1)
    assert "made no step in 20 backward passes" in w.findings[0].message


def test_adding_up_gradients_before_a_step_is_no_fault() -> None:
    model, (inputs, labels) = network(), rows()
    optimizer = torch.optim.Adam(model.parameters())
    with watch(model, BINARY, optimizer, [(inputs, labels)]) as w:
        for step in range(24):
            BINARY(model(inputs), labels).backward()
            if step % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    assert loud(w) == []
    assert w.inspection is not None and w.inspection.training is not None
    assert (w.inspection.training.steps, w.inspection.training.backwards) == (6, 24)


def test_a_model_that_cannot_learn_rows_by_heart_is_named() -> None:
    class Blind(nn.Module):
        """Answers every row from the mean of the batch."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(WIDTH, 64), nn.Linear(64, 1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.last(self.first(x.mean(0, keepdim=True).expand_as(x)).tanh())
            return out

    model = Blind()
    found = preflight(model, BINARY, torch.optim.Adam(model.parameters()), rows())
    assert found.findings[0].code == "BD508"


def test_preflight_takes_a_loop_s_own_change_as_a_loss() -> None:
    model = network()
    inputs, labels = rows()

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(outputs.squeeze(1), truth.float())

    found: Any = preflight(model, loss, torch.optim.Adam(model.parameters()), (inputs, labels.squeeze(1).long()))
    assert found.findings == ()
    assert found.expects.takes == "logits" and found.expects.nats
