"""Examining gives every rule exactly one outcome, whatever a rule does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bindoctor import Audit, Finding, Ignore, Known, Profile, Recipe, Rule, Severity, Skipped, Where, rule
from bindoctor.baseline import Baseline
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, examine, findings_of

EVIDENCE = Evidence(recipe=Recipe())


def accepted_in(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.finding.message, one.reason) for one in outcome.accepted]


def about(*columns: str) -> list[Finding]:
    return [Finding(f"{column} is odd", Where("column", column)) for column in columns]


def saying(
    code: str,
    *found: Finding,
    severity: Severity = Severity.WARNING,
    root: bool = False,
    explains: tuple[str, ...] = (),
) -> Rule:
    @rule(code, severity=severity, flags=[], passes=[], root=root, explains=explains)
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
    assert (outcome.status, outcome.why) == ("skipped", "needs profile and recipe: give DATA")


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
    assert other.why == "1 finding explained by TT101"


def test_a_rule_whose_findings_are_all_explained_passes_and_says_so() -> None:
    _, other = examine([saying("TT101", *about("id"), root=True), saying("TT102", *about("id"))], EVIDENCE)
    assert (other.status, other.findings) == ("passed", ())
    assert "TT101" in other.why


def test_of_two_root_causes_the_first_explains_the_other() -> None:
    rules = [saying("TT101", *about("id"), root=True), saying("TT102", *about("id"), root=True)]
    assert [outcome.status for outcome in examine(rules, EVIDENCE)] == ["findings", "passed"]


def test_of_two_root_causes_the_louder_one_explains() -> None:
    rules = [
        saying("TT101", *about("id"), root=True),
        saying("TT102", *about("id"), root=True, severity=Severity.ERROR),
        saying("TT103", *about("id")),
    ]
    outcomes = examine(rules, EVIDENCE)
    assert [outcome.status for outcome in outcomes] == ["passed", "findings", "passed"]
    assert outcomes[1].findings[0].explains == ("TT101", "TT103")
    assert "explained by TT102" in outcomes[2].why


def test_a_root_cause_names_what_it_explains() -> None:
    rules = [saying("TT101", *about("id"), root=True), saying("TT103", *about("id")), saying("TT102", *about("id"))]
    assert examine(rules, EVIDENCE)[0].findings[0].explains == ("TT102", "TT103")


def test_a_finding_about_several_columns_is_explained_when_all_of_them_are() -> None:
    roots = saying("TT101", *about("id", "key"), root=True)
    some = Finding("three are odd", Where("recipe", "x"), columns=("id", "key", "age"))
    every = Finding("two are odd", Where("recipe", "x"), columns=("id", "key"))
    root, partly, wholly = examine([roots, saying("TT102", some), saying("TT103", every)], EVIDENCE)
    assert (partly.status, wholly.status) == ("findings", "passed")
    assert [finding.explains for finding in root.findings] == [("TT103",), ()]


def test_a_root_cause_about_several_columns_explains_each_of_them() -> None:
    pair = Finding("one person", Where("recipe", "split.group"), columns=("id", "key"))
    root, other = examine([saying("TT102", pair, root=True), saying("TT101", *about("id", "key"))], EVIDENCE)
    assert root.findings[0].explains == ("TT101",)
    assert other.why == "2 findings explained by TT102"


def test_a_root_cause_that_is_ignored_explains_nothing() -> None:
    rules = [saying("TT101", *about("id"), root=True), saying("TT102", *about("id"))]
    root, other = examine(rules, EVIDENCE, ignores=[Ignore("TT101", "it is a date")])
    assert (root.status, other.status) == ("ignored", "findings")


def rows(message: str = "rows are odd") -> Finding:
    return Finding(message, Where("row"))


def test_a_rule_may_explain_another_about_the_same_kind_of_place() -> None:
    near = saying("TT102", rows(), *about("a"))
    cause, other = examine([saying("TT101", rows(), explains=("TT102",)), near], EVIDENCE)
    assert cause.findings[0].explains == ("TT102",)
    assert [finding.where.kind for finding in other.findings] == ["column"]
    assert other.why == "1 finding explained by TT101"


def test_a_note_explains_no_other_rule() -> None:
    note = saying("TT101", rows(), severity=Severity.NOTE, explains=("TT102",))
    assert examine([note, saying("TT102", rows())], EVIDENCE)[1].findings


def test_rules_that_explain_each_other_do_not_both_vanish() -> None:
    rules = [saying("TT101", rows(), explains=("TT102",)), saying("TT102", rows(), explains=("TT101",))]
    first, second = examine(rules, EVIDENCE)
    assert (first.status, second.status) == ("findings", "passed")


def test_a_cause_that_is_explained_itself_hands_its_symptoms_on() -> None:
    rules = [
        saying("TT101", *about("id"), severity=Severity.ERROR, explains=("TT102",)),
        saying("TT102", *about("id"), root=True),
        saying("TT103", *about("id")),
    ]
    found = findings_of(examine(rules, EVIDENCE))
    assert [(finding.code, finding.explains) for finding in found] == [("TT102", ("TT101", "TT103"))]


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
    assert accepted_in(outcome) == [("a is odd", "agreed")]
    assert findings_of([outcome]) == ()


def test_an_ignore_may_be_limited_to_one_column() -> None:
    ignore = Ignore("TT101", "agreed", Where("column", "a"))
    (outcome,) = examine([saying("TT101", *about("a", "b"))], EVIDENCE, ignores=[ignore])
    assert (outcome.status, outcome.why) == ("findings", "agreed")
    assert [finding.where.name for finding in outcome.findings] == ["b"]
    assert accepted_in(outcome) == [("a is odd", "agreed")]


def test_an_ignore_may_be_of_a_kind_of_place() -> None:
    said = [*about("a"), Finding("the split is odd", Where("split")), Finding("so is this", Where("recipe", "x"))]
    (outcome,) = examine([saying("TT101", *said)], EVIDENCE, ignores=[Ignore("TT101", "agreed", Where("recipe"))])
    assert [finding.where.kind for finding in outcome.findings] == ["column", "split"]
    assert accepted_in(outcome) == [("so is this", "agreed")]


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


def baseline(*known: Known) -> Baseline:
    return Baseline(Path("bindoctor-baseline.json"), Path("data.csv"), "y", known)


def entry(code: str, column: str, severity: Severity = Severity.WARNING, message: str = "") -> Known:
    return Known(code, Where("column", column), severity, message or f"{column} is odd")


def test_a_known_finding_is_not_reported_and_stays_known() -> None:
    (outcome,) = examine([saying("TT101", *about("a", "b"))], EVIDENCE, baseline=baseline(entry("TT101", "a")))
    assert [finding.where.name for finding in outcome.findings] == ["b"]
    assert accepted_in(outcome) == [("a is odd", "baseline")]


def test_a_rule_whose_findings_are_all_known_is_ignored() -> None:
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE, baseline=baseline(entry("TT101", "a")))
    assert (outcome.status, outcome.why) == ("ignored", "baseline")


def test_a_known_finding_that_got_louder_is_new() -> None:
    known = baseline(entry("TT101", "a", Severity.NOTE))
    (outcome,) = examine([saying("TT101", *about("a"))], EVIDENCE, baseline=known)
    assert outcome.status == "findings"


def test_a_known_root_cause_still_explains() -> None:
    rules = [saying("TT101", *about("id"), root=True), saying("TT102", *about("id"))]
    outcomes = examine(rules, EVIDENCE, baseline=baseline(entry("TT101", "id")))
    assert [outcome.status for outcome in outcomes] == ["ignored", "passed"]
    assert outcomes[0].accepted[0].finding.explains == ("TT102",)


@rule("TT900", severity=Severity.NOTE, flags=[], passes=[])
def what_is_left(audit: Audit) -> Iterator[Finding]:
    """Say what the audit holds."""
    for ignore in audit.unused:
        yield Finding(f"unused {ignore.rule}", Where("recipe"))
    for known in audit.stale:
        yield Finding(f"stale {known.code}", Where("recipe"))
    for skipped in audit.skipped:
        yield Finding(f"{skipped.code} {skipped.why}", Where("recipe"))


def audited(*rules: Rule, ignores: tuple[Ignore, ...] = (), known: tuple[Known, ...] = ()) -> list[str]:
    outcomes = examine([what_is_left, *rules], EVIDENCE, ignores=ignores, baseline=baseline(*known))
    assert [outcome.rule for outcome in outcomes] == [what_is_left, *rules]
    return [finding.message for finding in outcomes[0].findings]


def test_a_rule_about_the_others_runs_after_them_wherever_it_stands() -> None:
    assert audited(needy_rule, saying("TT101")) == ["TT202 needs profile: give DATA"]


def test_an_ignore_without_a_finding_is_unused() -> None:
    ignores = (Ignore("TT101", "x"), Ignore("TT102", "x", Where("column", "b")), Ignore("TT102", "x"))
    assert audited(saying("TT101"), saying("TT102", *about("a")), ignores=ignores) == ["unused TT101", "unused TT102"]


def test_an_ignore_of_a_rule_that_did_not_run_is_not_called_unused() -> None:
    assert audited(broken_rule, ignores=(Ignore("TT201", "x"), Ignore("TT101", "x"), Ignore("TT900", "x"))) == []


def test_a_known_finding_that_no_longer_occurs_is_stale() -> None:
    known = (entry("TT101", "gone"), entry("TT101", "a"), entry("TT555", "a"), entry("TT201", "a"))
    assert audited(saying("TT101", *about("a")), broken_rule, known=known) == ["stale TT101"]


def test_a_known_finding_that_is_explained_now_is_not_stale() -> None:
    rules = (saying("TT101", *about("id"), root=True), saying("TT102", *about("id")))
    assert audited(*rules, known=(entry("TT102", "id"),)) == []


def test_a_finding_about_the_others_can_be_ignored() -> None:
    outcomes = examine([saying("TT101"), what_is_left], EVIDENCE, ignores=[Ignore("TT101", "x"), Ignore("TT900", "y")])
    assert (outcomes[1].status, accepted_in(outcomes[1])) == ("ignored", [("unused TT101", "y")])


def test_an_audit_that_is_given_is_the_one_that_is_used() -> None:
    given = Evidence(audit=Audit(skipped=(Skipped("TT101", "needs rain"),)))
    (outcome,) = examine([what_is_left], given)
    assert [finding.message for finding in outcome.findings] == ["TT101 needs rain"]


def test_what_is_no_finding_breaks_its_rule_and_hides_no_other() -> None:
    @rule("TT301", severity=Severity.NOTE, flags=[], passes=[])
    def sloppy(recipe: Recipe) -> Iterator[Finding]:
        """Yield something else."""
        yield "a is odd"  # type: ignore[misc]

    @rule("TT302", severity=Severity.NOTE, flags=[], passes=[])
    def leaving(recipe: Recipe) -> Iterator[Finding]:
        """Leave."""
        raise SystemExit(0)

    first, second, third = examine([sloppy, leaving, saying("TT101", *about("a"))], EVIDENCE)
    assert (first.status, second.status, third.status) == ("error", "error", "findings")
    assert "a message and a place" in first.why


@rule(
    "TT301",
    severity=Severity.WARNING,
    explains=("TT302",),
    flags=[],
    passes=[],
)
def quiet_cause(recipe: Recipe) -> Iterator[Finding]:
    """Warn of what an error follows from."""
    yield Finding("cause", Where("run"))


@rule("TT302", severity=Severity.ERROR, flags=[], passes=[])
def loud_symptom(recipe: Recipe) -> Iterator[Finding]:
    """Show an error."""
    yield Finding("symptom", Where("run"))


def test_a_cause_is_as_loud_as_the_symptom_that_it_hides() -> None:
    cause, symptom = examine([quiet_cause, loud_symptom], Evidence(recipe=Recipe()))
    (finding,) = cause.findings
    assert (finding.severity, finding.explains) == (Severity.ERROR, ("TT302",))
    assert symptom.findings == ()
    (alone,) = examine([quiet_cause], Evidence(recipe=Recipe()))
    assert alone.findings[0].severity is Severity.WARNING
