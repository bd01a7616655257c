"""Makes the user's own network: calls their factory, edits what it returns, and checks that it fits the loss."""

import copy
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bindoctor.build import prior_logits
from bindoctor.errors import InputError
from bindoctor.history import TrainingFailed
from bindoctor.module_edits import Edits, applied, planned
from bindoctor.own_code import call, failure, load_function, takes, users_folder
from bindoctor.recipe_sections import Model
from bindoctor.torch_steps import Shaped

SETTING = "recipe.model.factory"
HANDED = ("hidden", "activation", "dropout", "batch_norm")
"""Settings that a factory gets as keywords if it takes them by these names."""


class Made(NamedTuple):
    """The network of a factory as it is trained.

    Attributes:
        network: with the edits.
        edits: what was changed in the factory's.
        options: the keywords that the factory was given.
        flat: whether it answers with shape (n,).
    """

    network: nn.Module
    edits: Edits
    options: Mapping[str, Any]
    flat: bool


def make_own(
    model: Model,
    rows: Tensor,
    outputs: int,
    prior: Sequence[float] | None = None,
    *,
    seed: int,
    shape: tuple[int, ...] = (),
) -> Made:
    """Make the network of ``model.factory``, with the recipe's edits.

    The factory is called with the number of inputs (the shape of a row, where that has more dimensions) and of outputs.
    The random numbers of PyTorch are the caller's; those of NumPy and of ``random`` start from ``seed`` and are put
    back. What it returns is copied, so that a network which it keeps is never trained twice.

    Args:
        model: the recipe's section.
        rows: two rows on the CPU, shape (2, inputs).
        outputs: logits a row.
        prior: class shares, to start the last bias from where the recipe says so.
        seed: for random numbers other than PyTorch's.
        shape: of a row that is an array, which the network is given so.

    Raises:
        InputError: the factory is not there, fails (with the file and line), does not return a network, or one that
            does not give ``outputs`` logits a row, or that cannot be edited as the recipe says.
    """
    function = load_function(model.factory, SETTING)
    options = handed_options(model, function)
    example = rows.reshape(-1, *shape) if shape else rows
    inputs = shape or int(rows.shape[1])
    with _seeded(seed):
        network = call(function, (inputs, outputs), options, model.factory, SETTING)
    if not isinstance(network, nn.Module):
        raise InputError(
            f"{_place(function)}{model.factory} returns {type(network).__name__}, and not a torch.nn.Module; return "
            "the network."
        )
    with blamed(f"the network of {model.factory}, given rows of shape {tuple(example.shape)}"):
        flat = _check_answer(network, example, outputs, f"{_place(function)}the network of {model.factory}")
        # A lazy layer knows its size only now, and is copied from here on.
        network = copy.deepcopy(network)
        edits = planned(network, model, example, outputs, tuple(options))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"{_place(function)}the network of {model.factory} has no parameter that can be trained.")
    bias = prior_logits(prior, outputs) if model.prior_bias and prior is not None else None
    edited = applied(network, edits, bias)
    return Made(Shaped(edited, shape) if shape else edited, edits, options, flat)


def handed_options(model: Model, function: Any) -> dict[str, Any]:
    """Return the keywords that a factory is called with: the recipe's options, and settings that are set.

    Raises:
        InputError: units of hidden layers are set, and the factory takes none.
    """
    set_here = {
        "hidden": list(model.hidden) or None,
        "activation": None if model.activation == "own" else model.activation,
        "dropout": model.dropout or None,
        "batch_norm": model.batch_norm or None,
    }
    given = {name: value for name, value in set_here.items() if value is not None and takes(function, name)}
    if set_here["hidden"] is not None and "hidden" not in given:
        raise InputError(f"recipe.model.hidden is set, but {model.factory} takes no keyword 'hidden'; unset it.")
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in model.options.items()}
    twice = sorted(given.keys() & options.keys())
    if twice:
        raise InputError(f"recipe.model.{twice[0].replace('_', '-')} and recipe.model.options both set {twice[0]!r}.")
    return options | given


def has_batch_norm(network: nn.Module) -> bool:
    """Tell whether a network cannot be trained on one row alone."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turn errors of a user's network into one message with the line.

    Raises:
        InputError: anything but bindoctor's own errors went wrong.
    """
    with users_folder():
        try:
            yield
        except (InputError, TrainingFailed):
            raise
        except Exception as error:
            raise failure(error, what) from error


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Start the global generators that a factory may draw from, and put them back."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _check_answer(network: nn.Module, example: Tensor, outputs: int, who: str) -> bool:
    """Check what a network answers two rows with, and tell whether that has a single dimension."""
    training = network.training
    network.eval()
    with torch.no_grad():
        answer = network(example)
    network.train(training)
    if not isinstance(answer, Tensor):
        raise InputError(f"{who} returns a {type(answer).__name__}, and not a tensor of logits; return that alone.")
    wanted = [(len(example), outputs), *([(len(example),)] if outputs == 1 else [])]
    if tuple(answer.shape) not in wanted:
        said = "(n, 1) or (n,)" if outputs == 1 else f"(n, {outputs})"
        shape = ", ".join(
            [
                "n" if answer.ndim and size == len(example) and i == 0 else str(size)
                for i, size in enumerate(answer.shape)
            ]
        )
        raise InputError(
            f"{who} answers with shape ({shape}{',' if answer.ndim == 1 else ''}), and the loss needs logits of shape "
            f"{said}; it is called as factory(inputs, outputs) with {outputs} output{'s' * (outputs > 1)} here."
        )
    if not answer.is_floating_point():
        raise InputError(f"{who} answers with {answer.dtype}, and not with numbers that a loss can be taken of.")
    return answer.ndim == 1


def _place(function: Any) -> str:
    """Return where a function begins, "train.py:12: ", or "" where that is not known."""
    try:
        file, line = inspect.getsourcefile(function), inspect.getsourcelines(function)[1]
    except (OSError, TypeError):
        return ""
    return f"{file}:{line}: ".removeprefix(f"{Path.cwd()}/")
