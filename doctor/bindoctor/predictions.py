"""A model's probabilities beside the truth, for rows it was not trained on."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bindoctor.dataset import Rows
from bindoctor.errors import InputError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Out-of-sample probabilities.

    Attributes:
        classes: class labels; index 1 is the positive class of a binary problem.
        truth: class indices, int64 of shape (n,).
        probability: float64 of shape (n, classes); each row sums to 1.
        row_ids: 0-based numbers of the data rows in the file, int64 of shape (n,).
        fold: number of the fold that held the row out, int64 of shape (n,).
        threshold: positive-class probability from which the positive class is answered (binary only).
        decided: the answered class's index, int64 of shape (n,), where each row was answered by a threshold that never
            saw its label; None where ``threshold`` alone answers.
        costs: what a false positive and a false negative cost, if that is known (binary only).
        groups: the split's group of each row, int64 of shape (n,), or None.
        order: the split's time of each row, float64 of shape (n,), or None.
    """

    classes: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    row_ids: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    threshold: float = 0.5
    decided: npt.NDArray[np.int64] | None = None
    costs: tuple[float, float] | None = None
    groups: npt.NDArray[np.int64] | None = None
    order: npt.NDArray[np.float64] | None = None

    @classmethod
    def of_rows(
        cls,
        rows: Rows,
        index: npt.NDArray[np.int64],
        probability: npt.NDArray[np.float64],
        fold: npt.NDArray[np.int64],
        threshold: float = 0.5,
    ) -> "Predictions":
        """Return probabilities beside the truth of the rows at these positions, with what keeps those rows apart."""
        return cls(
            rows.classes,
            rows.labels[index],
            probability,
            rows.row_ids[index],
            fold,
            threshold,
            groups=None if rows.groups is None else rows.groups[index],
            order=None if rows.order is None else rows.order[index],
        )

    @property
    def binary(self) -> bool:
        """Tell whether there are two classes."""
        return len(self.classes) == 2

    @property
    def positive(self) -> npt.NDArray[np.float64]:
        """Return the positive class's probability, shape (n,); binary only."""
        return self.probability[:, 1]

    @property
    def decision(self) -> npt.NDArray[np.int64]:
        """Return the answered class's index, shape (n,): as decided, else by threshold or, past two, the likeliest."""
        if self.decided is not None:
            return self.decided
        if self.binary:
            return np.asarray(self.positive >= self.threshold, dtype=np.int64)
        return np.asarray(self.probability.argmax(axis=1), dtype=np.int64)

    def take(self, index: npt.NDArray[np.int64]) -> "Predictions":
        """Return the predictions at these positions, in this order."""
        return Predictions(
            self.classes,
            self.truth[index],
            self.probability[index],
            self.row_ids[index],
            self.fold[index],
            self.threshold,
            None if self.decided is None else self.decided[index],
            self.costs,
            None if self.groups is None else self.groups[index],
            None if self.order is None else self.order[index],
        )

    def to_csv(self) -> str:
        """Write ``row, fold, truth, p_<class>…, decision`` with a header line."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["row", "fold", "truth", *(f"p_{name}" for name in self.classes), "decision"])
        columns = zip(self.row_ids, self.fold, self.truth, self.probability, self.decision, strict=True)
        for row, fold, truth, probability, decision in columns:
            chances = (repr(float(p)) for p in probability)
            writer.writerow([int(row), int(fold), self.classes[truth], *chances, self.classes[decision]])
        return out.getvalue()


@dataclass(frozen=True)
class Importance:
    """How much a model's log loss rises, in nats a row, when a column is shuffled, and the standard error of that."""

    rise: float
    error: float


@dataclass(frozen=True, eq=False)
class SimpleModel:
    """What a simple model answers, trained on the folds of a run.

    Attributes:
        kind: the recipe's ``model.kind``.
        edits: what makes the run's recipe this model's.
        predictions: its answers to the run's rows, or to a sample of them.
        importance: by feature column, on held-out rows (Breiman 2001); empty where it was not measured.
    """

    kind: str
    edits: Mapping[str, Any]
    predictions: Predictions
    importance: Mapping[str, Importance] = field(default_factory=dict)


TRUTH_NAMES = ("truth", "y_true", "label", "target", "actual")
MAX_ROUNDING = 0.005
POSITIVE_NAMES = ("y_prob", "y_score", "probability", "score", "proba", "prediction", "y_pred", "p")


