"""Scans the rows that a recipe selects, piece by piece and in several threads, into a profile."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import msgspec

from bindoctor.dataset import ARRAY, Dataset, Piece
from bindoctor.errors import InputError
from bindoctor.profile import EVERYTHING, Profile, State
from bindoctor.recipe import Recipe
from bindoctor.scan_state import ScanState, plan_of
from bindoctor.selection import Chunk, Selection

MAX_THREADS = 4


def scan(dataset: Dataset, recipe: Recipe, states: frozenset[State] = EVERYTHING, *, min_classes: int = 2) -> Profile:
    """Read the rows that ``recipe`` selects once, in bounded memory, and return their profile.

    Args:
        dataset: the source and its target.
        recipe: which rows and columns, and how cells are read.
        states: what the profile has to hold beyond the classes; what is not asked for is not computed.
        min_classes: how many classes the rows must have; a part that is only looked at may lack some, or all.

    Raises:
        InputError: the source cannot be read, the recipe does not fit it, no row is left, the target has fewer than
            ``min_classes`` classes or more than a hundred, or the given positive class is none of them.
    """
    threads = min(os.cpu_count() or 1, MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        parts = _scan_parts(dataset, recipe, states, pool, threads)
    if not parts:
        raise InputError(f"{dataset.source.name}: the recipe leaves no row of it; relax [recipe.data].")
    whole = parts[0]
    for part in parts[1:]:
        whole.merge(part)
    profile = whole.finish(min_classes)
    if not dataset.row_shape:
        return profile
    # It tells rows apart, and is no feature that a rule could say anything about.
    columns = {name: column for name, column in profile.columns.items() if name != ARRAY}
    return msgspec.structs.replace(profile, columns=columns, row_shape=dataset.row_shape)


def _scan_parts(
    dataset: Dataset, recipe: Recipe, states: frozenset[State], pool: ThreadPoolExecutor, threads: int
) -> list[ScanState]:
    """Share the pieces out among as many states as there are threads: always the same pieces to the same state."""
    selection = Selection(dataset, recipe, only_target=not states)
    parts: list[ScanState] = []
    busy: list[Future[None]] = []
    for turn, chunk in enumerate(_chunks(dataset, selection, pool, threads)):
        if not parts:
            plan = plan_of(chunk, dataset, states)
            parts = [ScanState(plan) for _ in range(threads)]
        if len(busy) == threads:
            busy[turn % threads].result()
            busy[turn % threads] = pool.submit(parts[turn % threads].update, chunk)
        else:
            busy.append(pool.submit(parts[turn % threads].update, chunk))
    for update in busy:
        update.result()
    return parts[: len(busy)]


def _chunks(dataset: Dataset, selection: Selection, pool: ThreadPoolExecutor, threads: int) -> Iterator[Chunk]:
    """Yield the chunks in file order, while the pool reads those to come."""

    def read(piece: Piece) -> Chunk:
        return selection.read(piece())

    pieces = dataset.source.pieces(selection.names)
    ahead = deque(pool.submit(read, piece) for piece in islice(pieces, threads))
    while ahead:
        chunk = selection.place(ahead.popleft().result())
        ahead.extend(pool.submit(read, piece) for piece in islice(pieces, 1))
        if len(chunk.rows):
            yield chunk
