"""Does bindoctor name what is wrong with a training, and nothing else before it?

    python benchmarks/runs/broken.py [--seeds 2] [--only NAME]

Each fault of faults.py is planted in a training that is otherwise healthy. A run counts when the loudest finding has an
expected code, and when any finding that is no note has one; both shares are printed, with the findings of whatever
missed. Less than 95 % of the runs with the code on top fails.
"""

import argparse
import sys
import time
import traceback
import warnings

import torch
from faults import FAULTS

from bindoctor import Severity

MIN_SHARE = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--verbose", action="store_true", help="print every finding")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = [fault for fault in FAULTS if options.only in fault.name]
    top = among = runs = 0
    start = time.perf_counter()
    for fault in chosen:
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            runs += 1
            try:
                found = list(fault.found(seed))
            except Exception:
                print(f"{fault.name}, seed {seed}: CRASHED\n{traceback.format_exc()}", flush=True)
                continue
            loud = [finding for finding in found if finding.severity is not Severity.NOTE] or found
            first = bool(loud) and loud[0].code in fault.expected
            any_one = any(finding.code in fault.expected for finding in loud)
            top, among = top + first, among + any_one
            beside = sorted({finding.code for finding in loud} - set(fault.expected))
            verdict = "first" if first else "among" if any_one else "MISSED"
            print(
                f"{verdict:6} {fault.name}, seed {seed}{': beside it ' + ', '.join(beside) if beside else ''}",
                flush=True,
            )
            if options.verbose or not first:
                for finding in found[:6]:
                    print(f"         {finding.code} {finding.severity}: {finding.message}", flush=True)
    print(f"\n{len(chosen)} faults, {runs} runs in {time.perf_counter() - start:.0f} s")
    print(f"expected code on top: {top} ({top / runs:.1%}); among what is loud: {among} ({among / runs:.1%})")
    return int(top < MIN_SHARE * runs)


if __name__ == "__main__":
    sys.exit(main())
