"""What watching a training costs: time a step with and without it, in one run, and the seconds of a preflight.

    python benchmarks/watch.py [rounds]

Rounds of the bare loop and of the watched one take turns, so that a busy machine slows both; a ratio is of two rounds
side by side, and the median over the pairs is printed with its quartiles.
"""

import sys
from statistics import median, quantiles
from time import perf_counter, process_time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bindoctor

STEPS = 400
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Loader = list[tuple[torch.Tensor, torch.Tensor]]


def network(inputs: int, hidden: list[int]) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1)).to(DEVICE)


def batches(inputs: int, size: int) -> Loader:
    rows = torch.randn(32 * size, inputs, device=DEVICE)
    labels = (rows[:, :1] > 0).float()
    return [(rows[i : i + size], labels[i : i + size]) for i in range(0, len(rows), size)]


def steps(model: nn.Module, loss: nn.Module, optimizer: torch.optim.Optimizer, loader: Loader, count: int) -> float:
    # Processor time on a CPU, as other programs do not count in it; a GPU's steps are waited for.
    clock = perf_counter if DEVICE == "cuda" else process_time
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    began = clock()
    for step in range(count):
        inputs, labels = loader[step % len(loader)]
        optimizer.zero_grad()
        value = loss(model(inputs), labels)
        value.backward()
        optimizer.step()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return (clock() - began) / count


def measure(name: str, inputs: int, hidden: list[int], size: int, count: int, rounds: int) -> None:
    loader = batches(inputs, size)
    setups = []
    for _ in range(2):
        model = network(inputs, hidden)
        setups.append((model, nn.BCEWithLogitsLoss(), torch.optim.Adam(model.parameters())))
    bare, watched = setups
    ratios, times = [], []
    with bindoctor.watch(*watched, loader):
        steps(*watched, loader, count // 4)
        steps(*bare, loader, count // 4)
        for turn in range(rounds):
            if turn % 2:
                slow, plain = steps(*watched, loader, count), steps(*bare, loader, count)
            else:
                plain, slow = steps(*bare, loader, count), steps(*watched, loader, count)
            ratios.append(slow / plain)
            times.append(plain)
    low, _, high = quantiles(ratios, n=4)
    spread = f"quartiles {low:.3f} to {high:.3f}"
    print(f"{name:34s} bare {1e6 * median(times):7.0f} us a step; watched {median(ratios):.3f} times that ({spread})")


def preflights(rounds: int) -> None:
    taken = []
    rows = torch.randn(2000, 30)
    loader = DataLoader(TensorDataset(rows, (rows[:, :1] > 0).float()), 64, shuffle=True)
    for _ in range(rounds):
        model = network(30, [512, 512, 512])
        began = perf_counter()
        bindoctor.preflight(model, nn.BCEWithLogitsLoss(), torch.optim.Adam(model.parameters()), loader).report  # noqa: B018
        taken.append(perf_counter() - began)
    print(f"preflight of 512 x 3: median {median(taken):.2f} s, longest {max(taken):.2f} s")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__} on {DEVICE}, one thread, {rounds} rounds")
    measure("2 layers of 64, 30 inputs, batch 32", 30, [64, 64], 32, STEPS, rounds)
    measure("3 layers of 512, 30 inputs, batch 128", 30, [512, 512, 512], 128, STEPS // 4, rounds)
    preflights(5)


if __name__ == "__main__":
    main()
