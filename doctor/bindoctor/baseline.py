"""The findings that were there when a baseline was recorded, so that a check can report only what is new."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bindoctor.audit import Known
from bindoctor.errors import InputError
from bindoctor.findings import Finding, Kind, Severity, Where
from bindoctor.version import VERSION

FILE_NAME = "bindoctor-baseline.json"
SCHEMA = 1
NUMBER = re.compile(r"\d+([.,]\d+)*")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    kind: Kind
    name: str
    severity: Literal["error", "warning", "note"]
    message: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal[1]
    version: str
    data: str
    target: str
    findings: tuple[_Entry, ...]


class Baseline(msgspec.Struct, frozen=True):
    """A recorded baseline: where it lies, the data file and the target it is about, and the findings then."""

    path: Path
    data: Path
    target: str
    known: tuple[Known, ...]

    def is_about(self, data: Path, target: str) -> bool:
        """Tell whether the baseline was recorded for this data file and target."""
        return self.target == target and self.data.resolve() == data.resolve()


def read_baseline(path: Path) -> Baseline:
    """Read a recorded baseline.

    Raises:
        InputError: the file cannot be read, or is not what ``bindoctor baseline`` writes.
    """
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise InputError(
            f"{path}: the baseline cannot be read ({error.strerror}); run 'bindoctor baseline' to record one."
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no baseline of findings ({error}); run 'bindoctor baseline' to record one."
        ) from None
    known = tuple(Known(e.code, Where(e.kind, e.name), Severity(e.severity), e.message) for e in stored.findings)
    return Baseline(path, path.parent / stored.data, stored.target, known)


def baseline_text(path: Path, data: Path, target: str, findings: Sequence[Finding]) -> str:
    """Return what a baseline file at ``path`` is to hold; the data file is named relative to it."""
    try:
        named = Path(os.path.relpath(data.resolve(), path.resolve().parent)).as_posix()
    except ValueError:  # Another drive has no relative path.
        named = data.resolve().as_posix()
    entries = [
        {
            "code": finding.code,
            "kind": finding.where.kind,
            "name": finding.where.name,
            "severity": finding.severity or Severity.NOTE,
            "message": finding.message,
        }
        for finding in findings
    ]
    stored = {
        "schema": SCHEMA,
        "version": VERSION,
        "data": named,
        "target": target,
        "findings": sorted(entries, key=lambda entry: (entry["code"], entry["kind"], entry["name"], entry["message"])),
    }
    return json.dumps(stored, indent=2, ensure_ascii=False) + "\n"


def compare(known: Sequence[Known], findings: Sequence[Finding]) -> tuple[frozenset[int], tuple[Known, ...]]:
    """Return the positions of the findings that are known, and the entries that no longer occur.

    A finding is recognised by its code and its place, not by its numbers; where a rule has said several things about
    one place, each entry stands for one of them, the one that reads the same but for its numbers first. A finding that
    is louder than its entry is new.
    """
    entries, said = defaultdict(list), defaultdict(list)
    for entry in known:
        entries[entry.code, entry.where].append(entry)
    for position, finding in enumerate(findings):
        said[finding.code, finding.where].append((position, finding))
    recognised: set[int] = set()
    stale: list[Known] = []
    for place, old in entries.items():
        pairs, left = _paired(old, said[place])
        recognised |= {
            position
            for entry, (position, finding) in pairs
            if finding.severity is None or finding.severity.rank <= entry.severity.rank
        }
        stale += left
    return frozenset(recognised), tuple(stale)


def _paired(
    entries: Sequence[Known], findings: Sequence[tuple[int, Finding]]
) -> tuple[list[tuple[Known, tuple[int, Finding]]], list[Known]]:
    """Pair the entries and findings of one place: first those of the same wording, then what is left."""
    pairs, left, free = [], [], list(findings)
    for entry in entries:
        alike = next((one for one in free if _wording(one[1].message) == _wording(entry.message)), None)
        if alike is None:
            left.append(entry)
        else:
            free.remove(alike)
            pairs.append((entry, alike))
    pairs += zip(left, free, strict=False)
    return pairs, left[len(free) :]


def _wording(message: str) -> str:
    return NUMBER.sub("0", message)
