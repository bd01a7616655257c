"""The loss falls steadily, and hardly."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, History, Recipe, Severity, Task, Where, example, rule
from bindoctor_rules._curves import logged
from bindoctor_rules._pace import MAX_CREEP, MIN_CREEPING_POINTS, MIN_STEADINESS, creep, direction
from bindoctor_rules._remedies import higher_rate
from bindoctor_rules._scale import MIN_LEARNED, learned

EVEN = Task((0.5, 0.5))
CREEPING = [0.72 - 0.0008 * i for i in range(30)]
LEARNING = [0.69 - 0.004 * i for i in range(30)]
SETTLING = [0.4 + 0.29 * 0.9**i for i in range(30)]
RISING = [0.7 + 0.004 * i for i in range(30)]


def _remedies(recipe: Recipe | None) -> Iterator[Fix]:
    yield from higher_rate(recipe)
    if recipe is not None:
        yield from higher_rate(recipe, 3)


@rule(
    "BD415",
    severity=Severity.WARNING,
    explains=("BD404", "BD405", "BD407", "BD410"),
    flags=[
        example(
            "it has learned nothing yet",
            recipe=Recipe(),
            task=EVEN,
            history=logged(CREEPING, CREEPING),
            says="falls by 0.11% an epoch, from 0.72 to 0.697",
        ),
        example("it learns", recipe=Recipe(), task=EVEN, history=logged(LEARNING), says="and does not slow down"),
        example("a log from elsewhere", history=logged(CREEPING, source="Keras"), says="falls by 0.11% an epoch"),
    ],
    passes=[
        example("settling", recipe=Recipe(), task=EVEN, history=logged(SETTLING, SETTLING)),
        example("falling fast", recipe=Recipe(), task=EVEN, history=logged([0.69 * 0.95**i for i in range(30)])),
        example("most is learned", task=Task((0.9, 0.1)), history=logged([0.15 - 0.0005 * i for i in range(30)])),
        example("validation rises", recipe=Recipe(), task=EVEN, history=logged(LEARNING, RISING)),
        example("too few epochs to say", recipe=Recipe(), task=EVEN, history=logged(CREEPING[:6])),
    ],
)
def slow_learning(
    history: History,
    task: Task | None = None,
    recipe: Recipe | None = None,
    *,
    min_points: int = MIN_CREEPING_POINTS,
    max_creep: float = MAX_CREEP,
    min_steadiness: float = MIN_STEADINESS,
) -> Iterator[Finding]:
    """The training loss goes down at nine points of ten by less than 1% a point, and no slower towards the end.

    The second half must fall at 0.7 of the first half's slope or more. A run that has halved its loss, or come below
    half the loss of one constant answer, or whose validation loss rises, is passed over. While nothing has been learned
    the finding is an error. On 402 trainings without a fault it was silent, and it spoke on each of six with a
    thousandth of the learning rate.

    ## Why it matters
    A curve like a straight line has not come to where it bends: the steps are far too small. More epochs would get
    there as well, in ten or a thousand times the time.

    ## When to ignore it
    When the learning rate is being warmed up.

    ## References
    - Smith, L. N. (2017). Cyclical learning rates for training neural networks. WACV.
    - Bengio, Y. (2012). Practical recommendations for gradient-based training of deep architectures. In Neural
      Networks: Tricks of the Trade, Springer.
    """
    trees = recipe is not None and recipe.model.kind == "gradient-boosting"
    found = creep(history, task, min_points=min_points, max_creep=max_creep, min_steadiness=min_steadiness)
    if found is None or trees or direction(history, task) == "lower":
        return
    unlearned = task is not None and history.entropy_scale and not learned(history, task, recipe, MIN_LEARNED)
    yield Finding(
        f"the {found.part} loss falls by {found.fall:.2%} an epoch, from {found.first:.3g} to {found.last:.3g} in "
        f"{found.points} points, and does not slow down",
        Where("run"),
        {
            "fall": found.fall,
            "first": found.first,
            "last": found.last,
            "points": found.points,
            "min_points": min_points,
            "max_creep": max_creep,
            "min_steadiness": min_steadiness,
        },
        tuple(_remedies(recipe)),
        severity=Severity.ERROR if unlearned else None,
    )
