"""Trains recipes on shared folds and seeds, and scores them fold by fold."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

import joblib
import msgspec
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from bindoctor.attempt import Attempt, FoldScores, RepeatRun, cheapest_constant, score_folds
from bindoctor.boosting import with_moved_weights
from bindoctor.budget import Budget
from bindoctor.dataset import Dataset, Rows
from bindoctor.errors import InputError
from bindoctor.history import History, TrainingFailed
from bindoctor.loop import check_training
from bindoctor.predictions import Predictions
from bindoctor.recipe import Recipe
from bindoctor.recipe_sections import Decide
from bindoctor.rows import rows_key
from bindoctor.sampling import halved
from bindoctor.splits import Fold, Index, derived_seed, overlap, repeated_folds
from bindoctor.stacked import stacks
from bindoctor.train import (
    Member,
    Prepared,
    constant_probability,
    fit_or_stand_in,
    fit_prepared,
    fit_stacked,
    moves_weights,
    preparation_key,
    prepare,
    random_preparation,
    trains_stacked,
)
from bindoctor.trial_journal import Record, TrialJournal
from bindoctor.trial_rows import TrialRows

Floats = npt.NDArray[np.float64]

REPEATS = 6
FOLDS = 5


class Laboratory:
    """Trains recipes on the same folds with the same seeds, and remembers what has been trained.

    Recipes that differ only in how probabilities become answers share their training; recipes that are run side by side
    and differ only in the model, the loss, the optimizer or the training share their prepared matrices.
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
        jobs: int | None = None,
        budget: Budget | None = None,
        journal: TrialJournal | None = None,
        fitted: Callable[[], None] = lambda: None,
    ) -> None:
        """Draw the folds.

        Args:
            dataset: what ``work`` was read from.
            work: the rows to train on and to hold out in turn.
            recipe: the setup that all others are held to.
            seed: of the folds and every training.
            repeats: how often the folds are drawn anew.
            folds: folds in a repeat.
            jobs: trainings at a time, each in a thread; as many as there are cores when not given.
            budget: the time that there is; without one, as long as it takes.
            journal: remembers trainings beyond this process.
            fitted: called after every training.

        Raises:
            InputError: the rows cannot be parted so.
        """
        self.repeats = repeats
        self.folds = folds
        self.seconds_per_training = 0.0
        self._rows_as_read = TrialRows(dataset, recipe)
        self._seed = seed
        self._jobs = jobs or joblib.cpu_count()
        self._budget = budget or Budget()
        self._journal = journal
        self._parts: tuple[tuple[Fold, ...], ...] = repeated_folds(
            work, recipe.split, repeats=repeats, folds=folds, seed=seed
        )
        self.overlap = overlap(self._parts)
        self._work = work
        self._cheapest = cheapest_constant(recipe.decide)
        self._fitted = fitted
        self._fits = 0
        self._identity = _identity(work, recipe, seed)
        self._rows: dict[str, Rows] = {rows_key(recipe): work}
        self._runs: dict[RunKey, RepeatRun] = {}
        self._constant: dict[int, FoldScores] = {}

    def extend(self, attempt: Attempt, *, stand_in: bool) -> Attempt:
        """Run one more repeat of an attempt.

        Args:
            attempt: what has been run so far.
            stand_in: whether the constant answer stands in for a fold whose training collapses, as for a baseline.

        Raises:
            TrainingFailed: training collapsed and nothing stands in.
            InputError: the recipe cannot be trained on these rows.
            OutOfTime: the budget is used up.
        """
        (extended,) = self.extend_each([attempt], stand_in=stand_in)
        if isinstance(extended, Exception):
            raise extended
        return extended

    def extend_each(
        self, attempts: Sequence[Attempt], *, stand_in: bool
    ) -> tuple[Attempt | TrainingFailed | InputError, ...]:
        """Run the next repeat of several attempts side by side: the same one of each.

        Returns:
            Each attempt with one more repeat, or why it could not be trained; see ``extend``.

        Raises:
            OutOfTime: the budget is used up.
        """
        (repeat,) = {len(attempt.runs) for attempt in attempts}
        outcomes = self._run_each(attempts, repeat, stand_in=stand_in)
        return tuple(
            outcome
            if isinstance(outcome, Exception)
            else replace(
                attempt,
                runs=(*attempt.runs, outcome),
                scored=(*attempt.scored, score_folds(outcome.predictions, attempt.recipe.decide)),
                constant=(*attempt.constant, self._score_constant(repeat)),
            )
            for attempt, outcome in zip(attempts, outcomes, strict=True)
        )

    def complete(self, attempt: Attempt, *, stand_in: bool) -> Attempt:
        """Run the repeats that an attempt still lacks; see ``extend``."""
        while len(attempt.runs) < self.repeats:
            attempt = self.extend(attempt, stand_in=stand_in)
        return attempt

    def _score_constant(self, repeat: int) -> FoldScores:
        if repeat not in self._constant:
            work, parts = self._work, self._parts[repeat]
            held = np.concatenate([test for _, test in parts])
            answers = [constant_probability(work.labels[train], len(work.classes), len(test)) for train, test in parts]
            fold = np.repeat(np.arange(len(parts)), [len(test) for _, test in parts])
            constant = Predictions.of_rows(work, held, np.concatenate(answers), fold)
            self._constant[repeat] = score_folds(constant, self._cheapest)
        return self._constant[repeat]

    def _run_each(
        self, attempts: Sequence[Attempt], repeat: int, *, stand_in: bool
    ) -> list[RepeatRun | TrainingFailed | InputError]:
        keys = [RunKey(_trained_alike(attempt.recipe), repeat, attempt.salt, attempt.half) for attempt in attempts]
        outcomes: dict[RunKey, RepeatRun | TrainingFailed | InputError] = {}
        missing: dict[RunKey, Attempt] = {}
        for key, attempt in zip(keys, attempts, strict=True):
            known = self._runs.get(key) or self._recalled(key, stand_in=stand_in)
            if known is None or (isinstance(known, RepeatRun) and known.failures and not stand_in):
                missing[key] = attempt
            else:
                outcomes[key] = known
        for key, outcome in self._train_each(missing, stand_in=stand_in):
            self._keep(key, outcome, stand_in=stand_in)
            outcomes[key] = outcome
        self._runs |= {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, RepeatRun)}
        return [outcomes[key] for key in keys]

    def _train_each(
        self, attempts: Mapping["RunKey", Attempt], *, stand_in: bool
    ) -> Iterator[tuple["RunKey", RepeatRun | TrainingFailed | InputError]]:
        """Train what is missing on all folds, in threads, and yield it as it is done, in order.

        What is yielded depends on nothing but the keys: of several folds that fail, the first one's reason counts. Only
        dropout in a stack also depends on what else is in it.
        """
        rows: dict[RunKey, Rows] = {}
        unreadable: dict[RunKey, InputError] = {}
        for key, attempt in attempts.items():
            try:
                rows[key] = self._read(attempt.recipe)
            except InputError as error:
                unreadable[key] = error
        shared = _Shared(
            _preparation(attempts[key].recipe, key, number) for key in rows for number in range(self.folds)
        )
        failed: dict[RunKey, int] = {}

        def member(key: RunKey, number: int) -> Member:
            self._budget.require()
            recipe = attempts[key].recipe
            prepared = shared.get(
                _preparation(recipe, key, number),
                lambda: self._prepare(recipe, rows[key], key, number),
            )
            seed = derived_seed(self._seed, key.repeat, number, key.salt)
            if key.salt and moves_weights(recipe):
                prepared = with_moved_weights(prepared, seed=seed)
            return Member(recipe, prepared, seed)

        def trained(key: RunKey, number: int) -> _Answers | None:
            if failed.get(key, self.folds) < number:
                return None
            started = time.monotonic()
            try:
                recipe, prepared, seed = member(key, number)
                if stand_in:
                    labels = rows[key].labels[self._training_rows(key, number)]
                    done = fit_or_stand_in(recipe, prepared, labels, seed=seed)
                else:
                    done = (*fit_prepared(recipe, prepared, seed=seed), "")
            except (TrainingFailed, InputError):
                failed[key] = min(number, failed.get(key, self.folds))
                raise
            return *done, time.monotonic() - started

        # Matrices this small are multiplied by one thread each; the folds have threads of their own.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self._jobs) as pool:
            try:
                side_by_side = [key for key in rows if trains_stacked(attempts[key].recipe)]
                tasks: dict[RunKey, list[Future[_Answers | None]]] = {
                    key: [pool.submit(trained, key, number) for number in range(self.folds)]
                    for key in rows
                    if key not in side_by_side
                }
                members = {(key, n): pool.submit(member, key, n) for key in side_by_side for n in range(self.folds)}
                tasks |= self._stacked(members, rows, stand_in=stand_in)
                for key in attempts:
                    if key in unreadable:
                        yield key, unreadable[key]
                        continue
                    try:
                        yield key, self._collected(key.repeat, tasks[key])
                    except (TrainingFailed, InputError) as error:
                        yield key, error
            finally:
                # Whoever interrupts it waits for what has begun, and not for the whole slot.
                pool.shutdown(wait=False, cancel_futures=True)

    def _stacked(
        self, members: Mapping[tuple["RunKey", int], Future[Member]], rows: Mapping["RunKey", Rows], *, stand_in: bool
    ) -> dict["RunKey", list["Future[_Answers | None]"]]:
        """Train what is prepared for the GPU in stacks: the folds of every recipe whose network has the same shape."""
        tasks: dict[RunKey, list[Future[_Answers | None]]] = {}
        ready: list[tuple[RunKey, int, Future[_Answers | None], Member]] = []
        for (key, number), preparing in members.items():
            task: Future[_Answers | None] = Future()
            tasks.setdefault(key, []).append(task)
            try:
                prepared = preparing.result()
                # Here, because a recipe that does not fit its rows would end the whole stack.
                check_training(prepared.recipe, prepared.prepared)
            except InputError as error:
                task.set_exception(error)
            else:
                ready.append((key, number, task, prepared))
        for positions in stacks([prepared for *_, prepared in ready]):
            stack = [ready[position] for position in positions]
            started = time.monotonic()
            outcomes = fit_stacked([prepared for *_, prepared in stack])
            # One alone, as the confirmation trains them, takes about as long.
            seconds = time.monotonic() - started
            for (key, number, task, _), outcome in zip(stack, outcomes, strict=True):
                if not isinstance(outcome, TrainingFailed):
                    task.set_result((*outcome, "", seconds))
                elif stand_in:
                    labels = rows[key].labels[self._training_rows(key, number)]
                    test = self._parts[key.repeat][number][1]
                    constant = constant_probability(labels, len(self._work.classes), len(test))
                    task.set_result((constant, outcome.history, str(outcome), seconds))
                else:
                    task.set_exception(outcome)
        return tasks

    def _collected(self, repeat: int, folds: Sequence["Future[_Answers | None]"]) -> RepeatRun:
        probability = np.zeros((len(self._work), len(self._work.classes)))
        histories: list[History] = []
        failures: list[str] = []
        for (_, test), fold in zip(self._parts[repeat], folds, strict=True):
            done = fold.result()
            assert done is not None, "a fold is only left out after an earlier one, which raises here"
            probability[test], history, failure, seconds = done
            histories.append(history)
            failures += [failure] if failure else []
            self._fits += 1
            self.seconds_per_training += (seconds - self.seconds_per_training) / self._fits
            self._fitted()
        return self._repeat_run(repeat, probability, History.mean(histories), tuple(failures))

    def _repeat_run(self, repeat: int, probability: Floats, history: History, failures: tuple[str, ...]) -> RepeatRun:
        work, fold_of = self._work, np.full(len(self._work), -1, dtype=np.int64)
        for number, (_, test) in enumerate(self._parts[repeat]):
            fold_of[test] = number
        held = np.flatnonzero(fold_of >= 0)
        predictions = Predictions.of_rows(work, held, probability[held], fold_of[held])
        return RepeatRun(predictions, history, failures)

    def _read(self, recipe: Recipe) -> Rows:
        key = rows_key(recipe)
        if key not in self._rows:
            rows = self._rows_as_read.read(recipe, self._work.row_ids)
            if rows.classes != self._work.classes:
                raise InputError("the fix changes the classes, so that its scores cannot be compared")
            self._rows[key] = rows
        return self._rows[key]

    def _training_rows(self, key: "RunKey", number: int) -> Index:
        train, _ = self._parts[key.repeat][number]
        if not key.half:
            return train
        return halved(self._work, train, seed=derived_seed(self._seed, key.repeat, number))

    def _prepare(self, recipe: Recipe, rows: Rows, key: "RunKey", number: int) -> Prepared:
        _, test = self._parts[key.repeat][number]
        seed = derived_seed(self._seed, key.repeat, number, key.salt)
        trained = rows.take(self._rows_as_read.trained_on(recipe, rows, self._training_rows(key, number)))
        return prepare(recipe, trained, rows.take(test), seed=seed)

    def _recalled(self, key: "RunKey", *, stand_in: bool) -> RepeatRun | TrainingFailed | None:
        record = self._journal.recall(self._name(key, stand_in=stand_in)) if self._journal else None
        if record is None:
            return None
        history = record.history or History(())
        if record.failed:
            return TrainingFailed(record.failed, history)
        held = np.sort(np.concatenate([test for _, test in self._parts[key.repeat]]))
        probability = np.zeros((len(self._work), record.classes))
        probability[held] = np.frombuffer(record.probability).reshape(-1, record.classes)
        return self._repeat_run(key.repeat, probability, history, record.failures)

    def _keep(self, key: "RunKey", outcome: RepeatRun | TrainingFailed | InputError, *, stand_in: bool) -> None:
        """Note in the journal what has been trained; what could not be read is soon tried again."""
        if self._journal is None or isinstance(outcome, InputError):
            return
        if isinstance(outcome, TrainingFailed):
            record = Record(str(outcome), history=outcome.history)
        else:
            answers = outcome.predictions.probability
            record = Record("", answers.tobytes(), answers.shape[1], outcome.history, outcome.failures)
        self._journal.keep(self._name(key, stand_in=stand_in), record)

    def _name(self, key: "RunKey", *, stand_in: bool) -> str:
        digest = hashlib.sha256(repr((self._identity, tuple(key), stand_in)).encode())
        for train, test in self._parts[key.repeat]:
            digest.update(train.tobytes() + test.tobytes())
        return digest.hexdigest()


