"""Tables from elsewhere than one delimited file: folders, standard input, spreadsheets, Arrow, frames and arrays."""

import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import bindoctor
from bindoctor.errors import InputError
from bindoctor.readers import open_source, part_of
from bindoctor.readers.options import ReadOptions
from bindoctor.readers.standard_input import standard_input_source

Rows = list[tuple[str | None, ...]]


def rows(data: Any, **options: Any) -> Rows:
    return [row for frame in open_source(data, **options).batches() for row in frame.rows()]


# several files


def test_a_folder_of_parts_is_one_table_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "part-1.csv").write_text("a,y\n1,0\n2,1\n")
    (tmp_path / "part-2.csv").write_text("y,a\n0,3\n")
    (tmp_path / "part-3.csv").write_text("")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "README.md").write_text("# about")
    source = open_source(tmp_path)
    assert rows(tmp_path) == [("1", "0"), ("2", "1"), ("3", "0")]
    assert source.remarks[:2] == ("2 files are read as one", "1 file without rows left out (such as part-3.csv)")
    assert [frame.columns for frame in source.batches(["y"])] == [["y"], ["y"]]


def test_a_pattern_finds_the_parts(tmp_path: Path) -> None:
    for name, cell in (("a.csv", "1"), ("b.csv", "2"), ("c.txt", "3")):
        (tmp_path / name).write_text(f"x,y\n{cell},0\n")
    assert rows(tmp_path / "*.csv") == [("1", "0"), ("2", "0")]
    with pytest.raises(InputError, match="no file fits the pattern"):
        open_source(tmp_path / "*.tsv")


def test_folders_named_by_key_and_value_are_columns(tmp_path: Path) -> None:
    for year in ("2023", "2024"):
        (tmp_path / f"year={year}").mkdir()
        pl.DataFrame({"x": [1.5], "y": ["a"]}).write_parquet(tmp_path / f"year={year}" / "part.parquet")
    assert open_source(tmp_path).columns == ("x", "y", "year")
    assert rows(tmp_path) == [("1.5", "a", "2023"), ("1.5", "a", "2024")]
    assert [frame.rows() for frame in open_source(tmp_path).batches(["year"])] == [[("2023",)], [("2024",)]]


