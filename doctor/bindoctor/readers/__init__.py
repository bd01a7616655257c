"""Opens a data file, or a table in memory, as rows of text, and finds the target."""

from pathlib import Path

from bindoctor.dataset import Source
from bindoctor.errors import InputError
from bindoctor.readers.delimited import DelimitedSource
from bindoctor.readers.memory import table_source
from bindoctor.readers.parquet import ParquetSource
from bindoctor.readers.targets import open_dataset

__all__ = ["open_dataset", "open_source", "table_source"]


def open_source(path: Path, *, delimiter: str | None = None, header: bool = True) -> Source:
    """Open a CSV file (comma, semicolon, tab or pipe) or a Parquet file, told apart by its first bytes.

    Args:
        path: the file.
        delimiter: what separates the fields of a CSV line; found from the head of the file when not given.
        header: whether a CSV's first line names the columns; otherwise they are called "0", "1", …

    Raises:
        InputError: the file is not there, is a folder, is empty, has no data rows, or cannot be read as either format.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the CSV or Parquet file in it.")
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}); check the file's permissions.") from None
    if not magic:
        raise InputError(f"{path}: is empty; give a CSV or Parquet file with data rows.")
    if magic == b"PAR1":
        return ParquetSource.open(path)
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n'):
        raise InputError(f"delimiter: {delimiter!r} cannot separate fields; give one ASCII character.")
    return DelimitedSource.open(path, delimiter=delimiter, header=header)
