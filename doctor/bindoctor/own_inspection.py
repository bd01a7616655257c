"""Looks at the user's own network before it is trained: what it answers one batch with, and which weights learn."""

from dataclasses import replace

import msgspec
import numpy as np
import torch
from torch import nn

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.inspection import Inspection
from bindoctor.loop import RANDOM
from bindoctor.losses import output_count
from bindoctor.module_edits import ends_squashed
from bindoctor.own_model import Made, blamed, make_own
from bindoctor.prepare import Prepared, prepare
from bindoctor.probe import inspect
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.sampling import sample
from bindoctor.splits import training_rows
from bindoctor.undisturbed import Batch

BATCH = 256
"""Rows of the batch, at most."""
MAX_ROWS = 2000


def with_own_model(evidence: Evidence) -> Evidence:
    """Return the evidence with an inspection of the user's own network; as it is for any other model.

    A setup that cannot be prepared has none: training says what is wrong.
    """
    recipe = evidence.recipe
    if recipe is None or evidence.dataset is None or recipe.model.kind != "factory":
        return evidence
    try:
        prepared = _prepared(recipe, evidence)
        return replace(evidence, model=inspected(recipe, prepared))
    except InputError:
        return evidence


def edits_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the lines of Python that make the recipe's edits of the factory's network; none for another model.

    Raises:
        InputError: the network cannot be made.
    """
    recipe = evidence.recipe
    if recipe is None or evidence.dataset is None or recipe.model.kind != "factory":
        return ()
    return _made(recipe, _prepared(recipe, evidence)).edits.lines()


def _prepared(recipe: Recipe, evidence: Evidence) -> Prepared:
    """Prepare rows as for training; a sample of them is enough to look at a network."""
    assert evidence.dataset is not None
    rows = training_rows(rows_of(evidence.dataset, recipe, evidence.profile))
    return prepare(recipe, rows.take(sample(rows, MAX_ROWS, seed=0)), seed=recipe.train.seed)


def inspected(recipe: Recipe, prepared: Prepared) -> Inspection:
    """Return what some rows show of the network that the recipe's factory makes, and of the loss.

    What is found hangs on the recipe and the rows alone, and on no clock.

    Raises:
        InputError: the network cannot be made, or fails.
    """
    network = _made(recipe, prepared).network
    one = output_count(recipe.loss, len(prepared.classes)) == 1
    with blamed(f"the network of {recipe.model.factory}"), RANDOM, torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        rows, labels = _some(prepared)
        loss, labels = _loss_for(network.eval()(rows[:2]), labels, one=one)
        found = inspect(network, loss, None, Batch((rows,), {}, labels), timed=False).inspection
        outputs = msgspec.structs.replace(found.outputs, module=ends_squashed(network, rows[:2]))
        return msgspec.structs.replace(found, outputs=outputs)


def look_at(network: nn.Module, evidence: Evidence) -> Inspection:
    """Return what some rows, as the recipe prepares them, show of a network; nothing of it changes.

    The loss is the cross-entropy of logits: the binary one for a single output.

    Raises:
        InputError: the rows cannot be prepared, or the network cannot be called with them.
    """
    recipe = evidence.recipe
    assert recipe is not None
    prepared = _prepared(recipe, evidence)
    rows, labels = _some(prepared)
    rows = rows.reshape(-1, *prepared.shape) if prepared.shape else rows
    try:
        shape = inspect(network, None, None, Batch((rows[:2],), {}, None), timed=False).inspection.outputs.shape
    except InputError as error:
        name, cells = type(network).__name__, tuple(rows.shape[1:])
        raise InputError(
            f"model: {name} cannot be called with rows of shape {cells}, as the recipe prepares them "
            f"({error.__cause__ or error})."
        ) from None
    loss, labels = _loss_for(torch.empty(shape), labels, one=len(shape) == 1 or shape[1] == 1)
    return inspect(network, loss, None, Batch((rows,), {}, labels)).inspection


def _some(prepared: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
    """Return some training rows with their class numbers; rows may be sorted by class."""
    part = prepared.train
    chosen = np.sort(np.random.default_rng(0).permutation(len(part.labels))[:BATCH])
    return torch.from_numpy(part.matrix[chosen]), torch.from_numpy(part.labels[chosen])


def _loss_for(outputs: torch.Tensor, labels: torch.Tensor, *, one: bool) -> tuple[nn.Module, torch.Tensor]:
    """Return the cross-entropy of logits, and the labels as it takes them beside these outputs."""
    if not one:
        return nn.CrossEntropyLoss(), labels
    return nn.BCEWithLogitsLoss(), labels.float() if outputs.ndim == 1 else labels.float()[:, None]


def _made(recipe: Recipe, prepared: Prepared) -> Made:
    part, classes = prepared.train, len(prepared.classes)
    example = torch.from_numpy(part.matrix[:2])
    counts = np.bincount(part.labels, minlength=classes)
    with RANDOM, torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        outputs = output_count(recipe.loss, classes)
        prior, seed = (counts / counts.sum()).tolist(), recipe.train.seed
        return make_own(recipe.model, example, outputs, prior, seed=seed, shape=prepared.shape)
