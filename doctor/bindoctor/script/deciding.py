"""The part of a script that runs the others: it fits threshold and calibrator, trains, and writes the answers."""

from collections.abc import Iterator

from bindoctor.final import MAX_CROSS_FITTED
from bindoctor.script.layout import indented
from bindoctor.script.parts import CONFLICTS, CURVES, FORMULAS, THRESHOLD
from bindoctor.script.plan import Plan
from bindoctor.splits import derived_seed, training_rows


def main_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines from reading the file to writing its answers."""
    recipe = plan.recipe
    yield f"{', '.join(['features', 'labels', *plan.arrays])} = read_rows()"
    rows = "every_row" if plan.selects else "features"
    if plan.selects:
        yield from _selection(plan)
    if plan.fits_decision:
        yield from _out_of_fold(plan)
    watched = ["valid"] if plan.watches_column else []
    yield f"predict = fit({', '.join(['features', 'labels', *plan.fit_arrays, *watched])})"
    if plan.leaves_out and plan.must_be_there and plan.numbers:
        # Rows that are left out may hold missing numbers although the rows trained on do not.
        yield "every_row = every_row.fillna(features[NUMBERS].median())"
    answer = f"predict({rows})"
    yield f"probability = {answer if recipe.decide.calibrate == 'none' else f'calibrate({answer})'}"
    yield f'table = pd.DataFrame(probability, {rows}.index, [f"p_{{label}}" for label in CLASSES])'
    if plan.binary:
        threshold = "threshold" if recipe.decide.cut == "tuned" else "THRESHOLD"
        yield f"positive = probability[:, 1] >= {threshold}"
        yield 'table["decision"] = np.where(positive, CLASSES[1], CLASSES[0])'
    else:
        yield 'table["decision"] = np.array(CLASSES)[probability.argmax(axis=1)]'
    yield 'table.to_csv("predictions.csv", index_label="row")'


def deciding_functions(plan: Plan) -> dict[str, str]:
    """Return the source of the functions whose text depends on the recipe, by name."""
    decide = plan.recipe.decide
    score, formula = FORMULAS[decide.tuned_for]
    functions = {
        "without_conflicts": CONFLICTS[plan.recipe.data.conflicts],
        "tune_threshold": THRESHOLD.format(score=score, formula=indented(formula.splitlines())),
    }
    if decide.calibrate in CURVES:
        functions["fit_curve"] = CURVES[decide.calibrate]
    return functions


def deciding_constants(plan: Plan) -> dict[str, object]:
    """Return the values of the names that these lines may use."""
    decide = plan.recipe.decide
    return {
        "FOLDS": plan.recipe.split.folds,
        "FOLD_SEED": derived_seed(plan.recipe.train.seed, 0),
        "THRESHOLD": decide.fixed_threshold,
        "FP_COST": decide.cost.get("fp"),
        "FN_COST": decide.cost.get("fn"),
    }


def _selection(plan: Plan) -> Iterator[str]:
    data = plan.recipe.data
    yield "table = features.assign(**{TARGET: labels})"
    if data.drop_rows:
        yield 'table = table.drop(DROP_ROWS, errors="ignore")'
    if plan.held_out_files:
        yield "table = without_overlap(table)"
    if data.drop_missing_target:
        yield "table = table.dropna(subset=[TARGET])"
    if data.conflicts != "keep":
        yield "table = without_conflicts(table)"
    if data.deduplicate:
        yield "table = table[~pd.Series(identity)[table.index].duplicated()]"
    yield "used = table.index[~held_out[table.index]]" if "held_out" in plan.arrays else "used = table.index"
    if plan.watches_column:
        yield "watched = table.index[validation[table.index]]"
        yield "valid = features.loc[watched], labels[watched].astype(int)"
    yield "every_row = features"
    yield "features, labels = features.loc[used], labels[used].astype(int)"
    for name in plan.arrays:
        if name not in ("held_out", "validation", "identity"):
            yield f"{name} = {name}[used]"


def _out_of_fold(plan: Plan) -> Iterator[str]:
    decide = plan.recipe.decide
    fitted = {"threshold": decide.cut == "tuned", "calibration": decide.calibrate != "none"}
    yield ""
    yield f"# Fit the {' and the '.join(name for name, wanted in fitted.items() if wanted)} on out-of-fold answers."
    last_alone = len(training_rows(plan.rows)) > MAX_CROSS_FITTED
    if "times" in plan.keys:
        yield 'by_time = np.argsort(times, kind="stable")'
        yield "part = len(labels) / (FOLDS + FOLDS // 2 + 1)"
        yield "cuts = [round(len(labels) - part * k) for k in range(FOLDS, 0, -1)]"
        yield "cuts = [between_times(times, cut) for cut in cuts]"
        parted = "zip(cuts, [*cuts[1:], len(labels)], strict=True)"
        yield "truth, answers = [], []"
        yield f"for start, end in {f'list({parted})[-1:]' if last_alone else parted}:"
        yield "    kept, held_out = np.sort(by_time[:start]), np.sort(by_time[start:end])"
    else:
        kind = "StratifiedGroupKFold" if "groups" in plan.keys else "StratifiedKFold"
        yield f"folds = {kind}(FOLDS, shuffle=True, random_state=FOLD_SEED)"
        parted = f"folds.split({', '.join(['features', 'labels', *plan.keys])})"
        yield "truth, answers = [], []"
        yield f"for kept, held_out in {f'list({parted})[-1:]' if last_alone else parted}:"
    part = ["features.iloc[kept]", "labels[kept]", *(f"{name}[kept]" for name in plan.fit_arrays)]
    yield f"    predict = fit({', '.join(part)})"
    yield "    answers.append(predict(features.iloc[held_out]))"
    yield "    truth.append(labels[held_out])"
    yield "truth, answers = np.concatenate(truth), np.concatenate(answers)"
    calibrated = "answers"
    if decide.calibrate != "none":
        curves = "fit_positive" if plan.binary else "fit_each_class"
        yield f"calibrate = {'fit_temperature' if decide.calibrate == 'temperature' else curves}(truth, answers)"
        calibrated = "calibrate(answers)"
    if decide.cut == "tuned":
        yield f"threshold = tune_threshold(truth, {calibrated}[:, 1])"
    yield ""
