"""Rows of one class lie exactly between two others: SMOTE made them up, before the split."""

import random
from collections.abc import Iterator

import numpy as np

from bindoctor import Aim, Finding, Fix, Parts, Profile, RowList, Severity, Table, Where, example, rule
from bindoctor_rules._between import Between, between_others

DRAWN = random.Random(0)
LABELS = ["rare" if i % 6 == 0 else "common" for i in range(180)]
ORIGINAL = Table({**{name: [DRAWN.gauss(0, 1) for _ in LABELS] for name in "abcd"}, "y": LABELS})


def _oversampled() -> Table:
    """Add rows at random places between neighbouring rare rows, as SMOTE does."""
    cells = {name: list(values) for name, values in ORIGINAL.cells.items()}
    for i in range(120):
        one, other, place = 6 * (i % 30), 6 * ((i + 1) % 30), DRAWN.random()
        for name in "abcd":
            start, end = ORIGINAL.cells[name][one], ORIGINAL.cells[name][other]
            assert isinstance(start, float) and isinstance(end, float)
            cells[name].append(start + place * (end - start))
        cells["y"].append("rare")
    return Table(cells)


OVERSAMPLED = _oversampled()
REPEATED = Table({name: [*cells, *cells[::6], *cells[::6]] for name, cells in ORIGINAL.cells.items()})
ON_A_LINE = Table(
    {
        "celsius": [(i * 37 % 1009) / 7 for i in range(180)],
        "fahrenheit": [32 + 1.8 * (i * 37 % 1009) / 7 for i in range(180)],
        "kelvin": [273.15 + (i * 37 % 1009) / 7 for i in range(180)],
        "y": LABELS,
    }
)


@rule(
    "BD214",
    severity=Severity.ERROR,
    scans=("cells", "sample"),
    explains=("BD209",),
    flags=[
        example("oversampled before the split", OVERSAMPLED, says="of class 'rare' lie exactly between two others"),
        example("in the validation part, too", OVERSAMPLED, valid=OVERSAMPLED, says="in the validation part"),
    ],
    passes=[
        example("as they were measured", ORIGINAL),
        example("rare rows repeated", REPEATED),
        example("every row lies on one line", ON_A_LINE),
    ],
)
def interpolated_rows(
    profile: Profile,
    parts: Parts | None = None,
    *,
    min_share: float = 0.08,
    min_rows: int = 8,
    max_other: float = 0.2,
) -> Iterator[Finding]:
    """Rows of a class lie exactly between two others of it: SMOTE or one of its kin made them up before the split.

    Up to 150 rows of each class are looked at, by their number columns. One counts when two of its neighbours of the
    class lie on opposite sides of it on one straight line, to a thousandth of their distance, at a place that whole
    numbers do not give by chance. It speaks when at least `min_share` of the rows of a class do, and of another class
    at most `max_other` times that share: rows that all lie on a line, as columns which determine each other make them,
    are no sign.

    Measured: of 32 real sets none has a class with more than 4% of such rows. Of 16 whose rarer class is at most half
    of the other, oversampled by SMOTE, 14 are found with cells in full and 12 with cells written to four digits, with
    up to 78% of such rows; the two others have counts for most of their columns. Borderline SMOTE, ADASYN and
    SMOTE-Tomek leave as many; repeated rows are none. Classes that are nearly even get few made-up rows, and those are
    not found.

    ## Why it matters
    Split after that, a row made up in the validation part lies between two rows that were trained on, and the model has
    only to remember. Scores of 0.99 on such parts are common and fall to what they were on new rows. The rows of the
    rare class in the part are no real cases either, and its class share is none that occurs.

    ## When to ignore it
    When rows really are mixtures of others, as blends of two substances in measured proportions are.

    ## References
    - Chawla, N. V., Bowyer, K. W., Hall, L. O., & Kegelmeyer, W. P. (2002). SMOTE: synthetic minority over-sampling
      technique. JAIR 16.
    - Santos, M. S., Soares, J. P., Abreu, P. H., Araújo, H., & Santos, J. (2018). Cross-validation for imbalanced
      datasets: avoiding overoptimistic and overfitting approaches. IEEE Computational Intelligence Magazine 13(4).
    """
    columns = [column.name for column in sorted(profile.numbers, key=lambda column: -column.distinct)]
    given = parts.given if parts is not None else ()
    samples = [rows for rows in (profile.sample, *(part.profile.sample for part in given)) if rows is not None]
    if not samples or any(column not in rows.features.columns for rows in samples for column in columns):
        return
    seen = between_others(samples, columns)
    if len(seen) < 2:
        return
    shares = {one.label: len(one.found) / one.looked_at for one in seen}
    lowest = min(shares.values())
    ends = np.cumsum([len(rows) for rows in samples])
    for one in seen:
        share = shares[one.label]
        if share < min_share or len(one.found) < min_rows or lowest > max_other * share:
            continue
        held = {
            part.long_name: int(((one.found >= start) & (one.found < stop)).sum())
            for part, start, stop in zip(given, ends, ends[1:], strict=False)
        }
        yield Finding(
            _said(one, held),
            Where("split"),
            {
                "class": one.label,
                "share": share,
                "looked_at": one.looked_at,
                "share_of_another_class": lowest,
                "min_share": min_share,
                "min_rows": min_rows,
                "max_other": max_other,
            },
            (
                Fix(
                    "Take the rows as they were before resampling, split them, and resample the training rows only "
                    "(recipe.resample.method does)",
                    aim=Aim.ADVISE,
                ),
            ),
            rows=RowList.of(samples[0].row_ids[one.found[one.found < ends[0]]]),
        )


def _said(one: Between, held: dict[str, int]) -> str:
    where = " and ".join(f"{count} of them in the {name}" for name, count in held.items() if count)
    return (
        f"{len(one.found)} of {one.looked_at} rows looked at of class '{one.label}' lie exactly between two others"
        f"{f', {where}' if where else ''}: they were made up before the split"
    )
