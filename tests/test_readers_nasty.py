"""Files that other readers get wrong in silence: each is read right, or refused with its line and the cause."""

import bz2
import codecs
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bindoctor.errors import InputError
from bindoctor.readers import delimited, open_source

Rows = list[tuple[str | None, ...]]
Write = Callable[[bytes | str], Path]

AGES = "id,age,y\n1,30,0\n2,40,1\n3,50,0\n"
AGES_ROWS: Rows = [("1", "30", "0"), ("2", "40", "1"), ("3", "50", "0")]
WORDS = "id,größe,y\n1,ß,0\n2,ü,1\n"
WORDS_ROWS: Rows = [("1", "ß", "0"), ("2", "ü", "1")]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: bytes | str) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def read(path: Path, **options: Any) -> tuple[tuple[str, ...], Rows, str]:
    """Return the column names, the rows, and the remarks joined to one text."""
    source = open_source(path, **options)
    rows = [row for frame in source.batches() for row in frame.rows()]
    return source.columns, rows, "; ".join(source.remarks)


def zipped(*files: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files:
            archive.writestr(name, text)
    return buffer.getvalue()


def zstandard(content: bytes) -> bytes:
    zstd = pytest.importorskip("backports.zstd")
    packed: bytes = zstd.compress(content)
    return packed


SEPARATED = {
    "semicolons": ";",
    "tabs": "\t",
    "pipes": "|",
    "colons": ":",
    "blanks": " ",
    "carets": "^",
    "tildes": "~",
    "unit separators": "\x1f",
    "Hive's separators": "\x01",
}


@pytest.mark.parametrize("delimiter", SEPARATED.values(), ids=SEPARATED)
def test_the_delimiter_is_found_and_a_rare_one_is_remarked_on(write: Write, delimiter: str) -> None:
    columns, rows, remarks = read(write(AGES.replace(",", delimiter)))
    assert (columns, rows) == (("id", "age", "y"), AGES_ROWS)
    assert bool(remarks) == (delimiter not in ",;\t|")


ENCODED = {
    "UTF-8": WORDS.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + WORDS.encode(),
    "UTF-8 with two marks": codecs.BOM_UTF8 * 2 + WORDS.encode(),
    "UTF-16 LE with a mark": codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le"),
    "UTF-16 BE with a mark": codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"),
    "UTF-16 LE": WORDS.encode("utf-16-le"),
    "UTF-16 BE": WORDS.encode("utf-16-be"),
    "UTF-32 LE with a mark": codecs.BOM_UTF32_LE + WORDS.encode("utf-32-le"),
    "UTF-32 BE with a mark": codecs.BOM_UTF32_BE + WORDS.encode("utf-32-be"),
    "Windows-1252": WORDS.encode("cp1252"),
}


@pytest.mark.parametrize("content", ENCODED.values(), ids=ENCODED)
def test_the_encoding_is_found_and_a_guess_is_remarked_on(write: Write, content: bytes) -> None:
    columns, rows, remarks = read(write(content))
    assert (columns, rows) == (("id", "größe", "y"), WORDS_ROWS)
    marked = content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    assert bool(remarks) == (not marked and content != WORDS.encode())


def test_a_named_encoding_is_used(write: Write) -> None:
    text = "id,имя,y\n1,да,0\n2,нет,1\n"
    assert read(write(text.encode("cp1251")), encoding="cp1251")[:2] == (
        ("id", "имя", "y"),
        [("1", "да", "0"), ("2", "нет", "1")],
    )


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5"])
def test_second_bytes_that_look_like_delimiters_are_none(write: Write, encoding: str) -> None:
    letters = [chr(code) for code in range(0x4E00, 0x9FA0)]
    tricky = [c for c in letters if b"|" in c.encode(encoding, "ignore") or b"\\" in c.encode(encoding, "ignore")][:20]
    text = "a|b\n" + "".join(f"{letter}|{n}\n" for n, letter in enumerate(tricky))
    assert tricky
    assert read(write(text.encode(encoding)), encoding=encoding)[1] == [(c, str(n)) for n, c in enumerate(tricky)]


def test_a_late_byte_that_is_not_utf_8_turns_ascii_into_windows_1252(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 12)
    monkeypatch.setattr(delimited, "MAX_BLOCK_BYTES", 1 << 12)
    path = write("id,n,y\n" + "1,abc,0\n" * 80_000 + "2,caf")
    path.write_bytes(path.read_bytes() + b"\xe9\x80,1\n")
    _, rows, remarks = read(path)
    assert rows[-1] == ("2", "café€", "1")
    assert "first in line 80002" in remarks and "Windows-1252" in remarks


def test_two_encodings_in_one_file_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 12)
    monkeypatch.setattr(delimited, "MAX_BLOCK_BYTES", 1 << 12)
    for first, second in (("é".encode(), b"\xe9"), (b"\xe9", "é".encode())):
        path = write(b"id,n,y\n1," + first + b",0\n" + b"1,abc,0\n" * 80_000 + b"2," + second + b",1\n")
        line = 2 if first == b"\xe9" else 80_003
        with pytest.raises(InputError, match=f":{line}: not UTF-8, though other"):
            read(path)


