"""The part of a script that turns rows into the training matrix: what early stopping watches, and preprocessing."""

from collections.abc import Iterator

from bindoctor.recipe_sections import Features
from bindoctor.script.layout import Bracket, Expression, call, indented, lay_out, single_blanks
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
    """Yield the lines that set the rows apart that early stopping watches, as ``prepare`` does."""
    if not plan.watches:
        return
    yield "# Early stopping watches rows that nothing else has seen."
    if not plan.watches_column:
        yield from _cut_lines(plan)
    elif not plan.cuts:
        yield "valid_features, valid_labels = valid"
    else:
        yield "if valid is None:"
        yield indented(_cut_lines(plan))
        yield "else:"
        yield "    valid_features, valid_labels = valid"
    yield ""


def _cut_lines(plan: Plan) -> Iterator[str]:
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
        yield "first = between_times(times, first)"
        yield "kept, watched = np.sort(by_time[:first]), np.sort(by_time[first:])"
    else:
        stratify = ["stratify=labels"] if plan.stratified else []
        cut = call("train_test_split", "np.arange(len(labels))", "test_size=VALID", "random_state=SEED", *stratify)
        yield lay_out(cut, before="kept, watched = ", depth=2 if plan.watches_column else 1)
        yield "kept, watched = np.sort(kept), np.sort(watched)"
    yield "valid_features, valid_labels = features.iloc[watched], labels[watched]"
    yield "features, labels = features.iloc[kept], labels[kept]"
    if "row_weights" in plan.fit_arrays:
        yield "row_weights = row_weights[kept]"


