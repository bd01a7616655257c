"""The arithmetic of training steps, compiled: a multilayer perceptron, its losses and the optimizers on one vector.

Everything is float32 in row-major order. Parameters lie in one vector, layer by layer: weights (h, d), biases (h,), and
with batch normalisation scales and shifts (h,) of every layer but the last. For sparse rows the first layer's weights
lie the other way round, (d, h): what one input adds to all units then lies together. Buffers hold the layers one after
the other as well, each with room for a whole batch. Definitions and defaults are PyTorch's.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor.compiled_optimizers import Array, Rule, State, compiled, update

Sizes = npt.NDArray[np.int64]

ACTIVATIONS = {"relu": 0, "leaky-relu": 1, "elu": 2, "gelu": 3, "tanh": 4, "sigmoid": 5}
RELU, LEAKY, ELU, GELU, TANH = 0, 1, 2, 3, 4
LOSSES = {"bce": 0, "focal": 1, "cross-entropy": 2}
FOCAL = 1

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
LEAK = np.float32(0.01)
ROOT_HALF = np.float32(0.5**0.5)
DENSITY = np.float32((2 * math.pi) ** -0.5)
NORM_EPSILON = np.float32(1e-5)
NORM_MOMENTUM = np.float32(0.1)
MIN_MISS = np.float32(1e-8)


class Shape(NamedTuple):
    """What the network is: d, the hidden layers' units and the outputs; the activation's number; rows of a batch."""

    sizes: Sizes
    activation: int
    norm: bool
    batch: int


class Sparse(NamedTuple):
    """Rows of which only what is not zero is kept, as in SciPy's CSR form; all empty for rows that are kept whole.

    Attributes:
        starts: where each row's cells start, and where the last one's end, shape (n + 1,).
        columns: of the cells, row by row.
        values: theirs.
    """

    starts: Sizes
    columns: npt.NDArray[np.int32]
    values: Array


class Room(NamedTuple):
    """Buffers for a batch, layer by layer.

    Attributes:
        outputs: what layers put out, after dropout.
        activated: the same before dropout; ``outputs`` itself without dropout.
        before: what goes into the activation function, for GELU only.
        normed: normalised values, with batch normalisation only.
        spreads: what they were multiplied by, (h,) of each hidden layer.
        slopes: of the loss, from the last layer to the first.
    """

    outputs: Array
    activated: Array
    before: Array
    normed: Array
    spreads: Array
    slopes: Array


class Objective(NamedTuple):
    """What is minimised: one of ``LOSSES``, each class's weight, and the settings of the recipe."""

    loss: int
    class_weights: Array
    smoothing: float
    alpha: float
    gamma: float


