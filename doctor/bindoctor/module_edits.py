"""Edits of a network that somebody else wrote: planned from one look at it, made on a copy, and shown as code."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from bindoctor.errors import InputError
from bindoctor.recipe_sections import Model

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Softsign,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Hardsigmoid,
    nn.Sigmoid,
    nn.Tanh,
    nn.LogSigmoid,
)
SQUASHING: tuple[type[nn.Module], ...] = (nn.Sigmoid, nn.LogSigmoid, nn.Softmax, nn.LogSoftmax, nn.Softmax2d, nn.ReLU)
"""What no logits come out of."""
DROPOUTS: tuple[type[nn.Module], ...] = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
NORMS: Mapping[type[nn.Module], str] = {
    nn.Linear: "BatchNorm1d",
    nn.Conv1d: "BatchNorm1d",
    nn.Conv2d: "BatchNorm2d",
    nn.Conv3d: "BatchNorm3d",
}
"""What normalises the output of a layer over a batch."""
NORMALISING = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
NAMES = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}


class Layer(msgspec.Struct, frozen=True):
    """A module of ``torch.nn`` by its class's name and arguments."""

    name: str
    arguments: tuple[float, ...] = ()

    @property
    def code(self) -> str:
        """Return it as Python writes it."""
        return f"nn.{self.name}({', '.join(map(repr, self.arguments))})"


class Replacement(msgspec.Struct, frozen=True):
    """What takes the place of a module: layers one after the other, None being what was there.

    ``paths`` are all places that the module stands in: one object may be registered more than once.
    """

    paths: tuple[str, ...]
    layers: tuple[Layer | None, ...]


class Edits(msgspec.Struct, frozen=True):
    """Changes of a network; ``head`` is the path of the linear layer whose bias starts at the class shares, or None."""

    replacements: tuple[Replacement, ...] = ()
    head: str | None = None

    def lines(self, name: str = "network") -> tuple[str, ...]:
        """Return the replacements as lines of Python; ``name`` is the variable that holds the network."""
        return tuple(_line(name, replacement) for replacement in self.replacements)


class Call(msgspec.Struct, frozen=True):
    """One call of a module without children: its path, itself, and what went in and came out."""

    path: str
    module: nn.Module
    given: Any
    returned: Any


def planned(network: nn.Module, model: Model, example: Tensor, outputs: int, handed: Sequence[str] = ()) -> Edits:
    """Plan the edits that the recipe asks for, from what the network does with a few rows.

    Args:
        network: as its factory made it; it is not changed.
        model: the recipe's section.
        example: two rows or more, as the network takes them.
        outputs: how many logits a row there are to be.
        handed: settings that the factory was given as keywords; they need no edit.

    Raises:
        InputError: an edit that is asked for cannot be carried out on modules; says which and what to do.
    """
    calls, answer = trace(network, example)
    before: dict[str, list[Layer | None]] = {}
    after: dict[str, list[Layer | None]] = {}
    inside: dict[str, list[Layer | None]] = {}
    changed: dict[str, tuple[Layer | None, ...]] = {}
    if model.batch_norm and "batch_norm" not in handed:
        before = {path: [layer] for path, layer in _normalised(calls)}
    if model.activation != "own" and "activation" not in handed:
        swapped = Layer(NAMES[model.activation])
        inside = {path: [swapped] for path in _required(calls, model, "activation", swapped.code)}
    if model.dropout and "dropout" not in handed:
        there = {call.path: type(call.module).__name__ for call in calls if isinstance(call.module, DROPOUTS)}
        changed |= {path: (Layer(kind, (model.dropout,)),) for path, kind in there.items()}
        if not there:
            dropout = Layer("Dropout", (model.dropout,))
            after = {path: [dropout] for path in _required(calls, model, "dropout", dropout.code)}
    for path in dict.fromkeys([*before, *inside, *after]):
        changed[path] = (*before.get(path, []), *inside.get(path, [None]), *after.get(path, []))
    if model.strip_output:
        changed[_squashing(calls, answer)] = (Layer("Identity"),)
    places = _places(network)
    replacements = [Replacement(places[path], changed[path]) for path in places if path in changed]
    return Edits(tuple(replacements), _head(calls, outputs) if model.prior_bias else None)


def applied(network: nn.Module, edits: Edits, bias: Tensor | None = None) -> nn.Module:
    """Return a copy of a network with the edits made; parameters keep their values.

    Args:
        network: it stays as it is.
        edits: planned for it.
        bias: what the bias of the head starts from, shape (outputs,).
    """
    edited = copy.deepcopy(network)
    for replacement in edits.replacements:
        old = edited.get_submodule(replacement.paths[0])
        layers = [old if layer is None else getattr(nn, layer.name)(*layer.arguments) for layer in replacement.layers]
        new = layers[0] if len(layers) == 1 else nn.Sequential(*layers)
        for path in replacement.paths:
            parent, _, name = path.rpartition(".")
            edited.get_submodule(parent)._modules[name] = new
    if edits.head is not None and bias is not None:
        with torch.no_grad():
            edited.get_submodule(edits.head).bias.copy_(bias)  # type: ignore[operator]
    return edited


