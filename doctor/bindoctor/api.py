"""``bindoctor.check`` and ``bindoctor.fix``: what the commands do, called from Python on data in memory or in files."""

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np

from bindoctor.arguments import dataset_of, history_from, inspection_from, labels_of, predictions_from
from bindoctor.config import FILE_NAME, Config, DataSettings, load_config
from bindoctor.dataset import Dataset
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.extras import require_training, training_is_installed
from bindoctor.findings import PERMITS
from bindoctor.fix_result import FixResult
from bindoctor.fixing import Trials, apply, one_thread, seconds_in, treated
from bindoctor.given_recipe import Given, recipe_of
from bindoctor.profile import EVERYTHING
from bindoctor.readers import ReadOptions
from bindoctor.recipe_sections import Score
from bindoctor.registry import Registry, discover
from bindoctor.render.progress import progress_line
from bindoctor.report import Report
from bindoctor.rules import Rule
from bindoctor.workspace import RunWorkspace, Workspace

Names = str | Sequence[str]


def check(
    data: Any = None,
    y: Any = None,
    *,
    target: str | int = "",
    positive: Any = None,
    recipe: Given = None,
    run: Any = None,
    predictions: Any = None,
    model: Any = None,
    valid: Any = None,
    test: Any = None,
    train: bool = False,
    select: Names = (),
    ignore: Names = (),
    extend_select: Names = (),
    **reading: Any,
) -> Report:
    """Lint data, a recipe and a training run, as ``bindoctor check`` does.

    Nothing is written, and no settings in the current folder are read.

    Args:
        data: a path, a folder or pattern of files; a data frame (pandas, Polars, Arrow); an array of numbers, shape
            (n, d), whose columns are called "0", "1", …, or of more dimensions, as images are; or a ``Dataset``.
            Without it the run alone is looked at.
        y: the class of each row, shape (n,), where it is not a column of ``data``.
        target: the name or 0-based position of the target column; guessed when neither it nor ``y`` is given.
        positive: the positive class of two; found by its usual names, else the rarer one.
        recipe: a ``Recipe``, settings by dotted path such as {"features.scale": "standard"}, or the path of a settings
            file whose recipe is taken; ``Recipe()`` when not given.
        run: a training log's path, a ``History``, or logged values by name: {"loss": […], "val_loss": […]}.
        predictions: out-of-sample predictions: a path, ``Predictions``, or the probabilities of all rows in order, of
            shape (n,) for the positive class or (n, classes) as from ``predict_proba``.
        model: a ``torch.nn.Module``, which is looked at on some rows as the recipe prepares them and stays as it is; or
            an ``Inspection`` of one.
        valid: rows to validate on: a path or a table with the same columns, or a pair (X, y). Never trained on.
        test: rows to test on, in the same way.
        train: whether to train the recipe on folds first, and lint that run too.
        select: the rules to ask, by code, prefix or slug; all but BD904 when not given.
        ignore: rules to leave out.
        extend_select: rules to add to the selected ones.
        reading: how a file is read: delimiter, header, encoding, null_tokens, skip_bad_rows.

    Raises:
        InputError: something that is given cannot be used.
    """
    if train and (run is not None or predictions is not None):
        raise InputError("train: trains a run of its own; give neither run nor predictions.")
    if data is None and run is not None and all(given is None for given in (y, predictions, model, valid, test)):
        return _checked_run(run, select, ignore, extend_select)
    asked, sets_loss = recipe_of(recipe)
    dataset = dataset_of(data, y, target, positive, ReadOptions(**reading), asked, valid, test)
    config = Config(recipe=asked, sets_loss=sets_loss)
    workspace = _workspace(config, dataset, select, ignore, extend_select)
    remarks: tuple[str, ...] = ()
    # Rows are read as a complete scan tells, whatever the rules ask for.
    evidence = workspace.evidence(
        EVERYTHING if train or predictions is not None or model is not None else workspace.states
    )
    if train:
        evidence, remarks = _trained(evidence)
    source = None
    if run is not None:
        history, source = history_from(run)
        evidence = replace(evidence, history=history)
    if predictions is not None:
        evidence = replace(evidence, predictions=predictions_from(predictions, evidence))
    if model is not None:
        evidence = replace(evidence, model=inspection_from(model, evidence))
    outcomes = workspace.examine(_with_simple_models(workspace, evidence))
    report = workspace.report(outcomes, evidence, None, run=source)
    assert report.data is not None
    return replace(report, data=msgspec.structs.replace(report.data, remarks=(*report.data.remarks, *remarks)))


