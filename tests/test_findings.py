"""Findings are plain values that hold all of their rows and say the first of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import Finding, Fix, RowList, Where
from bindoctor.findings import permitted


@given(st.lists(st.integers(0, 2**40), max_size=300))
def test_all_rows_are_kept_in_order_and_the_first_hundred_listed(rows: list[int]) -> None:
    for listed in (RowList.of(rows), RowList.of(np.array(rows, dtype=np.int64)), RowList.of(iter(rows))):
        assert listed.numbers.tolist() == sorted(rows)
        assert listed.count == len(rows)
        assert listed.first == tuple(sorted(rows)[:100])
        assert listed == RowList.of(reversed(rows))


def test_lists_differ_by_any_row() -> None:
    assert RowList.of(range(500)) != RowList.of([*range(499), 500])


def test_a_fix_that_goes_further_is_withheld_until_it_is_allowed() -> None:
    switch, scale = Fix("trees", {"model.kind": "gradient-boosting"}), Fix("scale", {"features.scale": "standard"})
    finding = Finding("", Where("model"), fixes=(switch, scale))
    assert [fix.title for one in permitted([finding], ()) for fix in one.fixes] == ["scale"]
    assert permitted([finding], ["estimator"]) == (finding,)
