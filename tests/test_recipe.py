"""The recipe is one frozen value that TOML keeps whole."""

import tomllib

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import InputError, Recipe
from bindoctor.recipe import update_document

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
        "decide.threshold": st.one_of(st.just("tuned"), st.floats(0, 1)),
    },
)


@given(EDITS)
def test_a_recipe_survives_toml_there_and_back(edits: dict[str, object]) -> None:
    recipe = Recipe().edited(edits)
    assert Recipe.from_dict(tomllib.loads(recipe.to_toml()).get("recipe", {})) == recipe


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
