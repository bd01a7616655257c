"""A baseline knows a finding by its rule and place, whatever its numbers, and tells what is new and what is gone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import Finding, InputError, Known, Severity, Where
from bindoctor.baseline import baseline_text, compare, read_baseline

PLACES = [Where("column", "age"), Where("column", "id"), Where("target"), Where("recipe", "features.scale")]


def finding(
    message: str, where: Where = PLACES[0], severity: Severity = Severity.WARNING, code: str = "BD106"
) -> Finding:
    return Finding(message, where, severity=severity, code=code)


def known(found: Finding) -> Known:
    return Known(found.code, found.where, found.severity or Severity.NOTE, found.message)


def found_by(*found: Finding) -> list[Known]:
    return [known(one) for one in found]


FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(["3 of 10 rows", "4 of 10 rows", "'?' in 3 cells", "'N/A' in 3 cells"]),
        st.sampled_from(PLACES),
        st.sampled_from(Severity),
        st.sampled_from(["BD106", "BD101"]),
    ),
    max_size=8,
)


@given(FINDINGS)
def test_what_was_recorded_is_known_and_nothing_is_stale(
    tmp_path_factory: pytest.TempPathFactory, findings: list[Finding]
) -> None:
    folder = tmp_path_factory.mktemp("b")
    path = folder / "baseline.json"
    path.write_text(baseline_text(path, folder / "data.csv", "y", findings))
    recorded = read_baseline(path)
    assert recorded.is_about(folder / "data.csv", "y")
    assert sorted(map(repr, recorded.known)) == sorted(map(repr, map(known, findings)))
    by_loudness = sorted(findings, key=lambda f: (f.message, f.severity.rank if f.severity else 0))
    assert compare(found_by(*by_loudness), by_loudness) == (frozenset(range(len(findings))), ())


@given(FINDINGS, FINDINGS)
def test_no_entry_stands_for_two_findings(before: list[Finding], now: list[Finding]) -> None:
    recognised, stale = compare(found_by(*before), now)
    assert len(recognised) + len(stale) <= len(before)
    for position in recognised:
        one = now[position]
        assert any((old.code, old.where) == (one.code, one.where) for old in before)


def test_other_numbers_are_the_same_finding() -> None:
    recognised, stale = compare(found_by(finding("'1' is 9.6% of 5000 rows")), [finding("'1' is 9.7% of 5,120 rows")])
    assert (recognised, stale) == (frozenset({0}), ())


def test_another_place_or_rule_is_another_finding() -> None:
    old = finding("odd")
    for new in (finding("odd", PLACES[1]), finding("odd", code="BD105")):
        assert compare(found_by(old), [new]) == (frozenset(), (known(old),))


def test_of_several_things_about_one_place_the_one_that_is_worded_alike_is_known() -> None:
    now = [finding("'?' in 3 cells"), finding("'N/A' in 8 cells")]
    assert compare(found_by(finding("'N/A' in 5 cells")), now) == (frozenset({1}), ())


def test_a_finding_that_is_worded_anew_is_still_known_in_its_place() -> None:
    assert compare(found_by(finding("columns 'a', 'b' are far off")), [finding("column 'a' is far off")]) == (
        frozenset({0}),
        (),
    )


def test_a_louder_finding_is_new_and_its_entry_is_not_stale() -> None:
    old, new = finding("odd", severity=Severity.NOTE), finding("odd", severity=Severity.ERROR)
    assert compare(found_by(old), [new]) == (frozenset(), ())
    assert compare(found_by(new), [old]) == (frozenset({0}), ())


def test_the_data_file_is_named_from_where_the_baseline_lies(tmp_path: Path) -> None:
    path = tmp_path / "ci" / "baseline.json"
    path.parent.mkdir()
    path.write_text(baseline_text(path, tmp_path / "data" / "a.csv", "y", []))
    assert '"data": "../data/a.csv"' in path.read_text()
    assert read_baseline(path).is_about(tmp_path / "data" / "a.csv", "y")
    assert not read_baseline(path).is_about(tmp_path / "data" / "b.csv", "y")
    assert not read_baseline(path).is_about(tmp_path / "data" / "a.csv", "z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": 2}',
        '{"schema": 1, "version": "1", "data": "a", "target": "y", "findings": [{"code": 3}]}',
        "[" * 100_000,
        "\xff",
    ],
    ids=["empty", "a list", "another schema", "an entry without a place", "nested without end", "not UTF-8"],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"baseline\.json: is no baseline"):
        read_baseline(path)


def test_a_baseline_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run 'bindoctor baseline' to record one"):
        read_baseline(tmp_path / "none.json")