@compiled
def forward(
    x: Array, sparse: Sparse, chosen: Sizes, shape: Shape, state: State, room: Room, dropped: Array, training: bool
) -> Any:
    """Return the logits of k rows, shape (k, outputs), in the room.

    Args:
        x: the rows, shape (k, d), at most a batch; not looked at when some are chosen.
        sparse: where rows are chosen from.
        chosen: positions of rows in ``sparse``, (k,); empty when they are in ``x``.
        shape: of the network.
        state: parameters, and running statistics of batch normalisation, which takes up the batch's own in training.
        room: buffers.
        dropped: what dropout multiplies by, for these k rows layer by layer; empty without dropout.
        training: whether hidden layers are normalised by the batch's own statistics.
    """
    sizes, activation, norm, batch = shape
    parameters, running = state.parameters, state.running
    outputs, activated, before, normed, spreads = room.outputs, room.activated, room.before, room.normed, room.spreads
    rows, layers = max(x.shape[0], len(chosen)), sizes.shape[0] - 1
    inputs, place, start, unit, drop, run = x, 0, 0, 0, 0, 0
    for layer in range(layers):
        d, h = sizes[layer], sizes[layer + 1]
        weights = parameters[place : place + h * d]
        bias = parameters[place + h * d : place + h * d + h]
        place += h * d + h
        hidden = layer < layers - 1
        values = (activated if hidden else outputs)[start : start + rows * h].reshape(rows, h)
        if layer == 0 and len(chosen):
            _add_inputs(sparse, chosen, weights.reshape(d, h), values)
        else:
            np.dot(inputs, weights.reshape(h, d).T, values)
        if hidden and norm:
            scale, shift = parameters[place : place + h], parameters[place + h : place + 2 * h]
            place += 2 * h
            mean, variance = running[run : run + h], running[run + h : run + 2 * h]
            run += 2 * h
            standard = normed[start : start + rows * h].reshape(rows, h)
            spread = spreads[unit : unit + h]
            for j in range(h):
                centre, deviation = mean[j], variance[j]
                if training:
                    total = 0.0
                    for i in range(rows):
                        values[i, j] += bias[j]
                        total += values[i, j]
                    centre = np.float32(total / rows)
                    total = 0.0
                    for i in range(rows):
                        total += (values[i, j] - centre) ** 2
                    deviation = np.float32(total / rows)
                    mean[j] += NORM_MOMENTUM * (centre - mean[j])
                    variance[j] += NORM_MOMENTUM * (np.float32(total / (rows - 1)) - variance[j])
                else:
                    for i in range(rows):
                        values[i, j] += bias[j]
                spread[j] = ONE / np.sqrt(deviation + NORM_EPSILON)
                for i in range(rows):
                    standard[i, j] = (values[i, j] - centre) * spread[j]
                    values[i, j] = standard[i, j] * scale[j] + shift[j]
        elif hidden and activation == RELU:
            for i in range(rows):
                for j in range(h):
                    value = values[i, j] + bias[j]
                    values[i, j] = ZERO if value <= ZERO else value
        else:
            for i in range(rows):
                for j in range(h):
                    values[i, j] += bias[j]
        if hidden and (norm or activation != RELU):
            _activate(values, activation, before[start : start + rows * h] if activation == GELU else before)
        if hidden and len(dropped):
            masks = dropped[drop : drop + rows * h].reshape(rows, h)
            drop += rows * h
            kept = outputs[start : start + rows * h].reshape(rows, h)
            for i in range(rows):
                for j in range(h):
                    kept[i, j] = values[i, j] * masks[i, j]
            values = kept
        inputs = values
        start += batch * h
        unit += h
    return inputs


@compiled
def _add_inputs(sparse: Sparse, chosen: Sizes, weights: Array, values: Array) -> None:
    """Compute the product of sparse rows and weights, (d, h), into ``values``, (k, h)."""
    h = weights.shape[1]
    for i in range(len(chosen)):
        row = chosen[i]
        for j in range(h):
            values[i, j] = ZERO
        for k in range(sparse.starts[row], sparse.starts[row + 1]):
            column, cell = sparse.columns[k], sparse.values[k]
            for j in range(h):
                values[i, j] += cell * weights[column, j]


@compiled
def _spread_slopes(sparse: Sparse, chosen: Sizes, behind: Array, gradient: Array) -> None:
    """Compute the gradient of the first layer's weights, (d, h), from the slopes behind it, (k, h)."""
    h = gradient.shape[1]
    gradient[:] = ZERO
    for i in range(len(chosen)):
        row = chosen[i]
        for k in range(sparse.starts[row], sparse.starts[row + 1]):
            column, cell = sparse.columns[k], sparse.values[k]
            for j in range(h):
                gradient[column, j] += cell * behind[i, j]


@compiled
def _activate(values: Array, activation: int, before: Array) -> None:
    rows, h = values.shape
    for i in range(rows):
        for j in range(h):
            value = values[i, j]
            if activation == RELU:
                values[i, j] = ZERO if value <= ZERO else value
            elif activation == LEAKY:
                values[i, j] = value if value > ZERO else LEAK * value
            elif activation == ELU:
                values[i, j] = value if value > ZERO else np.float32(math.expm1(value))
            elif activation == GELU:
                before[i * h + j] = value
                values[i, j] = value * np.float32(HALF * (ONE + np.float32(math.erf(value * ROOT_HALF))))
            elif activation == TANH:
                values[i, j] = np.float32(math.tanh(value))
            else:
                values[i, j] = ONE / (ONE + np.exp(-value))


