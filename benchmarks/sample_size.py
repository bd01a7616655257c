"""What do trials on more rows change in what `fix` finds?

    python benchmarks/sample_size.py FILE --target NAME [--sizes 2500,5000,10000,20000]

Each treatment tries its fixes on a sample of so many rows at most and is confirmed on all; the locked rows are the same
for all sizes. A line a size: CPU seconds, the status, log loss before and after on the locked rows, and what was kept.
"""

import argparse
import time
from pathlib import Path

import torch

from bindoctor.examine import findings_of
from bindoctor.findings import permitted
from bindoctor.treat import treat
from bindoctor.workspace import DataSettings, open_workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--target", required=True)
    sizes = [2500, 5000, 10_000, 20_000]
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=sizes)
    options = parser.parse_args()
    torch.set_num_threads(1)
    workspace = open_workspace(DataSettings(path=str(options.file), target=options.target))
    evidence = workspace.evidence()
    for size in options.sizes:
        began = time.process_time()
        done = treat(evidence, lambda seen: permitted(findings_of(workspace.examine(seen)), ()), max_rows=size)
        kept = "; ".join(trial.title for trial in done.trials if trial.kept)
        losses = [values.get("log-loss", float("nan")) for values in (done.before, done.after)]
        cost = f"{size:>6} rows  {time.process_time() - began:5.0f} s"
        print(f"{cost}  {done.status}  {losses[0]:.4f} -> {losses[1]:.4f}  {kept or 'nothing kept'}", flush=True)


if __name__ == "__main__":
    main()
