"""The optimizers' steps, compiled: on one vector of parameters, with PyTorch's definitions and defaults."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float32]

OPTIMIZERS = {"adam": 0, "adamw": 1, "sgd": 2, "rmsprop": 3}
ADAMW, SGD = 1, 2
ONE = np.float32(1)
BETA1, BETA2, ALPHA, EPSILON = 0.9, 0.999, 0.99, 1e-8


class State(NamedTuple):
    """What training changes.

    Attributes:
        parameters: all of them, shape (p,).
        gradient: of the loss, shape (p,).
        matrices: 1 where a parameter is a weight, which L1 acts on, else 0, shape (p,).
        first: Adam's first moment, or the velocity, shape (p,).
        second: Adam's or RMSprop's second moment, shape (p,).
        running: means (h,) and variances (h,) of each hidden layer, with batch normalisation.
    """

    parameters: Array
    gradient: Array
    matrices: Array
    first: Array
    second: Array
    running: Array


class Rule(NamedTuple):
    """How parameters are changed: a number of ``OPTIMIZERS``, and the settings of the recipe, 0 where off."""

    kind: int
    momentum: float
    decay: float
    l1: float
    clip: float


def compiled(function: Any) -> Any:
    """Compile a function when it is first called, and keep that on disk where there is a place to write to."""
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


@compiled
def update(state: State, rule: Rule, step: int, rate: float) -> float:
    """Take one step of an optimizer; return the gradient's norm, with the penalty's slope and before clipping.

    Args:
        state: whose gradient is used, and overwritten.
        rule: how.
        step: counts from 1.
        rate: the learning rate.
    """
    parameters, gradient, matrices, first, second, _ = state
    kind, momentum, decay, l1, clip = rule
    size = len(parameters)
    total = 0.0
    for k in range(size):
        if l1:
            gradient[k] += np.float32(l1) * np.sign(parameters[k]) * matrices[k]
        total += gradient[k] * gradient[k]
    norm = math.sqrt(total)
    factor = np.float32(min(1.0, clip / (norm + 1e-6))) if clip else ONE
    root = np.float32(math.sqrt(1 - BETA2**step))
    slow, small = np.float32(1 - BETA1), np.float32(1 - BETA2)
    pace = np.float32(rate / (1 - BETA1**step))
    epsilon, speed = np.float32(EPSILON), np.float32(rate)
    coupled = np.float32(0 if kind == ADAMW else decay)
    shrink = np.float32(1 - rate * decay if kind == ADAMW else 1)
    keep, share, inertia = np.float32(ALPHA), np.float32(1 - ALPHA), np.float32(momentum)
    for k in range(size):
        slope = gradient[k] * factor + coupled * parameters[k]
        if kind <= ADAMW:
            first[k] += slow * (slope - first[k])
            second[k] += small * (slope * slope - second[k])
            parameters[k] = parameters[k] * shrink - pace * first[k] / (np.sqrt(second[k]) / root + epsilon)
            continue
        if kind > SGD:
            second[k] = keep * second[k] + share * slope * slope
            slope /= np.sqrt(second[k]) + epsilon
        if momentum:
            first[k] = inertia * first[k] + slope
            slope = first[k]
        parameters[k] -= speed * slope
    return norm
