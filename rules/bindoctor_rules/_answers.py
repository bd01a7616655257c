"""What prediction rules share: the predictions of an example, and one prediction a row."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bindoctor import Predictions

Floats = npt.NDArray[np.float64]


def answered(groups: Sequence[tuple[float, int, int]], threshold: float = 0.5) -> Predictions:
    """Make the predictions of an example: groups of (probability of "yes", rows, rows among them that are "yes")."""
    positive = np.repeat([group[0] for group in groups], [group[1] for group in groups])
    truth = np.concatenate([np.arange(rows) < hits for _, rows, hits in groups]).astype(np.int64)
    row = np.arange(len(truth))
    return Predictions(("no", "yes"), truth, np.column_stack([1 - positive, positive]), row, row % 5, threshold)


def once(predictions: Predictions) -> Predictions:
    """Keep the first prediction of every row: repeated folds predict a row again, and that is no new evidence."""
    _, first = np.unique(predictions.row_ids, return_index=True)
    return predictions.take(np.sort(first))


def alike(predictions: Predictions) -> bool:
    """Tell whether every row is answered the same class; see one-class-predicted."""
    return len(np.unique(predictions.decision)) <= 1


def spread(predictions: Predictions) -> float:
    """Return the largest range of a class's probability within a fold.

    A training that has collapsed answers the class shares of its own rows, which differ a little from fold to fold.
    """
    folds = (predictions.probability[predictions.fold == fold] for fold in np.unique(predictions.fold))
    return max(float(np.ptp(probability, axis=0).max()) for probability in folds)
