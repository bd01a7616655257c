"""Trainings that something is wrong with, and the code that names it."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from imblearn.over_sampling import SMOTE
from loop import NONE, Faults, train
from models import images, linear, mlp
from tasks import Task, bars, clouds, rings, several, standardised
from torch import Tensor, nn
from torch.nn.functional import softplus

import bindoctor
from bindoctor import Finding

Found = Sequence[Finding]


@dataclass(frozen=True)
class Fault:
    """A planted fault.

    Attributes:
        name: what is wrong.
        expected: codes of which the loudest finding has one.
        found: trains with the fault and returns what bindoctor finds, loudest first; takes a seed.
    """

    name: str
    expected: tuple[str, ...]
    found: Callable[[int], Found]


def watched(
    task: Task,
    model: nn.Module,
    seed: int,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    target: str = "column",
    rate: float = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    epochs: int = 15,
    batch: int = 64,
    patience: int = 0,
    faults: Faults = NONE,
    shift: float = 0.0,
    stretch: float = 1.0,
    valid: bool = True,
) -> Found:
    """Train under watch, Adam unless another optimizer is given; ``stretch`` and ``shift`` change the labels."""
    loss = loss or nn.BCEWithLogitsLoss()
    train_loader, valid_loader = task.loaders(batch=batch, target=target, seed=seed)
    if (shift, stretch) != (0.0, 1.0):
        for loader in (train_loader, valid_loader):
            inputs, labels = loader.dataset.tensors
            loader.dataset.tensors = (inputs, (labels * stretch + shift).to(labels.dtype))
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=rate)
    seen = None
    try:
        with bindoctor.watch(model, loss, optimizer, train_loader, valid_loader if valid else None) as seen:
            train(
                model,
                loss,
                optimizer,
                train_loader,
                valid_loader if valid else None,
                epochs=epochs,
                patience=patience,
                faults=faults,
            )
    except (ValueError, IndexError, RuntimeError):
        # Some faults stop PyTorch, too; what had been seen by then counts.
        if seen is None:
            raise
    return seen.findings


def with_labels(task: Task, labels: np.ndarray, valid_labels: np.ndarray) -> Task:
    return replace(task, labels=labels, valid_labels=valid_labels)


def rescaled(task: Task, by: float) -> Task:
    return replace(task, inputs=task.inputs * np.float32(by), valid_inputs=task.valid_inputs * np.float32(by))


def learning_rate_times_1000(seed: int) -> Found:
    return watched(rings(seed), mlp(4), seed, rate=1.0)


def sgd_times_1000(seed: int) -> Found:
    model = mlp(10)
    return watched(clouds(seed), model, seed, optimizer=torch.optim.SGD(model.parameters(), lr=50.0))


def learning_rate_over_1000(seed: int) -> Found:
    return watched(rings(seed), mlp(4), seed, rate=1e-6, epochs=25)


def unscaled_inputs(seed: int) -> Found:
    task, scales = clouds(seed), np.ones(10, dtype=np.float32)
    scales[:3] = 1e6
    return watched(replace(task, inputs=task.inputs * scales, valid_inputs=task.valid_inputs * scales), mlp(10), seed)


def sigmoid_before_a_logits_loss(seed: int) -> Found:
    return watched(clouds(seed), nn.Sequential(mlp(10), nn.Sigmoid()), seed)


def softmax_on_one_logit(seed: int) -> Found:
    return watched(clouds(seed), nn.Sequential(mlp(10), nn.Softmax(dim=1)), seed, loss=nn.BCELoss())


def softmax_before_cross_entropy(seed: int) -> Found:
    model = nn.Sequential(mlp(8, 4), nn.Softmax(dim=1))
    return watched(several(seed), model, seed, loss=nn.CrossEntropyLoss(), target="index")


class FunctionalSigmoid(nn.Module):
    """A network whose forward ends in torch.sigmoid, which no module shows."""

    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(10)

    def forward(self, values: Tensor) -> Tensor:
        """Return probabilities."""
        return torch.sigmoid(self.network(values))


def sigmoid_inside_forward(seed: int) -> Found:
    return watched(clouds(seed), FunctionalSigmoid(), seed)


def relu_as_output(seed: int) -> Found:
    return watched(clouds(seed), nn.Sequential(mlp(10), nn.ReLU()), seed)


def logits_into_bce(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, loss=nn.BCELoss())


def logits_into_nll(seed: int) -> Found:
    return watched(several(seed), mlp(8, 4), seed, loss=nn.NLLLoss(), target="index")


def labels_minus_one_and_one(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, stretch=2.0, shift=-1.0)


def labels_one_and_two(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, shift=1.0)


def classes_counted_from_one(seed: int) -> Found:
    return watched(several(seed), mlp(8, 4), seed, loss=nn.CrossEntropyLoss(), target="index", shift=1.0)


class OwnCrossEntropy(nn.Module):
    """The binary cross-entropy without a look at shapes, as a hand-written loss is."""

    def forward(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over rows."""
        return (softplus(outputs) - outputs * labels).mean()


