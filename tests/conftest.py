"""What many tests start from."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("bindoctor", deadline=None)
settings.load_profile("bindoctor")

LOAN = Path(__file__).parents[1] / "examples" / "loan" / "universal_bank.csv"

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def loan() -> Path:
    """The whole loan data."""
    return LOAN


@pytest.fixture(scope="session")
def small_loan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 200 rows of the loan data, 10 % positive, for whatever trains many times."""
    table = pl.read_csv(LOAN, infer_schema=False)
    rare = pl.col("Personal Loan") == "1"
    path = tmp_path_factory.mktemp("loan") / "small_loan.csv"
    pl.concat([table.filter(rare).head(240), table.filter(~rare).head(960)]).sort(pl.col("ID").cast(int)).write_csv(
        path
    )
    return path


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run bindoctor as a process of its own in an empty folder."""

    def run(*arguments: object, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "bindoctor", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, check=False)

    return run
