"""Trains networks of one shape side by side, as a GPU likes it: their weights in one tensor, a step for all at once."""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, pad

from bindoctor.build import build_network
from bindoctor.history import History, TrainingFailed
from bindoctor.loop import MAX_ROWS_AT_ONCE, RANDOM, check_training
from bindoctor.losses import MIN_MISS, binary_focal, binary_targets, class_weights, output_count, plain_log_loss
from bindoctor.prepare import Matrix, Prepared
from bindoctor.progress import Progress, epoch_orders, measure
from bindoctor.recipe import Recipe
from bindoctor.stacked_optimizers import StackedOptimizer

MAX_STACKED_NUMBERS = 2**31
"""Inputs, hidden values and weights of all members at a time: 8 GiB of float32."""
COPIES_OF_WEIGHTS = 8
"""A step of Adam holds the weights, their gradient, two means of it, and what these become."""


class Member(NamedTuple):
    """One training of a stack."""

    recipe: Recipe
    prepared: Prepared
    seed: int


class Trained(NamedTuple):
    """What came of a member: its network on the CPU, in evaluation mode, and its curve."""

    network: nn.Sequential
    history: History


def stack_key(member: Member) -> Hashable:
    """Return a key that is equal for members which can be trained in one stack.

    They have networks of the same shape, batches of one size and the same kinds of loss and optimizer. The learning
    rate and its schedule, penalties, dropout, weights and the number of epochs may differ.
    """
    recipe, prepared = member.recipe, member.prepared
    model = msgspec.structs.replace(recipe.model, dropout=0.0, prior_bias=False)
    loss = msgspec.structs.replace(recipe.loss, class_weight="none", label_smoothing=0.0)
    shape = (prepared.train.matrix.shape[1], output_count(recipe.loss, len(prepared.classes)))
    return str(model), str(loss), recipe.optimizer.kind, recipe.train.batch_size, shape