def test_parts_that_differ_are_refused_with_file_and_column(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,0\n")
    (tmp_path / "2.csv").write_text("b,y\n1,0\n")
    with pytest.raises(InputError, match=r"2\.csv: lacks 'a' and also has 'b', other than .*1\.csv"):
        open_source(tmp_path)


def test_an_error_in_a_part_names_the_part_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,0\n")
    (tmp_path / "2.csv").write_text("a,y\n1,0\n2\n")
    with pytest.raises(InputError, match=r"2\.csv:3: 1 field"):
        rows(tmp_path)


def test_the_first_part_decides_on_the_header_of_all(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("p,q\nr,s\n1,2\n3,4\n")
    (tmp_path / "2.csv").write_text("p,q\n7,8\n")
    assert rows(tmp_path)[-1] == ("7", "8")
    (tmp_path / "1.csv").write_text("5,6\n3,4\n")
    (tmp_path / "2.csv").write_text("p,q\n7,8\n")
    assert rows(tmp_path) == [("5", "6"), ("3", "4"), ("p", "q"), ("7", "8")]


def test_the_digest_of_parts_is_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,0\n")
    (tmp_path / "2.csv").write_text("a,y\n1,0\n")
    before = open_source(tmp_path).digest()
    assert open_source(tmp_path).digest() == before
    (tmp_path / "2.csv").write_text("a,y\n2,0\n")
    assert open_source(tmp_path).digest() != before


# standard input


def test_standard_input_can_be_read_several_times() -> None:
    source = standard_input_source(io.BytesIO(b"a,y\n1,0\n2,1\n"), ReadOptions())
    for _ in range(2):
        assert [row for frame in source.batches() for row in frame.rows()] == [("1", "0"), ("2", "1")]
    assert source.name == "standard input"


def test_the_command_reads_standard_input() -> None:
    table = "x,y\n" + "".join(f"{n * 37 % 101},{'ab'[n % 2]}\n" for n in range(200))
    done = subprocess.run(
        [sys.executable, "-m", "bindoctor", "check", "-", "--fail-on", "never"],
        input=table, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "standard input: 200 rows, 2 columns" in done.stdout


# spreadsheets and Arrow


def test_a_spreadsheet_is_read_as_its_cells_show(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Sales 2024"], [], ["n", "share", "day", "ok", "code"], [1, 0.5, dt.date(2024, 1, 31), True, "007"]):
        sheet.append(row)
    sheet.append([2, None, dt.datetime(2024, 2, 1, 12, 30), False, "x"])
    book.create_sheet("notes").append(["by me"])
    path = tmp_path / "data.xlsx"
    book.save(path)
    source = open_source(path)
    assert source.columns == ("n", "share", "day", "ok", "code")
    assert rows(path) == [
        ("1", "0.5", "2024-01-31", "true", "007"),
        ("2", None, "2024-02-01 12:30:00", "false", "x"),
    ]
    assert "sheet 'Sheet' is read; the others are left out ('notes')" in source.remarks


def test_a_spreadsheet_without_the_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(InputError, match="cannot be read as a spreadsheet"):
        open_source(path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'bindoctor\[excel\]'"):
        open_source(path)


FRAME = pl.DataFrame(
    {
        "amount": [1.0, None, float("nan")],
        "flag": [True, None, False],
        "text": ["x", "", None],
        "day": [dt.date(2024, 1, 31)] * 3,
        "code": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
    }
)
FRAME_ROWS = [
    ("1.0", "true", "x", "2024-01-31", "u"),
    (None, None, None, "2024-01-31", "v"),
    (None, "false", None, "2024-01-31", "u"),
]


@pytest.mark.parametrize("write", ["write_parquet", "write_ipc", "write_ipc_stream"])
def test_columnar_files_become_the_texts_of_a_csv_whatever_their_name(tmp_path: Path, write: str) -> None:
    path = tmp_path / "data.csv"
    getattr(FRAME, write)(path)
    assert open_source(path).columns == tuple(FRAME.columns)
    assert rows(path) == FRAME_ROWS


# frames and arrays in memory


def test_polars_frames_are_read() -> None:
    assert rows(FRAME) == rows(FRAME.lazy()) == FRAME_ROWS


def test_pandas_frames_are_read_without_their_index() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "amount": [1.5, None],
            "count": pandas.array([1, None], dtype="Int64"),
            "name": ["x", None],
            "level": pandas.Categorical(["u", "v"]),
            "day": pandas.to_datetime(["2024-01-31", None]),
            "flag": [True, False],
        },
        index=["r1", "r2"],
    )
    source = open_source(frame)
    assert rows(frame) == [
        ("1.5", "1", "x", "u", "2024-01-31 00:00:00.000000", "true"),
        (None, None, None, "v", None, "false"),
    ]
    assert source.remarks == ("the index is left out; reset_index() makes it a column",)
    assert open_source(frame.reset_index(drop=True)).remarks == ()


def test_whatever_exports_an_arrow_stream_is_read() -> None:
    class Exporting:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pl.DataFrame({"a": [1, None], "b": ["x", "y"]}).__arrow_c_stream__(requested_schema)

    assert rows(Exporting()) == [("1", "x"), (None, "y")]


def test_arrays_are_read_with_numbered_or_named_columns() -> None:
    assert rows(np.array([[1.5, 2], [np.nan, 3]])) == [("1.5", "2.0"), (None, "3.0")]
    assert open_source(np.zeros((2, 3))).columns == ("0", "1", "2")
    named = np.array([(1, "x"), (2, "y")], dtype=[("n", "i8"), ("s", "U3")])
    assert (open_source(named).columns, rows(named)) == (("n", "s"), [("1", "x"), ("2", "y")])
    assert rows(np.array([[1, None], ["a", True]], dtype=object)) == [("1", None), ("a", "true")]
    assert rows(np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])) == [("1", None), ("3", "4")]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (np.zeros(3), "1 dimensions"),
        (np.zeros((0, 3)), "no rows"),
        (pl.DataFrame({"a": [[1]]}), "column 'a' holds List"),
        (3.5, "float is no table"),
    ],
)
def test_what_is_no_table_is_refused(data: Any, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        open_source(data)


# read()


def test_read_gives_numbers_where_every_cell_is_one_and_text_as_written_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("n,x,code,big,mixed,blank,special\n1, 2.5,007,9007199254740993,1, ,nan\n,-1e3,123,1,x,,1\n")
    assert_frame_equal(
        bindoctor.read(path),
        pl.DataFrame(
            {
                "n": [1, None],
                "x": [2.5, -1000.0],
                "code": ["007", "123"],
                "big": ["9007199254740993", "1"],
                "mixed": ["1", "x"],
                "blank": pl.Series([None, None], dtype=pl.String),
                "special": ["nan", "1"],
            }
        ),
    )


def test_read_takes_the_options_of_the_command_and_raises_its_one_error(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("1|?\n2|3\n4\n")
    frame = bindoctor.read(path, delimiter="|", header=False, null_tokens=("?",), skip_bad_rows=True)
    assert frame.rows() == [(1, None), (2, 3)]
    with pytest.raises(bindoctor.InputError, match=":3: "):
        bindoctor.read(path)


# validation and test rows in files of their own


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def run_check(*arguments: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "bindoctor", "check", *arguments, "--output-format", "json", "--fail-on", "never"],
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return run_check


def test_parts_in_files_of_their_own_must_have_the_columns_of_the_data(tmp_path: Path) -> None:
    table = "".join(f"{n * 37 % 101},{'ab'[n % 2]}\n" for n in range(60))
    for name, header in (("data", "x,y"), ("more", "x,y"), ("less", "x,z")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{table}")
    (tmp_path / "more.csv").write_text("extra,y,x\n" + "".join(f"0,{'ab'[n % 2]},{n}\n" for n in range(9)))
    data, more, less = (open_source(tmp_path / f"{name}.csv") for name in ("data", "more", "less"))
    part = part_of(data, more, "valid")
    assert part.columns == ("x", "y")
    assert [frame.columns for frame in part.batches()] == [["x", "y"]]
    assert part.remarks == ("columns that the data do not have are left out: extra",)
    assert part_of(data, open_source(tmp_path / "data.csv"), "test").remarks == ()
    with pytest.raises(InputError, match=r"less\.csv: the test file lacks the column 'y' of .*data\.csv"):
        part_of(data, less, "test")


def test_the_command_opens_them_and_the_report_carries_the_remarks(tmp_path: Path, run: Any) -> None:
    table = "".join(f"{n * 37 % 101};{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "data.csv").write_text("Made by me\nx;y\n" + table)
    (tmp_path / "test.csv").write_text("x;extra;y\n1;2;a\n3;4;b\n")
    done = run("data.csv", "--target", "y", "--test", "test.csv")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["remarks"] == [
        "line 1 left out: a title before the table",
        "test: columns that the data do not have are left out: extra",
    ]
    (tmp_path / "bindoctor.toml").write_text('[data]\npath = "data.csv"\ntarget = "y"\nvalid = "gone.csv"\n')
    assert "gone.csv: there is no such file" in run().stderr


def test_settings_say_how_to_read(tmp_path: Path, run: Any) -> None:
    table = "".join(f"{n * 37 % 101}~{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "data.csv").write_bytes(("größe~y\nn. v.~a\n1~2~3\n" + table).encode("cp850"))
    (tmp_path / "bindoctor.toml").write_text(
        '[data]\npath = "data.csv"\ntarget = " Y"\nencoding = "cp850"\ndelimiter = "~"\nheader = true\n'
        'null-tokens = ["n. v."]\nskip-bad-rows = true\n'
    )
    done = run()
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["data"]["rows"], report["data"]["target"]) == (61, "y")
    assert report["data"]["remarks"] == ["1 row that cannot be read is left out (first in line 3)"]