def trace(network: nn.Module, example: Tensor) -> tuple[tuple[Call, ...], Any]:
    """Return the calls of modules without children, in order, and the answer, in evaluation mode, of a copy."""
    seen = copy.deepcopy(network).eval()
    calls: list[Call] = []

    def noting(path: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda _, given, returned: calls.append(Call(path, module, given, returned)))

    for path, module in seen.named_modules():
        if not any(True for _ in module.children()):
            noting(path, module)
    with torch.no_grad():
        answer = seen(example)
    return tuple(calls), answer


def ends_squashed(network: nn.Module, example: Tensor) -> str:
    """Return the name of the sigmoid or softmax that a network's answers come out of, or ""."""
    calls, answer = trace(network, example)
    return type(calls[-1].module).__name__ if calls and _gives(calls[-1], answer, SQUASHING) else ""


def _hidden(calls: Sequence[Call]) -> Iterator[tuple[str, Call, Call]]:
    """Yield each activation that a layer with weights follows, with the call before it."""
    weighty = [i for i, call in enumerate(calls) if any(p.ndim >= 2 for p in call.module.parameters())]
    last = weighty[-1] if weighty else 0
    for before, call in pairwise(calls[:last]):
        if isinstance(call.module, ACTIVATIONS):
            yield call.path, before, call


def _required(calls: Sequence[Call], model: Model, setting: str, code: str) -> list[str]:
    found = list(dict.fromkeys(path for path, _, _ in _hidden(calls)))
    if not found:
        raise InputError(
            f"recipe.model.{setting} cannot be carried out: the network of {model.factory} calls no activation module "
            f"before its last layer, and functions such as F.relu in its forward cannot be edited. Use nn.ReLU() and "
            f"the like as modules, put {code} in yourself, or give the factory a keyword {setting!r}."
        )
    return found


def _normalised(calls: Sequence[Call]) -> list[tuple[str, Layer]]:
    found: dict[str, Layer] = {}
    shared = False
    for path, before, call in _hidden(calls):
        kind = next((name for layer, name in NORMS.items() if isinstance(before.module, layer)), "")
        given = call.given[0] if call.given else None
        if not kind or given is None or (isinstance(before.module, nn.Linear) and given.ndim != 2):
            continue
        shared |= path in found
        found[path] = Layer(kind, (int(given.shape[1]),))
    if not found or shared:
        why = (
            "one activation module is called after several layers; give each its own"
            if shared
            else "no activation module follows a linear layer or a convolution directly, without being normalised"
        )
        raise InputError(f"recipe.model.batch-norm cannot be carried out: {why}, or edit the factory.")
    return list(found.items())


def _squashing(calls: Sequence[Call], answer: Any) -> str:
    if not calls or not _gives(calls[-1], answer, SQUASHING):
        last = type(calls[-1].module).__name__ if calls else "none"
        raise InputError(
            "recipe.model.strip-output cannot be carried out: the network does not end in a Sigmoid, Softmax or "
            f"LogSoftmax module (the last one called is {last}); where its forward calls torch.sigmoid or the like, "
            "take that out there."
        )
    path = calls[-1].path
    if sum(call.module is calls[-1].module for call in calls) > 1:
        raise InputError(
            f"recipe.model.strip-output cannot be carried out: the module at {path!r} is called elsewhere as well; "
            "give the output one of its own."
        )
    return path


def _gives(call: Call, answer: Any, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Tell whether a call of one of these kinds made the answer: the same numbers, whatever their shape."""
    if not isinstance(call.module, kinds) or not isinstance(answer, Tensor) or not isinstance(call.returned, Tensor):
        return False
    return answer.numel() == call.returned.numel() and answer.data_ptr() == call.returned.data_ptr()


def _head(calls: Sequence[Call], outputs: int) -> str:
    weighty = [call for call in calls if any(p.ndim >= 2 for p in call.module.parameters())]
    last = weighty[-1] if weighty else None
    if last is None or not isinstance(last.module, nn.Linear) or last.module.out_features != outputs:
        raise InputError(
            f"recipe.model.prior-bias cannot be carried out: the last layer is no nn.Linear with {outputs} "
            f"output{'s' * (outputs > 1)}; set its bias in the factory."
        )
    if last.module.bias is None:
        raise InputError("recipe.model.prior-bias cannot be carried out: the last layer has no bias; give it one.")
    return last.path


def _places(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return all places of each module by its first, in order."""
    found: dict[nn.Module, list[str]] = {}
    for path, module in network.named_modules(remove_duplicate=False):
        found.setdefault(module, []).append(path)
    return {paths[0]: tuple(paths) for paths in found.values()}


def place(name: str, path: str) -> str:
    """Return the expression for the module at a path: "network.layers[2]"."""
    parts = path.split(".") if path else []
    return name + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def _line(name: str, replacement: Replacement) -> str:
    places = [place(name, path) for path in replacement.paths]
    layers = [places[0] if layer is None else layer.code for layer in replacement.layers]
    value = layers[0] if len(layers) == 1 else f"nn.Sequential({', '.join(layers)})"
    return f"{' = '.join(places)} = {value}"
