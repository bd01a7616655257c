"""Does bindoctor keep quiet about trainings that nothing is wrong with?

    python benchmarks/runs/healthy.py [--seeds 3] [--only NAME]

Each training is a plain PyTorch loop under ``bindoctor.watch``, early stopping with the best weights restored, on tasks
that no model can solve without errors. Printed is whatever is louder than a note; the last lines count. An error, or a
warning in more than one run of twenty, fails.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from loop import train
from models import Recurrent, Residual, filters, images, linear, mlp
from tasks import MakeTask, Task, bars, breast_cancer, clouds, digits, rings, several, waves
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import bindoctor
from bindoctor import Severity

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
ADAM = partial(torch.optim.Adam, lr=1e-3)
MAX_WARNED = 0.05


@dataclass(frozen=True)
class Training:
    """One healthy training: what it is of and how it goes."""

    name: str
    task: MakeTask
    model: Callable[[], nn.Module]
    loss: Callable[[], Loss] = nn.BCEWithLogitsLoss
    target: str = "column"
    optimizer: Callable[..., torch.optim.Optimizer] = ADAM
    epochs: int = 60
    batch: int = 64
    patience: int = 8
    annealed: bool = False


def probabilities(network: nn.Module) -> nn.Module:
    """End a network in a sigmoid."""
    return nn.Sequential(network, nn.Sigmoid())


def log_probabilities(network: nn.Module) -> nn.Module:
    """End a network in a log-softmax."""
    return nn.Sequential(network, nn.LogSoftmax(dim=1))


SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
ADAMW = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.01)
RMSPROP = partial(torch.optim.RMSprop, lr=1e-3)
RARE, RARER = (
    partial(clouds, rows=4000, positives=0.1, apart=1.2),
    partial(clouds, rows=8000, positives=0.02, apart=1.5),
)

TRAININGS = (
    Training("logistic, Adam", clouds, partial(linear, 10), optimizer=partial(torch.optim.Adam, lr=0.01)),
    Training("logistic, SGD", clouds, partial(linear, 10), optimizer=SGD),
    Training("logistic, 1:10", RARE, partial(linear, 10), optimizer=partial(torch.optim.Adam, lr=0.01)),
    Training("logistic, 1:50", RARER, partial(linear, 10), optimizer=partial(torch.optim.Adam, lr=0.01)),
    Training("logistic, full batches", clouds, partial(linear, 10), optimizer=SGD, batch=4096, epochs=200, patience=20),
    Training(
        "logistic on breast cancer", breast_cancer, partial(linear, 30), optimizer=partial(torch.optim.Adam, lr=0.01)
    ),
    Training("MLP, Adam", clouds, partial(mlp, 10)),
    Training("MLP, SGD", rings, partial(mlp, 4), optimizer=SGD),
    Training("MLP, AdamW and cosine", rings, partial(mlp, 4), optimizer=ADAMW, annealed=True, epochs=40, patience=40),
    Training("MLP, RMSprop", rings, partial(mlp, 4), optimizer=RMSPROP),
    Training("MLP, 1:10", partial(rings, rows=4000, positives=0.1), partial(mlp, 4)),
    Training("MLP, 1:50", RARER, partial(mlp, 10)),
    Training(
        "MLP, 1:10, positives weighted",
        RARE,
        partial(mlp, 10),
        lambda: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([9.0])),
    ),
    Training("MLP, dropout", clouds, partial(mlp, 10, dropout=0.3)),
    Training("MLP, batch normalisation", rings, partial(mlp, 4, normalised=True)),
    Training("MLP, both", rings, partial(mlp, 4, normalised=True, dropout=0.2)),
    Training("MLP, tanh", rings, partial(mlp, 4, activation=nn.Tanh)),
    Training("MLP, GELU", rings, partial(mlp, 4, activation=nn.GELU)),
    Training(
        "MLP, sigmoid units",
        clouds,
        partial(mlp, 10, hidden=(32,), activation=nn.Sigmoid),
        optimizer=partial(torch.optim.Adam, lr=0.01),
    ),
    Training("MLP on breast cancer", breast_cancer, partial(mlp, 30, hidden=(16,), dropout=0.3)),
    Training("MLP, probabilities", clouds, lambda: probabilities(mlp(10)), nn.BCELoss),
    Training("MLP, two outputs", clouds, partial(mlp, 10, 2), nn.CrossEntropyLoss, "index"),
    Training("MLP, the loss as a function", clouds, partial(mlp, 10), lambda: binary_cross_entropy_with_logits),
    Training("MLP, flat outputs", clouds, lambda: nn.Sequential(mlp(10), nn.Flatten(0)), target="flat"),
    Training(
        "wide MLP, weight decay",
        clouds,
        partial(mlp, 10, hidden=(256,)),
        optimizer=partial(torch.optim.AdamW, lr=3e-4, weight_decay=0.1),
    ),
    Training("residual network", rings, partial(Residual, 4)),
    Training("four classes", several, partial(mlp, 8, 4), nn.CrossEntropyLoss, "index"),
    Training("four uneven classes", partial(several, uneven=True), partial(mlp, 8, 4), nn.CrossEntropyLoss, "index"),
    Training("four classes, log-softmax", several, lambda: log_probabilities(mlp(8, 4)), nn.NLLLoss, "index"),
    Training(
        "four classes, smoothed", several, partial(mlp, 8, 4), lambda: nn.CrossEntropyLoss(label_smoothing=0.1), "index"
    ),
    Training(
        "four classes, a function",
        several,
        partial(linear, 8, 4),
        lambda: cross_entropy,
        "index",
        partial(torch.optim.Adam, lr=0.01),
    ),
    Training("CNN", bars, partial(images), epochs=40),
    Training("CNN, batch normalisation", bars, partial(images, normalised=True), epochs=40),
    Training("CNN, 1:10", partial(bars, rows=3000, positives=0.1), partial(images), epochs=40),
    Training("CNN on digits", digits, partial(images, 10), nn.CrossEntropyLoss, "index", epochs=60),
    Training("one-dimensional CNN", waves, partial(filters), epochs=40),
    Training("LSTM", waves, partial(Recurrent, nn.LSTM), optimizer=partial(torch.optim.Adam, lr=5e-3)),
    Training("GRU", waves, partial(Recurrent, nn.GRU), optimizer=partial(torch.optim.Adam, lr=5e-3)),
    Training(
        "GRU, 1:10",
        partial(waves, rows=3000, positives=0.1),
        partial(Recurrent, nn.GRU),
        optimizer=partial(torch.optim.Adam, lr=5e-3),
    ),
)


def run(training: Training, seed: int) -> list[bindoctor.Finding]:
    """Train under watch and return what bindoctor finds."""
    torch.manual_seed(seed)
    task: Task = training.task(seed)
    train_loader, valid_loader = task.loaders(batch=training.batch, target=training.target, seed=seed)
    model, loss = training.model(), training.loss()
    optimizer = training.optimizer(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.epochs) if training.annealed else None
    with bindoctor.watch(model, loss, optimizer, train_loader, valid_loader) as watched:
        train(
            model,
            loss,
            optimizer,
            train_loader,
            valid_loader,
            epochs=training.epochs,
            patience=training.patience,
            schedule=schedule,
        )
    return list(watched.findings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="trainings whose name holds this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = [training for training in TRAININGS if options.only in training.name]
    loudest, codes, notes = Counter[str](), Counter[str](), Counter[str]()
    start = time.perf_counter()
    for training in chosen:
        for seed in range(options.seeds):
            found = run(training, seed)
            loud = [finding for finding in found if finding.severity is not Severity.NOTE]
            worst = max((finding.severity.rank for finding in loud if finding.severity), default=0)
            loudest[("quiet", "warned", "error")[worst]] += 1
            codes.update({finding.code for finding in loud})
            notes.update({finding.code for finding in found} - {finding.code for finding in loud})
            for finding in loud:
                print(f"{training.name}, seed {seed}: {finding.code} {finding.severity}: {finding.message}", flush=True)
    runs = sum(loudest.values())
    warned = loudest["warned"] / runs
    print(f"\n{len(chosen)} trainings, {runs} runs in {time.perf_counter() - start:.0f} s")
    print(
        f"with an error: {loudest['error']}; with a warning: {loudest['warned']} ({warned:.1%}); "
        f"quiet: {loudest['quiet']}"
    )
    print(
        "louder than a note:", dict(codes.most_common()) or "nothing", "· notes:", dict(notes.most_common()) or "none"
    )
    return int(loudest["error"] > 0 or warned > MAX_WARNED)


if __name__ == "__main__":
    sys.exit(main())
