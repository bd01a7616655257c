"""Does `fix` come to the same report when it is killed at random moments and started again?

    python benchmarks/interruptions.py [--kills 10] [--seed 0] [--data FILE --target NAME]

An uninterrupted run comes first, and gives the report and the time it takes. Then, in a folder of its own, `fix` is
started and killed (SIGKILL) after a random share of that time, 15 to 35 %, ten times, and at last left to end. The last
report must be that of the uninterrupted run, byte for byte; printed are how much was on record after each kill, and
that no training was recorded twice. Exits 1 if one of the two does not hold.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"


def start(folder: Path, data: Path, target: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "bindoctor", "fix", data.name, "--target", target]
    report = ["--output-format", "json", "--output-file", "report.json"]
    return subprocess.Popen([*command, *report], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def recorded(folder: Path) -> list[bytes]:
    """Return the keys of the trainings on record."""
    journal = folder / "bindoctor-out" / "trials.journal"
    lines = journal.read_bytes().splitlines()[1:] if journal.is_file() else []
    return [line.split(b" ")[1] for line in lines if line.count(b" ") == 2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=LOAN)
    parser.add_argument("--target", default="Personal Loan")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="bindoctor-interruptions-") as made:
        whole, cut = Path(made) / "whole", Path(made) / "cut"
        for folder in (whole, cut):
            folder.mkdir()
            shutil.copy(options.data, folder)
        began = time.perf_counter()
        if start(whole, options.data, options.target).wait():
            print("the uninterrupted run failed", file=sys.stderr)
            return 1
        lasted = time.perf_counter() - began
        print(f"uninterrupted: {lasted:.1f} s, {len(recorded(whole))} trainings on record")
        for number in range(1, options.kills + 1):
            process = start(cut, options.data, options.target)
            after = moments.uniform(0.15, 0.35) * lasted
            try:
                process.wait(after)
                print(f"kill {number}: had ended before {after:.1f} s; report removed")
                (cut / "report.json").unlink()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(f"kill {number}: after {after:.1f} s, {len(recorded(cut))} trainings on record")
        if start(cut, options.data, options.target).wait():
            print("the last run failed", file=sys.stderr)
            return 1
        keys = recorded(cut)
        same = (whole / "report.json").read_bytes() == (cut / "report.json").read_bytes()
        print(
            f"the report is {'the same' if same else 'ANOTHER'}; {len(keys) - len(set(keys))} trainings twice on record"
        )
        return 0 if same and len(keys) == len(set(keys)) else 1


if __name__ == "__main__":
    sys.exit(main())
