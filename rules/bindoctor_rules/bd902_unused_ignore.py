"""A finding is ignored that is not there."""

from collections.abc import Iterator
from difflib import get_close_matches

from bindoctor import Aim, Audit, Dataset, Finding, Fix, Ignore, Recipe, Severity, Table, Where, example, rule

AGES = Table({"age": [20, 30, 40, 50] * 10, "y": ["yes", "no"] * 20})


@rule(
    "BD902",
    severity=Severity.NOTE,
    arrays=True,
    flags=[
        example(
            "a rule that says nothing",
            AGES,
            Recipe(),
            audit=Audit(unused=(Ignore("BD103", "we train trees"),)),
            says="BD103 is ignored, and says nothing",
        ),
        example(
            "a column that is sound",
            AGES,
            Recipe(),
            audit=Audit(unused=(Ignore("BD121", "refunds", Where("column", "age")),)),
            says="BD121 is ignored at column 'age', and says nothing there",
        ),
        example(
            "a column that is not there",
            AGES,
            Recipe(),
            audit=Audit(unused=(Ignore("BD121", "refunds", Where("column", "aeg")),)),
            says="BD121 is ignored at column 'aeg', and there is no such column (nearest: 'age')",
        ),
    ],
    passes=[example("every ignore has its finding", AGES, Recipe(), audit=Audit())],
)
def unused_ignore(audit: Audit, dataset: Dataset) -> Iterator[Finding]:
    """A finding is ignored that is not there.

    Counted are entries of `[check.ignore]` whose rule ran and said nothing of the kind.

    ## Why it matters
    An ignore without a finding is a misspelt column, or what is left of a fault that was mended. The first silences
    nothing, and the second silences the next fault in that place, with a reason that was written for another one.

    ## When to ignore it
    While the same settings serve several data files, in some of which the finding occurs.

    ## References
    - ESLint documentation, Report unused disable directives.
    - Ruff documentation, unused-noqa (RUF100).
    """
    for ignore in audit.unused:
        key, place, there = f"check.ignore.{ignore.rule}", "", ""
        silence = "and says nothing"
        if ignore.where is not None:
            where = ignore.where
            key = f'check.ignore."{where.kind}{":" if where.name else ""}{where.name}".{ignore.rule}'
            place, there = f" at {where}", " there"
            if where.kind == "column" and where.name and where.name not in dataset.source.columns:
                near = get_close_matches(where.name, dataset.source.columns, n=1)
                silence = "and there is no such column"
                there = f" (nearest: '{near[0]}')" if near else ""
        yield Finding(
            f"{ignore.rule} is ignored{place}, {silence}{there}",
            Where("recipe", key),
            {"rule": ignore.rule, "reason": ignore.reason},
            (Fix(f"Remove {key} from the settings", aim=Aim.ADVISE),),
        )
