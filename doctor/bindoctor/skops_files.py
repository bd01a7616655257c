"""Writes fitted scikit-learn objects as skops files, and reads back only what the project itself writes."""

from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

from bindoctor.errors import InputError

Estimator = TypeVar("Estimator")

TRUSTED = (
    "bindoctor.build.hashed_levels",
    "bindoctor.build.hashed_names",
    "bindoctor.build.signed_log1p",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
)
"""The types in our own files that skops does not trust by itself."""


def dump_estimator(estimator: object) -> bytes:
    """Return the content of a skops file (https://skops.readthedocs.io): a zip of JSON and arrays, no pickle."""
    content: bytes = skops.io.dumps(estimator)
    return content


def load_estimator(path: Path, content: bytes, kind: type[Estimator]) -> Estimator:
    """Read a skops file that may come from anybody.

    Raises:
        InputError: it is no skops file, holds a type that our own files do not, or holds something else than ``kind``.
    """
    try:
        untrusted = set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED)
        loaded: Any = None if untrusted else skops.io.loads(content, trusted=TRUSTED)
    # A file that a stranger wrote can fail in any way.
    except Exception as error:
        raise InputError(f"{path}: is no skops file that can be read ({error}); train again.") from error
    if untrusted:
        raise InputError(
            f"{path}: holds {min(untrusted)!r}, a type that no model of bindoctor's does; it is not loaded."
        )
    if type(loaded) is not kind:
        raise InputError(f"{path}: holds a {type(loaded).__name__} instead of a {kind.__name__}; train again.")
    return loaded


def check_trees(path: Path, estimator: HistGradientBoostingClassifier, width: int) -> None:
    """Check that every tree stays within its own nodes and within ``width`` features.

    scikit-learn walks trees without bounds checks, so that a forged one could read any memory or walk in circles.

    Raises:
        InputError: a tree does not.
    """
    for tree in chain.from_iterable(estimator._predictors):
        nodes = tree.nodes
        if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
            raise InputError(f"{path}: a tree in it has nodes of another form than scikit-learn's; train again.")
        inner = nodes["is_leaf"] == 0
        parents, split = np.flatnonzero(inner), nodes[inner]
        # Children follow their parent, which rules out circles.
        children = np.concatenate([split["left"], split["right"]])
        sound = (children > np.tile(parents, 2)).all() and (children < len(nodes)).all()
        if not sound or (split["feature_idx"] < 0).any() or (split["feature_idx"] >= width).any():
            raise InputError(f"{path}: a tree in it points outside of itself or of the features; train again.")
        if nodes["is_categorical"].any():
            raise InputError(
                f"{path}: a tree in it splits categories, which no model of bindoctor's does; train again."
            )
