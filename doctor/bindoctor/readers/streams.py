"""Opens files as streams of bytes: decompressed, and in UTF-8 where the encoding says how to get there."""

import codecs
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NoReturn, cast

import msgspec

from bindoctor.errors import InputError
from bindoctor.readers.rowends import line_ends

Compression = Literal["", "gzip", "zstd", "bz2", "xz", "zip"]

COMPRESSIONS: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
}
WINDOW_BYTES = 1 << 15
UNDECODABLE = (UnicodeDecodeError, UnicodeError)


class DamagedError(Exception):
    """The bytes of a compressed file end too soon, or are not what they say."""


class ByteStream(msgspec.Struct, frozen=True):
    """A file's content as bytes, readable as often as needed.

    Attributes:
        path: the file.
        name: what to call it in a message.
        compression: what its first bytes say.
        encoding: the codec that the bytes are decoded with, to come out as UTF-8; "" leaves them as they are.
    """

    path: Path
    name: str
    compression: Compression = ""
    encoding: str = ""

    def blocks(self, size: int, offset: int = 0) -> Iterator[bytes]:
        """Yield the bytes from ``offset`` on in blocks of about ``size``, cut at a line end where that costs nothing.

        Raises:
            InputError: a damaged compressed file, or bytes that the encoding does not know, with the line.
        """
        if not self.compression and not self.encoding:
            yield from self._file_blocks(size, offset)
            return
        decoder = codecs.getincrementaldecoder(self.encoding)() if self.encoding else None
        skip, lines = offset, 1
        with self._decompressed() as stream:
            while read := stream.read(size):
                if decoder is not None:
                    try:
                        read = decoder.decode(read).encode("utf-8")
                    except UNDECODABLE as error:
                        self._fail_to_decode(error, lines)
                    lines += line_ends(read)
                if skip < len(read):
                    yield read[skip:]
                skip = max(0, skip - len(read))
        if decoder is not None:
            try:
                decoder.decode(b"", final=True)
            except UNDECODABLE as error:
                self._fail_to_decode(error, lines)

    def head(self, size: int) -> tuple[bytes, bool]:
        """Return the first bytes, and whether that is all of them."""
        parts, have = [], 0
        for block in self.blocks(size):
            parts.append(block)
            have += len(block)
            if have > size:
                break
        else:
            return b"".join(parts), True
        return b"".join(parts)[:size], False

    def digest(self) -> str:
        """Return a SHA-256 of the file's bytes as they lie on disk, in hex."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _file_blocks(self, size: int, offset: int) -> Iterator[bytes]:
        """Read a plain file; a look at the end of each block first saves the copies that cutting it would cost."""
        with self.path.open("rb", buffering=0) as stream:
            end = os.fstat(stream.fileno()).st_size
            if not stream.seekable() or not end:
                yield from iter(lambda: stream.read(size), b"")
                return
            while offset < end:
                length = min(size, end - offset)
                if length > WINDOW_BYTES and offset + length < end:
                    stream.seek(offset + length - WINDOW_BYTES)
                    cut = stream.read(WINDOW_BYTES).rfind(b"\n")
                    length -= WINDOW_BYTES - cut - 1 if cut >= 0 else 0
                stream.seek(offset)
                block = stream.read(length)
                if not block:
                    return
                yield block
                offset += len(block)

    @contextmanager
    def _decompressed(self) -> Iterator[IO[bytes]]:
        try:
            with _open(self.path, self.compression) as stream:
                yield stream
        except (EOFError, zlib.error, DamagedError) as error:
            raise InputError(
                f"{self.name}: the {self.compression} file is cut off or damaged ({error}); get it anew."
            ) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise InputError(
                f"{self.name}: the {self.compression} file is cut off or damaged ({error}); get it anew."
            ) from None

    def _fail_to_decode(self, error: UnicodeError, lines: int) -> NoReturn:
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(self.encoding, errors="ignore")
            lines += line_ends(before.encode("utf-8", errors="ignore"))
            what = f"byte {error.object[error.start]:#04x}: {error.reason}"
        else:
            what = str(error)
        raise InputError(f"{self.name}:{lines}: is not {self.encoding} ({what}); name the right --encoding.") from None


def compression_of(magic: bytes) -> Compression:
    """Return what compressed a file that begins with these bytes."""
    return next((kind for begin, kind in COMPRESSIONS.items() if magic.startswith(begin)), "")


def zipped_files(path: Path) -> list[str]:
    """Return the names of the files in a zip archive.

    Raises:
        InputError: the archive is damaged.
    """
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return [item.filename for item in archive.infolist() if not item.is_dir()]
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: the zip file is cut off or damaged ({error}); get it anew.") from None


@contextmanager
def _open(path: Path, compression: Compression) -> Iterator[IO[bytes]]:
    """Open a file decompressed; each library is imported only when it is needed."""
    if compression == "gzip":
        import gzip

        with gzip.open(path, "rb") as stream:
            yield cast(IO[bytes], stream)
    elif compression == "bz2":
        import bz2

        with bz2.open(path, "rb") as stream:
            yield cast(IO[bytes], stream)
    elif compression == "xz":
        import lzma

        try:
            with lzma.open(path, "rb") as stream:
                yield cast(IO[bytes], stream)
        except lzma.LZMAError as error:
            raise DamagedError(str(error)) from None
    elif compression == "zip":
        import zipfile

        try:
            with zipfile.ZipFile(path) as archive, archive.open(zipped_files(path)[0]) as member:
                yield member
        except zipfile.BadZipFile as error:
            raise DamagedError(str(error)) from None
    elif compression == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        try:
            with zstd.open(path, "rb") as stream:
                yield cast(IO[bytes], stream)
        except zstd.ZstdError as error:
            raise DamagedError(str(error)) from None
    else:
        with path.open("rb") as stream:
            yield stream
