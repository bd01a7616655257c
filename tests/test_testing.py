"""The checker of rules refuses a rule that does not keep its promises."""

from collections.abc import Iterator

import pytest

from bindoctor import Aim, Finding, Fix, Recipe, Rule, Severity, Where, example, rule
from bindoctor.rules import Check
from bindoctor.testing import check_rule

PAGE = "Speak.\n\n## Why it matters\n\n## When to ignore it\n\n## References\n"
SCALING = Fix("Scale", {"features.scale": "standard"})


def made(check: Check, *, says: str = "unscaled", page: str = PAGE) -> Rule:
    """A rule that should flag the naive recipe and pass a scaled one."""
    check.__doc__ = page
    scaled = example("scaled", recipe=Recipe().edited(SCALING.edits))
    return rule(
        "TT101",
        severity=Severity.NOTE,
        flags=[example("naive", recipe=Recipe(), says=says)],
        passes=[scaled],
    )(check)


def about_scale(recipe: Recipe) -> Iterator[Finding]:
    if recipe.features.scale == "none":
        yield Finding("unscaled", Where("recipe"), fixes=(SCALING,))


def test_a_sound_rule_is_accepted() -> None:
    check_rule(made(about_scale))


def test_a_rule_that_goes_on_offering_an_applied_fix_is_refused() -> None:
    def insistent(recipe: Recipe) -> Iterator[Finding]:
        if recipe.features.scale == "none" or recipe.model.dropout:
            dropout = Fix("Drop out", {"model.dropout": 0.5})
            yield Finding("unscaled", Where("recipe"), fixes=(dropout,))

    with pytest.raises(AssertionError, match="'Drop out': still offered"):
        check_rule(made(insistent))


def test_a_fix_that_changes_nothing_is_refused() -> None:
    def idle(recipe: Recipe) -> Iterator[Finding]:
        if recipe.features.scale == "none":
            yield Finding("unscaled", Where("recipe"), fixes=(Fix("Keep", {"features.scale": "none"}),))

    with pytest.raises(AssertionError, match="'Keep': changes nothing"):
        check_rule(made(idle))


def test_a_fix_without_edits_may_only_advise() -> None:
    def talker(recipe: Recipe) -> Iterator[Finding]:
        if recipe.features.scale == "none":
            yield Finding("unscaled", Where("recipe"), fixes=(Fix("Think", aim=Aim.IMPROVE),))

    with pytest.raises(AssertionError, match="'Think': has no edits"):
        check_rule(made(talker))


def test_a_rule_that_is_silent_about_its_own_example_is_refused() -> None:
    def mute(recipe: Recipe) -> Iterator[Finding]:
        yield from ()

    with pytest.raises(AssertionError, match="should flag 'naive'"):
        check_rule(made(mute))


def test_a_rule_that_flags_what_it_should_pass_is_refused() -> None:
    def noisy(recipe: Recipe) -> Iterator[Finding]:
        yield Finding("unscaled", Where("recipe"))

    with pytest.raises(AssertionError, match="should pass 'scaled'"):
        check_rule(made(noisy))


def test_a_message_that_is_not_the_promised_one_is_refused() -> None:
    with pytest.raises(AssertionError, match="says \\['unscaled'\\]"):
        check_rule(made(about_scale, says="no scaling"))


def test_a_rule_that_says_something_else_the_second_time_is_refused() -> None:
    count = iter(range(100))

    def moody(recipe: Recipe) -> Iterator[Finding]:
        if recipe.features.scale == "none":
            yield Finding(f"unscaled {next(count)}", Where("recipe"), fixes=(SCALING,))

    with pytest.raises(AssertionError, match="the second time"):
        check_rule(made(moody))


def test_a_page_without_its_sections_is_refused() -> None:
    with pytest.raises(AssertionError, match="lacks the section '## References'"):
        check_rule(made(about_scale, page=PAGE.replace("## References", "")))


def test_a_rule_that_breaks_is_refused_with_its_error() -> None:
    def broken(recipe: Recipe) -> Iterator[Finding]:
        yield Finding(str(1 / 0), Where("recipe"))

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        check_rule(made(broken))
