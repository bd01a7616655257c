import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindoctor.dataset import Source, Table
from bindoctor.errors import InputError
from bindoctor.readers import delimited, open_dataset, open_source, table_source

Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: bytes) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(content)
        return path

    return write_file


def rows(source: Source) -> list[tuple[str | None, ...]]:
    return [row for batch in source.batches() for row in batch.rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_what_looks_like_another_one_stays_in_its_field(
    write: Write, delimiter: str
) -> None:
    other = ";" if delimiter == "," else ","
    lines = [["a", "b", "c"], [f"u{other}v", "x", "2"], [f"w{other}u", f'"q{delimiter}r"', "4"]]
    source = open_source(write("\n".join(delimiter.join(line) for line in lines).encode()))
    assert source.columns == ("a", "b", "c")
    assert rows(source) == [(f"u{other}v", "x", "2"), (f"w{other}u", f"q{delimiter}r", "4")]


def test_a_file_of_one_column_has_no_delimiter_to_find(write: Write) -> None:
    assert rows(open_source(write(b"label\nyes\nno\n"))) == [("yes",), ("no",)]


def test_a_given_delimiter_is_used(write: Write) -> None:
    assert rows(open_source(write(b"a:b\nu,v:2\n"), delimiter=":")) == [("u,v", "2")]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,y\n",
        b"a,b\n1,x\n2,y",
        b"a,b\r\n1,x\r\n2,y\r\n",
        b"a,b\r1,x\r2,y\r",
        b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
        b'\xef\xbb\xbf"a","b"\n"1","x"\n"2","y"\n',
        b"\n\na,b\n\n1,x\n   \n2,y\n\n\n",
        b"a,b\r\n\r\n1,x\r\n\r\n\r\n2,y\r\n",
    ],
    ids=["unix", "no end", "windows", "old mac", "bom", "bom and quotes", "blank lines", "windows blank lines"],
)
def test_line_ends_byte_order_marks_and_blank_lines_do_not_change_the_rows(write: Write, content: bytes) -> None:
    source = open_source(write(content))
    assert source.columns == ("a", "b")
    assert rows(source) == [("1", "x"), ("2", "y")]


def test_cells_are_text_as_written_and_empty_ones_are_null(write: Write) -> None:
    source = open_source(write(b'a,b,c,d\n00123, x ,"",\n1.0,NA,nan,-0\n'))
    assert rows(source) == [("00123", " x ", None, None), ("1.0", "NA", "nan", "-0")]


def test_quoted_fields_hold_delimiters_quotes_line_ends_and_blank_lines(write: Write) -> None:
    source = open_source(write(b'a,b\n"1,\n\n2","say ""hi"""\n\n"",3\n'))
    assert rows(source) == [("1,\n\n2", 'say "hi"'), (None, "3")]


def test_names_are_kept_as_written_and_made_unique_as_pandas_does(write: Write) -> None:
    assert open_source(write(b',will ,x,"a\nb",x,x\n1,2,3,4,5,6\n')).columns == (
        "Unnamed: 0",
        "will ",
        "x",
        "a\nb",
        "x.1",
        "x.2",
    )


def test_without_a_header_columns_are_numbered_and_the_first_line_is_a_row(write: Write) -> None:
    source = open_source(write(b"5,x\n6,y\n"), header=False)
    assert source.columns == ("0", "1")
    assert rows(source) == [("5", "x"), ("6", "y")]


