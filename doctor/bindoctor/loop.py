"""The training loop: plain PyTorch over a matrix in memory, epoch by epoch, with everything logged."""

import math
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bindoctor import scores
from bindoctor.build import build_network, build_optimizer, build_schedule, check_network_size
from bindoctor.errors import InputError
from bindoctor.history import Epoch, History, TrainingFailed
from bindoctor.losses import (
    Objective,
    binary_targets,
    build_objective,
    class_weights,
    output_count,
    plain_log_loss,
)
from bindoctor.prepare import Matrix, Part, Prepared
from bindoctor.recipe import Recipe

MAX_ROWS_AT_ONCE = 65_536


def train_network(recipe: Recipe, prepared: Prepared, *, seed: int) -> tuple[nn.Sequential, History]:
    """Train the recipe's network; on the CPU the result depends on nothing but the arguments.

    The curve holds plain log losses, whatever is minimised: of the training rows (after resampling) as they came by in
    the epoch, dropout and all, and of the rows that early stopping watches, or else of the held-out rows, which decide
    nothing. The score is the average precision where that is monitored, otherwise the accuracy; the gradient norm is
    that of the epoch's first batch, before clipping.

    Returns:
        The network on the CPU, in evaluation mode, and the curve.

    Raises:
        InputError: the recipe does not fit the number of classes or rows, or the device is not there.
        TrainingFailed: a loss is no number.
    """
    settings, device = recipe.train, _device(recipe)
    counts = np.bincount(prepared.train.labels, minlength=len(prepared.classes))
    outputs = output_count(recipe.loss, len(prepared.classes))
    check_network_size(recipe.model, prepared.train.matrix.shape[1], outputs)
    objective = build_objective(recipe.loss, outputs, class_weights(recipe.loss, counts.tolist()), device)
    matrix, labels = _tensors(prepared.train, device)
    targets = binary_targets(recipe.loss, labels) if outputs == 1 else labels
    weights = None if prepared.weights is None else torch.from_numpy(prepared.weights).to(device)
    watched_part = prepared.valid or prepared.test
    watched = None if watched_part is None else _tensors(watched_part, device)
    _check(recipe, prepared)
    epochs: list[Epoch] = []
    best_value, best_epoch, best_state = -math.inf, 0, {}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        shuffle = torch.Generator().manual_seed(seed)
        network = build_network(recipe.model, matrix.shape[1], outputs, (counts / counts.sum()).tolist()).to(device)
        optimizer = build_optimizer(recipe.optimizer, network)
        schedule = build_schedule(recipe.optimizer, optimizer, settings.epochs)
        first_loss = plain_log_loss(_logits(network, matrix), labels)
        for number in range(1, settings.epochs + 1):
            order = _order(recipe, len(labels), shuffle).to(device)
            rate = optimizer.param_groups[0]["lr"]
            logits, norm = _one_epoch(
                recipe,
                network,
                optimizer,
                objective,
                matrix[order],
                targets[order],
                None if weights is None else weights[order],
            )
            train = _measure(recipe, logits, labels[order])
            valid = None if watched is None else _measure(recipe, _logits(network, watched[0]), watched[1])
            epochs.append(_epoch(number, train, valid, rate, norm))
            deciding = train if valid is None or prepared.valid is None else valid
            if not math.isfinite(train.loss + deciding.loss):
                why = f"the loss became {train.loss + deciding.loss} in epoch {number}"
                raise TrainingFailed(why, History(tuple(epochs), first_loss))
            if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
                schedule.step(deciding.loss)
            elif schedule is not None:
                schedule.step()
            if prepared.valid:
                value = -deciding.loss if settings.monitor == "loss" else deciding.score
                if value > best_value:
                    best_value, best_epoch = value, number
                    best_state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
                elif number - best_epoch >= settings.patience:
                    break
        if prepared.valid and settings.restore_best:
            network.load_state_dict(best_state)
    return network.cpu().eval(), History(tuple(epochs), first_loss, best_epoch or None)


