"""Asks every rule about the evidence and gives each exactly one outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bindoctor.evidence import Evidence
from bindoctor.findings import Finding
from bindoctor.rules import Rule

Status = Literal["findings", "passed", "skipped", "ignored", "error"]


@dataclass(frozen=True)
class Outcome:
    """What became of one rule: its findings, or why it has none."""

    rule: Rule
    status: Status
    findings: tuple[Finding, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Ignore:
    """A finding the user has accepted: a code or slug, the column it is limited to, and the reason."""

    name: str
    reason: str
    column: str = ""


def examine(
    rules: Sequence[Rule],
    evidence: Evidence,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    ignores: Sequence[Ignore] = (),
) -> tuple[Outcome, ...]:
    """Run every rule whose evidence is there.

    A rule that raises gets the outcome "error" and hides no other. Findings about a column that a root rule has already
    explained (an identifier, a leak) are withheld, and the outcome says so.

    Args:
        rules: the rules to ask, one outcome each, in this order.
        evidence: what is known.
        options: options by rule code.
        ignores: accepted findings, by code or slug.
    """
    outcomes = [_ask(rule, evidence, (options or {}).get(rule.code, {})) for rule in rules]
    explained = {
        finding.where.name: outcome.rule
        for outcome in reversed(outcomes)
        if outcome.rule.root
        for finding in outcome.findings
        if finding.where.kind == "column"
    }
    return tuple(_ignore(_withhold(outcome, explained), ignores) for outcome in outcomes)


def findings_of(outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """Return all findings, loudest first, then by code."""
    every = [finding for outcome in outcomes if outcome.status == "findings" for finding in outcome.findings]
    return tuple(sorted(every, key=lambda f: (-(f.severity.rank if f.severity else 0), f.code)))


def _ask(rule: Rule, evidence: Evidence, options: Mapping[str, Any]) -> Outcome:
    missing = [name for name in rule.needs if name not in rule.optional and getattr(evidence, name) is None]
    if missing:
        how = ": give --valid or --test" if "parts" in missing else ""
        return Outcome(rule, "skipped", why=f"needs {' and '.join(missing)}{how}")
    try:
        found = tuple(
            replace(finding, code=rule.code, slug=rule.slug, severity=finding.severity or rule.severity)
            for finding in rule.check(*(getattr(evidence, name) for name in rule.needs), **options)
        )
    except Exception as error:
        return Outcome(rule, "error", why=f"{type(error).__name__}: {error}")
    return Outcome(rule, "findings" if found else "passed", found)


def _withhold(outcome: Outcome, explained: Mapping[str, Rule]) -> Outcome:
    if not outcome.findings:
        return outcome
    kept = tuple(
        f
        for f in outcome.findings
        if f.where.kind != "column" or explained.get(f.where.name, outcome.rule) is outcome.rule
    )
    if len(kept) == len(outcome.findings):
        return outcome
    causes = sorted({explained[f.where.name].code for f in outcome.findings if f not in kept})
    why = f"{len(outcome.findings) - len(kept)} finding(s) explained by {', '.join(causes)}"
    return replace(outcome, findings=kept, status="findings" if kept else "passed", why=why)


def _ignore(outcome: Outcome, ignores: Sequence[Ignore]) -> Outcome:
    mine = [ignore for ignore in ignores if ignore.name in (outcome.rule.code, outcome.rule.slug)]
    if not mine or outcome.status != "findings":
        return outcome

    def accepted(finding: Finding) -> bool:
        return any(not ignore.column or ignore.column == finding.where.name for ignore in mine)

    kept = tuple(finding for finding in outcome.findings if not accepted(finding))
    if len(kept) == len(outcome.findings):
        return outcome
    why = "; ".join(ignore.reason for ignore in mine if ignore.reason)
    if kept:
        return replace(outcome, findings=kept, why=why)
    return replace(outcome, status="ignored", why=why)