@pytest.mark.parametrize(
    ("content", "line", "cause"),
    [
        (b"a,b,c\n1,2,3\n4,5\n", 3, "2 fields where the header has 3"),
        (b"a,b\n1,2\n\n3,4,5\n", 4, "3 fields where the header has 2"),
        (b"a,b\n1,2,\n", 2, "3 fields"),
        (b"a,b,c\n1,2\n1,2,3,4\n", 2, "2 fields"),
        (b'a,b,c\n"x\ny",2,3\n4,"5"\n', 4, "2 fields"),
        (b"a,b\n1,caf\xc3\xa9\n2,caf\xe9\n", 3, "not UTF-8 (byte 0xe9)"),
        (b"a,caf\x81\n1,2\n", 1, "neither UTF-8 nor Windows-1252 (byte 0x81)"),
        (b'a,b\n1,2\n"x,2\n3,4\n', 3, "a quote is opened here and never closed"),
        (b'a,b\n1,2\n5" pipe,2\n3,4\n', 3, "a quote inside a field"),
        (b'a,b\n"x"y,2\n', 2, "a quote inside a field"),
        (b"a,a,a.1\n1,2,3\n", 1, "'a.1' occurs more than once"),
    ],
)
def test_what_cannot_be_read_right_is_refused_with_its_line(
    write: Write, content: bytes, line: int, cause: str
) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        rows(open_source(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert cause in str(caught.value)


@pytest.mark.parametrize("bad", [b"1\n", b"1,2,3\n", b"1,\x8d\n", b"1,\0\n", b'1,"2"3\n', b"a,b\n"])
def test_a_bad_row_far_into_the_file_is_refused_with_its_line(write: Write, bad: bytes) -> None:
    path = write(b"a,b\n" + b"1,2\n" * 150_000 + bad + b"1,2\n")
    with pytest.raises(InputError, match=":150002: "):
        rows(open_source(path))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"\n\n", "no lines with text"),
        (b"a,b\n", "no data rows"),
        (b"a,b", "no data rows"),
        (b"a,b\n\n\n", "no data rows"),
        ("a,b\n".encode("utf-16"), "no data rows"),
        (gzip.compress(b"", mtime=0), "is empty once it is unpacked"),
        (b"PAR1 and then garbage", "Parquet"),
    ],
    ids=["empty", "blank", "header", "header without end", "header and blanks", "utf-16", "gzip", "broken parquet"],
)
def test_a_file_without_readable_rows_is_refused_in_one_sentence(write: Write, content: bytes, cause: str) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        rows(open_source(path))
    assert str(path) in str(caught.value)
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        open_source(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="no data file in it"):
        open_source(tmp_path)


@pytest.mark.parametrize("delimiter", ["", "::", '"', "\n", "é"])
def test_a_delimiter_that_cannot_be_one_is_refused(write: Write, delimiter: str) -> None:
    with pytest.raises(InputError, match="delimiter"):
        open_source(write(b"a,b\n1,2\n"), delimiter=delimiter)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
cells = st.text(st.sampled_from('ab ,;"\n\r\té|'), max_size=6)
rest = st.text(st.characters(codec="cp1252", exclude_characters="\0", exclude_categories=["Nd"]), max_size=4)


