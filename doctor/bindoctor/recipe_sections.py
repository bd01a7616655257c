"""The recipe's sections: every setting of a training that is not data, with its ranges and choices."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal, cast

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Rate = Annotated[float, msgspec.Meta(ge=0, lt=1)]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Quantile = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Number = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
Width = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
RowNumber = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]

MIN_ROWS_IN_LEAF = 20

DATE_FORMAT = re.compile(
    r"%([YymbBd])[-/. ,]{0,2}%([YymbBd])[-/. ,]{0,2}%([YymbBd])"
    r"(?:[ T](?:%H:%M(?::%S(?:%\.f)?)?Z?|%I:%M(?::%S)? ?%p))?"
)
REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
KINDS_OF_PARTS = {"Y": "year", "y": "year", "m": "month", "b": "month", "B": "month", "d": "day"}

Transform = Literal["log1p", "power", "quantile"]
Encoding = Literal["onehot", "target", "hash"]
DatePart = Literal["year", "month", "day", "weekday", "hour", "days"]
Score = Literal[
    "auto", "log-loss", "average-precision", "roc-auc", "accuracy", "balanced-accuracy", "f1", "mcc", "cost"
]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """One table of the recipe; keys are written with dashes."""


class Data(Section, frozen=True):
    """Which cells are read, and how.

    ``missing_tokens`` are cell texts read as missing in every column, ``missing_values`` in one column; ``casts``
    reads a column as numbers (what does not parse becomes missing) or as text; ``target_levels`` renames target labels.

    ``tidy`` names feature columns whose texts are read without blanks around them, without invisible characters and
    in one case. ``limits`` makes numbers outside of [low, high] missing; -inf and inf leave a side open. ``weight``
    names a column of non-negative numbers that says how much each row counts in training (not in scores); it is no
    feature.

    Of the rows, ``drop_rows`` leaves out these 0-based data rows, ``drop_overlap`` those that also stand in the
    validation or test file, and ``conflicts`` decides about rows with equal features and different labels: "majority"
    keeps those with the most frequent label, and none where two are equally frequent; "drop" keeps none.
    """

    drop: tuple[str, ...] = ()
    casts: dict[str, Literal["number", "text"]] = {}
    missing_tokens: tuple[str, ...] = ()
    missing_values: dict[str, tuple[str, ...]] = {}
    deduplicate: bool = False
    drop_missing_target: bool = False
    target_levels: dict[str, str] = {}
    tidy: tuple[str, ...] = ()
    limits: dict[str, tuple[float | None, float | None]] = {}
    weight: str = ""
    drop_overlap: bool = False
    drop_rows: tuple[RowNumber, ...] = ()
    conflicts: Literal["keep", "majority", "drop"] = "keep"

    def __post_init__(self) -> None:
        # JSON has no infinity and writes null instead.
        limits = {
            name: (-math.inf if low is None else low, math.inf if high is None else high)
            for name, (low, high) in self.limits.items()
        }
        for name, (low, high) in limits.items():
            if not low <= high or low == math.inf or high == -math.inf:
                raise ValueError(f"the limits of {name!r} must be [low, high] with low <= high")
        msgspec.structs.force_setattr(self, "limits", limits)

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        """Return ``limits`` as they are read: an open side is infinite."""
        return cast("Mapping[str, tuple[float, float]]", self.limits)


class Split(Section, frozen=True):
    """How rows are kept back: one validation part, or folds, optionally repeated.

    ``valid`` is the share that a holdout keeps back, and that early stopping cuts from the training rows. ``time``
    names a column to order by: rows kept back are then the latest. ``column`` names a column whose levels say which
    part a row belongs to ("train", "valid", "test" and their like): the rows of the other parts than training are
    kept back, whatever ``kind`` says, and the column is no feature. Folds that are not shuffled are contiguous blocks
    of rows in the file's order.
    """

    kind: Literal["holdout", "folds"] = "holdout"
    valid: Share = 0.2
    folds: Annotated[int, msgspec.Meta(ge=2, lt=2**31)] = 5
    repeats: Number = 1
    stratify: bool = False
    shuffle: bool = True
    group: str = ""
    time: str = ""
    column: str = ""


class Dates(Section, frozen=True):
    """How a column of dates becomes numbers.

    ``format`` is written as for ``strptime``: a year (%Y or %y), a month (%m, %b or %B) and a day (%d) in any order,
    and perhaps a time (%H:%M, %H:%M:%S, %I:%M %p …) behind them. ``parts`` are the number columns that take the date's
    place, named "<column>_<part>": "weekday" counts from Monday = 0, "days" are those since 1970-01-01. A cell that
    does not fit the format is missing.
    """

    format: str = "%Y-%m-%d"
    parts: Annotated[tuple[DatePart, ...], msgspec.Meta(min_length=1)] = ("year", "month", "weekday")

    def __post_init__(self) -> None:
        found = DATE_FORMAT.fullmatch(self.format)
        if found is None or len({KINDS_OF_PARTS[part] for part in found.groups()}) < 3:
            raise ValueError(
                f"the format {self.format!r} must hold a year (%Y, %y), a month (%m, %b, %B) and a day (%d), and "
                "behind them perhaps a time such as %H:%M:%S"
            )
        msgspec.structs.force_setattr(self, "parts", tuple(dict.fromkeys(self.parts)))


class Derived(Section, frozen=True, omit_defaults=True):
    """A number column made of others.

    "ratio" is a / b, "product" a · b, "difference" a - b; "group-mean-ratio" is a over the mean of a among the training
    rows with the same value in ``by``, "group-mean-difference" a minus it. A division by zero gives a missing number.
    """

    op: Literal["ratio", "product", "difference", "group-mean-ratio", "group-mean-difference"]
    a: str
    b: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        given, other = ("by", "b") if self.grouped else ("b", "by")
        if not self.a or not getattr(self, given) or getattr(self, other):
            raise ValueError(f"the operation {self.op!r} takes the columns 'a' and {given!r}")

    @property
    def grouped(self) -> bool:
        """Tell whether means of groups of training rows are needed."""
        return self.op.startswith("group-")

    @property
    def divides(self) -> bool:
        """Tell whether the result is undefined where something is zero."""
        return self.op.endswith("ratio")

    @property
    def parents(self) -> tuple[str, ...]:
        """Return the columns that it is made of."""
        return (self.a, self.by if self.grouped else self.b)


class Features(Section, frozen=True):
    """How columns become numbers; every fitted step is fitted on training rows only.

    ``rare`` groups category levels with fewer training rows than this; ``transform`` and ``encode_columns`` hold
    choices for single columns, ``scale`` and ``encode`` for all the others. The encoding "hash" gives a text column's
    levels a fixed number of inputs (Weinberger et al. 2009).

    ``dates`` turns columns of dates into numbers, ``derive`` adds number columns made of others, by name, and ``clip``
    moves the numbers of a column into the range between two quantiles of its training rows, such as [0.01, 0.99], in
    this order and before anything else. ``keep`` leaves so many inputs, those that differ most between the classes (by
    the analysis of variance's F) on training rows; 0 keeps all.
    """

    impute: Literal["none", "mean", "median", "most-frequent", "zero"] = "none"
    indicators: bool = False
    transform: dict[str, Transform] = {}
    scale: Literal["none", "standard", "minmax", "robust", "quantile", "power", "log1p"] = "none"
    encode: Encoding = "onehot"
    encode_columns: dict[str, Encoding] = {}
    rare: Count = 0
    clip: dict[str, tuple[Quantile, Quantile]] = {}
    dates: dict[str, Dates] = {}
    derive: dict[str, Derived] = {}
    keep: Count = 0

    def __post_init__(self) -> None:
        for name, (low, high) in self.clip.items():
            if not low < high:
                raise ValueError(f"the quantiles of {name!r} must be [low, high] with low < high")


class Resample(Section, frozen=True):
    """How training rows are resampled, inside training folds only; ``ratio`` is rare to common rows after it."""

    method: Literal[
        "none",
        "smote",
        "smotenc",
        "borderline-smote",
        "adasyn",
        "random-over",
        "random-under",
        "smote-tomek",
        "smote-enn",
    ] = "none"
    ratio: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    neighbors: Number = 5


class Model(Section, frozen=True):
    """The estimator: one of bindoctor's, or the user's own.

    ``hidden`` and what follows it belong to the MLP (logistic regression is an MLP without layers).

    ``factory`` names a function of the user's as "module:function", the module relative to the folder of the settings;
    called with the input width, or the shape of one row of an array, and the number of outputs, it returns a
    ``torch.nn.Module`` that gives logits. ``estimator`` names a function, or a class of an installed package, that
    returns a scikit-learn classifier. Naming either makes it the ``kind``. ``options`` are keyword arguments for it.
    Of the settings of networks, those that the factory takes as keywords (``hidden``, ``activation``, ``dropout``,
    ``batch_norm``) are handed to it where they are set; others are edits of the module that it returns, and
    ``strip_output`` removes a sigmoid or softmax at its end. Without being set, ``hidden`` is then empty and
    ``activation`` "own": what the factory makes of it.
    """

    kind: Literal["mlp", "logistic", "gradient-boosting", "factory", "estimator"] = "mlp"
    factory: str = ""
    estimator: str = ""
    options: dict[str, bool | int | float | str | tuple[int | float | str, ...]] = {}
    hidden: Annotated[tuple[Width, ...], msgspec.Meta(max_length=100)] = (64, 32)
    activation: Literal["own", "relu", "leaky-relu", "elu", "gelu", "tanh", "sigmoid"] = "relu"
    dropout: Rate = 0.0
    batch_norm: bool = False
    prior_bias: bool = False
    strip_output: bool = False

    def __post_init__(self) -> None:
        for name, reference in (("factory", self.factory), ("estimator", self.estimator)):
            if reference and not REFERENCE.fullmatch(reference):
                raise ValueError(f'{name} is {reference!r}; write "module:function", such as "train:make_model"')
            if self.kind == name and not reference:
                raise ValueError(f'kind {name!r} needs {name} = "module:function"')
        if self.kind == "mlp" and self.activation == "own":
            raise ValueError("kind 'mlp' needs hidden and activation to be set where a factory is named as well")

    @property
    def network(self) -> bool:
        """Tell whether a network is trained, step by step: not trees, nor the user's own estimator."""
        return self.kind in ("mlp", "logistic", "factory")

    @property
    def own(self) -> str:
        """Return the reference to the user's own model where one is trained, else ""."""
        return {"factory": self.factory, "estimator": self.estimator}.get(self.kind, "")

    @property
    def sized(self) -> bool:
        """Tell whether the recipe alone says how many weights the network has."""
        return self.kind in ("mlp", "logistic")


class Loss(Section, frozen=True):
    """What training minimises; ``class_weight`` is "none", "balanced", or the positive class's weight."""

    kind: Literal["bce", "focal", "cross-entropy"] = "bce"
    class_weight: Literal["none", "balanced"] | Positive = "none"
    focal_alpha: Share = 0.25
    focal_gamma: NonNegative = 2.0
    label_smoothing: Rate = 0.0


class Optimizer(Section, frozen=True):
    """How weights are updated; 0 switches ``l1``, ``weight_decay``, ``momentum`` and ``clip_norm`` off."""

    kind: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Rate = 0.0
    schedule: Literal["constant", "cosine", "step", "plateau"] = "constant"
    l1: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    clip_norm: NonNegative = 0.0


class Train(Section, frozen=True):
    """How long training runs; an epoch goes through as many rows as there were before resampling.

    ``patience`` 0 means no early stopping, otherwise it watches a validation part of the training rows.
    """

    epochs: Number = 50
    batch_size: Number = 128
    patience: Count = 0
    restore_best: bool = True
    monitor: Literal["loss", "accuracy", "average-precision"] = "loss"
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Decide(Section, frozen=True):
    """How probabilities become answers, and which score counts ("auto": log loss).

    A tuned threshold and a calibrator are fitted on out-of-fold probabilities; ``tune_for`` is the score the
    threshold is tuned for.

    ``cost`` is what a false positive ("fp") and a false negative ("fn") of the positive class cost, in any unit; right
    answers cost nothing. Where it is set, the mean cost a row ("cost") is a score, it takes the place of ``tune_for``,
    and "auto" tunes the threshold for it; otherwise "auto" is 0.5. "bayes" is fp / (fp + fn), the cheapest threshold
    for probabilities that are right (Elkan 2001).
    """

    threshold: Literal["auto", "tuned", "bayes"] | Annotated[float, msgspec.Meta(ge=0, le=1)] = "auto"
    tune_for: Literal["mcc", "f1", "balanced-accuracy", "accuracy"] = "mcc"
    calibrate: Literal["none", "temperature", "platt", "isotonic"] = "none"
    score: Score = "auto"
    cost: dict[str, NonNegative] = {}

    def __post_init__(self) -> None:
        if not self.cost:
            needs = {"threshold 'bayes'": self.threshold == "bayes", "score 'cost'": self.score == "cost"}
            for name in (name for name, asked in needs.items() if asked):
                raise ValueError(f"{name} needs to know what errors cost; set cost = {{ fp = 1, fn = 20 }}, say")
        elif set(self.cost) != {"fp", "fn"} or not 0 < sum(self.cost.values()) < math.inf:
            raise ValueError("cost must be of the form { fp = 1, fn = 20 }, finite and not both 0")

    @property
    def costs(self) -> tuple[float, float] | None:
        """Return what a false positive and a false negative cost, if that is known."""
        return (self.cost["fp"], self.cost["fn"]) if self.cost else None

    @property
    def cut(self) -> Literal["tuned"] | float:
        """Return the threshold as a number, or that it is tuned."""
        if self.threshold == "auto":
            return "tuned" if self.cost else 0.5
        return self.cost["fp"] / sum(self.cost.values()) if self.threshold == "bayes" else self.threshold

    @property
    def tuned_for(self) -> str:
        """Return the score of answers that a threshold is tuned for and judged by."""
        return "cost" if self.cost else self.tune_for

    @property
    def fixed_threshold(self) -> float:
        """Return the threshold, or 0.5 while a tuned one is not known."""
        return 0.5 if self.cut == "tuned" else self.cut
