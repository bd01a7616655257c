"""A recipe as a scikit-learn estimator: it keeps scikit-learn's rules, and is the recipe all the same."""

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from bindoctor.classifier import RecipeClassifier, _rows
from bindoctor.errors import InputError
from bindoctor.recipe import Recipe

Floats = npt.NDArray[np.float64]


def numbers(rows: int = 200, *, seed: int = 0) -> tuple[Floats, npt.NDArray[np.bool_]]:
    X = np.random.default_rng(seed).normal(size=(rows, 3))
    return X, X[:, 0] + X[:, 1] > 0


def people(rows: int = 200) -> tuple[pd.DataFrame, list[str]]:
    X, yes = numbers(rows)
    frame = pd.DataFrame(X, columns=["age", "income", "noise"])
    frame["town"] = np.where(np.arange(rows) % 3 == 0, "Ulm", "Bonn")
    frame.loc[5, "age"] = np.nan
    return frame, ["good" if answer else "bad" for answer in yes]


@pytest.mark.filterwarnings("ignore")
def test_it_passes_all_checks_of_scikit_learn() -> None:
    done = check_estimator(RecipeClassifier(), on_skip=None)
    assert len(done) > 40
    assert {check["status"] for check in done} <= {"passed", "skipped"}
    assert [check["check_name"] for check in done if check["status"] == "skipped"] in ([], ["check_array_api_input"])


@pytest.mark.parametrize(
    "classes", [(0, 1), (-1, 1), (False, True), ("no", "yes"), (10, 9, 8), ("a", "c", "b")], ids=repr
)
def test_classes_come_back_as_they_were_given(classes: tuple[object, ...]) -> None:
    X, _ = numbers()
    y = np.array(classes)[np.digitize(X[:, 0], [0] if len(classes) == 2 else [-0.5, 0.5])]
    model = RecipeClassifier().fit(X, y)
    assert model.classes_.tolist() == sorted(classes)  # type: ignore[type-var]
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.9
    assert model.predict_proba(X).shape == (200, len(classes))
    assert np.array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))


def test_texts_and_missing_numbers_of_a_frame_are_what_the_recipe_takes_them_for() -> None:
    frame, y = people()
    of_pandas = RecipeClassifier().fit(frame, y)
    of_polars = RecipeClassifier().fit(pl.DataFrame({name: frame[name].tolist() for name in frame}), y)
    assert of_pandas.feature_names_in_.tolist() == ["age", "income", "noise", "town"]
    assert of_pandas.score(frame, y) > 0.9
    assert np.array_equal(of_pandas.predict_proba(frame), of_polars.predict_proba(frame))
    with pytest.raises(ValueError, match="missing:\n- age"):
        of_pandas.predict(frame.drop(columns="age"))


def test_a_recipe_is_given_as_a_value_as_edits_or_as_a_file(tmp_path: Path) -> None:
    X, y = numbers()
    edits = {"train.epochs": 3, "features.scale": "standard"}
    path = tmp_path / "bindoctor.toml"
    path.write_text('[recipe.train]\nepochs = 3\n[recipe.features]\nscale = "standard"\n')
    given = (Recipe().edited(edits), edits, path, str(path))
    answers = [RecipeClassifier(recipe).fit(X, y).predict_proba(X) for recipe in given]
    answers.append(RecipeClassifier(edits=edits).fit(X, y).predict_proba(X))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_the_positive_class_is_what_the_threshold_is_about() -> None:
    frame, y = people()
    eager = {"decide.threshold": 0.0}
    assert set(RecipeClassifier(edits=eager).fit(frame, y).predict(frame)) == {"good"}
    assert set(RecipeClassifier(edits=eager, positive="bad").fit(frame, y).predict(frame)) == {"bad"}
    with pytest.raises(ValueError, match="positive is 'great', which is none of the classes"):
        RecipeClassifier(positive="great").fit(frame, y)


