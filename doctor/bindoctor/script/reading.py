"""The part of a script that reads the data file: cells, columns and labels as the recipe reads them."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from bindoctor.dataset import Source
from bindoctor.errors import InputError
from bindoctor.readers.cells import COMMA_NUMBER
from bindoctor.readers.columnar import ColumnarSource
from bindoctor.readers.delimited import DelimitedSource
from bindoctor.readers.wrappers import NullTokenSource
from bindoctor.script.layout import INDENT, WIDTH, Bracket, Expression, call, indented, lay_out, quoted
from bindoctor.script.plan import Array, Plan

DESCRIBED: Mapping[Array, str] = {
    "groups": "the group",
    "times": "the time",
    "row_weights": "the weight",
    "held_out": "whether it is kept back",
    "validation": "whether it is validated on",
    "identity": "what repeated rows share",
}


def reading_function(plan: Plan) -> str:
    """Return the source of ``read_rows``, which gives features, class indices and keys of every row of the file.

    Raises:
        InputError: the data is not in a file.
    """
    lines = [*_file(plan), *_missing(plan), *_features(plan), *_labels(plan), *_keys(plan)]
    given_back = ("features", "labels", *(f"{name}.to_numpy()" for name in plan.arrays))
    returned = f"return {', '.join(given_back)}"
    if len(returned) > WIDTH - len(INDENT):
        returned = lay_out(Bracket("(", given_back, ")"), before="return ", depth=1)
    lines.append(returned)
    *given, last = ["the features", "the class index", *(DESCRIBED[name] for name in plan.arrays)]
    path = "path=DATA" if plan.held_out_files else ""
    described = f"Return {', '.join(given)} and {last} of every row."
    return f'def read_rows({path}):\n    """{described}"""\n{indented(lines)}\n'


def reading_constants(plan: Plan) -> dict[str, object]:
    """Return the values of the names that ``read_rows`` may use."""
    data, source = plan.recipe.data, plan.dataset.source
    casts = {name: kind for name, kind in data.casts.items() if name in plan.used}
    as_text = [name for name, kind in casts.items() if kind == "text"]
    tokens = {name: texts for name, texts in data.missing_values.items() if name in plan.used}
    texts = {name: _texts(found, also_numbers=name in as_text) for name, found in tokens.items()}
    numbers = {name: _numbers(found) for name, found in tokens.items() if name not in as_text}
    return {
        "DATA": source.name,
        "COLUMNS": source.columns,
        "NULL_TOKENS": source.tokens if isinstance(source, NullTokenSource) else (),
        "DECIMAL_COMMAS": _decimal_commas(source),
        "TARGET": plan.dataset.target,
        "TARGET_LEVELS": data.target_levels,
        "CLASSES": plan.rows.classes,
        "NUMBERS": plan.numbers,
        "TEXTS": plan.texts,
        "DATES": {name: [dates.format, dates.parts] for name, dates in plan.dates.items()},
        "HELD_OUT_FILES": [file.name for file in plan.held_out_files],
        "TIDY": [name for name in data.tidy if name in plan.used],
        "LIMITS": {name: bounds for name, bounds in data.bounds.items() if name in plan.used and name not in as_text},
        "WEIGHT": data.weight,
        "PART": plan.recipe.split.column,
        "KEPT_BACK": [] if plan.rows.held_out is None else plan.held_out_levels,
        "VALIDATION": plan.validation_levels if plan.watches_column else [],
        "DROP_ROWS": data.drop_rows,
        "COMPARED": plan.compared if data.deduplicate else [],
        "NUMBERING": [name for name in plan.numbering if name in plan.columns] if plan.leaves_out else [],
        "GROUP": plan.recipe.split.group,
        "TIME": plan.recipe.split.time,
        "MISSING": _texts(data.missing_tokens, also_numbers=bool(as_text)),
        "MISSING_NUMBERS": _numbers(data.missing_tokens),
        "MISSING_IN": {name: found for name, found in texts.items() if found},
        "MISSING_NUMBERS_IN": {name: found for name, found in numbers.items() if found},
        "READ_AS_NUMBERS": [name for name, kind in casts.items() if kind == "number"],
        "READ_AS_TEXT": as_text,
    }


def _file(plan: Plan) -> Iterator[str]:
    source, path = plan.dataset.source, "path" if plan.held_out_files else "DATA"
    for file in plan.held_out_files:
        _require_like(source, file, plan.used)
    tokens: Sequence[str] = ()
    if isinstance(source, NullTokenSource):
        tokens, source = source.tokens, source.source
    if isinstance(source, ColumnarSource):
        reader = "pl.read_parquet" if source.format == "Parquet" else "pl.read_ipc"
        yield f"table = {reader}({path}).fill_nan(None).cast(pl.String)"
        yield "data = pd.DataFrame(table.to_dict(as_series=False), dtype=str)"
    elif isinstance(source, DelimitedSource):
        yield lay_out(call("pd.read_csv", *_csv_arguments(source, path)), before="data = ", depth=1)
        if source.layout.decimal_commas:
            yield "for name in DECIMAL_COMMAS:"
            pattern = f"({COMMA_NUMBER})"
            yield f"    numbers = data[name].str.strip().str.fullmatch({quoted(pattern)})"
            yield '    data[name] = data[name].mask(numbers, data[name].str.replace(",", "."))'
    else:
        raise InputError(
            f"{source.name}: a script needs a data file to read; save the table as CSV, Parquet or Arrow first."
        )
    if any(name in plan.used for name in plan.recipe.data.tidy):
        yield 'data[TIDY] = data[TIDY].map(tidy_text, na_action="ignore")'
    yield 'data = data.replace(r"^\\s*$", np.nan, regex=True)  # blank cells are missing'
    if tokens:
        yield "data = data.apply(without_texts, texts=NULL_TOKENS)"


def _decimal_commas(source: Source) -> tuple[str, ...]:
    inner = source.source if isinstance(source, NullTokenSource) else source
    return inner.layout.decimal_commas if isinstance(inner, DelimitedSource) else ()


def _csv_arguments(source: DelimitedSource, path: str) -> list[Expression]:
    layout, stream = source.layout, source.stream
    if source.skip_bad_rows and source.notes.bad:
        raise InputError(f"{source.name}: has rows that cannot be read; a script needs a file without them.")
    arguments: list[Expression] = [path]
    if layout.delimiter != ",":
        arguments.append(f"sep={quoted(layout.delimiter)}")
    if stream.compression:
        arguments.append(f"compression={quoted(stream.compression)}")
    if source.encoding:
        arguments.append(f"encoding={quoted(source.encoding)}")
    if not layout.header or layout.titled or layout.trailing:
        # Lines before the table, or fields without a name: the names are given, and rows begin where they begin.
        arguments += ["header=None", "names=COLUMNS"]
        if layout.first_line > 1:
            arguments.append(f"skiprows={layout.first_line - 1}")
        if layout.trailing:
            arguments.append(f"usecols=range({len(layout.columns)})")
    return [*arguments, "dtype=str", "keep_default_na=False"]


def _require_like(source: Source, file: Source, columns: set[str]) -> None:
    """Refuse a held-out file that the lines for ``source`` cannot read.

    Raises:
        InputError: it is written in another way, or lacks a column.
    """
    absent = sorted(columns - set(file.columns))
    if absent:
        raise InputError(f"{file.name}: a script with data.drop-overlap needs its column {absent[0]!r}; add it.")
    layouts = [
        (one.layout.delimiter, one.layout.header) if isinstance(one, DelimitedSource) else () for one in (source, file)
    ]
    if type(source) is not type(file) or layouts[0] != layouts[1]:
        raise InputError(
            f"{file.name}: is written in another way than {source.name}, and a script reads both alike; save it in the "
            "same format."
        )


def _missing(plan: Plan) -> Iterator[str]:
    """Make cells missing that the recipe reads so; a number counts however it is written, unless it is read as text."""
    values = reading_constants(plan)
    if values["MISSING"]:
        yield "data = data.apply(without_texts, texts=MISSING)"
    if values["MISSING_NUMBERS"] and values["READ_AS_TEXT"]:
        yield "for name in data.columns.difference(READ_AS_TEXT):"
        yield "    data[name] = without_numbers(data[name], MISSING_NUMBERS)"
    elif values["MISSING_NUMBERS"]:
        yield "data = data.apply(without_numbers, numbers=MISSING_NUMBERS)"
    if values["MISSING_IN"]:
        yield "for name, texts in MISSING_IN.items():"
        yield "    data[name] = without_texts(data[name], texts)"
    if values["MISSING_NUMBERS_IN"]:
        yield "for name, numbers in MISSING_NUMBERS_IN.items():"
        yield "    data[name] = without_numbers(data[name], numbers)"
    if values["LIMITS"]:
        yield "for name, (low, high) in LIMITS.items():"
        yield "    data[name] = within(data[name], low, high)"
    if plan.leaves_out and plan.numbers:
        # What stands in a row that is left out did not count when columns were found to hold numbers.
        yield "data[NUMBERS] = data[NUMBERS].apply(only_numbers)"
    elif values["READ_AS_NUMBERS"]:
        yield "data[READ_AS_NUMBERS] = data[READ_AS_NUMBERS].apply(only_numbers)"


def _features(plan: Plan) -> Iterator[str]:
    names = "TEXTS" if plan.texts else "list(DATES)"
    texts = f'data[{"[*TEXTS, *DATES]" if plan.texts and plan.dates else names}].fillna("")'
    if plan.numbers:
        yield "features = data[NUMBERS].astype(float)"
    if plan.texts or plan.dates:
        yield f"features = features.join({texts})" if plan.numbers else f"features = {texts}"


def _labels(plan: Plan) -> Iterator[str]:
    yield "labels = data[TARGET].str.strip()"
    if plan.recipe.data.target_levels:
        yield "labels = labels.replace(TARGET_LEVELS)"
    yield "labels = labels.map({label: k for k, label in enumerate(CLASSES)}).to_numpy()"


def _keys(plan: Plan) -> Iterator[str]:
    if "groups" in plan.keys:
        yield 'groups = data[GROUP].str.strip().rank(method="dense")'
        if plan.lone_rows:
            yield "groups = groups.fillna(groups.max() + groups.isna().cumsum())"
    if "times" in plan.keys:
        text = "data[TIME].str.strip()"
        yield f'times = pd.to_datetime({text}, format="ISO8601")' if plan.dated else f"times = {text}.astype(float)"
    if "row_weights" in plan.arrays:
        yield "row_weights = data[WEIGHT].astype(float)"
    if "held_out" in plan.arrays:
        yield "held_out = data[PART].str.strip().isin(KEPT_BACK)"
    if "validation" in plan.arrays:
        yield "validation = data[PART].str.strip().isin(VALIDATION)"
    if "identity" in plan.arrays:
        yield "compared = data[COMPARED].apply(by_value)"
        if "text" in plan.recipe.data.casts.values():
            yield "compared.update(data[READ_AS_TEXT])"
        yield "compared[TARGET] = labels"
        yield "identity = pd.util.hash_pandas_object(compared, index=False)"


def _texts(tokens: Sequence[str], *, also_numbers: bool) -> list[str]:
    """Return the tokens to compare as texts: a number is compared as one, but not in columns that are read as text."""
    stripped = [token.strip() for token in tokens]
    return [token for token in stripped if also_numbers or not _numbers([token])]


def _numbers(tokens: Sequence[str]) -> list[float]:
    numbers = pl.Series([token.strip() for token in tokens], dtype=pl.String).cast(pl.Float64, strict=False)
    return numbers.filter(numbers.is_finite()).to_list()
