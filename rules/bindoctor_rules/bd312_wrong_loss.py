"""The loss cannot learn as many classes as the target has."""

from collections.abc import Iterator
from typing import Any

from bindoctor import Aim, Finding, Fix, Profile, Recipe, Severity, Where, counts, example, rule

THREE = counts(a=40, b=40, c=20)
MANY = Recipe().edited({"loss.kind": "cross-entropy"})


@rule(
    "BD312",
    severity=Severity.ERROR,
    scans=(),
    flags=[
        example("three classes, one output", THREE, Recipe(), says="bce has one output for two classes"),
        example(
            "a weight for a positive class that there is not",
            THREE,
            MANY.edited({"loss.class-weight": 5.0}),
            says="class-weight 5 is that of a positive class",
        ),
    ],
    passes=[
        example("cross-entropy", THREE, MANY),
        example("focal loss", THREE, Recipe().edited({"loss.kind": "focal"})),
        example("two classes, one output", counts(a=60, b=40), Recipe()),
        example("two classes, an output each", counts(a=60, b=40), MANY),
        example("trees bring their own loss", THREE, Recipe().edited({"model.kind": "gradient-boosting"})),
    ],
)
def wrong_loss(profile: Profile, recipe: Recipe) -> Iterator[Finding]:
    """The loss, or its class weight, is one for two classes, and the target has more.

    The outputs follow from the loss here (one under binary cross-entropy, one a class under cross-entropy), so that
    the two cannot disagree with each other, only with the target.

    ## Why it matters
    Binary cross-entropy on one output tells one class from all the others together; with more than two classes there is
    no answer for the rest of them, and the training stops.

    ## When to ignore it
    Never. Where one class against the rest is meant, merge the others (`data.target-levels`).

    ## References
    - Bishop, C. M. (2006). Pattern Recognition and Machine Learning, section 4.3. Springer.
    - PyTorch documentation, BCEWithLogitsLoss and CrossEntropyLoss.
    """
    classes, loss = len(profile.classes), recipe.loss
    if classes < 3:
        return
    wrong: list[str] = []
    edits: dict[str, Any] = {}
    if loss.kind == "bce" and recipe.model.network:
        wrong.append("bce has one output for two classes")
        edits["loss.kind"] = "cross-entropy"
    if not isinstance(loss.class_weight, str):
        wrong.append(f"class-weight {loss.class_weight:g} is that of a positive class")
        edits["loss.class-weight"] = "balanced"
    if not wrong:
        return
    yield Finding(
        f"{' and '.join(wrong)}, and the target has {classes} classes",
        Where("recipe"),
        {"classes": classes, "loss": loss.kind, "class_weight": loss.class_weight},
        (Fix("Use " + " and ".join(f"{path} {value}" for path, value in edits.items()), edits, Aim.CORRECT),),
    )