def test_turning_the_positive_class_round_keeps_the_probabilities_of_each_class_in_their_columns() -> None:
    frame, y = people()
    model = RecipeClassifier(positive="bad").fit(frame, y)
    assert model.classes_.tolist() == ["bad", "good"]
    assert model.score(frame, y) > 0.9


def test_a_weight_column_decides_how_much_rows_count_and_is_no_feature() -> None:
    X, y = numbers()
    wrong = np.where(np.arange(len(y)) < 100, y, ~y)
    frame = pd.DataFrame(X, columns=list("abc")).assign(weight=np.where(np.arange(len(y)) < 100, 1.0, 0.0))
    model = RecipeClassifier(edits={"data.weight": "weight"}).fit(frame, wrong)
    assert set(model.model_.fitted.columns) == {"a", "b", "c"}
    assert model.score(frame, y) > 0.9


def test_it_works_in_pipelines_searches_and_cross_validation() -> None:
    X, y = numbers()
    model = RecipeClassifier(seed=1)
    assert cross_val_score(make_pipeline(MinMaxScaler(), model), X, y, cv=3).min() > 0.8
    search = GridSearchCV(model, {"edits": [{"train.epochs": 1}, {"model.dropout": 0.1}], "seed": [1, 2]}, cv=3)
    search.fit(X, y)
    assert search.best_params_["edits"] == {"model.dropout": 0.1}
    assert search.best_estimator_.recipe_.model.dropout == 0.1
    assert search.score(X, y) > 0.9


def test_a_copy_is_unfitted_and_a_pickled_model_answers_alike() -> None:
    frame, y = people()
    model = RecipeClassifier({"features.impute": "mean"}, edits={"train.epochs": 4}, positive="bad", seed=3)
    model.fit(frame, y)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(frame)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert len(again.history_.epochs) == 4


def test_the_seed_decides_and_nothing_else() -> None:
    X, y = numbers()
    first, again, other = (RecipeClassifier(seed=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"model.size": 3}, "there is no setting 'model.size'"),
        ({"data.drop": ["town"]}, "data.drop names 'town'"),
        ({"data.drop-rows": [3]}, "data.drop-rows is about rows of a file"),
        ({"data.target-levels": {"y": "yes"}}, "rename them in y"),
        ({"optimizer.learning-rate": 1e30}, "training failed: the loss became nan"),
        ("nowhere.toml", "nowhere.toml: cannot be read"),
        (3, "int is no recipe"),
    ],
)
def test_what_cannot_be_trained_is_one_clear_error(recipe: object, says: str) -> None:
    X, y = numbers()
    with pytest.raises(InputError, match=says):
        RecipeClassifier(recipe).fit(X, y)  # type: ignore[arg-type]


def test_infinite_and_missing_numbers_are_refused_as_scikit_learn_refuses_them() -> None:
    frame, y = people()
    with pytest.raises(ValueError, match="Input X contains infinity"):
        RecipeClassifier().fit(frame.replace(frame.loc[0, "age"], np.inf), y)
    with pytest.raises(ValueError, match="contains NaN"):
        RecipeClassifier({"features.scale": "standard"}).fit(frame, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RecipeClassifier().fit(frame, y[:-1])


@settings(max_examples=30)
@given(
    st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=False)] * 2), min_size=4, max_size=30).filter(
        lambda rows: any(row[0] == row[0] for row in rows) and any(row[1] == row[1] for row in rows)
    )
)
def test_numbers_are_the_same_to_the_last_bit_whether_they_are_read_as_cells_or_not(
    rows: list[tuple[float, float]],
) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Float64, "b": pl.Float64}, orient="row")
    codes = np.arange(len(rows)) % 2
    straight = _rows(frame, codes, 2, Recipe())
    # Texts that mean a missing value make the recipe read every cell.
    as_cells = _rows(frame, codes, 2, Recipe().edited({"data.missing-tokens": ["?"]}))
    assert straight == as_cells
