"""Looks at the user's own network before it is trained: what it answers one batch with, and which weights learn."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.inspection import Inspection, LabelFacts, OutputFacts, ParameterFacts, Takes
from bindoctor.loop import RANDOM
from bindoctor.losses import binary_targets, build_objective, class_weights, output_count, plain_log_loss
from bindoctor.module_edits import ends_squashed
from bindoctor.own_model import Made, blamed, make_own
from bindoctor.prepare import Part, Prepared, prepare
from bindoctor.recipe import Recipe
from bindoctor.rows import rows_of
from bindoctor.sampling import sample
from bindoctor.splits import training_rows
from bindoctor.torch_steps import network_logits

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
    """Return what the first rows show of the network that the recipe's factory makes, and of the loss.

    Raises:
        InputError: the network cannot be made, or fails.
    """
    part, classes = prepared.train, len(prepared.classes)
    # Rows may be sorted by class.
    chosen = np.sort(np.random.default_rng(0).permutation(len(part.labels))[:BATCH])
    rows, labels = torch.from_numpy(part.matrix[chosen]), torch.from_numpy(part.labels[chosen])
    network = _made(recipe, prepared).network
    outputs = output_count(recipe.loss, classes)
    takes: Takes = "logits" if outputs == 1 else "class-logits"
    with blamed(f"the network of {recipe.model.factory}"), RANDOM, torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        logits = network_logits(network, rows)
        parameters = _parameters(recipe, network, rows, labels, part, classes)
        last = ends_squashed(network, rows[:2])
    return Inspection(
        loss=recipe.loss.kind,
        takes=takes,
        outputs=OutputFacts(
            shape=tuple(logits.shape),
            low=float(logits.min()),
            high=float(logits.max()),
            finite=bool(torch.isfinite(logits).all()),
            rows_sum_to_one=bool(outputs > 1 and torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-4)),
            last=last,
        ),
        labels=LabelFacts((len(labels),), "int64", tuple(float(k) for k in np.unique(labels)[:20])),
        first_loss=plain_log_loss(logits, labels),
        parameters=parameters,
    )


def _made(recipe: Recipe, prepared: Prepared) -> Made:
    part, classes = prepared.train, len(prepared.classes)
    example = torch.from_numpy(part.matrix[:2])
    counts = np.bincount(part.labels, minlength=classes)
    with RANDOM, torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        outputs = output_count(recipe.loss, classes)
        prior, seed = (counts / counts.sum()).tolist(), recipe.train.seed
        return make_own(recipe.model, example, outputs, prior, seed=seed, shape=prepared.shape)


def _parameters(
    recipe: Recipe, network: nn.Module, rows: torch.Tensor, labels: torch.Tensor, part: Part, classes: int
) -> tuple[ParameterFacts, ...]:
    outputs = output_count(recipe.loss, classes)
    weights = class_weights(recipe.loss, np.bincount(part.labels, minlength=classes).tolist())
    objective = build_objective(recipe.loss, outputs, weights, torch.device("cpu"))
    answer = network.train()(rows)
    logits = answer[:, None] if answer.ndim == 1 else answer
    objective(logits, binary_targets(recipe.loss, labels) if outputs == 1 else labels).backward()  # type: ignore[no-untyped-call]
    return tuple(
        ParameterFacts(
            name,
            tuple(parameter.shape),
            parameter.requires_grad,
            in_optimizer=True,
            gradient=None if parameter.grad is None else float(parameter.grad.norm()),
            all_zero=not bool(parameter.detach().any()),
        )
        for name, parameter in network.named_parameters()
    )
