"""Does what `fix` says hold on rows that it never saw?

    python benchmarks/replication.py [--data FOLDER] [--splits 0,1] [--only loan,wine] [--json FILE] [--markdown]

Each data set is split in halves, stratified. `bindoctor fix --apply` is run on one half, a process of its own. On that
half are then trained: the *naive* setup (the default recipe, leaks and all), the *honest* one (with the corrections
that `fix` made whatever they do to the score), a *scaled* one (honest, medians for missing numbers, standardised), the
*blind* checklist (scaled, SMOTE, or repeated rows where it does not fit, dropout 0.3), and what `fix` wrote. All five
and the *constant* answer of the class shares are scored on the other half. A setup that cannot be trained counts as the
constant answer, which is what is left of it. Placebos are the fixes that do nothing in every list of trials: counted is
how many of them passed the same judgement as fixes do.

FOLDER holds CSV files and a manifest.json, {"sets": [{"file": …, "target": …}]}; without it, the loan example and sets
that scikit-learn carries are used. Printed are a line a run, and by status of the treatment: how many, how many better
than the honest setup and the constant answer in the score that the claim is about (log loss, or where only the
threshold changed the score that it is tuned for), how many worse by more than 0.01 in log loss, the mean gains, and the
cost. A half can be improved if scaling, the blind checklist or the fixes gain more than 0.002 on the other half.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

import bindoctor
from bindoctor import InputError, Recipe, scores
from bindoctor.config import load_config
from bindoctor.final import train_final
from bindoctor.history import TrainingFailed
from bindoctor.predictions import Predictions
from bindoctor.readers import open_dataset, open_source
from bindoctor.rows import features_of, rows_of

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"
SCORES = ("log-loss", "average-precision", "roc-auc", "mcc", "balanced-accuracy", "f1", "accuracy")
SETUPS = ("naive", "honest", "scaled", "blind", "fixed", "constant")
HARMED = ("honest", "constant")
AP_OVER = ("naive", "honest", "scaled", "blind")
MIN_GAIN = 0.002
SCALED = {"features.scale": "standard", "features.impute": "median"}


@dataclass(frozen=True)
class Source:
    """A data set: its name, its table as read, and its target."""

    name: str
    frame: pl.DataFrame
    target: str


@dataclass(frozen=True)
class Result:
    """What became of one half.

    Attributes:
        name, split, rows: the data set, the seed of the halves, and its rows.
        status: of the treatment.
        wall, cpu: its costs in seconds.
        placebos, accepted: fixes that do nothing, and how many of them were judged an improvement.
        judged: the score that the treatment's claim is about.
        scores: each setup's scores on the other half.
    """

    name: str
    split: int
    rows: int
    status: str
    wall: float
    cpu: float
    placebos: int
    accepted: int
    judged: str
    scores: dict[str, dict[str, float]]

    def gain(self, score: str, over: Sequence[str]) -> float:
        """Return how much better the fixed setup is than the best of others."""
        sign = 1 if scores.higher_is_better(score) else -1
        return min(sign * (self.scores["fixed"][score] - self.scores[setup][score]) for setup in over)

    @property
    def improvable(self) -> bool:
        """Tell whether something that was tried is better than the honest setup and the constant answer."""
        losses = {setup: found["log-loss"] for setup, found in self.scores.items()}
        best = min(losses["scaled"], losses["blind"], losses["fixed"])
        return best < min(losses["honest"], losses["constant"]) - MIN_GAIN


def sources(folder: Path | None) -> Iterator[Source]:
    if folder is not None:
        for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["sets"]:
            path = folder / entry["file"]
            frame, target = bindoctor.read(path), str(entry["target"])
            if target not in frame.columns:
                target = frame.columns[int(target)]
            yield Source(path.stem, frame, target)
        return
    yield Source("loan", bindoctor.read(LOAN), "Personal Loan")
    for name, loaded, positive in (
        ("breast_cancer", load_breast_cancer(), [0]),
        ("wine", load_wine(), [0]),
        ("digits", load_digits(), [5, 6, 7, 8, 9]),
    ):
        cells = {f"x{i}": column.tolist() for i, column in enumerate(loaded.data.T)}
        labels = ["yes" if label in positive else "no" for label in loaded.target]
        yield Source(name, pl.DataFrame({**cells, "y": labels}), "y")


def halves(source: Source, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a table in halves, with the same shares of the classes."""
    labels = source.frame[source.target].cast(pl.String).fill_null("").to_numpy()
    order = np.random.default_rng(seed).permutation(len(labels))
    ranked = order[np.argsort(labels[order], kind="stable")]
    return source.frame[np.sort(ranked[::2])], source.frame[np.sort(ranked[1::2])]


