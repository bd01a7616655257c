"""Functions that a rendered script may need, as their source; only those that a script calls get into it."""

READING = {
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

TRAINING = {
    "signed_log1p": '''
def signed_log1p(x):
    """log(1 + x), mirrored for negative numbers."""
    return np.sign(x) * np.log1p(np.abs(x))
''',
    "binary_focal_loss": '''
def binary_focal_loss(logits, targets, pos_weight=None):
    """Focal loss (Lin et al. 2017): rows that are answered well already count less."""
    each = F.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=pos_weight, reduction="none"
    )
    probability = torch.sigmoid(logits)
    miss = targets + probability - 2 * targets * probability
    alpha = FOCAL_ALPHA * targets + (1 - FOCAL_ALPHA) * (1 - targets)
    return (alpha * miss.clamp_min(1e-8) ** FOCAL_GAMMA * each).mean()
''',
    "focal_loss": '''
def focal_loss(logits, targets, **settings):
    """Focal loss (Lin et al. 2017): rows that are answered well already count less."""
    each = F.cross_entropy(logits, targets, reduction="none", **settings)
    miss = 1 - F.softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]
    return (each * miss.clamp_min(1e-8) ** FOCAL_GAMMA).mean()
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
}
