"""Most batches hold no row of the rarest class."""

import math
from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule
from bindoctor_rules._capacity import training_rows

RARE = counts(no=19_900, yes=100)
WANTED_ROWS = 4
MIN_BATCHES = 4
"""Fewer steps an epoch than this, and a larger batch costs more than the rows in it tell."""


def _larger(share: float, rows: float) -> int:
    """Return the smallest power of two whose batch holds ``WANTED_ROWS`` rare rows on average, or 0."""
    size = 2 ** math.ceil(math.log2(WANTED_ROWS / share))
    return size if size * MIN_BATCHES <= rows else 0


@rule(
    "BD303",
    severity=Severity.WARNING,
    scans=(),
    flags=[
        example(
            "0.5% positives in batches of 128", RARE, Recipe(), says="128 rows holds 0.64 rows of 'yes' on average"
        ),
        example("small batches", counts(no=950, yes=50), Recipe().edited({"train.batch-size": 16}), says="45% of all"),
    ],
    passes=[
        example("larger batches", RARE, Recipe().edited({"train.batch-size": 1024})),
        example("resampled", RARE, Recipe().edited({"resample.method": "random-over"})),
        example("5% positives", counts(no=950, yes=50), Recipe()),
        example("trees have no batches", RARE, Recipe().edited({"model.kind": "gradient-boosting"})),
        example("all rows in one batch", counts(no=99, yes=1), Recipe()),
    ],
)
def batch_misses_rare_class(profile: Profile, recipe: Recipe, *, min_rare_rows: float = 1.0) -> Iterator[Finding]:
    """A batch holds less than one row of the rarest class on average.

    Silent where rows are resampled, which changes what is in a batch, and where one batch holds all training rows.

    ## Why it matters
    A step learns from the rows of its batch. Where most batches hold the common class alone, most steps only teach to
    answer it, and the odd batch with a rare row pulls the other way by a jump: slow and jittering training. Class
    weights make the jumps larger, and the batches no fuller.

    ## When to ignore it
    When training is long and the learning rate small, so that steps average over many batches.

    ## References
    - He, H., & Garcia, E. A. (2009). Learning from imbalanced data. IEEE Transactions on Knowledge and Data Engineering
      21(9).
    - Masters, D., & Luschi, C. (2018). Revisiting small batch training for deep neural networks. arXiv:1804.07612.
    """
    size, share, rows = recipe.train.batch_size, profile.rare_share, training_rows(profile, recipe)
    expected = size * share
    trees = not recipe.model.network
    if trees or recipe.resample.method != "none" or size >= rows or not 0 < expected < min_rare_rows:
        return
    larger = _larger(share, rows)
    balanced = Fix("Repeat rows of the rare class, so that batches are balanced", {"resample.method": "random-over"})
    yield Finding(
        f"a batch of {size} rows holds {expected:.2g} rows of {profile.rare_class!r} on average, and "
        f"{math.exp(-expected):.0%} of all batches hold none",
        Where("recipe"),
        {"batch_size": size, "share": share, "expected": expected, "min_rare_rows": min_rare_rows},
        (*([Fix(f"Batches of {larger} rows", {"train.batch-size": larger})] if larger else []), balanced),
    )
