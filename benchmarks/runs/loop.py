"""The plain PyTorch loop that the suites train with, as a tutorial has it, and what can be wrong with it."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Faults:
    """What a loop leaves out, or does that it should not."""

    keeps_gradients: bool = False
    validates_in_training_mode: bool = False
    squeezes_outputs: bool = False


NONE = Faults()


def train(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    train_loader: Iterable[tuple[Tensor, Tensor]],
    valid_loader: Iterable[tuple[Tensor, Tensor]] | None,
    *,
    epochs: int,
    patience: int = 0,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    faults: Faults = NONE,
) -> None:
    """Train, and with patience stop after so many epochs without a lower validation loss and go back to the best."""
    best, best_state, waited = float("inf"), None, 0
    for _ in range(epochs):
        model.train()
        for inputs, labels in train_loader:
            if not faults.keeps_gradients:
                optimizer.zero_grad()
            outputs = model(inputs)
            if faults.squeezes_outputs:
                outputs = outputs.squeeze(1)
            loss(outputs, labels).backward()
            optimizer.step()
        if schedule is not None:
            schedule.step()
        if valid_loader is None:
            continue
        if not faults.validates_in_training_mode:
            model.eval()
        total, rows = 0.0, 0
        with torch.no_grad():
            for inputs, labels in valid_loader:
                outputs = model(inputs)
                if faults.squeezes_outputs:
                    outputs = outputs.squeeze(1)
                total += loss(outputs, labels).item() * len(labels)
                rows += len(labels)
        if total / rows < best:
            best, best_state, waited = total / rows, copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
        if patience and waited >= patience:
            break
    if patience and best_state is not None:
        model.load_state_dict(best_state)
