"""What the name of a logged number says: which rows it is of, what is measured, and how often."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

Part = Literal["train", "valid", "test", ""]

PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training", "tr", "trn", "learn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "eval", "evaluation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}

EPOCH_NAMES = {
    "epoch",
    "epochs",
    "current-epoch",
    "epoch-num",
    "epoch-number",
    "epoch-id",
    "epoch-idx",
    "n-epoch",
    "ep",
}
STEP_NAMES = {
    *("step", "steps", "global-step", "trainer-global-step", "iter", "iters", "iteration", "iterations", "update"),
    *("num-updates", "round", "boosting-round", "batch", "batch-idx", "n-iter", "iter-num"),
}
RUN_NAMES = {
    *("fold", "run", "run-id", "run-name", "trial", "cv-fold", "seed", "repeat"),
    *("model", "model-name", "classifier", "algorithm", "experiment"),
}
PART_NAMES = {"phase", "part", "split", "mode", "stage", "subset", "set", "dataset", "partition"}

UNPARTED = ("learning-rate", "gradient-norm")
"""Metrics that are of no rows."""

TASKS = {"binary", "multiclass", "multilabel", "multi", "categorical", "sparse"}
"""What names of metrics begin with that say no more than the loss does."""

GRAINS = {
    **dict.fromkeys(("epoch", "avg", "mean", "average", "total"), "epoch"),
    **dict.fromkeys(("step", "batch", "iter", "iteration", "running", "vs", "iterations", "minibatch"), "batch"),
}
FILLERS = {"metrics", "metric", "history", "hist", "list", "values", "curve", "log", "logs", "dataloader", "idx", "per"}

METRICS: Mapping[str, str] = {
    name: metric
    for metric, names in {
        "loss": "loss losses cost nll ce xent bce cross-entropy crossentropy cross-entropy-loss crossentropy-loss "
        "crossentropyloss bce-loss ce-loss nll-loss logloss log-loss binary-logloss multi-logloss mlogloss "
        "binary-crossentropy categorical-crossentropy sparse-categorical-crossentropy loss-fn criterion objective "
        "classification-loss multiclass loss-ce loss-bce loss-cls",
        "accuracy": "accuracy accuracies acc accs acc1 acc-1 top1 top-1 top1-acc top1-accuracy acc-top1 acc-top-1 "
        "accuracy-top1 accuracy-top-1 top-1-accuracy top-1-acc binary-accuracy categorical-accuracy accuracy-score "
        "sparse-categorical-accuracy multiclass-accuracy multiclassaccuracy binaryaccuracy prec1 prec-1",
        "error": "error err errors merror error-rate binary-error multi-error",
        "roc-auc": "auc auroc roc-auc rocauc roc-auc-score auc-roc binaryauroc multiclassauroc",
        "average-precision": "aucpr auprc pr-auc prauc auc-pr average-precision average-precision-score ap auc-prc prc",
        "f1": "f1 f1-score f1score binaryf1score",
        "macro-f1": "macro-f1 f1-macro macro-f1-score f1-score-macro",
        "weighted-f1": "weighted-f1 f1-weighted weighted-f1-score f1-score-weighted",
        "precision": "precision",
        "recall": "recall sensitivity sens tpr",
        "specificity": "specificity spec tnr",
        "balanced-accuracy": "balanced-accuracy balanced-acc bal-acc bacc balanced-accuracy-score",
        "mcc": "mcc matthews matthews-correlation matthews-corrcoef matthewscorrcoef",
        "learning-rate": "lr learning-rate learningrate",
        "gradient-norm": "grad-norm gradient-norm gradnorm",
    }.items()
    for name in names.split()
}
"""Canonical metrics by the words that are left of a name without part, grain and numbers."""

METRIC_NAMES = frozenset((*METRICS.values(), "score"))

ENTROPIES = {
    *("ce", "xent", "bce", "cross-entropy", "crossentropy", "cross-entropy-loss", "crossentropy-loss", "bce-loss"),
    *("ce-loss", "crossentropyloss", "logloss", "log-loss", "binary-logloss", "multi-logloss", "mlogloss"),
    *("binary-crossentropy", "categorical-crossentropy", "sparse-categorical-crossentropy", "multiclass", "loss-ce"),
    "loss-bce",
}
"""Words for a loss that is a cross-entropy in nats a row, whatever the model."""

OTHER_TASKS = {
    *("perplexity", "ppl", "bleu", "rouge", "rouge1", "rouge2", "rougel", "wer", "cer", "mse", "mae", "rmse", "r2"),
    *("mean-token-accuracy", "num-tokens", "reward", "rewards", "box-loss", "dfl-loss", "map50", "meteor", "psnr"),
    *("mean-squared-error", "mean-absolute-error", "root-mean-squared-error", "exact-match", "logps-chosen", "l2"),
}
"""Words that only the log of something else than a classifier holds: language models, regressions, detectors."""

BOOKKEEPING = re.compile(
    r"runtime|per[-_ ]second|total_flos|^_|(^|[-_/ ])(time|dur|duration|timestamp|eta|elapsed|seconds|datetime|wall)"
    r"([-_/ ]|$)|memory|n_parameters|event_cp",
    re.IGNORECASE,
)
JOINED = re.compile(r"(train|valid|val|test|eval|tr)(loss(?:es)?|acc(?:uracy|s)?|auc|f1)")
WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


class Meaning(msgspec.Struct, frozen=True):
    """What a name says.

    Attributes:
        part: the rows, "" where the name does not say.
        metric: one of ``METRICS``; "" for a name that is not known.
        words: the name without part and grain, joined by dashes.
        grain: whether a number sums up an epoch or is one batch's, "" where the name does not say.
    """

    part: Part
    metric: str
    words: str
    grain: str = ""

    @property
    def is_entropy(self) -> bool:
        """Tell whether the name is that of a cross-entropy."""
        return self.words in ENTROPIES

    @property
    def is_other_task(self) -> bool:
        """Tell whether only something else than a classifier is measured so."""
        return self.words in OTHER_TASKS


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name as lower-case words joined by dashes."""
    return "-".join(_words(name))


