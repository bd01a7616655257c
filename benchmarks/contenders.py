"""What scan.py times: each function reads a file of make_table.py and is run in a process of its own.

    python benchmarks/contenders.py NAME FILE

Imports are inside, so that each pays for its own.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGET = "target"
QUANTILES = [0.01, 0.25, 0.5, 0.75, 0.99]


def polars_text(path: Path) -> None:
    import polars as pl

    pl.read_csv(path, infer_schema=False)


def polars_text_batches(path: Path) -> None:
    """Parse as text without holding the whole table."""
    import polars as pl

    for batch in pl.scan_csv(path, infer_schema=False).collect_batches():
        assert batch.height


def polars_typed(path: Path) -> None:
    import polars as pl

    pl.read_csv(path)


def bindoctor_scan(path: Path) -> None:
    from bindoctor.cli import prepare_libraries

    prepare_libraries()
    from bindoctor import Recipe
    from bindoctor.readers import open_dataset, open_source
    from bindoctor.scan import scan

    scan(open_dataset(open_source(path), TARGET), Recipe())


def pandas_statistics(path: Path) -> dict[str, Any]:
    """Compute with pandas the statistics that the scan computes: of all rows and of each class, then over the rows."""
    import pandas as pd

    frame = pd.read_csv(path)
    target = frame.pop(TARGET)
    numbers = frame.select_dtypes("number")
    parts = {"all": frame, **{str(label): frame[target == label] for label in target.unique()}}
    rows = pd.util.hash_pandas_object(frame, index=False)
    return {
        "columns": {name: pandas_columns(part, numbers.columns) for name, part in parts.items()},
        "levels": {
            name: texts.value_counts().head(20) for name, texts in frame.select_dtypes(exclude="number").items()
        },
        "duplicates": pd.DataFrame({"row": rows, "label": target}).duplicated().sum(),
        "conflicts": (target.groupby(rows).transform("nunique") > 1).sum(),
        "correlations": numbers.corr(),
        "auc": {name: pandas_auc(values, target == 1) for name, values in numbers.items()},
    }


def pandas_columns(part: Any, numeric: Any) -> dict[str, Any]:
    numbers = part[numeric]
    return {
        "counts": part.count(),
        "nulls": part.isna().sum(),
        "distinct": part.nunique(),
        "moments": numbers.agg(["min", "max", "mean", "std", "skew"]),
        "quantiles": numbers.quantile(QUANTILES),
    }


def pandas_auc(values: Any, positive: Any) -> float:
    """Return the area under the ROC curve of one column by the ranks of the positive rows (Mann and Whitney)."""
    present = values.notna()
    ranks, positive = values[present].rank(), positive[present]
    n = int(positive.sum())
    area = (ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n))
    return max(area, 1 - area)


def deepchecks(path: Path) -> None:
    import pandas as pd
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.suites import data_integrity

    data_integrity().run(Dataset(pd.read_csv(path), label=TARGET, index_name="id", datetime_name="date"))


def ydata_profiling(path: Path) -> None:
    import pandas as pd
    from ydata_profiling import ProfileReport

    ProfileReport(pd.read_csv(path), minimal=True, progress_bar=False).get_description()


def skrub(path: Path) -> None:
    import pandas as pd
    from skrub import TableReport

    TableReport(pd.read_csv(path), verbose=0).html()


def cleanlab(path: Path) -> None:
    """Run Datalab on the standardised numbers: outliers, duplicates, order, imbalance, nulls; it trains no model."""
    import pandas as pd
    from cleanlab import Datalab

    frame = pd.read_csv(path)
    numbers = frame.drop(columns=[TARGET, "id"]).select_dtypes("number")
    features = ((numbers - numbers.mean()) / numbers.std()).fillna(0).to_numpy()
    lab = Datalab({"row": range(len(frame)), TARGET: frame[TARGET].tolist()}, label_name=TARGET, verbosity=0)
    lab.find_issues(features=features)


OWN: dict[str, Callable[[Path], object]] = {
    "polars-text": polars_text,
    "polars-text-batches": polars_text_batches,
    "polars-typed": polars_typed,
    "bindoctor-scan": bindoctor_scan,
    "pandas": pandas_statistics,
}
PEERS: dict[str, Callable[[Path], object]] = {
    "deepchecks": deepchecks,
    "ydata-profiling": ydata_profiling,
    "skrub": skrub,
    "cleanlab": cleanlab,
}

if __name__ == "__main__":
    {**OWN, **PEERS}[sys.argv[1]](Path(sys.argv[2]))
