"""There are too many inputs for the rows."""

from collections.abc import Iterator

from bindoctor import ColumnProfile, Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._encoding import holds_numbers, inputs_of, is_crowded, is_one_hot
from bindoctor_rules._regularization import penalties
from bindoctor_rules._wording import counted

CLASSES = ["yes" if i % 3 == 0 else "no" for i in range(60)]
GENES = Table({**{f"g{j}": [(i * (37 + 2 * j) % 83) / 10 for i in range(60)] for j in range(20)}, "y": CLASSES})
CODED = Table({**{f"q{j}": ["abcd"[(i * (7 + j) + j) % 13 % 4] for i in range(60)] for j in range(4)}, "y": CLASSES})
NARROW = Table({**{f"g{j}": [(i * (37 + 2 * j) % 83) / 10 for i in range(60)] for j in range(8)}, "y": CLASSES})
TOWNS = Table({"town": [f"t{i * 7 % 40}" for i in range(60)], "x": [i * 37 % 61 for i in range(60)], "y": CLASSES})


@rule(
    "BD124",
    severity=Severity.WARNING,
    scans=("cells",),
    flags=[
        example("twenty columns, sixty rows", GENES, Recipe(), says="20 inputs for 60 rows"),
        example("levels count as inputs", CODED, Recipe(), says="16 inputs for 60 rows, of 4 columns"),
        example(
            "trees",
            GENES,
            Recipe().edited({"model.kind": "gradient-boosting"}),
            says="20 inputs for 60 rows",
        ),
    ],
    passes=[
        example("eight columns", NARROW, Recipe()),
        example("one input is kept of each ten rows", GENES, Recipe().edited({"features.keep": 6})),
        example("an L1 penalty", GENES, Recipe().edited({"optimizer.l1": 0.001})),
        example("an L2 penalty", GENES, Recipe().edited({"optimizer.weight-decay": 0.01})),
        example("the levels of one column, which high-cardinality reports", TOWNS, Recipe()),
    ],
)
def too_wide(
    profile: Profile, recipe: Recipe, *, min_rows_per_input: float = 5.0, min_kept: int = 5, min_rows_per_kept: int = 10
) -> Iterator[Finding]:
    """There are fewer than five rows for each input, and nothing selects among the inputs or shrinks their weights.

    Inputs are counted as the recipe makes them: one a number column, one a level under one-hot encoding. Columns that
    are constant or name the row are not counted, nor are those of texts that other rules report for being read as
    levels: dates, numbers, and too many levels. Of 160 real tables six have fewer rows than that, among them Sonar (60
    inputs, 208 rows). For trees, which select by themselves, the finding is a note.

    ## Why it matters
    With as many inputs as rows some combination of them fits any labels, and each weight is fitted to a handful of
    rows. A score on the training rows then says nothing, and the inputs that tell the classes apart drown in those that
    do so by chance. An L1 penalty drives the weights of the others to zero; keeping the inputs that differ most between
    the classes, one for each ten rows, does it beforehand, inside the folds.

    ## When to ignore it
    When the inputs say much the same in many ways, as the pixels of an image or the bands of a spectrum do: a penalty
    or early stopping is then enough.

    ## References
    - Harrell, F. E. (2015). Regression Modeling Strategies, section 4.4. Springer.
    - Tibshirani, R. (1996). Regression shrinkage and selection via the lasso. Journal of the Royal Statistical Society
      B 58(1).
    - Ambroise, C., & McLachlan, G. J. (2002). Selection bias in gene extraction on the basis of microarray
      gene-expression data. PNAS 99(10).
    """
    classes, trees = len(profile.classes), recipe.model.kind == "gradient-boosting"
    columns = [
        column
        for column in (*profile.numbers, *profile.categories)
        if column.name in recipe.features.dates or not _is_reported(column, recipe)
    ]
    inputs = sum(inputs_of(column, recipe, classes) for column in columns)
    rows, keep = profile.labelled, recipe.features.keep
    selected = min(inputs, keep) if keep else inputs
    if selected * min_rows_per_input <= rows or (not trees and (recipe.optimizer.l1 or recipe.optimizer.weight_decay)):
        return
    kept = max(min_kept, rows // min_rows_per_kept)
    fixes = [] if kept >= selected else [Fix(f"Keep the {kept} inputs that differ most", {"features.keep": kept})]
    if not trees:
        fixes.extend(sorted(penalties(recipe), key=lambda fix: "optimizer.l1" not in fix.edits))
    of_columns = f", of {counted(len(columns), 'column')}" if inputs != len(columns) else ""
    yield Finding(
        f"{counted(selected, 'input')} for {counted(rows, 'row')}{of_columns}",
        Where("recipe", "features.keep"),
        {
            "inputs": selected,
            "columns": len(columns),
            "rows": rows,
            "min_rows_per_input": min_rows_per_input,
            "min_kept": min_kept,
            "min_rows_per_kept": min_rows_per_kept,
        },
        tuple(fixes),
        severity=Severity.NOTE if trees else Severity.WARNING,
    )


def _is_reported(column: ColumnProfile, recipe: Recipe) -> bool:
    """Tell whether other rules report the column for being read as levels."""
    as_text = is_one_hot(column, recipe) and (column.role == "date" or holds_numbers(column, recipe))
    return as_text or is_crowded(column, recipe)
