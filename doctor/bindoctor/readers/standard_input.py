"""Keeps standard input in a temporary file, because a source is read several times."""

import shutil
import tempfile
from pathlib import Path
from typing import IO

from bindoctor.dataset import Source
from bindoctor.readers.files import open_file
from bindoctor.readers.options import ReadOptions

NAME = "standard input"

_kept: list[IO[bytes]] = []


def standard_input_source(stream: IO[bytes], options: ReadOptions) -> Source:
    """Copy a stream to a file that is gone when the process ends, and open that.

    Raises:
        InputError: it is empty, has no data rows, or cannot be read right.
    """
    file = tempfile.NamedTemporaryFile(prefix="bindoctor-")  # noqa: SIM115 - it lives as long as the process
    _kept.append(file)
    shutil.copyfileobj(stream, file, 1 << 20)
    file.flush()
    return open_file(Path(file.name), options, name=NAME)
