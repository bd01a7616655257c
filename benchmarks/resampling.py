"""How much of what resampling does is the optimizer steps that it brings along?

    python benchmarks/resampling.py [--data FOLDER]

A scaled network is trained for 50 and for 5 epochs on 2 × 5 folds, as it is and on resampled rows. An epoch goes
through as many rows as before resampling, as in bindoctor, or through all the resampled rows, which makes it longer or
shorter; and the setup without resampling is trained for as many steps as SMOTE then takes. Printed are the mean gains
over the setup as it is, on the rows held out, with their standard error over folds.

The loan example is always used; FOLDER may hold the other files of ``SETS``.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from bindoctor import Recipe, scores
from bindoctor.loop import network_probability, train_network
from bindoctor.prepare import Prepared, prepare
from bindoctor.readers import open_dataset, open_source
from bindoctor.rows import rows_of
from bindoctor.splits import repeated_folds

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"
SETS: dict[str, tuple[str, list[str]]] = {
    "universal_bank": ("Personal Loan", ["ID", "ZIP Code"]),
    "islp_default": ("default", []),
    "islp_caravan": ("Purchase", []),
    "charles_book_club": ("Florence", ["Yes_Florence", "No_Florence", "Seq#", "ID#"]),
    "keel_winequality-red-4": ("target", []),
}
"""Each set's target, and the columns left out of it: leaks and names of rows."""
SCALED = {"features.scale": "standard", "features.impute": "median", "split.stratify": True, "train.device": "cpu"}


@dataclass(frozen=True)
class Way:
    """A way to train on a fold: on which rows, resampled or not, and how."""

    name: str
    recipe: Recipe
    prepared: Prepared


def ways(recipe: Recipe, plain: Prepared, over: Prepared, under: Prepared) -> Iterator[Way]:
    """Yield the ways that are compared, the setup as it is first."""
    yield Way("as it is", recipe, plain)
    longer = steps(recipe, len(over.train.labels)) / steps(recipe, plain.epoch_rows)
    epochs = round(recipe.train.epochs * longer)
    yield Way("as it is, SMOTE's steps", recipe.edited({"train.epochs": epochs}), plain)
    for name, prepared in (("SMOTE", over), ("under-sampling", under)):
        yield Way(f"{name}, equal steps", recipe, prepared)
        yield Way(f"{name}, all rows an epoch", recipe, replace(prepared, epoch_rows=len(prepared.train.labels)))


def steps(recipe: Recipe, rows: int) -> int:
    return math.ceil(rows / recipe.train.batch_size)


def measured(path: Path, epochs: int) -> dict[str, list[tuple[float, float]]]:
    """Return log loss and average precision of every fold, by way."""
    target, left_out = SETS[path.stem]
    recipe = Recipe().edited({**SCALED, "data.drop": left_out, "train.epochs": epochs})
    rows = rows_of(open_dataset(open_source(path), target), recipe)
    found = defaultdict(list)
    for repeat, folds in enumerate(repeated_folds(rows, recipe.split, repeats=2, folds=5, seed=0)):
        for number, (train, test) in enumerate(folds):
            seed = 1000 * repeat + number
            plain, over, under = (
                prepare(recipe.edited({"resample.method": method}), rows.take(train), rows.take(test), seed=seed)
                for method in ("none", "smote", "random-under")
            )
            for way in ways(recipe, plain, over, under):
                network, _ = train_network(way.recipe, way.prepared, seed=seed)
                assert plain.test is not None and way.prepared.test is not None
                answers = network_probability(network, way.prepared.test.matrix)
                truth = plain.test.labels
                found[way.name].append((scores.log_loss(truth, answers), scores.average_precision(truth, answers)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    folder = parser.parse_args().data
    paths = [LOAN, *(folder / f"{name}.csv" for name in SETS if folder is not None and name != LOAN.stem)]
    torch.set_num_threads(1)
    for epochs in (50, 5):
        print(f"\n| {epochs} epochs | log loss | ± | average precision | ± |\n|---|---:|---:|---:|---:|")
        for path in paths:
            with threadpool_limits(1):
                found = {name: np.array(values) for name, values in measured(path, epochs).items()}
            before = found["as it is"]
            for name, values in found.items():
                gains = (before - values) * (1, -1)
                mean, error = gains.mean(axis=0), gains.std(axis=0, ddof=1) / math.sqrt(len(gains))
                shown = values.mean(axis=0) if name == "as it is" else mean
                style = "{:.4f}" if name == "as it is" else "{:+.4f}"
                cells = [style.format(shown[0]), f"{error[0]:.4f}", style.format(shown[1]), f"{error[1]:.4f}"]
                print(f"| {path.stem}: {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
