"""The baseline holds findings that no longer occur."""

from collections.abc import Iterator

from bindoctor import Aim, Audit, Finding, Fix, Known, Severity, Where, example, rule
from bindoctor_rules._wording import counted

ID = Known("BD110", Where("column", "ID"), Severity.WARNING, "'ID' names the row: 5000 distinct integers in file order")
SPLIT = Known("BD201", Where("split"), Severity.WARNING, "'1' is 9.6% of 5000 rows and the split is random")


@rule(
    "BD901",
    severity=Severity.NOTE,
    flags=[
        example(
            "an identifier that has been dropped",
            audit=Audit(stale=(ID,), baseline="bindoctor-baseline.json"),
            says="1 finding in bindoctor-baseline.json no longer occurs: BD110 (column 'ID')",
        ),
        example(
            "two that were mended",
            audit=Audit(stale=(ID, SPLIT), baseline="bindoctor-baseline.json"),
            says="2 findings in bindoctor-baseline.json no longer occur: BD110 (column 'ID'), BD201 (split)",
        ),
    ],
    passes=[
        example("every entry still occurs", audit=Audit(baseline="bindoctor-baseline.json")),
        example("no baseline", audit=Audit()),
    ],
)
def stale_baseline(audit: Audit) -> Iterator[Finding]:
    """The baseline holds findings that no longer occur.

    Counted are entries whose rule ran. Those of a rule that could not run, or was not selected, may still hold.

    ## Why it matters
    A baseline is a list of debts. An entry that has been paid and stays on the list hides the same fault when it comes
    back: nobody is told that the identifier, say, is among the features again.

    ## When to ignore it
    While the same baseline serves several versions of the data, in some of which the findings still occur.

    ## References
    - detekt documentation, Code smell baseline.
    - PHPStan documentation, The baseline: errors that no longer occur are reported.
    """
    if not audit.stale:
        return
    places = [f"{entry.code} ({entry.where})" for entry in audit.stale]
    more = f" and {len(places) - 6} more" if len(places) > 6 else ""
    occur = "occurs" if len(places) == 1 else "occur"
    yield Finding(
        f"{counted(len(places), 'finding')} in {audit.baseline} no longer {occur}: {', '.join(places[:6])}{more}",
        Where("recipe", "check.baseline"),
        {"entries": [{"code": e.code, "kind": e.where.kind, "name": e.where.name} for e in audit.stale]},
        (Fix("Run 'bindoctor baseline' to record the findings of today", aim=Aim.ADVISE),),
    )
