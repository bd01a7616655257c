"""Tells whether a network that somebody else wrote is a multilayer perceptron, which compiled steps train faster."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from bindoctor.module_edits import trace
from bindoctor.recipe_sections import Model

SEEDS = (0, 1, 2)
SETTINGS: dict[type[nn.Module], tuple[str, dict[str, Any]]] = {
    nn.ReLU: ("relu", {}),
    nn.LeakyReLU: ("leaky-relu", {"negative_slope": 0.01}),
    nn.ELU: ("elu", {"alpha": 1.0}),
    nn.GELU: ("gelu", {"approximate": "none"}),
    nn.Tanh: ("tanh", {}),
    nn.Sigmoid: ("sigmoid", {}),
}
"""The activations of the recipe, and what a module of theirs must have."""
NORM = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def as_mlp(network: nn.Module, rows: Tensor) -> tuple[nn.Sequential, Model] | None:
    """Return the modules of a network as a chain, and the recipe's section for them; None where it is no plain MLP.

    The chain holds the modules themselves: what is trained in it is trained in the network. It is one if each module is
    called with what the one before returned, all weights are in it, and it answers exactly as the network does, in
    evaluation and, with the same random numbers, in training.

    Args:
        network: it is not changed.
        rows: some rows, two or more, shape (n, inputs).
    """
    calls, _ = trace(network, rows)
    modules = [network.get_submodule(call.path) for call in calls]
    if not modules or len({*map(id, modules)}) < len(modules) or _hooked(network):
        return None
    given = rows
    for call in calls:
        if not (call.given and isinstance(call.given[0], Tensor) and call.given[0].data_ptr() == given.data_ptr()):
            return None
        given = call.returned
    chain = nn.Sequential(*(module for module in modules if type(module) is not nn.Identity))
    weights = {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
    if weights != {id(parameter) for parameter in chain.parameters()} or len(weights) < sum(
        1 for _ in network.parameters()
    ):
        return None
    model = _read(list(chain))
    if model is None or not all(_alike(network, chain, rows, seed) for seed in SEEDS):
        return None
    return chain, model


def _read(chain: list[nn.Module]) -> Model | None:
    """Return the settings of the layers, if they are linear layers with the same things behind each but the last."""
    blocks: list[list[nn.Module]] = []
    for module in chain:
        if type(module) is nn.Linear:
            blocks.append([module])
        elif blocks:
            blocks[-1].append(module)
        else:
            return None
    *hidden, last = blocks
    linear = [block[0] for block in blocks if isinstance(block[0], nn.Linear)]
    if len(last) > 1 or any(layer.bias is None for layer in linear):
        return None
    behind = {_behind(block[1:]) for block in hidden}
    if not hidden:
        return Model(kind="logistic")
    if len(behind) > 1 or None in behind:
        return None
    ((activation, dropout, norm),) = (found for found in behind if found is not None)
    sizes = tuple(layer.out_features for layer in linear[:-1])
    return Model(hidden=sizes, activation=activation, dropout=dropout, batch_norm=norm)  # type: ignore[arg-type]


def _behind(modules: list[nn.Module]) -> tuple[str, float, bool] | None:
    """Return activation, dropout rate and whether there is batch normalisation; None for anything else."""
    norm = bool(modules) and type(modules[0]) is nn.BatchNorm1d
    if norm and any(getattr(modules[0], name) != value for name, value in NORM.items()):
        return None
    rest = modules[norm:]
    activation, needed = SETTINGS.get(type(rest[0]), ("", {})) if rest else ("", {})
    if not activation or any(getattr(rest[0], name) != value for name, value in needed.items()):
        return None
    dropped = [module.p for module in rest[1:] if type(module) is nn.Dropout]
    if len(dropped) != len(rest) - 1 or len(dropped) > 1:
        return None
    rate = dropped[0] if dropped else 0.0
    return (activation, rate, norm) if rate < 1 else None


def _hooked(network: nn.Module) -> bool:
    modules = any(getattr(module, name) for module in network.modules() for name in HOOKS)
    return modules or any(parameter._backward_hooks for parameter in network.parameters())


def _alike(network: nn.Module, chain: nn.Sequential, rows: Tensor, seed: int) -> bool:
    """Tell whether copies of both answer alike, in training and in evaluation."""
    for training in (True, False):
        answers = []
        for module in (network, chain):
            tried = copy.deepcopy(module).train(training)
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                answers.append(tried(rows).reshape(len(rows), -1))
        if not torch.equal(*answers):
            return False
    return True
