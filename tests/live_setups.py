"""Small models, data and loops that the tests of live trainings share."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bindoctor.live import Watch, watch

WIDTH = 10


def rows(count: int = 256, *, classes: int = 2, share: float = 0.5, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Make inputs, and labels that hang on them: floats of shape (rows, 1), or class numbers past two classes."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, WIDTH, generator=generator)
    score = inputs[:, 0] + inputs[:, 1] + 0.5 * torch.randn(count, generator=generator)
    if classes == 2:
        return inputs * scale, (score > score.quantile(1 - share)).float().unsqueeze(1)
    cuts = score.quantile(torch.linspace(0, 1, classes + 1)[1:-1])
    return inputs * scale, torch.bucketize(score, cuts)


def network(*last: nn.Module, outputs: int = 1, depth: int = 2, unit: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Make a network of layers of 32 units."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    width = WIDTH
    for _ in range(depth):
        layers += [nn.Linear(width, 32), unit()]
        width = 32
    return nn.Sequential(*layers, nn.Linear(width, outputs), *last)


def loader_of(inputs: Tensor, labels: Tensor, size: int = 32, *, shuffle: bool = True) -> DataLoader[Any]:
    """Return a loader of these rows."""
    return DataLoader(TensorDataset(inputs, labels), size, shuffle=shuffle)


def train(
    model: nn.Module,
    loss: Callable[..., Any],
    optimizer: torch.optim.Optimizer,
    loader: Iterable[Any],
    valid: Iterable[Any] | None = None,
    *,
    epochs: int = 3,
    reset: bool = True,
    evaluate: bool = True,
    between: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda outputs, labels: (outputs, labels),
) -> list[float]:
    """Train as a user's loop does, and return the losses step by step."""
    losses = []
    for _ in range(epochs):
        model.train()
        for inputs, labels in loader:
            if reset:
                optimizer.zero_grad()
            value = loss(*between(model(inputs), labels))
            value.backward()
            optimizer.step()
            losses.append(value.item())
        if valid is not None:
            if evaluate:
                model.eval()
            with torch.no_grad():
                for inputs, labels in valid:
                    loss(*between(model(inputs), labels))
    return losses


def watched(
    model: nn.Module,
    loss: Callable[..., Any],
    data: tuple[Tensor, Tensor],
    *,
    rate: float = 1e-3,
    parameters: Iterable[nn.Parameter] | None = None,
    **loop: Any,
) -> Watch:
    """Train a model with Adam on three quarters of the rows, watched, and return the watch."""
    torch.manual_seed(0)
    inputs, labels = data
    cut = 3 * len(inputs) // 4
    loader = loader_of(inputs[:cut], labels[:cut])
    valid = loader_of(inputs[cut:], labels[cut:], shuffle=False)
    optimizer = torch.optim.Adam(list(model.parameters() if parameters is None else parameters), rate)
    with watch(model, loss, optimizer, loader, valid) as w:
        train(model, loss, optimizer, loader, valid, **loop)
    return w


def loud(w: Watch) -> list[str]:
    """Return the codes of the family 5 findings and of learning rates that are no notes, loudest first."""
    return [
        finding.code
        for finding in w.findings
        if finding.severity != "note" and (finding.code.startswith("BD5") or finding.code == "BD302")
    ]
