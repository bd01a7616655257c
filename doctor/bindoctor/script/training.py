"""The part of a script that trains: a plain PyTorch loop, or scikit-learn's gradient boosting."""

from collections.abc import Iterator, Mapping
from typing import Any

from bindoctor.module_edits import place
from bindoctor.own_model import Made, has_batch_norm
from bindoctor.script.layout import Expression, call, indented, lay_out, single_blanks
from bindoctor.script.plan import Plan
from bindoctor.script.preparing import matrix_of, preprocessing_lines, split_lines
from bindoctor.script.resampling import resampling_lines

ACTIVATIONS = {
    "relu": "nn.ReLU()",
    "leaky-relu": "nn.LeakyReLU()",
    "elu": "nn.ELU()",
    "gelu": "nn.GELU()",
    "tanh": "nn.Tanh()",
    "sigmoid": "nn.Sigmoid()",
}
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}


def fit_function(plan: Plan) -> str:
    """Return the source of ``fit``: rows in, a function from rows to class probabilities out."""
    lines = [*split_lines(plan), *preprocessing_lines(plan)]
    if plan.watches:
        lines.append(f"valid_matrix = {matrix_of(plan, 'valid_features')}")
    if "row_weights" in plan.fit_arrays:
        lines.append("row_weights = row_weights / row_weights.mean()")
    if plan.resamples_network:
        lines.append("epoch_rows = len(matrix)")
    lines += resampling_lines(plan)
    if plan.network:
        lines += _network_lines(plan)
    else:
        lines += _boosting_lines(plan) if plan.recipe.model.kind == "gradient-boosting" else _estimator_lines(plan)
    watched = [] if not plan.watches_column else ["valid=None" if plan.cuts else "valid"]
    return (
        f"def fit({', '.join(['features', 'labels', *plan.fit_arrays, *watched])}):\n"
        f'    """Train on these rows; return a function that gives class probabilities."""\n'
        f"{indented(single_blanks(lines))}\n"
    )


def training_constants(plan: Plan) -> dict[str, object]:
    """Return the values of the names that ``fit`` may use."""
    loss, optimizer, train = plan.recipe.loss, plan.recipe.optimizer, plan.recipe.train
    return {
        "SEED": train.seed,
        "EPOCHS": train.epochs,
        "BATCH_SIZE": train.batch_size,
        "PATIENCE": train.patience,
        "LEARNING_RATE": optimizer.learning_rate,
        "MOMENTUM": optimizer.momentum,
        "WEIGHT_DECAY": optimizer.weight_decay,
        "L1": optimizer.l1,
        "CLIP_NORM": optimizer.clip_norm,
        "POSITIVE_WEIGHT": loss.class_weight,
        "LABEL_SMOOTHING": loss.label_smoothing,
        "FOCAL_ALPHA": loss.focal_alpha,
        "FOCAL_GAMMA": loss.focal_gamma,
    }


def device(plan: Plan) -> str:
    """Return the expression for the device that the network trains on."""
    if plan.recipe.train.device == "auto":
        return '"cuda" if torch.cuda.is_available() else "cpu"'
    return f'"{plan.recipe.train.device}"'


def _boosting_lines(plan: Plan) -> Iterator[str]:
    early = ["early_stopping=True", "n_iter_no_change=PATIENCE"] if plan.watches else ["early_stopping=False"]
    model = call("HistGradientBoostingClassifier", *early, "random_state=SEED")
    arguments: list[Expression] = ["matrix", "labels"]
    yield lay_out(model, before="model = ", depth=1)
    yield from _fit_lines(plan, arguments)


def _estimator_lines(plan: Plan) -> Iterator[str]:
    model = plan.recipe.model
    yield lay_out(call("clone", _made(model.estimator, (), model.options)), before="model = ", depth=1)
    yield "parameters = model.get_params()"
    yield 'seeded = [name for name in parameters if name.split("__")[-1] == "random_state"]'
    yield "model.set_params(**{name: SEED for name in seeded})"
    yield from _fit_lines(plan, ["matrix", "labels"])


def _made(reference: str, arguments: tuple[str, ...], options: Mapping[str, Any]) -> Expression:
    given = (f"{name}={list(value) if isinstance(value, tuple) else value!r}" for name, value in options.items())
    return call(reference.rpartition(":")[2], *arguments, *given)


