"""Opens one file as a source, its format told by its content."""

import json
import re
from pathlib import Path

from bindoctor.dataset import Source
from bindoctor.errors import InputError
from bindoctor.readers.delimited import DelimitedSource
from bindoctor.readers.encodings import BYTE_ORDER_MARK, codec, marked, wide
from bindoctor.readers.options import ReadOptions
from bindoctor.readers.sniff import NoRowsError, sniff
from bindoctor.readers.streams import ByteStream, compression_of, zipped_files

MAGIC_BYTES = 1 << 12

FOREIGN = {
    b"SQLite format 3\0": "an SQLite database",
    b"\x89HDF\r\n": "an HDF5 file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"%PDF": "a PDF document",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x04\x22\x4d\x18": "an LZ4 file",
    b"FEA1": "a Feather file of version 1",
    b"\x80\x04\x95": "a pickle",
    b"\x80\x05\x95": "a pickle",
    b"\x80\x02": "a pickle",
    b"$FL2": "an SPSS file",
    b"<stata": "a Stata file",
}
FOREIGN_TEXT = {
    "<!doctype html": "a web page",
    "<html": "a web page",
    "<?xml": "an XML document",
    "%%matrixmarket": "a Matrix Market file",
    "version https://git-lfs": "a pointer to a file that Git LFS has not fetched",
}


def open_file(path: Path, options: ReadOptions, *, name: str = "", first: Source | None = None) -> Source:
    """Open a file: delimited text, JSON Lines, Parquet, Arrow or a spreadsheet, as its first bytes say.

    Args:
        path: the file.
        options: what the user knows about it.
        name: what to call it; its path when not given.
        first: another part of the same data set, whose layout of delimited text this one must have.

    Raises:
        InputError: the file is not there, is empty, has no data rows, or cannot be read right.
    """
    name = name or str(path)
    magic = _magic(path, name)
    for begin, what in FOREIGN.items():
        if magic.startswith(begin):
            raise InputError(f"{name}: is {what}, which is not read; save the table as CSV or Parquet.")
    if magic.startswith(b"\x93NUMPY"):
        from bindoctor.readers.arrays import array_source

        return array_source(path, name)
    if magic.startswith(b"PAR1"):
        from bindoctor.readers.columnar import parquet_source

        return parquet_source(path, name)
    if magic.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        from bindoctor.readers.columnar import arrow_source

        return arrow_source(path, name, stream=not magic.startswith(b"ARROW1"))
    if magic.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _spreadsheet(path, name, options)
    compression = compression_of(magic)
    if compression == "zip":
        members = zipped_files(path)
        if any(member in ("xl/workbook.xml", "xl/workbook.bin", "content.xml") for member in members):
            return _spreadsheet(path, name, options)
        if members and all(member.endswith(".npy") for member in members):
            from bindoctor.readers.arrays import array_source

            return array_source(path, name)
        if len(members) != 1:
            raise InputError(f"{name}: is a zip archive of {len(members)} files; unpack it and name one of them.")
    return _text_source(ByteStream(path, name, compression), options, first)


def _magic(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            magic = stream.read(MAGIC_BYTES)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file; check the path.") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be opened ({error.strerror}); check the file's permissions.") from None
    if not magic:
        raise NoRowsError(f"{name}: is empty; give a file with data rows.")
    return magic


def _text_source(stream: ByteStream, options: ReadOptions, first: Source | None) -> Source:
    head, complete = stream.head(MAGIC_BYTES)
    if not head:
        raise NoRowsError(f"{stream.name}: is empty once it is unpacked; give a file with data rows.")
    if stream.compression and compression_of(head):
        raise InputError(f"{stream.name}: is compressed twice; unpack it once.")
    if head[257:262] == b"ustar":
        raise InputError(f"{stream.name}: is a tar archive; unpack it and name one of its files.")
    if stream.compression and head.startswith(b"PAR1"):
        raise InputError(f"{stream.name}: is a compressed Parquet file; unpack it.")
    remarks: tuple[str, ...] = ()
    named, mark = codec(options.encoding) if options.encoding else "", marked(head)
    if mark and named and not _agree(named, mark):
        raise InputError(f"{stream.name}: begins with a byte-order mark of {mark.upper()}; leave --encoding out.")
    encoding = mark or named
    if not encoding:
        encoding = wide(head)
        if encoding:
            remarks = (f"read as {encoding.upper()}, which it looks like; say --encoding if that is wrong",)
    if encoding not in ("", "utf-8"):
        stream = ByteStream(stream.path, stream.name, stream.compression, encoding)
        head, complete = stream.head(MAGIC_BYTES)
    start = head
    while start.startswith(BYTE_ORDER_MARK):  # Appending to an empty file with a mark writes a second one.
        start = start.removeprefix(BYTE_ORDER_MARK)
    text = start.decode("utf-8", errors="replace").lstrip()
    for begin, what in FOREIGN_TEXT.items():
        if text[:64].lower().startswith(begin):
            raise InputError(f"{stream.name}: is {what}, not a table; save the table as CSV or Parquet.")
    if re.search(r"(?im)^@(?:relation|attribute)\s", text):
        raise InputError(f"{stream.name}: is an ARFF file, which is not read; save the table as CSV or Parquet.")
    if text.startswith(("{", "[")) and _is_json(text, complete=complete):
        from bindoctor.readers.jsonlines import json_source

        return json_source(stream, strict=bool(encoding), mark=len(head) - len(start), remarks=remarks)
    like = first.layout if isinstance(first, DelimitedSource) else None
    layout = sniff(
        stream,
        delimiter=options.delimiter if like is None else like.delimiter,
        header=options.header if like is None else like.header,
        strict=bool(encoding),
        mark=len(head) - len(start),
        null_tokens=[token.strip() for token in options.null_tokens],
        skip_bad_rows=options.skip_bad_rows,
        decimal_commas=None if like is None else like.decimal_commas,
        remarks=remarks,
    )
    return DelimitedSource(stream, layout, options.skip_bad_rows)


def _agree(named: str, mark: str) -> bool:
    return named == mark or named in (f"{mark}-le", f"{mark}-be")


def _is_json(text: str, *, complete: bool) -> bool:
    """Tell whether text begins as JSON does: an object with a quoted key, or a list of such objects."""
    begin = text.removeprefix("[").lstrip()
    if not begin.startswith("{"):
        return False
    inner = begin[1:].lstrip()
    if inner.startswith("}"):
        return True
    if not inner.startswith('"'):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(inner)
    except ValueError:
        return not complete
    return inner[end:].lstrip().startswith(":")


def _spreadsheet(path: Path, name: str, options: ReadOptions) -> Source:
    from bindoctor.readers.excel import spreadsheet_source

    return spreadsheet_source(path, name, header=options.header)
