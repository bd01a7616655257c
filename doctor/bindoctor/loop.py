"""The training loop: epoch by epoch over a matrix in memory, with everything logged."""

from contextlib import ExitStack
from threading import Lock
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bindoctor.build import build_network, check_network_size
from bindoctor.compiled_steps import CompiledSteps, is_sparse
from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.losses import class_weights, output_count, plain_log_loss
from bindoctor.own_mlp import as_mlp
from bindoctor.own_model import blamed, has_batch_norm, make_own
from bindoctor.prepare import Matrix, Prepared
from bindoctor.progress import Progress, epoch_orders, measure, probability_of
from bindoctor.recipe import Recipe
from bindoctor.torch_steps import MAX_ROWS_AT_ONCE, TorchSteps, network_logits

__all__ = [
    "MAX_ROWS_AT_ONCE",
    "RANDOM",
    "Steps",
    "check_training",
    "network_probability",
    "train_network",
    "training_device",
]

MAX_COMPILED_WEIGHTS = 2**20
MAX_SPARSE_WEIGHTS = 2**24
COMPARED_ROWS = 16
RANDOM = Lock()


class Steps(Protocol):
    """What takes the steps: plain PyTorch on any device, or the same compiled, several times faster."""

    def inputs(self, matrix: Matrix) -> Any:
        """Return a matrix as ``logits`` takes it."""
        ...

    def logits(self, inputs: Any) -> Tensor:
        """Return the network's logits in evaluation mode, shape (n, outputs)."""
        ...

    def epoch(self, order: Tensor, rate: float) -> tuple[Tensor, float]:
        """Take one step a batch over rows in this order; return their logits and the first batch's gradient norm."""
        ...

    def state(self) -> object:
        """Return a copy of all that training changes in the network."""
        ...

    def restore(self, state: object) -> None:
        """Go back to a state."""
        ...

    def network(self) -> nn.Module:
        """Return the network as trained, on the CPU and in evaluation mode."""
        ...


def train_network(recipe: Recipe, prepared: Prepared, *, seed: int, plain: bool = False) -> tuple[nn.Module, History]:
    """Train the recipe's network; on the CPU the result depends on nothing but the arguments.

    An epoch goes through as many rows as there were before resampling, so that a resampled setup takes the same number
    of optimizer steps as the one it is compared with, and is annealed and stopped alike. Its rows are drawn in shuffled
    passes over the resampled rows, which go on where the epoch before left off.

    The curve holds plain log losses, whatever is minimised: of the training rows (after resampling) as they came by in
    the epoch, dropout and all, and of the rows that early stopping watches, or else of the held-out rows, which decide
    nothing. The score is the average precision where that is monitored, otherwise the accuracy; the gradient norm is
    that of the epoch's first batch, before clipping.

    Args:
        recipe: what to train.
        prepared: the rows.
        seed: for the initial weights, dropout and the order of rows.
        plain: train with autograd even where compiled steps are faster: on the CPU, for up to 2²⁰ weights, or
            2²⁴ with sparse rows. A network of the user's own is trained so unless it is a plain MLP.

    Returns:
        The network on the CPU, in evaluation mode, and the curve.

    Raises:
        InputError: the recipe does not fit the number of classes or rows, or the device is not there.
        TrainingFailed: a loss is no number.
    """
    device = training_device(recipe)
    check_training(recipe, prepared)
    counts = np.bincount(prepared.train.labels, minlength=len(prepared.classes))
    outputs = output_count(recipe.loss, len(prepared.classes))
    by_class = class_weights(recipe.loss, counts.tolist())
    watched_part = prepared.valid or prepared.test
    with ExitStack() as seeded:
        # PyTorch draws initial weights, and plain steps draw dropout, from a generator that all threads share.
        seeded.enter_context(RANDOM)
        seeded.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
        torch.manual_seed(seed)
        shuffle = torch.Generator().manual_seed(seed)
        network = _network(recipe, prepared, outputs, (counts / counts.sum()).tolist(), seed)
        steps = _steps(recipe, network, prepared, by_class, device, plain=plain)
        if recipe.model.kind == "factory":
            seeded.enter_context(blamed(f"training the network of {recipe.model.factory}"))
        if isinstance(steps, CompiledSteps):
            seeded.close()
        labels = torch.tensor(prepared.train.labels, device=device)
        watched = None
        if watched_part is not None:
            watched = steps.inputs(watched_part.matrix), torch.tensor(watched_part.labels, device=device)
        first_loss = plain_log_loss(steps.logits(steps.inputs(prepared.train.matrix)), labels)
        progress, best = Progress(recipe, prepared, first_loss), None
        normalises = recipe.model.batch_norm or has_batch_norm(network)
        orders = epoch_orders(recipe, prepared, shuffle, lone_row=not normalises)
        while not progress.ended:
            order = next(orders)
            logits, norm = steps.epoch(order, progress.rate)
            train = measure(recipe, logits, labels[order.to(device)])
            valid = None if watched is None else measure(recipe, steps.logits(watched[0]), watched[1])
            if progress.end_epoch(train, valid, norm):
                best = steps.state()
        if progress.restores:
            steps.restore(best)
    trained = steps.network()
    if recipe.model.kind == "factory":
        # What was trained may be its layers, in a chain.
        trained = network.eval()
    return trained, progress.history


