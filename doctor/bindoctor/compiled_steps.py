"""Training steps compiled ahead: what ``TorchSteps`` does, without what small networks spend most time on."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from bindoctor.compiled import ACTIVATIONS, LOSSES, Objective, Room, Shape, Sparse, take_steps
from bindoctor.compiled import forward as forward_rows
from bindoctor.compiled_optimizers import OPTIMIZERS, Array, Rule, State
from bindoctor.prepare import Matrix
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Loss

MAX_AT_ONCE = 4_000_000
MIN_SPARSE_WIDTH = 200
MAX_SPARSE_SHARE = 0.1
"""Rows of many inputs that are nearly all 0, as one-hot levels are, are cheaper to multiply cell by cell."""
MAX_ROWS_AT_ONCE = 1024
NONE_SPARSE = Sparse(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))


class CompiledSteps:
    """Trains a network on the CPU, one model at a time on one vector of parameters, outside of Python's lock."""

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Sequential,
        matrix: Matrix,
        labels: npt.NDArray[np.int64],
        class_weights: npt.NDArray[np.float64],
        row_weights: Matrix | None,
        epoch_rows: int,
    ) -> None:
        """Take over the network's start, and PyTorch's random numbers from here on; see ``TorchSteps``.

        ``epoch_rows`` is how many rows an epoch has, at most.
        """
        model, loss, optimizer = recipe.model, recipe.loss, recipe.optimizer
        self._network, self._dropout = network, model.dropout if model.kind == "mlp" else 0.0
        linear = [module for module in network if isinstance(module, nn.Linear)]
        sizes = np.array([linear[0].in_features, *(module.out_features for module in linear)], dtype=np.int64)
        norm = model.batch_norm and len(linear) > 1
        batch = min(recipe.train.batch_size, epoch_rows)
        self._shape = Shape(sizes, ACTIVATIONS.get(model.activation, 0), norm, batch)
        self._sparse = is_sparse(matrix)
        self._state = _state(network, sizes, norm=norm, turned=self._sparse)
        self._room = _room(self._shape, dropout=bool(self._dropout))
        outputs = int(sizes[-1])
        self._objective = Objective(
            LOSSES[loss.kind],
            class_weights.astype(np.float32),
            loss.label_smoothing,
            loss.focal_alpha,
            loss.focal_gamma,
        )
        self._rule = Rule(
            OPTIMIZERS[optimizer.kind],
            optimizer.momentum if optimizer.kind in ("sgd", "rmsprop") else 0.0,
            optimizer.weight_decay,
            optimizer.l1,
            optimizer.clip_norm,
        )
        self._rows, self._kept = matrix, None
        self._kept = self._matrix, self._cells = self.inputs(matrix)
        self._targets = _targets(loss, labels, outputs)
        self._weights = np.empty(0, dtype=np.float32) if row_weights is None else row_weights
        self._taken = 0
        self._random = torch.Generator()
        self._random.set_state(torch.get_rng_state())

    def inputs(self, matrix: Matrix) -> tuple[Array, Sparse]:
        """Return a matrix as ``logits`` takes it: whole or sparse, as the training rows are."""
        if self._kept is not None and matrix is self._rows:
            return self._kept
        if not self._sparse:
            return np.ascontiguousarray(matrix), NONE_SPARSE
        found = csr_array(matrix)
        starts, columns = found.indptr.astype(np.int64), found.indices.astype(np.int32)
        return np.empty((0, 0), np.float32), Sparse(starts, columns, found.data)

    def logits(self, inputs: tuple[Array, Sparse]) -> Tensor:
        """Return the network's logits in evaluation mode, shape (n, outputs)."""
        matrix, cells = inputs
        shape = self._shape._replace(batch=MAX_ROWS_AT_ONCE)
        room, none = _room(shape, dropout=False), np.empty(0, dtype=np.float32)
        rows = len(cells.starts) - 1 if self._sparse else len(matrix)
        parts = []
        for start in range(0, rows, shape.batch):
            end = min(start + shape.batch, rows)
            chosen = np.arange(start, end) if self._sparse else np.empty(0, np.int64)
            parts.append(forward_rows(matrix[start:end], cells, chosen, shape, self._state, room, none, False).copy())
        return torch.from_numpy(np.concatenate(parts))

    def epoch(self, order: Tensor, rate: float) -> tuple[Tensor, float]:
        """Take one step a batch over rows in this order; return their logits and the first batch's gradient norm."""
        rows, batch = order.numpy(), self._shape.batch
        logits = np.empty((len(rows), self._targets.shape[1]), dtype=np.float32)
        units = int(self._shape.sizes[1:-1].sum()) if self._dropout else 0
        # Rows are gathered, and dropout's random numbers drawn as PyTorch draws them, for some batches at a time.
        gathered = 0 if self._sparse else self._matrix.shape[1]
        piece = max(MAX_AT_ONCE // (max(units, gathered, 1) * batch), 1) * batch
        norms = []
        for start in range(0, len(rows), piece):
            some = rows[start : start + piece]
            weights = self._weights[some] if len(self._weights) else self._weights
            norms.append(
                take_steps(
                    self._matrix if self._sparse else self._matrix[some],
                    self._cells,
                    some if self._sparse else some[:0],
                    self._targets[some],
                    weights,
                    self._dropped(len(some)),
                    self._shape,
                    self._state,
                    self._room,
                    self._objective,
                    self._rule,
                    self._taken,
                    rate,
                    logits[start : start + piece],
                )
            )
            self._taken += -(-len(some) // batch)
        return torch.from_numpy(logits), norms[0]

    def state(self) -> object:
        """Return a copy of all that training changes in the network."""
        return self._state.parameters.copy(), self._state.running.copy()

    def restore(self, state: object) -> None:
        """Go back to a state."""
        assert isinstance(state, tuple)
        self._state.parameters[:], self._state.running[:] = state

    def network(self) -> nn.Sequential:
        """Return the network as trained, in evaluation mode."""
        for tensor, part in _parts(self._network, self._state, turned=self._sparse):
            tensor.copy_(torch.from_numpy(part.reshape(tensor.shape)))
        return self._network.eval()

    def _dropped(self, rows: int) -> Array:
        """Draw what dropout multiplies by, as ``torch.nn.Dropout`` does batch by batch and layer by layer."""
        if not self._dropout:
            return np.empty(0, dtype=np.float32)
        keep, batch = 1 - self._dropout, self._shape.batch
        drawn = [
            torch.empty(min(batch, rows - start), int(units))
            .bernoulli_(keep, generator=self._random)
            .div_(keep)
            .reshape(-1)
            for start in range(0, rows, batch)
            for units in self._shape.sizes[1:-1]
        ]
        return torch.cat(drawn).numpy()


def _room(shape: Shape, *, dropout: bool) -> Room:
    sizes, activation, norm, batch = shape

    def buffer(length: int) -> Array:
        return np.zeros(length, dtype=np.float32)

    every, units = int(sizes[1:].sum()), int(sizes[1:-1].sum())
    outputs = buffer(every * batch)
    return Room(
        outputs,
        buffer(every * batch) if dropout else outputs,
        buffer(every * batch if activation == ACTIVATIONS["gelu"] else 0),
        buffer(every * batch if norm else 0),
        buffer(units if norm else 0),
        buffer(every * batch),
    )


def is_sparse(matrix: Matrix) -> bool:
    """Tell whether so many cells are 0 that rows are better multiplied cell by cell."""
    return matrix.shape[1] >= MIN_SPARSE_WIDTH and bool(np.count_nonzero(matrix) <= MAX_SPARSE_SHARE * matrix.size)


def _state(network: nn.Sequential, sizes: npt.NDArray[np.int64], *, norm: bool, turned: bool) -> State:
    size = sum(parameter.numel() for parameter in network.parameters())
    parameters, gradient, matrices, first, second = (np.zeros(size, dtype=np.float32) for _ in range(5))
    state = State(
        parameters,
        gradient,
        matrices,
        first,
        second,
        np.zeros(2 * int(sizes[1:-1].sum()) if norm else 0, dtype=np.float32),
    )
    for tensor, part in _parts(network, state, turned=turned):
        part[:] = tensor.numpy().reshape(-1)
    unused = state._replace(parameters=matrices, running=state.running.copy())
    for tensor, part in _parts(network, unused, turned=turned):
        part[:] = float(tensor.ndim == 2)
    return state


def _parts(network: nn.Sequential, state: State, *, turned: bool) -> list[tuple[Tensor, Array]]:
    """Pair the tensors of a PyTorch network with where they lie in the state's parameters and running statistics.

    The first layer's weights are ``turned`` for sparse rows.
    """
    found: list[tuple[Tensor, Array]] = []
    places = {"parameters": 0, "running": 0}

    def pair(tensor: Tensor, where: str) -> None:
        start = places[where]
        places[where] += tensor.numel()
        found.append((tensor.data, getattr(state, where)[start : places[where]]))

    for module in network:
        if isinstance(module, nn.Linear | nn.BatchNorm1d):
            pair(module.weight.T if turned and not found else module.weight, "parameters")
            pair(module.bias, "parameters")
        if isinstance(module, nn.BatchNorm1d):
            assert module.running_mean is not None and module.running_var is not None
            pair(module.running_mean, "running")
            pair(module.running_var, "running")
    return found


def _targets(loss: Loss, labels: npt.NDArray[np.int64], outputs: int) -> Array:
    """Return 0 and 1 for each row and logit, shape (n, outputs); of a single logit smoothed as the recipe says."""
    if outputs == 1:
        return (labels.astype(np.float32) * (1 - loss.label_smoothing) + loss.label_smoothing / 2)[:, None].astype(
            np.float32
        )
    hot = np.zeros((len(labels), outputs), dtype=np.float32)
    hot[np.arange(len(labels)), labels] = 1
    return hot
