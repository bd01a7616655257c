"""Rows of a part that is kept apart also stand among the training rows."""

from collections.abc import Iterator

from bindoctor import (
    Aim,
    Confidence,
    Finding,
    Fix,
    Parts,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._coincidence import is_coincidence
from bindoctor_rules._wording import counted


def _measured(start: int, stop: int) -> Table:
    rows = range(start, stop)
    return Table(
        {
            "size": [(i * 37 % 241) / 7 for i in rows],
            "weight": [(i * 53 % 239) / 3 for i in rows],
            "y": ["yes" if i % 3 == 0 else "no" for i in rows],
        }
    )


def _coarse(rows: int, sexes: str = "fm") -> Table:
    return Table(
        {
            "sex": [sexes[i % len(sexes)] for i in range(rows)],
            "smoker": [i // 2 % 2 for i in range(rows)],
            "y": [int(i % 7 > 3) for i in range(rows)],
        }
    )


@rule(
    "BD202",
    severity=Severity.ERROR,
    arrays=True,
    scans=("cells",),
    flags=[
        example(
            "ten rows on both sides",
            _measured(0, 110),
            Recipe(),
            test=_measured(100, 150),
            says="10 of 50 rows of the test part also stand among the training rows",
        ),
        example(
            "a validation part without target",
            _measured(0, 110),
            Recipe(),
            valid=Table({name: cells for name, cells in _measured(109, 150).cells.items() if name != "y"}),
            says="1 of 41 rows of the validation part also stands among the training rows",
        ),
        example(
            "four kinds of rows",
            _coarse(120),
            Recipe(),
            test=_coarse(40, "f"),
            says="but in columns of so few values about 40 of them do by chance",
        ),
    ],
    passes=[
        example("no row twice", _measured(0, 100), Recipe(), test=_measured(100, 150)),
        example(
            "not trained on",
            _measured(0, 110),
            Recipe().edited({"data.drop-overlap": True}),
            test=_measured(100, 150),
        ),
    ],
)
def split_overlap(
    profile: Profile, parts: Parts, recipe: Recipe, *, max_by_chance: float = 0.1, min_share: float = 0.02
) -> Iterator[Finding]:
    """Rows of the validation or test part also stand among the training rows.

    Rows are the same when their features and their target are, however numbers are written; of a part without target,
    when their features are. Where columns have few values, different cases get the same row: how many would if columns
    were independent within each class is computed, and where that is a tenth of the rows found, the finding is a note
    and nothing is removed by itself (see duplicate-rows). Below `min_share` of the part it is a warning: so few rows
    hardly move the score. Measured on random 70/30 splits of 32 real sets, of which 19 have no overlap: overlap and
    rows expected by chance are 147 and 0.0 for eBay auctions, 164 and 0.0 for spam, 98 and 0.0 for red wine, which
    hold copies of rows; 6 and 5.9 for Haberman, 21 and 19 for recidivism (Rossi), 215 and 174 for phishing,
    6 509 and 3 352 for road accidents, which are chance.

    ## Why it matters
    The model has seen these rows with their answers. What it learned by heart counts as success, and the score is too
    good by about their share, most of all for flexible models.

    ## When to ignore it
    When equal rows are different cases, as they are in tables of a few coarse columns.

    ## References
    - Barz, B., & Denzler, J. (2020). Do we train on test data? Purging CIFAR of near-duplicates. Journal of Imaging
      6(6).
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    if recipe.data.drop_overlap:
        return
    for part in parts.given:
        found, rows = part.overlap.count, part.profile.rows
        if not found or part.same_file or part.same_rows:
            continue
        coincidence, by_chance = is_coincidence(profile, part, found, max_by_chance)
        message = (
            f"{found} of {counted(rows, 'row')} of the {part.long_name} also {'stands' if found == 1 else 'stand'} "
            "among the training rows"
        )
        if coincidence:
            number = f"{by_chance:.0f}" if by_chance >= 10 else f"{by_chance:.1f}"
            message += f", but in columns of so few values about {number} of them do by chance"
        elif part.classes:
            message += ", features and target"
        severity = Severity.NOTE if coincidence else None if found >= min_share * rows else Severity.WARNING
        yield Finding(
            message,
            Where("split", part.name),
            {
                "overlap": found,
                "rows": rows,
                "share": found / rows,
                "expected_by_chance": by_chance,
                "training_rows": part.training_rows,
                "other_label": part.relabelled.count,
                "max_by_chance": max_by_chance,
                "min_share": min_share,
            },
            (
                Fix(
                    "Train without the rows that stand in the parts kept apart",
                    {"data.drop-overlap": True},
                    Aim.ADVISE if coincidence else Aim.CORRECT,
                ),
            ),
            Confidence.MEDIUM if coincidence else Confidence.HIGH,
            severity,
            part.overlap,
        )
