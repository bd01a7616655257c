"""Rows that SMOTE made up are found, rows as they were measured and repeated rows are not."""

import numpy as np
import polars as pl
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler

from bindoctor import Finding, Recipe
from bindoctor.evidence import Evidence
from bindoctor.examine import examine, findings_of
from bindoctor.readers import open_dataset
from bindoctor.readers.memory import object_source
from bindoctor.registry import discover
from bindoctor.scan import scan

RULE = next(rule for rule in discover().rules if rule.code == "BD214")


def found_in(inputs: np.ndarray, labels: np.ndarray) -> tuple[Finding, ...]:
    frame = pl.DataFrame({**{f"x{k}": inputs[:, k] for k in range(inputs.shape[1])}, "y": labels})
    dataset = open_dataset(object_source(frame), "y")
    return findings_of(examine([RULE], Evidence(dataset, scan(dataset, Recipe()), Recipe())))


def cases(rows: int = 600, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = (np.arange(rows) % 8 == 0).astype(int)
    return random.normal(size=(rows, width)) + labels[:, None] * 0.5, labels


@pytest.mark.parametrize("method", [SMOTE, BorderlineSMOTE, ADASYN])
@pytest.mark.parametrize("digits", [2, 6])
def test_what_smote_and_its_kin_make_up_is_found(method: type, digits: int) -> None:
    inputs, labels = method(random_state=0).fit_resample(*cases())
    (finding,) = found_in(inputs.round(digits + 2), labels)
    assert finding.measured["class"] == "1"
    assert finding.measured["share"] > 0.3
    assert finding.rows is not None
    made_up = np.arange(600, len(labels))
    assert np.isin(finding.rows.numbers, made_up).mean() > 0.8


def test_rows_as_they_were_and_rows_repeated_are_not() -> None:
    assert found_in(*cases()) == ()
    assert found_in(*RandomOverSampler(random_state=0).fit_resample(*cases())) == ()


def test_whole_numbers_lie_between_others_by_chance() -> None:
    inputs, labels = cases(1500, 4)
    assert found_in((inputs * 3).round(), labels) == ()


def test_scaling_and_shifting_afterwards_hide_nothing() -> None:
    inputs, labels = SMOTE(random_state=0).fit_resample(*cases())
    (finding,) = found_in((inputs * np.logspace(-3, 6, 6) + 5).astype(np.float32), labels)
    assert finding.measured["share"] > 0.3


def test_tables_of_text_have_no_such_rows() -> None:
    frame = pl.DataFrame({"a": [str(i % 7) + "x" for i in range(90)], "y": [i % 2 for i in range(90)]})
    dataset = open_dataset(object_source(frame), "y")
    assert findings_of(examine([RULE], Evidence(dataset, scan(dataset, Recipe()), Recipe()))) == ()


def test_missing_cells_and_few_columns_are_no_trouble() -> None:
    inputs, labels = cases()
    holes = np.where(np.random.default_rng(0).random(inputs.shape) < 0.3, np.nan, inputs)
    assert found_in(holes, labels) == ()
    assert found_in(inputs[:, :2], labels) == ()
