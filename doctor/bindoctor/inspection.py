"""What was seen of a live model on one batch, as plain numbers that rules can read without PyTorch."""

from typing import Literal

import msgspec

Takes = Literal["logits", "probabilities", "class-logits", "class-log-probabilities", "unknown"]
"""What a loss expects of the model's outputs; "class-" where there is one output a class."""


class ParameterFacts(msgspec.Struct, frozen=True):
    """One parameter tensor: whether it is trained, and the norm of its gradient (None where none arrived)."""

    name: str
    shape: tuple[int, ...]
    trainable: bool
    in_optimizer: bool | None = None
    gradient: float | None = None
    all_zero: bool = False


class LayerFacts(msgspec.Struct, frozen=True):
    """One activation's units over the rows of the batch, as shares of its units in [0, 1]."""

    name: str
    kind: str
    units: int
    dead: float | None = None
    saturated: float | None = None


class OutputFacts(msgspec.Struct, frozen=True):
    """The model's outputs on the batch, and what made them."""

    shape: tuple[int, ...]
    low: float
    high: float
    finite: bool = True
    rows_sum_to_one: bool = False
    last: str = ""


class LabelFacts(msgspec.Struct, frozen=True):
    """The labels of the batch; ``values`` are the distinct ones, ascending, at most twenty."""

    shape: tuple[int, ...]
    dtype: str
    values: tuple[float, ...]


class FitFacts(msgspec.Struct, frozen=True):
    """Whether a copy of the model can learn a few rows by heart: losses in nats before and after so many steps."""

    rows: int
    steps: int
    first_loss: float
    last_loss: float


class Inspection(msgspec.Struct, frozen=True):
    """A model, its loss and its optimizer, as one batch shows them."""

    loss: str
    takes: Takes
    outputs: OutputFacts
    labels: LabelFacts
    first_loss: float
    parameters: tuple[ParameterFacts, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    fit: FitFacts | None = None
    evaluation_difference: float | None = None
    trains_while_validating: bool = False
