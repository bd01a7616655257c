"""Columns say the same thing as another column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._ranges import ranges_of
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
AGES = Table(
    {
        "age": [20 + i * 7 % 50 for i in range(200)],
        "group": ["young" if i * 7 % 50 < 15 else "old" if i * 7 % 50 >= 40 else "grown" for i in range(200)],
        "y": CLASSES * 2,
    }
)
NUMBERED = Table(
    {"id": list(range(100)), "Unnamed: 0": list(range(100)), "x": [i % 7 for i in range(100)], "y": CLASSES}
)
REGIONS = Table({"region": [i % 4 for i in range(100)], "name": ["NESW"[i % 4] for i in range(100)], "y": CLASSES})


@rule(
    "BD112",
    severity=Severity.NOTE,
    scans=("cells", "correlations", "pairs", "sample"),
    flags=[
        example("two units of one length", LENGTHS, Recipe(), says="'feet' repeats 'metres' (|r| of at least 0.99)"),
        example("a code and its name", REGIONS, Recipe(), says="'name' repeats 'region' (values one to one)"),
        example("groups of ages", AGES, Recipe(), says="'group' holds ranges of 'age'"),
        example("two row numbers", NUMBERED, Recipe(), says="'Unnamed: 0' repeats 'id' (values one to one, "),
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
def redundant_column(
    profile: Profile,
    *,
    min_correlation: float = 0.99,
    max_unique: float = 0.5,
    min_rows: int = 10,
    max_listed: int = 3,
) -> Iterator[Finding]:
    """Columns say the same thing as another column: one to one, linear in each other, or ranges of it.

    Columns in which more than half of the values are unique are not compared by value: any two such columns determine
    each other by chance; identifiers are compared with each other only. The limit of 0.99 takes in Age and Experience
    of the Universal Bank data (r = 0.994), the textbook case; there a variance is inflated 50 times. A column of up to
    20 values is a range of a number column when each of its values fills one interval of it, in up to 20 000 rows, with
    at least `min_rows` rows outside of the commonest value: the recency, frequency and money codes of the Charles Book
    Club data, the age groups and score texts of the COMPAS data. All pairs that were found so in 160 real tables were
    ranges by design. More than `max_listed` groups are one finding.

    ## Why it matters
    The copies share the weight that one column should have, so that weights and importances cannot be read, and
    penalties treat the doubled column more mildly than the others. Whatever is wrong with one is wrong with the other:
    dropping a leak or an identifier leaves its copy behind.

    ## When to ignore it
    When only predictions count and the copies will stay copies: the model is hardly worse for them. Ranges can even
    help where the outcome jumps at their bounds.

    ## References
    - Belsley, D. A., Kuh, E., & Welsch, R. E. (1980). Regression Diagnostics. Wiley.
    - Dormann, C. F., et al. (2013). Collinearity: a review of methods to deal with it. Ecography 36(1).
    - Royston, P., Altman, D. G., & Sauerbrei, W. (2006). Dichotomizing continuous predictors in multiple regression: a
      bad idea. Statistics in Medicine 25(1).
    """
    features = {column.name: column for column in (*profile.numbers, *profile.categories)}
    equal = [
        pair
        for pair in profile.one_to_one
        if all(name in features and _repeats(features[name], max_unique) for name in pair)
        or all(profile.columns[name].identifier for name in pair)
    ]
    linear = [
        (c.first, c.second)
        for c in profile.correlations
        if abs(c.r) >= min_correlation and _comparable((c.first, c.second), profile)
    ]
    copies: list[_Copies] = []
    for group in _groups([*equal, *linear], tuple(profile.columns)):
        how = ["values one to one"] if any(set(pair) <= set(group) for pair in equal) else []
        if any(set(pair) <= set(group) for pair in linear):
            how.append(f"|r| of at least {min_correlation}")
        copies.append(_Copies(group[0], group[1:], f"{_verb(group[1:], 'repeat')} '{group[0]}' ({', '.join(how)})"))
    repeated = {name for group in copies for name in group.names}
    if profile.sample:
        others = {name: column for name, column in features.items() if name not in repeated}
        for number, name in ranges_of(others, profile.sample, min_rows=min_rows):
            copies.append(_Copies(number, (name,), f"{_verb((name,), 'hold')} ranges of '{number}'"))
    limits = {
        "rows": len(profile.sample) if profile.sample else 0,
        "min_correlation": min_correlation,
        "max_unique": max_unique,
        "min_rows": min_rows,
    }
    if len(copies) > max_listed:
        yield _joined(copies, limits, max_listed)
        return
    for found in copies:
        unnamed = profile.columns[found.kept].identifier
        yield Finding(
            f"{listed(found.names)} {found.how}",
            Where("recipe", "data.drop") if unnamed else Where("column", found.names[0]),
            {"columns": [found.kept, *found.names], **limits},
            (Fix(f"Leave out {listed(found.names)}", {"data.drop+": list(found.names)}),),
        )


class _Copies(NamedTuple):
    """Columns that say the same as ``kept``, and the words for it."""

    kept: str
    names: tuple[str, ...]
    how: str


def _joined(copies: Sequence[_Copies], limits: Mapping[str, float], max_listed: int) -> Finding:
    names = [name for group in copies for name in group.names]
    shown = "; ".join(f"{listed(group.names)} {group.how}" for group in copies[:max_listed])
    return Finding(
        f"{shown}; and so for {len(copies) - max_listed} more",
        Where("recipe", "data.drop"),
        {"columns": names, "kept": [group.kept for group in copies], **limits},
        (Fix(f"Leave out {listed(names)}", {"data.drop+": names}),),
    )


def _verb(names: Sequence[str], verb: str) -> str:
    return f"{verb}s" if len(names) == 1 else verb


def _comparable(pair: Sequence[str], profile: Profile) -> bool:
    """Tell whether both columns are features, or both name the row."""
    first, second = (profile.columns[name] for name in pair)
    return not (first.constant or second.constant) and first.identifier == second.identifier


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