def read_predictions(path: Path, classes: tuple[str, ...] = (), threshold: float = 0.5) -> Predictions:
    """Read a plain CSV or JSON of predictions: a truth column, and ``p_<class>`` columns or one positive probability.

    Args:
        path: the file.
        classes: the data set's class labels, negative first; taken from the file where empty.
        threshold: what the setup decides by.

    Raises:
        InputError: the file cannot be read, lacks a column, or holds something that is no probability, or
            probabilities of one record that do not sum to 1.
    """
    records = _records(path)
    names = list(records[0])
    truth_name = next((name for name in TRUTH_NAMES if name in names), None)
    if truth_name is None:
        raise InputError(f"{path}: no truth column among {', '.join(names)}; name one of them 'truth' or 'y_true'.")
    spread = [name for name in names if name.startswith("p_")]
    single = next((name for name in POSITIVE_NAMES if name in names), None)
    labels = [_label(record[truth_name], classes) for record in records]
    if spread:
        found = tuple(name[2:] for name in spread)
        if classes and set(found) == set(classes):
            spread = [f"p_{name}" for name in classes]
            found = classes
        probability = _summing_to_one(
            path, np.array([[_probability(path, i, n, r[n]) for n in spread] for i, r in enumerate(records)])
        )
    elif single is not None:
        found = classes or tuple(sorted(set(labels)))
        if len(found) != 2:
            raise InputError(
                f"{path}: one probability column, but {len(found)} classes; give one 'p_<class>' for each."
            )
        positive = np.array([_probability(path, i, single, r[single]) for i, r in enumerate(records)])
        probability = np.column_stack([1 - positive, positive])
    else:
        raise InputError(f"{path}: no probability column among {', '.join(names)}; use 'p_<class>' or 'y_prob'.")
    answers = [_label(record["decision"], found) for record in records] if "decision" in names else None
    return Predictions(
        found,
        _indices(path, "truth", labels, found),
        probability.astype(np.float64),
        np.array([_whole(path, i, "row", r.get("row"), i) for i, r in enumerate(records)], dtype=np.int64),
        np.array([_whole(path, i, "fold", r.get("fold"), 0) for i, r in enumerate(records)], dtype=np.int64),
        threshold,
        None if answers is None else _indices(path, "decision", answers, found),
    )


def _records(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the predictions ({error}); give a CSV or JSON file.") from error
    if text.lstrip()[:1] in ("[", "{"):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: not valid JSON ({error}).") from error
        if isinstance(loaded, dict):
            columns = {k: v for k, v in loaded.items() if isinstance(v, list)}
            loaded = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=False)]
        if not all(isinstance(record, dict) and record.keys() == loaded[0].keys() for record in loaded):
            raise InputError(f"{path}: expected a list of objects with the same keys, one a row.")
        records = [{str(k): v if isinstance(v, str) else json.dumps(v) for k, v in record.items()} for record in loaded]
    else:
        try:
            records = [dict(record) for record in csv.DictReader(io.StringIO(text))]
        except csv.Error as error:
            raise InputError(f"{path}: not a CSV file ({error}).") from error
        ragged = next((i for i, r in enumerate(records) if None in r or None in r.values()), None)
        if ragged is not None:
            raise InputError(f"{path}: record {ragged + 1} has another number of fields than the header.")
    if not records:
        raise InputError(f"{path}: no predictions in it.")
    return records


def _label(text: str, classes: tuple[str, ...]) -> str:
    """Return a label as written where it is a class, else without the ".0" that a float column adds to 0 and 1."""
    stripped = text.strip()
    if stripped in classes:
        return stripped
    return stripped[:-2] if stripped.endswith(".0") and stripped[:-2].lstrip("-").isdigit() else stripped


def _indices(path: Path, column: str, labels: list[str], classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise InputError(
            f"{path}: the {column} holds {unknown[0]!r}, which is none of the classes {', '.join(classes)}."
        )
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for label in labels], dtype=np.int64)


def _whole(path: Path, record: int, column: str, text: str | None, default: int) -> int:
    if not text:
        return default
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path}: record {record + 1}, column {column!r}: {text!r} is not a whole number.") from error


def _summing_to_one(path: Path, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return probabilities whose rows sum to 1, after what rounding to two digits may have taken from each."""
    sums = probability.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > MAX_ROUNDING * probability.shape[1])
    if len(off):
        raise InputError(
            f"{path}: record {off[0] + 1}: the probabilities of the classes sum to {sums[off[0]]:.4g}, not to 1; give "
            "one 'p_<class>' column for each class."
        )
    rounded = np.abs(sums - 1) > 1e-9
    return np.where(rounded[:, None], probability / sums[:, None], probability)


def _probability(path: Path, record: int, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError as error:
        raise InputError(f"{path}: record {record + 1}, column {column!r}: {text!r} is not a number.") from error
    if not 0 <= value <= 1:
        raise InputError(f"{path}: record {record + 1}, column {column!r}: {value} is not a probability (0 to 1).")
    return value
