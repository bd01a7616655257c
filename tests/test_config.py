"""Settings are read with the key that is wrong, and written without losing what people put in them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bindoctor import Finding, Ignore, InputError, Recipe, Severity, Where, rule
from bindoctor.config import (
    DataSettings,
    accepted_findings,
    check_rule_options,
    find_config,
    load_config,
)
from bindoctor.registry import Registry, discover
from bindoctor.settings_text import render_config


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


def accepted(folder: Path, text: str) -> tuple[Ignore, ...]:
    return accepted_findings(load_config(settings(folder, text)), discover())


def test_an_ignore_gives_its_reason_and_may_be_for_one_place(tmp_path: Path) -> None:
    text = """
        [check.ignore]
        BD103 = "trees"
        class-imbalance = "as in use"
        [check.ignore."column:id"]
        BD110 = "needed for joins"
        [check.ignore.split]
        BD201 = "so drawn"
        [check.ignore."recipe:features.scale"]
        BD103 = "scaled before"
    """
    assert accepted(tmp_path, text) == (
        Ignore("BD103", "trees"),
        Ignore("BD101", "as in use"),
        Ignore("BD110", "needed for joins", Where("column", "id")),
        Ignore("BD201", "so drawn", Where("split")),
        Ignore("BD103", "scaled before", Where("recipe", "features.scale")),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[check.ignore]\nBD103 = " "\n', "'check.ignore.BD103' is empty; say why"),
        ('[check.ignore."column:id"]\nBD103 = ""\n', "'check.ignore.\"column:id\".BD103' is empty"),
        ('[check.ignore]\nBD999 = "x"\n', "'check.ignore.BD999': no rule is called 'BD999'"),
        ('[check.ignore]\nclass-imbalnce = "x"\n', "nearest: class-imbalance"),
        ('[check.ignore.BD101]\nreason = "x"\n', "'BD101' is no kind of place; places are column, target"),
        ('[check.ignore."colunm:id"]\nBD110 = "x"\n', "did you mean 'column:id'?"),
        ('[check]\nignore = ["BD101"]\n', "'check.ignore' is a table of reasons"),
        ("[check.ignore]\nBD101 = 3\n", "'check.ignore' is a table of reasons"),
    ],
)
def test_an_ignore_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        accepted(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_rule_options_are_held_against_the_rule(tmp_path: Path) -> None:
    registry = discover()
    good = load_config(settings(tmp_path, "[rules.BD101]\nmin-share = 0.1\n"))
    assert check_rule_options(good, registry) == {"BD101": {"min_share": 0.1}}
    with pytest.raises(InputError, match=r"rules\.BD101\.min-shar.*no option"):
        check_rule_options(load_config(settings(tmp_path, "[rules.BD101]\nmin-shar = 0.1\n")), registry)
    with pytest.raises(InputError, match=r"rules\.BD101\.min-share.*must be a number"):
        check_rule_options(load_config(settings(tmp_path, '[rules.BD101]\nmin-share = "a"\n')), registry)
    with pytest.raises(InputError, match=r"bindoctor\.toml: 'rules\.BD999'"):
        check_rule_options(load_config(settings(tmp_path, "[rules.BD999]\nx = 1\n")), registry)


@rule("TT101", severity=Severity.NOTE, flags=[], passes=[])
def many_options(
    recipe: Recipe,
    *,
    min_share: float = 0.2,
    min_rows: int = 30,
    strict: bool = False,
    kind: str = "mlp",
    names: tuple[str, ...] = ("sex", "age"),
) -> Iterator[Finding]:
    """Have options of every type."""
    yield from ()


def options_of(folder: Path, line: str) -> Mapping[str, Any]:
    config = load_config(settings(folder, f"[rules.TT101]\n{line}\n"))
    return check_rule_options(config, Registry((many_options,)))["TT101"]


def test_an_option_takes_what_its_default_is(tmp_path: Path) -> None:
    assert options_of(tmp_path, "min-share = 1") == {"min_share": 1}
    assert options_of(tmp_path, "min_rows = 0\nstrict = true") == {"min_rows": 0, "strict": True}
    assert options_of(tmp_path, 'names = ["race"]\nkind = ""') == {"names": ("race",), "kind": ""}
    assert options_of(tmp_path, "names = []") == {"names": ()}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("min-share = nan", "'rules.TT101.min-share' must be a number, as its default 0.2 is"),
        ("min-share = inf", "must be a number"),
        ("min-share = true", "must be a number"),
        ("min-share = 20", "must be a share from 0 to 1"),
        ("min-share = -0.1", "must be a share from 0 to 1"),
        ("min-rows = 2.5", "must be a whole number, as its default 30 is"),
        ("min-rows = -1", "must be zero or more"),
        ("strict = 1", "must be true or false"),
        ("kind = 1", "must be text, as its default 'mlp' is"),
        ('names = "sex"', "must be a list of texts, as its default ['sex', 'age'] is"),
        ("names = [1]", "must be a list of texts"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        options_of(tmp_path, line)
    assert says in str(caught.value)


def test_settings_nested_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        load_config(settings(tmp_path, f"x = {'[' * 100_000}\n"))


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_config(settings(tmp_path, f"x = {'9' * 5_000}\n"))


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
