"""How many planted faults does `bindoctor check` find, and does it name the right cause first?

    python benchmarks/faults.py [--only 1,7] [--data wine] [--seed 0] [--json FILE] [--peer-python PYTHON]

Three data sets that scikit-learn carries, split 70/30; into each, one of twelve faults at a time is planted, written as
CSV files and checked through the command line. A fault counts as found when a finding of an expected code, which the
clean data do not have, names the column or lists the rows that were tampered with. It is the first cause when no
finding that the clean data do not have stands before it.

Prints a Markdown table. Exits 0 when at most one of the faults is missed and the clean data draw at most one loud
finding each (a warning or an error) besides BD103, which is right about them: they are not scaled.

Other tools see the same files where they are installed (see peers.py); their alarms are held to the same conditions.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from planted import FAULTS, TARGET, Fault, Planted, clean_parts

MAX_MISSES = 1
MAX_LOUD_ON_CLEAN = 1
RIGHT_ON_CLEAN = "BD103"
LOUD = ("warning", "error")


@dataclass(frozen=True)
class Alarm:
    """One finding of bindoctor, or one raised check of another tool; ``text`` is all that it says of columns."""

    code: str
    place: str
    text: str
    loud: bool = True
    rows: tuple[int, ...] = ()

    def names(self, columns: Iterable[str]) -> frozenset[str]:
        return frozenset(c for c in columns if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", self.text))


@dataclass(frozen=True)
class Cell:
    """What a tool made of one fault in one data set.

    ``extra`` are the loud alarms that the fault brought about besides the right one; ``precision`` and ``recall`` are
    of the rows that the right alarm lists; ``named`` counts the planted columns in it, ``misnamed`` the others that it
    did not name in the clean data.
    """

    data: str
    fault: str
    found: bool
    first: bool
    extra: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    precision: float | None = None
    recall: float | None = None
    named: int | None = None
    misnamed: int | None = None
    error: str = ""


def run_check(folder: Path, options: Sequence[str]) -> tuple[list[Alarm], str]:
    """Run ``bindoctor check`` in ``folder``, where no settings are; return its findings in order, and what broke."""
    words = [word for option in options for word in ((option, "test.csv") if option == "--test" else (option,))]
    asked = ["check", "train.csv", "--target", TARGET, "--output-format", "json", *words]
    roots = [str(Path(root).resolve()) for root in os.environ.get("PYTHONPATH", "").split(os.pathsep) if root]
    ran = subprocess.run(
        [sys.executable, "-m", "bindoctor", *asked],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(ran.stdout)
    except json.JSONDecodeError:
        return [], (ran.stderr.strip() or "no report").splitlines()[-1]
    broken = [f"{o['code']}: {o['why']}" for o in report["outcomes"] if o["status"] == "error"]
    return [alarm_of(finding) for finding in report["findings"]], "; ".join(broken)


def alarm_of(finding: Mapping[str, Any]) -> Alarm:
    place = finding["where"]
    return Alarm(
        finding["code"],
        f"{place['kind']} {place['name']}".strip(),
        "\n".join([place["name"], finding["message"], *strings(finding["measured"])]),
        finding["severity"] in LOUD,
        tuple(finding["rows"]["first"]),
    )


def strings(value: object) -> list[str]:
    """Return every text in a JSON value, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return []


def judged(
    data: str, fault: Fault, planted: Planted, codes: Collection[str], alarms: Sequence[Alarm], clean: Sequence[Alarm]
) -> Cell:
    """Say whether one of ``codes`` is among the alarms that the clean data do not raise, and what else is."""
    known_texts = {(alarm.code, alarm.place, alarm.text) for alarm in clean}
    known_places = {(alarm.code, alarm.place) for alarm in clean}
    right = [
        alarm
        for alarm in alarms
        if alarm.code in codes and (alarm.code, alarm.place, alarm.text) not in known_texts and about(alarm, planted)
    ]
    news = [alarm for alarm in alarms if alarm in right or (alarm.code, alarm.place) not in known_places]
    listed = {row for alarm in right for row in alarm.rows}
    hits = listed & planted.rows
    precision = len(hits) / len(listed) if listed and planted.rows else None
    recall = len(hits) / len(planted.rows) if listed and planted.rows else None
    named = frozenset[str]().union(*(alarm.names(planted.columns) for alarm in right))
    others = set(planted.train.columns) - planted.columns - {TARGET}
    named_anyway = frozenset[str]().union(*(alarm.names(others) for alarm in clean if alarm.code in codes))
    misnamed = frozenset[str]().union(*(alarm.names(others) for alarm in right)) - named_anyway
    found = bool(right) and len(named) >= fault.min_recall * len(planted.columns)
    if precision is not None and recall is not None:
        found = found and precision >= fault.min_precision and recall >= fault.min_recall
    elif fault.lists_rows:
        found = False
    return Cell(
        data,
        fault.slug,
        found,
        found and news[0] in right,
        tuple(f"{alarm.code} {alarm.place}" for alarm in news if alarm.loud and alarm.code not in codes),
        tuple(f"{alarm.code} {alarm.place}" for alarm in news),
        precision,
        recall,
        len(named) if planted.columns else None,
        len(misnamed) if planted.columns else None,
    )


