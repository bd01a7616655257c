"""A column, or two columns side by side, give the answer away."""

from collections.abc import Iterator, Mapping

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Profile,
    Recipe,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._association import (
    Answer,
    best_answer,
    binary_auc,
    class_distance,
    errors_removed,
    one_class_side,
    parts_of,
)
from bindoctor_rules._comparisons import Comparison, telling_comparisons
from bindoctor_rules._durations import time_to_outcome

BOUGHT = [int(i % 5 in (1, 3)) for i in range(200)]
ANSWERS = ["yes" if bought else "no" for bought in BOUGHT]
RECEIPTS = Table({"receipt": [f"r{i % 15}" if bought else None for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
TOKENS = Table({"receipt": [f"r{i % 15}" if bought else "?" for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
SPENDING = Table({"spent": [20 + i * 37 % 90 if bought else 0 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
CODES = Table({"code": [f"{'abc'[i % 3]}{bought}" for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
SCORES = Table({"score": [bought * 49 + i * 37 % 53 / 1.01 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
REFUSALS = Table({"refused": [i % 7 if i % 5 == 0 else None for i in range(200)], "y": ANSWERS})
NOISY_COPY = Table({"score": [3 + bought + (i * 37 % 53 - 26) / 270 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
PRICES = Table(
    {
        "opened": [1 + i * 37 % 101 for i in range(200)],
        "closed": [1 + i * 37 % 101 + bought * (1 + i * 53 % 17) for i, bought in enumerate(BOUGHT)],
        "y": ANSWERS,
    }
)
SURVIVAL = Table(
    {
        "days": [(300 if bought else 500) - i * 37 % 101 * (3 if bought else 4) for i, bought in enumerate(BOUGHT)],
        "y": ANSWERS,
    }
)
STRONG = Table({"x": [bought * 30 + i * 37 % 53 / 1.01 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})


@rule(
    "BD115",
    severity=Severity.ERROR,
    scans=("cells", "sample"),
    root=True,
    flags=[
        example(
            "filled in afterwards", RECEIPTS, Recipe(), says="'receipt' restates the target: rows without it are 'no'"
        ),
        example("a token for nothing", TOKENS, Recipe(), says="'receipt' restates the target: rows with '?' are 'no'"),
        example(
            "an amount of the outcome", SPENDING, Recipe(), says="rows with '0' are 'no' and all others 'yes' in 100.0%"
        ),
        example(
            "codes of the outcome",
            CODES,
            Recipe(),
            says="'code' restates the target: each of its 6 values is one class",
        ),
        example("a noisy copy", NOISY_COPY, Recipe(), says="'score' restates the target: one class lies"),
        example(
            "two prices, one from after the sale",
            PRICES,
            Recipe(),
            says="where 'opened' is smaller than 'closed' the target is 'yes' and elsewhere 'no' in 100.0% of 200 rows",
        ),
        example("survival data", SURVIVAL, Recipe(), says="'days' looks like the time until the outcome: all 60 rows"),
        example("a score of the outcome", SCORES, Recipe(), says="'score' alone ranks the classes with an AUC of 0.99"),
        example("there for one class only", REFUSALS, Recipe(), says="all 40 rows with 'refused' are 'no'"),
    ],
    passes=[
        example("dropped", RECEIPTS, Recipe().edited({"data.drop": ["receipt"]})),
        example("a strong feature", STRONG, Recipe()),
        example(
            "unique values answer nothing", Table({"x": [i * 0.37 % 1 for i in range(200)], "y": ANSWERS}), Recipe()
        ),
    ],
)
def leaking_column(
    profile: Profile,
    *,
    min_agreement: float = 0.95,
    min_removed: float = 0.9,
    min_removed_by_level: float = 0.95,
    min_rare: int = 10,
    min_distance: float = 7.0,
    min_determined: float = 0.95,
    min_auc: float = 0.98,
    min_certain: float = 0.99,
    min_rows: int = 30,
    max_class_share: float = 0.67,
    min_removed_by_pair: float = 0.85,
    max_removed_alone: float = 0.5,
    max_chance: float = 1e-6,
) -> Iterator[Finding]:
    """A column, or two columns side by side, give the answer away.

    A column *restates the target*, which counts as proof, (1) when the lack of a value, zero or a token against all
    others is the same as one class against the others: right in `min_agreement` of the rows, with `min_removed` of the
    errors of the commonest answer gone, and `min_rare` rows of the rarer side; any other value has to remove
    `min_removed_by_level`. Measured: the lifeboat numbers of the Titanic data remove 94% of these errors, the
    recidivism records of the COMPAS data 93%; the best vote in the Congress data, which is honest, removes 89% (Holte
    1993), and 93% of the members who always voted. (2) When each of its few levels, a tenth as many as rows at most,
    is of one class; a handful of exceptions leaves it at (a). (3) When it is a number that keeps one class
    `min_distance` standard deviations from every other. A copy with a tenth of noise lies 10 away; of 130 real sets
    the furthest honest column is the petal length of the iris data, 6.0.

    Short of proof, and so with advice only, it reports a column (a) whose values, each answered by the majority of the
    other rows with it, remove `min_determined` of the errors (the odour of the UCI mushrooms removes 97%, and is
    honest); (b) whose AUC for a binary target is at least `min_auc` (the best honest columns of the breast cancer and
    ISLR Default data reach 0.976 and 0.948); (c) that is present, or absent, or one of two values, for one class only,
    in at least `min_rows` rows (which (a) and (b) ask of each class), where the class is not so common
    (`max_class_share`) that groups of it are ordinary; (d) that is named like a length of time and has one class only
    at one end, more rows than chance puts there (`max_chance`): the time to the event of survival data. Of 130 real
    sets such ends are found in the times of the ACTG 175, colon, PBC, free light chain and divorce data and ten more
    survival sets, and in no other column of such a name; without the name they are ordinary (mean area in the breast
    cancer data). (a) and (b) are errors when they are all but certain (`min_certain` of the errors, or a Gini
    coefficient of it); short of that (b) is a note, because honest measurements get there (proline, 0.983 for one
    cultivar of the wine data against the others), and (a), (c) and (d) are warnings.

    Two number columns are reported, with advice, when which of them is larger removes `min_removed_by_pair` of the
    errors, and no cut through either `max_removed_alone`: in the eBay auctions, whether the closing price exceeds the
    opening one removes 89% and the best cut 29%. Of 130 real sets one honest pair does so, in a set of 11 classes.

    ## Why it matters
    A column that is written down after the outcome is not there when the model is used. The score with it says nothing
    about new rows, and a model that has it learns nothing from the other columns.

    ## When to ignore it
    When the value is known before the outcome in use as well, and simply is that good.

    ## References
    - Kaufman, S., Rosset, S., Perlich, C., & Stitelman, O. (2012). Leakage in data mining: formulation, detection, and
      avoidance. ACM TKDD 6(4).
    - Holte, R. C. (1993). Very simple classification rules perform well on most commonly used datasets. Machine
      Learning 11.
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    silent = []
    for column in profile.columns.values():
        if column.identifier:
            continue
        parts = parts_of(column, profile)
        answer = best_answer(parts, profile)
        proof = {"min_agreement": min_agreement, "min_rare": min_rare}
        if answer is not None:
            needed = min_removed if answer.absent else min_removed_by_level
            if answer.agreement >= min_agreement and answer.removed >= needed and answer.rare >= min_rare:
                measured = {"agreement": answer.agreement, "removed": answer.removed, "min_removed": needed, **proof}
                yield _proven(column, _restated(answer, profile), {"value": answer.value, **measured})
                continue
        distance = class_distance(column, profile, min_rows)
        if distance >= min_distance:
            said = f"one class lies {distance:.1f} standard deviations from every other"
            yield _proven(column, said, {"distance": distance, "min_distance": min_distance, "min_rows": min_rows})
            continue
        enough = profile.rare_count >= min_rows
        determined = errors_removed(column, parts, profile) if enough else 0.0
        if determined == 1 and column.kind == "text" and 10 * column.distinct <= column.count:
            said = f"each of its {column.distinct} values is one class in all {column.count} rows"
            yield _proven(column, said, {"determined": determined, "min_rows": min_rows})
            continue
        auc = binary_auc(column, profile, min_rows)
        severity = Severity.WARNING
        if determined >= min_determined:
            commonest = profile.classes[profile.class_counts.index(max(profile.class_counts))]
            message = (
                f"the values of '{column.name}' alone answer the target: "
                f"{determined:.1%} of the errors of always answering '{commonest}' are gone"
            )
        elif auc >= min_auc:
            message = f"'{column.name}' alone ranks the classes with an AUC of {auc:.3f}"
            severity = Severity.NOTE
        else:
            message = one_class_side(
                column, parts, profile, min_rows=min_rows, max_class_share=max_class_share
            ) or time_to_outcome(column, profile, max_chance)
        if not message:
            silent.append(column)
            continue
        yield Finding(
            message,
            Where("column", column.name),
            {
                "determined": determined,
                "auc": auc,
                "min_determined": min_determined,
                "min_auc": min_auc,
                "min_certain": min_certain,
                "min_rows": min_rows,
                "max_class_share": max_class_share,
                "max_chance": max_chance,
            },
            (_left_out_if_late(column.name),),
            Confidence.MEDIUM,
            Severity.ERROR if max(determined, 2 * auc - 1) >= min_certain else severity,
        )
    numbers = [column for column in silent if column.kind == "number" and not column.constant]
    for comparison in telling_comparisons(
        numbers, profile, min_removed=min_removed_by_pair, max_removed_alone=max_removed_alone, min_rare=min_rows
    ):
        limits = {"min_removed_by_pair": min_removed_by_pair, "max_removed_alone": max_removed_alone}
        yield _comparison(comparison, profile, limits)


def _restated(answer: Answer, profile: Profile) -> str:
    label = f"'{answer.label}'"
    other = f"'{profile.classes[0]}'" if len(profile.classes) == 2 else f"not {label}"
    first, second = (label, other) if answer.inside else (other, label)
    rows = "rows without it are" if answer.value is None else f"rows with '{answer.value}' are"
    return f"{rows} {first} and all others {second} in {answer.agreement:.1%} of {profile.labelled} rows"


def _proven(column: ColumnProfile, said: str, measured: Mapping[str, object]) -> Finding:
    return Finding(
        f"'{column.name}' restates the target: {said}",
        Where("column", column.name),
        measured,
        (Fix(f"Leave out '{column.name}'", {"data.drop+": [column.name]}, Aim.CORRECT),),
    )


def _comparison(comparison: Comparison, profile: Profile, limits: Mapping[str, float]) -> Finding:
    """Report two columns; about the target, because which of them is known too late cannot be told."""
    first, second, label = comparison.first, comparison.second, f"'{comparison.label}'"
    other = f"'{profile.classes[0]}'" if len(profile.classes) == 2 else f"not {label}"
    inside, outside = (label, other) if comparison.inside else (other, label)
    return Finding(
        f"where '{first}' is {comparison.relation} '{second}' the target is {inside} and elsewhere {outside} "
        f"in {comparison.agreement:.1%} of {comparison.rows} rows: one of the two may be known only after the outcome",
        Where("target"),
        {
            "columns": [first, second],
            "removed": comparison.removed,
            "agreement": comparison.agreement,
            "rows": comparison.rows,
            **limits,
        },
        (_left_out_if_late(first), _left_out_if_late(second)),
        Confidence.MEDIUM,
        Severity.WARNING,
    )


def _left_out_if_late(name: str) -> Fix:
    return Fix(f"Leave out '{name}' if it is not known before the outcome", {"data.drop+": [name]}, Aim.ADVISE)
