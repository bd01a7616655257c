"""Writes small logs as the libraries do, for tests."""

import json
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

FALLING = [0.69, 0.52, 0.41, 0.36, 0.33]
TURNING = [0.68, 0.55, 0.5, 0.53, 0.58]
RISING = [0.6, 0.7, 0.75, 0.74, 0.73]


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def keras_csv(train: Sequence[float] = FALLING, valid: Sequence[float] = TURNING) -> str:
    rows = [f"{i},{a},{t},{v}" for i, (a, t, v) in enumerate(zip(RISING, train, valid, strict=False))]
    return "\r\n".join(["epoch,accuracy,loss,val_loss", *rows]) + "\r\n"


def lightning_csv() -> str:
    """Two epochs of ten steps, logged every five, then ``validate()`` and ``test()`` of the end."""
    return lines(
        "epoch,step,test_loss,train_loss,val_acc,val_loss",
        "0,4,,0.7,,",
        "0,9,,0.5,,",
        "0,9,,,0.6,0.55",
        "1,14,,0.4,,",
        "1,19,,0.2,,",
        "1,19,,,0.7,0.45",
        "2,20,,,0.7,0.44",
        "2,20,0.5,,,",
    )


def trainer_state(**more: Any) -> dict[str, Any]:
    """Three epochs of 100 steps, logged every 25, evaluated at each end."""
    history: list[dict[str, Any]] = []
    for step in range(25, 301, 25):
        epoch = step / 100
        history.append({"epoch": epoch, "learning_rate": 1e-5, "loss": 0.7 - step / 1000, "step": step})
        if step % 100 == 0:
            scores = {"eval_loss": 0.65 - step / 2000, "eval_accuracy": 0.6 + step / 1000, "eval_runtime": 3.2}
            history.append({"epoch": epoch, **scores, "step": step})
    history.append({"epoch": 3.0, "step": 300, "total_flos": 1e15, "train_loss": 0.55, "train_runtime": 9.0})
    return {"best_model_checkpoint": "out/checkpoint-200", "global_step": 300, "log_history": history, **more}


def skorch_history() -> list[dict[str, Any]]:
    return [
        {
            "batches": [{"train_loss": t + 0.01}, {"train_loss": t - 0.01}, {"valid_loss": v}],
            "epoch": number,
            "train_loss": t,
            "valid_loss": v,
            "valid_acc": a,
            "event_cp": number == 3,
            "train_loss_best": True,
            "dur": 1.5,
        }
        for number, (t, v, a) in enumerate(zip(FALLING, TURNING, RISING, strict=True), start=1)
    ]


def crc32c(content: bytes) -> int:
    """Return the CRC-32C bit by bit, as its definition says."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def field(number: int, content: bytes | int) -> bytes:
    """Encode a field of a protocol buffer: a varint, or bytes."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + masked(length) + content + masked(content)


def event(tag: str, step: int, value: float, *, tensor: str = "") -> bytes:
    """Encode an event with one scalar; Keras writes a tensor, its number as "content" or as a "list"."""
    if tensor == "content":
        number = field(8, field(1, 1) + field(2, b"") + field(4, struct.pack("<f", value)))
    elif tensor == "list":
        number = field(8, field(1, 1) + field(2, b"") + field(5, struct.pack("<f", value)))
    else:
        number = varint(2 << 3 | 5) + struct.pack("<f", value)
    summary = field(1, field(1, tag.encode()) + number)
    return b"\x09" + struct.pack("<d", 1.7e9 + step) + field(2, step) + field(5, summary)


VERSION = record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))


def events(scalars: Iterable[tuple[str, int, float]], *, tensor: str = "") -> bytes:
    return VERSION + b"".join(record(event(*scalar, tensor=tensor)) for scalar in scalars)


def event_curves(**curves: Sequence[float]) -> list[tuple[str, int, float]]:
    """Return curves, one point a step from 0 on, in the order in which they are logged; ``__`` in names is ``/``."""
    length = max(map(len, curves.values()))
    return [
        (name.replace("__", "/"), step, values[step])
        for step in range(length)
        for name, values in curves.items()
        if step < len(values)
    ]


def mlflow_run(folder: Path, curves: Mapping[str, Sequence[float]], start: int = 1_700_000_000_000) -> Path:
    """Write a run of MLflow's file store."""
    for name, values in curves.items():
        path = folder / "metrics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines(*(f"{start + i} {value} {i}" for i, value in enumerate(values))))
    (folder / "meta.yaml").write_text(f"lifecycle_stage: active\nrun_id: {folder.name}\nstart_time: {start}\n")
    return folder


def mlflow_database(path: Path, runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Path:
    """Write an MLflow database; later runs are newer."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE runs (run_uuid TEXT, name TEXT, start_time INTEGER, lifecycle_stage TEXT)")
        database.execute(
            "CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT, step INTEGER, is_nan INT)"
        )
        for place, (run, curves) in enumerate(runs.items()):
            database.execute("INSERT INTO runs VALUES (?, ?, ?, 'active')", (run, f"name-{run}", place))
            for key, values in curves.items():
                for step, value in enumerate(values):
                    nan = value != value
                    row = (key, 0 if nan else value, step, run, step, nan)
                    database.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", row)
        database.commit()
    return path


def wandb_run(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Encode a run file of Weights & Biases: a header, and records framed as in LevelDB's log."""
    import zlib

    content = b":W&B" + b"\xe1\xbe\x00"
    for row in rows:
        items = b"".join(
            field(1, field(2, key.encode()) + field(16, json.dumps(value).encode())) for key, value in row.items()
        )
        message = field(1, 1) + field(2, items)
        first = True
        while True:
            room = 2**15 - len(content) % 2**15
            if room <= 7:
                content += b"\0" * room
                continue
            piece, message = message[: room - 7], message[room - 7 :]
            kind = (1 if not message else 2) if first else (4 if not message else 3)
            crc = zlib.crc32(bytes([kind]) + piece)
            content += struct.pack("<IHB", crc, len(piece), kind) + piece
            first = False
            if not message:
                break
    return content
