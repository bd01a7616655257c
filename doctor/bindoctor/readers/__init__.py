"""Opens data files, or a table in memory, as rows of text, and finds the target."""

import sys
from pathlib import Path
from typing import Any

from bindoctor.dataset import Source, row_shape
from bindoctor.readers.files import open_file
from bindoctor.readers.memory import object_source, table_source
from bindoctor.readers.options import ReadOptions
from bindoctor.readers.parts import is_pattern, parts_source
from bindoctor.readers.targets import open_dataset, part_of
from bindoctor.readers.typed import read
from bindoctor.readers.wrappers import NullTokenSource

__all__ = ["ReadOptions", "open_dataset", "open_source", "part_of", "read", "table_source"]


def open_source(data: Any, options: ReadOptions | None = None, **given: Any) -> Source:
    """Open data, whatever they are: the format of a file is told by its content.

    Args:
        data: the path of a file (delimited text, JSON Lines or a list of JSON objects, each of them plain or compressed
            with gzip, zstd, bz2, xz or zip; Parquet; Arrow; a spreadsheet), of a folder of such files, or a pattern for
            several of them; "-" for standard input; or a table in memory (see ``object_source``).
        options: what is known about the file.
        given: the same, as keywords: delimiter, header, encoding, null_tokens, skip_bad_rows.

    Raises:
        InputError: the data are not there, have no rows, or cannot be read right.
    """
    options = options or ReadOptions(**given)
    source = _opened(data, options)
    tokens = tuple(token.strip() for token in options.null_tokens)
    return NullTokenSource(source, tokens) if tokens and not row_shape(source) else source


def _opened(data: Any, options: ReadOptions) -> Source:
    if not isinstance(data, str | Path):
        return object_source(data)
    if str(data) == "-":
        from bindoctor.readers.standard_input import standard_input_source

        return standard_input_source(sys.stdin.buffer, options)
    path = Path(data)
    if path.is_dir() or is_pattern(path):
        return parts_source(path, options)
    return open_file(path, options)
