"""Rows repeat an earlier row but for one field, or but for rounding."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Confidence, Finding, Fix, Profile, Recipe, RowList, Severity, Table, Where, example, rule
from bindoctor_rules._near import nearly_equal
from bindoctor_rules._wording import counted, listed

MAX_DROPPED = 100
MAX_CELLS = 2_000_000
MAX_COLUMNS = 2_000

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(120)]
SIZES = {
    name: [round((i * step % 1009) / 7 + (i * i % 53), 2) for i in range(120)]
    for name, step in zip("abcdefgh", (37, 53, 71, 89, 97, 113, 131, 149), strict=True)
}
ONE_FIELD = Table(
    {name: [*x, *(v + (name == "b") for v in x[1:7])] for name, x in SIZES.items()} | {"y": CLASSES + CLASSES[1:7]}
)
ROUNDED = Table(
    {name: [*x, *(round(v, 1) for v in x[1:7])] for name, x in SIZES.items()} | {"y": CLASSES + CLASSES[1:7]}
)
COARSE = Table(
    {f"q{j}": [i * (j + 3) * 7 % 13 % 4 for i in range(120)] for j in range(5)} | {"y": CLASSES},
)


@rule(
    "BD130",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example("a field differs", ONE_FIELD, Recipe(), says="6 of 126 rows repeat an earlier row but for one field"),
        example("rounded", ROUNDED, Recipe(), says="6 of 126 rows repeat an earlier row but for rounding"),
    ],
    passes=[
        example("all different", Table(SIZES | {"y": CLASSES}), Recipe()),
        example("answers of few values", COARSE, Recipe()),
        example("kept together by group", ONE_FIELD, Recipe().edited({"split.group": "a"})),
    ],
)
def near_duplicate_rows(
    profile: Profile,
    recipe: Recipe,
    *,
    min_rows: int = 20,
    min_surprise: float = 2.0,
    max_difference: float = 0.01,
) -> Iterator[Finding]:
    """Rows repeat an earlier row but for one field, or but for rounding, more than chance allows.

    Looked at are the rows of the scan's sample (fewer where it has many columns), without columns that name the row, so
    that a row and its copy under another number count as well. Rows that are equal in all columns are the duplicates'
    rule's. Of columns with few values, many rows agree by chance: what a pair has in common must tell `min_surprise`
    times as many bits as finding any pair among so many rows and columns takes. Rounding is a difference of at most
    `max_difference` standard deviations in each number column, with equal text.

    Measured: of 411 tables 36 have such rows: postal districts with all but one insurance in common (498 of 5822 in the
    Caravan data), messages of spam that were sent again with another punctuation (69 of 4601), passengers of one
    ticket (9 of 1309), wines entered twice (8 of 1599). The breast cancer, wine, iris, digits and Pima data and answers
    of few values (phishing, recidivism, car evaluation) have none.

    ## Why it matters
    Records that were entered twice, measured twice or corrected stand in the file in both versions. One lands in
    training and one in validation, and the score is of rows that the model has all but seen.

    ## When to ignore it
    When the same thing was really observed several times and will be again.

    ## References
    - Barz, B., & Denzler, J. (2020). Do we train on test data? Purging CIFAR of near-duplicates. Journal of Imaging
      6(6).
    - Elmagarmid, A., Ipeirotis, P., & Verykios, V. (2007). Duplicate record detection: a survey. IEEE TKDE 19(1).
    """
    rows = profile.sample
    names = [c.name for c in profile.columns.values() if not c.constant and not c.identifier]
    if rows is None or recipe.split.group or not 2 <= len(names) <= MAX_COLUMNS:
        return
    if len(rows) > MAX_CELLS // len(names):
        rows = rows.take(np.linspace(0, len(rows) - 1, MAX_CELLS // len(names)).astype(np.int64))
    if len(rows) < min_rows:
        return
    numbers = [name for name in names if profile.columns[name].kind == "number"]
    near = nearly_equal(rows, names, numbers, min_surprise=min_surprise, max_difference=max_difference)
    counts = len(near.one_field), len(near.rounding)
    if not any(counts):
        return
    looked_at = "" if len(rows) == profile.labelled else f" looked at ({profile.labelled} in all)"
    fields, often = np.unique(near.fields, return_counts=True)
    columns = [names[i] for i in fields[np.argsort(-often, kind="stable")].tolist()]
    kinds = [
        f"{count} {what}" if all(counts) else what
        for count, what in zip(
            counts, (f"but for one field ({listed(columns)})" if columns else "", "but for rounding"), strict=True
        )
        if count
    ]
    numbers_of_rows = rows.row_ids[np.union1d(near.one_field, near.rounding)]
    yield Finding(
        f"{sum(counts)} of {counted(len(rows), 'row')}{looked_at} {'repeats' if sum(counts) == 1 else 'repeat'} an "
        f"earlier row {' and '.join(kinds)}",
        Where("row"),
        {
            "one_field": counts[0],
            "rounding": counts[1],
            "columns": {names[i]: count for i, count in zip(fields.tolist(), often.tolist(), strict=True)},
            "rows_looked_at": len(rows),
            "min_rows": min_rows,
            "min_surprise": min_surprise,
            "max_difference": max_difference,
        },
        (
            Fix(
                "Look at these rows, and leave out those that repeat others; or keep them together by split.group",
                {"data.drop-rows+": numbers_of_rows.tolist()} if len(numbers_of_rows) <= MAX_DROPPED else {},
                Aim.ADVISE,
            ),
        ),
        Confidence.MEDIUM,
        rows=RowList.of(numbers_of_rows),
    )
