"""What was seen of a live model, its loss and its optimizer, as plain numbers that rules can read without PyTorch."""

from typing import Literal

import msgspec

Takes = Literal["logits", "probabilities", "class-logits", "class-log-probabilities", "unknown"]
"""What a loss expects of the model's outputs; "class-" where there is one output a class."""

SeenIn = Literal["loader", "loss"]
"""Where labels were seen: as the loader gives them, or as a loop handed them to the loss."""


class ParameterFacts(msgspec.Struct, frozen=True):
    """One parameter tensor.

    Attributes:
        name: its name in the model; where it is not registered, where it was found.
        shape: its shape.
        trainable: whether it asks for a gradient.
        in_optimizer: whether the optimizer updates it; None where there is no optimizer.
        gradient: the root mean square of its gradient before training; None where none arrives.
        constant: the one value that all of its elements have; None where they differ.
        registered: whether the model knows it, and saves and moves it.
        untrained: whether its values lie as PyTorch draws them for a new layer.
        weight: whether it is the weight matrix of a linear, convolution or recurrent layer.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    in_optimizer: bool | None = None
    gradient: float | None = None
    constant: float | None = None
    registered: bool = True
    untrained: bool = False
    weight: bool = False

    @property
    def all_zero(self) -> bool:
        """Tell whether all of its elements are 0."""
        return self.constant == 0


class LayerFacts(msgspec.Struct, frozen=True):
    """One activation over the rows looked at, as shares in [0, 1].

    Attributes:
        name: the module it was called in and its number among the activations.
        kind: "relu", "sigmoid", "tanh".
        units: how many units (channels of a convolution) it has.
        rows: how many rows were looked at.
        dead: share of the units that are 0 on every row.
        saturated: share of the values within a hundredth of a bound.
    """

    name: str
    kind: str
    units: int
    rows: int
    dead: float | None = None
    saturated: float | None = None


class InputFacts(msgspec.Struct, frozen=True):
    """The inputs of the rows looked at.

    Attributes:
        shape: their shape, rows first.
        dtype: their element type, as "float32".
        finite: whether every value is a number.
        largest: the largest root mean square of a feature (of a channel, for images).
        rescaled_loss: the loss of the same untrained model on the same rows with every feature standardised; None
            where that was not tried.
    """

    shape: tuple[int, ...]
    dtype: str
    finite: bool = True
    largest: float = 1.0
    rescaled_loss: float | None = None


class OutputFacts(msgspec.Struct, frozen=True):
    """The outputs on the rows looked at, and what made them.

    Attributes:
        shape: their shape, rows first.
        low: the lowest output; NaN where none is finite.
        high: the highest output.
        finite: whether all are finite.
        bounded: whether they stay within [0, 1] when all weights are made larger, and negative.
        rows_sum_to_one: whether the outputs of each row sum to 1, and there are several.
        columns_sum_to_one: whether each output sums to 1 over the rows of the batch.
        log_normalised: whether the exponentials of each row's outputs sum to 1.
        last: the operation that made them: "sigmoid", "softmax", "log-softmax", "relu", "tanh" or "".
        module: the class of the module that did and that can be left out, "" where none is known.
    """

    shape: tuple[int, ...]
    low: float
    high: float
    finite: bool = True
    bounded: bool = False
    rows_sum_to_one: bool = False
    columns_sum_to_one: bool = False
    log_normalised: bool = False
    last: str = ""
    module: str = ""


class LabelFacts(msgspec.Struct, frozen=True):
    """The labels of the rows looked at.

    Attributes:
        shape: their shape, rows first.
        dtype: their element type, as "int64".
        values: the distinct ones, ascending; of more than twenty the lowest and the highest.
        seen_in: where they were seen.
        broadcast: whether the loss spreads them against outputs of another shape.
    """

    shape: tuple[int, ...]
    dtype: str
    values: tuple[float, ...]
    seen_in: SeenIn = "loader"
    broadcast: bool = False


class FitFacts(msgspec.Struct, frozen=True):
    """Whether a copy of the model can learn a few rows by heart: losses in nats before and after so many steps."""

    rows: int
    steps: int
    first_loss: float
    last_loss: float


class OptimizerFacts(msgspec.Struct, frozen=True):
    """An optimizer by its class's name, and the highest learning rate that it has had or is scheduled to have."""

    name: str
    learning_rate: float


class StepFacts(msgspec.Struct, frozen=True):
    """What the steps of a training showed.

    Attributes:
        backwards: how many backward passes there were.
        steps: how many optimizer steps.
        gradient_steps: the steps at which the norm of all gradients was taken.
        gradient_norms: these norms, as many.
        update_ratio: the norm of a weight matrix's change over its own norm: the median over all steps looked at, or
            over the first five, whichever is higher.
        not_reset: at how many of the first steps the gradients of the step before were still there; 0 where never.
        looked_for_reset: at how many this was looked for.
        evaluating_while_training: share of the training passes that were made in evaluation mode.
        first_not_finite: the step whose loss was the first that is not finite; None where all are.
    """

    backwards: int = 0
    steps: int = 0
    gradient_steps: tuple[int, ...] = ()
    gradient_norms: tuple[float, ...] = ()
    update_ratio: float | None = None
    not_reset: int = 0
    looked_for_reset: int = 0
    evaluating_while_training: float = 0.0
    first_not_finite: int | None = None


class Inspection(msgspec.Struct, frozen=True):
    """A model, its loss and its optimizer, as one batch and the steps so far show them.

    Attributes:
        loss: the loss's name.
        takes: what it expects of the outputs.
        outputs: the outputs before training.
        labels: the labels.
        first_loss: the loss before any step; NaN where it could not be computed.
        inputs: the inputs; None where they are no tensor.
        loss_error: what the loss said instead of giving a number; "" where it gave one.
        parameters: the parameters, in the order in which the model registers them.
        layers: the activations, in the order of their calls, as last looked at.
        fit: whether a few rows can be learnt by heart; None where it was not tried or not decided in time.
        optimizer: the optimizer, where there is one.
        evaluation_difference: the largest difference of two passes in evaluation mode over the spread of the outputs.
        depends_on_mode: whether a module behaves differently in training (dropout, batch normalisation).
        trains_while_validating: whether most validation passes were made in training mode by such a model.
        training: what the steps showed; None before training.
    """

    loss: str
    takes: Takes
    outputs: OutputFacts
    labels: LabelFacts
    first_loss: float
    inputs: InputFacts | None = None
    loss_error: str = ""
    parameters: tuple[ParameterFacts, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    fit: FitFacts | None = None
    optimizer: OptimizerFacts | None = None
    evaluation_difference: float | None = None
    depends_on_mode: bool = False
    trains_while_validating: bool = False
    training: StepFacts | None = None
