"""Reads NumPy arrays: of two dimensions as a table, of more as rows that are arrays themselves."""

import hashlib
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bindoctor.dataset import ARRAY, Piece, Source
from bindoctor.errors import InputError
from bindoctor.readers.frames import PIECE_ROWS, FrameSource, as_text
from bindoctor.readers.sniff import NoRowsError

MAX_UNPACKED = 2**32
INPUT_NAMES = ("x", "data", "images", "inputs", "features", "sequences")
TARGET_NAMES = ("y", "labels", "label", "target", "targets", "classes")
MAX_CHANNELS_LAST = 4
"""Images whose last dimension is no larger, and the first larger, are taken to have their channels last."""


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Rows that are arrays, and their labels.

    What is scanned of a row is a digest of all its cells, by which rows are told apart, and one cell of each channel,
    drawn by that digest: over the rows, these are spread as the channel's cells are.

    Attributes:
        name: what to call it in a message.
        array: the rows, shape (n, …), perhaps still on the disk.
        labels: as text, String of shape (n,), null where missing; its name is the target's. None without labels.
        content: a digest of the files.
        rows: the numbers of the rows that it is about, int64; None for all.
    """

    name: str
    array: npt.NDArray[Any]
    labels: pl.Series | None
    content: str
    rows: npt.NDArray[np.int64] | None = None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Return the shape of a row."""
        return tuple(map(int, self.array.shape[1:]))

    @property
    def axis(self) -> int:
        """Return the dimension of ``array`` that the channels lie along."""
        return channel_axis(self.row_shape)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what is scanned: a column for each channel, the digest, and the target."""
        channels = (f"channel {k}" for k in range(self.array.shape[self.axis]))
        return (*channels, ARRAY, *([] if self.labels is None else [self.labels.name]))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return how the array is read."""
        shape = " × ".join(map(str, self.row_shape))
        count = self.array.shape[self.axis]
        return (
            f"each row is an array of {shape}, with {count} channel{'s' * (count > 1)} along dimension {self.axis} of "
            f"{self.array.ndim}; rules about columns do not apply",
        )

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return some rows by their numbers in the file, float32 of shape (k, …)."""
        return np.ascontiguousarray(self.array[rows], dtype=np.float32)

    def excerpt(self, rows: npt.NDArray[np.int64]) -> "ArraySource":
        """Return some rows, by their numbers in the file, as a source of their own."""
        return replace(self, rows=rows)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield runs of rows."""
        names = self.columns if columns is None else [name for name in self.columns if name in columns]
        count = len(self._summary) if self.rows is None else len(self.rows)
        for start in range(0, count, PIECE_ROWS):
            yield partial(self._piece, np.arange(start, min(start + PIECE_ROWS, count)), names)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the runs of rows."""
        for piece in self.pieces(columns):
            yield piece()

    def digest(self) -> str:
        """Return a SHA-256 of the files, in hex."""
        return self.content

    def _piece(self, rows: npt.NDArray[np.int64], names: Sequence[str]) -> pl.DataFrame:
        places = rows if self.rows is None else self.rows[rows]
        return as_text(self._summary[places].select(names))

    @cached_property
    def _summary(self) -> pl.DataFrame:
        """Return the columns of all rows."""
        texts: list[str] = []
        cells: list[npt.NDArray[np.float32]] = []
        positions = math.prod(self.row_shape) // self.array.shape[self.axis]
        for start in range(0, len(self.array), PIECE_ROWS // 16):
            some = np.ascontiguousarray(self.array[start : start + PIECE_ROWS // 16])
            hashes = [hashlib.blake2b(row.tobytes(), digest_size=12).hexdigest() for row in some]
            texts += hashes
            by_channel = np.moveaxis(some, self.axis, 1).reshape(len(some), -1, positions)
            drawn = np.array([int(text[:8], 16) % positions for text in hashes])
            cells.append(by_channel[np.arange(len(some)), :, drawn].astype(np.float32))
        channels = np.concatenate(cells)
        found = {f"channel {k}": channels[:, k] for k in range(channels.shape[1])}
        # A digest of nothing but digits would be a number.
        frame = pl.DataFrame({**found, ARRAY: ["#" + text for text in texts]})
        return frame if self.labels is None else frame.with_columns(self.labels)


def channel_axis(row_shape: Sequence[int]) -> int:
    """Return the dimension of an array of rows, the first being 0, that holds the channels.

    The last one of sequences (n, length, channels), the first after the rows of images (n, channels, height, width), or
    the last where that has at most four entries and the first has more.
    """
    if len(row_shape) == 2 or (row_shape[-1] <= MAX_CHANNELS_LAST < row_shape[0]):
        return len(row_shape)
    return 1


def array_source(path: Path, name: str) -> Source:
    """Open an ``.npy`` file, whose labels are elsewhere, or an ``.npz`` archive with inputs and labels.

    The inputs are called X, data, images, inputs, features or sequences, the labels y, labels, target or classes, in
    any case. Nothing is unpickled; an ``.npy`` file stays on the disk until its rows are needed.

    Raises:
        InputError: an array is missing, damaged, holds objects, or the two do not fit each other.
    """
    content = _digest(path)
    if not zipfile.is_zipfile(path):
        return _source(name, _loaded(path, name), None, content)
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > MAX_UNPACKED:
        raise InputError(
            f"{name}: unpacks to {size / 2**30:.0f} GiB; save the inputs as .npy, which stays on the disk."
        )
    with _loaded(path, name) as archive:
        by_name = {key.casefold(): key for key in archive.files}
        inputs = next((by_name[key] for key in INPUT_NAMES if key in by_name), None)
        if inputs is None:
            raise InputError(
                f"{name}: holds no array called X, data, images or the like, only "
                f"{', '.join(archive.files) or 'nothing'}; save it as np.savez(file, X=inputs, y=labels)."
            )
        target = next((by_name[key] for key in TARGET_NAMES if key in by_name), None)
        try:
            array = archive[inputs]
            labels = None if target is None else _labels(archive[target], f"{name}: {target!r}", target)
        except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
            if isinstance(error, InputError):
                raise
            raise _unreadable(name, error) from None
    return _source(name, array, labels, content)


def memory_source(array: npt.NDArray[Any], labels: npt.NDArray[Any] | None, target: str = "y") -> Source:
    """Return an array in memory, shape (n, …), and its labels, shape (n,), as ``array_source`` returns those of a file.

    Raises:
        InputError: they are no numbers, or do not fit each other.
    """
    digest = hashlib.sha256(repr((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    named = None if labels is None else _labels(labels, f"array: {target!r}", target)
    digest.update(b"" if named is None else named.to_frame().write_csv().encode())
    return _source("array", array, named, digest.hexdigest())


def with_labels(source: Source, path: Path | None) -> Source:
    """Return the rows of an ``.npy`` file with the labels of another one; the target is called as that file is.

    Without one, a table may hold its target itself.

    Raises:
        InputError: there are no labels, or not as many.
    """
    if path is None or not isinstance(source, ArraySource | FrameSource):
        if isinstance(source, ArraySource):
            raise InputError(
                f"{source.name}: holds no labels; name their file with --target y.npy, or save both as "
                "np.savez(file, X=inputs, y=labels)."
            )
        return source
    labels = _labels(_loaded(path, str(path)), str(path), str(path))
    content = hashlib.sha256((source.digest() + _digest(path)).encode()).hexdigest()
    if isinstance(source, ArraySource):
        return _source(source.name, source.array, labels, content)
    _require_as_many(source.name, source.frame.height, labels)
    return replace(source, frame=source.frame.with_columns(labels), content=content)


def _source(name: str, array: npt.NDArray[Any], labels: pl.Series | None, content: str) -> Source:
    if array.dtype.kind not in "biuf":
        what = "Python objects" if array.dtype.kind == "O" else f"{array.dtype}"
        raise InputError(f"{name}: the inputs are {what}, and not numbers; save them as an array of numbers.")
    if array.ndim < 2:
        raise InputError(f"{name}: the inputs have the shape {array.shape}; give rows of numbers, (n, …).")
    if not array.size:
        raise NoRowsError(f"{name}: the inputs have the shape {array.shape}, which holds nothing; give rows.")
    if labels is not None:
        _require_as_many(name, len(array), labels)
    if array.ndim > 2:
        return ArraySource(name, array, labels, content)
    frame = pl.DataFrame({str(k): np.ascontiguousarray(array[:, k]) for k in range(array.shape[1])})
    return FrameSource(frame if labels is None else frame.with_columns(labels), name, content=content)


def _labels(array: npt.NDArray[Any], what: str, name: str) -> pl.Series:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = "; of one-hot labels give y.argmax(axis=1)" if array.ndim == 2 else ""
        raise InputError(f"{what}: the labels have the shape {array.shape}, and not (n,){hint}.")
    if array.dtype.kind not in "biufUS":
        raise InputError(f"{what}: the labels are {array.dtype}, and neither numbers nor texts.")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    series = pl.Series(name, array)
    if array.dtype.kind == "f":
        series = series.fill_nan(None)
        if np.array_equal(array[np.isfinite(array)] % 1, np.zeros(int(np.isfinite(array).sum()))):
            series = series.cast(pl.Int64, strict=False)
    return as_text(series.to_frame())[name]


def _require_as_many(name: str, rows: int, labels: pl.Series) -> None:
    if len(labels) != rows:
        raise InputError(f"{name}: there are {rows} rows of inputs and {len(labels)} labels; give as many of both.")


def _loaded(path: Path, name: str) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file; check the path.") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> InputError:
    cause = (str(error).splitlines() or [type(error).__name__])[0]
    if "allow_pickle" in cause or "Object arrays" in cause:
        return InputError(f"{name}: holds Python objects, which are not unpickled; save an array of numbers.")
    return InputError(f"{name}: cannot be read as a NumPy file ({cause}); save it anew.")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}); check the path.") from None