@lru_cache(maxsize=4096)
def meaning(name: str) -> Meaning:
    """Read a name: ``val_loss``, ``Loss/train``, ``eval_accuracy``, ``train/acc_epoch``, ``metrics/accuracy_top1``."""
    part: Part = ""
    grain = ""
    rest: list[str] = []
    for word in _words(name):
        found = PARTS.get(word) or PARTS.get(word.rstrip("0123456789"), "")
        if found:
            part = part or found
        elif word in GRAINS:
            grain = grain or GRAINS[word]
        elif word not in FILLERS:
            rest.append(word)
    words = "-".join(rest)
    short = "-".join(word for word in rest if not word.isdigit())
    if short and words not in METRICS:
        # "auc_2" and "dense_1_accuracy" are names that a library made distinct.
        words = short if short in METRICS or short.rstrip("0123456789") not in METRICS else short.rstrip("0123456789")
    if words not in METRICS and short.partition("-")[0] in TASKS:
        shorter = "-".join(word for word in short.split("-") if word not in TASKS)
        words = shorter if shorter in METRICS else words
    metric = METRICS.get(words, "")
    if part and words in ("score", "scores"):
        metric = "score"
    if not metric and rest and rest[0] in ("lr", "learning"):
        metric = "learning-rate"
    if not metric and {"grad", "gradient"} & {*rest} and "norm" in rest and len(rest) <= 4:
        metric = "gradient-norm"
    return Meaning(part, metric, words, grain)


def is_bookkeeping(name: str) -> bool:
    """Tell whether a number is about the clock or the machine, not about the model."""
    return BOOKKEEPING.search(name) is not None


def part_in(text: str) -> str:
    """Return what a cell such as "train" or "Validation" names, "" where it names no part."""
    words = _words(text)
    return PARTS.get(words[0], "") if len(words) == 1 else ""


def _words(name: str) -> list[str]:
    words: list[str] = []
    for word in WORDS.findall(name):
        joined = JOINED.fullmatch(word.lower())
        words += [joined[1], joined[2]] if joined else [word.lower()]
    return words
