"""A recipe as a scikit-learn estimator."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from bindoctor.dataset import Dataset, Rows
from bindoctor.errors import InputError
from bindoctor.final import FinalModel, train_final
from bindoctor.given_recipe import Given, recipe_of
from bindoctor.history import History, TrainingFailed
from bindoctor.readers.frames import FrameSource
from bindoctor.readers.header import free_name
from bindoctor.readers.memory import object_source
from bindoctor.recipe import Recipe
from bindoctor.rows import features_of, rows_of

SENSIBLE: Mapping[str, Any] = {"features.scale": "standard", "features.impute": "median"}
"""In what the recipe of an estimator that is given none differs from ``Recipe()``, which takes numbers as they are."""


class RecipeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Trains a recipe on rows in memory, and answers rows.

    Numbers reach the recipe exactly as they are. A data frame may hold texts, which the recipe encodes; what the recipe
    says of its columns (roles, casts, missing values, groups, row weights) is carried out. The recipe calls the columns
    of an array "0", "1", ….

    There is no ``sample_weight``: to a training in batches, a row of weight 2 is not what a row given twice is. Weights
    are a column that the recipe names in ``data.weight``.

    Args:
        recipe: a ``Recipe``, settings by dotted path that differ from ``Recipe()``, or the path of a settings file.
            None is an MLP of 64 and 32 units trained for 50 epochs of batches of 128 by Adam, on standardised numbers
            whose missing values are the median. A loss for two classes becomes cross-entropy where there are more.
        edits: settings by dotted path that replace the recipe's, {"model.dropout": 0.3}; what a search varies.
        positive: the positive one of two classes, to which thresholds, costs and a class weight refer; the last of
            ``classes_`` when None.
        seed: for everything random; the recipe's ``train.seed`` when None.

    Attributes:
        classes_: the classes in order, as they were given, shape (classes,).
        n_features_in_: the number of columns.
        feature_names_in_: their names, where X was a data frame.
        recipe_: the recipe as it was trained.
        history_: the curve of the training.
        model_: the trained model.
    """

    def __init__(
        self,
        recipe: Given = None,
        *,
        edits: Mapping[str, Any] | None = None,
        positive: Any = None,
        seed: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.edits = edits
        self.positive = positive
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Train the recipe on all rows.

        Args:
            X: an array of numbers, or a data frame (pandas, Polars, Arrow), shape (n, d).
            y: the class of each row, shape (n,).

        Raises:
            ValueError: X and y are no such table and classes, or what the recipe cannot be trained on (``InputError``).
        """
        recipe = self._asked()
        frame = self._frame(X, recipe, y)
        _, y = check_X_y(np.empty((frame.height, 1)), y, dtype=None, ensure_all_finite=False, estimator=self)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes; y holds 1 class.")
        places = self._places_of(classes)
        if len(classes) > 2 and recipe.loss.kind == "bce":
            recipe = recipe.edited({"loss.kind": "cross-entropy"})
        rows = _rows(frame, np.argsort(places)[codes], len(classes), recipe)
        try:
            model = train_final(recipe, rows, seed=recipe.train.seed, plain=False)
        except TrainingFailed as error:
            raise InputError(f"training failed: {error}; scale the inputs or lower the learning rate.") from None
        self.classes_: npt.NDArray[Any] = classes
        return self._keep(model, places[[int(label) for label in rows.classes]])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class, float64 of shape (n, classes), in the order of ``classes_``.

        Raises:
            ValueError: X has other columns than were trained on, or values that the recipe has no answer to.
        """
        probability = self._probability(X)
        ordered = np.zeros((len(probability), len(self.classes_)))
        ordered[:, self._places] = probability
        return ordered

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the answered class of each row, shape (n,): of two by the recipe's threshold, else the likeliest.

        Raises:
            ValueError: as ``predict_proba``.
        """
        probability = self._probability(X)
        return np.asarray(self.classes_[self._places[self.model_.decision.answer(probability)]])

    @classmethod
    def of_model(
        cls, model: FinalModel, labels: Mapping[str, Any], columns: Iterable[str], *, named: bool = True
    ) -> Self:
        """Return an estimator of a model that is trained already.

        Args:
            model: trained on rows with these columns.
            labels: the class that each of the model's labels stands for; one that is not there stands for itself.
            columns: the columns of the table, without the target.
            named: whether the table had names for them.
        """
        values = np.array([labels.get(text, text) for text in model.fitted.classes])
        found = cls(model.fitted.recipe, positive=values[1] if len(values) == 2 else None)
        found.classes_ = np.unique(values)
        names = list(columns)
        found.n_features_in_ = len(names)
        if named:
            found.feature_names_in_ = np.array(names, dtype=object)
        return found._keep(model, np.searchsorted(found.classes_, values))

    def __sklearn_tags__(self) -> Tags:
        """Say whether missing numbers are allowed: where the recipe has an answer to them."""
        tags = super().__sklearn_tags__()
        try:
            tags.input_tags.allow_nan = _takes_missing(self._asked())
        except InputError:
            tags.input_tags.allow_nan = False
        return tags

    def _asked(self) -> Recipe:
        recipe = Recipe().edited(SENSIBLE) if self.recipe is None else recipe_of(self.recipe)[0]
        seed = {} if self.seed is None else {"train.seed": self.seed}
        return recipe.edited({**(self.edits or {}), **seed})

    def _keep(self, model: FinalModel, places: npt.NDArray[np.int64]) -> Self:
        self.model_, self._places = model, places
        self.recipe_: Recipe = model.fitted.recipe
        self.history_: History = model.fitted.history
        return self

    def _places_of(self, classes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Return the classes' positions in the order that the recipe sees: the positive one last."""
        places = np.arange(len(classes))
        if self.positive is None:
            return places
        is_positive = classes == self.positive
        if not np.any(is_positive):
            raise ValueError(f"positive is {self.positive!r}, which is none of the classes {classes.tolist()}.")
        return np.concatenate([places[~is_positive], places[is_positive]])

    def _probability(self, X: Any) -> npt.NDArray[np.float64]:
        check_is_fitted(self, "model_")
        frame, fitted = self._frame(X, self.recipe_), self.model_.fitted
        columns = fitted.columns
        if _as_it_is(frame.select(list(columns)), self.recipe_) and "text" not in columns.values():
            return self.model_.predict(_numbers(frame.select(list(columns))))
        return self.model_.predict(features_of(FrameSource(frame, "X"), self.recipe_, columns))

    def _frame(self, X: Any, recipe: Recipe, y: Any = "no_validation") -> pl.DataFrame:
        """Return X as typed columns, after the checks that scikit-learn's own estimators make."""
        finite: Any = "allow-nan" if _takes_missing(recipe) else True
        fitting = not isinstance(y, str)
        if fitting and y is None:
            validate_data(self, X, y, skip_check_array=True)
        if not _has_columns(X):
            X = validate_data(self, X, dtype="numeric", ensure_all_finite=finite, reset=fitting)
            return pl.DataFrame({str(k): column for k, column in enumerate(X.T)})
        frame = _frame_of(X)
        numbers = frame.select(cs.numeric())
        if numbers.width == frame.width and frame.height:
            # Only for its checks: the frame's numbers stay of their own types.
            validate_data(self, X, dtype="numeric", ensure_all_finite=finite, reset=fitting)
            return frame
        validate_data(self, X, skip_check_array=True, reset=fitting)
        assert_all_finite(numbers.to_numpy(), allow_nan=finite != True, input_name="X")  # noqa: E712
        return frame


def _has_columns(X: Any) -> bool:
    return isinstance(X, pl.DataFrame) or hasattr(X, "iloc") or hasattr(X, "__arrow_c_stream__")


def _frame_of(X: Any) -> pl.DataFrame:
    source = object_source(X)
    assert isinstance(source, FrameSource)
    return source.frame


def _takes_missing(recipe: Recipe) -> bool:
    return recipe.features.impute != "none" or recipe.model.kind == "gradient-boosting"


def _as_it_is(frame: pl.DataFrame, recipe: Recipe) -> bool:
    """Tell whether a frame holds numbers only and the recipe reads none of its cells in another way."""
    data = recipe.data
    said = (data.missing_tokens, data.missing_values, data.casts, data.tidy, data.limits, recipe.features.dates)
    return not any(said) and all(kind.is_numeric() for kind in frame.dtypes)


def _selects_rows(recipe: Recipe) -> bool:
    """Tell whether the recipe leaves rows out, or names columns that are more than features."""
    data, split = recipe.data, recipe.split
    return any((data.deduplicate, data.conflicts != "keep", data.weight, split.group, split.time, split.column))


def _numbers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.cast(pl.Float64).with_columns(pl.all().fill_nan(None))


def _rows(frame: pl.DataFrame, codes: npt.NDArray[np.int64], classes: int, recipe: Recipe) -> Rows:
    """Return the rows that a recipe selects, with classes "0", "1", … for the codes.

    Numbers that the recipe says nothing about stay as they are; all other cells are read as those of a file.
    """
    data = recipe.data
    for setting, says in (("drop-rows", data.drop_rows), ("drop-overlap", data.drop_overlap)):
        if says:
            raise InputError(f"recipe.data.{setting} is about rows of a file; unset it, and leave them out of X and y.")
    if data.target_levels:
        raise InputError("recipe.data.target-levels renames labels of a file; unset it, and rename them in y.")
    features = frame.select(pl.exclude(data.drop)) if data.drop else frame
    if _as_it_is(features, recipe) and not _selects_rows(recipe) and set(data.drop) <= set(frame.columns):
        labels = tuple(str(code) for code in range(classes))
        return Rows(_numbers(features), codes.astype(np.int64), labels, np.arange(len(codes)))
    target = free_name(frame.columns, "target")
    exact = frame.with_columns(cs.float().cast(pl.Float64))
    source = FrameSource(exact.with_columns(pl.Series(target, codes)), "X")
    return rows_of(Dataset(source, target), recipe)
