"""Number columns reach a gradient-trained model far from centre 0 and spread 1."""

from collections.abc import Iterator

from bindoctor import ColumnProfile, Finding, Fix, Moments, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._regularization import L2, has_l2, l2_edits
from bindoctor_rules._wording import listed

SALARIES = Table(
    {
        "salary": [20_000 + 350 * (i * 37 % 100) for i in range(100)],
        "rate": [(i * 53 % 100) / 50_000 for i in range(100)],
        "member": [i % 2 for i in range(100)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(100)],
    }
)
CENTRED = Table(
    {
        "x": [(i * 37 % 100) / 25 - 2 for i in range(100)],
        "member": [i % 2 for i in range(100)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(100)],
    }
)


@rule(
    "BD103",
    severity=Severity.WARNING,
    arrays=True,
    scans=("cells",),
    flags=[
        example("salaries beside rates", SALARIES, Recipe(), says="2 of 2 number columns reach the mlp unscaled"),
        example(
            "one of them transformed",
            SALARIES,
            Recipe().edited({"features.transform.salary": "power"}),
            says="1 of 2 number columns reach the mlp unscaled, far from centre 0 or spread 1: 'rate'",
        ),
    ],
    passes=[
        example("centred already", CENTRED, Recipe()),
        example("standardised by the recipe", SALARIES, Recipe().edited({"features.scale": "standard"})),
        example("trees do not mind", SALARIES, Recipe().edited({"model.kind": "gradient-boosting"})),
    ],
)
def unscaled_features(
    profile: Profile, recipe: Recipe, *, max_median: float = 3.0, min_spread: float = 0.1, max_spread: float = 10.0
) -> Iterator[Finding]:
    """Number columns reach a gradient-trained model far from centre 0 and spread 1.

    ## Why it matters
    One learning rate serves all weights. A column in the tens of thousands makes the loss steep in its direction and
    flat in all others, so that training crawls, stays at the constant answer or diverges. Standardising an unscaled MLP
    gained 0.10 average precision and 0.14 MCC on average over 28 real sets, and helped on 79% of them: as much where
    the columns' spreads differ less than a hundredfold as where they differ more, which is why the spread ratio is
    reported but decides nothing. Spread is the interquartile range over 1.349 (the standard deviation of a normal
    distribution), or the standard deviation where half of the values are equal; 0/1 columns are left alone.

    A network that learns faster also overfits sooner, most of all the levels of text columns. Over nine tables (800 to
    1 200 rows, seven of them with text columns) standardising alone lowered the log loss by 0.097 on average but raised
    it on two; together with an L2 penalty of 0.01 it lowered it by 0.128, and on each of them. Hence the second fix.

    ## When to ignore it
    When the columns share one unit in which their differences mean something, or the network normalises its own input.

    ## References
    - LeCun, Y., Bottou, L., Orr, G. B., & Müller, K.-R. (1998). Efficient backprop. Neural Networks: Tricks of the
      Trade.
    - Hastie, T., Tibshirani, R., & Friedman, J. (2009). The Elements of Statistical Learning, section 11.5.3.
    - scikit-learn user guide, Preprocessing data.
    """
    if recipe.features.scale != "none" or not recipe.model.network:
        return
    spreads = {c.name: _spread(c.moments) for c in profile.numbers if c.moments and not _is_flag(c)}
    far = [
        c.name
        for c in profile.numbers
        if c.name in spreads
        and c.name not in recipe.features.transform
        and c.moments
        and (abs(c.moments.median) > max_median or not min_spread <= spreads[c.name] <= max_spread)
    ]
    if not far:
        return
    narrow, wide = min(spreads, key=spreads.__getitem__), max(spreads, key=spreads.__getitem__)
    ratio = spreads[wide] / spreads[narrow]
    what = "channels" if profile.row_shape else "number columns"
    model = "network of your own" if recipe.model.own else recipe.model.kind
    message = (
        f"{len(far)} of {len(spreads)} {what} reach the {model} unscaled, far from centre 0 or spread 1: {listed(far)}"
    )
    if narrow != wide:
        message += f"; spreads run from {spreads[narrow]:.3g} ('{narrow}') to {spreads[wide]:.3g} ('{wide}')"
    yield Finding(
        message,
        Where("recipe", "features.scale"),
        {
            "columns": far,
            "spread_ratio": ratio,
            "widest": wide,
            "narrowest": narrow,
            "max_median": max_median,
            "min_spread": min_spread,
            "max_spread": max_spread,
        },
        (
            Fix("Standardise (mean 0, standard deviation 1)", {"features.scale": "standard"}),
            *_held_back(recipe),
            Fix("Scale by median and quartiles (robust)", {"features.scale": "robust"}),
            Fix("Scale to the range 0 to 1 (min-max)", {"features.scale": "minmax"}),
            Fix("Map each column to a normal distribution (quantile)", {"features.scale": "quantile"}),
        ),
        columns=tuple(far),
    )


def _held_back(recipe: Recipe) -> Iterator[Fix]:
    if not has_l2(recipe):
        yield Fix(
            f"Standardise, with an L2 penalty of {L2:g} against the overfitting of faster learning",
            {"features.scale": "standard", **l2_edits(recipe)},
        )


def _is_flag(column: ColumnProfile) -> bool:
    return (
        column.distinct <= 2
        and column.moments is not None
        and (column.moments.minimum, column.moments.maximum) == (0, 1)
    )


def _spread(moments: Moments) -> float:
    return (moments.q75 - moments.q25) / 1.349 or moments.std
