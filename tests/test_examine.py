"""Examining gives every rule exactly one outcome, whatever a rule does."""

from collections.abc import Iterator

import pytest

from bindoctor import Finding, Profile, Recipe, Rule, Severity, Where, rule
from bindoctor.evidence import Evidence
from bindoctor.examine import Ignore, examine, findings_of

EVIDENCE = Evidence(recipe=Recipe())


def about(*columns: str) -> list[Finding]:
    return [Finding(f"{column} is odd", Where("column", column)) for column in columns]


def saying(code: str, *found: Finding, severity: Severity = Severity.WARNING, root: bool = False) -> Rule:
    @rule(code, severity=severity, flags=[], passes=[], root=root)
    def odd_column(recipe: Recipe) -> Iterator[Finding]:
        """Say what it was told to."""
        yield from found

    return odd_column


@rule("TT201", severity=Severity.WARNING, flags=[], passes=[])
def broken_rule(recipe: Recipe) -> Iterator[Finding]:
    """Break after the first finding."""
    yield Finding("one", Where("recipe"))
    raise ZeroDivisionError("division by zero")


@rule("TT202", severity=Severity.WARNING, flags=[], passes=[])
def needy_rule(profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """Need a profile."""
    yield Finding(str(profile.rows), Where("recipe"))


@rule("TT203", severity=Severity.NOTE, flags=[], passes=[])
def rule_with_option(recipe: Recipe, *, min_epochs: int = 50) -> Iterator[Finding]:
    """Compare epochs."""
    if recipe.train.epochs >= min_epochs:
        yield Finding(f"at least {min_epochs}", Where("recipe"))


def test_every_rule_has_one_outcome_in_the_order_asked() -> None:
    rules = [saying("TT101", *about("a")), broken_rule, needy_rule, saying("TT102")]
    outcomes = examine(rules, EVIDENCE)
    assert [outcome.rule for outcome in outcomes] == rules
    assert [outcome.status for outcome in outcomes] == ["findings", "error", "skipped", "passed"]


def test_a_rule_that_raises_says_why_and_hides_no_other() -> None:
    broken, sound = examine([broken_rule, saying("TT101", *about("a"))], EVIDENCE)
    assert (broken.status, broken.why) == ("error", "ZeroDivisionError: division by zero")
    assert broken.findings == ()
    assert [finding.message for finding in sound.findings] == ["a is odd"]


def test_a_rule_without_its_evidence_says_what_it_needs() -> None:
    (outcome,) = examine([needy_rule], Evidence())
    assert (outcome.status, outcome.why) == ("skipped", "needs profile and recipe")


def test_a_finding_is_stamped_with_its_rule() -> None:
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE)
    (finding,) = outcome.findings
    assert (finding.code, finding.slug, finding.severity) == ("TT101", "odd-column", Severity.WARNING)


def test_a_finding_may_choose_its_own_severity() -> None:
    loud = Finding("loud", Where("recipe"), severity=Severity.ERROR)
    (outcome,) = examine([saying("TT101", loud, severity=Severity.NOTE)], EVIDENCE)
    assert outcome.findings[0].severity is Severity.ERROR


def test_options_reach_their_rule_only() -> None:
    (outcome,) = examine([rule_with_option], EVIDENCE, options={"TT203": {"min_epochs": 51}, "TT101": {"nonsense": 1}})
    assert outcome.status == "passed"


def test_an_unknown_option_is_an_error_of_that_rule() -> None:
    (outcome,) = examine([rule_with_option], EVIDENCE, options={"TT203": {"max_epochs": 3}})
    assert outcome.status == "error"
    assert "max_epochs" in outcome.why


def test_a_root_cause_withholds_other_findings_about_its_column() -> None:
    root, other = examine([saying("TT101", *about("id"), root=True), saying("TT102", *about("id", "age"))], EVIDENCE)
    assert [finding.where.name for finding in root.findings] == ["id"]
    assert [finding.where.name for finding in other.findings] == ["age"]
    assert other.why == "1 finding(s) explained by TT101"


def test_a_rule_whose_findings_are_all_explained_passes_and_says_so() -> None:
    _, other = examine([saying("TT101", *about("id"), root=True), saying("TT102", *about("id"))], EVIDENCE)
    assert (other.status, other.findings) == ("passed", ())
    assert "TT101" in other.why


def test_of_two_root_causes_the_first_explains_the_other() -> None:
    rules = [saying("TT101", *about("id"), root=True), saying("TT102", *about("id"), root=True)]
    assert [outcome.status for outcome in examine(rules, EVIDENCE)] == ["findings", "passed"]


def test_a_root_cause_withholds_nothing_about_the_recipe() -> None:
    recipe_wide = Finding("everything", Where("recipe", "id"))
    _, other = examine([saying("TT101", *about("id"), root=True), saying("TT102", recipe_wide)], EVIDENCE)
    assert other.findings


@pytest.mark.parametrize("name", ["TT101", "odd-column"])
def test_an_ignored_rule_gives_the_reason(name: str) -> None:
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE, ignores=[Ignore(name, "agreed with the owner")])
    assert (outcome.status, outcome.why) == ("ignored", "agreed with the owner")


def test_an_ignored_finding_stays_known() -> None:
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE, ignores=[Ignore("TT101", "agreed")])
    assert [finding.message for finding in outcome.findings] == ["a is odd"]
    assert findings_of([outcome]) == ()


def test_an_ignore_may_be_limited_to_one_column() -> None:
    (outcome,) = examine([saying("TT101", *about("a", "b"))], EVIDENCE, ignores=[Ignore("TT101", "agreed", column="a")])
    assert outcome.status == "findings"
    assert [finding.where.name for finding in outcome.findings] == ["b"]


def test_an_ignore_of_another_rule_changes_nothing() -> None:
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE, ignores=[Ignore("TT102", "agreed")])
    assert (outcome.status, outcome.why) == ("findings", "")


def test_a_rule_without_findings_is_passed_rather_than_ignored() -> None:
    (outcome,) = examine([saying("TT101")], EVIDENCE, ignores=[Ignore("TT101", "agreed")])
    assert outcome.status == "passed"


def test_findings_are_listed_loudest_first_then_by_code() -> None:
    rules = [
        saying("TT103", *about("a"), severity=Severity.NOTE),
        saying("TT102", *about("b"), severity=Severity.ERROR),
        saying("TT101", *about("c"), severity=Severity.ERROR),
    ]
    assert [finding.code for finding in findings_of(examine(rules, EVIDENCE))] == ["TT101", "TT102", "TT103"]
