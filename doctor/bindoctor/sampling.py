"""Takes a sample of a large data set for the trials: what they find out is confirmed on all rows."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from bindoctor.build import column_kinds, input_frame, input_width
from bindoctor.channels import row_shape_of
from bindoctor.dataset import Dataset, Rows
from bindoctor.engineering import engineered_columns
from bindoctor.readers.arrays import ArraySource
from bindoctor.readers.frames import FrameSource
from bindoctor.recipe import Recipe
from bindoctor.splits import Index

MAX_TRIAL_ROWS = 20_000
"""Rows that trials are run on, at most, unless that leaves too few rare ones. See benchmarks/README.md for what more
rows change."""
MIN_RARE_IN_SAMPLE = 200
MAX_SAMPLE_FACTOR = 5
MIN_GROUPS = 100
"""Groups in a sample, unless there are fewer: folds of a few large ones say what holds for those alone."""
MAX_CELLS = 2**27
"""Half a GiB of float32, and thrice that while the preprocessing is at work."""


def trial_rows(rows: Rows, *, most: int = MAX_TRIAL_ROWS, seed: int) -> Index:
    """Choose the rows that trials are run on: all of them up to ``most``, else a sample.

    Where ``most`` rows hold fewer than 200 of the rarest class, up to five times as many are taken.

    Returns:
        Their positions, ascending.
    """
    rarest = np.bincount(rows.labels, minlength=len(rows.classes)).min() / len(rows)
    wanted = min(max(most, MIN_RARE_IN_SAMPLE / rarest if rarest else 0), most * MAX_SAMPLE_FACTOR)
    return sample(rows, int(wanted), seed=seed)


def rows_that_fit(recipes: Sequence[Recipe], rows: Rows, *, seed: int) -> Index:
    """Choose the rows that recipes can be trained on in one matrix of 2²⁷ cells: all of them, else a sample.

    Returns:
        Their positions, ascending.
    """
    width = max(_width(recipe, rows) for recipe in recipes)
    return sample(rows, max(MAX_CELLS // width, 1), seed=seed)


def _width(recipe: Recipe, rows: Rows) -> int:
    if shape := row_shape_of(rows.features):
        return math.prod(shape)
    columns = engineered_columns(recipe.features, column_kinds(rows.features))
    known = {name: kind for name, kind in columns.items() if name in rows.features.columns}
    return input_width(recipe.features, input_frame(rows.features, known)) + len(columns) - len(known)


def sample(rows: Rows, wanted: int, *, seed: int) -> Index:
    """Choose rows at random, about so many, that are parted as all are.

    Every class keeps its share. Groups are taken in random order until there are enough rows, and at least a hundred of
    them, whole unless that comes to more than twice as many rows: then each is thinned alike. Rows with a time are
    taken evenly along it.

    Returns:
        Their positions, ascending; all where there are no more.
    """
    if len(rows) <= wanted:
        return np.arange(len(rows))
    random = np.random.default_rng(seed)
    if rows.groups is not None:
        groups, sizes = np.unique(rows.groups, return_counts=True)
        order = random.permutation(len(groups))
        enough = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
        chosen = order[: max(enough, MIN_GROUPS)]
        taken = np.flatnonzero(np.isin(rows.groups, groups[chosen]))
        return taken if len(taken) <= 2 * wanted else _thinned(rows.groups, taken, wanted / len(taken), random)
    if rows.order is not None:
        line = np.argsort(rows.order, kind="stable")
    else:
        line = random.permutation(len(rows))
        line = line[np.argsort(rows.labels[line], kind="stable")]
    return np.sort(line[np.linspace(0, len(rows) - 1, wanted).round().astype(np.int64)])


def _thinned(groups: Index, taken: Index, share: float, random: np.random.Generator) -> Index:
    """Keep a share of each group's rows, drawn at random, and at least one."""
    line = random.permutation(taken)
    line = line[np.argsort(groups[line], kind="stable")]
    _, first, place, sizes = np.unique(groups[line], return_index=True, return_inverse=True, return_counts=True)
    kept = np.arange(len(line)) - first[place] < np.ceil(sizes * share)[place]
    return np.sort(line[kept])


def halved(rows: Rows, train: Index, *, seed: int) -> Index:
    """Return half of some training rows, for a point of the learning curve: of every class, or of the groups.

    Rows with a time lose their earlier half, as a shorter record would.
    """
    random = np.random.default_rng(seed)
    if rows.groups is not None:
        groups = np.unique(rows.groups[train])
        kept = random.choice(groups, (len(groups) + 1) // 2, replace=False)
        return train[np.isin(rows.groups[train], kept)]
    if rows.order is not None:
        return np.sort(train[np.argsort(rows.order[train], kind="stable")[len(train) // 2 :]])
    of_class = [train[rows.labels[train] == k] for k in range(len(rows.classes))]
    return np.sort(np.concatenate([random.choice(rows, (len(rows) + 1) // 2, replace=False) for rows in of_class]))


def excerpt(dataset: Dataset, row_ids: Index) -> Dataset:
    """Return some rows of a data set as one of their own, in memory, which knows their numbers in the file.

    Args:
        dataset: where they are.
        row_ids: 0-based numbers of data rows, ascending.
    """
    if isinstance(dataset.source, ArraySource):
        return replace(dataset, source=dataset.source.excerpt(row_ids), row_numbers=row_ids)
    first, found = 0, []
    for batch in dataset.source.batches():
        here = row_ids[np.searchsorted(row_ids, first) : np.searchsorted(row_ids, first + batch.height)]
        found.append(batch[here - first])
        first += batch.height
    source = FrameSource(pl.concat(found), dataset.source.name, dataset.source.remarks)
    return replace(dataset, source=source, row_numbers=row_ids)