PACKED = {
    "gzip": gzip.compress,
    "gzip in two members": lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard,
    "zip": lambda content: zipped(("ages.csv", content.decode())),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_compression_is_told_by_content_and_not_by_name(write: Write, pack: Callable[[bytes], bytes]) -> None:
    assert read(write(pack(AGES.encode())))[:2] == (("id", "age", "y"), AGES_ROWS)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard])
def test_a_compressed_file_that_is_cut_off_is_refused(write: Write, pack: Callable[[bytes], bytes]) -> None:
    rows = "".join(f"{n},{n * 7919 % 10007},{n % 2}\n" for n in range(50_000))
    with pytest.raises(InputError, match="cut off or damaged"):
        read(write(pack(("id,x,y\n" + rows).encode())[:-40]))


@pytest.mark.parametrize(
    ("content", "columns", "rows", "remark"),
    [
        (
            "My report\n\nid,age,y\n1,2,0\n2,3,1\n",
            ("id", "age", "y"),
            [("1", "2", "0"), ("2", "3", "1")],
            "line 1 left out",
        ),
        (
            "My report,,\nid,age,y\n1,2,0\n2,3,1\n",
            ("id", "age", "y"),
            [("1", "2", "0"), ("2", "3", "1")],
            "line 1 left out",
        ),
        (
            "From: us, 2024\na,b,c,d\n1,2,3,4\n5,6,7,8\n",
            ("a", "b", "c", "d"),
            [tuple("1234"), tuple("5678")],
            "line 1 left",
        ),
        ("# by me, us\n# on day\na,b\n1,2\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")], "lines 1 to 2 left out"),
        ("#a,b\n1,2\n3,4\n", ("#a", "b"), [("1", "2"), ("3", "4")], ""),
        ("sep=;\na;b\n1;x\n2;z\n", ("a", "b"), [("1", "x"), ("2", "z")], "'sep=;'"),
        (
            "5,3.5,0\n4,2.5,1\n6,1.0,1\n",
            ("0", "1", "2"),
            [("5", "3.5", "0"), ("4", "2.5", "1"), ("6", "1.0", "1")],
            "no header",
        ),
        (
            "39, State, <=50K\n50, Self, <=50K\n38, State, >50K\n",
            ("0", "1", "2"),
            [("39", " State", " <=50K"), ("50", " Self", " <=50K"), ("38", " State", " >50K")],
            "no header",
        ),
        ("2020-01-31,a b\n2020-02-01,c d\n", ("0", "1"), [("2020-01-31", "a b"), ("2020-02-01", "c d")], "no header"),
        (
            "p,x\ne,x\np,b\ne,b\np,b\n",
            ("0", "1"),
            [tuple("px"), tuple("ex"), tuple("pb"), tuple("eb"), tuple("pb")],
            "no header",
        ),
        (
            "0,1,2\n5.5,3.2,1\n6.5,3.1,0\n",
            ("0", "1", "2"),
            [("5.5", "3.2", "1"), ("6.5", "3.1", "0")],
            "the names are numbers",
        ),
        (
            "n,2019,2020\n7,3,1\n6,2,0\n",
            ("n", "2019", "2020"),
            [("7", "3", "1"), ("6", "2", "0")],
            "'2019', '2020' are values",
        ),
        (
            "city,job\nParis,cook\nRome,smith\n",
            ("city", "job"),
            [("Paris", "cook"), ("Rome", "smith")],
            "nothing tells names from values",
        ),
        ("a;b;y\n1,5;x;0\n-2,25e3;z;1\n", ("a", "b", "y"), [("1.5", "x", "0"), ("-2.25e3", "z", "1")], "decimal comma"),
        ("1,5;2,5;0\n2,25;3,1;1\n", ("0", "1", "2"), [("1.5", "2.5", "0"), ("2.25", "3.1", "1")], "decimal comma"),
        (
            "a;b;y\n1,234;0,5;0\n2,345;1,5;1\n",
            ("a", "b", "y"),
            [("1.234", "0.5", "0"), ("2.345", "1.5", "1")],
            "'a', 'b'",
        ),
        ("a;y\n1,234;0\n2,345;1\n", ("a", "y"), [("1,234", "0"), ("2,345", "1")], ""),
        ("a;y\n1,234,567;0\n2,5;1\n", ("a", "y"), [("1,234,567", "0"), ("2,5", "1")], ""),
        ('a,y\n"1,5",0\n"2,5",1\n', ("a", "y"), [("1,5", "0"), ("2,5", "1")], ""),
        ("t;y\na, b;0\nc, d;1\n", ("t", "y"), [("a, b", "0"), ("c, d", "1")], ""),
        ("a,b,\n1,2,\n3,4,\n", ("a", "b"), [("1", "2"), ("3", "4")], "ends with a delimiter"),
        ("a,b,\n1,2\n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")], "header ends with a delimiter"),
        ("a,a,b\n1,2,3\n", ("a", "a.1", "b"), [("1", "2", "3")], "'a.1'"),
        ("a,,b\n1,2,3\n4,5,6\n", ("a", "Unnamed: 1", "b"), [("1", "2", "3"), ("4", "5", "6")], "'Unnamed: 1'"),
        ("a,b\r1,2\r3,4\r", ("a", "b"), [("1", "2"), ("3", "4")], ""),
        ("a,b\r\n1,2\n3,4\r5,6\r\n", ("a", "b"), [("1", "2"), ("3", "4"), ("5", "6")], ""),
        ('a,b\r1,"x\ry"\r3,4\r', ("a", "b"), [("1", "x\ry"), ("3", "4")], ""),
        ("a,b\n1,2\n\n  \n3,4\n", ("a", "b"), [("1", "2"), ("3", "4")], ""),
        ("a\tb\n1\t2\n\t\n\n", ("a", "b"), [("1", "2"), (None, None)], ""),
        ("a,b\n1,2\n3,4\n\x1a", ("a", "b"), [("1", "2"), ("3", "4")], ""),
        ("zip,y\n00123,0\n01234,1\n", ("zip", "y"), [("00123", "0"), ("01234", "1")], ""),
        ("c,y\nNA,0\nDE,1\n", ("c", "y"), [("NA", "0"), ("DE", "1")], ""),
        ("n,y\n12345678901234567890,0\n,1\n", ("n", "y"), [("12345678901234567890", "0"), (None, "1")], ""),
        ("10:30\n11:45\n12:00\n", ("0",), [("10:30",), ("11:45",), ("12:00",)], "no header"),
        ("{a},b\n1,2\n", ("{a}", "b"), [("1", "2")], ""),
        (
            '{"a":1,"b":"x"}\n\n{"a":2.50,"c":true,"b":null}\n',
            ("a", "b", "c"),
            [("1", "x", None), ("2.50", None, "true")],
            "",
        ),
        ('[{"a":1},\n {"a":"00"}]', ("a",), [("1",), ("00",)], ""),
    ],
)
def test_what_is_not_plain_is_read_right_and_what_was_decided_is_said(
    write: Write, content: str, columns: tuple[str, ...], rows: Rows, remark: str
) -> None:
    found = read(write(content))
    assert found[:2] == (columns, rows)
    assert remark in found[2] if remark else not found[2]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n", ":3: 2 fields where the header has 3"),
        ("a,b,c\n1,2,3\n4,5,6,7\n", ":3: 4 fields where the header has 3"),
        ("a,b,c\n1,2,3\n4,5\n4,5,6,7\n", ":3: 2 fields"),
        ("9,2,3\n4,5\n6,7,8\n", ":2: 2 fields where the first line has 3"),
        ("a,b,c\n1,2,3\n4,5", ":3: the last line is cut off: 2 of 3 fields"),
        ('a,b\n1,2\n3,"x', ":3: a quote is opened here and never closed"),
        ('a,b\n1,2\n"x,y\nz,2\n', ":3: a quote is opened here and never closed"),
        ('a,b\n1,2\n5" pipe,1\n', ":3: a quote inside a field"),
        ('a,b\n"say \\"hi\\"",1\nz,2\n', ":2: a quote after a backslash"),
        ("a,b\nr1,1,2\nr2,3,4\n", ":1: the header has 2 names, but every row has 3 fields"),
        ('"a" "b"\n"r1" 1 2\n"r2" 3 4\n', ":1: the header has 2 names, but every row has 3 fields"),
        ("a,b\n1,2,\n3,4,\n", ":1: the header has 2 names"),
        ("a,b,\n" + "1,2,\n" * 300 + "5,6,7\n", ":302: a field after the last column"),
        ("a;y\n" + "1,5;0\n2,5;1\n" * 150 + "1.500;1\n", ":302: '1.500' in column 'a' has a point"),
        ("a,b\n1,2\n3,\0\n", ":3: a NUL byte"),
        ("a,b,y\n1,x,0\na,b,y\n3,x,1\n", ":3: the header once more"),
        ("a,b,y\n1,x,0\n\ufeffa,b,y\n3,x,1\n", ":3: a byte-order mark inside the file"),
        ("a,b\n1,2\n# note\n3,4\n", ":3: 1 field"),
        ("a,b\n1,2\n3,4\nTotal: 2\n", ":4: 1 field"),
        ("id   age  y\n1    30   0\n2    40   1\n", ":1: the columns look aligned with blanks"),
        ("a,a,a.1\n1,2,3\n", ":1: the column name 'a.1' occurs more than once"),
        ("a,b\n", "has a header line but no data rows"),
        ("", "is empty"),
        ("\n \n", "no lines with text"),
        (gzip.compress(b"", mtime=0), "is empty once it is unpacked"),
        (gzip.compress(gzip.compress(AGES.encode(), mtime=0), mtime=0), "is compressed twice"),
        (zipped(("a.csv", AGES), ("b.csv", AGES)), "zip archive of 2 files"),
        ("<!DOCTYPE html>\n<html></html>", "is a web page"),
        ("<?xml version='1.0'?>\n<a/>", "is an XML document"),
        ("% x\n@relation r\n@attribute a numeric\n@data\n1,2\n", "is an ARFF file"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS has not fetched"),
        (pickle.dumps({"a": 1}), "is a pickle"),
        (b"SQLite format 3\0" + bytes(90), "is an SQLite database"),
        (b"\x93NUMPY" + bytes(90), "cannot be read as a NumPy file"),
        (b"PAR1" + bytes(90), "cannot be read as Parquet"),
        (b"ARROW1" + bytes(90), "cannot be read as Arrow"),
        (bytes(range(256)) * 9, ":1: a NUL byte"),
        ('{"a":1}\n{"a":{"b":1}}\n', ":2: column 'a' holds an object"),
        ('{"a":[1]}\n', ":1: column 'a' holds a list"),
        ('{"a":1}\n{"a":1,"a":2}\n', ":2: the key 'a' occurs twice"),
        ('{"a":1}\n{"a":\n', ":2: invalid JSON"),
        ('{"a":1}\n[1]\n', ":2: no JSON object"),
        ('{"a":1}\n{"a":"caf\udce9"}\n'.encode("utf-8", "surrogateescape"), ":2: not UTF-8"),
        ('[{"a":1}, 3]', "item 2 of the list is no JSON object"),
        ('[\n{"a":1},\n{"a":}]', ":3: invalid JSON"),
    ],
)
def test_what_cannot_be_read_right_is_refused_with_its_line_and_the_cause(
    write: Write, content: bytes | str, cause: str
) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_bad_rows_are_left_out_and_counted_when_asked_for(
    write: Write, monkeypatch: pytest.MonkeyPatch, end: str, block: int
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block)
    monkeypatch.setattr(delimited, "MAX_BLOCK_BYTES", block)
    lines = ["a,b", "1,2", "3", '4,"q,r"', "4,5,6", '5" x,1', "3,\0", "a,b", '"x"y,3', "7,8", '"open,2', "9,10", ""]
    columns, rows, remarks = read(write(end.join(lines)), skip_bad_rows=True)
    assert columns == ("a", "b")
    assert rows == [("1", "2"), ("4", "q,r"), ("7", "8"), ("9", "10")]
    assert "7 rows that cannot be read are left out (first in line 3)" in remarks


