"""Columns say the same thing as another column."""

from collections.abc import Iterable, Iterator, Sequence

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._wording import listed

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(100)]
LENGTHS = Table(
    {
        "metres": [(i * 37 % 100) / 10 for i in range(100)],
        "feet": [round((i * 37 % 100) / 3.048, 2) for i in range(100)],
        "weight": [(i * 53 % 71) / 10 for i in range(100)],
        "y": CLASSES,
    }
)
REGIONS = Table({"region": [i % 4 for i in range(100)], "name": ["NESW"[i % 4] for i in range(100)], "y": CLASSES})


@rule(
    "BD112",
    severity=Severity.NOTE,
    flags=[
        example("two units of one length", LENGTHS, Recipe(), says="'feet' repeats 'metres' (|r| of at least 0.99)"),
        example("a code and its name", REGIONS, Recipe(), says="'name' repeats 'region' (values one to one)"),
    ],
    passes=[
        example("one of them dropped", LENGTHS, Recipe().edited({"data.drop": ["feet"]})),
        example(
            "unique values determine each other by chance",
            Table({"a": [i * 0.37 % 1 for i in range(100)], "b": [i * 0.53 % 1 for i in range(100)], "y": CLASSES}),
            Recipe(),
        ),
    ],
)
def redundant_column(profile: Profile, *, min_correlation: float = 0.99, max_unique: float = 0.5) -> Iterator[Finding]:
    """Columns say the same thing as another column: their values are one to one, or they are linear in each other.

    Columns in which more than half of the values are unique are not compared by value: any two such columns determine
    each other by chance. The limit of 0.99 takes in Age and Experience of the Universal Bank data (r = 0.994), the
    textbook case; there a variance is inflated 50 times.

    ## Why it matters
    The copies share the weight that one column should have, so that weights and importances cannot be read, and
    penalties treat the doubled column more mildly than the others. Whatever is wrong with one is wrong with the other:
    dropping a leak or an identifier leaves its copy behind.

    ## When to ignore it
    When only predictions count and the copies will stay copies: the model is hardly worse for them.

    ## References
    - Belsley, D. A., Kuh, E., & Welsch, R. E. (1980). Regression Diagnostics. Wiley.
    - Dormann, C. F., et al. (2013). Collinearity: a review of methods to deal with it. Ecography 36(1).
    """
    features = {column.name: column for column in (*profile.numbers, *profile.categories)}
    equal = [
        pair
        for pair in profile.one_to_one
        if all(name in features and _repeats(features[name], max_unique) for name in pair)
    ]
    linear = [
        (c.first, c.second)
        for c in profile.correlations
        if abs(c.r) >= min_correlation and c.first in features and c.second in features
    ]
    for group in _groups([*equal, *linear], tuple(profile.columns)):
        kept, copies = group[0], list(group[1:])
        inside = set(group)
        how = []
        if any(set(pair) <= inside for pair in equal):
            how.append("values one to one")
        if any(set(pair) <= inside for pair in linear):
            how.append(f"|r| of at least {min_correlation}")
        yield Finding(
            f"{listed(copies)} {'repeats' if len(copies) == 1 else 'repeat'} '{kept}' ({', '.join(how)})",
            Where("column", copies[0]),
            {"columns": list(group), "min_correlation": min_correlation, "max_unique": max_unique},
            (Fix(f"Leave out {listed(copies)}", {"data.drop+": copies}),),
        )


def _repeats(column: ColumnProfile, max_unique: float) -> bool:
    return column.distinct <= max_unique * column.count


def _groups(pairs: Iterable[tuple[str, str]], order: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the sets of columns that the pairs connect, each in file order."""
    group_of: dict[str, set[str]] = {}
    for first, second in pairs:
        joined = group_of.get(first, {first}) | group_of.get(second, {second})
        group_of.update(dict.fromkeys(joined, joined))
    for name in order:
        if name in group_of and name == min(group_of[name], key=order.index):
            yield tuple(sorted(group_of[name], key=order.index))
