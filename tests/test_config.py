"""Settings are read with the key that is wrong, and written without losing what people put in them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bindoctor import InputError, Recipe
from bindoctor.config import DataSettings, check_rule_options, find_config, load_config, render_config
from bindoctor.registry import discover


def settings(folder: Path, text: str) -> Path:
    path = folder / "bindoctor.toml"
    path.write_text(text)
    return path


def test_without_a_file_everything_has_its_default() -> None:
    assert load_config(None).recipe == Recipe()


def test_pyproject_counts_only_with_a_bindoctor_table(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "mine"\n')
    assert find_config(tmp_path) is None
    project.write_text('[tool.bindoctor.data]\npath = "a.csv"\n')
    assert find_config(tmp_path) == project
    assert load_config(project).data.path == "a.csv"


def test_the_own_file_goes_before_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.bindoctor.data]\n")
    own = settings(tmp_path, "")
    assert find_config(tmp_path) == own


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[data\n", "not valid TOML"),
        ("[recipe.data]\ndrop = " + "[" * 100_000, "nested too deeply"),
        ("[recipe.data]\ndrop = " + "{a = " * 100_000, "nested too deeply"),
        ("recipe" + ".a" * 3_000 + " = 1\n", "unknown key 'recipe.a'"),
        ("[dta]\n", "unknown key 'dta'"),
        ('[data]\npth = "x"\n', "unknown key 'data.pth'"),
        ("[data]\npath = 3\n", "'data.path': expected str, got int"),
        ("[recipe.model]\nhiden = [1]\n", "unknown key 'recipe.model.hiden'"),
        ('[check]\nfail-on = "sometimes"\n', "'check.fail-on'"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = settings(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_toml_error_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3"):
        load_config(settings(tmp_path, '[data]\npath = "a"\ntarget = \n'))


def test_an_ignored_rule_needs_its_reason_and_may_be_for_one_column(tmp_path: Path) -> None:
    config = load_config(
        settings(tmp_path, '[check.ignore]\nBD103 = "trees"\n[check.ignore."column:id"]\nBD110 = "needed for joins"\n')
    )
    everywhere, one = config.ignores
    assert (everywhere.name, everywhere.column, everywhere.reason) == ("BD103", "", "trees")
    assert (one.name, one.column, one.reason) == ("BD110", "id", "needed for joins")


def test_rule_options_are_held_against_the_rule(tmp_path: Path) -> None:
    registry = discover()
    good = load_config(settings(tmp_path, "[rules.BD101]\nmin-share = 0.1\n"))
    assert check_rule_options(good, registry) == {"BD101": {"min_share": 0.1}}
    with pytest.raises(InputError, match=r"rules\.BD101\.min-shar.*no option"):
        check_rule_options(load_config(settings(tmp_path, "[rules.BD101]\nmin-shar = 0.1\n")), registry)
    with pytest.raises(InputError, match=r"rules\.BD101\.min-share.*must be a number"):
        check_rule_options(load_config(settings(tmp_path, '[rules.BD101]\nmin-share = "a"\n')), registry)
    with pytest.raises(InputError, match="BD999"):
        check_rule_options(load_config(settings(tmp_path, "[rules.BD999]\nx = 1\n")), registry)


def test_a_verified_recipe_is_written_into_the_file_as_it_stands(tmp_path: Path) -> None:
    text = '# loans\n[data]\npath = "a.csv"  # the export\n\n[recipe.features]\nscale = "none"  # so far\n'
    path = settings(tmp_path, text)
    config = replace(load_config(path), recipe=Recipe().edited({"features.scale": "standard"}))
    assert render_config(config, text) == text.replace('"none"', '"standard"')


def test_a_new_file_holds_the_data_and_what_the_recipe_changes(tmp_path: Path) -> None:
    config = load_config(None)
    config = replace(config, data=DataSettings("loan.csv", "y"), recipe=Recipe().edited({"model.dropout": 0.2}))
    path = settings(tmp_path, render_config(config, None))
    again = load_config(path)
    assert (again.data.path, again.data.target, again.recipe) == ("loan.csv", "y", config.recipe)
