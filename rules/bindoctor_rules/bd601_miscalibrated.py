"""Probabilities are not the frequencies that they claim to be."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Finding, Fix, Predictions, Recipe, Severity, Where, example, rule
from bindoctor_rules._answers import alike, answered, once, spread
from bindoctor_rules._calibration import Fitted, calibration_error, recalibration

GRID = [i / 20 for i in range(1, 20)]
HONEST = answered([(p, 100, round(100 * p)) for p in GRID])
EXTREME = answered([(p**3 / (p**3 + (1 - p) ** 3), 100, round(100 * p)) for p in GRID])
NOISE = answered([(p, 100, 50) for p in GRID])
HIGH = answered([(p, 100, round(100 * p**2)) for p in GRID])
CAST = {"temperature": "Temperature scaling", "platt": "Platt scaling", "isotonic": "Isotonic regression"}
WAVY = answered(
    [(p, 200, round(200 * (p + (0.12 if i % 2 else -0.12)))) for i, p in enumerate((0.3, 0.4, 0.5, 0.6, 0.7))]
)


def _verdict(slope: Fitted | None, level: Fitted | None) -> str:
    """Name what is further out, for its standard error: the slope from 1 or the intercept from 0."""
    tilt = abs(slope.value - 1) / slope.error if slope is not None else 0.0
    lift = abs(level.value) / level.error if level is not None else 0.0
    if slope is not None and tilt >= lift:
        return "too extreme" if slope.value < 1 else "too timid"
    return "too low on the whole" if level is not None and level.value > 0 else "too high on the whole"


@rule(
    "BD601",
    severity=Severity.WARNING,
    flags=[
        example("overconfident", recipe=Recipe(), predictions=EXTREME, says="too extreme: calibration slope 0.33"),
        example("too high", recipe=Recipe(), predictions=HIGH, says="too high on the whole: calibration slope 1.26"),
        example(
            "still off after scaling",
            recipe=Recipe().edited({"decide.calibrate": "temperature"}),
            predictions=HIGH,
            says="expected calibration error",
        ),
        example("off by turns", recipe=Recipe(), predictions=WAVY, says="off in places"),
    ],
    passes=[
        example("calibrated", recipe=Recipe(), predictions=HONEST),
        example("too few rows to say", recipe=Recipe(), predictions=answered([(0.2, 10, 4), (0.8, 10, 6)])),
        example("nothing to calibrate", recipe=Recipe(), predictions=NOISE),
        example("one probability for all", recipe=Recipe(), predictions=answered([(0.3, 100, 30)])),
    ],
)
def miscalibrated(
    predictions: Predictions,
    recipe: Recipe,
    *,
    min_gain: float = 0.002,
    min_error: float = 0.02,
    min_rare_rows: int = 10,
    min_isotonic_rows: int = 1000,
) -> Iterator[Finding]:
    """Calibration slope, intercept or error lie outside what calibrated probabilities would show on as many rows.

    The slope is that of a logistic regression of the truth on the predicted log-odds (1 when calibrated, below 1 when
    too extreme); the intercept is fitted at slope 1 (0 when calibrated). Each must lie outside its 99% interval, and
    recalibrating must lower the log loss by 0.002 nats. The expected calibration error, in ten bins of equal size, is
    held against 200 draws of labels from the probabilities themselves: above their 99th percentile, and 0.02 above
    their median. More than two classes: the slope that scales all log-probabilities, and the error of the answered
    class's probability.
    Where the slope's interval reaches down to zero there is no ranking to calibrate (see no-better-than-constant). A
    note where every row gets the same answer (see one-class-predicted). Isotonic regression, which follows noise where
    rows are few, is offered from 1 000 rows on.

    ## Why it matters
    Whoever acts on "30%" — sets a threshold by costs, ranks by expected loss, or shows it to someone — counts on three
    cases in ten. Resampling, class weights, focal loss and overfitting all move probabilities away from that.

    ## When to ignore it
    When only the order of the rows, or a threshold tuned on these very probabilities, is used.

    ## References
    - Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika 45.
    - Van Calster, B., et al. (2016). A calibration hierarchy for risk models was defined. Journal of Clinical
      Epidemiology 74.
    - Bröcker, J., & Smith, L. A. (2007). Increasing the reliability of reliability diagrams. Weather and Forecasting
      22.
    - Niculescu-Mizil, A., & Caruana, R. (2005). Predicting good probabilities with supervised learning. ICML.
    - Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML.
    """
    seen = once(predictions)
    of_class = np.bincount(seen.truth, minlength=len(seen.classes))
    if of_class[of_class > 0].min() < min_rare_rows or (of_class > 0).sum() < 2 or spread(seen) < 1e-6:
        return
    slope, level, gain = recalibration(seen)
    if slope is not None and slope.interval[1] <= 0:
        return
    error = calibration_error(seen)
    moved = [fitted for fitted, right in ((slope, 1), (level, 0)) if fitted is not None and not fitted.covers(right)]
    shifted = bool(moved) and gain >= min_gain
    uneven = error.observed > error.by_chance_99 and error.observed - error.by_chance >= min_error
    if not shifted and not uneven:
        return
    parts = [f"calibration slope {slope}"] if slope is not None else []
    parts += [f"intercept {level}"] if level is not None else []
    kinds = ["platt", "isotonic", "temperature"] if level is not None and not level.covers(0) else list(CAST)
    if len(seen.truth) < min_isotonic_rows:
        kinds.remove("isotonic")
    yield Finding(
        f"probabilities are {_verdict(slope, level) if shifted else 'off in places'}: {', '.join(parts)}, "
        f"expected calibration error {error.observed:.3f} where chance makes {error.by_chance:.3f}",
        Where("model"),
        {
            "slope": None if slope is None else slope.interval,
            "intercept": None if level is None else level.interval,
            "gain": gain,
            "min_gain": min_gain,
            "error": error.observed,
            "error_by_chance": [error.by_chance, error.by_chance_99],
            "min_error": min_error,
        },
        tuple(Fix(CAST[kind], {"decide.calibrate": kind}) for kind in kinds if kind != recipe.decide.calibrate),
        severity=Severity.NOTE if alike(seen) else None,
    )
