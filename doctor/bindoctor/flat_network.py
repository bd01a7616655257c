"""A multilayer perceptron without autograd: forward and backward passes over buffers that are made once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1
LEAK = 0.01
MAX_SIZES = 6

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Norm:
    """Batch normalisation of h units: parameters and their gradients are views, running statistics its own, (h, 1)."""

    scale: Tensor
    shift: Tensor
    scale_gradient: Tensor
    shift_gradient: Tensor
    mean: Tensor
    variance: Tensor


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer of h units over d inputs, with what follows its products.

    Attributes:
        weights: a view of all parameters, shape (h, d + 1): the last column holds the biases.
        backwards: the same without biases, transposed, shape (d, h).
        gradient: the same of the gradient.
        norm: batch normalisation, if there is any.
        activation: the name of PyTorch's module for the activation function, "" for the last layer.
        dropout: the share of units that is left out.
    """

    weights: Tensor
    backwards: Tensor
    gradient: Tensor
    norm: Norm | None = None
    activation: str = ""
    dropout: float = 0.0


@dataclass(eq=False)
class Room:
    """Buffers of a layer of h units for batches of n rows, each of shape (h, n) but where said.

    Attributes:
        padded: the layer's outputs with a row of ones below, (h + 1, n).
        transposed: a view of it, (n, h + 1).
        outputs: the first of these, without the ones.
        activated: the same before dropout.
        before: what went into the activation function, where its slope needs that.
        slopes: of the loss by what the layer puts out.
        normed: normalised values, where there is batch normalisation.
        spread: what they were multiplied by, (h, 1).
        dropped: what dropout multiplied by.
    """

    padded: Tensor
    transposed: Tensor
    outputs: Tensor
    activated: Tensor
    before: Tensor
    slopes: Tensor
    normed: Tensor
    spread: Tensor
    dropped: Tensor