def _fit_lines(plan: Plan, arguments: list[Expression]) -> Iterator[str]:
    by_row, by_class = "row_weights" in plan.fit_arrays, plan.recipe.loss.class_weight != "none"
    if by_class:
        yield from _class_weights(plan)
        arguments.append(f"sample_weight=weights[labels]{' * row_weights' if by_row else ''}")
    elif by_row:
        arguments.append("sample_weight=row_weights")
    if plan.watches:
        arguments += ["X_val=valid_matrix", "y_val=valid_labels"]
        if by_class or by_row:
            arguments.append("sample_weight_val=np.ones(len(valid_labels))")
    yield lay_out(call("model.fit", *arguments), depth=1)
    yield ""
    yield "def predict(features):"
    answer = lay_out(call("model.predict_proba", matrix_of(plan, "features")), before="return ", depth=2)
    yield indented([answer])
    yield ""
    yield "return predict"


def _network_lines(plan: Plan) -> Iterator[str]:
    recipe = plan.recipe
    yield ""
    yield f"x = torch.tensor(matrix{_on(plan)})"
    yield f"y = {_targets(plan, 'labels')}"
    if "row_weights" in plan.fit_arrays:
        column = "[:, None]" if plan.single_logit else ""
        yield f"row_weights = torch.tensor(row_weights, dtype=torch.float32{_on(plan)}){column}"
    yield from _loss_setup(plan)
    yield "torch.manual_seed(SEED)"
    yield "shuffle = torch.Generator().manual_seed(SEED)"
    yield from _network(plan)
    yield lay_out(_optimizer(plan), before="optimizer = ", depth=1)
    yield from _schedule(plan)
    if recipe.optimizer.l1:
        matrix = "weight.ndim == 2" if plan.made is None else "weight.ndim >= 2"
        yield f"matrices = [weight for weight in network.parameters() if {matrix}]"
    if plan.watches:
        yield f"valid_x = torch.tensor(valid_matrix{_on(plan)})"
        if recipe.train.monitor != "average-precision" or recipe.optimizer.schedule == "plateau":
            yield f"valid_y = {_targets(plan, 'valid_labels')}"
        yield f"best, best_epoch{', best_state' if recipe.train.restore_best else ''} = {_start(plan)}"
    if plan.resamples_network:
        yield "waiting = torch.empty(0, dtype=torch.long)"
    yield "for epoch in range(1, EPOCHS + 1):" if plan.watches else "for epoch in range(EPOCHS):"
    yield indented(_epoch(plan))
    if plan.watches and recipe.train.restore_best:
        yield "network.load_state_dict(best_state)"
    yield "network.cpu().eval()" if _on(plan) else "network.eval()"
    yield ""
    yield "def predict(features):"
    yield indented(_answer(plan))
    yield ""
    yield "return predict"


def _on(plan: Plan) -> str:
    return "" if plan.recipe.train.device == "cpu" else ", device=DEVICE"


def _targets(plan: Plan, labels: str) -> str:
    if plan.single_logit:
        return f"torch.tensor({labels}, dtype=torch.float32{_on(plan)})[:, None]"
    return f"torch.tensor({labels}{_on(plan)})"


def _class_weights(plan: Plan) -> Iterator[str]:
    if plan.recipe.loss.class_weight == "balanced":
        yield "counts = np.bincount(labels)"
        yield "weights = len(labels) / (len(counts) * counts)"
    else:
        yield "weights = np.array([1.0, POSITIVE_WEIGHT])"


def _loss_setup(plan: Plan) -> Iterator[str]:
    loss = plan.recipe.loss
    if plan.single_logit and loss.label_smoothing:
        yield "targets = y * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2"
    if loss.class_weight == "none":
        return
    if not plan.single_logit:
        yield from _class_weights(plan)
        yield f"weight = torch.tensor(weights, dtype=torch.float32{_on(plan)})"
    elif loss.class_weight == "balanced":
        yield from _class_weights(plan)
        yield "negative_weight, positive_weight = weights.tolist()"
        yield f"pos_weight = torch.tensor([positive_weight / negative_weight]{_on(plan)})"
    else:
        yield f"pos_weight = torch.tensor([POSITIVE_WEIGHT]{_on(plan)})"


def _own_network(plan: Plan, made: Made) -> Iterator[str]:
    """Yield the lines that make the user's network, and the edits of it."""
    outputs = 1 if plan.single_logit else len(plan.rows.classes)
    own = _made(plan.recipe.model.factory, ("x.shape[1]", str(outputs)), made.options)
    yield lay_out(own, before="network = ", depth=1)
    yield from made.edits.lines()
    if made.edits.head is not None:
        yield from _prior(plan, f"{place('network', made.edits.head)}.bias")
    if _on(plan):
        yield "network.to(DEVICE)"


