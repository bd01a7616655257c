"""The classes have other shares in a part that is kept apart than among the training rows."""

import math
from collections.abc import Iterator

from bindoctor import Aim, Finding, Fix, Parts, Profile, Recipe, Severity, Where, counts, example, rule


@rule(
    "BD209",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells",),
    flags=[
        example(
            "balanced for the test",
            counts(no=900, yes=100),
            Recipe(),
            test=counts(no=100, yes=100),
            says="'yes' is 10.0% of the training rows and 50.0% of the 200 rows of the test part (43.1% to 56.9%)",
        ),
        example(
            "a rare class, twice as common",
            counts(no=9800, yes=200),
            Recipe(),
            valid=counts(no=1920, yes=80),
            says="'yes' is 2.0% of the training rows and 4.0%",
        ),
    ],
    passes=[
        example("the same shares", counts(no=900, yes=100), Recipe(), test=counts(no=185, yes=15)),
        example("too few rows to tell", counts(no=900, yes=100), Recipe(), test=counts(no=8, yes=2)),
        example(
            "many rows tell a difference that does not matter",
            counts(no=21000, yes=9000),
            Recipe(),
            test=counts(no=6800, yes=3200),
        ),
    ],
)
def label_shift(
    profile: Profile,
    parts: Parts,
    *,
    min_difference: float = 0.05,
    min_ratio: float = 1.5,
    max_p: float = 0.001,
) -> Iterator[Finding]:
    """A class has another share in the validation or test part than among the training rows.

    The difference must be one that chance gives with a probability below `max_p` (a two-proportion test, corrected for
    the number of classes), and one that matters: `min_difference`, or a factor of `min_ratio`. Where a class is absent
    on one side unseen-class speaks. Random 70/30 splits of 32 real sets, five of each, draw no finding.

    ## Why it matters
    Precision, accuracy and log loss all move with the class shares, so that scores of the two parts cannot be compared.
    A threshold or a probability that was right at one share is wrong at the other.

    ## When to ignore it
    When the part was balanced on purpose and only scores that do not depend on the shares are read from it (ROC AUC,
    recall of each class).

    ## References
    - Saerens, M., Latinne, P., & Decaestecker, C. (2002). Adjusting the outputs of a classifier to new a priori
      probabilities: a simple procedure. Neural Computation 14(1).
    - Lipton, Z. C., Wang, Y.-X., & Smola, A. (2018). Detecting and correcting for label shift with black box
      predictors. ICML.
    """
    for part in parts.given:
        total = sum(part.classes.values())
        if {label for label, count in part.classes.items() if count} != set(profile.classes):
            continue
        shifted = {}
        for label, count in zip(profile.classes, profile.class_counts, strict=True):
            share, theirs = count / profile.labelled, part.classes[label] / total
            pooled = (count + part.classes[label]) / (profile.labelled + total)
            z = abs(theirs - share) / math.sqrt(pooled * (1 - pooled) * (1 / profile.labelled + 1 / total))
            p = min(1.0, math.erfc(z / math.sqrt(2)) * len(profile.classes))
            matters = abs(theirs - share) >= min_difference or max(theirs, share) >= min_ratio * min(theirs, share)
            if p < max_p and matters:
                shifted[label] = (share, theirs, p)
        if not shifted:
            continue
        label = max(reversed(shifted), key=lambda name: abs(math.log(shifted[name][1] / shifted[name][0])))
        share, theirs, p = shifted[label]
        half = 1.96 * math.sqrt(theirs * (1 - theirs) / total)
        yield Finding(
            f"{label!r} is {share:.1%} of the training rows and {theirs:.1%} of the {total} rows of the "
            f"{part.long_name} ({max(0.0, theirs - half):.1%} to {min(1.0, theirs + half):.1%})",
            Where("target", part.name),
            {
                "training_shares": {name: values[0] for name, values in shifted.items()},
                "part_shares": {name: values[1] for name, values in shifted.items()},
                "p": p,
                "min_difference": min_difference,
                "min_ratio": min_ratio,
                "max_p": max_p,
            },
            (
                Fix("Find out which shares the model will meet, and give a part that has them", aim=Aim.ADVISE),
                Fix(
                    "Correct probabilities by the ratio of the shares before they are compared with a threshold",
                    aim=Aim.ADVISE,
                ),
            ),
        )
