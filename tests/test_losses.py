"""What training minimises has the gradient that its name promises."""

import msgspec
import pytest
import torch

from bindoctor.losses import binary_targets, build_objective, class_weights
from bindoctor.recipe_sections import Loss

CPU = torch.device("cpu")


def gradient(loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    one = logits.clone().requires_grad_()
    weights = class_weights(loss, torch.bincount(labels, minlength=2).tolist())
    targets = binary_targets(loss, labels)
    build_objective(loss, 1, weights, CPU)(one, targets).backward()  # type: ignore[no-untyped-call]
    assert one.grad is not None
    return one.grad


def some_logits() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 4 * torch.randn(50, 1, generator=generator), (torch.rand(50, generator=generator) < 0.3).long()


def test_focal_loss_without_focus_is_half_of_bce() -> None:
    logits, labels = some_logits()
    unfocused = Loss(kind="focal", focal_alpha=0.5, focal_gamma=0)
    assert torch.allclose(gradient(unfocused, logits, labels), gradient(Loss(), logits, labels) / 2, atol=1e-7)


def test_focal_loss_cares_less_for_easy_rows() -> None:
    easy, hard, labels = torch.tensor([[4.0]]), torch.tensor([[-1.0]]), torch.tensor([1])
    focal = Loss(kind="focal", focal_alpha=0.5)
    share = [float(gradient(focal, z, labels) / gradient(Loss(), z, labels)) for z in (easy, hard)]
    assert share[0] < 0.01 < share[1]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_has_a_gradient_where_the_answer_is_certain(gamma: float) -> None:
    labels = torch.tensor([1, 0])
    found = gradient(Loss(kind="focal", focal_gamma=gamma), torch.tensor([[200.0], [-200.0]]), labels)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("loss", [Loss(), Loss(kind="focal"), Loss(label_smoothing=0.1)], ids=str)
def test_a_positive_weight_multiplies_the_gradient_of_positive_rows(loss: Loss) -> None:
    logits, labels = some_logits()
    plain = gradient(loss, logits, labels)
    heavy = gradient(msgspec.structs.replace(loss, class_weight=3.0), logits, labels)
    if loss.label_smoothing == 0:
        assert torch.allclose(heavy[labels == 1], 3 * plain[labels == 1])
        assert torch.allclose(heavy[labels == 0], plain[labels == 0])
    assert heavy.sum() < plain.sum()


def test_balanced_weights_make_every_class_weigh_the_same_and_rows_one_on_average() -> None:
    weights = class_weights(Loss(class_weight="balanced"), [90, 10])
    assert weights * [90, 10] == pytest.approx([50, 50])