def flat_labels_against_a_column(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, loss=OwnCrossEntropy(), target="flat")


def the_same_with_a_function(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, loss=OwnCrossEntropy().forward, target="flat")


def gradients_never_reset(seed: int) -> Found:
    model = mlp(10)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01)
    return watched(clouds(seed), model, seed, optimizer=sgd, faults=Faults(keeps_gradients=True))


def validation_with_dropout(seed: int) -> Found:
    model = mlp(10, dropout=0.5)
    return watched(clouds(seed), model, seed, faults=Faults(validates_in_training_mode=True))


def validation_moves_batch_norm(seed: int) -> Found:
    model = mlp(4, normalised=True)
    return watched(rings(seed), model, seed, faults=Faults(validates_in_training_mode=True))


def frozen_head(seed: int) -> Found:
    model = mlp(10)
    model[-1].requires_grad_(False)
    return watched(clouds(seed), model, seed)


def layer_outside_the_optimizer(seed: int) -> Found:
    model = mlp(10)
    return watched(clouds(seed), model, seed, optimizer=torch.optim.Adam(model[:-1].parameters(), lr=1e-3))


class Unregistered(nn.Module):
    """A network that keeps its layers in a plain list, where no optimizer finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(10, 32), nn.Linear(32, 32)]
        self.head = nn.Linear(32, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return logits of shape (n, 1)."""
        for layer in self.layers:
            values = torch.relu(layer(values))
        return self.head(values)


def layers_in_a_list(seed: int) -> Found:
    return watched(clouds(seed), Unregistered(), seed)


def all_weights_zero(seed: int) -> Found:
    model = mlp(4)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return watched(rings(seed), model, seed)


def dead_units(seed: int) -> Found:
    model = mlp(10)
    nn.init.constant_(model[0].bias, -20.0)
    return watched(clouds(seed), model, seed)


def deep_sigmoid_network(seed: int) -> Found:
    return watched(rings(seed), mlp(4, hidden=(32,) * 10, activation=nn.Sigmoid), seed)


def saturated_units(seed: int) -> Found:
    model = mlp(4, hidden=(64, 64), activation=nn.Tanh)
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, std=10.0)
    return watched(rings(seed), model, seed)


def huge_initial_weights(seed: int) -> Found:
    model = mlp(10, hidden=(64,) * 6)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=3.0)
    return watched(clouds(seed), model, seed)


def tiny_data(seed: int) -> Found:
    return watched(clouds(seed, rows=120, apart=0.6), mlp(10), seed, epochs=200, batch=32)


def no_early_stopping(seed: int) -> Found:
    return watched(clouds(seed, rows=1200), mlp(10, hidden=(128, 128)), seed, epochs=100)


def batches_of_one(seed: int) -> Found:
    model = linear(10)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return watched(clouds(seed, rows=1200), model, seed, optimizer=sgd, batch=1, epochs=20)


def shuffled_labels(seed: int) -> Found:
    task, random = clouds(seed), np.random.default_rng(seed)
    task = with_labels(task, random.permutation(task.labels), random.permutation(task.valid_labels))
    return watched(task, mlp(10, hidden=(8,)), seed, epochs=30, patience=10)


def leaked_label(seed: int) -> Found:
    task = rings(seed)
    inputs, held = task.inputs.copy(), task.valid_inputs.copy()
    inputs[:, 3], held[:, 3] = 3.0 * task.labels, 3.0 * task.valid_labels
    return watched(replace(task, inputs=inputs, valid_inputs=held), mlp(4), seed, epochs=30)


def one_class_under_1_to_100(seed: int) -> Found:
    task = clouds(seed, rows=5000, positives=0.01, apart=0.3)
    model = linear(10)
    return watched(task, model, seed, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), epochs=20)


def stopped_too_soon(seed: int) -> Found:
    return watched(rings(seed), mlp(4), seed, rate=3e-4, epochs=8)