def _prior(plan: Plan, bias: str) -> Iterator[str]:
    yield "log_share = np.log(np.bincount(labels) / len(labels))"
    yield "with torch.no_grad():  # start from the shares of the classes"
    start = "log_share[1:] - log_share[:1]" if plan.single_logit else "log_share"
    yield f"    {bias}.copy_(torch.tensor({start}))"


def _logits(plan: Plan, rows: str) -> str:
    return f"network({rows}){'[:, None]' if plan.made is not None and plan.made.flat else ''}"


def _network(plan: Plan) -> Iterator[str]:
    if plan.made is not None:
        yield from _own_network(plan, plan.made)
        return
    model = plan.recipe.model
    layers = []
    width = "x.shape[1]"
    for size in model.hidden if model.kind == "mlp" else ():
        layers.append(f"nn.Linear({width}, {size})")
        if model.batch_norm:
            layers.append(f"nn.BatchNorm1d({size})")
        layers.append(ACTIVATIONS[model.activation])
        if model.dropout:
            layers.append(f"nn.Dropout({model.dropout!r})")
        width = str(size)
    layers.append(f"nn.Linear({width}, {1 if plan.single_logit else len(plan.rows.classes)})")
    if len(layers) == 1:
        yield f"network = {layers[0]}"
    else:
        yield "network = nn.Sequential("
        yield indented(f"{layer}," for layer in layers)
        yield ")"
    if model.prior_bias:
        yield from _prior(plan, "network.bias" if len(layers) == 1 else "network[-1].bias")
    if _on(plan):
        yield "network.to(DEVICE)"


def _optimizer(plan: Plan) -> Expression:
    optimizer = plan.recipe.optimizer
    settings = ["lr=LEARNING_RATE"]
    if optimizer.weight_decay or optimizer.kind == "adamw":
        settings.append("weight_decay=WEIGHT_DECAY")
    if optimizer.momentum and optimizer.kind in ("sgd", "rmsprop"):
        settings.append("momentum=MOMENTUM")
    if optimizer.kind != "rmsprop":
        settings.append("fused=True")
    return call(f"torch.optim.{OPTIMIZERS[optimizer.kind]}", "network.parameters()", *settings)


def _schedule(plan: Plan) -> Iterator[str]:
    epochs = plan.recipe.train.epochs
    schedules: dict[str, Expression] = {
        "cosine": call("CosineAnnealingLR", "optimizer", "T_max=EPOCHS"),
        "step": call("StepLR", "optimizer", f"step_size={max(1, epochs // 3)}", "gamma=0.1"),
        "plateau": call("ReduceLROnPlateau", "optimizer", "factor=0.1", f"patience={max(1, epochs // 10)}"),
    }
    kind = plan.recipe.optimizer.schedule
    if kind != "constant":
        yield lay_out(schedules[kind], before="schedule = ", depth=1)


def _start(plan: Plan) -> str:
    restored = ", None" if plan.recipe.train.restore_best else ""
    return f"np.inf, 0{restored}" if plan.recipe.train.monitor == "loss" else f"-np.inf, 0{restored}"


def _epoch(plan: Plan) -> Iterator[str]:
    recipe = plan.recipe
    collects = recipe.optimizer.schedule == "plateau" and not plan.watches
    yield "network.train()"
    if plan.resamples_network:
        yield "# An epoch has as many rows as there were before resampling."
        yield "while len(waiting) < epoch_rows:"
        yield "    shuffled = torch.randperm(len(x), generator=shuffle)"
        yield "    waiting = torch.cat([waiting, shuffled])"
        yield "order, waiting = waiting[:epoch_rows], waiting[epoch_rows:]"
    else:
        yield "order = torch.randperm(len(x), generator=shuffle)"
    if recipe.model.batch_norm or (plan.made is not None and has_batch_norm(plan.made.network)):
        yield "if len(order) % BATCH_SIZE == 1:"
        yield "    order = order[:-1]  # batch normalisation needs two rows"
    if collects:
        yield "answers = []"
    yield "for batch in order.split(BATCH_SIZE):"
    yield indented(_step(plan, collects))
    if plan.watches:
        yield from _watch(plan)
    elif collects:
        loss = "F.binary_cross_entropy_with_logits" if plan.single_logit else "F.cross_entropy"
        yield f"schedule.step({loss}(torch.cat(answers), y[order]))"
    elif recipe.optimizer.schedule != "constant":
        yield "schedule.step()"