def preprocessing_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that fit the preprocessing and make the training matrix."""
    preprocessor = _preprocessor(plan)
    if _learns(plan):
        yield "make = fit_features(features)"
    if preprocessor is None:
        yield f"matrix = {_whole_matrix(plan, 'features')}"
    else:
        yield lay_out(preprocessor, before="preprocessor = ", depth=1)
        yield f"matrix = preprocessor.fit_transform({_made(plan, 'features')}, labels).astype(np.float32)"
    if plan.recipe.features.keep:
        yield "exact = matrix.astype(float)"
        if not plan.network and plan.recipe.features.impute == "none" and plan.inputs:
            yield "exact = np.where(np.isnan(exact), np.nanmean(exact, axis=0), exact)"
        yield "selector = SelectKBest(k=min(KEEP, matrix.shape[1])).fit(exact, labels)"
        yield "kept_inputs = selector.get_support(indices=True)"
        yield "matrix = matrix[:, kept_inputs]"
        yield ""
        yield "def matrix_of(features):"
        yield f"    matrix = {_whole_matrix(plan, 'features')}"
        yield "    return matrix[:, kept_inputs]"
        yield ""


def making_functions(plan: Plan) -> dict[str, str]:
    """Return the source of the function that learns how columns are made, by name."""
    return {
        "fit_features": (
            "def fit_features(features):\n"
            '    """Learn from training rows how columns are made; return a function to do it."""\n'
            f"{indented(single_blanks(_making(plan)))}\n"
        )
    }


def _making(plan: Plan) -> Iterator[str]:
    """Yield the lines of ``fit_features``, which does what ``engineering.learn`` does."""
    first = "dated(features)" if plan.dates else "features.copy()"
    if plan.derived:
        yield f"start = {'dated(features)' if plan.dates else 'features'}"
        yield "derived = {name: fit_derived(start, *how) for name, how in DERIVED.items()}"
        yield ""
        yield "def with_derived(features):"
        if plan.dates:
            yield "    features = dated(features)"
        yield "    columns = {name: derive(features) for name, derive in derived.items()}"
        yield "    return features.assign(**columns)"
        yield ""
        first = "with_derived(features)"
    if _fills(plan) or plan.clipped:
        yield f"made = {first}"
    if _fills(plan):
        yield "middle = made[MADE].median().fillna(0)  # for dates and quotients that are none"
    if plan.clipped:
        yield "limits = {name: made[name].quantile(shares) for name, shares in CLIPPED.items()}"
    yield ""
    yield "def make(features):"
    yield f"    made = {first}{'.fillna(middle)' if _fills(plan) else ''}"
    if plan.clipped:
        yield "    for name, limit in limits.items():"
        yield "        made[name] = made[name].clip(*limit)"
    yield "    return made"
    yield ""
    yield "return make"


def _fills(plan: Plan) -> bool:
    return plan.must_be_there and bool(plan.dates or plan.derived)


def _learns(plan: Plan) -> bool:
    """Tell whether columns are made with something that training rows teach."""
    return bool(plan.derived or plan.clipped or _fills(plan))


def _made(plan: Plan, features: str) -> str:
    if _learns(plan):
        return f"make({features})"
    return f"dated({features})" if plan.dates else features


def matrix_of(plan: Plan, features: str) -> str:
    """Return the expression for the matrix of some rows once the preprocessing has been fitted."""
    return f"matrix_of({features})" if plan.recipe.features.keep else _whole_matrix(plan, features)


def _whole_matrix(plan: Plan, features: str) -> str:
    made = _made(plan, features)
    if _preprocessor(plan) is None:
        return f"{made}{'[INPUTS]' if plan.makes else ''}.to_numpy(np.float32)"
    return f"preprocessor.transform({made}).astype(np.float32)"


def preparing_constants(plan: Plan) -> dict[str, object]:
    """Return the values of the names that these parts may use."""
    features = plan.recipe.features
    transformed = {_constant(kind): _transformed(plan, kind) for kind in sorted(set(features.transform.values()))}
    return {
        **transformed,
        "UNTRANSFORMED": _transformed(plan, "none"),
        "INPUTS": plan.inputs,
        "MADE": [name for name in plan.inputs if name not in plan.numbers],
        "DERIVED": {name: [derived.op, *derived.parents] for name, derived in plan.derived.items()},
        "CLIPPED": plan.clipped,
        "KEEP": features.keep,
        "TARGET_ENCODED": encoded(plan, "target"),
        "HASHED": encoded(plan, "hash"),
        "ONE_HOT": encoded(plan, "onehot"),
        "VALID": plan.recipe.split.valid,
    }


def _preprocessor(plan: Plan) -> Expression | None:
    """Return the transformer of the features, None where they are only numbers and stay as they are."""
    steps = [*_number_steps(plan), *_text_steps(plan)]
    first, columns = steps[0]
    if len(steps) == 1 and columns in ("NUMBERS", "INPUTS") and first == UNCHANGED:
        return None
    if len(steps) == 1 and columns == "NUMBERS":
        return first
    return call("make_column_transformer", *(Bracket("(", step, ")") for step in steps))


def _number_steps(plan: Plan) -> Iterator[tuple[Expression, str]]:
    features, every = plan.recipe.features, "INPUTS" if plan.makes else "NUMBERS"
    for transform in ("none", *dict.fromkeys(features.transform.values())):
        chosen = _transformed(plan, transform)
        if chosen:
            pipeline = [*_imputer(features), *_scaler(transform), *_scaler(features.scale, scale=True)]
            yield _chained(pipeline), _constant(transform) if len(chosen) < len(plan.inputs) else every
    if features.indicators and plan.inputs:
        yield call("MissingIndicator", "error_on_new=False"), every


def _text_steps(plan: Plan) -> Iterator[tuple[Expression, str]]:
    features = plan.recipe.features
    target_encoded, hashed, one_hot = (encoded(plan, encoding) for encoding in ("target", "hash", "onehot"))
    several = sum(map(bool, (target_encoded, hashed, one_hot))) > 1
    if target_encoded:
        folds = call("KFold", "5", "shuffle=True", "random_state=SEED")
        encoder = Bracket("TargetEncoder(cv=", (str(folds),), ")")
        yield _chained([encoder, *_scaler(features.scale, scale=True)]), "TARGET_ENCODED" if several else "TEXTS"
    if hashed:
        yield "FunctionTransformer(hashed_levels)", "HASHED" if several else "TEXTS"
    if one_hot:
        unknown = ['handle_unknown="ignore"']
        if plan.recipe.rare_below:
            unknown = ['handle_unknown="infrequent_if_exist"', f"min_frequency={plan.recipe.rare_below}"]
        yield call("OneHotEncoder", *unknown, "sparse_output=False"), "ONE_HOT" if several else "TEXTS"


def _transformed(plan: Plan, transform: str) -> list[str]:
    return [name for name in plan.inputs if plan.recipe.features.transform.get(name, "none") == transform]


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
