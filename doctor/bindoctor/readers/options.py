"""How the user says a file is to be read."""

import msgspec

from bindoctor.errors import InputError
from bindoctor.readers.encodings import codec


class ReadOptions(msgspec.Struct, frozen=True):
    """What the user knows about a file; what they leave out is found from its content.

    Attributes:
        delimiter: what separates the fields of delimited text.
        header: whether a line of delimited text names the columns; otherwise they are called "0", "1", …
        encoding: the encoding of text.
        null_tokens: cells that mean a missing value, compared without the blanks around them.
        skip_bad_rows: whether rows that cannot be read right are left out, counted and remarked on, not refused.
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    null_tokens: tuple[str, ...] = ()
    skip_bad_rows: bool = False

    def __post_init__(self) -> None:
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0'
        ):
            raise InputError(f"delimiter: {self.delimiter!r} cannot separate fields; give one ASCII character.")
        if self.encoding is not None:
            codec(self.encoding)
