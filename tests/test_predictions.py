"""Predictions from anywhere are read beside their truth, or refused with the record that is wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindoctor import InputError, Predictions
from bindoctor.predictions import read_predictions


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_one_probability_column_is_the_positive_class(tmp_path: Path) -> None:
    found = read_predictions(written(tmp_path / "p.csv", "y_true,y_prob\n1,0.8\n0,0.1\n"))
    assert found.classes == ("0", "1")
    assert found.positive.tolist() == [0.8, 0.1]
    assert found.decision.tolist() == [1, 0]


def test_a_column_for_each_class_is_put_into_the_data_sets_order(tmp_path: Path) -> None:
    path = written(tmp_path / "p.csv", "truth,p_yes,p_no\nyes,0.9,0.1\nno,0.3,0.7\n")
    found = read_predictions(path, ("no", "yes"))
    assert found.classes == ("no", "yes")
    assert found.positive.tolist() == [0.9, 0.3]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.floats(0.001, 1), min_size=3, max_size=3)), min_size=1, max_size=20
    )
)
def test_what_bindoctor_wrote_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, list[float]]]
) -> None:
    n = len(rows)
    before = Predictions(
        ("a", "b", "c"),
        np.array([label for label, _ in rows]),
        np.array([np.array(weights) / sum(weights) for _, weights in rows]),
        np.arange(n) * 7,
        np.arange(n) % 5,
    )
    path = written(tmp_path_factory.mktemp("p") / "p.csv", before.to_csv())
    after = read_predictions(path, before.classes)
    for name in ("truth", "probability", "row_ids", "fold"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no predictions"),
        ("y_prob\n0.5\n", "no truth column"),
        ("y_true\n1\n", "no probability column"),
        ("y_true,y_prob\n1,0.5\n0,1.5\n", "record 2, column 'y_prob': 1.5 is not a probability"),
        ("y_true,y_prob\n1,0.5\n0,x\n", "record 2, column 'y_prob': 'x' is not a number"),
        ("truth,p_a,p_b\nc,0.5,0.5\n", "'c', which is none of the classes"),
        ("truth,p_a,p_b\na,0.5,0.5\nb,0.5,0.4\n", "record 2: the probabilities of the classes sum to 0.9, not to 1"),
        ("truth,p_a,p_b\na,0,0\n", "record 1: the probabilities of the classes sum to 0"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_predictions(written(tmp_path / "p.csv", text))
    assert says in str(caught.value)


def test_labels_are_kept_as_the_data_writes_them(tmp_path: Path) -> None:
    floats = Predictions(("0.0", "1.0"), np.array([0, 1]), np.eye(2), np.arange(2), np.zeros(2, dtype=np.int64))
    after = read_predictions(written(tmp_path / "p.csv", floats.to_csv()), floats.classes)
    assert after.truth.tolist() == [0, 1]


def test_answers_by_a_tuned_threshold_come_back(tmp_path: Path) -> None:
    chances = np.array([[0.9, 0.1], [0.8, 0.2]])
    tuned = Predictions(("a", "b"), np.array([0, 1]), chances, np.arange(2), np.zeros(2, dtype=np.int64), 0.15)
    after = read_predictions(written(tmp_path / "p.csv", tuned.to_csv()), tuned.classes)
    assert after.decision.tolist() == tuned.decision.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("row,y_true,y_prob\nA17,1,0.5\n2,0,0.5\n", "record 1, column 'row': 'A17' is not a whole number"),
        ("y_true,y_prob\n1,0.5,7\n0,0.5\n", "record 1 has another number of fields"),
        ("y_true,y_prob\n1,0.5\n0\n", "record 2 has another number of fields"),
        ("[1]", "list of objects"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_malformed_file_is_no_traceback(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read_predictions(written(tmp_path / "p.csv", text))
    assert says in str(caught.value)


def test_probabilities_that_were_rounded_are_made_to_sum_to_one(tmp_path: Path) -> None:
    found = read_predictions(written(tmp_path / "p.csv", "truth,p_a,p_b,p_c\na,0.33,0.33,0.33\nb,0.1,0.2,0.7\n"))
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, rtol=1e-15)
    assert found.probability[0].tolist() == pytest.approx([1 / 3] * 3)
