"""The journal of what was applied, which undo reads."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bindoctor.errors import InputError
from bindoctor.files import write_beside

FILE_NAME = "journal.jsonl"


@dataclass(frozen=True)
class Applied:
    """One change of the settings file: its text before (None when there was none) and a digest of its text after."""

    at: str
    action: str
    file: str
    before: str | None
    after_sha256: str
    status: str = ""


def sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path) -> str | None:
    """Return a file's text byte for byte (line ends kept), or None when it does not exist."""
    try:
        return path.read_bytes().decode() if path.is_file() else None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8 or move it away.") from None


def record(folder: Path, action: str, file: Path, before: str | None, after: str, status: str = "") -> None:
    """Append one change to the journal in ``folder``."""
    entry = Applied(datetime.now(UTC).isoformat(timespec="seconds"), action, file.name, before, sha256(after), status)
    path = folder / FILE_NAME
    write_beside(path, (read_text(path) or "") + json.dumps(asdict(entry)) + "\n")


def read_journal(folder: Path) -> tuple[Applied, ...]:
    """Return the journal's entries, oldest first.

    Raises:
        InputError: a line is not what bindoctor writes.
    """
    path = folder / FILE_NAME
    entries = []
    for number, line in enumerate((read_text(path) or "").rstrip("\n").split("\n"), start=1):
        if not line:
            continue
        try:
            entries.append(msgspec.json.decode(line, type=Applied))
        except msgspec.DecodeError as error:
            raise InputError(f"{path}:{number}: not a journal entry ({error}); move the file away to go on.") from None
    return tuple(entries)


def undo(config: Path, folder: Path) -> str:
    """Put back the settings file as it was before the last change that has not been undone.

    Args:
        config: the settings file.
        folder: where the journal lies.

    Returns:
        what was done, in a sentence.

    Raises:
        InputError: there is nothing to undo, or the file was edited since.
    """
    standing: list[Applied] = []
    for entry in read_journal(folder):
        if entry.action == "undo":
            standing = standing[:-1]
        else:
            standing.append(entry)
    if not standing:
        raise InputError(f"{folder / FILE_NAME}: nothing to undo; no fix has been applied here.")
    last = standing[-1]
    now = read_text(config)
    if now == last.before:
        record(folder, "undo", config, now, now or "")
        return f"{config} is already as it was before the fix of {last.at}."
    if now is None or sha256(now) != last.after_sha256:
        raise InputError(
            f"{config} was edited after the fix of {last.at} was applied; undo would lose that edit. "
            "Take your edit out or restore the file yourself: its earlier text is in " + str(folder / FILE_NAME) + "."
        )
    if last.before is None:
        config.unlink()
        done = f"{config} removed: there was none before the fix of {last.at}."
    else:
        write_beside(config, last.before)
        done = f"{config} put back as it was before the fix of {last.at}."
    record(folder, "undo", config, now, last.before or "")
    return done