@dataclass(frozen=True)
class Treated:
    """What a run of `fix --apply` came to: its status, the honest recipe, the one it left, and its costs."""

    status: str
    honest: Recipe
    fixed: Recipe
    wall: float
    cpu: float
    placebos: int = 0
    accepted: int = 0
    judged: str = "log-loss"


def treated(folder: Path, target: str) -> Treated:
    """Run `fix --apply` in a process of its own."""
    command = [sys.executable, "-m", "bindoctor", "fix", "inner.csv", "--target", target, "--apply"]
    report = ["--output-format", "json", "--output-file", "report.json"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, *report], cwd=folder, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        print(f"{folder.name}: {last}", file=sys.stderr)
        return Treated("could not", Recipe(), Recipe(), wall, cpu)
    treatment = json.loads((folder / "report.json").read_text(encoding="utf-8"))["treatment"]
    honest, settings = Recipe(), folder / "bindoctor.toml"
    for correction in treatment["corrections"]:
        honest = honest.edited(correction["edits"])
    fixed = load_config(settings).recipe if settings.exists() else honest
    placebos = [trial["status"] == "improved" for trial in treatment["trials"] if trial["placebo"]]
    judged = treatment["score"] if treatment["score"] in SCORES else "log-loss"
    return Treated(treatment["status"], honest, fixed, wall, cpu, len(placebos), sum(placebos), judged)


def scored(recipe: Recipe, inner: Path, outer: Path, target: str, classes: int) -> dict[str, float] | None:
    """Train on one half and score on the other; None when that cannot be done."""
    if classes > 2 and recipe.loss.kind == "bce":
        recipe = recipe.edited({"loss.kind": "cross-entropy"})
    try:
        rows = rows_of(open_dataset(open_source(inner), target), recipe)
        model = train_final(recipe, rows, seed=0)
        asked = recipe.edited({"data.drop-rows": (), "data.deduplicate": False, "data.conflicts": "keep"})
        held = rows_of(open_dataset(open_source(outer), target), asked)
        # Columns are read as they were in training, whatever this half alone would make of them.
        features = features_of(open_source(outer), asked, model.fitted.columns)
        answers = model.predictions(replace(held, features=features[held.row_ids]))
    except (InputError, TrainingFailed) as error:
        print(f"{inner.parent.name}: {error}", file=sys.stderr)
        return None
    return {name: scores.measure(name, answers) for name in SCORES}


def constant(inner: Path, outer: Path, target: str) -> dict[str, float]:
    """Score the class shares of one half on the other."""
    parts = [rows_of(open_dataset(open_source(path), target), Recipe()) for path in (inner, outer)]
    shares = np.bincount(parts[0].labels, minlength=len(parts[0].classes)) / len(parts[0])
    rows = len(parts[1])
    answers = Predictions(
        parts[1].classes, parts[1].labels, np.tile(shares, (rows, 1)), parts[1].row_ids, np.zeros(rows, dtype=np.int64)
    )
    return {name: scores.measure(name, answers) for name in SCORES}


