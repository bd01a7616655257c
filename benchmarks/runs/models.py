"""The networks that the suites train."""

import torch
from torch import Tensor, nn


def linear(width: int, outputs: int = 1) -> nn.Module:
    """Return logistic regression."""
    return nn.Linear(width, outputs)


def mlp(
    width: int,
    outputs: int = 1,
    *,
    hidden: tuple[int, ...] = (64, 32),
    activation: type[nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    normalised: bool = False,
) -> nn.Sequential:
    """Return a multi-layer perceptron."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers.append(nn.Linear(width, size))
        if normalised:
            layers.append(nn.BatchNorm1d(size))
        layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = size
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def images(outputs: int = 1, *, size: int = 12, normalised: bool = False) -> nn.Sequential:
    """Return a small convolutional network for images of shape (1, size, size)."""
    norm = [nn.BatchNorm2d(8)] if normalised else []
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        *norm,
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )


def filters(outputs: int = 1) -> nn.Sequential:
    """Return a one-dimensional convolutional network for sequences of shape (length, 1)."""
    return nn.Sequential(
        Transposed(),
        nn.Conv1d(1, 16, 7),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Linear(64, outputs),
    )


class Transposed(nn.Module):
    """Turns sequences of shape (n, length, channels) into (n, channels, length)."""

    def forward(self, values: Tensor) -> Tensor:
        """Swap the last two dimensions."""
        return values.transpose(1, 2)


class Recurrent(nn.Module):
    """A recurrent network whose last state is classified."""

    def __init__(self, kind: type[nn.RNNBase], outputs: int = 1, width: int = 1, units: int = 24) -> None:
        super().__init__()
        self.cells = kind(width, units, batch_first=True)
        self.head = nn.Linear(units, outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Return logits of shape (n, outputs)."""
        states, _ = self.cells(values)
        return self.head(states[:, -1])


class Residual(nn.Module):
    """A network of blocks that add to what they are given."""

    def __init__(self, width: int, outputs: int = 1, units: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(width, units)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(units), nn.Linear(units, units), nn.GELU(), nn.Linear(units, units))
            for _ in range(blocks)
        )
        self.head = nn.Linear(units, outputs)

    def forward(self, values: Tensor) -> Tensor:
        """Return logits of shape (n, outputs)."""
        values = self.first(values)
        for block in self.blocks:
            values = values + block(values)
        return self.head(torch.nn.functional.gelu(values))
