"""Trains recipes on shared folds and seeds, and scores them fold by fold."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from bindoctor import scores
from bindoctor.dataset import Dataset, Rows
from bindoctor.decide import cross_decided
from bindoctor.errors import InputError
from bindoctor.history import History
from bindoctor.left_out import conflicting_rows
from bindoctor.predictions import Predictions
from bindoctor.recipe import Data, Decide, Recipe
from bindoctor.rows import rows_key, rows_of
from bindoctor.selection import select
from bindoctor.splits import Fold, derived_seed, repeated_folds
from bindoctor.train import Prepared, constant_probability, fit_or_stand_in, fit_prepared, preparation_key, prepare

Floats = npt.NDArray[np.float64]

REPEATS = 6
FOLDS = 5
ROW_SETTINGS = ("drop_rows", "drop_overlap", "conflicts", "deduplicate")
"""The settings of ``recipe.data`` that leave out rows which have a target."""
REPORTED = ("log-loss", "average-precision", "roc-auc", "balanced-accuracy", "mcc", "f1", "accuracy")


@dataclass(frozen=True, eq=False)
class RepeatRun:
    """One recipe over the folds of one repeat: raw out-of-fold predictions, the mean curve, and why folds failed."""

    predictions: Predictions
    history: History
    failures: tuple[str, ...]


FoldScores = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Attempt:
    """One recipe's runs over the repeats done so far.

    ``scored`` holds each repeat's scores by fold, ``constant`` those of always answering the class shares.
    """

    recipe: Recipe
    salt: int = 0
    runs: tuple[RepeatRun, ...] = ()
    scored: tuple[FoldScores, ...] = ()
    constant: tuple[FoldScores, ...] = ()

    def score(self, name: str) -> npt.NDArray[np.float64]:
        """Return a score for each (repeat, fold), shape (repeats · folds,)."""
        return np.concatenate([by_fold[name] for by_fold in self.scored])

    def usable_score(self, name: str) -> npt.NDArray[np.float64]:
        """Return a score for each (repeat, fold), where it is worse than the constant answer's that one's instead.

        Nobody would use a setup that is worse than ignoring the features. Measured from it, any change looks like a
        gain, and its scores vary without bounds.
        """
        constant = np.concatenate([by_fold[name] for by_fold in self.constant])
        better = np.maximum if scores.higher_is_better(name) else np.minimum
        return np.asarray(better(self.score(name), constant))

    def gains(self, over: "Attempt", name: str) -> npt.NDArray[np.float64]:
        """Return paired gains over another attempt's usable scores, on the repeats that both have run."""
        return _paired(name, self.score(name), over.usable_score(name))

    def usable_gains(self, over: "Attempt", name: str) -> npt.NDArray[np.float64]:
        """Return paired gains when this attempt, too, would not be used where it is worse than the constant answer."""
        return _paired(name, self.usable_score(name), over.usable_score(name))