def missing_numbers(seed: int) -> Found:
    task = clouds(seed)
    task.inputs[5, 2] = math.nan
    return watched(task, mlp(10), seed)


def no_validation(seed: int) -> Found:
    return watched(clouds(seed), mlp(10), seed, valid=False, epochs=20)


def twenty_rows_of_validation(seed: int) -> Found:
    task = rings(seed)
    task = replace(task, valid_inputs=task.valid_inputs[:20], valid_labels=task.valid_labels[:20])
    return watched(task, mlp(4), seed, epochs=25)


def always_evaluating(seed: int) -> Found:
    model = mlp(4, normalised=True)
    model.train = lambda mode=True: nn.Module.train(model, False)
    return watched(rings(seed), model, seed)


class Cut(nn.Module):
    """A network whose graph is cut in the middle, so that its first layer never learns."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = nn.Linear(10, 32), mlp(32)

    def forward(self, values: Tensor) -> Tensor:
        """Return logits of shape (n, 1)."""
        return self.rest(torch.relu(self.first(values)).detach())


def graph_cut_in_the_middle(seed: int) -> Found:
    return watched(clouds(seed), Cut(), seed)


def cnn_with_sigmoid_before_a_logits_loss(seed: int) -> Found:
    return watched(bars(seed, rows=600), nn.Sequential(images(), nn.Sigmoid()), seed, epochs=8)


def images_in_0_to_255_and_a_high_rate(seed: int) -> Found:
    model = images()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return watched(rescaled(bars(seed, rows=600), 255.0), model, seed, optimizer=sgd, epochs=8)


def argmax_of_one_output(seed: int) -> Found:
    task, model = clouds(seed), mlp(10)
    watched(task, model, seed, epochs=3)
    with torch.no_grad():
        answers = model(torch.from_numpy(task.valid_inputs)).argmax(dim=1)
    return checked(task, answers.numpy().astype(np.float64), seed)


def half_as_threshold_on_logits(seed: int) -> Found:
    """Answer "positive" where a logit, not a probability, exceeds a half."""
    task, model = clouds(seed, rows=12_000, positives=0.1, apart=0.8), mlp(10)
    watched(task, model, seed, epochs=15)
    with torch.no_grad():
        probability = torch.sigmoid(model(torch.from_numpy(task.valid_inputs))[:, 0])
    return checked(task, probability.double().numpy(), seed, {"decide.threshold": 1 / (1 + math.exp(-0.5))})


def checked(task: Task, answers: np.ndarray, seed: int, recipe: dict[str, float] | None = None) -> Found:
    """Return what is found in a model's answers to the validation rows, by the rules on predictions alone."""
    frame = framed(task.valid_inputs, task.valid_labels)
    report = bindoctor.check(frame, target="y", predictions=answers, recipe=recipe, select=("BD6",), ignore="BD605")
    return report.findings


def framed(inputs: np.ndarray, labels: np.ndarray) -> pl.DataFrame:
    columns = {f"x{number}": inputs[:, number] for number in range(inputs.shape[1])}
    return pl.DataFrame({**columns, "y": labels})


def log_of_two_runs(seed: int) -> Found:
    random = np.random.default_rng(seed)
    lines = ["epoch,loss,val_loss"]
    for _ in range(2):
        for epoch in range(15):
            loss = 0.35 + 0.34 * 0.75**epoch
            lines.append(
                f"{epoch},{loss + random.normal(scale=0.003):.5f},{loss + 0.02 + random.normal(scale=0.004):.5f}"
            )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "training.log"
        path.write_text("\n".join(lines) + "\n")
        task = clouds(seed)
        report = bindoctor.check(framed(task.inputs, task.labels), target="y", run=path, select=("BD4",))
    return report.findings


def rows_on_both_sides(seed: int) -> Found:
    task = clouds(seed)
    frame, valid = framed(task.inputs, task.labels), framed(task.valid_inputs, task.valid_labels)
    return bindoctor.check(frame, target="y", valid=pl.concat([valid, frame.head(40)])).findings


def tested_on_the_validation_rows(seed: int) -> Found:
    task = clouds(seed)
    valid = framed(task.valid_inputs, task.valid_labels)
    return bindoctor.check(framed(task.inputs, task.labels), target="y", valid=valid, test=valid).findings


