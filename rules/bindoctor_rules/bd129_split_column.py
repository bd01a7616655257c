"""A column says which part of the data a row belongs to."""

import re
from collections.abc import Iterator

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    is_held_out,
    rule,
)
from bindoctor_rules._wording import listed

TELLING = frozenset({"is", "in", "set", "split", "part", "flag", "sample", "fold", "indicator", "ind"})
ALONE = frozenset({"validation", "holdout", "heldout"})

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(100)]
SIZES = [(i * 37 % 61) / 7 for i in range(100)]
PARTS = Table({"part": ["train" if i % 10 < 7 else "test" for i in range(100)], "size": SIZES, "y": CLASSES})
FLAGS = Table({"is_test": [int(i % 5 == 0) for i in range(100)], "size": SIZES, "y": CLASSES})


@rule(
    "BD129",
    severity=Severity.ERROR,
    root=True,
    scans=("cells",),
    flags=[
        example("train and test", PARTS, Recipe(), says="'part' says which part of the data a row belongs to"),
        example("a flag", FLAGS, Recipe(), says="'is_test' says which part of the data a row belongs to ('0' and '1')"),
    ],
    passes=[
        example("used as the split", PARTS, Recipe().edited({"split.column": "part"})),
        example("left out", FLAGS, Recipe().edited({"data.drop": ["is_test"]})),
        example(
            "travel by train",
            Table({"by": [("train", "bus", "car")[i % 3] for i in range(100)], "y": CLASSES}),
            Recipe(),
        ),
        example(
            "a test that was taken", Table({"test": [("yes", "no")[i % 2] for i in range(100)], "y": CLASSES}), Recipe()
        ),
    ],
)
def split_column(profile: Profile, *, max_levels: int = 6) -> Iterator[Finding]:
    """A column says which part of the data a row belongs to, and is used as a feature.

    All of its values (`max_levels` at most) are names of parts, such as "train", "valid", "test", "holdout", at least
    one of them of the training part and one of a part kept back; or they are yes and no (1 and 0), and the column's
    name says whose part it is in two words ("is_test", "train flag") or is "validation" or "holdout", which is a
    warning. A column of trains and buses, or of a test's results, says neither. In 411 tables it speaks once, of the
    column "Validation" of the hair care data.

    ## Why it matters
    Whoever made the data has decided which rows a model may learn from. Another split mixes the parts, so that the
    score is of rows that were meant for training, and cannot be compared with anyone else's. As a feature, the column
    tells the model about the making of the file; new rows have no part.

    ## When to ignore it
    When the words are a feature that new rows have too.

    ## References
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, chapter 5.3. MIT Press.
    """
    for column in profile.columns.values():
        named = _names_parts(column, max_levels)
        if not named:
            continue
        drop = Fix(f"Leave out '{column.name}'", {"data.drop+": [column.name]}, Aim.CORRECT)
        split = Fix(f"Split by '{column.name}'", {"split.column": column.name}, Aim.CORRECT)
        yield Finding(
            f"'{column.name}' says which part of the data a row belongs to "
            f"({listed(sorted(level.value for level in column.levels))})",
            Where("column", column.name),
            {
                "levels": {level.value: level.count for level in column.levels},
                "missing": column.missing,
                "max_levels": max_levels,
            },
            # A row of no part cannot be split.
            (drop,) if column.missing else (split, drop),
            Confidence.HIGH if named == "words" else Confidence.MEDIUM,
            None if named == "words" else Severity.WARNING,
        )


def _names_parts(column: ColumnProfile, max_levels: int) -> str:
    """Return "words" where the values name parts, "name" where the column's name does and they say yes or no."""
    if not column.levels_complete or not 2 <= len(column.levels) <= max_levels:
        return ""
    texts = [level.value for level in column.levels]
    # Without the column's name, yes and no say nothing.
    words = {is_held_out("", text) for text in texts}
    if words == {True, False}:
        return "words"
    if words != {None} or {is_held_out(column.name, text) for text in texts} != {True, False}:
        return ""
    parts = [part.lower() for part in re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", column.name) if part]
    return "name" if TELLING & set(parts) or (len(parts) == 1 and parts[0] in ALONE) else ""
