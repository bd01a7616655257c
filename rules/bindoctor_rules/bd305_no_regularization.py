"""A network with more weights than training rows is held back by nothing."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Profile, Recipe, Severity, Table, Where, example, rule
from bindoctor_rules._capacity import training_rows, weights_of
from bindoctor_rules._regularization import MIN_SHRINKAGE, decoupled_decay, is_held_back, penalties, shrunk_by

SMALL = Table(
    {"a": [x % 50 / 2 for x in range(100)], "b": [x * x % 97 for x in range(100)], "y": [x % 2 for x in range(100)]}
)
WORDS = Table({"a": [f"w{x % 30}" for x in range(100)], "y": [x % 2 for x in range(100)]})
NARROW = {"model.hidden": [4]}


@rule(
    "BD305",
    severity=Severity.NOTE,
    scans=("cells",),
    flags=[
        example("100 rows, 64 and 32 units", SMALL, Recipe(), says="2305 weights for 80 training rows"),
        example(
            "a weight decay that does next to nothing",
            SMALL,
            Recipe().edited({"optimizer.kind": "adamw", "optimizer.weight-decay": 0.01}),
            says="AdamW takes 0.05% off",
        ),
        example("one-hot levels count", WORDS, Recipe().edited(NARROW), says="129 weights for 80 training rows"),
    ],
    passes=[
        example("fewer weights than rows", SMALL, Recipe().edited(NARROW)),
        example("dropout", SMALL, Recipe().edited({"model.dropout": 0.3})),
        example("L2", SMALL, Recipe().edited({"optimizer.weight-decay": 0.01})),
        example("weight decay", SMALL, Recipe().edited({"optimizer.kind": "adamw", "optimizer.weight-decay": 7.0})),
        example("early stopping", SMALL, Recipe().edited({"train.patience": 10})),
        example("levels encoded by the target", WORDS, Recipe().edited({**NARROW, "features.encode": "target"})),
        example("trees", SMALL, Recipe().edited({"model.kind": "gradient-boosting"})),
    ],
)
def no_regularization(profile: Profile, recipe: Recipe, *, min_shrinkage: float = MIN_SHRINKAGE) -> Iterator[Finding]:
    """The network has more weights than training rows, and neither dropout, L1, L2 nor early stopping holds it back.

    Columns that are constant or name the row are not counted as inputs. AdamW's weight decay counts from 3% on that it
    takes off an unused weight in the whole training: its default of 0.01, multiplied by a learning rate of 0.001, takes
    off 0.3% in 300 steps.

    ## Why it matters
    Such a network can learn every training row by heart, labels and noise alike. What it learns beyond the pattern
    shows as a validation loss that rises while the training loss falls.

    ## When to ignore it
    When the run is short and its curves show no gap: a note, to be read beside train-val-gap, which says what its
    remedies gained.

    ## References
    - Zhang, C., Bengio, S., Hardt, M., Recht, B., & Vinyals, O. (2017). Understanding deep learning requires rethinking
      generalization. ICLR.
    - Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I., & Salakhutdinov, R. (2014). Dropout: a simple way to
      prevent neural networks from overfitting. JMLR 15.
    - Loshchilov, I., & Hutter, F. (2019). Decoupled weight decay regularization. ICLR.
    """
    rows = training_rows(profile, recipe)
    shrinkage = shrunk_by(recipe, rows)
    if not recipe.model.sized or is_held_back(recipe, rows, min_shrinkage):
        return
    weights = weights_of(profile, recipe)
    if weights <= rows:
        return
    decay = f"; AdamW takes {shrinkage:.2%} off a weight in the whole training" if shrinkage else ""
    yield Finding(
        f"{weights} weights for {rows:.0f} training rows, and neither dropout, L1, L2 nor early stopping{decay}",
        Where("recipe"),
        {"weights": weights, "training_rows": rows, "shrinkage": shrinkage, "min_shrinkage": min_shrinkage},
        (*_decay(recipe, rows), *penalties(recipe)),
    )


def _decay(recipe: Recipe, rows: float) -> Iterator[Fix]:
    if recipe.optimizer.kind in ("adam", "adamw"):
        decay = decoupled_decay(recipe, rows)
        yield Fix(f"Weight decay {decay:g} (AdamW)", {"optimizer.kind": "adamw", "optimizer.weight-decay": decay})