class RunKey(NamedTuple):
    """What is trained alike: a recipe's digest, the repeat, the seed's salt, and whether on half of the rows."""

    recipe: str
    repeat: int
    salt: int
    half: bool


_Preparation = tuple[str, int, bool, int]
_Answers = tuple[Floats, History, str, float]
"""A fold's held-out answers, the curve, why training failed or "", and the seconds it took."""


class _Shared:
    """Prepared folds that several trainings share: made by the first one, let go after the last."""

    def __init__(self, users: Iterable[_Preparation]) -> None:
        self._left = Counter(users)
        self._locks = {key: Lock() for key in self._left}
        self._made: dict[_Preparation, Prepared] = {}

    def get(self, key: _Preparation, make: Callable[[], Prepared]) -> Prepared:
        with self._locks[key]:
            if key not in self._made:
                self._made[key] = make()
            made = self._made[key]
            self._left[key] -= 1
            if not self._left[key]:
                del self._made[key]
            return made


def _preparation(recipe: Recipe, key: RunKey, number: int) -> _Preparation:
    """Return what is equal for trainings that can share a prepared fold."""
    return preparation_key(recipe), key.salt if random_preparation(recipe) else 0, key.half, number


def _trained_alike(recipe: Recipe) -> str:
    """Return a digest that is equal for recipes which differ only in how probabilities become answers."""
    return msgspec.structs.replace(recipe, decide=Decide()).digest()


def _identity(work: Rows, recipe: Recipe, seed: int) -> str:
    """Return a digest of the rows and the seed that trainings of a laboratory depend on, their cells left aside."""
    digest = hashlib.sha256(repr((work.classes, recipe.data, seed)).encode())
    digest.update(work.row_ids.tobytes() + work.labels.tobytes())
    return digest.hexdigest()
