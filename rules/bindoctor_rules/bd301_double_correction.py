"""A rare class is corrected for more than once."""

from collections.abc import Iterator

from bindoctor import Finding, Fix, Recipe, Severity, Where, example, rule

RESAMPLED = {"resample.method": "smote"}
WEIGHTED = {"loss.class-weight": "balanced"}
FOCAL = {"loss.kind": "focal"}
OFF = {
    "resampling": ("resample.method", "none"),
    "class weights": ("loss.class-weight", "none"),
    "focal alpha": ("loss.focal-alpha", 0.5),
}


@rule(
    "BD301",
    severity=Severity.WARNING,
    flags=[
        example(
            "SMOTE and class weights", recipe=Recipe().edited({**RESAMPLED, **WEIGHTED}), says="resampling (smote)"
        ),
        example("weights twice", recipe=Recipe().edited({**WEIGHTED, **FOCAL}), says="focal alpha (0.25)"),
        example("all three", recipe=Recipe().edited({**RESAMPLED, **WEIGHTED, **FOCAL}), says="3 corrections for"),
        example(
            "weight and SMOTE", recipe=Recipe().edited({**RESAMPLED, "loss.class-weight": 5.0}), says="weights (5.0)"
        ),
    ],
    passes=[
        example("nothing is corrected", recipe=Recipe()),
        example("SMOTE alone", recipe=Recipe().edited(RESAMPLED)),
        example("focal loss alone", recipe=Recipe().edited(FOCAL)),
        example("a weight of 1 is none", recipe=Recipe().edited({**RESAMPLED, "loss.class-weight": 1.0})),
        example("focal loss without weights", recipe=Recipe().edited({**RESAMPLED, **FOCAL, "loss.focal-alpha": 0.5})),
        example(
            "focal loss is not what trees minimise",
            recipe=Recipe().edited({**RESAMPLED, **FOCAL, "model.kind": "gradient-boosting"}),
        ),
    ],
)
def double_correction(recipe: Recipe) -> Iterator[Finding]:
    """Two or more of resampling, class weights and focal loss's alpha correct for the class shares at once.

    Focal loss counts when its alpha is not 0.5, because that is a class weight; its gamma is none and stays.

    ## Why it matters
    Each of the three moves the class shares that the model believes in. A fixed weight moves what resampling has moved
    before; the usual alpha of 0.25 weighs the positive class *down*, and undoes part of the others. Probabilities and
    threshold end up where nobody chose them. "Balanced" weights are computed from the resampled rows here, so beside
    full resampling they add nothing; trainers that compute them from the original rows correct twice.

    ## When to ignore it
    When both were tuned together, on rows kept back.

    ## References
    - Lin, T.-Y., Goyal, P., Girshick, R., He, K., & Dollár, P. (2017). Focal loss for dense object detection. ICCV.
    - Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.
    """
    settings = {
        "resampling": recipe.resample.method,
        "class weights": recipe.loss.class_weight,
        "focal alpha": recipe.loss.focal_alpha if recipe.loss.kind == "focal" else 0.5,
    }
    neutral = {"resampling": ("none",), "class weights": ("none", 1.0), "focal alpha": (0.5,)}
    trees = not recipe.model.network
    used = [
        name for name, value in settings.items() if value not in neutral[name] and not (trees and name == "focal alpha")
    ]
    if len(used) < 2:
        return
    yield Finding(
        f"{len(used)} corrections for the class shares at once: "
        + ", ".join(f"{name} ({settings[name]})" for name in used),
        Where("recipe"),
        {"corrections": {name: settings[name] for name in used}},
        tuple(
            Fix(f"Keep only {name}", dict(OFF[other] for other in used if other != name))
            for name in ("class weights", "resampling", "focal alpha")
            if name in used
        ),
    )