def test_reading_twice_counts_bad_rows_once(write: Write) -> None:
    source = open_source(write("a,b\n1,2\n3\n4,5\n"), skip_bad_rows=True)
    for _ in range(2):
        assert sum(frame.height for frame in source.batches()) == 2
        assert source.remarks == ("1 row that cannot be read is left out (first in line 3)",)


def test_some_columns_only_are_checked_as_all_are(write: Write) -> None:
    for bad in ("4,5\n", "4,5\n4,5,6,7\n", "4,5,6,7\n4,5\n", '4,5,"6"x\n', "a,b,c\n"):
        source = open_source(write("a,b,c\n" + "1,2,3\n" * 500 + bad))
        for name in source.columns:
            with pytest.raises(InputError, match=":502: "):
                list(source.batches([name]))


def test_chosen_columns_come_in_file_order(write: Write) -> None:
    (frame,) = open_source(write(AGES)).batches(["y", "id"])
    assert frame.columns == ["id", "y"] and frame.rows() == [(row[0], row[2]) for row in AGES_ROWS]


def test_a_field_of_40_megabytes_is_read(write: Write) -> None:
    long = "x\n" * (20 << 20)
    _, rows, _ = read(write(f'a,b\n1,2\n"{long}",3\n4,5\n'))
    assert rows[1][0] == long and (rows[0], rows[2]) == (("1", "2"), ("4", "5"))