def fix(
    data: Any,
    y: Any = None,
    *,
    target: str | int = "",
    positive: Any = None,
    recipe: Given = None,
    valid: Any = None,
    test: Any = None,
    score: str = "auto",
    budget: float | str | None = None,
    jobs: int | None = None,
    seed: int | None = None,
    allow: Names = (),
    select: Names = (),
    ignore: Names = (),
    extend_select: Names = (),
    out: str | PathLike[str] | None = None,
    progress: bool = False,
    **reading: Any,
) -> FixResult:
    """Try the fixes that the findings offer, and verify together the ones that help, as ``bindoctor fix`` does.

    Args:
        data: as for ``check``, and so are ``y``, ``target``, ``positive``, ``recipe``, ``valid``, ``test``, the choice
            of rules and ``reading``.
        score: what fixes are judged by; "auto" takes the recipe's, else log loss.
        budget: end in this time, in seconds or as "90s", "5m" or "1h", with what has been found and confirmed by then.
        jobs: trainings at a time; one a core when not given.
        seed: of folds, trainings and the locked part; the recipe's ``train.seed`` when not given.
        allow: "estimator" also tries fixes that train another kind of model.
        out: a folder to write into what ``bindoctor fix --apply`` writes: the settings with the verified recipe, and in
            ``bindoctor-out`` the model, its run, the report and the journals. Nothing is written without it.
        progress: whether to show how far it is, on a terminal or in a notebook.

    Raises:
        InputError: something that is given cannot be used, or the data cannot be trained on at all.
    """
    started = time.monotonic()
    require_training()
    options = ReadOptions(**reading)
    asked, sets_loss = recipe_of(recipe)
    dataset = dataset_of(data, y, target, positive, options, asked, valid, test)
    settings = _settings(data, dataset, options, valid, test, out)
    path = None if out is None else _settings_path(Path(out), settings)
    workspace = _workspace(Config(path, settings, asked, sets_loss=sets_loss), dataset, select, ignore, extend_select)
    trials = Trials(
        _one_of("score", score, get_args(Score)),
        _seconds(budget),
        _whole("jobs", jobs, 1, 1024),
        _whole("seed", seed, 0, 2**32 - 1),
        tuple(_one_of("allow", name, PERMITS) for name in _names(allow)),
        writes_model=out is not None,
        keeps_journal=out is not None,
        started=started,
    )
    model = None
    with one_thread(), progress_line(shown=progress) as shown:
        report = treated(workspace, trials, progress=shown)
        if out is not None:
            report, model = _applied(workspace, report)
    assert report.treatment is not None and report.data is not None
    named = not isinstance(data, np.ndarray)
    return FixResult(report, workspace, labels_of(data, y, dataset, tuple(report.data.classes)), named, model)


def _checked_run(run: Any, select: Names, ignore: Names, extend_select: Names) -> Report:
    registry, rules = _rules(select, ignore, extend_select)
    history, source = history_from(run)
    return RunWorkspace(Config(), registry, rules, {}, ()).report(source, history, None)


def _trained(evidence: Evidence) -> tuple[Evidence, tuple[str, ...]]:
    """Train the recipe on folds; what must be said of trainings that collapsed comes with it."""
    require_training()
    from bindoctor.final import train_evidence

    with one_thread():
        evidence, note = train_evidence(evidence)
    return evidence, (note,) if note else ()


def _with_simple_models(workspace: Workspace, evidence: Evidence) -> Evidence:
    if evidence.predictions is None or not workspace.asks_for("simple_models") or not training_is_installed():
        return evidence
    from bindoctor.simple_models import SimpleModels

    with one_thread():
        return replace(evidence, simple_models=SimpleModels().beside(evidence))


def _applied(workspace: Workspace, report: Report) -> tuple[Report, Any]:
    try:
        return apply(workspace, report)
    except OSError as error:
        raise InputError(f"{error.filename or workspace.out}: cannot be written ({error.strerror}).") from error


def _workspace(config: Config, dataset: Dataset, select: Names, ignore: Names, extend_select: Names) -> Workspace:
    """Return what the commands work on, with the rules that the caller asks for."""
    if config.recipe.model.own:
        from bindoctor.own_code import forget_own_code

        forget_own_code()
    registry, rules = _rules(select, ignore, extend_select)
    return Workspace(config, dataset, registry, rules)


def _rules(select: Names, ignore: Names, extend_select: Names) -> tuple[Registry, tuple[Rule, ...]]:
    registry = discover()
    selected = [(name, "select") for name in _names(select)] or [("ALL", "select")]
    selected += [(name, "extend_select") for name in _names(extend_select)]
    return registry, registry.choose(selected, [(name, "ignore") for name in _names(ignore)])


def _settings_path(out: Path, settings: DataSettings) -> Path:
    """Return where the settings of a treatment are written.

    Raises:
        InputError: there are settings about other data, or something that is no folder.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is no folder; name one to write into.")
    path = out / FILE_NAME
    if path.is_file():
        stored = load_config(path).data.path
        if stored and (out / stored).resolve() != (out / settings.path).resolve():
            raise InputError(f"{path} is about {stored}; name another folder.")
    return path


def _settings(
    data: Any, dataset: Dataset, options: ReadOptions, valid: Any, test: Any, out: str | PathLike[str] | None
) -> DataSettings:
    """Return what settings say about the data: nothing of tables in memory, and paths from the folder they lie in."""

    def written(part: Any) -> str:
        if not isinstance(part, str | PathLike) or out is None:
            return ""
        whole, folder = Path(part).absolute(), Path(out).absolute()
        return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)

    return DataSettings(
        written(data),
        dataset.target,
        dataset.positive,
        options.delimiter or "",
        options.header,
        options.encoding or "",
        options.null_tokens,
        options.skip_bad_rows,
        written(valid),
        written(test),
    )


def _names(given: Names) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    return tuple(part.strip() for name in listed for part in str(name).split(",") if part.strip())


def _one_of(name: str, given: str, known: Collection[str]) -> str:
    if given not in known:
        raise InputError(f"{name}: {given!r} is none of {', '.join(map(repr, known))}.")
    return given


def _seconds(budget: float | str | None) -> float | None:
    if budget is None:
        return None
    seconds = seconds_in(budget) if isinstance(budget, str) else float(budget)
    if seconds is None or not 0 < seconds < math.inf:
        raise InputError(f'budget: {budget!r} is no time; give seconds, or "90s", "5m" or "1h".')
    return seconds


def _whole(name: str, given: int | None, low: int, high: int) -> int | None:
    if given is not None and not (isinstance(given, Integral) and low <= given <= high):
        raise InputError(f"{name}: must be a whole number from {low} to {high}, not {given!r}.")
    return None if given is None else int(given)
