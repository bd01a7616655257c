"""What does a step of a small training cost: a plain PyTorch loop, bindoctor's plain steps, and its compiled ones?

    python benchmarks/engine.py [--rows 5000] [--width 30] [--ones 0] [--rounds 7] [--skorch] [--markdown]

An MLP of two layers of 64 units, batches of 128, Adam. Each contender trains eight epochs a round, A B C … A B C …, in
one process with one thread, so that a load on the machine falls on all of them; the figures are medians over the rounds
of CPU microseconds a model and step. What is compiled is compiled before. With --skorch, skorch's NeuralNetClassifier
with its defaults joins. With --stacked, as many networks are trained in one stack as a GPU trains them, on the GPU
where there is one (its cost is then wall time, as it takes no CPU). With --ones each row has so many inputs that are 1,
and the others are 0, as one-hot levels are. The last line trains two models at once in two threads.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from bindoctor import Recipe, Table
from bindoctor.build import build_network
from bindoctor.compiled_steps import CompiledSteps
from bindoctor.prepare import prepare
from bindoctor.readers import open_dataset, table_source
from bindoctor.rows import rows_of
from bindoctor.stacked import Member, train_stack
from bindoctor.torch_steps import TorchSteps

EPOCHS = 8
BATCH = 128
RATE = 1e-3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
RECIPE = Recipe().edited({"model.hidden": [64, 64], "train.batch-size": BATCH})


def contenders(x: np.ndarray, y: np.ndarray, *, with_skorch: bool) -> dict[str, Callable[[], object]]:
    torch.manual_seed(0)
    width = x.shape[1]
    order = torch.randperm(len(x))
    one = np.ones(2)
    plain_steps = TorchSteps(RECIPE, build_network(RECIPE.model, width, 1), x, y, one, None, torch.device("cpu"))
    compiled = compiled_steps(x, y)
    found: dict[str, Callable[[], object]] = {
        "plain PyTorch loop": lambda: plain_loop(x, y),
        "bindoctor, plain steps": lambda: [plain_steps.epoch(order, RATE) for _ in range(EPOCHS)],
        "bindoctor, compiled steps": lambda: [compiled.epoch(order, RATE) for _ in range(EPOCHS)],
    }
    return {"skorch": skorch_fit(x, y), **found} if with_skorch else found


def stack_fit(x: np.ndarray, y: np.ndarray, members: int) -> Callable[[], object]:
    """Train networks whose rows come as a fold's do; a training's own measurements are part of it."""
    recipe = RECIPE.edited({"train.epochs": EPOCHS})
    table = Table({**{f"x{k}": x[:, k].tolist() for k in range(x.shape[1])}, "y": y.tolist()})
    prepared = prepare(recipe, rows_of(open_dataset(table_source(table), "y"), recipe), seed=0)
    stack = [Member(recipe, prepared, seed) for seed in range(members)]
    return lambda: train_stack(stack, DEVICE)


def compiled_steps(x: np.ndarray, y: np.ndarray) -> CompiledSteps:
    return CompiledSteps(RECIPE, build_network(RECIPE.model, x.shape[1], 1), x, y, np.ones(2), None, len(x))


def plain_loop(x: np.ndarray, y: np.ndarray) -> None:
    """Train as the tutorials do: shuffled batches, zero_grad, forward, backward, step."""
    network = build_network(RECIPE.model, x.shape[1], 1)
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=RATE), nn.BCEWithLogitsLoss()
    matrix, targets = torch.from_numpy(x), torch.from_numpy(y).float()[:, None]
    for _ in range(EPOCHS):
        order = torch.randperm(len(matrix))
        for start in range(0, len(matrix), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss(network(matrix[rows]), targets[rows]).backward()
            optimizer.step()


def skorch_fit(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    from skorch import NeuralNetBinaryClassifier

    network = build_network(RECIPE.model, x.shape[1], 1)
    net = NeuralNetBinaryClassifier(
        network,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        optimizer=torch.optim.Adam,
        lr=RATE,
        train_split=None,
        verbose=0,
        iterator_train__shuffle=True,
    )
    return lambda: net.fit(x, y.astype(np.float32))


def cost(train: Callable[[], object], steps: int, clock: Callable[[], float]) -> float:
    start = clock()
    train()
    return (clock() - start) / steps * 1e6


def two_at_once(x: np.ndarray, y: np.ndarray) -> float:
    """Return the wall time of two trainings in two threads over that of one after the other."""
    models, order = [compiled_steps(x, y) for _ in range(2)], torch.randperm(len(x))

    def train(model: CompiledSteps) -> None:
        for _ in range(5 * EPOCHS):
            model.epoch(order, RATE)

    start = time.perf_counter()
    for model in models:
        train(model)
    serial = time.perf_counter() - start
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        list(pool.map(train, models))
        return (time.perf_counter() - start) / serial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--width", type=int, default=30)
    parser.add_argument("--ones", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--skorch", action="store_true", help="skorch as well, which has to be installed")
    parser.add_argument("--stacked", type=int, default=0, help="train so many networks in one stack as well")
    parser.add_argument("--markdown", action="store_true", help="print the table for README.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        report(options)
    return 0


def report(options: argparse.Namespace) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(options.rows, options.width)).astype(np.float32)
    if options.ones:
        x = np.zeros_like(x)
        np.put_along_axis(x, random.integers(0, options.width, (options.rows, options.ones)), 1, axis=1)
    y = (x[:, 0] + random.normal(size=options.rows) > 1).astype(np.int64)
    trainings = contenders(x, y, with_skorch=options.skorch)
    steps = dict.fromkeys(trainings, EPOCHS * -(-options.rows // BATCH))
    clocks = dict.fromkeys(trainings, time.process_time)
    if options.stacked:
        name = f"bindoctor, {options.stacked} stacked ({DEVICE.type})"
        trainings[name] = stack_fit(x, y, options.stacked)
        steps[name] = options.stacked * EPOCHS * -(-options.rows // BATCH)
        clocks[name] = time.process_time if DEVICE.type == "cpu" else time.perf_counter
    costs: dict[str, list[float]] = {name: [] for name in trainings}
    for number in range(options.rounds + 1):
        for name, train in trainings.items():
            found = cost(train, steps[name], clocks[name])
            if number:
                costs[name].append(found)
    middle = {name: statistics.median(values) for name, values in costs.items()}
    fastest = middle["bindoctor, compiled steps"]
    between = " | " if options.markdown else "  "
    for name, value in middle.items():
        cells = [f"{name:26}", f"{value:8.0f}", f"{value / fastest:6.1f}"]
        print(f"| {between.join(cells)} |" if options.markdown else between.join(cells))
    print(f"\nTwo models in two threads take {two_at_once(x, y):.2f} of the time of one after the other.")


if __name__ == "__main__":
    sys.exit(main())
