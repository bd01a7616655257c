"""The recipe is one frozen value that TOML keeps whole."""

import math
import tomllib

import msgspec
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.recipe import toml_value
from bindoctor.recipe_sections import Dates, Derived
from bindoctor.settings_text import recipe_toml, update_document

NAMES = st.text(min_size=1)
EDITS = st.fixed_dictionaries(
    {},
    optional={
        "data.drop": st.lists(st.text(min_size=1), max_size=3, unique=True),
        "data.casts": st.dictionaries(st.text(min_size=1), st.sampled_from(["number", "text"]), max_size=3),
        "features.scale": st.sampled_from(["none", "standard", "robust", "quantile"]),
        "features.transform": st.dictionaries(st.text(min_size=1), st.sampled_from(["log1p", "power"]), max_size=2),
        "resample.method": st.sampled_from(["none", "smote", "smote-enn"]),
        "model.hidden": st.lists(st.integers(1, 512), max_size=4),
        "loss.class-weight": st.one_of(st.sampled_from(["none", "balanced"]), st.floats(0.1, 100)),
        "optimizer.learning-rate": st.floats(1e-6, 1),
        "decide.threshold": st.one_of(st.sampled_from(["auto", "tuned"]), st.floats(0, 1)),
        "decide.cost": st.fixed_dictionaries({"fp": st.floats(0, 1e6), "fn": st.floats(0.01, 1e6)}),
        "data.limits": st.dictionaries(
            NAMES,
            st.tuples(
                st.floats(max_value=0, exclude_max=True, allow_nan=False),
                st.floats(min_value=0, exclude_min=True, allow_nan=False),
            ),
            max_size=3,
        ),
        "data.drop-rows": st.lists(st.integers(0, 10**6), max_size=5),
        "features.clip": st.dictionaries(NAMES, st.tuples(st.floats(0, 0.4), st.floats(0.5, 1)), max_size=2),
        "features.dates": st.dictionaries(
            NAMES,
            st.fixed_dictionaries(
                {
                    "format": st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d"]),
                    "parts": st.lists(st.sampled_from(["year", "hour", "days"]), min_size=1),
                }
            ),
            max_size=2,
        ),
        "features.derive": st.dictionaries(
            NAMES,
            st.one_of(
                st.fixed_dictionaries({"op": st.sampled_from(["ratio", "product"]), "a": NAMES, "b": NAMES}),
                st.fixed_dictionaries({"op": st.just("group-mean-ratio"), "a": NAMES, "by": NAMES}),
            ),
            max_size=2,
        ),
    },
)


@given(EDITS)
def test_a_recipe_survives_toml_there_and_back(edits: dict[str, object]) -> None:
    recipe = Recipe().edited(edits)
    assert Recipe.from_dict(tomllib.loads(recipe_toml(recipe)).get("recipe", {})) == recipe


@given(EDITS)
def test_a_recipe_survives_json_there_and_back(edits: dict[str, object]) -> None:
    recipe = Recipe().edited(edits)
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


@given(EDITS)
def test_a_value_is_shown_as_toml_reads_it(edits: dict[str, object]) -> None:
    recipe = Recipe().edited(edits)
    lines = [f"{change.path} = {toml_value(change.after)}" for change in Recipe().changes(recipe)]
    assert Recipe.from_dict(tomllib.loads("\n".join(lines))) == recipe


@settings(deadline=None)
@given(EDITS, EDITS)
def test_a_recipe_written_over_another_is_read_back(first: dict[str, object], second: dict[str, object]) -> None:
    before, after = Recipe().edited(first), Recipe().edited(second)
    document = tomlkit.parse(recipe_toml(before))
    update_document(document, after)
    assert Recipe.from_dict(tomllib.loads(tomlkit.dumps(document)).get("recipe", {})) == after


@given(EDITS, EDITS)
def test_changes_lead_from_one_recipe_to_the_other(first: dict[str, object], second: dict[str, object]) -> None:
    before, after = Recipe().edited(first), Recipe().edited(second)
    assert before.edited({change.path: change.after for change in before.changes(after)}) == after


@given(EDITS)
def test_equal_recipes_have_equal_digests(edits: dict[str, object]) -> None:
    recipe = Recipe().edited(edits)
    assert (recipe.digest() == Recipe().digest()) == (recipe == Recipe())


def test_writing_a_recipe_keeps_comments_order_and_other_tables() -> None:
    text = '# mine\n[recipe.features]\nscale = "none"  # for now\nimpute = "median"\n\n[check]\nfail-on = "error"\n'
    document = tomlkit.parse(text)
    update_document(document, Recipe().edited({"features.scale": "robust", "features.impute": "median"}))
    assert tomlkit.dumps(document) == text.replace('"none"', '"robust"')


