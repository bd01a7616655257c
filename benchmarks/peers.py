"""What other tools say to the files of faults.py, by the checks that they run by default.

    python benchmarks/peers.py FOLDER OUT --tools NAME … --cases CASE …

Reads ``FOLDER/CASE/train.csv`` and ``test.csv``, and writes each importable tool's alarms by case as JSON. An alarm is
a check that the tool itself calls failed, an issue that it counts, or an alert that it raises.
"""

import argparse
import importlib.util
import json
import re
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

TARGET = "target"
Alarms = list[dict[str, Any]]
Frame = pd.DataFrame


def alarm(code: str, text: str, place: str = "", rows: list[int] | None = None) -> dict[str, Any]:
    return {"code": code, "place": place, "text": text, "rows": rows or []}


def deepchecks(train: Frame, test: Frame) -> Alarms:
    """Run the suites for one table and for two, and the two checks that have conditions but no place in a suite."""
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.checks import ClassImbalance, OutlierSampleDetection
    from deepchecks.tabular.suites import data_integrity, train_test_validation

    tables = [Dataset(table, label=TARGET, cat_features=[]) for table in (train, test)]
    integrity = data_integrity()
    integrity.add(ClassImbalance().add_condition_class_ratio_less_than())
    integrity.add(OutlierSampleDetection().add_condition_outlier_ratio_less_or_equal())
    results = integrity.run(tables[0]).results + train_test_validation().run(*tables).results
    return [
        alarm(result.get_header(), condition.details)
        for result in results
        for condition in getattr(result, "conditions_results", [])
        if not condition.is_pass
    ]


def cleanlab(train: Frame, test: Frame) -> Alarms:
    """Run Datalab with standardised features and cross-validated probabilities of a logistic regression."""
    from cleanlab import Datalab
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = train.drop(columns=TARGET).apply(pd.to_numeric, errors="coerce")
    prepare = make_pipeline(SimpleImputer(), StandardScaler())
    folds = StratifiedKFold(min(5, train[TARGET].value_counts().min()), shuffle=True, random_state=0)
    model = make_pipeline(prepare, LogisticRegression(max_iter=1000))
    probabilities = cross_val_predict(model, features, train[TARGET], cv=folds, method="predict_proba")
    lab = Datalab({"row": range(len(train)), TARGET: train[TARGET].tolist()}, label_name=TARGET, verbosity=0)
    lab.find_issues(features=prepare.fit_transform(features), pred_probs=probabilities)
    issues, summary = lab.get_issues(), lab.get_issue_summary()
    return [
        alarm(kind, f"{count} rows", rows=issues.index[issues[f"is_{kind}_issue"]].tolist())
        for kind, count in zip(summary["issue_type"], summary["num_issues"], strict=True)
        if count
    ]


def ydata_profiling(train: Frame, test: Frame) -> Alarms:
    """Make a minimal profile and return its alerts, one for each column."""
    from ydata_profiling import ProfileReport

    alerts = ProfileReport(train, minimal=True, progress_bar=False).get_description().alerts
    return [
        alarm(a.alert_type.name, f"{a.column_name} {re.sub('<[^>]+>', '', str(a))}", str(a.column_name)) for a in alerts
    ]


TOOLS: dict[str, tuple[str, Callable[[Frame, Frame], Alarms]]] = {
    "deepchecks": ("deepchecks", deepchecks),
    "cleanlab": ("cleanlab", cleanlab),
    "ydata-profiling": ("ydata_profiling", ydata_profiling),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tools", nargs="*", default=list(TOOLS))
    parser.add_argument("--cases", nargs="+")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    answers: dict[str, dict[str, Alarms]] = {}
    for name in options.tools:
        module, ask = TOOLS[name]
        if importlib.util.find_spec(module) is None:
            continue
        print(f"{name} {version(name)}", file=sys.stderr)
        answers[name] = {}
        for case in options.cases:
            parts = [pd.read_csv(options.folder / case / part) for part in ("train.csv", "test.csv")]
            try:
                answers[name][case] = ask(*parts)
            except Exception as error:  # a tool that breaks on a file has missed what is in it, and says so here
                print(f"{name} broke on {case}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
                answers[name][case] = []
    options.out.write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
