"""Many columns tell a model nothing that it misses when they are shuffled."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Importance, Profile, Recipe, Severity, SimpleModel, Table, Where, example, rule
from bindoctor_rules._answers import answered
from bindoctor_rules._wording import counted, listed

NAMES = ("a", "b", "c", "d", "e")
SMALL = Table(
    {name: [i * (7 + k) % 101 for i in range(100)] for k, name in enumerate(NAMES)} | {"y": [i % 2 for i in range(100)]}
)
ANSWERS = answered([(0.3, 50, 15), (0.7, 50, 35)])


def _trees(*rises: float, error: float = 0.0005) -> tuple[SimpleModel, ...]:
    importance = {name: Importance(rise, error) for name, rise in zip(NAMES, rises, strict=True)}
    return (SimpleModel("gradient-boosting", {"model.kind": "gradient-boosting"}, ANSWERS, importance),)


@rule(
    "BD609",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example(
            "three of five columns",
            SMALL,
            Recipe(),
            simple_models=_trees(0.1, 0.05, 0.0, -0.001, 0.0005),
            says="3 of 5 columns: 'c', 'd' and 'e'",
        ),
    ],
    passes=[
        example("every column counts", SMALL, Recipe(), simple_models=_trees(0.1, 0.05, 0.02, 0.02, 0.01)),
        example("two are too few to speak of", SMALL, Recipe(), simple_models=_trees(0.1, 0.05, 0.02, 0.0, 0.0)),
        example("none counts: there is nothing to tell by", SMALL, Recipe(), simple_models=_trees(0, 0, 0, 0, 0)),
        example("too uncertain to say", SMALL, Recipe(), simple_models=_trees(0.1, 0.05, 0.0, 0.0, 0.0, error=0.02)),
        example("not measured", SMALL, Recipe(), simple_models=()),
    ],
)
def unused_features(
    simple_models: tuple[SimpleModel, ...],
    profile: Profile,
    recipe: Recipe,
    *,
    min_columns: int = 3,
    min_share: float = 0.3,
    max_rise: float = 0.002,
    max_z: float = 1.645,
) -> Iterator[Finding]:
    """Shuffling many columns does not raise the log loss of a model that uses any of them.

    The model is gradient boosting on the folds of the run; each column is shuffled among held-out rows. A column counts
    as unused when its rise is not above zero (by `max_z` standard errors), and with the same certainty below `max_rise`
    nats. The rule speaks of at least `min_columns` such columns and `min_share` of all. Columns that say the same hide
    each other, so that leaving all of them out has to win its trial. They are chosen by the rows that the trial is
    scored on, which flatters it a little; the rows that are locked away for the confirmation have no part in it.

    ## Why it matters
    Each input is a set of weights to fit to noise, and a measurement to take for every row that is to be predicted.

    ## When to ignore it
    When the columns cost nothing, or matter for a group of rows too small to show.

    ## References
    - Breiman, L. (2001). Random forests. Machine Learning 45(1).
    - Fisher, A., Rudin, C., & Dominici, F. (2019). All models are wrong, but many are useful: learning a variable's
      importance by studying an entire class of prediction models simultaneously. JMLR 20.
    """
    named = {recipe.split.group, recipe.split.time, recipe.split.column, recipe.data.weight}
    importance = {
        name: one
        for model in simple_models
        for name, one in model.importance.items()
        if name in profile.columns and name not in named
    }
    used = [name for name, one in importance.items() if one.rise > max_z * one.error and one.rise > max_rise]
    unused = [
        name
        for name, one in importance.items()
        if one.rise <= max_z * one.error and one.rise + max_z * one.error < max_rise
    ]
    if not used or len(unused) < max(min_columns, min_share * len(importance)):
        return
    yield Finding(
        f"shuffling does not raise the log loss of gradient boosting for {len(unused)} of "
        f"{counted(len(importance), 'column')}: {listed(unused)}",
        Where("model"),
        {
            "columns": unused,
            "rise": {name: importance[name].rise for name in unused},
            "min_columns": min_columns,
            "min_share": min_share,
            "max_rise": max_rise,
            "max_z": max_z,
        },
        (Fix(f"Leave out {listed(unused)}", {"data.drop+": unused}),),
        columns=tuple(unused),
    )