@compiled
def _through_activation(slopes: Array, values: Array, activation: int, before: Array) -> None:
    """Multiply slopes by the activation's, of what it put out."""
    rows, h = values.shape
    for i in range(rows):
        for j in range(h):
            value = values[i, j]
            if activation == RELU:
                if value <= ZERO:
                    slopes[i, j] = ZERO
            elif activation == LEAKY:
                if not value > ZERO:
                    slopes[i, j] *= LEAK
            elif activation == ELU:
                if not value > ZERO:
                    slopes[i, j] *= value + ONE
            elif activation == GELU:
                z = before[i * h + j]
                below = HALF * (ONE + np.float32(math.erf(z * ROOT_HALF)))
                slopes[i, j] *= below + z * DENSITY * np.exp(-HALF * z * z)
            elif activation == TANH:
                slopes[i, j] *= ONE - value * value
            else:
                slopes[i, j] *= value * (ONE - value)


@compiled
def backward(x: Array, sparse: Sparse, chosen: Sizes, shape: Shape, state: State, room: Room, dropped: Array) -> None:
    """Compute the gradient of all parameters, after ``forward`` in training and ``slopes_of``; arguments as there."""
    sizes, activation, norm, batch = shape
    parameters, gradient = state.parameters, state.gradient
    outputs, activated, before, normed, spreads, slopes = room
    rows, layers = max(x.shape[0], len(chosen)), sizes.shape[0] - 1
    place, end, unit, drop = len(parameters), len(outputs), len(spreads), len(dropped)
    start = 0
    behind = slopes[: rows * sizes[layers]].reshape(rows, sizes[layers])
    for layer in range(layers - 1, -1, -1):
        d, h = sizes[layer], sizes[layer + 1]
        end -= batch * h
        hidden = layer < layers - 1
        if hidden:
            unit -= h
            if len(dropped):
                drop -= rows * h
                masks = dropped[drop : drop + rows * h].reshape(rows, h)
                for i in range(rows):
                    for j in range(h):
                        behind[i, j] *= masks[i, j]
            values = activated[end : end + rows * h].reshape(rows, h)
            _through_activation(
                behind, values, activation, before[end : end + rows * h] if activation == GELU else before
            )
            if norm:
                place -= 2 * h
                scale = parameters[place : place + h]
                scale_gradient, shift_gradient = gradient[place : place + h], gradient[place + h : place + 2 * h]
                standard, spread = normed[end : end + rows * h].reshape(rows, h), spreads[unit : unit + h]
                for j in range(h):
                    total, product = 0.0, 0.0
                    for i in range(rows):
                        total += behind[i, j]
                        product += behind[i, j] * standard[i, j]
                    scale_gradient[j], shift_gradient[j] = product, total
                    mean, along = np.float32(total / rows), np.float32(product / rows)
                    for i in range(rows):
                        behind[i, j] = scale[j] * spread[j] * (behind[i, j] - mean - standard[i, j] * along)
        place -= h * d + h
        bias_gradient = gradient[place + h * d : place + h * d + h]
        bias_gradient[:] = ZERO
        for i in range(rows):
            for j in range(h):
                bias_gradient[j] += behind[i, j]
        into = gradient[place : place + h * d].reshape(h, d)
        if layer == 0 and len(chosen):
            _spread_slopes(sparse, chosen, behind, gradient[place : place + h * d].reshape(d, h))
        elif layer == 0:
            np.dot(behind.T, x, into)
        else:
            first = end - batch * d
            np.dot(behind.T, outputs[first : first + rows * d].reshape(rows, d), into)
            start += batch * h
            ahead = slopes[start : start + rows * d].reshape(rows, d)
            np.dot(behind, parameters[place : place + h * d].reshape(h, d), ahead)
            behind = ahead