def network_probability(network: nn.Sequential, matrix: Matrix) -> npt.NDArray[np.float64]:
    """Return class probabilities, float64 of shape (n, classes)."""
    return _probability(_logits(network, torch.from_numpy(matrix)))


class _Measured(NamedTuple):
    loss: float
    score: float


def _epoch(number: int, train: _Measured, valid: _Measured | None, rate: float, norm: float) -> Epoch:
    watched = (None, None) if valid is None else valid
    return Epoch(number, train.loss, watched[0], train.score, watched[1], rate, norm)


def _one_epoch(
    recipe: Recipe,
    network: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    matrix: Tensor,
    targets: Tensor,
    row_weights: Tensor | None,
) -> tuple[Tensor, float]:
    """Take one step a batch over rows in this order; return all logits and the first batch's gradient norm."""
    settings = recipe.optimizer
    parameters = list(network.parameters())
    matrices = [parameter for parameter in parameters if parameter.ndim == 2]
    logits: list[Tensor] = []
    norms: list[Tensor] = []
    network.train()
    size = recipe.train.batch_size
    counting = repeat(None) if row_weights is None else torch.split(row_weights, size)
    for rows, wanted, weights in zip(torch.split(matrix, size), torch.split(targets, size), counting, strict=False):
        answer = network(rows)
        loss = objective(answer, wanted, weights)
        if settings.l1:
            loss = loss + settings.l1 * torch.stack([weight.abs().sum() for weight in matrices]).sum()
        # What zero_grad does, at a quarter of its cost: a tenth of a step of a small network.
        for parameter in parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm or not norms:
            norms.append(nn.utils.clip_grad_norm_(parameters, settings.clip_norm or math.inf))
        optimizer.step()
        logits.append(answer.detach())
    return torch.cat(logits), norms[0].item()


def _order(recipe: Recipe, rows: int, shuffle: torch.Generator) -> Tensor:
    order = torch.randperm(rows, generator=shuffle)
    # Batch normalisation cannot train on a batch of one row, so a single row left over sits this epoch out.
    alone = recipe.model.batch_norm and rows % recipe.train.batch_size == 1
    return order[: rows - 1] if alone else order


def _measure(recipe: Recipe, logits: Tensor, labels: Tensor) -> _Measured:
    loss = plain_log_loss(logits, labels)
    if recipe.train.monitor == "average-precision":
        return _Measured(loss, scores.average_precision(labels.cpu().numpy(), _probability(logits)))
    answered = logits[:, 0] >= 0 if logits.shape[1] == 1 else logits.argmax(dim=1)
    return _Measured(loss, (answered == labels).float().mean().item())


def _logits(network: nn.Sequential, matrix: Tensor) -> Tensor:
    network.eval()
    with torch.no_grad():
        return torch.cat([network(rows) for rows in torch.split(matrix, MAX_ROWS_AT_ONCE)])


def _probability(logits: Tensor) -> npt.NDArray[np.float64]:
    exact = logits.double().cpu()
    if logits.shape[1] == 1:
        positive = torch.sigmoid(exact[:, 0]).numpy()
        return np.column_stack([1 - positive, positive])
    return torch.softmax(exact, dim=1).numpy()


def _tensors(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.tensor(part.matrix, device=device), torch.tensor(part.labels, device=device)


def _device(recipe: Recipe) -> torch.device:
    wanted = recipe.train.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("recipe.train.device is 'cuda', but PyTorch sees no GPU; set it to 'auto' or 'cpu'.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _check(recipe: Recipe, prepared: Prepared) -> None:
    if recipe.model.batch_norm and recipe.train.batch_size == 1:
        raise InputError("recipe.model.batch-norm needs recipe.train.batch-size to be 2 or more.")
    if prepared.valid and recipe.train.monitor == "average-precision":
        counts = np.bincount(prepared.valid.labels, minlength=len(prepared.classes))
        if counts[1:].max() == 0 or np.count_nonzero(counts) < 2:
            raise InputError(
                "recipe.train.monitor is 'average-precision', but the validation part of "
                f"{len(prepared.valid.labels)} rows holds one class only; monitor 'loss' or collect rows."
            )
