"""Reads records, whatever wrote them, into points: one record an epoch, a step, a part or a metric."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bindoctor.errors import InputError
from bindoctor.logs.names import (
    EPOCH_NAMES,
    PART_NAMES,
    RUN_NAMES,
    STEP_NAMES,
    is_bookkeeping,
    meaning,
    part_in,
    plain,
)
from bindoctor.logs.recorder import NAN, Recorder

NOT_LOGGED = {"", "na", "n/a", "none", "null", "-", "<na>", "nil"}
TENSOR = re.compile(r"(?:tensor|array|np\.float\d*|float\d*)\(\s*([^,()\s]+)[^()]*\)")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
PERCENT = re.compile(r"(.+?)\s*%")
MAX_DEPTH = 5
MAX_POSITION = 1e15
"""Steps and epochs from here on are none."""


class Plan(msgspec.Struct, frozen=True):
    """What the names of a record's fields are for; "" for what there is none of."""

    epoch: str
    step: str
    part: str
    run: str
    metric: str
    value: str
    metrics: tuple[str, ...]


class RowReader:
    """Hands records' numbers on to a recorder.

    ``path`` and the kind of record are for messages. Without an epoch or a step in a record its number takes the
    epoch's place.
    """

    def __init__(self, path: Path, recorder: Recorder) -> None:
        self.path = path
        self.recorder = recorder
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._place = 0
        self._run: object = None

    def restart(self) -> None:
        """Count records anew: another run follows."""
        self.recorder.new_run()
        self._place = 0

    def add(self, record: Mapping[str, Any], number: int, *, strict: bool = True) -> None:
        """Add one record.

        Args:
            record: texts or JSON values by name, nested objects included.
            number: the record's number, from 1, for messages.
            strict: a text in a column of losses or scores is an error and not passed over.

        Raises:
            InputError: a field that must be a number is none.
        """
        self.add_flat(dict(flattened(record)), number, strict=strict)

    def add_flat(self, flat: Mapping[str, Any], number: int, *, strict: bool = True) -> None:
        """Add a record of plain fields, as ``add`` does.

        Raises:
            InputError: a field that must be a number is none.
        """
        names = tuple(flat)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = plan_of(names)
        if plan.run:
            if self._run is not None and flat[plan.run] != self._run:
                self.restart()
            self._run = flat[plan.run]
        step = self._position(flat.get(plan.step))
        epoch = self._position(flat.get(plan.epoch))
        if not plan.epoch and not plan.step:
            epoch = float(self._place)
            self.recorder.unnumbered = True
        self._place += 1
        part = part_in(str(flat[plan.part])) if plan.part else ""
        prefix = f"{part}/" if part else ""
        if plan.value:
            # TensorBoard exports one metric a file, which is named after it.
            name = prefix + str(flat[plan.metric] if plan.metric else self.path.stem)
            self._add_value(name, flat[plan.value], step, epoch, number, strict)
            return
        for name in plan.metrics:
            self._add_value(prefix + name, flat[name], step, epoch, number, strict)

    def _add_value(self, name: str, raw: object, step: float, epoch: float, number: int, strict: bool) -> None:
        try:
            value = number_in(raw)
        except ValueError:
            if strict and meaning(name).metric:
                raise InputError(
                    f"{self.path}: record {number}, column {name!r}: {str(raw)[:40]!r} is not a number."
                ) from None
            return
        if value is not None:
            self.recorder.add(name, value, step, epoch)

    def _position(self, raw: object) -> float:
        """Return an epoch or a step; NaN where there is none. "3/10" is the third."""
        if isinstance(raw, str) and "/" in raw:
            raw = raw.partition("/")[0]
        try:
            value = number_in(raw)
        except ValueError:
            return NAN
        return value if value is not None and math.isfinite(value) and abs(value) < MAX_POSITION else NAN


def plan_of(names: tuple[str, ...]) -> Plan:
    """Find out what the fields of a record are for."""
    # Hugging Face reports "train/epoch" and "train/global_step" to trackers.
    words = {name: plain(name).removeprefix("train-") for name in names}

    def first(known: set[str]) -> str:
        return next((name for name, word in words.items() if word in known), "")

    epoch, step, run = first(EPOCH_NAMES), first(STEP_NAMES), first(RUN_NAMES)
    part, metric, value = first(PART_NAMES), first({"metric", "name", "tag", "key", "metric-name"}), first({"value"})
    taken = {epoch, step, run, part}
    metrics = tuple(
        name
        for name, word in words.items()
        if name not in taken and word not in STEP_NAMES | EPOCH_NAMES and not is_bookkeeping(name)
    )
    known = any(meaning(name).metric for name in metrics)
    return Plan(epoch, step, part, run, *((metric, value) if value and not known else ("", "")), metrics)


def flattened(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the plain fields of a record; those of an object within it under ``object/field``."""
    for key, value in record.items():
        name = f"{prefix}{str(key).strip()}"
        if isinstance(value, Mapping):
            if depth < MAX_DEPTH:
                yield from flattened(value, f"{name}/", depth + 1)
        elif not isinstance(value, list):
            yield name, value


def number_in(value: object) -> float | None:
    """Return a field as a number, None where nothing was logged; NaN and infinities are numbers.

    Raises:
        ValueError: it is a text that is no number, or no plain value.
    """
    if not value and (value is None or value == ""):
        return None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if not isinstance(value, str):
        raise ValueError("no plain value")
    try:
        return float(value)
    except ValueError:
        return _written_otherwise(value.strip())


def _written_otherwise(text: str) -> float | None:
    """Return a number that is written as a tensor, a percentage, or with a decimal comma."""
    if text.lower() in NOT_LOGGED:
        return None
    found = TENSOR.fullmatch(text)
    if found:
        return float(found[1])
    percent = PERCENT.fullmatch(text)
    if percent:
        return float(percent[1]) / 100
    return float(text.replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text)
