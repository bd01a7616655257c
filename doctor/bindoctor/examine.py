"""Asks every rule about the evidence and gives each exactly one outcome."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Literal

import msgspec

from bindoctor.audit import Audit, Ignore, Skipped
from bindoctor.baseline import Baseline, compare
from bindoctor.evidence import Evidence, how_to_give
from bindoctor.findings import Finding, Severity, Where
from bindoctor.rules import Rule

Status = Literal["findings", "passed", "skipped", "ignored", "error"]
KNOWN = "baseline"
"""The reason why a finding in the baseline is not reported."""


class Accepted(msgspec.Struct, frozen=True):
    """A finding that is not reported because the user has accepted it, and the reason they gave."""

    finding: Finding
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of one rule: its findings, those that were accepted, or why it has none."""

    rule: Rule
    status: Status
    findings: tuple[Finding, ...] = ()
    why: str = ""
    accepted: tuple[Accepted, ...] = ()


def examine(
    rules: Sequence[Rule],
    evidence: Evidence,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    ignores: Sequence[Ignore] = (),
    baseline: Baseline | None = None,
) -> tuple[Outcome, ...]:
    """Run every rule whose evidence is there, those that ask for the audit of all others last.

    A rule that raises gets the outcome "error" and hides no other. Findings that follow from another one (the columns
    they are about are an identifier, or leak) are withheld, and named by their cause, which is as loud as the loudest
    symptom that its rule names. A cause that the user has ignored explains nothing: its symptoms are reported. One that
    is in the baseline still does.

    Args:
        rules: the rules to ask, one outcome each, in this order.
        evidence: what is known.
        options: options by rule code.
        ignores: accepted findings.
        baseline: findings that are known and not reported again, unless they have become louder.
    """
    options = options or {}
    first = [_ask(rule, evidence, options.get(rule.code, {})) for rule in rules if "audit" not in rule.needs]
    said = [finding for outcome in first for finding in outcome.findings]
    known, stale = compare(baseline.known, said) if baseline else (frozenset(), ())
    settled = _settle(first, ignores, known)
    last = [rule for rule in rules if "audit" in rule.needs]
    if not last:
        return settled
    ran = {outcome.rule.code for outcome in first if outcome.status in ("findings", "passed")}
    audit = evidence.audit or Audit(
        tuple(ignore for ignore in ignores if _is_unused(ignore, first)),
        tuple(entry for entry in stale if entry.code in ran),
        tuple(Skipped(o.rule.code, o.why) for o in first if o.status == "skipped"),
        str(baseline.path) if baseline else "",
    )
    audited = replace(evidence, audit=audit)
    second = _settle([_ask(rule, audited, options.get(rule.code, {})) for rule in last], ignores, frozenset())
    by_code = {outcome.rule.code: outcome for outcome in (*settled, *second)}
    return tuple(by_code[rule.code] for rule in rules)