def about(alarm: Alarm, planted: Planted) -> bool:
    """Tell whether an alarm names a planted column, where there is one to name, or lists a planted row."""
    return not planted.columns or bool(alarm.names(planted.columns)) or bool(planted.rows & set(alarm.rows))


# What the other tools say

# For each of them, the checks that are closest to each fault, by the fault's number; no entry: it has none.
PEER_CHECKS: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    "deepchecks": {
        1: ("Data Duplicates",),
        2: ("Conflicting Labels",),
        4: ("Identifier Label Correlation",),
        5: ("Feature Label Correlation",),
        6: ("Single Value in Column",),
        8: ("Mixed Data Types", "String Mismatch", "Special Characters"),
        10: ("Train Test Samples Mix",),
        11: ("Feature Drift",),
        12: ("Outlier Sample Detection",),
    },
    "cleanlab": {
        1: ("near_duplicate",),
        2: ("near_duplicate", "label"),
        3: ("label",),
        9: ("class_imbalance",),
        12: ("outlier",),
    },
    "ydata-profiling": {
        1: ("DUPLICATES",),
        4: ("UNIQUE", "UNIFORM"),
        5: ("HIGH_CORRELATION",),
        6: ("CONSTANT",),
        8: ("UNSUPPORTED", "HIGH_CARDINALITY", "MISSING"),
        9: ("IMBALANCE",),
        12: ("SKEWED",),
    },
}


def ask_peers(pythons: Sequence[str], folder: Path) -> dict[str, dict[str, list[Alarm]]]:
    """Return by tool and case what the tools say that are installed for these interpreters; say which are left out."""
    script, answers = Path(__file__).with_name("peers.py"), dict[str, dict[str, list[Alarm]]]()
    for python in pythons:
        missing = [name for name in PEER_CHECKS if name not in answers]
        out = folder / "peers.json"
        subprocess.run([python, str(script), str(folder), str(out), "--tools", *missing], check=True)
        for name, found in json.loads(out.read_text()).items():
            answers[name] = {
                case: [Alarm(a["code"], a["place"], a["text"], True, tuple(a["rows"])) for a in alarms]
                for case, alarms in found.items()
            }
    for name in PEER_CHECKS:
        if name not in answers:
            print(f"{name}: not installed, left out", file=sys.stderr)
    return answers


# The whole


