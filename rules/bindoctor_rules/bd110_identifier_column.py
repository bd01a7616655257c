"""A column names the row instead of describing it."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(100)]
CUSTOMERS = Table({"customer": [f"C-{i * 7919 % 100_003:06}" for i in range(100)], "y": CLASSES})


@rule(
    "BD110",
    severity=Severity.WARNING,
    scans=("cells",),
    root=True,
    flags=[
        example(
            "a row number", Table({"row": list(range(1, 101)), "y": CLASSES}), Recipe(), says="'row' names the row:"
        ),
        example("customer numbers", CUSTOMERS, Recipe(), says="'customer' names the row:"),
    ],
    passes=[
        example("a measurement", Table({"x": [(i * 37 % 100) / 7 for i in range(100)], "y": CLASSES}), Recipe()),
        example("a category", Table({"plan": ["basic", "gold"] * 50, "y": CLASSES}), Recipe()),
        example("dropped", CUSTOMERS, Recipe().edited({"data.drop": ["customer"]})),
    ],
)
def identifier_column(profile: Profile) -> Iterator[Finding]:
    """A column names the row instead of describing it.

    Evidence is the values: unique texts, unique integers that are dense or in file order, shapes of UUIDs and hashes.
    The column's name is a hint and never enough.

    ## Why it matters
    A model that sees an identifier learns rows by heart, and one that sees a running number learns the order of the
    file. Neither holds for new rows, whose identifiers it has never seen. Where files were put together class by class,
    or numbers were given in the order of the outcome, the identifier even looks like a brilliant feature.

    ## When to ignore it
    When the number carries a meaning that new rows share, such as a date written as 20240131.

    ## References
    - Kaufman, S., Rosset, S., Perlich, C., & Stitelman, O. (2012). Leakage in data mining: formulation, detection, and
      avoidance. ACM TKDD 6(4).
    - Rosset, S., Perlich, C., Świrszcz, G., Melville, P., & Liu, Y. (2010). Medical data mining: insights from winning
      two competitions. Data Mining and Knowledge Discovery 20.
    """
    for column in profile.columns.values():
        if column.identifier:
            yield Finding(
                f"'{column.name}' names the row: {column.identifier_evidence}",
                Where("column", column.name),
                {"distinct": column.distinct, "count": column.count, "evidence": column.identifier_evidence},
                (Fix(f"Leave out '{column.name}'", {"data.drop+": [column.name]}, Aim.CORRECT),),
            )
