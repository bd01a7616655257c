"""What does a check of a large CSV file cost, in CPU, wall time and memory, next to merely parsing it and to pandas?

    python benchmarks/scan.py [--rows 1000000] [--rounds 3] [--folder DIR] [--peers deepchecks,skrub] [--markdown]

Writes a table of 49 columns (make_table.py; 390 MB for a million rows), then runs every contender (contenders.py) once
a round, A B C … A B C …, so that a load on the machine falls on all of them. Each is a process of its own, measured by
what the kernel charged to it and its children. The figures are medians over the rounds, the memory is the largest. A
first run of each on a thousand rows does not count: it compiles what is not compiled yet.

The floor is the cheaper of Polars parsing the file as text, whole or in batches: whoever wants to know every cell pays
that. The last table is of cold checks of a thousand rows, start of Python and imports included, next to a Python that
imports Polars and NumPy and does nothing; `--only cold` measures that alone.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contenders import OWN, PEERS, TARGET

HERE = Path(__file__).parent
SMALL_ROWS = 1000
COLD_RUNS = 15
FLOORS = ("polars-text", "polars-text-batches")
CHECK = ("-m", "bindoctor", "check", "--target", TARGET, "--output-format", "json")
LOAN, LOAN_TARGET = HERE.parent / "examples" / "loan" / "universal_bank.csv", "Personal Loan"
HEADS = ("", "CPU s", "wall s", "peak GB", "CPU / floor", "CPU / pandas", "wall / CPU")
COLD_HEADS = ("", "CPU s", "wall s", "peak GB", "CPU / imports")
NAMES = {
    "polars-text": "Polars, parsed as text, whole",
    "polars-text-batches": "Polars, parsed as text, in batches",
    "polars-typed": "Polars, parsed with types",
    "bindoctor-scan": "bindoctor, the scan alone",
    "check": "`bindoctor check`",
    "check-one": "`bindoctor check --select BD101`",
    "pandas": "pandas, the same statistics",
    "deepchecks": "deepchecks, data integrity suite",
    "ydata-profiling": "ydata-profiling, minimal",
    "skrub": "skrub, TableReport",
    "cleanlab": "cleanlab, Datalab without a model",
}
COLD_NAMES = {
    "imports": "importing Polars and NumPy alone",
    "loan": f"cold `bindoctor check`, {SMALL_ROWS} rows of the loan data",
    "wide": f"cold `bindoctor check`, {SMALL_ROWS} rows of 49 columns",
}


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU (user and system) and of wall time, and the largest resident memory in GB, of one process."""

    cpu: float
    wall: float
    memory: float


def measured(command: Sequence[str], folder: Path) -> Cost | None:
    """Run a command to its end; None if it failed (a `check` that finds something, and so exits 1, did not)."""
    log = folder / "stderr.txt"
    with log.open("wb") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    allowed = (0, 1) if "bindoctor" in command else (0,)
    if process.returncode not in allowed:
        last = (log.read_text(errors="replace").strip() or "no message").splitlines()[-1]
        print(f"{' '.join(command[1:3])} ended with {process.returncode}: {last}", file=sys.stderr)
        return None
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1e6)