class FlatNetwork:
    """The network of a recipe, with all parameters in one vector, on the CPU.

    Units are rows and data rows are columns, so that every product is written to contiguous memory, and biases are
    weights of an input that is one. Without autograd a step costs little more than its products.

    Attributes:
        parameters: all of them, shape (p,).
        gradient: of the loss by the parameters after ``backward``, shape (p,).
        matrices: 1 where a parameter is a weight, 0 for biases and those of batch normalisation, shape (p,).
    """

    def __init__(self, network: nn.Sequential) -> None:
        """Start from a PyTorch network of linear layers, batch normalisation, activations and dropout."""
        size = sum(parameter.numel() for parameter in network.parameters())
        self.parameters, self.gradient, self.matrices = (torch.zeros(size) for _ in range(3))
        self.layers = self._layers(network)
        self._rooms: dict[int, list[Room]] = {}
        for mine, theirs in self._shared(network):
            mine.copy_(theirs)

    def store(self, network: nn.Sequential) -> None:
        """Give a PyTorch network of the same shape these parameters and running statistics."""
        for mine, theirs in self._shared(network):
            theirs.copy_(mine)

    def state(self) -> list[Tensor]:
        """Return copies of all that training changes."""
        return [part.clone() for part in self._changing()]

    def restore(self, state: list[Tensor]) -> None:
        """Go back to a state."""
        for mine, kept in zip(self._changing(), state, strict=True):
            mine.copy_(kept)

    def forward(self, rows: Tensor, *, training: bool) -> Tensor:
        """Return the logits of n rows, shape (outputs, n), in memory that the next call overwrites.

        Args:
            rows: inputs with a last column of ones, shape (n, d + 1).
            training: whether batch normalisation uses the batch's own statistics, and dropout leaves units out; its
                random numbers are those that ``torch.nn.Dropout`` would draw.
        """
        inputs = rows.T
        for layer, room in zip(self.layers, self._rooms_for(len(rows)), strict=True):
            dropping = training and layer.dropout > 0
            values = room.activated if dropping else room.outputs
            torch.mm(layer.weights, inputs, out=values)
            if layer.norm is not None:
                _normalise(layer.norm, values, room, training=training)
            if layer.activation:
                ACTIVATIONS[layer.activation][0](values, room)
            if dropping:
                keep = 1 - layer.dropout
                room.dropped = torch.empty(values.shape[1], values.shape[0]).bernoulli_(keep).div_(keep).T
                torch.mul(values, room.dropped, out=room.outputs)
            inputs = room.padded
        return values

    def backward(self, rows: Tensor, slopes: Tensor) -> None:
        """Compute the gradient for the batch of the last ``forward``, which was in training.

        Args:
            rows: the same inputs, shape (n, d + 1).
            slopes: of the loss by the logits, shape (outputs, n); overwritten.
        """
        rooms = self._rooms_for(len(rows))
        for position in range(len(self.layers) - 1, -1, -1):
            layer, room = self.layers[position], rooms[position]
            values = room.outputs
            if layer.dropout:
                slopes.mul_(room.dropped)
                values = room.activated
            if layer.activation:
                ACTIVATIONS[layer.activation][1](slopes, values, room)
            if layer.norm is not None:
                _normalise_backwards(layer.norm, slopes, room)
            if position == 0:
                torch.mm(slopes, rows, out=layer.gradient)
                return
            before = rooms[position - 1]
            torch.mm(slopes, before.transposed, out=layer.gradient)
            slopes = torch.mm(layer.backwards, slopes, out=before.slopes)

    def _changing(self) -> list[Tensor]:
        norms = [layer.norm for layer in self.layers if layer.norm is not None]
        return [self.parameters, *(part for norm in norms for part in (norm.mean, norm.variance))]

    def _layers(self, network: nn.Sequential) -> list[Dense]:
        found: list[Dense] = []
        start = 0

        def views(height: int, width: int) -> list[Tensor]:
            nonlocal start
            here = slice(start, start + height * width)
            start = here.stop
            return [part[here].view(height, width) for part in (self.parameters, self.gradient, self.matrices)]

        for linear, others in _groups(network):
            height, width = linear.weight.shape
            weights, gradient, matrix = views(height, width + 1)
            matrix[:, :-1] = 1.0
            norm, activation, dropout = None, "", 0.0
            for other in others:
                if isinstance(other, nn.BatchNorm1d):
                    (scale, scale_gradient, _), (shift, shift_gradient, _) = views(height, 1), views(height, 1)
                    running = (torch.zeros(height, 1), torch.ones(height, 1))
                    norm = Norm(scale, shift, scale_gradient, shift_gradient, *running)
                elif isinstance(other, nn.Dropout):
                    dropout = other.p
                else:
                    activation = type(other).__name__
            found.append(Dense(weights, weights[:, :-1].T, gradient, norm, activation, dropout))
        return found

    def _shared(self, network: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
        """Pair what training changes here with the same in a PyTorch network."""
        found: list[tuple[Tensor, Tensor]] = []
        for layer, (linear, others) in zip(self.layers, _groups(network), strict=True):
            found += [(layer.weights[:, :-1], linear.weight.data), (layer.weights[:, -1], linear.bias.data)]
            for other in others:
                if isinstance(other, nn.BatchNorm1d) and layer.norm is not None:
                    assert other.running_mean is not None and other.running_var is not None
                    found += [(layer.norm.scale[:, 0], other.weight.data), (layer.norm.shift[:, 0], other.bias.data)]
                    found += [
                        (layer.norm.mean[:, 0], other.running_mean),
                        (layer.norm.variance[:, 0], other.running_var),
                    ]
        return found

    def _rooms_for(self, rows: int) -> list[Room]:
        if rows not in self._rooms:
            # Batches come in two sizes, and evaluation brings a few more.
            if len(self._rooms) >= MAX_SIZES:
                self._rooms.clear()
            self._rooms[rows] = [_room(layer, rows) for layer in self.layers]
        return self._rooms[rows]


def _room(layer: Dense, rows: int) -> Room:
    height = len(layer.weights)

    def room(*, needed: bool) -> Tensor:
        return torch.empty(height if needed else 0, rows)

    padded = torch.ones(height + 1, rows)
    activated, before = room(needed=layer.dropout > 0), room(needed=layer.activation == "GELU")
    normed, spread = room(needed=layer.norm is not None), torch.empty(0)
    return Room(padded, padded.T, padded[:-1], activated, before, room(needed=True), normed, spread, torch.empty(0))


def _groups(network: nn.Sequential) -> list[tuple[nn.Linear, list[nn.Module]]]:
    """Return each linear layer with the modules up to the next."""
    groups: list[tuple[nn.Linear, list[nn.Module]]] = []
    for module in network:
        if isinstance(module, nn.Linear):
            groups.append((module, []))
        else:
            groups[-1][1].append(module)
    return groups


def _normalise(norm: Norm, values: Tensor, room: Room, *, training: bool) -> None:
    """Normalise in place (Ioffe & Szegedy 2015)."""
    mean, variance = norm.mean, norm.variance
    if training:
        rows = values.shape[1]
        variance, mean = torch.var_mean(values, dim=1, correction=0, keepdim=True)
        norm.mean.lerp_(mean, NORM_MOMENTUM)
        norm.variance.lerp_(variance * (rows / (rows - 1)), NORM_MOMENTUM)
    room.spread = torch.rsqrt(variance + NORM_EPSILON)
    torch.sub(values, mean, out=room.normed)
    room.normed.mul_(room.spread)
    torch.addcmul(norm.shift, room.normed, norm.scale, out=values)


def _normalise_backwards(norm: Norm, slopes: Tensor, room: Room) -> None:
    rows = slopes.shape[1]
    torch.sum(slopes, dim=1, keepdim=True, out=norm.shift_gradient)
    torch.sum(slopes * room.normed, dim=1, keepdim=True, out=norm.scale_gradient)
    slopes.addcmul_(room.normed, norm.scale_gradient, value=-1 / rows)
    slopes.sub_(norm.shift_gradient, alpha=1 / rows)
    slopes.mul_(norm.scale * room.spread)


def _gelu(values: Tensor, room: Room) -> None:
    room.before.copy_(values)
    values.copy_(nn.functional.gelu(room.before))


Forward = Callable[[Tensor, Room], object]
Backward = Callable[[Tensor, Tensor, Room], object]

ACTIVATIONS: Mapping[str, tuple[Forward, Backward]] = {
    "ReLU": (
        lambda values, _: values.relu_(),
        lambda slopes, values, _: aten.threshold_backward.grad_input(slopes, values, 0, grad_input=slopes),
    ),
    "LeakyReLU": (
        lambda values, _: nn.functional.leaky_relu_(values, LEAK),
        lambda slopes, values, _: aten.leaky_relu_backward.grad_input(slopes, values, LEAK, True, grad_input=slopes),
    ),
    "ELU": (
        lambda values, _: nn.functional.elu_(values),
        lambda slopes, values, _: aten.elu_backward.grad_input(slopes, 1, 1, 1, True, values, grad_input=slopes),
    ),
    "GELU": (_gelu, lambda slopes, _, room: aten.gelu_backward.grad_input(slopes, room.before, grad_input=slopes)),
    "Tanh": (
        lambda values, _: values.tanh_(),
        lambda slopes, values, _: aten.tanh_backward.grad_input(slopes, values, grad_input=slopes),
    ),
    "Sigmoid": (
        lambda values, _: values.sigmoid_(),
        lambda slopes, values, _: aten.sigmoid_backward.grad_input(slopes, values, grad_input=slopes),
    ),
}
"""In place, by the name of PyTorch's module: the function, and what multiplies slopes by its own."""
