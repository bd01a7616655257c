"""A part that is kept apart holds values that no training row has."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Parts, Profile, Recipe, Severity, Table, Unseen, Where, example, rule
from bindoctor_rules._wording import counted, listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(60)]
TOWNS = Table({"town": [f"t{i % 12}" for i in range(60)], "age": [20 + i % 37 for i in range(60)], "y": CLASSES})
OTHER = Table({"town": [f"t{i % 14}" for i in range(42)], "age": [20 + i % 31 for i in range(42)], "y": CLASSES[:42]})
WORDS = Table({"town": ["t1", "t2"] * 20, "age": [20 + i if i else "unknown" for i in range(40)], "y": CLASSES[:40]})


@rule(
    "BD208",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example(
            "two new towns",
            TOWNS,
            Recipe(),
            test=OTHER,
            says="6 of 42 rows of the test part have a 'town' that no training row has (2 levels: 't12', 't13')",
        ),
        example(
            "a word among the numbers",
            TOWNS,
            Recipe(),
            test=WORDS,
            says="'age' is a number column of the training data and holds 1 cell of the test part that is no number",
        ),
    ],
    passes=[
        example("the same towns", TOWNS, Recipe(), test=TOWNS),
        example("rare levels share an input", TOWNS, Recipe().edited({"features.rare": 3}), test=OTHER),
        example("target encoding knows the mean", TOWNS, Recipe().edited({"features.encode": "target"}), test=OTHER),
    ],
)
def unseen_level(profile: Profile, parts: Parts, recipe: Recipe, *, min_training_rows: int = 10) -> Iterator[Finding]:
    """Text columns of the validation or test part hold levels that no training row has.

    Looked at are categories whose training levels were all counted (up to 4 096), not identifiers, dates and running
    text; and number columns of the training data with cells in the part that are no numbers, which is a warning. Where
    one-hot inputs leave out rare levels (`features.rare`) new ones share the rare ones' input; target encoding gives
    them the mean, hashing one of its inputs: then nothing is said.

    ## Why it matters
    To one-hot inputs a new level is all zeros, which no training row was: what the model answers is untested. A cell
    that is no number in a number column becomes a missing value, or stops the prediction.

    ## When to ignore it
    When new levels are few and another column says the same.

    ## References
    - Micci-Barreca, D. (2001). A preprocessing scheme for high-cardinality categorical attributes in classification and
      prediction problems. SIGKDD Explorations 3(1).
    - scikit-learn user guide, "Infrequent categories".
    """
    for part in parts.given:
        texts = [unseen for unseen in part.unseen if not unseen.number and _one_hot(recipe, unseen)]
        if texts and recipe.features.rare < 2:
            texts.sort(key=lambda unseen: -unseen.rows)
            most, others = texts[0], [unseen.column for unseen in texts[1:]]
            levels = ", ".join(f"'{level}'" for level, _ in most.levels[:3]) + (" …" if most.distinct > 3 else "")
            yield Finding(
                f"{most.rows} of {counted(part.profile.rows, 'row')} of the {part.long_name} have a '{most.column}' "
                f"that no training row has ({counted(most.distinct, 'level')}: {levels})"
                f"{f'; so it is with {listed(others)}' if others else ''}",
                Where("split", part.name),
                {
                    "columns": {unseen.column: unseen.rows for unseen in texts},
                    "levels": {unseen.column: unseen.distinct for unseen in texts},
                    "min_training_rows": min_training_rows,
                },
                (
                    Fix(
                        f"Let levels with fewer than {min_training_rows} training rows, and new ones, share an input",
                        {"features.rare": min_training_rows},
                        Aim.CORRECT,
                    ),
                ),
            )
        for unseen in part.unseen:
            if unseen.number:
                cells = ", ".join(f"'{cell}'" for cell, _ in unseen.levels[:3])
                which = "that is no number" if unseen.rows == 1 else "that are no numbers"
                yield Finding(
                    f"'{unseen.column}' is a number column of the training data and holds "
                    f"{counted(unseen.rows, 'cell')} of the {part.long_name} {which}: {cells}",
                    Where("column", unseen.column),
                    {"cells": dict(unseen.levels), "rows": unseen.rows},
                    (
                        Fix(
                            f"Read '{unseen.column}' as numbers, and what is none as missing",
                            {f"data.casts.{unseen.column}": "number"},
                            Aim.CORRECT,
                        ),
                    ),
                    severity=Severity.WARNING,
                )


def _one_hot(recipe: Recipe, unseen: Unseen) -> bool:
    return recipe.features.encode_columns.get(unseen.column, recipe.features.encode) == "onehot"
