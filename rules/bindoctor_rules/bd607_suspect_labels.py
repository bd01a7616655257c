"""Labels that confident answers contradict."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bindoctor import (
    Aim,
    Confidence,
    Finding,
    Fix,
    Predictions,
    Profile,
    Recipe,
    RowList,
    Rows,
    Severity,
    Table,
    Where,
    example,
    rule,
    scores,
)
from bindoctor_rules._answers import once
from bindoctor_rules._reference import second_opinion
from bindoctor_rules._wording import counted

Floats = npt.NDArray[np.float64]

PLACES = [(i * 37 % 101) / 101 + (i * 53 % 17) / 1700 for i in range(200)]
RIGHT = [int(place > 0.5) for place in PLACES]
FLIPPED = [1 - label if i % 13 == 5 else label for i, label in enumerate(RIGHT)]
DRAWN = [int(i * 61 % 103 / 103 < place) for i, place in enumerate(PLACES)]


def _table(labels: list[int]) -> Table:
    twice = [place**2 for place in PLACES]
    return Table({"x": PLACES, "z": twice, "y": ["yes" if label else "no" for label in labels]})


def _answers(labels: list[int], sure: float = 8.0) -> Predictions:
    positive = 1 / (1 + np.exp(-sure * (np.array(PLACES) - 0.5)))
    row = np.arange(len(labels))
    return Predictions(("no", "yes"), np.array(labels), np.column_stack([1 - positive, positive]), row, row % 5)


class Disagreement(NamedTuple):
    """How often answers contradict the labels, and where: arrays of shape (n,), the least confident row first.

    Attributes:
        row_ids: the rows.
        contradicted: whether the likeliest class is not the label.
        rate: the chance of that at the row's confidence, falling with it.
        constant: the chance of that when the commonest class is always answered.
        source: who answered.
    """

    row_ids: npt.NDArray[np.int64]
    contradicted: npt.NDArray[np.bool_]
    rate: Floats
    constant: float
    source: str

    @classmethod
    def of(
        cls, answer: Floats, labels: npt.NDArray[np.int64], row_ids: npt.NDArray[np.int64], source: str
    ) -> "Disagreement":
        """Order rows by how far the likeliest class, of scores of shape (n, classes), is ahead of the next."""
        ordered = np.sort(answer, axis=1)
        order = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")
        contradicted = (answer.argmax(axis=1) != labels)[order]
        constant = 1 - float(np.bincount(labels).max()) / len(labels)
        return cls(row_ids[order], contradicted, _falling(contradicted), constant, source)

    @property
    def overall(self) -> float:
        """Return the share of contradicted rows."""
        return float(self.contradicted.mean())

    @property
    def sure(self) -> npt.NDArray[np.bool_]:
        """Return the contradicted rows' marks in the more confident half."""
        return self.contradicted[len(self.contradicted) // 2 :]


def _falling(marks: npt.NDArray[np.bool_]) -> Floats:
    """Return the falling sequence nearest to marks (pool adjacent violators; Ayer et al. 1955)."""
    blocks: list[tuple[float, int]] = []
    for mark in marks:
        mean, rows = float(mark), 1
        while blocks and blocks[-1][0] <= mean:
            before, more = blocks.pop()
            mean, rows = (mean * rows + before * more) / (rows + more), rows + more
        blocks.append((mean, rows))
    return np.repeat([mean for mean, _ in blocks], [rows for _, rows in blocks])


@rule(
    "BD607",
    severity=Severity.NOTE,
    scans=("cells", "sample"),
    flags=[
        example(
            "one label in thirteen turned round",
            _table(FLIPPED),
            Recipe(),
            predictions=_answers(FLIPPED),
            says="may have the wrong label",
        ),
    ],
    passes=[
        example("right labels", _table(RIGHT), predictions=_answers(RIGHT)),
        example("outcomes that are chance", _table(DRAWN), predictions=_answers(DRAWN, 4.0)),
    ],
)
def suspect_labels(
    predictions: Predictions,
    profile: Profile,
    *,
    min_rows: int = 50,
    min_skill: float = 0.65,
    min_steadiness: float = 0.5,
    min_sure_rows: int = 5,
    min_sure_share: float = 0.02,
    max_dropped: float = 0.2,
) -> Iterator[Finding]:
    """More labels contradict confident answers than hard rows would.

    Who answers is the run, where it covers the rows that were looked at and contradicts fewer labels, or else a kernel
    ridge regression that leaves out one row at a time, on up to 6 000 rows of the sample: the naive network is often
    too weak to doubt a label. It must remove `min_skill` of the errors of the commonest answer. Rows that are merely
    hard lie where the answer is unsure, so that among the surer half of the rows hardly any label is contradicted;
    wrong labels lie everywhere. The rule speaks when labels in the surer half are contradicted at least
    `min_steadiness` times as often as overall, in `min_sure_rows` and `min_sure_share` of them. Listed are the
    contradicted rows that are more likely wrong than hard: where a label is contradicted at most twice as often, at the
    row's confidence, as in the surer half.

    In a trial the listed rows are left out of training alone: all rows are scored, wrong labels too. Which rows those
    are has been decided with every row's label, so that what is left to train on agrees a little better with the rows
    held out than it should. Measured on seven tables with 0, 4 and 8% of the labels changed (two folds' seeds each),
    against lists made from the training rows of each fold alone: a difference in log loss of -0.05 to 0.02 where the
    rule speaks, and of up to 0.045 on tables that can hardly be predicted, where it is silent. Leaving the rows out
    still raised the log loss wherever it speaks (by 0.02 to 0.15), because a model that has seen no contradiction is
    punished for being sure where the label held out is wrong: no gain was faked. Rows that a run of several folds has
    not answered, such as those locked away for the confirmation, have no part in the list.

    Measured, with 8% of the labels changed at random, five times over: breast cancer, wine, digits and Wisconsin found
    each time (92, 99, 97 and 91% of the listed rows were changed ones, and 82, 96, 88 and 90% of the changed ones
    listed); mushrooms and spam too; with 3%, digits and mushrooms. Unchanged, 150 real sets and random parts of them
    stay silent but for the LED digits, whose noise was put in on purpose. Sets that can hardly be predicted (credit,
    diabetes) hide wrong labels.

    ## Why it matters
    A network learns wrong labels by heart, and each of them counts as its error in validation. A few that are looked up
    and corrected are worth more than many new rows.

    ## When to ignore it
    When the labels have been checked, or the outcome keeps a share of pure chance that no feature foretells.

    ## References
    - Northcutt, C., Jiang, L., & Chuang, I. (2021). Confident learning: estimating uncertainty in dataset labels. JAIR
      70.
    - Copas, J. B. (1988). Binary regression models for contaminated data. Journal of the Royal Statistical Society B
      50.
    - Frénay, B., & Verleysen, M. (2014). Classification in the presence of label noise: a survey. IEEE Transactions on
      Neural Networks and Learning Systems 25(5).
    """
    seen = _best_answers(once(predictions), profile, min_rows)
    if seen is None or seen.constant == 0:
        return
    skill, sure = 1 - seen.overall / seen.constant, seen.sure
    steady = sure.mean() >= max(min_steadiness * seen.overall, min_sure_share)
    if skill < min_skill or not steady or sure.sum() < min_sure_rows:
        return
    listed = np.sort(seen.row_ids[seen.contradicted & (seen.rate <= 2 * sure.mean())])
    share = len(listed) / len(seen.row_ids)
    drop = Fix("Leave the listed rows out of training", {"data.drop-rows+": [int(row) for row in listed]})
    yield Finding(
        f"{counted(len(listed), 'row')} of {len(seen.row_ids)} may have the wrong label: {seen.source} contradicts "
        f"{sure.mean():.1%} of the labels even in the half of the rows it is surest of ({seen.overall:.1%} of all)",
        Where("row"),
        {
            "rows": len(seen.row_ids),
            "contradicted": seen.overall,
            "contradicted_where_sure": float(sure.mean()),
            "skill": skill,
            "answers": seen.source,
            "min_skill": min_skill,
            "min_steadiness": min_steadiness,
            "min_sure_rows": min_sure_rows,
            "min_sure_share": min_sure_share,
        },
        (
            Fix("Look the listed rows up and correct the labels that are wrong", aim=Aim.ADVISE),
            *((drop,) if share < max_dropped else ()),
        ),
        Confidence.MEDIUM,
        rows=RowList.of(int(row) for row in listed),
    )


def _best_answers(predictions: Predictions, profile: Profile, min_rows: int) -> Disagreement | None:
    """Return the second opinion, or the run's answers where they cover as many rows and contradict fewer labels."""
    found = []
    opinion = second_opinion(profile, _not_kept_apart(profile.sample, predictions))
    if opinion is not None:
        rows, answer = opinion
        found.append(Disagreement.of(answer, rows.labels, rows.row_ids, "a kernel method that left each row out"))
    if len(predictions.classes) > 1 and len(predictions.truth) >= (len(found[0].row_ids) if found else min_rows):
        logs = np.log(np.clip(predictions.probability, scores.MIN_PROBABILITY, 1.0))
        found.append(Disagreement.of(logs, predictions.truth, predictions.row_ids, "the model"))
    found = [answers for answers in found if len(answers.row_ids) >= min_rows]
    return min(found, key=lambda answers: answers.overall, default=None)


def _not_kept_apart(sample: Rows | None, predictions: Predictions) -> Rows | None:
    """Leave out what a run of several folds has not answered; of a holdout, these rows were trained on."""
    if sample is None or not sample.features.width or len(np.unique(predictions.fold)) < 2:
        return sample
    return sample.take(np.flatnonzero(np.isin(sample.row_ids, predictions.row_ids)))
