"""Findings are plain values that hold all of their rows and say the first of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import RowList


@given(st.lists(st.integers(0, 2**40), max_size=300))
def test_all_rows_are_kept_in_order_and_the_first_hundred_listed(rows: list[int]) -> None:
    for listed in (RowList.of(rows), RowList.of(np.array(rows, dtype=np.int64)), RowList.of(iter(rows))):
        assert listed.numbers.tolist() == sorted(rows)
        assert listed.count == len(rows)
        assert listed.first == tuple(sorted(rows)[:100])
        assert listed == RowList.of(reversed(rows))


def test_lists_differ_by_any_row() -> None:
    assert RowList.of(range(500)) != RowList.of([*range(499), 500])
