"""One class of the target is written in several ways."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from bindoctor import (
    Aim,
    Confidence,
    Dataset,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    counts,
    example,
    rule,
)
from bindoctor_rules._spelling import NO_ANSWER
from bindoctor_rules._wording import counted, listed

TRUE = {"1", "true", "t", "yes", "y", "positive", "pos"}
MIN_SLIP_LENGTH = 4
FALSE = {"0", "false", "f", "no", "n", "negative", "neg"}

CASES = Table({"y": ["yes", "Yes", "no", "NO", "yes", "no", "yes", "no", "no", "no"] * 10})
DECIMALS = Table({"y": ["1", "0", "1.0", "0", "0", "0.0", "0", "1", "1", "0"] * 10})
WORDS = Table({"y": ["y", "n", "yes", "n", "n", "no", "n", "y", "y", "n"] * 10})
STRAY = counts(setosa=50, versicolor=40, vesicolor=2)
ANIMALS = counts(mammal=40, bird=30, amphibian=4)
RINGS = Table({"y": [3 + i * i % 23 for i in range(90)]})
THREE = Table({"y": ["a", "b", "c"] * 20}, positive="a")


@rule(
    "BD123",
    severity=Severity.ERROR,
    scans=(),
    flags=[
        example("capitals", CASES, Recipe(), says="'no' is also written 'NO', 'yes' is also written 'Yes'"),
        example("decimals", DECIMALS, Recipe(), says="'0' is also written '0.0', '1' is also written '1.0'"),
        example("words and their first letters", WORDS, Recipe(), says="'n' is also written 'no'"),
        example(
            "a slip of the pen",
            STRAY,
            Recipe(),
            says="class 'vesicolor' has 2 rows, which may be a slip of 'versicolor'",
        ),
        example("a class of four", ANIMALS, Recipe(), says="class 'amphibian' has fewer than 5 rows"),
        example("an amount", RINGS, Recipe(), says="an amount rather than classes", options={"max_amounts": 10}),
        example(
            "a positive class among three", THREE, Recipe(), says="'a' is the positive class, but there are 3 classes"
        ),
    ],
    passes=[
        example("two classes", counts(yes=30, no=70), Recipe()),
        example("three classes", counts(a=30, b=70, c=50), Recipe()),
        example("grades that differ in a sign", Table({"y": ["A", "A+", "B"] * 20}), Recipe()),
        example("merged", CASES, Recipe().edited({"data.target-levels": {"Yes": "yes", "NO": "no"}})),
    ],
)
def target_spelling(
    dataset: Dataset,
    profile: Profile,
    recipe: Recipe,
    *,
    min_rows: int = 5,
    min_likeness: float = 0.8,
    max_amounts: int = 20,
) -> Iterator[Finding]:
    """One class of the target is written in several ways, or a class is so small that it may be a slip.

    Labels are one class when they differ only in case, blanks, a full stop at the end or the way a number is written.
    Words for true and false (yes, y, true, 1 …) are one class only where all labels are such words. Of three classes or
    more, one with fewer than `min_rows` rows is an error where its label resembles a larger class's (a likeness of
    `min_likeness` by difflib: "vesicolor" and "versicolor" have 0.95, the amphibians and mammals of the Zoo data 0.5),
    otherwise a note beside too-few-rare-rows. More than `max_amounts` numeric labels, some of them that small, are
    reported as an amount (28 numbers of rings in the Abalone data, against 10 digits). A positive class among more than
    two is a note.

    ## Why it matters
    "Yes" beside "yes" makes a class that does not exist, and all scores are about telling it from itself. The UCI Adult
    test file is the known case: its labels end with a full stop, those of the training file do not.

    ## When to ignore it
    When the spelling carries a meaning, as capitals do in the names of genes.

    ## References
    - Rahm, E., & Do, H. H. (2000). Data cleaning: problems and current approaches. IEEE Data Engineering Bulletin
      23(4).
    - Becker, B., & Kohavi, R. (1996). Adult. UCI Machine Learning Repository.
    """
    counts_of = dict(zip(profile.classes, profile.class_counts, strict=True))
    spellings = _spellings(profile.classes)
    merged = {
        max(labels, key=counts_of.__getitem__): labels for labels in spellings if len(labels) > 1 and len(spellings) > 1
    }
    if merged:
        renamed = {label: kept for kept, labels in merged.items() for label in labels if label != kept}
        # What the recipe has renamed to a label that is now renamed itself has to follow.
        followers = {old: renamed[new] for old, new in recipe.data.target_levels.items() if new in renamed}
        yield Finding(
            ", ".join(
                f"'{kept}' is also written {listed([label for label in labels if label != kept])}"
                for kept, labels in merged.items()
            ),
            Where("target"),
            {"spellings": {kept: list(labels) for kept, labels in merged.items()}, "counts": counts_of},
            (
                Fix(
                    "Merge the spellings",
                    {f"data.target-levels.{label}": kept for label, kept in (renamed | followers).items()},
                    Aim.CORRECT,
                ),
            ),
        )
    if len(spellings) > 2:
        sizes = {labels[0]: sum(counts_of[label] for label in labels) for labels in spellings}
        yield from _small_classes(sizes, min_rows, min_likeness, max_amounts)
        if dataset.positive:
            yield Finding(
                f"'{dataset.positive}' is the positive class, but there are {len(spellings)} classes",
                Where("target"),
                {"positive": dataset.positive, "classes": len(spellings)},
                (Fix("Merge the others (data.target-levels) if this class against the rest is meant", aim=Aim.ADVISE),),
                severity=Severity.NOTE,
            )


def _small_classes(sizes: Mapping[str, int], min_rows: int, min_likeness: float, max_amounts: int) -> Iterator[Finding]:
    """Report small classes: as slips of those that they resemble, together where they resemble none."""
    small = [label for label, rows in sizes.items() if rows < min_rows and label.lower() not in NO_ANSWER]
    if small and len(sizes) > max_amounts and all(map(_is_number, sizes)):
        yield Finding(
            f"the target has {len(sizes)} different numbers, {len(small)} of them in fewer than {min_rows} rows: "
            "an amount rather than classes",
            Where("target"),
            {"classes": len(sizes), "small": len(small), "min_rows": min_rows, "max_amounts": max_amounts},
            (Fix("Cut the target into ranges, or use a regression", aim=Aim.ADVISE),),
            severity=Severity.WARNING,
        )
        return
    large = [label for label in sizes if label not in small]
    slips = {label: near for label in small if (near := _nearest(label, large, min_likeness))}
    for label, near in slips.items():
        yield Finding(
            f"class '{label}' has {counted(sizes[label], 'row')}, which may be a slip of '{near}'",
            Where("target", label),
            {"count": sizes[label], "min_rows": min_rows, "min_likeness": min_likeness},
            (Fix(f"Rename it to '{near}'", {f"data.target-levels.{label}": near}, Aim.ADVISE),),
            Confidence.MEDIUM,
        )
    others = [label for label in small if label not in slips]
    if others:
        yield Finding(
            f"{f'class {listed(others)} has' if len(others) == 1 else f'classes {listed(others)} have'} fewer than "
            f"{min_rows} rows",
            Where("target"),
            {"counts": {label: sizes[label] for label in others}, "min_rows": min_rows},
            (Fix("Merge it with another (data.target-levels), leave it out, or collect more rows", aim=Aim.ADVISE),),
            severity=Severity.NOTE,
        )


def _spellings(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Group the labels that are one class, each group and all groups in the order given."""
    plain = {label: _plain(label) for label in labels}
    words = set(plain.values())
    if words <= TRUE | FALSE and words & TRUE and words & FALSE:
        plain = {label: str(word in TRUE) for label, word in plain.items()}
    return [tuple(label for label in labels if plain[label] == word) for word in dict.fromkeys(plain.values())]


def _plain(label: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", label).casefold().split()).rstrip(".")
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _nearest(label: str, others: Sequence[str], min_likeness: float) -> str:
    """Return the label that this one is likely a slip of, or ""; numbers and very short labels are slips of none."""
    if _is_number(label) or len(label) < MIN_SLIP_LENGTH:
        return ""
    plain = {_plain(other): other for other in others}
    near = get_close_matches(_plain(label), list(plain), n=1, cutoff=min_likeness)
    return plain[near[0]] if near else ""


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
