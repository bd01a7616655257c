"""Choices are made on rows that stand in the test part."""

from collections.abc import Iterator

from bindoctor import Aim, Confidence, Finding, Fix, Parts, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._coincidence import is_coincidence
from bindoctor_rules._wording import counted


def _table(start: int, stop: int) -> Table:
    return Table(
        {
            "x": [(i * 37 % 241) / 7 for i in range(start, stop)],
            "y": ["yes" if i % 3 == 0 else "no" for i in range(start, stop)],
        }
    )


STOPPING = Recipe().edited({"train.patience": 10, "decide.threshold": "tuned"})


@rule(
    "BD210",
    severity=Severity.ERROR,
    arrays=True,
    scans=("cells",),
    flags=[
        example(
            "ten rows in both parts",
            _table(0, 60),
            STOPPING,
            valid=_table(60, 110),
            test=_table(100, 140),
            says="10 of 40 rows of the test part also stand in the validation part, on which early stopping and the",
        ),
        example(
            "no choice in the recipe",
            _table(0, 60),
            Recipe(),
            valid=_table(60, 101),
            test=_table(100, 140),
            says="1 of 40 rows of the test part also stands in the validation part, on which models are compared",
        ),
    ],
    passes=[
        example("three parts", _table(0, 60), STOPPING, valid=_table(60, 90), test=_table(90, 130)),
        example("a test part only", _table(0, 60), STOPPING, test=_table(90, 130)),
        example("one part for both is test-reused", _table(0, 60), STOPPING, valid=_table(60, 90), test=_table(60, 90)),
    ],
)
def selection_on_test(
    parts: Parts, recipe: Recipe, *, max_by_chance: float = 0.1, min_share: float = 0.02
) -> Iterator[Finding]:
    """Rows of the test part stand in the validation part, on which choices are made.

    Rows are the same when features and target are. As in split-overlap, rows that coarse columns make equal by chance
    are a note, and fewer than `min_share` of the test part a warning. bindoctor itself never chooses on the test part:
    early stopping, thresholds, calibration and fixes see training rows only.

    ## Why it matters
    The epoch to stop at, the threshold and the model are those that did best on the validation part. Where that holds
    test rows, they are those that did best on the test part, and the score there is too good: it was chosen for being
    good.

    ## When to ignore it
    When equal rows are different cases, as they are in tables of a few coarse columns.

    ## References
    - Cawley, G. C., & Talbot, N. L. C. (2010). On over-fitting in model selection and subsequent selection bias in
      performance evaluation. JMLR 11.
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    valid, test = parts.valid, parts.test
    if valid is None or test is None or parts.same_file or parts.same_rows or not parts.shared.count:
        return
    found, rows = parts.shared.count, test.profile.rows
    coincidence, by_chance = is_coincidence(valid.profile, test, found, max_by_chance)
    choices = [
        words
        for words, made in (
            ("early stopping", recipe.train.patience > 0),
            ("the threshold", recipe.decide.cut == "tuned"),
            ("calibration", recipe.decide.calibrate != "none"),
        )
        if made
    ]
    use = (
        f"{' and '.join(choices)} {'depends' if len(choices) == 1 else 'depend'}" if choices else "models are compared"
    )
    message = (
        f"{found} of {counted(rows, 'row')} of the test part also {'stands' if found == 1 else 'stand'} in the "
        f"validation part, on which {use}"
    )
    if coincidence:
        number = f"{by_chance:.0f}" if by_chance >= 10 else f"{by_chance:.1f}"
        message += f"; in columns of so few values about {number} of them do by chance"
    yield Finding(
        message,
        Where("split", "test"),
        {
            "shared": found,
            "rows": rows,
            "share": found / rows,
            "expected_by_chance": by_chance,
            "choices": choices,
            "max_by_chance": max_by_chance,
            "min_share": min_share,
        },
        (Fix("Take these rows out of the validation part", aim=Aim.ADVISE),),
        Confidence.MEDIUM if coincidence else Confidence.HIGH,
        Severity.NOTE if coincidence else None if found >= min_share * rows else Severity.WARNING,
        parts.shared,
    )