def _step(plan: Plan, collects: bool) -> Iterator[str]:
    optimizer = plan.recipe.optimizer
    yield f"logits = {_logits(plan, 'x[batch]')}"
    yield from _loss(plan)
    if optimizer.l1:
        yield "loss = loss + L1 * sum(weight.abs().sum() for weight in matrices)"
    yield "optimizer.zero_grad()"
    yield "loss.backward()"
    if optimizer.clip_norm:
        yield "nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)"
    yield "optimizer.step()"
    if collects:
        yield "answers.append(logits.detach())"


def _loss(plan: Plan) -> Iterator[str]:
    loss = plan.recipe.loss
    weighted, focal = loss.class_weight != "none", loss.kind == "focal"
    counting = ["row_weights[batch]"] if "row_weights" in plan.fit_arrays else []
    if plan.single_logit:
        targets = "targets[batch]" if loss.label_smoothing else "y[batch]"
        name = "binary_focal_loss" if focal else "F.binary_cross_entropy_with_logits"
        arguments = ["logits", targets, *counting, *(["pos_weight=pos_weight"] if weighted else [])]
        yield lay_out(call(name, *arguments), before="loss = ", depth=3)
        if loss.class_weight == "balanced":
            yield "loss = negative_weight * loss"
        return
    arguments = ["logits", "y[batch]", *(["weight=weight"] if weighted else [])]
    if loss.label_smoothing:
        arguments.append("label_smoothing=LABEL_SMOOTHING")
    if focal:
        arguments[2:2] = counting
        yield lay_out(call("focal_loss", *arguments), before="loss = ", depth=3)
    elif counting:
        each = call("F.cross_entropy", *arguments, 'reduction="none"')
        yield lay_out(each, before="each = ", depth=3)
        yield "loss = (row_weights[batch] * each).mean()"
    elif weighted:
        each = call("F.cross_entropy", *arguments, 'reduction="none"')
        yield lay_out(each, before="loss = ", after=".mean()", depth=3)
    else:
        yield lay_out(call("F.cross_entropy", *arguments), before="loss = ", depth=3)


def _watch(plan: Plan) -> Iterator[str]:
    recipe = plan.recipe
    monitor, plateau = recipe.train.monitor, recipe.optimizer.schedule == "plateau"
    loss = "F.binary_cross_entropy_with_logits" if plan.single_logit else "F.cross_entropy"
    yield "network.eval()"
    yield "with torch.no_grad():"
    yield f"    logits = {_logits(plan, 'valid_x')}"
    if monitor == "loss" or plateau:
        yield f"valid_loss = {loss}(logits, valid_y).item()"
    if monitor == "accuracy":
        answered = "(logits >= 0)" if plan.single_logit else "logits.argmax(dim=1)"
        yield f"score = ({answered} == valid_y).float().mean().item()"
    elif monitor == "average-precision":
        yield from _average_precision(plan)
    if recipe.optimizer.schedule != "constant":
        yield "schedule.step(valid_loss)" if plateau else "schedule.step()"
    watched, better = ("valid_loss", "<") if monitor == "loss" else ("score", ">")
    yield f"if {watched} {better} best:"
    yield f"    best, best_epoch = {watched}, epoch"
    if recipe.train.restore_best:
        yield "    best_state = copy.deepcopy(network.state_dict())"
    yield "elif epoch - best_epoch >= PATIENCE:"
    yield "    break"


def _average_precision(plan: Plan) -> Iterator[str]:
    if plan.single_logit:
        yield "positive = torch.sigmoid(logits.double()).cpu()"
        yield "score = average_precision_score(valid_labels, positive)"
        return
    yield "share = torch.softmax(logits.double(), dim=1).cpu()"
    if plan.binary:
        yield "score = average_precision_score(valid_labels, share[:, 1])"
    else:
        yield "score = average_precision_score(np.eye(len(CLASSES))[valid_labels], share)"


def _answer(plan: Plan) -> Iterator[str]:
    yield lay_out(call("torch.tensor", matrix_of(plan, "features")), before="x = ", depth=2)
    yield "with torch.no_grad():"
    yield f"    logits = {_logits(plan, 'x')}.double()"
    if plan.single_logit:
        yield "positive = torch.sigmoid(logits[:, 0]).numpy()"
        yield "return np.column_stack([1 - positive, positive])"
    else:
        yield "return torch.softmax(logits, dim=1).numpy()"