def network_probability(network: nn.Module, matrix: Matrix) -> npt.NDArray[np.float64]:
    """Return class probabilities, float64 of shape (n, classes)."""
    return probability_of(network_logits(network, torch.from_numpy(matrix)))


def _network(recipe: Recipe, prepared: Prepared, outputs: int, prior: list[float], seed: int) -> nn.Module:
    matrix = prepared.train.matrix
    if recipe.model.kind == "factory":
        example = torch.from_numpy(matrix[np.arange(2) % len(matrix)])
        return make_own(recipe.model, example, outputs, prior, seed=seed, shape=prepared.shape).network
    return build_network(recipe.model, matrix.shape[1], outputs, prior)


def _steps(
    recipe: Recipe,
    network: nn.Module,
    prepared: Prepared,
    by_class: npt.NDArray[np.float64],
    device: torch.device,
    *,
    plain: bool,
) -> Steps:
    rows = (prepared.train.matrix, prepared.train.labels, by_class, prepared.weights)
    weights = sum(parameter.numel() for parameter in network.parameters())
    known = (network, recipe.model) if isinstance(network, nn.Sequential) else None
    if recipe.model.kind == "factory":
        some = torch.from_numpy(prepared.train.matrix[:COMPARED_ROWS])
        known = None if plain or prepared.shape or len(some) < 2 else as_mlp(network, some)
    most = MAX_SPARSE_WEIGHTS if is_sparse(prepared.train.matrix) else MAX_COMPILED_WEIGHTS
    if plain or device.type != "cpu" or known is None or weights > most:
        return TorchSteps(recipe, network, *rows, device)
    layers, model = known
    return CompiledSteps(msgspec.structs.replace(recipe, model=model), layers, *rows, prepared.epoch_rows)


def training_device(recipe: Recipe) -> torch.device:
    """Return where the recipe trains.

    Raises:
        InputError: it asks for a GPU, and there is none.
    """
    wanted = recipe.train.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("recipe.train.device is 'cuda', but PyTorch sees no GPU; set it to 'auto' or 'cpu'.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def check_training(recipe: Recipe, prepared: Prepared) -> None:
    """Check that a network can be trained so on these rows.

    Raises:
        InputError: it is too large, or does not fit the number of classes, the batches or the rows watched.
    """
    counts = np.bincount(prepared.train.labels, minlength=len(prepared.classes))
    outputs = output_count(recipe.loss, len(prepared.classes))
    if recipe.model.kind != "factory":
        check_network_size(recipe.model, prepared.train.matrix.shape[1], outputs)
    class_weights(recipe.loss, counts.tolist())
    if recipe.model.batch_norm and recipe.train.batch_size == 1:
        raise InputError("recipe.model.batch-norm needs recipe.train.batch-size to be 2 or more.")
    if recipe.model.batch_norm and prepared.epoch_rows == 1:
        raise InputError("recipe.model.batch-norm needs 2 training rows or more; collect rows, or unset it.")
    if prepared.valid and recipe.train.monitor == "average-precision":
        counts = np.bincount(prepared.valid.labels, minlength=len(prepared.classes))
        if counts[1:].max() == 0 or np.count_nonzero(counts) < 2:
            raise InputError(
                "recipe.train.monitor is 'average-precision', but the validation part of "
                f"{len(prepared.valid.labels)} rows holds one class only; monitor 'loss' or collect rows."
            )
