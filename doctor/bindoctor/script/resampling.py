"""The part of a script that resamples the training matrix."""

from collections.abc import Iterator

from bindoctor.errors import InputError
from bindoctor.script.layout import call, indented, lay_out
from bindoctor.script.plan import Plan
from bindoctor.script.preparing import encoded

SAMPLERS = {
    "smote": "SMOTE",
    "smotenc": "SMOTENC",
    "borderline-smote": "BorderlineSMOTE",
    "adasyn": "ADASYN",
    "random-over": "RandomOverSampler",
    "random-under": "RandomUnderSampler",
    "smote-tomek": "SMOTETomek",
    "smote-enn": "SMOTEENN",
}
LEAVE_BALANCED_ROWS_ALONE = ("smote", "smotenc", "borderline-smote", "adasyn", "random-over")

SMOTENC = '''
def smotenc(matrix, labels, blocks):
    """Add synthetic rows whose categories exist: SMOTENC sees each block as one code."""
    numbers = np.setdiff1d(np.arange(matrix.shape[1]), np.concatenate(blocks))
    codes = [matrix[:, block] @ np.arange(1, len(block) + 1) for block in blocks]
    compact = np.column_stack([matrix[:, numbers], *codes]).astype(np.float32)
    categorical = list(range(len(numbers), compact.shape[1]))
{resample}
    wide = np.empty((len(compact), matrix.shape[1]), dtype=np.float32)
    wide[:, numbers] = compact[:, : len(numbers)]
    for block, code in zip(blocks, compact[:, len(numbers) :].T.astype(int)):
        wide[:, block] = np.eye(len(block) + 1)[code, 1:]
    return wide, labels
'''


def resampling_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that resample the training matrix, as ``resampling.resampled`` does."""
    if plan.recipe.resample.method == "smotenc":
        blocks = "categorical_blocks(preprocessor)"
        if plan.recipe.features.keep:
            yield f"blocks = {blocks}"
            yield "blocks = [np.flatnonzero(np.isin(kept_inputs, block)) for block in blocks]"
            blocks = "[block for block in blocks if len(block)]"
        yield lay_out(call("smotenc", "matrix", "labels", blocks), before="matrix, labels = ", depth=1)
    elif plan.recipe.resample.method != "none":
        yield from _resampled(plan, "matrix")


def resampling_functions(plan: Plan) -> dict[str, str]:
    """Return the source of the functions that SMOTENC needs, by name.

    Raises:
        InputError: there is nothing categorical for it.
    """
    if plan.recipe.resample.method != "smotenc":
        return {}
    if not plan.inputs or not (encoded(plan, "onehot") or plan.recipe.features.indicators):
        raise InputError(
            "recipe.resample.method 'smotenc' needs number and text columns; without text columns use 'smote', without "
            "number columns 'random-over'."
        )
    return {
        "smotenc": SMOTENC.format(resample=indented(_resampled(plan, "compact"))),
        "categorical_blocks": (
            "def categorical_blocks(preprocessor):\n"
            '    """Return the matrix columns of each thing that a row is one of."""\n'
            f"{indented(_blocks(plan))}\n"
        ),
    }


def _resampled(plan: Plan, matrix: str) -> Iterator[str]:
    resample = plan.recipe.resample
    name, random = SAMPLERS[resample.method], "random_state=SEED"
    # Balanced rows stay as they are; these samplers need not be told so.
    told = resample.ratio < 1 or resample.method not in LEAVE_BALANCED_ROWS_ALONE
    settings = ["sampling_strategy=wanted"] if told else []
    if not resample.method.startswith("random-") and resample.neighbors != 5:
        settings.append(f"{'n' if resample.method == 'adasyn' else 'k'}_neighbors={resample.neighbors}")
    if resample.method == "smotenc":
        sampler = call(name, "categorical", *settings, random)
    elif resample.method in ("smote-tomek", "smote-enn"):
        sampler = call(name, f"smote={call('SMOTE', *settings, random)}", random)
    else:
        sampler = call(name, *settings, random)
    lines = [
        lay_out(sampler, before="sampler = ", depth=1 + told),
        f"{matrix}, labels = sampler.fit_resample({matrix}, labels)",
    ]
    if not told:
        yield from lines
        return
    yield "counts = np.bincount(labels)"
    if resample.method == "random-under":
        yield "most = round(counts.min() / RATIO)"
        yield "wanted = {k: most for k, count in enumerate(counts) if count > most}"
    else:
        yield "least = round(counts.max() * RATIO)"
        yield "wanted = {k: least for k, count in enumerate(counts) if count < least}"
    yield "if wanted:"
    yield indented(lines)


def _blocks(plan: Plan) -> Iterator[str]:
    """Yield the lines that find the columns of missing indicators and one-hot levels, in the matrix's order."""
    if plan.recipe.features.indicators:
        yield 'missing = preprocessor.output_indices_["missingindicator"]'
        yield "indicators = np.arange(missing.start, missing.stop)[:, None]"
        if not encoded(plan, "onehot"):
            yield "return list(indicators)"
            return
    yield 'columns = preprocessor.output_indices_["onehotencoder"]'
    yield 'encoder = preprocessor.named_transformers_["onehotencoder"]'
    if plan.recipe.rare_below:
        yield "grouped = encoder.infrequent_categories_"
        yield "widths = [" + "\n    ".join(
            [
                "",
                "len(levels) - (0 if rare is None else len(rare) - 1)",
                "for levels, rare in zip(encoder.categories_, grouped)",
            ]
        )
        yield "]"
    else:
        yield "widths = [len(levels) for levels in encoder.categories_]"
    yield "ends = np.cumsum(widths)[:-1]"
    yield "one_hot = np.split(np.arange(columns.start, columns.stop), ends)"
    yield "return [*indicators, *one_hot]" if plan.recipe.features.indicators else "return one_hot"
