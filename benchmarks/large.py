"""What does `fix --apply` of a large table cost in time and memory, next to the loan example?

    python benchmarks/large.py [--rows 1000000] [--folder DIR]

Writes a table of 47 numbers on scales from 0.01 to 1000, 9 of them skewed, two categories and a binary target that is 1
in about a sixth of the rows and depends on products and bends. Each `fix --apply` is a process of its own; printed are
what the kernel charged to it, its status, and the loss on the locked rows before and after.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"
NUMBERS = 47


def write_table(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(rows, 4))
    cells: dict[str, np.ndarray] = {}
    for j in range(NUMBERS):
        scale = 10.0 ** random.integers(-2, 4)
        values = 0.6 * hidden[:, j % 4] + random.normal(size=rows) + random.normal()
        cells[f"x{j:02}"] = ((np.exp(values) if j % 5 == 0 else values) * scale).round(4)
    cells["city"] = random.choice([f"c{i:02}" for i in range(30)], rows)
    cells["plan"] = random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    signal = hidden[:, 0] * hidden[:, 1] + np.sin(2 * hidden[:, 2]) + 0.5 * hidden[:, 3] + (cells["plan"] == "c")
    cells["y"] = (random.random(rows) < 1 / (1 + np.exp(2.2 - 1.3 * signal))).astype(np.int8)
    pl.DataFrame(cells).write_csv(path)


def measure(data: Path, target: str) -> None:
    command = [sys.executable, "-m", "bindoctor", "fix", data.name, "--target", target, "--apply"]
    report = ["--output-format", "json", "--output-file", "report.json"]
    began = time.perf_counter()
    with (data.parent / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen([*command, *report], cwd=data.parent, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    print(
        f"{data.name}: {wall:.0f} s wall, {cpu:.0f} s CPU, {usage.ru_maxrss / 1e6:.2f} GB at most, exit {status >> 8}"
    )
    if not status:
        found = json.loads((data.parent / "report.json").read_text(encoding="utf-8"))["treatment"]
        losses = [found[when].get("log-loss") for when in ("before", "after")]
        tried = sum(not trial["placebo"] for trial in found["trials"])
        print(f"  {found['status']}, {tried} fixes tried; log loss {losses[0]:.4f} before, {losses[1]:.4f} after")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the tables go; a temporary folder when not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bindoctor-large-") as made:
        folder = options.folder or Path(made)
        for name in ("loan", "large"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(LOAN, folder / "loan")
        measure(folder / "loan" / LOAN.name, "Personal Loan")
        large = folder / "large" / "large.csv"
        write_table(large, options.rows)
        measure(large, "y")


if __name__ == "__main__":
    main()
