"""The part of a script that turns rows into the training matrix: what early stopping watches, and preprocessing."""

from collections.abc import Iterator

from bindoctor.recipe import Features
from bindoctor.script.layout import Bracket, Expression, call, lay_out
from bindoctor.script.plan import Plan

IMPUTED = {"mean": "mean", "median": "median", "most-frequent": "most_frequent", "zero": "constant"}
UNCHANGED = '"passthrough"'
SCALERS = {
    "standard": "StandardScaler()",
    "minmax": "MinMaxScaler()",
    "robust": "RobustScaler()",
    "power": "PowerTransformer()",
}


def split_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that cut off the rows that early stopping watches, as ``splits.inner_validation`` does."""
    if not plan.watches:
        return
    yield "# Early stopping watches rows that nothing else has seen."
    if "groups" in plan.keys:
        kind = "StratifiedGroupKFold" if plan.stratified else "GroupKFold"
        yield "finest = int(min(20, len(np.unique(groups)), np.bincount(labels).max()))"
        yield "share = Fraction(VALID).limit_denominator(finest)  # of whole groups"
        yield "share = min(max(share, Fraction(1, finest)), Fraction(finest - 1, finest))"
        yield f"parts = {kind}(share.denominator, shuffle=True, random_state=SEED)"
        yield "held_out = [part for _, part in parts.split(features, labels, groups)]"
        yield "watched = np.sort(np.concatenate(held_out[: share.numerator]))"
        yield "kept = np.setdiff1d(np.arange(len(labels)), watched)"
    elif "times" in plan.keys:
        yield 'by_time = np.argsort(times, kind="stable")'
        yield "first = len(labels) - math.ceil(VALID * len(labels))"
        yield "kept, watched = np.sort(by_time[:first]), np.sort(by_time[first:])"
    else:
        stratify = ["stratify=labels"] if plan.stratified else []
        cut = call("train_test_split", "np.arange(len(labels))", "test_size=VALID", "random_state=SEED", *stratify)
        yield lay_out(cut, before="kept, watched = ", depth=1)
        yield "kept, watched = np.sort(kept), np.sort(watched)"
    yield "valid_features, valid_labels = features.iloc[watched], labels[watched]"
    yield "features, labels = features.iloc[kept], labels[kept]"
    yield ""


def preprocessing_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that fit the preprocessing and make the training matrix."""
    preprocessor = _preprocessor(plan)
    if preprocessor is None:
        yield "matrix = features.to_numpy(np.float32)"
    else:
        yield lay_out(preprocessor, before="preprocessor = ", depth=1)
        yield "matrix = preprocessor.fit_transform(features, labels).astype(np.float32)"


def matrix_of(plan: Plan, features: str) -> str:
    """Return the expression for the matrix of some rows once the preprocessing has been fitted."""
    if _preprocessor(plan) is None:
        return f"{features}.to_numpy(np.float32)"
    return f"preprocessor.transform({features}).astype(np.float32)"


def preparing_constants(plan: Plan) -> dict[str, object]:
    """Return the values of the names that these parts may use."""
    features = plan.recipe.features
    transformed = {_constant(kind): _transformed(plan, kind) for kind in sorted(set(features.transform.values()))}
    return {
        **transformed,
        "UNTRANSFORMED": _transformed(plan, "none"),
        "TARGET_ENCODED": encoded(plan, "target"),
        "ONE_HOT": encoded(plan, "onehot"),
        "VALID": plan.recipe.split.valid,
    }


def _preprocessor(plan: Plan) -> Expression | None:
    """Return the transformer of the features, None where they are only numbers and stay as they are."""
    steps = [*_number_steps(plan), *_text_steps(plan)]
    first, columns = steps[0]
    if len(steps) == 1 and columns == "NUMBERS":
        return None if first == UNCHANGED else first
    return call("make_column_transformer", *(Bracket("(", step, ")") for step in steps))


def _number_steps(plan: Plan) -> Iterator[tuple[Expression, str]]:
    features = plan.recipe.features
    for transform in ("none", *dict.fromkeys(features.transform.values())):
        chosen = _transformed(plan, transform)
        if chosen:
            pipeline = [*_imputer(features), *_scaler(transform), *_scaler(features.scale, scale=True)]
            yield _chained(pipeline), _constant(transform) if len(chosen) < len(plan.numbers) else "NUMBERS"
    if features.indicators and plan.numbers:
        yield call("MissingIndicator", "error_on_new=False"), "NUMBERS"


def _text_steps(plan: Plan) -> Iterator[tuple[Expression, str]]:
    features = plan.recipe.features
    target_encoded, one_hot = encoded(plan, "target"), encoded(plan, "onehot")
    if target_encoded:
        folds = call("KFold", "5", "shuffle=True", "random_state=SEED")
        encoder = Bracket("TargetEncoder(cv=", (str(folds),), ")")
        yield _chained([encoder, *_scaler(features.scale, scale=True)]), "TARGET_ENCODED" if one_hot else "TEXTS"
    if one_hot:
        unknown = ['handle_unknown="ignore"']
        if plan.recipe.rare_below:
            unknown = ['handle_unknown="infrequent_if_exist"', f"min_frequency={plan.recipe.rare_below}"]
        yield call("OneHotEncoder", *unknown, "sparse_output=False"), "ONE_HOT" if target_encoded else "TEXTS"


def _transformed(plan: Plan, transform: str) -> list[str]:
    return [name for name in plan.numbers if plan.recipe.features.transform.get(name, "none") == transform]


def encoded(plan: Plan, encoding: str) -> list[str]:
    """Return the text columns with this encoding."""
    features = plan.recipe.features
    return [name for name in plan.texts if features.encode_columns.get(name, features.encode) == encoding]


def _constant(transform: str) -> str:
    return {"none": "UNTRANSFORMED", "log1p": "LOG1P", "power": "POWER", "quantile": "QUANTILE"}[transform]


def _imputer(features: Features) -> list[Expression]:
    if features.impute == "none":
        return []
    filled = ["fill_value=0.0"] if features.impute == "zero" else []
    strategy = f'strategy="{IMPUTED[features.impute]}"'
    return [call("SimpleImputer", strategy, *filled, "keep_empty_features=True")]


def _scaler(kind: str, *, scale: bool = False) -> list[Expression]:
    if kind == "none":
        return []
    if kind == "quantile":
        quantiles = ["n_quantiles=min(1000, len(features))", 'output_distribution="normal"', "random_state=SEED"]
        return [call("QuantileTransformer", *quantiles)]
    if kind == "log1p":
        return ["FunctionTransformer(signed_log1p)", *(["StandardScaler()"] if scale else [])]
    return [SCALERS[kind]]


def _chained(steps: list[Expression]) -> Expression:
    if not steps:
        return UNCHANGED
    return steps[0] if len(steps) == 1 else call("make_pipeline", *steps)
