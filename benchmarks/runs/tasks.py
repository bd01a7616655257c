"""Small classification tasks with noise, so that no model can be perfect: tables, images and sequences."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """Rows to train on and rows to validate on; inputs of shape (n, …), labels from 0 on of shape (n,)."""

    inputs: Array
    labels: Labels
    valid_inputs: Array
    valid_labels: Labels
    classes: int

    def loaders(self, *, batch: int = 64, target: str = "column", seed: int = 0) -> tuple[DataLoader, DataLoader]:
        """Return loaders of training and validation batches.

        Args:
            batch: rows in a batch.
            target: how a loss takes its labels: "column" floats of shape (n, 1), "flat" floats of shape (n,), "index"
                class numbers.
            seed: of the order of training rows.
        """
        shuffle = torch.Generator().manual_seed(seed)
        train = TensorDataset(torch.from_numpy(self.inputs), targets(self.labels, target))
        valid = TensorDataset(torch.from_numpy(self.valid_inputs), targets(self.valid_labels, target))
        return DataLoader(train, batch, shuffle=True, generator=shuffle), DataLoader(valid, 512)


def targets(labels: Labels, kind: str) -> Tensor:
    """Return labels as a loss takes them; see ``Task.loaders``."""
    if kind == "index":
        return torch.from_numpy(labels)
    floats = torch.from_numpy(labels).float()
    return floats[:, None] if kind == "column" else floats


def parted(inputs: npt.ArrayLike, labels: npt.ArrayLike, classes: int, seed: int, valid: float = 0.3) -> Task:
    """Put a share of the rows aside, as many of each class."""
    x, y = np.asarray(inputs, dtype=np.float32), np.asarray(labels, dtype=np.int64)
    random = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    for label in range(classes):
        rows = random.permutation(np.flatnonzero(y == label))
        held[rows[: round(len(rows) * valid)]] = True
    return Task(x[~held], y[~held], x[held], y[held], classes)


def drawn_labels(random: np.random.Generator, rows: int, positives: float) -> Labels:
    """Return labels of which so large a share is 1, in random order."""
    return random.permutation((np.arange(rows) < round(rows * positives)).astype(np.int64))


def clouds(seed: int, *, rows: int = 3000, width: int = 10, positives: float = 0.5, apart: float = 1.0) -> Task:
    """Return two overlapping normal clouds, so that a linear model is right."""
    random = np.random.default_rng(seed)
    y = drawn_labels(random, rows, positives)
    direction = random.normal(size=width)
    direction *= apart / np.linalg.norm(direction)
    return parted(random.normal(size=(rows, width)) + np.outer(y - 0.5, 2 * direction), y, 2, seed)


def rings(seed: int, *, rows: int = 3000, positives: float = 0.5) -> Task:
    """Return an inner and an outer ring that overlap, beside two columns of noise."""
    random = np.random.default_rng(seed)
    y = drawn_labels(random, rows, positives)
    angle, radius = random.uniform(0, 2 * np.pi, rows), 1.0 + y + random.normal(scale=0.35, size=rows)
    columns = [radius * np.cos(angle), radius * np.sin(angle), random.normal(size=rows), random.normal(size=rows)]
    return parted(np.column_stack(columns), y, 2, seed)


def several(seed: int, *, classes: int = 4, rows: int = 3000, width: int = 8, uneven: bool = False) -> Task:
    """Return one normal cloud a class; uneven, each class is half as frequent as the one before."""
    random = np.random.default_rng(seed)
    shares = 0.5 ** np.arange(classes) if uneven else np.ones(classes)
    y = random.choice(classes, rows, p=shares / shares.sum())
    centres = random.normal(size=(classes, width))
    return parted(random.normal(size=(rows, width)) + centres[y], y, classes, seed)


def bars(seed: int, *, rows: int = 1500, size: int = 12, positives: float = 0.5, noise: float = 1.0) -> Task:
    """Return noisy images of shape (1, size, size) with a horizontal or a vertical bar."""
    random = np.random.default_rng(seed)
    y = drawn_labels(random, rows, positives)
    images = random.normal(scale=noise, size=(rows, 1, size, size))
    places = random.integers(1, size - 1, rows)
    for image, label, place in zip(images, y, places, strict=True):
        if label:
            image[0, :, place] += 1.0
        else:
            image[0, place, :] += 1.0
    return parted(images, y, 2, seed)


def waves(seed: int, *, rows: int = 1500, length: int = 30, positives: float = 0.5) -> Task:
    """Return noisy sequences of shape (length, 1): slow waves and quicker ones."""
    random = np.random.default_rng(seed)
    y = drawn_labels(random, rows, positives)
    speed = np.where(y, 0.45, 0.3) + random.normal(scale=0.04, size=rows)
    phase = random.uniform(0, 2 * np.pi, rows)
    values = np.sin(np.outer(speed, np.arange(length)) + phase[:, None]) + random.normal(scale=0.5, size=(rows, length))
    return parted(values[:, :, None], y, 2, seed)


def breast_cancer(seed: int) -> Task:
    """Return scikit-learn's breast cancer data, standardised by its training rows, with a tenth of the labels noise."""
    found = load_breast_cancer()
    random = np.random.default_rng(seed)
    flipped = random.random(len(found.target)) < 0.1
    return standardised(parted(found.data, np.where(flipped, 1 - found.target, found.target), 2, seed))


def digits(seed: int) -> Task:
    """Return scikit-learn's digits as images of shape (1, 8, 8) in [0, 1], with a tenth of the labels noise."""
    found = load_digits()
    random = np.random.default_rng(seed)
    labels = np.where(random.random(len(found.target)) < 0.1, random.integers(0, 10, len(found.target)), found.target)
    return parted(found.images[:, None] / 16, labels, 10, seed)


def standardised(task: Task) -> Task:
    """Give every column the mean 0 and the spread 1 of the training rows."""
    mean, spread = task.inputs.mean(axis=0), task.inputs.std(axis=0)
    return Task(
        (task.inputs - mean) / spread, task.labels, (task.valid_inputs - mean) / spread, task.valid_labels, task.classes
    )


MakeTask = Callable[[int], Task]
