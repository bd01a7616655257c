"""Learning rates over the epochs."""

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bindoctor.recipe_sections import Optimizer
from bindoctor.schedules import Schedule

Kind = Literal["constant", "cosine", "step", "plateau"]
LOSSES = st.lists(st.floats(0.01, 2.0), min_size=1, max_size=60)


def of_pytorch(kind: Kind, losses: list[float]) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    epochs = len(losses)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=max(1, epochs // 10))
    other: torch.optim.lr_scheduler.LRScheduler | None = None
    if kind == "cosine":
        other = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    elif kind == "step":
        other = torch.optim.lr_scheduler.StepLR(optimizer, step_size=max(1, epochs // 3), gamma=0.1)
    rates = []
    for loss in losses:
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if kind == "plateau":
            plateau.step(loss)
        elif other is not None:
            other.step()
    return rates


@pytest.mark.parametrize("kind", ["constant", "cosine", "step", "plateau"])
@given(losses=LOSSES)
def test_rates_are_those_of_pytorchs_schedulers(kind: Kind, losses: list[float]) -> None:
    schedule = Schedule(Optimizer(kind="sgd", learning_rate=0.5, schedule=kind), len(losses))
    rates = []
    for loss in losses:
        rates.append(schedule.rate)
        schedule.step(loss)
    assert rates == pytest.approx(of_pytorch(kind, losses), rel=1e-9, abs=1e-12)
