"""The network is far too large or far too small for the rows there are."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._capacity import training_rows, weights_of
from bindoctor_rules._regularization import fewer_units, is_held_back

SMALL = Table(
    {"a": [x % 50 / 2 for x in range(100)], "b": [x * x % 97 for x in range(100)], "y": [x % 2 for x in range(100)]}
)
LONG = Table({"a": [x * 37 % 1009 for x in range(3000)], "y": [x % 2 for x in range(3000)]})
WIDE = Recipe().edited({"train.patience": 10, "model.hidden": [128, 64]})
TINY = Recipe().edited({"model.hidden": [2]})
WIDER, DEEPER = 4, 2


@rule(
    "BD311",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example("8 705 weights for 80 rows", SMALL, WIDE, says="8705 weights, 109 for each of 80 training rows"),
        example("two units for 2 400 rows", LONG, TINY, says="7 weights, one for 343 of 2400 training rows"),
    ],
    passes=[
        example("a network that fits", SMALL, WIDE.edited({"model.hidden": [8]})),
        example("nothing holds it back: no-regularization says so", SMALL, Recipe().edited({"model.hidden": [128]})),
        example("logistic regression is small on purpose", LONG, Recipe().edited({"model.kind": "logistic"})),
        example("trees grow as they need", SMALL, WIDE.edited({"model.kind": "gradient-boosting"})),
    ],
)
def capacity_mismatch(
    profile: Profile, recipe: Recipe, *, max_weights_per_row: float = 30.0, max_rows_per_weight: float = 200.0
) -> Iterator[Finding]:
    """The network has more than 30 weights for each training row, or less than one for 200 of them.

    A network that nothing holds back is passed over on the large side: no-regularization reports it from one weight a
    row on, with the same remedies.

    ## Why it matters
    With early stopping or penalties a large network is no harm by itself, but far beyond the rows it only makes
    training slow and its result a matter of the seed. A network of a few units cannot follow what thousands of rows
    show, however long it is trained.

    ## When to ignore it
    When the size was chosen by trials, or the pattern is known to be simple.

    ## References
    - Bartlett, P. L. (1998). The sample complexity of pattern classification with neural networks: the size of the
      weights is more important than the size of the network. IEEE Transactions on Information Theory 44(2).
    - Goodfellow, I., Bengio, Y., & Courville, A. (2016). Deep Learning, section 5.2. MIT Press.
    """
    rows, weights = training_rows(profile, recipe), weights_of(profile, recipe)
    hidden = recipe.model.hidden
    if recipe.model.kind != "mlp" or not hidden:
        return
    too_large = weights > max_weights_per_row * rows and is_held_back(recipe, rows)
    if not too_large and weights * max_rows_per_weight >= rows:
        return
    measured = {
        "weights": weights,
        "training_rows": rows,
        "max_weights_per_row": max_weights_per_row,
        "max_rows_per_weight": max_rows_per_weight,
    }
    if too_large:
        smaller = fewer_units(hidden)
        fixes = [Fix("A quarter of the units", {"model.hidden": smaller})] if smaller != list(hidden) else []
        if len(hidden) > 1:
            fixes.append(Fix("One layer less", {"model.hidden": list(hidden[:-1])}))
        said = f"{weights / rows:.0f} for each of {rows:.0f} training rows"
    else:
        fixes = [
            Fix(f"{WIDER} times the units", {"model.hidden": [WIDER * width for width in hidden]}),
            Fix("One layer more", {"model.hidden": [*(WIDER * width for width in hidden), DEEPER * hidden[-1]]}),
        ]
        said = f"one for {rows / weights:.0f} of {rows:.0f} training rows"
    yield Finding(f"the network has {weights} weights, {said}", Where("recipe"), measured, tuple(fixes))