def test_writing_the_same_recipe_changes_nothing() -> None:
    text = "[recipe.model]\nhidden = [ 64,32 ] # default\n"
    document = tomlkit.parse(text)
    update_document(document, Recipe())
    assert tomlkit.dumps(document) == text


def test_a_column_name_with_a_dot_is_one_entry() -> None:
    assert Recipe().edited({"data.casts.home.dest": "text"}).data.casts == {"home.dest": "text"}


def test_an_entry_may_be_a_table_of_its_own() -> None:
    recipe = Recipe().edited(
        {
            "features.dates.day.of.birth": {"format": "%m/%d/%Y", "parts": ["month", "weekday"]},
            "features.derive.pay": {"op": "ratio", "a": "Close", "b": "Open"},
            "data.limits.age": [0, math.inf],
        }
    )
    assert recipe.features.dates == {"day.of.birth": Dates(format="%m/%d/%Y", parts=("month", "weekday"))}
    assert recipe.features.derive == {"pay": Derived(op="ratio", a="Close", b="Open")}
    assert recipe.data.bounds == {"age": (0, math.inf)}
    assert recipe.edited({"features.derive.pay": recipe.features.derive["pay"]}) == recipe


def test_a_plus_extends_a_list_without_repeating() -> None:
    recipe = Recipe().edited({"data.drop": ("a",)}).edited({"data.drop+": ("a", "b")})
    assert recipe.data.drop == ("a", "b")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"model": {"hiden": [64]}}, "recipe.model.hiden"),
        ({"modle": {}}, "recipe.modle"),
        ({"model": {"hidden": [64, "wide"]}}, "recipe.model.hidden[1]"),
        ({"split": {"valid": 1.5}}, "recipe.split.valid"),
        ({"loss": {"class-weight": "heavy"}}, "recipe.loss.class-weight"),
        ({"train": {"epochs": 0}}, "recipe.train.epochs"),
        ({"features": {"transform": {"Income": "square"}}}, "recipe.features.transform"),
        ({"model": {"hidden": [10**8]}}, "recipe.model.hidden[0]"),
        ({"model": {"hidden": [1] * 1000}}, "recipe.model.hidden"),
        ({"train": {"batch-size": 10**20}}, "recipe.train.batch-size"),
        ({"data": {"limits": {"age": [5, 1]}}}, "limits of 'age' must be [low, high]"),
        ({"data": {"limits": {"age": [math.nan, 1]}}}, "limits of 'age' must be [low, high]"),
        ({"features": {"clip": {"age": [0.9, 0.1]}}}, "quantiles of 'age' must be [low, high]"),
        ({"features": {"derive": {"x": {"op": "ratio", "a": "pay"}}}}, "'ratio' takes the columns 'a' and 'b'"),
        ({"features": {"derive": {"x": {"op": "group-mean-ratio", "a": "pay", "b": "age"}}}}, "'a' and 'by'"),
        ({"features": {"dates": {"day": {"format": "%y"}}}}, "must hold a year (%Y, %y), a month"),
        ({"features": {"dates": {"day": {"format": "%Y-%m-%y"}}}}, "must hold a year (%Y, %y), a month"),
        ({"features": {"dates": {"day": {"format": "%Y-%m-%d %S"}}}}, "must hold a year (%Y, %y), a month"),
        ({"features": {"dates": {"day": {"parts": []}}}}, "recipe.features.dates[...].parts"),
        ({"decide": {"cost": {"fp": 1}}}, "'recipe.decide': cost must be of the form { fp = 1, fn = 20 }"),
        ({"decide": {"cost": {"fp": 0, "fn": 0}}}, "finite and not both 0"),
        ({"decide": {"cost": {"fp": 1, "fn": math.inf}}}, "finite and not both 0"),
        ({"decide": {"cost": {"fp": 1, "fn": -1}}}, "recipe.decide.cost"),
        ({"decide": {"cost": {"fp": 1, "fn": math.nan}}}, "recipe.decide"),
        ({"decide": {"cost": {"tp": 1, "fn": 2}}}, "cost must be of the form"),
        ({"decide": {"threshold": "bayes"}}, "threshold 'bayes' needs to know what errors cost"),
        ({"decide": {"score": "cost"}}, "score 'cost' needs to know what errors cost"),
    ],
)
def test_a_wrong_setting_is_named_by_its_key_path(values: dict[str, object], names: str) -> None:
    with pytest.raises(InputError) as caught:
        Recipe.from_dict(values, source="bindoctor.toml")
    assert names in str(caught.value)
    assert str(caught.value).startswith("bindoctor.toml")


def test_an_edit_of_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.depth"):
        Recipe().edited({"model.depth": 3})
