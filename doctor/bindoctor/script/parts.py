"""Functions that a rendered script may need, as their source; only those that a script calls get into it."""

READING = {
    "tidy_text": '''
def tidy_text(text):
    """Return a text without case, invisible characters and superfluous blanks."""
    shown = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return " ".join(shown.split()).casefold()
''',
    "within": '''
def within(column, low, high):
    """Return the column with the numbers outside of these limits missing."""
    numbers = pd.to_numeric(column, errors="coerce")
    return column.mask(np.isfinite(numbers) & ((numbers < low) | (numbers > high)))
''',
    "without_texts": '''
def without_texts(column, texts):
    """Return the column with the cells that are one of these texts missing."""
    return column.mask(column.str.strip().isin(texts))
''',
    "without_numbers": '''
def without_numbers(column, numbers):
    """Return the column with these numbers missing, however they are written."""
    return column.mask(pd.to_numeric(column, errors="coerce").isin(numbers))
''',
    "only_numbers": '''
def only_numbers(column):
    """Return the column with the cells that are no number missing."""
    return column.where(np.isfinite(pd.to_numeric(column, errors="coerce")))
''',
}

SELECTING = {
    "by_value": '''
def by_value(column):
    """Return the cells with equal numbers written alike."""
    numbers = pd.to_numeric(column, errors="coerce") + 0.0
    return column.mask(np.isfinite(numbers), numbers.astype(str))
''',
    "without_overlap": '''
def without_overlap(table):
    """Return the rows that do not stand in the held-out files as well."""
    rows = pd.util.hash_pandas_object(table.drop(columns=NUMBERING), index=False)
    for path in HELD_OUT_FILES:
        features, labels = read_rows(path)[:2]
        held_out = features.assign(**{TARGET: labels}).astype(table.dtypes)
        held_out = held_out.drop(columns=NUMBERING)
        found = rows.isin(pd.util.hash_pandas_object(held_out, index=False))
        table, rows = table[~found], rows[~found]
    return table
''',
}

SPLITTING = {
    "between_times": '''
def between_times(times, position):
    """Return the position nearest to this one at which one time ends."""
    ordered = np.sort(times)
    ends = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    return ends[np.abs(ends - position).argmin()]
''',
}

CONFLICTS = {
    "keep": "",
    "majority": '''
def without_conflicts(table):
    """Return of rows with equal features those with the one most frequent label."""
    cells = table.drop(columns=[TARGET, *NUMBERING])
    features = pd.util.hash_pandas_object(cells, index=False)
    labels = table[TARGET]
    votes = labels.groupby([features, labels]).transform("size")
    leads = votes == votes.groupby(features).transform("max")
    alone = labels.where(leads).groupby(features).transform("nunique") == 1
    return table[leads & alone]
''',
    "drop": '''
def without_conflicts(table):
    """Return the rows whose features never come with another label."""
    cells = table.drop(columns=[TARGET, *NUMBERING])
    features = pd.util.hash_pandas_object(cells, index=False)
    return table[table[TARGET].groupby(features).transform("nunique") == 1]
''',
}

MAKING = {
    "date_parts": '''
def date_parts(texts, form):
    """Return the parts of dates as numbers, by name; what is no such date is missing."""
    times = pl.Series(texts.to_list(), dtype=pl.String).str.strip_chars()
    times = times.str.to_datetime(form, strict=False, time_unit="us")
    times = times.set((times.dt.year() < 1000).fill_null(False), None)
    parts = {
        "year": times.dt.year(),
        "month": times.dt.month(),
        "day": times.dt.day(),
        "weekday": times.dt.weekday() - 1,
        "hour": times.dt.hour(),
        "days": times.dt.epoch("d"),
    }
    return {name: part.cast(pl.Float64).to_numpy() for name, part in parts.items()}
''',
    "dated": '''
def dated(features):
    """Return the features with parts of dates instead of dates."""
    made = features.drop(columns=list(DATES))
    for name, (form, parts) in DATES.items():
        found = date_parts(features[name], form)
        made = made.assign(**{f"{name}_{part}": found[part] for part in parts})
    return made
''',
    "fit_derived": '''
def fit_derived(features, op, a, b):
    """Learn from training rows how a column is made; return a function to make it."""
    grouped = op.startswith("group-")
    means = features[features[b] != ""].groupby(b)[a].mean() if grouped else None
    overall = features[a].mean()
    least = 1e-6 * features[a if grouped else b].abs().mean() if "ratio" in op else 0

    def derive(features):
        first, second = features[a], features[b]
        if grouped:
            second = second.map(means).astype(float).fillna(overall)
        if "ratio" in op:
            made = first / second.mask(second.abs() <= least)
        else:
            made = first * second if op == "product" else first - second
        return made.mask(np.isinf(made))

    return derive
''',
}

