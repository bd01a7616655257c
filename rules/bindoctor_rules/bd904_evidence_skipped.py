"""Rules could not run for want of evidence."""

from collections.abc import Iterator

from bindoctor import Audit, Finding, Severity, Skipped, Where, example, rule
from bindoctor_rules._wording import counted

HISTORY = "needs history: give --run PATH, or --train"
PREDICTIONS = "needs predictions: give --predictions FILE, or --train"


@rule(
    "BD904",
    severity=Severity.NOTE,
    opt_in=True,
    flags=[
        example(
            "no run",
            audit=Audit(skipped=(Skipped("BD402", HISTORY), Skipped("BD404", HISTORY), Skipped("BD601", PREDICTIONS))),
            says="3 rules did not run: BD402, BD404 (needs history: give --run PATH, or --train); "
            "BD601 (needs predictions: give --predictions FILE, or --train)",
        ),
        example(
            "a curve without predictions",
            audit=Audit(skipped=(Skipped("BD601", PREDICTIONS),)),
            says="1 rule did not run: BD601 (needs predictions: give --predictions FILE, or --train)",
        ),
    ],
    passes=[example("every rule ran", audit=Audit())],
)
def evidence_skipped(audit: Audit) -> Iterator[Finding]:
    """Rules could not run for want of evidence.

    Every report names the rules that did not run and what would let them, below the findings. Select this rule to have
    that as a finding, so that it counts: `bindoctor check --extend-select BD904 --fail-on note` exits 1 unless the
    curve and the predictions were there as well.

    ## Why it matters
    A pipeline that is to check a training run, and whose run is not found, checks the data only. It goes on passing,
    and nobody is told that half of the rules are silent because they were never asked.

    ## When to ignore it
    When only the data is to be checked. Unless it is selected, the rule is silent.

    ## References
    - pytest documentation, Skip and xfail: skipped tests are counted and their reasons shown.
    """
    by_reason: dict[str, list[str]] = {}
    for skipped in audit.skipped:
        by_reason.setdefault(skipped.why, []).append(skipped.code)
    if by_reason:
        groups = "; ".join(f"{', '.join(codes)} ({why})" for why, codes in by_reason.items())
        yield Finding(
            f"{counted(len(audit.skipped), 'rule')} did not run: {groups}",
            Where("run"),
            {"rules": by_reason},
        )
