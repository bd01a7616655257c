"""Recipe sections become preprocessing, resampling and networks that do what their settings say."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bindoctor import InputError, Recipe, Rows
from bindoctor.build import build_network, build_optimizer, build_preprocessor, input_frame, signed_log1p
from bindoctor.prepare import Prepared, preparation_key, prepare
from bindoctor.recipe_sections import Features, Model, Optimizer, Resample
from bindoctor.resampling import SYNTHETIC, resample_targets


def rows_of(
    cells: Mapping[str, Sequence[object]], labels: Sequence[int], classes: tuple[str, ...] = ("no", "yes")
) -> Rows:
    features = pl.DataFrame(
        {
            name: pl.Series(column, dtype=pl.String if any(isinstance(c, str) for c in column) else pl.Float64)
            for name, column in cells.items()
        }
    )
    return Rows(features, np.array(labels, dtype=np.int64), classes, np.arange(len(labels)))


def prepared(edits: Mapping[str, object], train: Rows, test: Rows | None = None) -> Prepared:
    return prepare(Recipe().edited(edits), train, test, seed=0)


def column(edits: Mapping[str, object], cells: Sequence[float | None]) -> np.ndarray:
    """Return what becomes of one number column."""
    done = prepared(edits, rows_of({"age": cells}, [0, 1] * (len(cells) // 2)))
    return np.asarray(done.train.matrix[:, 0])


def imbalanced(common: int = 60, rare: int = 12, *, texts: bool = True) -> Rows:
    random = np.random.default_rng(0)
    labels = [0] * common + [1] * rare
    n = len(labels)
    cells: dict[str, Sequence[object]] = {
        "age": (random.normal(size=n) + np.array(labels)).tolist(),
        "income": random.normal(size=n).tolist(),
    }
    if texts:
        cells["home"] = random.choice(["own", "rent", "free"], n).tolist()
        cells["job"] = [None if u < 0.2 else "x" if u < 0.6 else "y" for u in random.random(n)]
    return rows_of(cells, labels)


# Features


def test_nothing_is_done_to_numbers_that_the_recipe_leaves_alone() -> None:
    assert column({}, [1, 20, 300, 4]).tolist() == [1, 20, 300, 4]


def test_the_matrix_is_float32() -> None:
    done = prepared({}, imbalanced(), imbalanced())
    assert done.test is not None
    assert {done.train.matrix.dtype, done.test.matrix.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("impute", "expected"), [("mean", 3), ("median", 2), ("most-frequent", 2), ("zero", 0)])
def test_missing_numbers_are_imputed_as_the_recipe_says(impute: str, expected: float) -> None:
    assert column({"features.impute": impute}, [2, 2, 1, 7, None, None])[4:].tolist() == [expected] * 2


def test_a_missing_number_that_nothing_imputes_is_named_and_never_trained_on() -> None:
    rows = rows_of({"age": [1, None, 3, None], "pay": [None, 1, 2, 3]}, [0, 1, 0, 1])
    with pytest.raises(
        InputError, match=r"column 'age' has 2 missing cells \(and 1 more .*recipe.features.impute is 'none'"
    ):
        prepared({}, rows)


def test_a_number_missing_only_in_held_out_rows_is_named_too() -> None:
    full, holey = rows_of({"age": [1, 2, 3, 4]}, [0, 1, 0, 1]), rows_of({"age": [None, 2]}, [0, 1])
    with pytest.raises(InputError, match="column 'age' has 1 missing cell"):
        prepared({}, full, holey)


def test_gradient_boosting_takes_missing_numbers_as_they_are() -> None:
    rows = rows_of({"age": [1, None, 3, None]}, [0, 1, 0, 1])
    assert np.isnan(prepared({"model.kind": "gradient-boosting"}, rows).train.matrix).sum() == 2


def test_a_column_without_any_number_in_training_becomes_zero() -> None:
    train, test = rows_of({"age": [None] * 4}, [0, 1, 0, 1]), rows_of({"age": [5, None]}, [0, 1])
    done = prepared({"features.impute": "median"}, train, test)
    assert done.test is not None
    assert done.train.matrix[:, 0].tolist() == [0] * 4


def test_indicators_tell_what_was_missing_and_only_where_something_was() -> None:
    rows = rows_of({"age": [1, None, 3, 5], "pay": [1, 2, 3, 4]}, [0, 1, 0, 1])
    matrix = prepared({"features.impute": "median", "features.indicators": True}, rows).train.matrix
    assert matrix.shape == (4, 3)
    assert matrix[:, 2].tolist() == [0, 1, 0, 0]


def test_standard_scaling_is_fitted_on_training_rows_only() -> None:
    train, test = rows_of({"age": [0, 2, 4, 6]}, [0, 1, 0, 1]), rows_of({"age": [1000, 3]}, [0, 1])
    done = prepared({"features.scale": "standard"}, train, test)
    assert done.test is not None
    assert done.train.matrix.mean() == pytest.approx(0, abs=1e-6)
    assert done.train.matrix.std() == pytest.approx(1)
    assert done.test.matrix[1, 0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [("minmax", 0, 1), ("robust", -1, 1), ("standard", -2, 2), ("power", -2, 2), ("quantile", -6, 6), ("log1p", -3, 3)],
)
def test_every_scale_brings_a_wide_column_into_a_small_range(scale: str, low: float, high: float) -> None:
    scaled = column({"features.scale": scale}, np.linspace(1e5, 3e5, 40).tolist())
    assert low - 1e-6 <= scaled.min() < scaled.max() <= high + 1e-6
    assert (np.diff(scaled) > 0).all()


@pytest.mark.parametrize("transform", ["log1p", "power", "quantile"])
def test_a_transform_is_for_the_columns_it_names(transform: str) -> None:
    rows = rows_of({"pay": [10.0**i for i in range(8)], "age": list(range(8))}, [0, 1] * 4)
    done = prepared({"features.transform": {"pay": transform}}, rows)
    names = [name.partition("__")[2] for name in done.preprocessor.get_feature_names_out()]
    assert done.train.matrix[:, names.index("age")].tolist() == list(range(8))
    assert done.train.matrix[:, names.index("pay")].max() < 20


def test_a_transformed_column_is_scaled_like_the_others() -> None:
    scaled = column({"features.transform": {"age": "log1p"}, "features.scale": "standard"}, [1, 10, 100, 1000])
    assert scaled.mean() == pytest.approx(0, abs=1e-6)
    assert scaled.std() == pytest.approx(1)


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, unique=True))
def test_the_signed_logarithm_keeps_order_and_mirrors_at_zero(values: list[float]) -> None:
    array = np.sort(np.array(values))
    assert (np.diff(signed_log1p(array)) >= 0).all()
    assert signed_log1p(-array) == pytest.approx(-signed_log1p(array))
    assert signed_log1p(np.abs(array)) == pytest.approx(np.log1p(np.abs(array)))


def test_a_level_never_seen_in_training_gets_zeros() -> None:
    train, test = rows_of({"home": ["own", "rent", "own", "rent"]}, [0, 1, 0, 1]), rows_of({"home": ["boat"]}, [0])
    done = prepared({}, train, test)
    assert done.test is not None
    assert done.test.matrix.tolist() == [[0, 0]]


def test_a_missing_text_is_a_level_of_its_own() -> None:
    rows = rows_of({"home": ["own", None, "own", None]}, [0, 1, 0, 1])
    assert prepared({}, rows).train.matrix.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_rare_levels_share_a_column_which_also_takes_unseen_ones() -> None:
    train = rows_of({"home": ["own"] * 4 + ["rent"] * 4 + ["boat", "tent"]}, [0, 1] * 5)
    test = rows_of({"home": ["own", "boat", "castle"]}, [0, 1, 0])
    done = prepared({"features.rare": 2}, train, test)
    assert done.test is not None
    assert done.train.matrix.shape == (10, 3)
    assert done.test.matrix[1].tolist() == done.test.matrix[2].tolist() == [0, 0, 1]


def test_gradient_boosting_groups_levels_that_no_leaf_could_hold() -> None:
    homes = ["own"] * 30 + ["rent"] * 30 + [f"boat {i}" for i in range(30)]
    rows = rows_of({"home": homes}, [0, 1] * 45)
    assert prepared({}, rows).train.matrix.shape == (90, 32)
    assert prepared({"model.kind": "gradient-boosting"}, rows).train.matrix.shape == (90, 3)


def test_target_encoding_never_shows_a_training_row_its_own_label() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    noise = [f"id{i}" for i in range(200)] * 2
    done = prepared({"features.encode": "target"}, rows_of({"noise": noise}, labels.tolist()))
    assert abs(np.corrcoef(done.train.matrix[:, 0], labels)[0, 1]) < 0.2


def test_target_encoding_gives_an_unseen_level_the_mean() -> None:
    train = rows_of({"home": ["own", "rent"] * 10}, [0, 1] * 10)
    done = prepared({"features.encode-columns": {"home": "target"}}, train, rows_of({"home": ["boat", "rent"]}, [0, 1]))
    assert done.test is not None
    assert done.test.matrix[0, 0] == pytest.approx(0.5)
    assert done.test.matrix[1, 0] > 0.9


def test_target_encoding_of_three_classes_gives_a_column_for_each() -> None:
    rows = rows_of({"home": ["own", "rent", "free"] * 10}, [0, 1, 2] * 10, ("a", "b", "c"))
    assert prepared({"features.encode": "target"}, rows).train.matrix.shape == (30, 3)


def test_a_setting_for_a_column_that_is_not_there_is_refused() -> None:
    rows = rows_of({"age": [1, 2, 3, 4]}, [0, 1, 0, 1])
    with pytest.raises(InputError, match=r"recipe\.features\.transform names 'agee', which is no feature column"):
        prepared({"features.transform": {"agee": "power"}}, rows)


def test_a_setting_for_a_column_of_the_wrong_kind_is_refused() -> None:
    rows = rows_of({"home": ["own", "rent"] * 2}, [0, 1, 0, 1])
    with pytest.raises(InputError, match="transform names 'home', a text column, but takes number columns"):
        prepared({"features.transform": {"home": "log1p"}}, rows)


def test_a_setting_for_a_dropped_column_is_passed_over() -> None:
    rows = rows_of({"age": [1, 2, 3, 4]}, [0, 1, 0, 1])
    done = prepared({"features.transform": {"pay": "power"}, "data.drop": ["pay"]}, rows)
    assert done.train.matrix.shape == (4, 1)


def test_no_column_left_is_said() -> None:
    rows = Rows(pl.DataFrame(), np.array([0, 1]), ("no", "yes"), np.arange(2))
    with pytest.raises(InputError, match="no feature column is left"):
        prepared({}, rows)


def test_a_value_beyond_float32_is_named_by_its_column() -> None:
    rows = rows_of({"age": [1, 2, 3, 4], "pay": [1, 2, 1e300, 3]}, [0, 1, 0, 1])
    with pytest.raises(InputError, match="column 'pay' holds values that are too large"):
        prepared({}, rows)
    with pytest.raises(InputError, match="column 'pay' holds values that are too large"):
        prepared({"features.scale": "power"}, rows)


def test_a_one_hot_matrix_that_cannot_be_held_is_refused_before_it_is_made() -> None:
    n = 50_000
    rows = rows_of({"ticket": [f"t{i}" for i in range(n)]}, [0, 1] * (n // 2))
    with pytest.raises(InputError, match="one-hot encoding takes 9 GiB, most of it for the 50000 levels of 'ticket'"):
        prepared({}, rows)


def test_the_preprocessor_takes_pandas_as_well_as_polars() -> None:
    rows = imbalanced()
    columns = {"age": "number", "income": "number", "home": "text", "job": "text"}
    frame = input_frame(rows.features, columns)  # type: ignore[arg-type]
    fitted = build_preprocessor(Features(scale="standard"), columns, rows=len(rows)).fit(frame)  # type: ignore[arg-type]
    pandas = pytest.importorskip("pandas").DataFrame(frame.to_dict(as_series=False))
    assert np.array_equal(fitted.transform(frame), fitted.transform(pandas))


# Resampling


@pytest.mark.parametrize("method", ["none", "random-over", "random-under", *SYNTHETIC])
def test_resampling_changes_training_rows_and_no_others(method: str) -> None:
    train, test = imbalanced(texts=True), imbalanced(40, 9)
    recipe = {"features.scale": "standard", "train.patience": 5}
    plain, done = prepared(recipe, train, test), prepared({**recipe, "resample.method": method}, train, test)
    assert plain.test and plain.valid and done.test and done.valid
    assert np.array_equal(done.test.matrix, plain.test.matrix)
    assert np.array_equal(done.valid.matrix, plain.valid.matrix)
    assert np.array_equal(done.test.labels, test.labels)
    assert (len(done.train.labels) == len(plain.train.labels)) == (method == "none")
    held_out = {row.tobytes() for row in np.vstack([plain.test.matrix, plain.valid.matrix])}
    assert not held_out & {row.tobytes() for row in done.train.matrix}


@pytest.mark.parametrize("method", ["smote", "smotenc", "borderline-smote", "random-over"])
def test_the_rare_class_reaches_the_asked_ratio(method: str) -> None:
    done = prepared({"resample.method": method, "resample.ratio": 0.5}, imbalanced())
    assert np.bincount(done.train.labels).tolist() == [60, 30]


def test_under_sampling_lowers_the_common_class_to_the_asked_ratio() -> None:
    done = prepared({"resample.method": "random-under", "resample.ratio": 0.5}, imbalanced())
    assert np.bincount(done.train.labels).tolist() == [24, 12]


def test_classes_that_are_balanced_enough_are_left_alone() -> None:
    done = prepared({"resample.method": "smote", "resample.ratio": 0.2}, imbalanced())
    assert np.bincount(done.train.labels).tolist() == [60, 12]


def test_smotenc_gives_synthetic_rows_levels_that_exist_and_smote_does_not() -> None:
    def texts(method: str) -> np.ndarray:
        matrix = prepared({"resample.method": method}, imbalanced()).train.matrix[72:, 2:]
        return np.asarray(matrix)

    assert np.isin(texts("smotenc"), [0, 1]).all()
    assert (texts("smotenc")[:, :3].sum(axis=1) == 1).all()
    assert (texts("smotenc")[:, 3:].sum(axis=1) == 1).all()
    assert not np.isin(texts("smote"), [0, 1]).all()


def test_smotenc_keeps_the_original_rows_as_they_were() -> None:
    plain, done = prepared({}, imbalanced()), prepared({"resample.method": "smotenc"}, imbalanced())
    assert np.array_equal(done.train.matrix[:72], plain.train.matrix)


def test_smotenc_needs_both_kinds_of_columns() -> None:
    with pytest.raises(InputError, match="'smotenc' needs number and text columns"):
        prepared({"resample.method": "smotenc"}, imbalanced(texts=False))
    with pytest.raises(InputError, match="'smotenc' needs number and text columns"):
        prepared({"resample.method": "smotenc"}, rows_of({"home": ["own", "rent"] * 20}, [0] * 30 + [1] * 10))


@pytest.mark.parametrize("method", SYNTHETIC)
def test_too_few_rare_rows_for_the_neighbours_are_counted(method: str) -> None:
    message = r"needs more rows of a class than neighbors \(5\), but class 'yes' has 4 training rows"
    with pytest.raises(InputError, match=message):
        prepared({"resample.method": method}, imbalanced(rare=4))


def test_synthetic_rows_cannot_be_placed_between_missing_numbers() -> None:
    rows = rows_of({"age": [None if i % 5 == 0 else float(i) for i in range(40)]}, [0] * 30 + [1] * 10)
    with pytest.raises(InputError, match="'smote' cannot use missing cells"):
        prepared({"resample.method": "smote", "model.kind": "gradient-boosting"}, rows)


def test_resampling_of_three_classes_raises_each_to_the_largest() -> None:
    random = np.random.default_rng(0)
    rows = rows_of({"age": random.normal(size=60).tolist()}, [0] * 30 + [1] * 20 + [2] * 10, ("a", "b", "c"))
    assert np.bincount(prepared({"resample.method": "smote"}, rows).train.labels).tolist() == [30, 30, 30]


@given(st.lists(st.integers(0, 500), min_size=2, max_size=5).filter(any), st.floats(0.05, 1))
def test_resampling_reaches_the_ratio_between_every_two_classes(counts: list[int], ratio: float) -> None:
    for method in ("smote", "random-under"):
        targets = resample_targets(Resample(method=method, ratio=ratio), counts)
        after = [targets.get(k, count) for k, count in enumerate(counts) if count]
        assert min(after) >= ratio * max(after) - 1
        assert all((targets[k] > counts[k]) == (method == "smote") for k in targets)


# Sharing


@pytest.mark.parametrize(
    ("edits", "shared"),
    [
        (
            {"optimizer.learning-rate": 0.1, "loss.kind": "focal", "model.hidden": [8], "decide.threshold": "tuned"},
            True,
        ),
        ({"train.epochs": 3, "train.batch-size": 8}, True),
        ({"features.scale": "standard"}, False),
        ({"resample.method": "smote"}, False),
        ({"split.valid": 0.3}, False),
        ({"data.drop": ["age"]}, False),
        ({"train.patience": 5}, False),
    ],
)
def test_recipes_share_prepared_rows_when_preparation_would_be_the_same(edits: dict[str, object], shared: bool) -> None:
    assert (preparation_key(Recipe().edited(edits)) == preparation_key(Recipe())) is shared


def test_how_long_patience_is_does_not_change_the_prepared_rows() -> None:
    keys = {preparation_key(Recipe().edited({"train.patience": patience})) for patience in (1, 5, 10)}
    assert len(keys) == 1


# Networks


def test_a_network_has_the_layers_that_the_recipe_names() -> None:
    network = build_network(Model(hidden=(128, 64), dropout=0.5, batch_norm=True, activation="gelu"), 13, 1)
    kinds = [nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Dropout]
    assert [type(layer) for layer in network] == [*kinds, *kinds, nn.Linear]
    assert [layer.out_features for layer in network if isinstance(layer, nn.Linear)] == [128, 64, 1]


def test_logistic_regression_is_one_layer() -> None:
    assert [type(layer) for layer in build_network(Model(kind="logistic"), 13, 3)] == [nn.Linear]


@pytest.mark.parametrize(("outputs", "prior"), [(1, [0.9, 0.1]), (3, [0.5, 0.3, 0.2])])
def test_the_prior_bias_makes_a_blank_network_answer_the_class_shares(outputs: int, prior: list[float]) -> None:
    network = build_network(Model(kind="logistic", prior_bias=True), 4, outputs, prior)
    logits = network(torch.zeros(1, 4))[0]
    answered = torch.sigmoid(logits) if outputs == 1 else torch.softmax(logits, dim=0)
    assert answered.tolist() == pytest.approx(prior[1:] if outputs == 1 else prior)


def test_weight_decay_is_decoupled_from_the_gradient_in_adamw_only() -> None:
    def after_one_step_without_gradient(kind: str) -> float:
        network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(network.weight, 1.0)
        network.weight.grad = torch.zeros_like(network.weight)
        settings = Optimizer(kind=kind, learning_rate=0.1, weight_decay=0.1)  # type: ignore[arg-type]
        build_optimizer(settings, network).step()
        return network.weight.item()

    assert after_one_step_without_gradient("adamw") == pytest.approx(0.99)
    assert after_one_step_without_gradient("sgd") == pytest.approx(0.99)
    assert after_one_step_without_gradient("adam") == pytest.approx(0.9, abs=1e-3)
