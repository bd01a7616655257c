"""A part that is kept apart and the training rows do not have the same classes."""

from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Parts, Profile, Recipe, Severity, Table, Where, counts, example, rule
from bindoctor_rules._wording import counted, listed


@rule(
    "BD213",
    severity=Severity.ERROR,
    arrays=True,
    scans=("cells",),
    flags=[
        example(
            "a class that training never saw",
            counts(a=50, b=40),
            Recipe(),
            test=counts(a=20, b=10, c=4),
            says="the test part has 4 rows of 'c', which no training row is",
        ),
        example(
            "a class that the part lacks",
            counts(a=50, b=40),
            Recipe(),
            test=counts(a=30),
            says="the test part has no row of 'b'; 13.3 would be expected",
        ),
        example(
            "a class written otherwise",
            counts(no=50, yes=40),
            Recipe(),
            test=counts(No=20, yes=15),
            says="'No', which no training row is; it may be 'no'",
        ),
    ],
    passes=[
        example("the same classes", counts(a=50, b=40), Recipe(), test=counts(a=20, b=1)),
        example("no target at all is no class", counts(a=50, b=40), Recipe(), test=Table({"y": [None] * 5})),
    ],
)
def unseen_class(profile: Profile, parts: Parts, recipe: Recipe, *, max_chance: float = 0.01) -> Iterator[Finding]:
    """A class of the validation or test part is not among the training rows, or the reverse.

    A training class that the part lacks is a warning, and a note where a part of this size lacks it by chance in more
    than `max_chance` of the cases. Labels that differ in case, in blanks or in how a number is written are taken for
    one class.

    ## Why it matters
    A model never answers with a class that it has not seen: each such row is an error that no training can remove, and
    scores that need all classes cannot be computed. About a class that the part lacks its score says nothing.

    ## When to ignore it
    When the model is meant to notice new classes as such, which is another task than classification.

    ## References
    - Geng, C., Huang, S., & Chen, S. (2021). Recent advances in open set recognition: a survey. IEEE TPAMI 43(10).
    """
    for part in parts.given:
        known = dict(zip(profile.classes, profile.class_counts, strict=True))
        new = {label: count for label, count in part.classes.items() if label not in known and count}
        total = sum(part.classes.values())
        spelled = {_spelling(label): label for label in known}
        same = {label: spelled[_spelling(label)] for label in new if _spelling(label) in spelled}
        if new:
            message = f"the {part.long_name} has {counted(sum(new.values()), 'row')} of {listed(list(new))}"
            message += f", which no training row is{f'; it may be {listed(list(same.values()))}' if same else ''}"
            yield Finding(
                message,
                Where("target", part.name),
                {"new_classes": new, "rows": total},
                (
                    *(
                        Fix(f"Read {label!r} as {other!r}", {f"data.target-levels.{label}": other}, Aim.CORRECT)
                        for label, other in same.items()
                    ),
                    Fix("Collect training rows of every class that is to be told apart", aim=Aim.ADVISE),
                ),
            )
        found = {*part.classes} | set(same.values())
        for label, count in known.items():
            if not total or label in found:
                continue
            expected = total * count / profile.labelled
            by_chance = (1 - count / profile.labelled) ** total
            yield Finding(
                f"the {part.long_name} has no row of {label!r}; {expected:.1f} would be expected",
                Where("target", part.name),
                {"absent_class": label, "rows": total, "chance": by_chance, "max_chance": max_chance},
                (Fix("Cut the parts anew, with the class shares kept", aim=Aim.ADVISE),),
                severity=Severity.NOTE if by_chance > max_chance else Severity.WARNING,
            )


def _spelling(label: str) -> str | float:
    try:
        return float(label)
    except ValueError:
        return label.strip().casefold()
