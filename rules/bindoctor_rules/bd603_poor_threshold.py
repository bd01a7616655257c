"""Another threshold would answer better."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from bindoctor import Finding, Fix, Predictions, Recipe, Severity, Where, example, rule, scores
from bindoctor_rules._answers import alike, answered, once

DRAWS = 1000
LOW = answered([(0.02, 600, 6), (0.1, 200, 20), (0.3, 100, 60), (0.7, 20, 15)])
FLAT = answered([(0.02, 600, 6), (0.1, 200, 20), (0.3, 100, 60)])
GOOD = answered([(0.1, 300, 30), (0.4, 100, 40), (0.6, 100, 60), (0.9, 300, 270)])

Indices = npt.NDArray[np.int64]
Score = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def _best_threshold(score: Score, truth: Indices, positive: npt.NDArray[np.float64]) -> float:
    """Return the cut between two neighbouring probabilities with the best score."""
    levels, place = np.unique(positive, return_inverse=True)
    above = np.array([np.bincount(place[truth == k], minlength=len(levels))[::-1].cumsum()[::-1] for k in (0, 1)])
    of_class = above[:, :1]
    tables = np.stack([of_class - above, above], axis=-1).swapaxes(0, 1)
    best = int(np.argmax(score(tables.astype(np.float64))))
    return float(levels[best] if best == 0 else (levels[best - 1] + levels[best]) / 2)


def _retuned(score: Score, seen: Predictions, seed: int = 0) -> Indices:
    """Answer every row with the threshold that is best on the half of the rows without it."""
    generator = np.random.default_rng(seed)
    half = np.zeros(len(seen.truth), dtype=bool)
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(seen.truth == label))
        half[rows[: len(rows) // 2]] = True
    answers = np.zeros_like(seen.truth)
    for here in (half, ~half):
        answers[here] = seen.positive[here] >= _best_threshold(score, seen.truth[~here], seen.positive[~here])
    return answers


def _tables(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn counts of (truth, answer now, answer retuned), shape (…, 8), into the two confusion tables (2, …, 2, 2)."""
    cube = cells.reshape(*cells.shape[:-1], 2, 2, 2)
    return np.stack([cube.sum(axis=-1), cube.sum(axis=-2)])


@rule(
    "BD603",
    severity=Severity.WARNING,
    flags=[
        example("0.5 is far too high", recipe=Recipe(), predictions=LOW, says="mcc is 0.31 at the threshold 0.5"),
        example(
            "for balanced accuracy",
            recipe=Recipe().edited({"decide.tune-for": "balanced-accuracy"}),
            predictions=LOW,
            says="balanced-accuracy is 0.57",
        ),
        example(
            "for what errors cost",
            recipe=Recipe().edited({"decide.cost": {"fp": 1, "fn": 20}, "decide.threshold": 0.5}),
            predictions=LOW,
            says="cost is 1.88 at the threshold 0.5",
        ),
    ],
    passes=[
        example("no row reaches it: one-class-predicted says so", recipe=Recipe(), predictions=FLAT),
        example("0.5 is right", recipe=Recipe(), predictions=GOOD),
        example(
            "errors cost what 0.5 is for",
            recipe=Recipe().edited({"decide.cost": {"fp": 1, "fn": 1}, "decide.threshold": 0.5}),
            predictions=GOOD,
        ),
        example("tuned already", recipe=Recipe().edited({"decide.threshold": "tuned"}), predictions=LOW),
        example("too few rows to say", recipe=Recipe(), predictions=answered([(0.1, 20, 2), (0.4, 10, 6)])),
        example("there is one class only", recipe=Recipe(), predictions=answered([(0.1, 50, 0)])),
    ],
)
def poor_threshold(
    predictions: Predictions, recipe: Recipe, *, min_gain: float = 0.02, min_rare_rows: int = 10
) -> Iterator[Finding]:
    """Thresholds tuned on one half of the rows and used on the other answer better than the one in use, beyond noise.

    The score is the one that the recipe tunes for, or the mean cost a row where it knows what errors cost. Both halves
    take their turn; the gain must be 0.02 or more (of costs, this share of the cost now), and the lower end of its
    one-sided 97.5% interval above zero: 1 000 seeded bootstrap samples of the rows, both answers together. Where every
    row gets the same answer one-class-predicted says so, and offers the same fix.

    ## Why it matters
    The threshold is the cheapest thing there is to change: no training, the same probabilities, other answers.

    ## When to ignore it
    When the threshold follows from capacity. When it follows from costs, say them in `decide.cost`.

    ## References
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    - Efron, B., & Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
    """
    if not predictions.binary or recipe.decide.cut == "tuned" or alike(predictions):
        return
    seen = once(predictions)
    if np.bincount(seen.truth, minlength=2).min() < min_rare_rows:
        return
    name, score = recipe.decide.tuned_for, scores.tuning_score(recipe.decide)
    retuned = _retuned(score, seen)
    cells = np.bincount(4 * seen.truth + 2 * seen.decision + retuned, minlength=8).astype(np.float64)
    now, then = (float(value) for value in score(_tables(cells)))
    drawn = np.random.default_rng(0).multinomial(len(seen.truth), cells / cells.sum(), size=DRAWS).astype(np.float64)
    before, after = score(_tables(drawn))
    low, high = (float(end) for end in np.quantile(after - before, (0.025, 0.975)))
    if then - now < (min_gain * -now if name == "cost" else min_gain) or low <= 0:
        return
    best = _best_threshold(score, seen.truth, seen.positive)
    if name == "cost":
        now, then = -now, -then
    yield Finding(
        f"{name} is {now:.2f} at the threshold {seen.threshold:g} and {then:.2f} at one tuned on other rows "
        f"(near {best:.2f}; gain {low:.2f} to {high:.2f})",
        Where("model"),
        {"score": name, "now": now, "tuned": then, "gain": [low, high], "min_gain": min_gain, "threshold": best},
        (Fix("Tune the threshold on out-of-fold probabilities", {"decide.threshold": "tuned"}),),
    )