def test_ten_thousand_columns_are_read(write: Write) -> None:
    names, cells = [f"c{n}" for n in range(10_000)], [str(n % 7) for n in range(10_000)]
    columns, rows, _ = read(write("\n".join([",".join(names), *[",".join(cells)] * 40, ""])))
    assert columns == tuple(names) and rows == [tuple(cells)] * 40


def test_null_tokens_are_missing_with_blanks_around_them_too(write: Write) -> None:
    assert read(write("a,b\n-,x\n3, - \n?,-1\n"), null_tokens=("-", "?"))[1] == [(None, "x"), ("3", None), (None, "-1")]


@pytest.mark.parametrize("name", ["utf-99", "hex", "\0"])
def test_an_encoding_that_is_none_is_refused(write: Write, name: str) -> None:
    with pytest.raises(InputError, match="no text encoding"):
        open_source(write(AGES), encoding=name)


def test_an_encoding_that_a_byte_order_mark_denies_is_refused(write: Write) -> None:
    with pytest.raises(InputError, match="mark of UTF-8"):
        open_source(write(b"\xef\xbb\xbf" + AGES.encode()), encoding="cp1252")


def test_text_that_is_not_in_the_named_encoding_is_refused_with_its_line(write: Write) -> None:
    with pytest.raises(InputError, match=":3: is not gbk"):
        read(write(b"a,b\n1,2\n3,\xff\xff\n"), encoding="gbk")


def test_a_header_or_none_is_taken_at_the_users_word(write: Write) -> None:
    assert read(write(AGES), header=False)[:2] == (("0", "1", "2"), [("id", "age", "y"), *AGES_ROWS])
    assert read(write("1,2\n3,4\n"), header=True) == (("1", "2"), [("3", "4")], "")


def test_pieces_may_be_called_in_any_order(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 50)
    monkeypatch.setattr(delimited, "MAX_BLOCK_BYTES", 50)
    path = write("a,b\n" + "".join(f'{n},"x\n{n}"\n' for n in range(200)))
    pieces = list(open_source(path).pieces())
    assert len(pieces) > 20
    frames = {at: pieces[at]() for at in reversed(range(len(pieces)))}
    rows = [row for at in range(len(pieces)) for row in frames[at].rows()]
    assert rows == [(str(n), f"x\n{n}") for n in range(200)]


def test_numbers_in_json_keep_their_text(write: Write) -> None:
    values = ["1.10", "12345678901234567890123", "-0", "1e400"]
    path = write("".join(f'{{"a": {value}}}\n' for value in values) + json.dumps({"a": float("nan")}) + "\n")
    assert read(path)[1] == [*((value,) for value in values), (None,)]
