"""How often does a fix that does nothing pass? The mean over folds against bindoctor's verdict.

    python benchmarks/placebos.py [--outer 3] [--placebos 4] [--repeats 6]

For each data set and outer seed, the same setup with other seeds is tried as a "fix" on shared folds. Counted is how
many would be accepted because the cross-validated mean of the log loss went up (one and six repeats), and how many by
bindoctor's verdict (t, smallest gain, guard). Prints a Markdown table.
"""

import argparse
from collections import Counter
from pathlib import Path

import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from bindoctor import Dataset, Recipe, Table
from bindoctor.attempt import Attempt
from bindoctor.laboratory import Laboratory
from bindoctor.readers import open_dataset, open_source, table_source
from bindoctor.rows import rows_of
from bindoctor.splits import locked_part
from bindoctor.verdict import judge, judgement

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"
RECIPE = Recipe().edited({"features.scale": "standard", "split.stratify": True})


def data_sets() -> dict[str, tuple[Dataset, Recipe]]:
    """Return binary problems that need no download."""

    def of_sklearn(loaded: object, positive: list[int]) -> Dataset:
        cells = {f"x{i}": column.tolist() for i, column in enumerate(loaded.data.T)}  # type: ignore[attr-defined]
        labels = ["yes" if label in positive else "no" for label in loaded.target]  # type: ignore[attr-defined]
        return open_dataset(table_source(Table({**cells, "y": labels})), "y")

    loan = open_dataset(open_source(LOAN), "Personal Loan")
    return {
        "breast_cancer": (of_sklearn(load_breast_cancer(), [0]), RECIPE),
        "wine": (of_sklearn(load_wine(), [0]), RECIPE),
        "digits (>= 5)": (of_sklearn(load_digits(), [5, 6, 7, 8, 9]), RECIPE),
        "loan": (loan, RECIPE.edited({"data.drop": ("ID",)})),
        "loan, unscaled": (loan, RECIPE.edited({"data.drop": ("ID",), "features.scale": "none"})),
    }


def count(dataset: Dataset, recipe: Recipe, *, outer: int, placebos: int, repeats: int) -> Counter[str]:
    """Count the placebos of one data set and outer seed, and by which criterion each would be accepted."""
    rows = rows_of(dataset, recipe)
    work, _ = locked_part(rows, recipe.split, seed=outer)
    laboratory = Laboratory(dataset, rows.take(work), recipe, seed=outer, repeats=repeats)
    baseline = laboratory.complete(Attempt(recipe), stand_in=True)
    found: Counter[str] = Counter()
    for salt in range(1, placebos + 1):
        placebo = laboratory.complete(Attempt(recipe, salt=salt), stand_in=True)
        score = "log-loss"
        gains, guarded = placebo.usable_gains(baseline, score), placebo.usable_gains(baseline, judgement(score).guard)
        found["tried"] += 1
        found["mean, 1 x 5 folds"] += bool(gains[: laboratory.folds].mean() > 0)
        found[f"mean, {repeats} x 5 folds"] += bool(gains.mean() > 0)
        found["bindoctor"] += judge(score, gains, guarded, laboratory.overlap).status == "improved"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outer", type=int, default=3)
    parser.add_argument("--placebos", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["tried", "mean, 1 x 5 folds", f"mean, {options.repeats} x 5 folds", "bindoctor"]
    print(f"| data | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    total: Counter[str] = Counter()
    for name, (dataset, recipe) in data_sets().items():
        found: Counter[str] = Counter()
        for outer in range(options.outer):
            found += count(dataset, recipe, outer=outer, placebos=options.placebos, repeats=options.repeats)
        total += found
        print(f"| {name} | {' | '.join(str(found[column]) for column in columns)} |", flush=True)
    shares = [
        f"{total[column] / total['tried']:.0%}" if column != "tried" else str(total[column]) for column in columns
    ]
    print(f"| all | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
