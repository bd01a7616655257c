"""The network and the training loop as somebody has them: nothing here knows of bindoctor."""

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

EPOCHS = 60
BATCH_SIZE = 64
LEARNING_RATE = 1e-3


class Net(nn.Module):
    """Two hidden layers, and one logit for two classes."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        """Make the layers."""
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.first_act = nn.ReLU()
        self.second = nn.Linear(width, width)
        self.second_act = nn.ReLU()
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, outputs)."""
        x = self.first_act(self.first(x))
        x = self.second_act(self.second(x))
        answer: Tensor = self.head(x)
        return answer


def make_model(inputs: int, outputs: int, width: int = 64) -> nn.Module:
    """Return an untrained network; bindoctor.toml names this function."""
    return Net(inputs, outputs, width)


def main() -> None:
    """Train on four fifths of the rows and say how well the rest is answered."""
    with Path(__file__).with_name("readings.csv").open() as file:
        header, *rows = csv.reader(file)
    x = torch.tensor(np.array([row[:-1] for row in rows], dtype=np.float32))
    y = torch.tensor([[float(row[-1] == "yes")] for row in rows])
    torch.manual_seed(0)
    order = torch.randperm(len(x))
    train, valid = order[: len(x) * 4 // 5], order[len(x) * 4 // 5 :]
    model, loss = make_model(len(header) - 1, 1), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        for batch in train[torch.randperm(len(train))].split(BATCH_SIZE):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(f"epoch {epoch}: validation loss {loss(model(x[valid]), y[valid]).item():.4f}")


if __name__ == "__main__":
    main()
