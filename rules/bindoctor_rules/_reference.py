"""A second opinion: what a kernel method answers for each row when it has not seen that row's label."""

from functools import cache

import numpy as np
import numpy.typing as npt

from bindoctor import ColumnProfile, Profile, Rows

MAX_ROWS = 6000
LANDMARKS = 300
MAX_LEVELS = 15
MAX_TEXT_LEVELS = 200
COUNTED_LEVELS = 10
PENALTIES = 10.0 ** np.arange(-3, 3.5, 0.5)
LINEAR_WEIGHT = 0.1

Floats = npt.NDArray[np.float64]


def second_opinion(profile: Profile, sample: Rows | None) -> tuple[Rows, Floats] | None:
    """Answer up to 6 000 of the profile's sampled rows, or of some of them, each from all the others.

    Kernel ridge regression of the class indicators (a least-squares support vector machine) on 300 landmarks (Williams
    & Seeger 2001), with the columns themselves beside them; its leave-one-out answers have a closed form, by which the
    penalty is chosen. Numbers enter by their ranks, as normal scores, texts by their commonest levels.

    Returns:
        The rows, and a score for each class, near its probability, of shape (rows, classes); ``None`` where there is no
        sample or no column to learn from.
    """
    if sample is None or len(sample) < 2 or not (profile.numbers or profile.categories):
        return None
    count = len(sample)
    drawn = np.sort(np.random.default_rng(0).permutation(count)[:MAX_ROWS])
    rows = sample.take(drawn)
    inputs: list[Floats] = [_number(column, rows) for column in profile.numbers]
    for column in profile.categories:
        inputs += _levels(column, rows)
    varied = [values / values.std() for values in (x - x.mean() for x in inputs) if values.std() > 0]
    if not varied:
        return None
    return rows, _left_out(np.array(varied).T, rows.labels, len(rows.classes))


@cache
def _normal_scores() -> tuple[Floats, Floats]:
    """Return shares of a normal distribution, and the values below which they lie."""
    # Imported here, as most checks know of no run and importing it takes 2 ms.
    from statistics import NormalDist

    shares = np.arange(1, 1024) / 1024
    return shares, np.array([NormalDist().inv_cdf(share) for share in shares])


def _number(column: ColumnProfile, rows: Rows) -> Floats:
    values = rows.features[column.name].to_numpy().astype(np.float64)
    present = np.isfinite(values)
    if not present.any():
        return np.zeros(len(values))
    distinct, place, counts = np.unique(values[present], return_inverse=True, return_counts=True)
    if len(distinct) <= COUNTED_LEVELS:
        scores = np.clip(distinct, -1e100, 1e100)
    else:
        scores = np.interp((counts.cumsum() - counts / 2) / counts.sum(), *_normal_scores())
    filled = np.full(len(values), float(scores[place].mean()))
    filled[present] = scores[place]
    return filled


def _levels(column: ColumnProfile, rows: Rows) -> list[Floats]:
    if column.distinct > MAX_TEXT_LEVELS:
        return []
    # As objects: an array of text takes the room of the longest cell in every cell.
    texts = np.array(rows.features[column.name].fill_null("").to_list(), np.object_)
    _, place, counts = np.unique(texts, return_inverse=True, return_counts=True)
    return [(place == level).astype(np.float64) for level in np.argsort(-counts, kind="stable")[:MAX_LEVELS]]


def _left_out(inputs: Floats, labels: npt.NDArray[np.int64], classes: int) -> Floats:
    """Return leave-one-out scores of shape (n, classes), by the hat matrix of the ridge regression."""
    landmarks = inputs[np.random.default_rng(1).permutation(len(inputs))[:LANDMARKS]]
    distances = _squared_distances(inputs, landmarks)
    width = float(np.median(distances)) or 1.0
    values, vectors = np.linalg.eigh(np.exp(-_squared_distances(landmarks, landmarks) / width))
    kept = values > values.max() * 1e-8
    # In place, as each copy of them is 14 MB.
    distances /= -width
    similar = np.exp(distances, out=distances) @ (vectors[:, kept] / np.sqrt(values[kept]))
    del distances
    design = np.hstack([similar, LINEAR_WEIGHT * inputs, np.ones((len(inputs), 1))])
    del similar
    indicators = (labels[:, None] == np.arange(classes)).astype(np.float64)
    shares = indicators.mean(axis=0)
    strength, axes = np.linalg.eigh(design.T @ design)
    rotated = design @ axes
    del design
    squared = rotated**2
    toward = rotated.T @ (indicators - shares)
    best: Floats = np.zeros_like(indicators)
    least = np.inf
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(strength, 0.0) + penalty)
        own = np.minimum(squared @ shrunk, 0.999)[:, None]
        fitted = rotated @ (shrunk[:, None] * toward)
        left_out = (fitted - own * (indicators - shares)) / (1 - own)
        error = float(((indicators - shares - left_out) ** 2).mean())
        if error < least:
            best, least = left_out, error
    return np.asarray(best + shares)


def _squared_distances(first: Floats, second: Floats) -> Floats:
    squared = first @ (-2 * second.T)
    squared += (first**2).sum(axis=1)[:, None]
    squared += (second**2).sum(axis=1)
    return np.asarray(np.maximum(squared, 0.0, out=squared))
