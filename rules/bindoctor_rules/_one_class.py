"""Scores that only a model has which gives every row the same answer."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bindoctor import History, Series

NAMES = re.compile(
    r"(?:val|valid|validation|eval|test)?[_/ ]?(?:binary|sparse_categorical|categorical)?[_/ ]?"
    r"(accuracy|acc|recall|precision|f1|f1[_-]score|mcc|matthews_correlation|balanced[_-]accuracy)(?:_\d+)?"
)
SHORT = {"acc": "accuracy", "f1_score": "f1", "f1-score": "f1", "matthews_correlation": "mcc"}
EXACT = 1e-6
MAX_CLASSES = 20


class Evaluation(NamedTuple):
    """The scores that one evaluation logged, by name, and the epoch."""

    epoch: float
    scores: Mapping[str, float]


def evaluations(history: History) -> tuple[Evaluation, ...]:
    """Return what each evaluation of the validation rows in the last run logged, in order."""
    found: dict[float, dict[str, float]] = {}
    epoch_of: dict[float, float] = {}
    for series in history.series:
        name = _name(series)
        if series.part != "valid" or not name or series.run != history.runs - 1:
            continue
        places: Sequence[float] = series.steps or series.epochs or range(1, len(series.values) + 1)
        for i, (place, value) in enumerate(zip(places, series.values, strict=False)):
            found.setdefault(place, {}).setdefault(name, value)
            epoch_of[place] = series.epochs[i] if i < len(series.epochs) else place
    if found:
        return tuple(Evaluation(epoch_of[place], found[place]) for place in sorted(found))
    if history.score != "accuracy":
        return ()
    return tuple(
        Evaluation(epoch.epoch, {"accuracy": epoch.valid_score})
        for epoch in history.epochs
        if epoch.valid_score is not None and math.isfinite(epoch.valid_score)
    )


def _name(series: Series) -> str:
    match = NAMES.fullmatch(series.metric.lower())
    return SHORT.get(match[1], match[1]) if match else ""


def proof(scores: Mapping[str, float]) -> str:
    """Say which scores prove that every row got one answer; "" where they prove nothing.

    Follows from the definitions. With recall 1 and precision equal to the accuracy, TN · FP = 0, so that below an
    accuracy of 1 there is no true negative; with recall or F1 at 0 there is no true positive; F1 = 2a / (1 + a)
    likewise. Averaged over K classes, recall is 1/K and precision a/K; weighted by class size, precision is a². Past
    two classes a few rows can come to that by chance, and F1 has to agree.
    """
    accuracy = scores.get("accuracy", math.nan)
    if not 0 < accuracy < 1 - EXACT:
        return ""
    for says, holds in _proofs(accuracy, scores):
        if holds:
            return says
    return ""


def _proofs(accuracy: float, scores: Mapping[str, float]) -> Iterator[tuple[str, bool]]:
    def equal(a: float, b: float) -> bool:
        return math.isclose(a, b, abs_tol=EXACT)

    nothing = math.nan
    recall, precision = scores.get("recall", nothing), scores.get("precision", nothing)
    f1 = scores.get("f1", nothing)
    yield (
        f"recall is 1 and precision equals the accuracy of {accuracy:.3g}",
        equal(recall, 1) and equal(precision, accuracy),
    )
    yield f"recall is 0 at an accuracy of {accuracy:.3g}", recall == 0
    yield f"F1 is 0 at an accuracy of {accuracy:.3g}", f1 == 0
    yield (
        f"F1 is {f1:.3g}, that of one answer at an accuracy of {accuracy:.3g}",
        math.isnan(recall) and equal(f1, 2 * accuracy / (1 + accuracy)),
    )
    classes = round(1 / recall) if recall > 1 / MAX_CLASSES else 0
    yield (
        f"recall is 1/{classes} and precision {classes} times below the accuracy of {accuracy:.3g}",
        (classes == 2 or (classes > 2 and equal(f1, 2 * accuracy / (1 + accuracy) / classes)))
        and equal(recall, 1 / classes)
        and equal(precision, accuracy / classes),
    )
    yield (
        f"recall equals the accuracy of {accuracy:.3g} and precision its square",
        equal(recall, accuracy) and equal(precision, accuracy**2),
    )
