"""One column alone gives the answer away."""

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
from bindoctor_rules._association import Answer, best_answer, binary_auc, errors_removed, one_class_side, parts_of

BOUGHT = [int(i % 5 in (1, 3)) for i in range(200)]
ANSWERS = ["yes" if bought else "no" for bought in BOUGHT]
RECEIPTS = Table({"receipt": [f"r{i % 15}" if bought else None for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
TOKENS = Table({"receipt": [f"r{i % 15}" if bought else "?" for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
SPENDING = Table({"spent": [20 + i * 37 % 90 if bought else 0 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
CODES = Table({"code": [f"{'abc'[i % 3]}{bought}" for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
SCORES = Table({"score": [bought * 49 + i * 37 % 53 / 1.01 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})
REFUSALS = Table({"refused": [i % 7 if i % 5 == 0 else None for i in range(200)], "y": ANSWERS})
STRONG = Table({"x": [bought * 30 + i * 37 % 53 / 1.01 for i, bought in enumerate(BOUGHT)], "y": ANSWERS})


@rule(
    "BD115",
    severity=Severity.ERROR,
    root=True,
    flags=[
        example(
            "filled in afterwards", RECEIPTS, Recipe(), says="'receipt' restates the target: rows without it are 'no'"
        ),
        example("a token for nothing", TOKENS, Recipe(), says="'receipt' restates the target: rows with '?' are 'no'"),
        example(
            "an amount of the outcome", SPENDING, Recipe(), says="rows with '0' are 'no' and all others 'yes' in 100.0%"
        ),
        example("codes of the outcome", CODES, Recipe(), says="the values of 'code' alone answer the target"),
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
    min_rare: int = 10,
    min_determined: float = 0.95,
    min_auc: float = 0.98,
    min_certain: float = 0.99,
    min_rows: int = 30,
    max_class_share: float = 0.67,
) -> Iterator[Finding]:
    """One column alone gives the answer away.

    A column *restates the target*, which counts as proof, when one of its values (or the lack of one, or zero) against
    all others is the same as one class against the others: right in `min_agreement` of the rows, with `min_removed` of
    the errors of the commonest answer gone, and `min_rare` rows of the rarer side. Measured: the lifeboat numbers of
    the Titanic data remove 94% of these errors, the recidivism records of the COMPAS data 93%; the best vote in the
    Congress data, which is honest, removes 89% (Holte 1993).

    Short of proof, and so with advice only, it reports a column (a) whose values, each answered by the majority of the
    other rows with it, remove `min_determined` of the errors (the odour of the UCI mushrooms removes 97%, and is
    honest); (b) whose AUC for a binary target is at least `min_auc` (the best honest columns of the breast cancer and
    ISLR Default data reach 0.976 and 0.948); (c) that is present, or absent, or one of two values, for one class only,
    in at least `min_rows` rows (which (a) and (b) ask of each class), where the class is not so common
    (`max_class_share`) that groups of it are ordinary. (a) and (b) are warnings unless they are all but certain
    (`min_certain` of the errors, or a Gini coefficient of it).

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
    for column in profile.columns.values():
        parts = parts_of(column, profile)
        answer = best_answer(parts, profile)
        if column.identifier or answer is None:
            continue
        if answer.agreement >= min_agreement and answer.removed >= min_removed and answer.rare >= min_rare:
            limits = {"min_agreement": min_agreement, "min_removed": min_removed, "min_rare": min_rare}
            yield _proven(column, answer, profile, limits)
            continue
        enough = profile.rare_count >= min_rows
        determined = errors_removed(column, parts, profile) if enough else 0.0
        auc = binary_auc(column, profile, min_rows)
        certain = max(determined, 2 * auc - 1) >= min_certain
        if determined >= min_determined:
            commonest = profile.classes[profile.class_counts.index(max(profile.class_counts))]
            message = (
                f"the values of '{column.name}' alone answer the target: "
                f"{determined:.1%} of the errors of always answering '{commonest}' are gone"
            )
        elif auc >= min_auc:
            message = f"'{column.name}' alone ranks the classes with an AUC of {auc:.3f}"
        else:
            message = one_class_side(column, parts, profile, min_rows=min_rows, max_class_share=max_class_share)
        if message:
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
                },
                (Fix(f"Leave out '{column.name}' if it is not known before the outcome", _drop(column), Aim.ADVISE),),
                Confidence.MEDIUM,
                None if certain else Severity.WARNING,
            )


def _proven(column: ColumnProfile, answer: Answer, profile: Profile, limits: Mapping[str, float]) -> Finding:
    label = f"'{answer.label}'"
    other = f"'{profile.classes[0]}'" if len(profile.classes) == 2 else f"not {label}"
    first, second = (label, other) if answer.inside else (other, label)
    rows = "rows without it are" if answer.part.value is None else f"rows with '{answer.part.value}' are"
    return Finding(
        f"'{column.name}' restates the target: {rows} {first} and all others {second} "
        f"in {answer.agreement:.1%} of {profile.labelled} rows",
        Where("column", column.name),
        {"agreement": answer.agreement, "removed": answer.removed, "value": answer.part.value, **limits},
        (Fix(f"Leave out '{column.name}'", _drop(column), Aim.CORRECT),),
    )


def _drop(column: ColumnProfile) -> dict[str, list[str]]:
    return {"data.drop+": [column.name]}
