"""The part that is kept apart is what training or validation uses."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Parts, Recipe, Severity, Table, Where, example, rule


def _table(start: int, stop: int) -> Table:
    return Table(
        {
            "x": [(i * 37 % 241) / 7 for i in range(start, stop)],
            "y": ["yes" if i % 3 == 0 else "no" for i in range(start, stop)],
        }
    )


@rule(
    "BD211",
    severity=Severity.ERROR,
    arrays=True,
    scans=("cells",),
    flags=[
        example(
            "the training data as test data",
            _table(0, 60),
            Recipe(),
            test=_table(0, 60),
            says="the test part holds the same rows as the training data",
        ),
        example(
            "one part for both",
            _table(0, 60),
            Recipe(),
            valid=_table(60, 90),
            test=_table(60, 90),
            says="the test part holds the same rows as the validation part",
        ),
    ],
    passes=[
        example("three parts", _table(0, 60), Recipe(), valid=_table(60, 90), test=_table(90, 130)),
        example("a part of the training rows is overlap", _table(0, 60), Recipe(), test=_table(40, 60)),
    ],
)
def test_reused(parts: Parts) -> Iterator[Finding]:
    """The test part is the training data or the validation part over again.

    Told by the path, and by the rows: both hold the same ones, in whatever order.

    ## Why it matters
    A score on rows that were trained on measures memory. A score on rows by which epochs, thresholds or models were
    chosen is the best of many draws and too good by what the choice gained from luck. Neither says how the model does
    on new rows.

    ## When to ignore it
    Never for a score that is reported. To try out a pipeline any file will do.

    ## References
    - Cawley, G. C., & Talbot, N. L. C. (2010). On over-fitting in model selection and subsequent selection bias in
      performance evaluation. JMLR 11.
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    for part in parts.given:
        if part.same_file or part.same_rows:
            how = "is the file of the training data" if part.same_file else "holds the same rows as the training data"
            yield Finding(
                f"the {part.long_name} {how}",
                Where("split", part.name),
                {"same_file": part.same_file, "rows": part.profile.rows},
                (
                    Fix(
                        "Keep rows apart that training does not see, or give no part and let the recipe split",
                        aim=Aim.ADVISE,
                    ),
                ),
            )
    if parts.valid is None or parts.test is None:
        return
    if parts.same_file or parts.same_rows:
        how = "is the file of the validation part" if parts.same_file else "holds the same rows as the validation part"
        yield Finding(
            f"the test part {how}",
            Where("split", "test"),
            {"same_file": parts.same_file, "rows": parts.test.profile.rows},
            (Fix("Test on rows that neither training nor a choice has seen", aim=Aim.ADVISE),),
        )