@given(
    table=st.lists(st.tuples(cells | rest, cells, cells), min_size=1, max_size=30),
    delimiter=st.sampled_from(",;\t|^~\x1f"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"]),
    packer=st.sampled_from(list(PACKERS)),
    block=st.integers(1, 64),
)
@settings(max_examples=150, deadline=None)
def test_any_table_that_the_csv_module_writes_is_read_back_the_same_in_blocks_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    table: list[tuple[str, ...]],
    delimiter: str,
    quoting: Literal[0, 1, 2],
    end: str,
    encoding: str,
    packer: str,
    block: int,
) -> None:
    text = io.StringIO(newline="")
    # Before Python 3.13, minimal quoting leaves line ends bare that are not the file's own.
    end = "\r\n" if quoting == csv.QUOTE_MINIMAL else end
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("first name", "b", "c"), *table])
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(PACKERS[packer](text.getvalue().encode(encoding)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", block)
        patch.setattr(delimited, "MAX_BLOCK_BYTES", block)
        named = None if encoding in ("utf-8-sig", "utf-16", "utf-32") else encoding
        source = open_source(path, delimiter=delimiter, header=True, encoding=named)
        assert source.columns == ("first name", "b", "c")
        assert rows(source) == [tuple(cell or None for cell in row) for row in table]
        assert [row for frame in source.batches(["b"]) for row in frame.rows()] == [(row[1] or None,) for row in table]


def test_the_digest_is_that_of_the_bytes(write: Write) -> None:
    first, again, other = b"a\n1\n", b"a\n1\n", b"a\n2\n"
    digests = [open_source(write(content)).digest() for content in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64


def test_parquet_cells_become_the_texts_of_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame(
        {
            "amount": [1.0, None, float("nan")],
            "flag": [True, None, False],
            "text": ["x", "", None],
            "day": [date(2024, 1, 31)] * 3,
            "code": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
        }
    ).write_parquet(path)
    source = open_source(path)
    assert source.columns == ("amount", "flag", "text", "day", "code")
    assert rows(source) == [
        ("1.0", "true", "x", "2024-01-31", "u"),
        (None, None, None, "2024-01-31", "v"),
        (None, "false", None, "2024-01-31", "u"),
    ]


def test_parquet_rows_keep_their_order_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"n": range(200_000)}).write_parquet(path, row_group_size=30_000)
    assert [int(cell or 0) for (cell,) in rows(open_source(path))] == list(range(200_000))


def test_parquet_without_rows_or_with_nested_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"a": [1]}).clear().write_parquet(path)
    with pytest.raises(InputError, match="no rows"):
        open_source(path)
    pl.DataFrame({"a": [[1, 2]]}).write_parquet(path)
    with pytest.raises(InputError, match="column 'a' holds List"):
        open_source(path)


def test_a_table_in_memory_reads_like_a_csv_file() -> None:
    table = Table({"flag": [True, None, False], "amount": [1.0, float("nan"), 2], "y": ["a", "", "b"]})
    assert rows(table_source(table)) == [("true", "1.0", "a"), (None, None, None), ("false", "2", "b")]


def test_a_table_with_columns_of_different_length_is_refused() -> None:
    with pytest.raises(InputError, match="differ in length"):
        table_source(Table({"x": [1, 2], "y": [1]}))


def source_of(**columns: Sequence[object]) -> Source:
    return table_source(Table(columns))


def test_a_named_target_is_taken_and_nothing_is_guessed() -> None:
    dataset = open_dataset(source_of(label=[1, 2], x=[1, 2]), "x")
    assert (dataset.target, dataset.guessed) == ("x", "")


def test_a_number_that_names_no_column_is_a_position() -> None:
    assert open_dataset(source_of(a=[1], b=[2]), "1").target == "b"
    assert open_dataset(table_source(Table({"1": [1], "b": [2]})), "1").target == "1"


@pytest.mark.parametrize("target", ["incme", "7", "-1"])
def test_a_target_that_is_not_there_is_refused_with_near_names(target: str) -> None:
    with pytest.raises(InputError, match=r"no column .*'income'"):
        open_dataset(source_of(income=[1], b=[2]), target)


@pytest.mark.parametrize("name", ["Target", "LABEL", "class", "y", "Outcome "])
def test_a_column_with_a_usual_name_is_guessed_and_said_so(name: str) -> None:
    dataset = open_dataset(table_source(Table({"a": [1], name: [2], "z": [3]})), None)
    assert dataset.target == name
    assert repr(name) in dataset.guessed


def test_otherwise_the_last_column_is_guessed_if_it_has_few_levels() -> None:
    dataset = open_dataset(source_of(a=[1, 2, 3], sold=["no", " yes", "yes"]), None)
    assert dataset.target == "sold"
    assert "last column, with 2 levels" in dataset.guessed


@pytest.mark.parametrize("last", [list(range(30)), ["same"] * 30])
def test_without_a_plausible_target_the_candidates_are_listed(last: list[object]) -> None:
    with pytest.raises(InputError, match="--target: first, last"):
        open_dataset(source_of(first=[0, 1] * 15, last=last), None)
