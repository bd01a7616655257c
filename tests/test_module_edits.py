"""Edits of a network that somebody else wrote: only what was asked for changes, and only on a copy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from bindoctor import InputError, Recipe
from bindoctor.module_edits import Edits, applied, ends_squashed, planned
from bindoctor.recipe_sections import Model

ROWS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def model_with(**settings: object) -> Model:
    return Recipe.from_dict({"model": {"factory": "train:make", **settings}}).model


def plan(network: nn.Module, settings: Mapping[str, object], rows: Tensor = ROWS, outputs: int = 1) -> Edits:
    return planned(network, model_with(**settings), rows, outputs)


def edit(network: nn.Module, settings: Mapping[str, object]) -> nn.Module:
    return applied(network, plan(network, settings))


def answers(network: nn.Module) -> np.ndarray:
    network.eval()
    with torch.no_grad():
        return np.asarray(network(ROWS))


ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid, nn.ELU)


@st.composite
def networks(draw: st.DrawFn) -> nn.Sequential:
    torch.manual_seed(draw(st.integers(0, 99)))
    width, layers = 5, []
    for _ in range(draw(st.integers(1, 3))):
        wide = draw(st.integers(1, 7))
        layers += [nn.Linear(width, wide), draw(st.sampled_from(ACTIVATIONS))()]
        width = wide
    return nn.Sequential(*layers, nn.Linear(width, 1))


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "dropout": st.sampled_from([0.1, 0.5]),
        "batch-norm": st.just(True),
        "activation": st.sampled_from(["relu", "tanh"]),
        "prior-bias": st.just(True),
    },
)


@given(networks(), SETTINGS)
def test_an_edited_network_keeps_every_parameter_and_the_original_stays_as_it_was(
    network: nn.Sequential, settings: Mapping[str, Any]
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    shown = repr(network)
    edited = edit(network, settings)
    assert repr(network) == shown
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    kept = [tuple(p.flatten().tolist()) for p in edited.parameters()]
    assert all(tuple(tensor.flatten().tolist()) in kept for tensor in before.values())
    assert not {id(p) for p in network.parameters()} & {id(p) for p in edited.parameters()}


@given(networks(), st.sampled_from([0.1, 0.5, 0.9]))
def test_added_dropout_changes_no_answer_outside_of_training(network: nn.Sequential, rate: float) -> None:
    edited = edit(network, {"dropout": rate})
    assert [m.p for m in edited.modules() if isinstance(m, nn.Dropout)] == [rate] * (len(network) // 2)
    assert np.array_equal(answers(edited), answers(network))


@given(networks(), SETTINGS)
def test_the_lines_shown_make_the_same_network(network: nn.Sequential, settings: Mapping[str, Any]) -> None:
    edits = plan(network, settings)
    names = {"nn": nn, "network": applied(network, Edits())}
    exec("\n".join(edits.lines()), names)
    assert repr(names["network"]) == repr(applied(network, edits))


def test_the_rate_of_dropout_modules_that_are_there_is_set() -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 1))
    assert plan(network, {"dropout": 0.4}).lines() == ("network[2] = nn.Dropout(0.4)",)


def test_a_last_sigmoid_is_removed_and_hidden_ones_stay() -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    edited = edit(network, {"strip-output": True})
    assert np.allclose(1 / (1 + np.exp(-answers(edited))), answers(network))
    assert [type(m) for m in edited.children()] == [nn.Linear, nn.Sigmoid, nn.Linear, nn.Identity]
    assert ends_squashed(network, ROWS) == "Sigmoid"
    assert ends_squashed(edited, ROWS) == ""


def test_a_last_softmax_is_found_behind_whatever_shape_its_answer_is_given() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.soft = nn.Linear(5, 3), nn.LogSoftmax(dim=1)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.soft(self.first(x)).view(-1, 3)
            return answer

    assert plan(Net(), {"strip-output": True}, outputs=3).lines() == ("network.soft = nn.Identity()",)


def test_a_sigmoid_function_at_the_end_cannot_be_removed_and_the_message_says_so() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(5, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(self.first(x))

    with pytest.raises(InputError, match=r"strip-output cannot be carried out.*torch\.sigmoid.*take that out there"):
        plan(Net(), {"strip-output": True})


def test_a_sigmoid_that_hidden_layers_share_with_the_output_is_not_removed() -> None:
    squash = nn.Sigmoid()
    with pytest.raises(InputError, match="is called elsewhere as well"):
        plan(nn.Sequential(nn.Linear(5, 4), squash, nn.Linear(4, 1), squash), {"strip-output": True})


class Functional(nn.Module):
    """A network whose activations are functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.last(F.relu(self.first(x)))
        return answer


@pytest.mark.parametrize("setting", [{"dropout": 0.5}, {"activation": "gelu"}, {"batch-norm": True}])
def test_functions_in_forward_cannot_be_edited_and_the_message_names_the_setting(setting: dict[str, object]) -> None:
    with pytest.raises(InputError, match=rf"recipe\.model\.{next(iter(setting))} cannot be carried out"):
        plan(Functional(), setting)


def test_the_bias_of_the_layer_that_is_called_last_starts_at_the_class_shares() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.body = nn.Linear(4, 1), nn.Linear(5, 4)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.head(torch.relu(self.body(x)))
            return answer

    network = Net()
    edits = plan(network, {"prior-bias": True})
    assert edits.head == "head"
    started = applied(network, edits, torch.tensor([-2.0]))
    assert started.get_submodule("head").bias.tolist() == [-2.0]  # type: ignore[operator]
    assert network.head.bias.tolist() != [-2.0]


def test_a_head_without_a_bias_is_named() -> None:
    with pytest.raises(InputError, match="the last layer has no bias"):
        plan(nn.Sequential(nn.Linear(5, 1, bias=False)), {"prior-bias": True})


def test_convolutions_are_normalised_by_channel_and_shared_activations_in_all_their_places() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = nn.Conv2d(2, 4, 3), nn.ReLU()
            self.alias = self.act
            self.head = nn.Linear(4 * 9, 3)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.head(self.act(self.conv(x)).flatten(1))
            return answer

    edits = plan(Net(), {"batch-norm": True, "dropout": 0.25}, torch.randn(2, 2, 5, 5), 3)
    expected = "network.act = network.alias = nn.Sequential(nn.BatchNorm2d(4), network.act, nn.Dropout(0.25))"
    assert edits.lines() == (expected,)
