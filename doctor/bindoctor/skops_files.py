"""Writes fitted scikit-learn objects as skops files, and reads back only what the project itself writes."""

import io
import json
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.tree._tree import Tree

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

OWN_TRUSTED = (*TRUSTED, "sklearn.tree._tree.Tree")
"""Those in the files of users' estimators, whose trees are checked."""

STORED = {
    "_loss",
    "base",
    "calibration",
    "compose",
    "decomposition",
    "discriminant_analysis",
    "dummy",
    "ensemble",
    "feature_selection",
    "impute",
    "linear_model",
    "model_selection",
    "multiclass",
    "naive_bayes",
    "neural_network",
    "pipeline",
    "preprocessing",
    "tree",
    "utils",
}
"""The modules of scikit-learn whose estimators are stored for users: their arrays go through NumPy, or are trees that
are checked. Others (support vectors, search trees of neighbours) hand them to compiled code as they are."""


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


class NotStorable(InputError):  # noqa: N818
    """A fitted estimator holds types that no file can be read back with safely."""


def check_storable(reference: str, content: bytes) -> None:
    """Check that the skops file of a user's own estimator holds nothing but known types.

    Raises:
        NotStorable: it does not; says which.
    """
    foreign = sorted(set(skops.io.get_untrusted_types(data=content)) - set(OWN_TRUSTED)) or _foreign_parts(content)
    if foreign:
        raise NotStorable(
            f"the model of {reference} holds {foreign[0]!r}, a type that cannot be read back safely, and is not "
            "stored; 'bindoctor predict' needs a stored one."
        )


def load_own_estimator(path: Path, content: bytes, width: int) -> Any:
    """Read a skops file of a user's own estimator that may come from anybody.

    Raises:
        InputError: it is no skops file, holds other types than ``check_storable`` allows, or a tree that points outside
            of itself or of ``width`` features.
    """
    try:
        foreign = sorted(set(skops.io.get_untrusted_types(data=content)) - set(OWN_TRUSTED)) or _foreign_parts(content)
        loaded: Any = None if foreign else skops.io.loads(content, trusted=OWN_TRUSTED)
    # A file that a stranger wrote can fail in any way.
    except Exception as error:
        raise InputError(f"{path}: is no skops file that can be read ({error}); train again.") from error
    if foreign:
        raise InputError(f"{path}: holds {foreign[0]!r}, a type that is not stored; it is not loaded.")
    for part in _parts(loaded):
        if isinstance(part, Tree):
            _check_tree(path, part, width)
        elif isinstance(part, HistGradientBoostingClassifier):
            check_trees(path, part, width)
    return loaded


def _foreign_parts(content: bytes) -> list[str]:
    """Return the types of scikit-learn in a skops file whose arrays compiled code trusts without looking."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
    named = {
        (node.get("__module__", ""), node.get("__class__", "")) for node in _parts(schema) if isinstance(node, dict)
    }
    return sorted(
        f"{module}.{name}"
        for module, name in named
        if str(module).startswith("sklearn.") and str(module).split(".")[1] not in STORED
    )


def _parts(root: Any) -> Iterator[Any]:
    """Yield an object and all that it holds."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple | set):
            waiting += part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            waiting += part.ravel().tolist()
        elif hasattr(part, "__dict__") and not isinstance(part, type):
            waiting += vars(part).values()


def _check_tree(path: Path, tree: Any, width: int) -> None:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = np.flatnonzero(left != -1)
    children = np.concatenate([left[inner], right[inner]])
    sound = (children > np.tile(inner, 2)).all() and (children < tree.node_count).all()
    if not sound or (feature[inner] < 0).any() or (feature[inner] >= width).any():
        raise InputError(f"{path}: a tree in it points outside of itself or of the features; train again.")


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