@compiled
def slopes_of(logits: Array, targets: Array, row_weights: Array, objective: Objective, slopes: Array) -> None:
    """Compute the slopes of the mean loss of k rows by their logits, at the start of ``slopes``.

    Args:
        logits: shape (k, outputs).
        targets: 0 and 1 for each logit, of a single one smoothed, shape (k, outputs).
        row_weights: how much each row counts, (k,), or empty.
        objective: what is minimised.
        slopes: a buffer.
    """
    loss, class_weights, smoothing, alpha, gamma = objective
    rows, outputs = logits.shape
    for i in range(rows):
        weight = (row_weights[i] if len(row_weights) else ONE) / np.float32(rows)
        if outputs == 1:
            z, t = logits[i, 0], targets[i, 0]
            positive = class_weights[1] / class_weights[0]
            probability = ONE / (ONE + np.exp(-z))
            found = (ONE - t) * probability - positive * t * (ONE - probability)
            if loss == FOCAL:
                tail = np.log1p(np.exp(-np.abs(z)))
                up, down = max(z, ZERO) + tail, max(-z, ZERO) + tail
                each = (ONE - t) * up + positive * t * down
                miss = t + probability - TWO * t * probability
                turn = (ONE - TWO * t) * probability * (ONE - probability) if miss > MIN_MISS else ZERO
                miss = max(miss, MIN_MISS)
                side = alpha * t + (1 - alpha) * (ONE - t)
                found = side * (miss**gamma * found + gamma * miss ** (gamma - 1) * turn * each)
            slopes[i] = found * class_weights[0] * weight
            continue
        largest = logits[i].max()
        total = ZERO
        for c in range(outputs):
            total += np.exp(logits[i, c] - largest)
        log_total = np.log(total)
        wanted, each, own = ZERO, ZERO, ZERO
        for c in range(outputs):
            share = class_weights[c] * np.float32((1 - smoothing) * targets[i, c] + smoothing / outputs)
            wanted += share
            each -= share * (logits[i, c] - largest - log_total)
            own += targets[i, c] * np.exp(logits[i, c] - largest) / total
        miss = max(ONE - own, MIN_MISS)
        for c in range(outputs):
            share = class_weights[c] * np.float32((1 - smoothing) * targets[i, c] + smoothing / outputs)
            probability = np.exp(logits[i, c] - largest) / total
            found = probability * wanted - share
            if loss == FOCAL:
                turn = own * (probability - targets[i, c]) if ONE - own > MIN_MISS else ZERO
                found = miss**gamma * found + gamma * miss ** (gamma - 1) * turn * each
            slopes[i * outputs + c] = found * weight


@compiled
def take_steps(
    x: Array,
    sparse: Sparse,
    chosen: Sizes,
    targets: Array,
    row_weights: Array,
    dropped: Array,
    shape: Shape,
    state: State,
    room: Room,
    objective: Objective,
    rule: Rule,
    taken: int,
    rate: float,
    logits: Array,
) -> float:
    """Take a step for each batch of n rows; return the first batch's gradient norm.

    Args:
        x: the rows in the order of training, shape (n, d); not looked at when some are chosen.
        sparse, chosen: see ``forward``; as many are chosen as there are targets.
        targets, row_weights: theirs, see ``slopes_of``.
        dropped: see ``forward``, batch by batch.
        shape, state, room, objective, rule: what is trained, and how.
        taken: steps taken before.
        rate: the learning rate.
        logits: where those of all rows go, shape (n, outputs).
    """
    units = shape.sizes[1:-1].sum() if len(dropped) else 0
    norm = 0.0
    for start in range(0, len(targets), shape.batch):
        end = min(start + shape.batch, len(targets))
        rows, some, masks = x[start:end], chosen[start:end], dropped[start * units : end * units]
        answers = forward(rows, sparse, some, shape, state, room, masks, True)
        logits[start:end] = answers
        weights = row_weights[start:end] if len(row_weights) else row_weights
        slopes_of(answers, targets[start:end], weights, objective, room.slopes)
        backward(rows, sparse, some, shape, state, room, masks)
        taken += 1
        found = update(state, rule, taken, rate)
        norm = found if start == 0 else norm
    return norm