class Laboratory:
    """Trains recipes on the same folds with the same seeds, and remembers what has been trained.

    Recipes that differ only in how probabilities become answers share their training; recipes that differ only in the
    model, the loss, the optimizer or the training share their prepared matrices.
    """

    def __init__(
        self,
        dataset: Dataset,
        work: Rows,
        recipe: Recipe,
        *,
        seed: int,
        repeats: int = REPEATS,
        folds: int = FOLDS,
        fitted: Callable[[], None] = lambda: None,
    ) -> None:
        self.repeats = repeats
        self.folds = folds
        self._dataset = dataset
        self._seed = seed
        self._parts: tuple[tuple[Fold, ...], ...] = repeated_folds(
            work, recipe.split, repeats=repeats, folds=folds, seed=seed
        )
        self._work = work
        self._data = recipe.data
        self._fitted = fitted
        self._rows: dict[str, Rows] = {rows_key(recipe): work}
        self._selected: dict[str, npt.NDArray[np.int64]] = {}
        self._runs: dict[tuple[str, int, int], RepeatRun] = {}
        self._prepared: dict[tuple[str, int, int, int], Prepared] = {}
        self._constant: dict[int, FoldScores] = {}

    def extend(self, attempt: Attempt, *, stand_in: bool) -> Attempt:
        """Run one more repeat of an attempt.

        Args:
            attempt: what has been run so far.
            stand_in: whether the constant answer stands in for a fold whose training collapses, as for a baseline.

        Raises:
            TrainingFailed: training collapsed and nothing stands in.
            InputError: the recipe cannot be trained on these rows.
        """
        repeat = len(attempt.runs)
        run = self._run(attempt.recipe, repeat, attempt.salt, stand_in=stand_in)
        return replace(
            attempt,
            runs=(*attempt.runs, run),
            scored=(*attempt.scored, score_folds(run.predictions, attempt.recipe.decide)),
            constant=(*attempt.constant, self._score_constant(repeat)),
        )

    def complete(self, attempt: Attempt, *, stand_in: bool) -> Attempt:
        """Run the repeats that an attempt still lacks."""
        while len(attempt.runs) < self.repeats:
            attempt = self.extend(attempt, stand_in=stand_in)
        return attempt

    def read(self, recipe: Recipe, row_ids: npt.NDArray[np.int64]) -> Rows:
        """Return these rows of the file as a recipe reads them, in this order, whether it would leave some out or not.

        Raises:
            InputError: the recipe does not fit the file.
        """
        settings = dict(zip(ROW_SETTINGS, (getattr(Data(), name) for name in ROW_SETTINGS), strict=True))
        every_row = msgspec.structs.replace(recipe.data, **settings)
        every = rows_of(self._dataset, msgspec.structs.replace(recipe, data=every_row))
        order = np.argsort(every.row_ids)
        position = np.searchsorted(every.row_ids, row_ids, sorter=order)
        found = order[np.minimum(position, len(order) - 1)]
        if not np.array_equal(every.row_ids[found], row_ids):
            raise InputError("the fix leaves out rows that the setup without it is measured on")
        return every.take(found)

    def trained_on(self, recipe: Recipe, rows: Rows, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return which of some training rows a recipe does train on: all but those that it leaves out.

        They are scored all the same where they are held out: a setup that is only asked easy questions looks good. Rows
        that contradict each other are looked for among the training rows alone, so that no held-out label decides.

        Args:
            recipe: what is tried.
            rows: as ``read`` returns them.
            index: positions of the training rows.
        """
        data = recipe.data
        if data == self._data or all(getattr(data, name) == getattr(Data(), name) for name in ROW_SETTINGS):
            return index
        key = repr(data)
        if key not in self._selected:
            alone = msgspec.structs.replace(recipe, data=msgspec.structs.replace(data, conflicts="keep"))
            self._selected[key] = np.concatenate([index[:0], *(chunk.rows for chunk in select(self._dataset, alone))])
        index = index[np.isin(rows.row_ids[index], self._selected[key])]
        if data.conflicts == "keep":
            return index
        features = rows.features[index].hash_rows().to_numpy()
        labels = pl.Series(rows.labels[index].astype(str))
        return np.setdiff1d(index, conflicting_rows([(features, labels, index)], data.conflicts))

    def _score_constant(self, repeat: int) -> FoldScores:
        if repeat not in self._constant:
            work, parts = self._work, self._parts[repeat]
            held = np.concatenate([test for _, test in parts])
            answers = [constant_probability(work.labels[train], len(work.classes), len(test)) for train, test in parts]
            fold = np.repeat(np.arange(len(parts)), [len(test) for _, test in parts])
            constant = Predictions(work.classes, work.labels[held], np.concatenate(answers), work.row_ids[held], fold)
            self._constant[repeat] = score_folds(constant, Decide())
        return self._constant[repeat]

    def _run(self, recipe: Recipe, repeat: int, salt: int, *, stand_in: bool) -> RepeatRun:
        key = (msgspec.structs.replace(recipe, decide=Decide()).digest(), repeat, salt)
        known = self._runs.get(key)
        if known is not None and (stand_in or not known.failures):
            return known
        run = self._train(recipe, repeat, salt, stand_in=stand_in)
        self._runs[key] = run
        return run

    def _train(self, recipe: Recipe, repeat: int, salt: int, *, stand_in: bool) -> RepeatRun:
        key = rows_key(recipe)
        if key not in self._rows:
            self._rows[key] = self.read(recipe, self._work.row_ids)
        rows = self._rows[key]
        probability = np.zeros((len(rows), len(rows.classes)))
        fold_of = np.full(len(rows), -1, dtype=np.int64)
        histories: list[History] = []
        failures: list[str] = []
        self._prepared = {k: v for k, v in self._prepared.items() if k[1] == repeat}

        def trained(number: int) -> tuple[Floats, History, str]:
            train, _ = self._parts[repeat][number]
            prepared = self._prepare(recipe, rows, repeat, number, salt)
            seed = derived_seed(self._seed, repeat, number, salt)
            if stand_in:
                return fit_or_stand_in(recipe, prepared, rows.labels[train], seed=seed)
            return *fit_prepared(recipe, prepared, seed=seed), ""

        folds = self._parts[repeat]
        # Matrices this small are multiplied by one thread each; the folds have threads of their own.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(os.cpu_count() or 1, len(folds))) as pool:
            for number, (answers, history, failure) in enumerate(pool.map(trained, range(len(folds)))):
                test = folds[number][1]
                probability[test], fold_of[test] = answers, number
                histories.append(history)
                failures += [failure] if failure else []
                self._fitted()
        held = np.flatnonzero(fold_of >= 0)
        predictions = Predictions(rows.classes, rows.labels[held], probability[held], rows.row_ids[held], fold_of[held])
        return RepeatRun(predictions, History.mean(histories), tuple(failures))

    def _prepare(self, recipe: Recipe, rows: Rows, repeat: int, number: int, salt: int) -> Prepared:
        key = (preparation_key(recipe), repeat, number, salt)
        if key not in self._prepared:
            train, test = self._parts[repeat][number]
            self._prepared[key] = prepare(
                recipe,
                rows.take(self.trained_on(recipe, rows, train)),
                rows.take(test),
                seed=derived_seed(self._seed, repeat, number, salt),
            )
        return self._prepared[key]


def score_folds(raw: Predictions, decide: Decide) -> FoldScores:
    """Return every reported score of each fold, answered by what was fitted on the other folds."""
    decided = cross_decided(raw, decide)
    parts = [decided.take(np.flatnonzero(raw.fold == number)) for number in np.unique(raw.fold)]
    return {name: np.array([scores.measure(name, part) for part in parts]) for name in REPORTED}


def _paired(name: str, mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return gains where both scores are defined: average precision is not in a fold that holds one class only."""
    both = min(len(mine), len(theirs))
    gains = (mine[:both] - theirs[:both]) * (1 if scores.higher_is_better(name) else -1)
    return gains[np.isfinite(gains)]