def smote_before_the_split(seed: int) -> Found:
    task = standardised(clouds(seed, rows=2000, positives=0.1))
    inputs = np.concatenate([task.inputs, task.valid_inputs])
    labels = np.concatenate([task.labels, task.valid_labels])
    inputs, labels = SMOTE(random_state=seed).fit_resample(inputs, labels)
    order = np.random.default_rng(seed).permutation(len(labels))
    cut = round(0.7 * len(order))
    frame, valid = (framed(inputs[rows], labels[rows]) for rows in (order[:cut], order[cut:]))
    return bindoctor.check(frame, target="y", valid=valid).findings


FAULTS = (
    Fault("learning rate × 1000, Adam", ("BD302", "BD401", "BD406"), learning_rate_times_1000),
    Fault("learning rate × 1000, SGD", ("BD302", "BD401", "BD406"), sgd_times_1000),
    Fault("learning rate / 1000", ("BD302", "BD415", "BD405"), learning_rate_over_1000),
    Fault("inputs of a million, unscaled", ("BD103", "BD411", "BD511"), unscaled_inputs),
    Fault("images up to 255 and a high rate", ("BD103", "BD411", "BD511"), images_in_0_to_255_and_a_high_rate),
    Fault("sigmoid before a logits loss", ("BD501",), sigmoid_before_a_logits_loss),
    Fault("the same inside forward", ("BD501",), sigmoid_inside_forward),
    Fault("the same in a CNN", ("BD501",), cnn_with_sigmoid_before_a_logits_loss),
    Fault("softmax on one logit", ("BD501",), softmax_on_one_logit),
    Fault("softmax before cross-entropy", ("BD501",), softmax_before_cross_entropy),
    Fault("ReLU as output", ("BD501",), relu_as_output),
    Fault("logits into BCELoss", ("BD501",), logits_into_bce),
    Fault("logits into NLLLoss", ("BD501",), logits_into_nll),
    Fault("labels -1 and 1", ("BD507",), labels_minus_one_and_one),
    Fault("labels 1 and 2", ("BD507",), labels_one_and_two),
    Fault("classes counted from 1", ("BD507",), classes_counted_from_one),
    Fault("labels (N,) against outputs (N, 1)", ("BD507",), flat_labels_against_a_column),
    Fault("the same with a function as loss", ("BD507",), the_same_with_a_function),
    Fault("argmax of one output", ("BD602",), argmax_of_one_output),
    Fault("a threshold of 0.5 on logits", ("BD603",), half_as_threshold_on_logits),
    Fault("gradients never reset", ("BD510",), gradients_never_reset),
    Fault("no eval() in validation, dropout", ("BD509",), validation_with_dropout),
    Fault("no eval() in validation, batch normalisation", ("BD509",), validation_moves_batch_norm),
    Fault("eval() throughout training", ("BD509",), always_evaluating),
    Fault("frozen head", ("BD506",), frozen_head),
    Fault("layer outside the optimizer", ("BD506",), layer_outside_the_optimizer),
    Fault("layers in a plain list", ("BD506",), layers_in_a_list),
    Fault("all weights zero", ("BD506", "BD502", "BD503"), all_weights_zero),
    Fault("dead ReLU units", ("BD502",), dead_units),
    Fault("deep sigmoid network", ("BD503", "BD505"), deep_sigmoid_network),
    Fault("saturated tanh units", ("BD505",), saturated_units),
    Fault("huge initial weights", ("BD411", "BD504", "BD401"), huge_initial_weights),
    Fault("a graph cut in the middle", ("BD506",), graph_cut_in_the_middle),
    Fault("missing numbers", ("BD105", "BD511"), missing_numbers),
    Fault("tiny data, learnt by heart", ("BD402",), tiny_data),
    Fault("no early stopping", ("BD402",), no_early_stopping),
    Fault("batches of one", ("BD406",), batches_of_one),
    Fault("shuffled labels", ("BD405", "BD604"), shuffled_labels),
    Fault("leaked label", ("BD413",), leaked_label),
    Fault("one class under 1:100", ("BD410", "BD405", "BD602", "BD604"), one_class_under_1_to_100),
    Fault("stopped too soon", ("BD407",), stopped_too_soon),
    Fault("no validation", ("BD408",), no_validation),
    Fault("twenty rows of validation", ("BD409", "BD205"), twenty_rows_of_validation),
    Fault("a log of two runs", ("BD417",), log_of_two_runs),
    Fault("rows on both sides of the split", ("BD202",), rows_on_both_sides),
    Fault("tested on the validation rows", ("BD211",), tested_on_the_validation_rows),
    Fault("SMOTE before the split", ("BD214",), smote_before_the_split),
)
