"""The part of a script that reads the data file: cells, columns and labels as the recipe reads them."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.readers.delimited import DelimitedSource
from bindoctor.readers.parquet import ParquetSource
from bindoctor.recipe import Data
from bindoctor.script.layout import Expression, call, indented, lay_out, quoted
from bindoctor.script.plan import Plan

DESCRIBED = {
    (): "the features and the class index",
    ("groups",): "the features, the class index and the group",
    ("times",): "the features, the class index and the time",
}


def reading_function(dataset: Dataset, plan: Plan) -> str:
    """Return the source of ``read_rows``, which gives the features, the class indices and the keys of every row.

    Raises:
        InputError: the data is not in a file.
    """
    data = plan.recipe.data
    lines = [*_file(dataset.source), *_missing_cells(plan, data), *_features(plan), *_labels(plan, data)]
    if "groups" in plan.keys:
        lines.append('groups = data[GROUP].str.strip().rank(method="dense")')
        if plan.lone_rows:
            lines.append("groups = groups.fillna(groups.max() + groups.isna().cumsum())  # alone")
    if "times" in plan.keys:
        text = "data[TIME].str.strip()"
        lines.append(
            f'times = pd.to_datetime({text}, format="ISO8601")' if plan.dated else f"times = {text}.astype(float)"
        )
    lines.append(f"return {', '.join(['features', 'labels', *plan.keys])}")
    return f'def read_rows():\n    """Return {DESCRIBED[plan.keys]} of each row."""\n{indented(lines)}\n'


def reading_constants(dataset: Dataset, plan: Plan) -> dict[str, object]:
    """Return the constants that ``read_rows`` may use, by name."""
    data = plan.recipe.data
    cast = {name: kind for name, kind in data.casts.items() if name in plan.used}
    values = {name: texts for name, texts in data.missing_values.items() if name in plan.used}
    numbers = {name: _numbers(texts) for name, texts in values.items() if cast.get(name) != "text"}
    return {
        "DATA": dataset.source.name,
        "COLUMNS": list(dataset.source.columns),
        "TARGET": dataset.target,
        "TARGET_LEVELS": data.target_levels,
        "CLASSES": list(plan.classes),
        "NUMBERS": plan.numbers,
        "TEXTS": plan.texts,
        "MISSING": [token.strip() for token in data.missing_tokens],
        "MISSING_NUMBERS": _numbers(data.missing_tokens),
        "MISSING_IN": {name: [text.strip() for text in texts] for name, texts in values.items()},
        "MISSING_NUMBERS_IN": {name: found for name, found in numbers.items() if found},
        "READ_AS_NUMBERS": [name for name, kind in cast.items() if kind == "number"],
        "READ_AS_TEXT": [name for name, kind in cast.items() if kind == "text"],
        "GROUP": plan.recipe.split.group,
        "TIME": plan.recipe.split.time,
    }


def _file(source: Source) -> Iterator[str]:
    if isinstance(source, ParquetSource):
        yield "table = pl.read_parquet(DATA).fill_nan(None).cast(pl.String)"
        yield "data = pd.DataFrame(table.to_dict(as_series=False), dtype=str)"
    elif isinstance(source, DelimitedSource):
        arguments: list[Expression] = ["DATA"]
        if source.layout.delimiter != ",":
            arguments.append(f"sep={quoted(source.layout.delimiter)}")
        if source.layout.first_line == 1:
            arguments += ["header=None", "names=COLUMNS"]
        elif "" in source.columns:
            arguments += ["header=0", "names=COLUMNS"]
        arguments += ["dtype=str", "keep_default_na=False"]
        yield lay_out(call("pd.read_csv", *arguments), before="data = ", depth=1)
    else:
        raise InputError(f"{source.name}: a script needs a data file to read; save the table as CSV first.")
    yield 'data = data.replace(r"^\\s*$", np.nan, regex=True)  # blank cells are missing'


def _missing_cells(plan: Plan, data: Data) -> Iterator[str]:
    known = plan.constants
    if known["MISSING"]:
        yield "data = data.apply(without_tokens, tokens=MISSING)"
    if known["MISSING_NUMBERS"] and known["READ_AS_TEXT"]:
        yield "for name in data.columns.difference(READ_AS_TEXT):"
        yield "    data[name] = without_numbers(data[name], MISSING_NUMBERS)"
    elif known["MISSING_NUMBERS"]:
        yield "data = data.apply(without_numbers, numbers=MISSING_NUMBERS)"