def stacks(members: Sequence[Member]) -> list[list[int]]:
    """Part members into stacks, by position: each of one key, and as many as fit into memory."""
    by_key: dict[Hashable, list[int]] = {}
    for position, member in enumerate(members):
        by_key.setdefault(stack_key(member), []).append(position)
    parted = []
    for positions in by_key.values():
        most = max(1, MAX_STACKED_NUMBERS // max(_numbers(members[i]) for i in positions))
        parted += [positions[start : start + most] for start in range(0, len(positions), most)]
    return parted


def train_stack(members: Sequence[Member], device: torch.device) -> list[Trained | TrainingFailed]:
    """Train members that share a ``stack_key``, each as ``train_network`` would.

    Every member draws its initial weights and the order of its rows as it would alone, and its steps are those of the
    plain loop to rounding. Only dropout differs: its random numbers come from one generator for all.

    Returns:
        What came of each member, in order: its network and curve, or why it failed.

    Raises:
        InputError: a recipe does not fit its rows.
    """
    for member in members:
        check_training(member.recipe, member.prepared)
    stack = _Stack(members, device)
    first = stack.logits(stack.matrices)
    labels = [torch.tensor(member.prepared.train.labels) for member in members]
    progress: list[Progress] = []
    for number, member in enumerate(members):
        loss = plain_log_loss(first[number][: len(labels[number])], labels[number])
        progress.append(Progress(member.recipe, member.prepared, loss))
    watched = [member.prepared.valid or member.prepared.test for member in members]
    held = stack.inputs([part.matrix if part else members[0].prepared.train.matrix[:0] for part in watched])
    orders = [
        epoch_orders(
            member.recipe,
            member.prepared,
            torch.Generator().manual_seed(member.seed),
            lone_row=not member.recipe.model.batch_norm,
        )
        for member in members
    ]
    failed: dict[int, TrainingFailed] = {}
    best: dict[int, tuple[Tensor, Tensor]] = {}
    while running := [k for k in range(len(members)) if k not in failed and not progress[k].ended]:
        drawn = {k: next(orders[k]) for k in running}
        logits, norms = stack.epoch(drawn, {k: progress[k].rate for k in running})
        seen = stack.logits(held)
        for k in running:
            recipe, part = members[k].recipe, watched[k]
            train = measure(recipe, logits[k][: len(drawn[k])], labels[k][drawn[k]])
            valid = None
            if part is not None:
                valid = measure(recipe, seen[k][: len(part.labels)], torch.tensor(part.labels))
            try:
                if progress[k].end_epoch(train, valid, norms[k]):
                    best[k] = stack.state(k)
            except TrainingFailed as error:
                failed[k] = error
    for k, state in best.items():
        if progress[k].restores and k not in failed:
            stack.restore(k, state)
    return [failed.get(k) or Trained(stack.network(k), progress[k].history) for k in range(len(members))]


class _Stack:
    """The weights, the rows and the optimizer of all members, padded to one shape.

    What is padded has no weight in any mean, so that it changes nothing. A member that has fewer batches in an epoch
    than others, or has ended, takes no step.
    """

    def __init__(self, members: Sequence[Member], device: torch.device) -> None:
        self._device, self._members = device, members
        recipe = members[0].recipe
        networks = [_initial(member) for member in members]
        dropout = max(member.recipe.model.dropout for member in members)
        model = msgspec.structs.replace(recipe.model, dropout=dropout)
        self._outputs = output_count(recipe.loss, len(members[0].prepared.classes))
        with torch.device("meta"):
            self._template = build_network(model, members[0].prepared.train.matrix.shape[1], self._outputs)
        self._parameters = torch.stack([_flat(network) for network in networks]).to(device).requires_grad_()
        # As PyTorch starts them; running means and variances of one member lie side by side.
        self._running = torch.stack([_flat_running(network) for network in networks]).to(device)
        self._optimizer = StackedOptimizer(
            [member.recipe.optimizer for member in members], self._parameters, _matrices(networks[0]).to(device)
        )
        self._batch = recipe.train.batch_size
        self._dropout = self._column([member.recipe.model.dropout for member in members])[:, :, None]
        self._random = torch.Generator(device).manual_seed(members[0].seed)
        self.matrices = self.inputs([member.prepared.train.matrix for member in members])
        rows = self.matrices.shape[1]
        self._labels = self._padded([torch.tensor(member.prepared.train.labels) for member in members], rows)
        self._weights = self._padded([_row_weights(member) for member in members], rows)
        by_class = np.stack([class_weights(member.recipe.loss, _counts(member)) for member in members])
        self._class_weights = torch.from_numpy(by_class).float().to(device)
        self._smoothing = self._column([member.recipe.loss.label_smoothing for member in members])
        if self._outputs == 1:
            targets = [
                binary_targets(member.recipe.loss, torch.tensor(member.prepared.train.labels)) for member in members
            ]
            self._targets = self._padded([each[:, 0] for each in targets], rows)

    def inputs(self, matrices: Sequence[Matrix]) -> Tensor:
        """Return the members' matrices as one tensor, shape (members, most rows, width)."""
        most = max(len(matrix) for matrix in matrices)
        return self._padded([torch.tensor(matrix) for matrix in matrices], most)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return all members' logits in evaluation mode, on the CPU, shape (members, rows, outputs)."""
        with torch.no_grad():
            parts = torch.split(inputs, max(1, MAX_ROWS_AT_ONCE // len(inputs)), dim=1)
            return torch.cat([self._forward(part, None) for part in parts], dim=1).cpu()

    def epoch(self, orders: dict[int, Tensor], rates: dict[int, float]) -> tuple[Tensor, list[float]]:
        """Take one step a batch for every member in ``orders``.

        Returns:
            The logits of the rows in their order, on the CPU, shape (members, most rows, outputs), and the norms of the
            first batches' gradients.
        """
        count, size = len(self._members), self._batch
        steps = max(-(-len(order) // size) for order in orders.values())
        positions = torch.zeros((count, steps * size), dtype=torch.int64)
        counted = torch.zeros((count, steps * size))
        for k, order in orders.items():
            positions[k, : len(order)] = order
            counted[k, : len(order)] = 1
        positions, counted = positions.to(self._device), counted.to(self._device)
        rate = self._column([rates.get(k, 0.0) for k in range(count)])
        member = torch.arange(count, device=self._device)[:, None]
        logits, norms = [], None
        for rows, mask in zip(torch.split(positions, size, dim=1), torch.split(counted, size, dim=1), strict=True):
            answers = self._forward(self.matrices[member, rows], mask)
            weights = self._weights[member, rows] * mask / mask.sum(dim=1, keepdim=True).clamp_min(1)
            loss = (weights * self._losses(answers, member, rows)).sum()
            (gradient,) = torch.autograd.grad(loss, self._parameters)
            stepping = mask[:, :1] > 0
            with torch.no_grad():
                norm = self._optimizer.step(gradient, rate, stepping)
            norms = norm if norms is None else norms
            logits.append(answers.detach())
        return torch.cat(logits, dim=1).cpu(), [] if norms is None else norms[:, 0].tolist()

    def state(self, member: int) -> tuple[Tensor, Tensor]:
        """Return a copy of what training changes in a member."""
        return self._parameters[member].detach().clone(), self._running[member].clone()

    def restore(self, member: int, state: tuple[Tensor, Tensor]) -> None:
        """Take a member back to a state."""
        with torch.no_grad():
            self._parameters[member], self._running[member] = state

    def network(self, member: int) -> nn.Sequential:
        """Return a member as trained, on the CPU and in evaluation mode."""
        network = _initial(self._members[member])
        values = self._parameters[member].detach().cpu()
        nn.utils.vector_to_parameters(values, network.parameters())
        place, running = 0, self._running[member].cpu()
        for layer in network:
            if isinstance(layer, nn.BatchNorm1d):
                assert layer.running_mean is not None and layer.running_var is not None
                for buffer in (layer.running_mean, layer.running_var):
                    buffer.copy_(running[place : place + layer.num_features])
                    place += layer.num_features
        return network.eval()

    def _forward(self, values: Tensor, mask: Tensor | None) -> Tensor:
        """Return logits of shape (members, rows, outputs); in training, ``mask`` says which rows count."""
        place, run = 0, 0
        for layer in self._template:
            if isinstance(layer, nn.Linear):
                weight, place = self._taken(place, layer.out_features, layer.in_features)
                bias, place = self._taken(place, 1, layer.out_features)
                values = torch.baddbmm(bias, values, weight.mT)
            elif isinstance(layer, nn.BatchNorm1d):
                scale, place = self._taken(place, 1, layer.num_features)
                shift, place = self._taken(place, 1, layer.num_features)
                values = self._normalised(layer, values, run, mask) * scale + shift
                run += 2 * layer.num_features
            elif isinstance(layer, nn.Dropout):
                values = self._dropped(values, mask)
            else:
                values = layer(values)
        return values

    def _taken(self, place: int, *shape: int) -> tuple[Tensor, int]:
        size = shape[0] * shape[1]
        return self._parameters[:, place : place + size].view(-1, *shape), place + size

    def _normalised(self, layer: nn.BatchNorm1d, values: Tensor, run: int, mask: Tensor | None) -> Tensor:
        """Normalise as PyTorch does, by the rows that count, and keep running statistics of them."""
        width = layer.num_features
        mean, variance = self._running[:, run : run + width], self._running[:, run + width : run + 2 * width]
        if mask is not None:
            rows = mask.sum(dim=1, keepdim=True)
            counted = mask[:, :, None] / rows.clamp_min(1)[:, :, None]
            batch_mean = (values * counted).sum(dim=1)
            batch_variance = ((values - batch_mean[:, None]) ** 2 * counted).sum(dim=1)
            with torch.no_grad():
                share = torch.where(rows > 0, layer.momentum or 0.1, 0.0)
                spread = batch_variance.detach() * rows / (rows - 1).clamp_min(1)
                mean.lerp_(batch_mean.detach(), share)
                variance.lerp_(spread, share)
            mean, variance = batch_mean, batch_variance
        return (values - mean[:, None]) / torch.sqrt(variance[:, None] + layer.eps)

    def _dropped(self, values: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return values
        drawn = torch.rand(values.shape, generator=self._random, device=self._device)
        return values * (drawn >= self._dropout) / (1 - self._dropout)

    def _losses(self, logits: Tensor, member: Tensor, rows: Tensor) -> Tensor:
        """Return each row's loss with its class's weight, as ``build_objective`` defines it, shape (members, rows)."""
        loss = self._members[0].recipe.loss
        if self._outputs == 1:
            low, high = self._class_weights[:, :1], self._class_weights[:, 1:]
            answers, targets = logits[:, :, 0], self._targets[member, rows]
            if loss.kind == "focal":
                return low * binary_focal(loss, answers, targets, high / low)
            return low * binary_cross_entropy_with_logits(answers, targets, pos_weight=high / low, reduction="none")
        logs, labels = log_softmax(logits, dim=2), self._labels[member, rows]
        own = logs.gather(2, labels[:, :, None])[:, :, 0]
        smooth, classes = self._smoothing, logits.shape[2]
        each = -(1 - smooth) * self._class_weights[member, labels] * own
        each = each - smooth / classes * (self._class_weights[:, None] * logs).sum(dim=2)
        if loss.kind == "focal":
            each = each * (1 - own.exp()).clamp_min(MIN_MISS) ** loss.focal_gamma
        return each

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self._device)[:, None]

    def _padded(self, parts: Sequence[Tensor], rows: int) -> Tensor:
        return torch.stack([pad(part, (0, 0) * (part.ndim - 1) + (0, rows - len(part))) for part in parts]).to(
            self._device
        )


def _initial(member: Member) -> nn.Sequential:
    """Build the network as ``train_network`` starts from it."""
    counts = np.array(_counts(member), dtype=np.float64)
    outputs = output_count(member.recipe.loss, len(member.prepared.classes))
    with RANDOM, torch.random.fork_rng(devices=[]):
        torch.manual_seed(member.seed)
        width = member.prepared.train.matrix.shape[1]
        return build_network(member.recipe.model, width, outputs, (counts / counts.sum()).tolist())


def _counts(member: Member) -> list[int]:
    found: list[int] = np.bincount(member.prepared.train.labels, minlength=len(member.prepared.classes)).tolist()
    return found


def _row_weights(member: Member) -> Tensor:
    weights = member.prepared.weights
    return torch.ones(len(member.prepared.train.labels)) if weights is None else torch.from_numpy(weights)


def _flat(network: nn.Sequential) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def _flat_running(network: nn.Sequential) -> Tensor:
    buffers = [buffer for name, buffer in network.named_buffers() if not name.endswith("num_batches_tracked")]
    return torch.cat([torch.empty(0), *buffers])


def _matrices(network: nn.Sequential) -> Tensor:
    """Return 1 where a parameter is a weight, which L1 acts on, else 0, shape (parameters,)."""
    return torch.cat([torch.full((each.numel(),), float(each.ndim == 2)) for each in network.parameters()])


def _numbers(member: Member) -> int:
    """Return how many numbers a member comes to: rows, the widest hidden values in evaluation, weights and steps."""
    prepared, recipe = member.prepared, member.recipe
    parts = [part for part in (prepared.train, prepared.valid or prepared.test) if part is not None]
    widest: int = max(prepared.train.matrix.shape[1], *recipe.model.hidden, 0)
    rows = sum(len(part.labels) for part in parts)
    width = int(prepared.train.matrix.shape[1])
    outputs = output_count(recipe.loss, len(prepared.classes))
    layers = (width, *(recipe.model.hidden if recipe.model.kind == "mlp" else ()), outputs)
    weights = sum((before + 1) * after for before, after in pairwise(layers))
    return rows * (width + 2 * widest) + COPIES_OF_WEIGHTS * weights