TRAINING = {
    "hashed_levels": '''
def hashed_levels(columns):
    """Return 32 numbers for each column: a level is 1 or -1 in one of them."""
    hasher = FeatureHasher(32, input_type="string")
    cells = np.asarray(columns, dtype=object)
    hashed = [hasher.transform(cells[:, [k]]) for k in range(cells.shape[1])]
    return np.hstack([matrix.toarray() for matrix in hashed])
''',
    "signed_log1p": '''
def signed_log1p(x):
    """log(1 + x), mirrored for negative numbers."""
    return np.sign(x) * np.log1p(np.abs(x))
''',
    "binary_focal_loss": '''
def binary_focal_loss(logits, targets, row_weights=None, pos_weight=None):
    """Focal loss (Lin et al. 2017): rows that are answered well already count less."""
    each = F.binary_cross_entropy_with_logits(
        logits, targets, row_weights, pos_weight=pos_weight, reduction="none"
    )
    probability = torch.sigmoid(logits)
    miss = targets + probability - 2 * targets * probability
    alpha = FOCAL_ALPHA * targets + (1 - FOCAL_ALPHA) * (1 - targets)
    return (alpha * miss.clamp_min(1e-8) ** FOCAL_GAMMA * each).mean()
''',
    "focal_loss": '''
def focal_loss(logits, targets, row_weights=1, **settings):
    """Focal loss (Lin et al. 2017): rows that are answered well already count less."""
    each = F.cross_entropy(logits, targets, reduction="none", **settings)
    miss = 1 - F.softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]
    return (row_weights * each * miss.clamp_min(1e-8) ** FOCAL_GAMMA).mean()
''',
}

DECIDING = {
    "fit_temperature": '''
def fit_temperature(truth, probability):
    """Fit one divisor of all logits (Guo et al. 2017); return a function to apply it."""
    logits = np.log(np.clip(probability, 1e-7, 1 - 1e-7))

    def loss(log_temperature):
        scaled = logits / np.exp(log_temperature)
        right = scaled[np.arange(len(truth)), truth]
        return (logsumexp(scaled, axis=1) - right).mean()

    bounds = (-np.log(100), np.log(100))
    temperature = np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)

    def calibrate(probability):
        logits = np.log(np.clip(probability, 1e-7, 1 - 1e-7))
        return softmax(logits / temperature, axis=1)

    return calibrate
''',
    "fit_positive": '''
def fit_positive(truth, probability):
    """Calibrate the positive class; return a function to apply it."""
    curve = fit_curve(truth == 1, np.clip(probability[:, 1], 1e-7, 1 - 1e-7))

    def calibrate(probability):
        positive = curve(np.clip(probability[:, 1], 1e-7, 1 - 1e-7))
        return np.column_stack([1 - positive, positive])

    return calibrate
''',
    "fit_each_class": '''
def fit_each_class(truth, probability):
    """Calibrate each class against the rest; return a function to apply it."""
    columns = np.clip(probability, 1e-7, 1 - 1e-7).T
    curves = [fit_curve(truth == k, column) for k, column in enumerate(columns)]

    def calibrate(probability):
        columns = np.clip(probability, 1e-7, 1 - 1e-7).T
        shares = np.array([curve(column) for curve, column in zip(curves, columns)]).T
        return shares / shares.sum(axis=1, keepdims=True)

    return calibrate
''',
}

CURVES = {
    "platt": '''
def fit_curve(hits, probability):
    """Fit a logistic curve over the logits (Platt 1999), with his softened targets."""
    positives, negatives = hits.sum(), (~hits).sum()
    target = np.where(hits, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    curve = LogisticRegression(C=np.inf, max_iter=1000)
    curve.fit(
        np.tile(logit(probability), 2)[:, None],
        np.repeat([1, 0], len(hits)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return lambda new: curve.predict_proba(logit(new)[:, None])[:, 1]
''',
    "isotonic": '''
def fit_curve(hits, probability):
    """Fit a rising step line (Zadrozny & Elkan 2002) that is never quite certain."""
    margin = 1 / (len(hits) + 2)
    steps = IsotonicRegression(y_min=margin, y_max=1 - margin, out_of_bounds="clip")
    return steps.fit(probability, hits).predict
''',
}

THRESHOLD = '''
def tune_threshold(truth, positive):
    """Return the threshold of the best {score}; of equals, the nearest to 0.5."""
    edges = np.concatenate([[0], np.unique(positive), [1]])
    thresholds = (edges[:-1] + edges[1:]) / 2
    hits, misses = np.sort(positive[truth == 1]), np.sort(positive[truth == 0])
    tp = len(hits) - np.searchsorted(hits, thresholds)
    fp = len(misses) - np.searchsorted(misses, thresholds)
{formula}
    best = thresholds[score >= score.max() - 1e-12]
    return best[np.abs(best - 0.5).argmin()]
'''

FORMULAS = {
    "mcc": (
        "MCC",
        "fn, tn = len(hits) - tp, len(misses) - fp\n"
        "spread = np.sqrt(1.0 * (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))\n"
        "score = (1.0 * tp * tn - 1.0 * fp * fn) / np.where(spread > 0, spread, 1)",
    ),
    "f1": ("F1", "score = 2 * tp / (len(hits) + tp + fp)"),
    "balanced-accuracy": ("balanced accuracy", "score = (tp / len(hits) + 1 - fp / len(misses)) / 2"),
    "accuracy": ("accuracy", "score = (tp + len(misses) - fp) / len(truth)"),
    "cost": ("mean cost", "score = -(FP_COST * fp + FN_COST * (len(hits) - tp)) / len(truth)"),
}
