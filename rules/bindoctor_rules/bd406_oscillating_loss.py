"""The loss goes up and down from epoch to epoch."""

from collections.abc import Iterator

import numpy as np

from bindoctor import Finding, Fix, History, Recipe, Severity, Where, example, rule
from bindoctor_rules._curves import jitter, logged, points
from bindoctor_rules._pace import MIN_AMPLITUDE, MIN_SWINGING_POINTS, MIN_TRAIN_SWING, MIN_VALID_SWING, Swings, swings
from bindoctor_rules._remedies import larger_batches, lower_rate

FALLING = [0.3 + 0.39 * 0.8**i for i in range(15)]
JUMPING = [0.6 * 0.97**i + 0.12 * (-1) ** i for i in range(15)]
SWINGING = [0.61, 0.96, 0.39, 0.33, 0.92, 0.25, 0.43, 0.16, 0.17, 0.29]
NOISY = [0.35 + 0.3 * 0.8**i + 0.01 * (-1) ** i for i in range(15)]
ONE_SPIKE = [0.5, 0.48, 0.47, 0.46, 0.45, 0.44, 3.0, 0.44, 0.43, 0.43, 0.42, 0.42]
TINY = [0.69 * 0.3**i + 0.002 * (1 + (-1) ** i) for i in range(15)]


def _remedies(recipe: Recipe | None) -> Iterator[Fix]:
    yield from lower_rate(recipe)
    yield from larger_batches(recipe)
    if recipe is not None and recipe.optimizer.schedule == "constant" and recipe.model.network:
        yield Fix("Let the learning rate decay along a cosine", {"optimizer.schedule": "cosine"})


def _message(found: Swings, history: History) -> str:
    message = (
        f"the {found.part} loss swings by ±{found.amplitude:.2g} around {found.level:.3g} from epoch to epoch over its "
        f"last {found.points} points"
    )
    _, training = points(history, "train_loss")
    if found.part == "validation" and len(training) >= 3:
        message += f", while the training loss moves by ±{jitter(training[len(training) // 3 :]):.2g}"
    _, score = points(history, "valid_score")
    if len(score) >= 3:
        low, high = np.min(score[len(score) // 3 :]), np.max(score[len(score) // 3 :])
        message += f"; the validation {history.score} lies between {low:.3g} and {high:.3g}"
    return message


@rule(
    "BD406",
    severity=Severity.WARNING,
    explains=("BD402", "BD403", "BD407", "BD414", "BD415", "BD604"),
    flags=[
        example("the training loss", recipe=Recipe(), history=logged(JUMPING), says="the training loss swings by ±0.2"),
        example(
            "validation under a smooth training curve",
            history=logged(FALLING[:10], SWINGING, valid_score=[1 - v / 2 for v in SWINGING]),
            says="the validation loss swings by ±0.27",
        ),
    ],
    passes=[
        example("smooth", recipe=Recipe(), history=logged(FALLING, FALLING)),
        example("a little noise", recipe=Recipe(), history=logged(FALLING, NOISY)),
        example("one spike", recipe=Recipe(), history=logged(FALLING[:12], ONE_SPIKE)),
        example("a loss too small to matter", recipe=Recipe(), history=logged(TINY)),
        example("too few epochs to say", recipe=Recipe(), history=logged(JUMPING[:6])),
    ],
)
def oscillating_loss(
    history: History,
    recipe: Recipe | None = None,
    *,
    min_points: int = MIN_SWINGING_POINTS,
    min_train_swing: float = MIN_TRAIN_SWING,
    min_valid_swing: float = MIN_VALID_SWING,
    min_amplitude: float = MIN_AMPLITUDE,
) -> Iterator[Finding]:
    """Over its last two thirds a loss jumps around its smooth curve by a tenth of its level (validation: a fifth).

    The amplitude is the standard deviation around the smooth curve, from the median second difference, so that single
    spikes do not count; it must also be 5% of the first epoch's loss (of 1 nat, where that is more), and the curve
    must turn at two points of five. Where an epoch's training loss is the mean of a few logged batches, twice the
    standard error of that mean is taken off. On 402 trainings without a fault it was silent.

    ## Why it matters
    The steps are larger than the valley is wide, or batches are so small that each pulls its own way. Which epoch is
    the last is then luck, and so is the model. A validation loss that swings under a smooth training loss comes from
    the same, seen through batch normalisation's running means, or from few validation rows with some gross errors.

    ## When to ignore it
    When the learning rate is cycled on purpose, with the last epoch at its low end.

    ## References
    - Smith, S. L., Kindermans, P.-J., Ying, C., & Le, Q. V. (2018). Don't decay the learning rate, increase the batch
      size. ICLR.
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    """
    found = swings(
        history,
        min_points=min_points,
        min_train_swing=min_train_swing,
        min_valid_swing=min_valid_swing,
        min_amplitude=min_amplitude,
    )
    if found is None:
        return
    yield Finding(
        _message(found, history),
        Where("run"),
        {
            "part": found.part,
            "amplitude": found.amplitude,
            "level": found.level,
            "turns": found.turns,
            "points": found.points,
            "min_points": min_points,
            "min_train_swing": min_train_swing,
            "min_valid_swing": min_valid_swing,
            "min_amplitude": min_amplitude,
        },
        tuple(_remedies(recipe)),
    )
