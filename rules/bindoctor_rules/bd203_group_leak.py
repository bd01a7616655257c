"""Rows of one person or thing stand on both sides of the split."""

from collections.abc import Iterator

from bindoctor import (
    Aim,
    ColumnProfile,
    Confidence,
    Finding,
    Fix,
    Part,
    Parts,
    Profile,
    Recipe,
    Rows,
    Severity,
    Table,
    Where,
    example,
    rule,
)
from bindoctor_rules._entities import Groups, Kind, alike_columns, can_repeat, entity_kind, label_agreement
from bindoctor_rules._wording import counted, listed

MAX_UNNAMED = 50


def _visits(first: int, patients: int, visits: int = 4, ill: int = 3) -> Table:
    rows = [first + i // visits for i in range(patients * visits)]
    return Table(
        {
            "patient_id": [f"P{p:04}" for p in rows],
            "age": [20 + p * 37 % 61 for p in rows],
            "pressure": [100 + p * 53 % 47 + i * 29 % 7 for i, p in enumerate(rows)],
            "day": [1 + i * 41 % 365 for i, _ in enumerate(rows)],
            "y": ["ill" if p * 31 % 7 < ill else "well" for p in rows],
        }
    )


def _orders(customers: int) -> Table:
    rows = range(customers * 4)
    return Table(
        {
            "customer": [1000 + i * 17 % customers for i in rows],
            "amount": [(i * 53 % 101) / 7 for i in rows],
            "y": ["yes" if i * 71 % 97 < 30 else "no" for i in rows],
        }
    )


VISITS = _visits(0, 60)


@rule(
    "BD203",
    severity=Severity.ERROR,
    scans=("cells", "sample"),
    flags=[
        example(
            "four visits of each patient",
            VISITS,
            Recipe(),
            says="a random split puts rows of one 'patient_id' on both sides (60 values in 240 rows), and these have",
        ),
        example(
            "customers who have nothing in common but the name",
            _orders(40),
            Recipe(),
            says="a random split puts rows of one 'customer' on both sides (40 values in 160 rows)",
        ),
        example(
            "patients of the test part among the training rows",
            VISITS,
            Recipe(),
            test=_visits(50, 30),
            says="40 of 120 rows of the test part have a 'patient_id' that training rows have too",
        ),
    ],
    passes=[
        example("split by patient", VISITS, Recipe().edited({"split.group": "patient_id"})),
        example("other patients in the test part", VISITS, Recipe(), test=_visits(60, 30)),
        example(
            "a category that repeats", Table({"town": [f"t{i % 9}" for i in range(90)], "y": [0, 1, 1] * 30}), Recipe()
        ),
    ],
)
def group_leak(
    profile: Profile,
    recipe: Recipe,
    parts: Parts | None = None,
    *,
    min_kappa: float = 0.3,
    min_z: float = 6.0,
    min_alike: float = 0.34,
    max_rows_per_value: float = 20.0,
) -> Iterator[Finding]:
    """Rows of one person, machine or other thing stand on both sides of the split.

    A column names such things when its name says so (patient, user_id, customer number …) and its values repeat.
    Evidence that it matters is in the values. Rows with one value *agree* when they share their label far more often
    than rows at random (kappa of the pairs at least `min_kappa`, `min_z` standard deviations beyond labels in random
    order), and they are *similar* when at least `min_alike` of the other columns are alike within a value (intraclass
    correlation of at least one half). Agreement makes people an error; agreement and similarity make things a warning;
    everything else is a note, as there is little to gain from knowing whose row it is. Where no column has such a name,
    one with up to `max_rows_per_value` rows a value needs both, and is a note below twice `min_kappa`. Up to 20 000
    sampled rows are looked at. Where parts are given, only values on both sides count.

    Measured on 32 real sets: tickets of the Titanic data (kappa 0.46, 6 of 11 columns alike) and aircraft of the flight
    delays (0.37, 5 of 10) are warnings; users of the taxi data, who travel alike but cancel at random (kappa 0.05), a
    note, as is the seller's rating of the eBay data, which gives the seller away (0.39, 6 of 6). Nothing else is
    reported.

    ## Why it matters
    A model recognises whom it has seen and answers with what it knows of them. Held-out rows of the same people test
    memory, and the score is too good for everyone else. With four visits of each patient and a random split, almost
    every held-out row has a sibling among the training rows.

    ## When to ignore it
    When the model will only ever be asked about people it was trained on.

    ## References
    - Saeb, S., Lonini, L., Jayaraman, A., Mohr, D. C., & Kording, K. P. (2017). The need to approximate the use-case in
      clinical machine learning. GigaScience 6(5).
    - Kapoor, S., & Narayanan, A. (2023). Leakage and the reproducibility crisis in machine-learning-based science.
      Patterns 4(9).
    """
    sample, split = profile.sample, recipe.split
    if sample is None or ((split.group or split.column or not split.shuffle) and not parts):
        return
    candidates = [(column, entity_kind(column)) for column in profile.columns.values() if can_repeat(column)]
    named = [candidate for candidate in candidates if candidate[1]]
    few = [(column, kind) for column, kind in candidates if column.count <= max_rows_per_value * column.distinct]
    for column, kind in named or few[:MAX_UNNAMED]:
        groups = Groups.of(sample, column)
        agreement = label_agreement(sample, groups, min_kappa=-1.0 if kind else min_kappa)
        agrees = agreement is not None and agreement.kappa >= min_kappa and agreement.z >= min_z
        if agreement is None or not (kind or agrees):
            continue
        alike, every = alike_columns(profile, sample, groups, column.name)
        similar = len(alike) >= max(2, min_alike * every)
        if not (kind or similar):
            continue
        severity = _severity(kind, agrees, similar, sure=agreement.kappa >= 2 * min_kappa)
        measured = {
            "values": column.distinct,
            "rows": column.count,
            "sampled_rows": len(sample),
            "pairs": agreement.pairs,
            "kappa": agreement.kappa,
            "z": agreement.z,
            "alike": alike,
            "columns": every,
            "min_kappa": min_kappa,
            "min_z": min_z,
            "min_alike": min_alike,
            "max_rows_per_value": max_rows_per_value,
        }
        known = []
        if agrees:
            known.append(f"the same label far more often than at random (kappa {agreement.kappa:.2f})")
        if similar:
            known.append(f"much the same {listed(alike)}")
        why = f", and these have {' and '.join(known)}" if known else ""
        confidence = Confidence.HIGH if kind and agrees else Confidence.MEDIUM
        if parts:
            for part in parts.given:
                yield from _across(part, sample, column, why, measured, confidence, severity)
            continue
        yield Finding(
            f"a random split puts rows of one '{column.name}' on both sides "
            f"({counted(column.distinct, 'value')} in {column.count} rows){why}",
            Where("split", column.name),
            measured,
            (Fix(f"Split by '{column.name}'", {"split.group": column.name}, Aim.CORRECT if agrees else Aim.ADVISE),),
            confidence,
            severity,
        )


def _severity(kind: Kind, agrees: bool, similar: bool, *, sure: bool) -> Severity:
    if kind == "person" and agrees:
        return Severity.ERROR
    return Severity.WARNING if agrees and similar and (kind or sure) else Severity.NOTE


def _across(
    part: Part,
    sample: Rows,
    column: ColumnProfile,
    why: str,
    measured: dict[str, object],
    confidence: Confidence,
    severity: Severity,
) -> Iterator[Finding]:
    """Report a part's rows whose value training rows have too; of values too many to be counted, the sampled rows'."""
    theirs = part.profile.columns[column.name]
    if column.levels_complete and theirs.levels_complete:
        values = {level.value for level in column.levels}
        shared, rows = sum(level.count for level in theirs.levels if level.value in values), part.profile.rows
    else:
        seen = {value for value in sample.features[column.name].to_list() if value is not None}
        other = part.profile.sample
        drawn = [] if other is None else other.features[column.name].to_list()
        shared, rows = sum(value in seen for value in drawn), len(drawn)
    if shared:
        yield Finding(
            f"{shared} of {counted(rows, 'row')} of the {part.long_name} have a '{column.name}' that training rows "
            f"have too{why}",
            Where("split", part.name),
            {**measured, "column": column.name, "shared": shared, "part_rows": rows},
            (Fix(f"Cut the parts so that each '{column.name}' is in one of them", aim=Aim.ADVISE),),
            confidence,
            severity,
        )