def write(parts: Planted, folder: Path, *, test: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts.train.to_csv(folder / "train.csv", index=False)
    if test:
        parts.test.to_csv(folder / "test.csv", index=False)


def plant(parts: Mapping[str, Planted], faults: Sequence[Fault], folder: Path, seed: int) -> dict[str, Planted]:
    """Write each data set, clean and with each fault, into ``folder/DATA/CASE``, and return what was planted where."""
    cases = {}
    for number, (data, clean) in enumerate(parts.items()):
        write(clean, folder / data / "clean", test=True)
        for fault in faults:
            planted = fault.plant(clean, np.random.default_rng([seed, number, fault.number]))
            write(planted, folder / data / fault.slug, test="--test" in fault.command)
            cases[f"{data}/{fault.slug}"] = planted
    return cases


def examine(folder: Path, data: Iterable[str], faults: Sequence[Fault], cases: Mapping[str, Planted]) -> list[Cell]:
    """Check every case, and the clean data under the same options."""
    cells = []
    for name in data:
        clean = {command: run_check(folder / name / "clean", command)[0] for command in {f.command for f in faults}}
        for fault in faults:
            alarms, error = run_check(folder / name / fault.slug, fault.command)
            planted = cases[f"{name}/{fault.slug}"]
            cell = judged(name, fault, planted, fault.codes, alarms, clean[fault.command])
            cells.append(replace(cell, error=error))
            print(f"{name} {fault.slug}: {verdict(cell)}{error and f' ({error})'}", file=sys.stderr)
    return cells


def loud_on_clean(folder: Path, data: Iterable[str]) -> dict[str, list[str]]:
    """Return the loud findings on each clean data set, but for the one that is right about it."""
    found = {name: run_check(folder / name / "clean", ())[0] for name in data}
    return {
        name: [f"{a.code} {a.place}" for a in alarms if a.loud and a.code != RIGHT_ON_CLEAN]
        for name, alarms in found.items()
    }


def judge_peers(
    answers: Mapping[str, Mapping[str, list[Alarm]]], faults: Sequence[Fault], cases: Mapping[str, Planted]
) -> dict[str, list[Cell]]:
    judgements = {}
    for tool, said in answers.items():
        judgements[tool] = []
        for case, planted in cases.items():
            data, slug = case.split("/")
            # Most of them list no rows at all: for them the right check is enough.
            fault = replace(next(fault for fault in faults if fault.slug == slug), lists_rows=False)
            closest = PEER_CHECKS[tool].get(fault.number, ())
            judgements[tool].append(judged(data, fault, planted, closest, said[case], said[f"{data}/clean"]))
    return judgements


def verdict(cell: Cell) -> str:
    return "first" if cell.first else "found" if cell.found else "missed"


def percent(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{np.mean(known):.0%}" if known else ""


def table(faults: Sequence[Fault], data: Sequence[str], cells: Sequence[Cell], peers: Mapping[str, list[Cell]]) -> str:
    """Return the results as Markdown: one row a fault, one column a data set, and how many of them each tool found."""
    heads = ["fault", "rules", *data, "extra", "rows: precision", "recall", "columns: right", "wrong", *peers]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'---|' * len(data)}{'---:|' * (len(heads) - len(data) - 2)}"]
    for fault in faults:
        mine = [cell for cell in cells if cell.fault == fault.slug]
        wanted = [cell for cell in mine if cell.named is not None]
        lines.append(
            "| "
            + " | ".join(
                [
                    f"{fault.number} {fault.name}",
                    ", ".join(fault.codes),
                    *map(verdict, mine),
                    str(sum(len(cell.extra) for cell in mine)),
                    percent([cell.precision for cell in mine]),
                    percent([cell.recall for cell in mine]),
                    str(sum(cell.named or 0 for cell in wanted)) if wanted else "",
                    str(sum(cell.misnamed or 0 for cell in wanted)) if wanted else "",
                    *(str(sum(c.found for c in found if c.fault == fault.slug)) for found in peers.values()),
                ]
            )
            + " |"
        )
    return "\n".join(lines)


def main() -> int:
    options = parsed()
    faults = [fault for fault in FAULTS if not options.only or fault.number in options.only]
    parts = {name: part for name, part in clean_parts(options.seed).items() if not options.data or name in options.data}
    with tempfile.TemporaryDirectory(prefix="bindoctor-faults-") as made:
        folder = Path(made)
        cases = plant(parts, faults, folder, options.seed)
        loud = loud_on_clean(folder, parts)
        cells = examine(folder, parts, faults, cases)
        answers = ask_peers(options.peer_python or [sys.executable], folder)
    peers = judge_peers(answers, faults, cases)
    found, first = sum(cell.found for cell in cells), sum(cell.first for cell in cells)
    extra = sum(len(cell.extra) for cell in cells)
    print(table(faults, list(parts), cells, peers))
    print(f"\nbindoctor: {found} of {len(cells)} found, {first} of them first, {extra} loud findings besides")
    for name, alarms in loud.items():
        print(f"clean {name}: {len(alarms)} loud besides {RIGHT_ON_CLEAN}{': ' if alarms else ''}{', '.join(alarms)}")
    for tool, judgements in peers.items():
        count = " + ".join(str(len(answers[tool][f"{name}/clean"])) for name in parts)
        print(
            f"{tool}: {sum(c.found for c in judgements)} of {len(judgements)} found; alarms on the clean data: {count}"
        )
    if options.json:
        everything = {
            "seed": options.seed,
            "found": found,
            "first": first,
            "loud_on_clean": loud,
            "cells": [asdict(cell) for cell in cells],
            "peers": {tool: [asdict(cell) for cell in judgements] for tool, judgements in peers.items()},
        }
        options.json.write_text(json.dumps(everything, indent=2) + "\n")
    quiet = all(len(alarms) <= MAX_LOUD_ON_CLEAN for alarms in loud.values())
    return 0 if len(cells) - found <= MAX_MISSES and quiet else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: {int(part) for part in text.split(",")}, help="numbers of faults")
    parser.add_argument("--data", type=lambda text: set(text.split(",")), help="names of data sets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument(
        "--peer-python", action="append", metavar="PYTHON", help="ask other tools there; may be repeated"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
