"""Some rows are answered worse than by their own class shares, although the model is of use on the whole."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bindoctor import (
    Aim,
    Finding,
    Fix,
    Predictions,
    Profile,
    Recipe,
    RowList,
    Severity,
    Table,
    Where,
    example,
    rule,
    scores,
)
from bindoctor_rules._answers import once
from bindoctor_rules._calibration import recalibrated
from bindoctor_rules._segments import segments

Floats = npt.NDArray[np.float64]

ROWS = 400
PLACES = [(i * 37 % 101) / 101 for i in range(ROWS)]
SHOPS = ["new" if i % 5 == 0 else "old" for i in range(ROWS)]
RIGHT = [int(place + (i * 29 % 61) / 61 > 1.0) for i, place in enumerate(PLACES)]
TURNED = [1 - label if shop == "new" else label for label, shop in zip(RIGHT, SHOPS, strict=True)]


def _table(labels: list[int]) -> Table:
    return Table({"x": PLACES, "shop": SHOPS, "y": ["yes" if label else "no" for label in labels]})


def _answers(labels: list[int], sure: float = 6.0) -> Predictions:
    positive = 1 / (1 + np.exp(-sure * (np.array(PLACES) - 0.5)))
    row = np.arange(ROWS)
    return Predictions(("no", "yes"), np.array(labels), np.column_stack([1 - positive, positive]), row, row % 5)


def _excess(losses: Floats, truth: npt.NDArray[np.int64], classes: int) -> tuple[float, float]:
    """Return the mean loss above that of always answering these rows' own class shares, and its standard error."""
    shares = np.bincount(truth, minlength=classes) / len(truth)
    above = losses + np.log(np.clip(shares[truth], scores.MIN_PROBABILITY, 1.0))
    return float(above.mean()), float(above.std(ddof=1)) / math.sqrt(len(above))


@rule(
    "BD606",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example(
            "the new shops are the other way round",
            _table(TURNED),
            Recipe(),
            predictions=_answers(TURNED),
            says="for 'shop' = 'new' (80 of 400 rows) the log loss is",
        ),
    ],
    passes=[
        example("all alike", _table(RIGHT), predictions=_answers(RIGHT)),
        example(
            "of no use on the whole: no-better-than-constant says so", _table(RIGHT), predictions=_answers(RIGHT, -6)
        ),
    ],
)
def weak_segment(
    predictions: Predictions,
    profile: Profile,
    *,
    min_share: float = 0.05,
    min_rows: int = 40,
    min_excess: float = 0.02,
    max_by_chance: float = 0.01,
) -> Iterator[Finding]:
    """In a segment of 5% of the rows, the log loss is above that of always answering the segment's class shares.

    Segments are levels of text columns, quarters of number columns and missing cells, among the rows of the scan's
    sample that have been answered. A segment whose classes are merely harder to tell, or of another share, is none:
    what it is held against knows its share and nothing else. Its loss must also be above that of all rows, as a segment
    of one class only is answered well enough by a model that does not know it to be pure. Probabilities that are too
    extreme or too timid everywhere are recalibrated first (see miscalibrated). The excess must be `min_excess` nats,
    and its probability under chance at most `max_by_chance` over all segments that were tried (Bonferroni). Silent
    where the model is no better than the class shares on all rows together. Of 22 real tables it speaks of none once
    their features are scaled and training stops early, and of six of those whose networks are trained on unscaled
    features.

    ## Why it matters
    For these rows, looking at the features does harm. The mean over all rows hides it: a new branch, a device or a
    group of people that the training rows say too little, or something else, about.

    ## When to ignore it
    When the segment will not be met again.

    ## References
    - Chung, Y., Kraska, T., Polyzotis, N., Tae, K. H., & Whang, S. E. (2019). Slice Finder: automated data slicing for
      model validation. ICDE.
    - Dunn, O. J. (1961). Multiple comparisons among means. JASA 56(293).
    """
    seen = once(predictions)
    if profile.sample is None or seen.classes != profile.sample.classes or not (profile.numbers or profile.categories):
        return
    order = np.argsort(seen.row_ids, kind="stable")
    known = np.isin(profile.sample.row_ids, seen.row_ids)
    rows = profile.sample.take(np.flatnonzero(known))
    if len(rows) < 2 * min_rows:
        return
    seen = seen.take(order[np.searchsorted(seen.row_ids[order], rows.row_ids)])
    if (seen.truth != rows.labels).any():
        return
    probability = recalibrated(seen)
    if probability is None:
        return
    losses = scores.log_losses(seen.truth, probability)
    classes = len(seen.classes)
    if _excess(losses, seen.truth, classes)[0] >= 0:
        return
    tried = list(segments(profile, rows, max(min_rows, min_share * len(rows))))
    limit = NormalDist().inv_cdf(1 - max_by_chance / max(len(tried), 1))
    weak = []
    for segment in tried:
        excess, error = _excess(losses[segment.at], seen.truth[segment.at], classes)
        worse = losses[segment.at].mean() > losses.mean()
        if worse and excess >= min_excess and excess > limit * error:
            weak.append((excess, error, segment))
    if not weak:
        return
    weak.sort(key=lambda found: -found[0])
    excess, error, worst = weak[0]
    here = float(losses[worst.at].mean())
    others = f"; {len(weak) - 1} more of {len(tried)} segments are like that" if len(weak) > 1 else ""
    yield Finding(
        f"for {worst.name} ({len(worst.at)} of {len(rows)} rows) the log loss is {here:.3f}, and {here - excess:.3f} "
        f"for always answering the class shares there (on all rows it is {losses.mean():.3f}){others}",
        Where("model"),
        {
            "segments": {segment.name: lead for lead, _, segment in weak},
            "tried": len(tried),
            "excess": excess,
            "error": error,
            "min_share": min_share,
            "min_rows": min_rows,
            "min_excess": min_excess,
            "max_by_chance": max_by_chance,
        },
        (Fix("Find out what is different there, and collect rows or a column that tells it", aim=Aim.ADVISE),),
        rows=RowList.of(rows.row_ids[worst.at]),
    )