def environment(folder: Path) -> dict[str, str]:
    """Return this environment with Polars' own number of threads, modules compiled once, and absolute paths."""
    without = ("POLARS_MAX_THREADS", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in without}
    roots = [str(Path(root).resolve()) for root in kept.get("PYTHONPATH", "").split(os.pathsep) if root]
    return {**kept, "PYTHONPATH": os.pathsep.join(roots), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def commands(file: Path, chosen: Sequence[str], peers: Sequence[str], peer_python: str) -> dict[str, list[str]]:
    script = str((HERE / "contenders.py").resolve())
    check = [sys.executable, *CHECK, str(file)]
    own = {
        **{name: [sys.executable, script, name, str(file)] for name in OWN},
        "check": check,
        "check-one": [*check, "--select", "BD101"],
    }
    return {
        **{name: own[name] for name in chosen if name in own},
        **{name: [peer_python, script, name, str(file)] for name in peers},
    }


def generated(folder: Path, rows: int, seed: int) -> Path:
    """Return a table of so many rows, written where it is not there yet.

    In a process of its own, as Linux counts the memory of whoever starts a process into that process's peak.
    """
    file = folder / f"table-{rows}-{seed}.csv"
    if not file.exists():
        part = file.with_suffix(".part")
        script = str(HERE / "make_table.py")
        subprocess.run([sys.executable, script, str(part), "--rows", str(rows), "--seed", str(seed)], check=True)
        part.rename(file)
    return file


def rounds_of(contenders: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, Cost]:
    """Run all contenders round by round; one that fails is out."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    failed: set[str] = set()
    for number in range(1, rounds + 1):
        for name, command in contenders.items():
            cost = None if name in failed else measured(command, folder)
            if cost is None:
                failed.add(name)
                continue
            costs[name].append(cost)
            print(
                f"round {number} {name}: {cost.cpu:.2f} CPU s, {cost.wall:.2f} s, {cost.memory:.2f} GB", file=sys.stderr
            )
    return {name: middle(runs) for name, runs in costs.items() if runs and name not in failed}


def middle(runs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(run.cpu for run in runs),
        statistics.median(run.wall for run in runs),
        max(run.memory for run in runs),
    )


def cold_commands(small: Path, folder: Path) -> dict[str, list[str]]:
    loan = folder / "loan.csv"
    loan.write_bytes(b"".join(LOAN.read_bytes().splitlines(keepends=True)[: SMALL_ROWS + 1]))
    check = [sys.executable, "-m", "bindoctor", "check"]
    return {
        "imports": [sys.executable, "-c", "import polars, numpy"],
        "loan": [*check, str(loan), "--target", LOAN_TARGET],
        "wide": [*check, str(small), "--target", TARGET],
    }


def cold_rows(costs: dict[str, Cost]) -> list[list[str]]:
    floor = costs["imports"].cpu
    return [
        [COLD_NAMES[name], f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.memory:.2f}", f"{cost.cpu / floor:.1f}"]
        for name, cost in costs.items()
    ]


def rows_of(costs: dict[str, Cost]) -> list[list[str]]:
    floor = min(costs[name].cpu for name in FLOORS if name in costs)
    pandas = costs["pandas"].cpu if "pandas" in costs else None
    return [
        [
            NAMES[name] + (" (the floor)" if cost.cpu == floor else ""),
            f"{cost.cpu:.2f}",
            f"{cost.wall:.2f}",
            f"{cost.memory:.2f}",
            f"{cost.cpu / floor:.1f}",
            f"{cost.cpu / pandas:.2f}" if pandas else "–",
            f"{cost.wall / cost.cpu:.2f}",
        ]
        for name, cost in costs.items()
    ]


def printed(heads: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> str:
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in [heads, *rows]]
        return "\n".join([lines[0], "|---|" + "---:|" * (len(heads) - 1), *lines[1:]])
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in [heads, *rows]
    )


def main() -> int:
    options = parsed()
    with tempfile.TemporaryDirectory(prefix="bindoctor-scan-") as made:
        scratch = Path(made)
        complete = options.only == ["cold"] or timed_scans(options, scratch)
        small = generated(scratch, SMALL_ROWS, options.seed)
        cold = cold_commands(small, scratch)
        for command in cold.values():
            measured(command, scratch)
        costs = rounds_of(cold, COLD_RUNS, scratch)
    if len(costs) < len(cold):
        return 1
    print(f"\nCold, the median of {COLD_RUNS}; {machine()}\n")
    print(printed(COLD_HEADS, cold_rows(costs), markdown=options.markdown))
    return 0 if complete else 1


def timed_scans(options: argparse.Namespace, scratch: Path) -> bool:
    """Print what the contenders cost on the large table; False if one of them failed."""
    folder = (options.folder or scratch).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    file = generated(folder, options.rows, options.seed)
    print(f"{options.rows} rows x 49 columns, {file.stat().st_size / 1e6:.0f} MB; {machine()}\n")
    small = generated(scratch, SMALL_ROWS, options.seed)
    chosen = [name for name in NAMES if not options.only or name in (*FLOORS, *options.only)]
    first, full = (commands(path, chosen, options.peers, options.peer_python) for path in (small, file))
    for command in first.values():
        measured(command, scratch)
    costs = rounds_of(full, options.rounds, scratch)
    print(printed(HEADS, rows_of(costs), markdown=options.markdown))
    return len(costs) == len(full)


def machine() -> str:
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return f"{cores} cores, load {load:.1f}, Python {platform.python_version()}"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="keep the table there, and use one that is there (default: neither)"
    )
    parser.add_argument(
        "--only", type=lambda text: text.split(","), help=f"besides the floors: {', '.join(NAMES)}; or cold"
    )
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[], help=f"of: {', '.join(PEERS)}")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="run those there")
    parser.add_argument("--markdown", action="store_true", help="print the table for README.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
