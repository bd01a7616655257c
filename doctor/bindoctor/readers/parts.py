"""Reads several files with the same columns as one data set: a folder of parts, or the files that a pattern finds."""

import glob
import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import polars as pl

from bindoctor.dataset import Piece, Source
from bindoctor.errors import InputError
from bindoctor.readers.files import open_file
from bindoctor.readers.options import ReadOptions
from bindoctor.readers.sniff import NoRowsError

NOT_DATA = (".md", ".txt.license", ".crc", ".py", ".ipynb", ".log", ".toml", ".yaml", ".yml", ".html", ".pdf")


class PartsSource(msgspec.Struct, frozen=True):
    """Files read one after the other, in the order of their paths.

    Attributes:
        name: the folder or the pattern.
        parts: the files' sources.
        keys: for each part, the columns that its folders' names give ("year=2024"), with their value.
        remarks: what was decided when they were opened, and what reading the parts came across.
    """

    name: str
    parts: tuple[Source, ...]
    keys: tuple[tuple[tuple[str, str], ...], ...]
    said: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the first part's columns, and those that folders' names give."""
        return (*self.parts[0].columns, *(key for key, _ in self.keys[0]))

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what opening the parts decided, and what reading each of them did."""
        shared = set(self.parts[0].remarks).intersection(*(part.remarks for part in self.parts[1:]))
        own = [f"{part.name}: {remark}" for part in self.parts for remark in part.remarks if remark not in shared]
        said = [remark for remark in self.parts[0].remarks if remark in shared]
        more = [f"and {len(own) - 5} more remarks on parts"] if len(own) > 5 else []
        return (*self.said, *said, *own[:5], *more)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Yield the pieces of one part after the other.

        Raises:
            InputError: as the parts' sources do.
        """
        wanted = self.columns if columns is None else tuple(name for name in self.columns if name in columns)
        for part, keys in zip(self.parts, self.keys, strict=True):
            own = [name for name in wanted if name in part.columns] or [part.columns[0]]
            for piece in part.pieces(own):
                yield partial(_completed, piece, keys, wanted)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows in order.

        Raises:
            InputError: as ``pieces`` does.
        """
        for piece in self.pieces(columns):
            frame = piece()
            if frame.height:
                yield frame

    def digest(self) -> str:
        """Return a SHA-256 of the parts' digests, in hex."""
        text = "\n".join(f"{part.digest()} {keys}" for part, keys in zip(self.parts, self.keys, strict=True))
        return hashlib.sha256(text.encode()).hexdigest()


def parts_source(path: Path, options: ReadOptions) -> Source:
    """Open the data files of a folder, or those that a pattern such as ``data/*.csv`` finds.

    The first part of delimited text decides on header, delimiter and decimal commas for all of them. Hidden files and
    those that begin with an underscore are no parts, nor are files without rows.

    Raises:
        InputError: there is no data file, a part cannot be read, or parts differ in their columns.
    """
    paths = _found(path)
    if not paths:
        what = "has no data file in it" if path.is_dir() else "there is no such file, and no file fits the pattern"
        raise InputError(f"{path}: {what}; check the path.")
    parts: list[Source] = []
    keys, empty = [], []
    for file in paths:
        try:
            part = open_file(file, options, first=parts[0] if parts else None)
        except NoRowsError:
            empty.append(file)
            continue
        parts.append(part)
        keys.append(_keys(file, path))
        _check_columns(parts[0], part, keys[0], keys[-1])
    if not parts:
        raise NoRowsError(f"{path}: none of its {len(paths)} files has data rows; give one that has.")
    said = [f"{len(parts)} files are read as one"]
    if empty:
        said.append(f"{len(empty)} file{'s' * (len(empty) > 1)} without rows left out (such as {empty[0].name})")
    if len(parts) == 1 and not keys[0]:
        return parts[0]
    return PartsSource(str(path), tuple(parts), tuple(keys), tuple(said))


def is_pattern(path: Path) -> bool:
    """Tell whether a path is a pattern for several files and no file itself."""
    return glob.has_magic(str(path)) and not path.exists()


def _found(path: Path) -> list[Path]:
    if not path.is_dir():
        found = glob.glob(str(path), recursive=True)  # noqa: PTH207 - the pattern may be absolute
        return sorted(Path(name) for name in found if Path(name).is_file())
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
        and not file.name.lower().endswith(NOT_DATA)
    )


def _keys(file: Path, top: Path) -> tuple[tuple[str, str], ...]:
    """Return the columns that the names of folders below ``top`` give, as Hive and Spark write them."""
    if not top.is_dir():
        return ()
    folders = [folder.partition("=") for folder in file.relative_to(top).parts[:-1]]
    return tuple((key, value) for key, equals, value in folders if equals)


def _check_columns(
    first: Source, part: Source, first_keys: Sequence[tuple[str, str]], keys: Sequence[tuple[str, str]]
) -> None:
    lacking = [name for name in first.columns if name not in part.columns]
    extra = [name for name in part.columns if name not in first.columns]
    if lacking or extra:
        differs = [f"lacks {', '.join(map(repr, lacking[:5]))}"] if lacking else []
        differs += [f"also has {', '.join(map(repr, extra[:5]))}"] if extra else []
        raise InputError(
            f"{part.name}: {' and '.join(differs)}, other than {first.name}; give files of the same columns."
        )
    if [key for key, _ in keys] != [key for key, _ in first_keys]:
        raise InputError(f"{part.name}: its folders name other columns than those of {first.name}; order them alike.")
    clash = [key for key, _ in keys if key in part.columns]
    if clash:
        raise InputError(f"{part.name}: {clash[0]!r} is both a column and a folder's name; rename one of them.")


def _completed(piece: Piece, keys: Sequence[tuple[str, str]], columns: Sequence[str]) -> pl.DataFrame:
    frame = piece()
    missing = "__HIVE_DEFAULT_PARTITION__"
    given = [pl.lit(None if value == missing else value, pl.String).alias(key) for key, value in keys]
    return frame.with_columns(given).select(columns)