def findings_of(outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """Return all findings that are reported, loudest first, then by code."""
    every = [finding for outcome in outcomes for finding in outcome.findings]
    return tuple(sorted(every, key=_loudness))


def _loudness(finding: Finding) -> tuple[int, str]:
    return (-(finding.severity.rank if finding.severity else 0), finding.code)


def _ask(rule: Rule, evidence: Evidence, options: Mapping[str, Any]) -> Outcome:
    if not rule.arrays and evidence.dataset is not None and evidence.dataset.row_shape:
        return Outcome(rule, "skipped", why="reads columns, which rows that are arrays do not have")
    missing = tuple(name for name in rule.needs if name not in rule.optional and getattr(evidence, name) is None)
    if missing:
        named = " and ".join(name.replace("_", " ") for name in missing)
        return Outcome(rule, "skipped", why=f"needs {named}{how_to_give(missing)}")
    try:
        found = tuple(
            _stamped(rule, finding)
            for finding in rule.check(*(getattr(evidence, name) for name in rule.needs), **options)
        )
    except (Exception, SystemExit) as error:
        return Outcome(rule, "error", why=f"{type(error).__name__}: {error}")
    return Outcome(rule, "findings" if found else "passed", found)


def _stamped(rule: Rule, finding: Finding) -> Finding:
    """Name the finding's rule and loudness; what is no finding breaks this rule, and nothing later."""
    if not (isinstance(finding, Finding) and isinstance(finding.message, str) and isinstance(finding.where, Where)):
        raise TypeError(f"a rule yields findings with a message and a place, not {finding!r}")
    return replace(finding, code=rule.code, slug=rule.slug, severity=finding.severity or rule.severity)


def _settle(outcomes: Sequence[Outcome], ignores: Sequence[Ignore], known: AbstractSet[int]) -> tuple[Outcome, ...]:
    """Decide which findings are reported; ``known`` are positions among the findings of all outcomes."""
    said = [(outcome.rule, finding) for outcome in outcomes for finding in outcome.findings]
    reasons = {
        position: ignore.reason
        for position, (_, finding) in enumerate(said)
        for ignore in reversed(ignores)
        if ignore.covers(finding)
    }
    causes = _causes(said, reasons.keys())
    explains: dict[int, set[str]] = {}
    # What a rule names as its symptom is hidden behind it, but not how bad it is.
    loudest: dict[int, Severity] = {}
    for symptom, cause in causes.items():
        code, severity = said[symptom][0].code, said[symptom][1].severity
        explains.setdefault(cause, set()).add(code)
        known_so_far = loudest.get(cause, said[cause][1].severity)
        if severity and known_so_far and code in said[cause][0].explains and severity.rank > known_so_far.rank:
            loudest[cause] = severity
    settled, start = [], 0
    for outcome in outcomes:
        mine = range(start, start + len(outcome.findings))
        start += len(outcome.findings)
        stamped = {
            i: replace(
                said[i][1], severity=loudest.get(i, said[i][1].severity), explains=tuple(sorted(explains.get(i, ())))
            )
            for i in mine
        }
        accepted = tuple(
            Accepted(stamped[i], reasons.get(i, KNOWN))
            for i in mine
            if i in reasons or (i in known and i not in causes)
        )
        kept = tuple(stamped[i] for i in mine if i not in reasons and i not in causes and i not in known)
        why = [*dict.fromkeys(one.reason for one in accepted)]
        withheld = [said[causes[i]][0].code for i in mine if i in causes]
        if withheld:
            findings = f"{len(withheld)} finding{'s' if len(withheld) > 1 else ''}"
            why.append(f"{findings} explained by {', '.join(sorted(set(withheld)))}")
        if mine:
            status: Status = "findings" if kept else "ignored" if accepted else "passed"
            outcome = Outcome(outcome.rule, status, kept, "; ".join(why), accepted)
        settled.append(outcome)
    return tuple(settled)


def _causes(said: Sequence[tuple[Rule, Finding]], left_out: AbstractSet[int]) -> dict[int, int]:
    """Return which findings follow from which, by position; those left out neither explain nor are explained.

    A finding follows from a root rule's findings when these are about all of its columns, and from a finding that is
    no note when that one's rule names its code and both are about the same kind of place. Of two causes the louder
    one counts, then the one with the lower code.
    """
    order = sorted((i for i in range(len(said)) if i not in left_out), key=lambda i: _loudness(said[i][1]))
    causes: dict[int, int] = {}
    root_of: dict[str, int] = {}
    for i in order:
        rule, finding = said[i]
        if rule.root and not _is_explained(rule, finding, root_of, said):
            for column in _columns(finding):
                root_of.setdefault(column, i)
    for i in order:
        rule, finding = said[i]
        if _is_explained(rule, finding, root_of, said):
            causes[i] = root_of[_columns(finding)[0]]
    for i in order:
        rule, finding = said[i]
        if not rule.explains or i in causes or finding.severity is Severity.NOTE:
            continue
        for j in order:
            other, symptom = said[j]
            if other.code in rule.explains and j != i and j not in causes and _same_place(finding, symptom):
                causes[j] = i
    return {symptom: _first_cause(cause, causes) for symptom, cause in causes.items()}


def _is_explained(
    rule: Rule, finding: Finding, root_of: Mapping[str, int], said: Sequence[tuple[Rule, Finding]]
) -> bool:
    columns = _columns(finding)
    return bool(columns) and all(c in root_of and said[root_of[c]][0] is not rule for c in columns)


def _columns(finding: Finding) -> tuple[str, ...]:
    if finding.columns:
        return finding.columns
    return (finding.where.name,) if finding.where.kind == "column" and finding.where.name else ()


TRAINING = frozenset({"run", "model"})
"""A model and the run that trained it are one place: what is wrong with one shows in the other."""


def _same_place(cause: Finding, symptom: Finding) -> bool:
    names = {cause.where.name, symptom.where.name} - {""}
    kinds = {cause.where.kind, symptom.where.kind}
    return (len(kinds) == 1 or kinds <= TRAINING) and len(names) <= 1


def _first_cause(position: int, causes: Mapping[int, int]) -> int:
    while position in causes:
        position = causes[position]
    return position


def _is_unused(ignore: Ignore, outcomes: Sequence[Outcome]) -> bool:
    """Tell whether an ignore matches no finding although its rule ran."""
    named = [o for o in outcomes if ignore.rule in (o.rule.code, o.rule.slug) and o.status in ("findings", "passed")]
    return bool(named) and not any(ignore.covers(finding) for outcome in named for finding in outcome.findings)