def run(source: Source, split: int, folder: Path) -> Result:
    folder.mkdir()
    inner, outer = folder / "inner.csv", folder / "outer.csv"
    for path, frame in zip((inner, outer), halves(source, split), strict=True):
        frame.write_csv(path)
    done = treated(folder, source.target)
    classes = source.frame[source.target].drop_nulls().n_unique()
    numbers = all(kind.is_numeric() for name, kind in source.frame.schema.items() if name != source.target)
    blind = {**SCALED, "model.dropout": 0.3, "resample.method": "smote" if numbers else "random-over"}
    setups = {
        "naive": Recipe(),
        "honest": done.honest,
        "scaled": done.honest.edited(SCALED),
        "blind": done.honest.edited(blind),
        "fixed": done.fixed,
    }
    nothing = constant(inner, outer, source.target)
    found = {name: scored(setup, inner, outer, source.target, classes) or nothing for name, setup in setups.items()}
    costs = (done.wall, done.cpu, done.placebos, done.accepted, done.judged)
    return Result(source.name, split, len(source.frame), done.status, *costs, {**found, "constant": nothing})


def table(results: Sequence[Result]) -> list[list[str]]:
    """Return, by status, how often and by how much the fixed setup is better on rows that nobody saw."""
    by_status = defaultdict(list)
    for result in results:
        by_status[result.status].append(result)
    rows = [["status", "runs", "better", "worse by > 0.01", *(f"log loss over {s}" for s in SETUPS if s != "fixed")]]
    rows[0] += [*(f"AP over {setup}" for setup in AP_OVER), "wall s", "CPU s"]
    for status, some in sorted(by_status.items()):
        better = sum(result.gain(result.judged, ("honest", "constant")) > 0 for result in some)
        worse = sum(result.gain("log-loss", ("honest", "constant")) < -0.01 for result in some)
        cells = [status, str(len(some)), str(better), str(worse)]
        others = [setup for setup in SETUPS if setup != "fixed"]
        cells += [f"{statistics.mean(result.gain('log-loss', (setup,)) for result in some):+.4f}" for setup in others]
        for setup in AP_OVER:
            cells.append(f"{statistics.mean(result.gain('average-precision', (setup,)) for result in some):+.4f}")
        cells += [f"{statistics.median(r.wall for r in some):.0f}", f"{statistics.median(r.cpu for r in some):.0f}"]
        rows.append(cells)
    return rows


def summary(results: Sequence[Result]) -> list[str]:
    """Return what the table leaves open, a sentence each."""
    placebos, accepted = sum(r.placebos for r in results), sum(r.accepted for r in results)
    improvable = {r.name for r in results if r.improvable}
    ended_well = {r.name for r in results if r.status == "verified"}
    blind = [r for r in results if r.scores["blind"]["log-loss"] > min(r.scores[s]["log-loss"] for s in HARMED)]
    return [
        f"{accepted} of {placebos} placebos were judged an improvement.",
        f"{len(improvable & ended_well)} of {len(improvable)} sets that can be improved ended verified.",
        f"The blind checklist harms in {len(blind)} of {len(results)} runs.",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of CSV files with a manifest.json")
    parser.add_argument("--splits", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1])
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of data sets, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument("--markdown", action="store_true", help="print the tables for README.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="bindoctor-replication-") as made:
        for source in sources(options.data):
            if options.only and source.name not in options.only:
                continue
            for split in options.splits:
                result = run(source, split, Path(made) / f"{source.name}-{split}")
                results.append(result)
                losses = "  ".join(f"{setup} {result.scores[setup]['log-loss']:.4f}" for setup in SETUPS)
                print(f"{source.name} {split}: {result.status} in {result.wall:.0f} s; {losses}", file=sys.stderr)
                if options.json:
                    options.json.write_text(json.dumps([asdict(r) for r in results], indent=1), encoding="utf-8")
    for number, cells in enumerate(table(results)):
        print(f"| {' | '.join(cells)} |" if options.markdown else "  ".join(cells))
        if options.markdown and not number:
            print("|" + "---|" * len(cells))
    print("\n" + "\n".join(summary(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
