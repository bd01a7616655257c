"""The target was not named and had to be guessed."""

from collections.abc import Iterator

from bindoctor import Dataset, Finding, Recipe, Severity, Table, Where, example, rule

NAMED = Table({"age": [20, 30, 40, 50] * 10, "outcome": ["yes", "no"] * 20}, target="outcome")


@rule(
    "BD903",
    severity=Severity.NOTE,
    arrays=True,
    flags=[
        example(
            "a column called outcome",
            Table({"outcome": ["yes", "no"] * 20, "age": [20, 30, 40, 50] * 10}, target=""),
            Recipe(),
            says="'outcome' is taken for the target",
        ),
        example(
            "the last column",
            Table({"age": [20, 30, 40, 50] * 10, "hired": ["yes", "no"] * 20}, target=""),
            Recipe(),
            says="'hired' is taken for the target",
        ),
    ],
    passes=[example("named", NAMED, Recipe())],
)
def guessed_target(dataset: Dataset) -> Iterator[Finding]:
    """The target was not named and had to be guessed.

    ## Why it matters
    Everything else that is said rests on the right column. A guess that changes with the file's columns is also no
    check to put into a pipeline.

    ## When to ignore it
    For a first look at a file whose target the message names rightly. Name it with `--target` or in `bindoctor.toml`,
    and the note is gone.

    ## References
    - Polyzotis, N., Zinkevich, M., Roy, S., Breck, E., & Whang, S. (2019). Data validation for machine learning. MLSys.
    """
    if dataset.guessed:
        yield Finding(
            f"'{dataset.target}' is taken for the target: {dataset.guessed}",
            Where("target"),
            {"target": dataset.target, "how": dataset.guessed},
        )
