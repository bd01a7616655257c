"""Brings together what a command works on: settings, data, rules, and the folder that results go to."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bindoctor.audit import Ignore
from bindoctor.baseline import FILE_NAME as BASELINE_NAME
from bindoctor.baseline import Baseline, read_baseline
from bindoctor.config import (
    FILE_NAME,
    Config,
    DataSettings,
    FailOn,
    accepted_findings,
    check_rule_options,
    find_config,
    load_config,
)
from bindoctor.dataset import ARRAY, Dataset, Source
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, examine
from bindoctor.history import History
from bindoctor.outputs import RunKey
from bindoctor.parts import Parts
from bindoctor.profile import EVERYTHING, Profile, State
from bindoctor.readers import ReadOptions, open_dataset, open_source, part_of
from bindoctor.recipe import Recipe
from bindoctor.registry import Registry, discover
from bindoctor.report import DataSummary, PartSummary, Report, RunSummary
from bindoctor.rules import Rule
from bindoctor.scan import scan
from bindoctor.version import VERSION

OUT_FOLDER = "bindoctor-out"
MIN_POINTS = 3
MIN_TREND_POINTS = 5
"""Fewer epochs, and points of a loss, are no curve."""


class RuleChoice(msgspec.Struct, frozen=True):
    """Codes, prefixes or slugs that a command was given; an empty ``select`` leaves the choice to the settings."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()


class Workspace(msgspec.Struct, frozen=True):
    """One command's inputs, opened and checked."""

    config: Config
    dataset: Dataset
    registry: Registry
    rules: tuple[Rule, ...]
    options: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    ignores: tuple[Ignore, ...] = ()
    foreign: str = ""
    """The data file that the settings here are about, when it is another than the one looked at."""

    def require_own_settings(self) -> None:
        """Make sure that results may be written here.

        Raises:
            InputError: the settings in this folder are about another data file.
        """
        if self.foreign:
            raise InputError(
                f"{self.config_path} is about {self.foreign}; run this in another folder, or change its [data] path."
            )

    @property
    def out(self) -> Path:
        """Return the folder that results are written to and read back from."""
        return self.config.folder / OUT_FOLDER

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Return the files that are read and must not be written over."""
        return (Path(self.dataset.source.name), self.config_path)

    @property
    def config_path(self) -> Path:
        """Return the settings file, whether it exists yet or not."""
        return self.config.path or Path(FILE_NAME)

    @property
    def data_digest(self) -> str:
        """Return a digest of the data's content and of what is asked of it."""
        text = f"{self.dataset.source.digest()}\n{self.dataset.target}\n{self.dataset.positive}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def states(self) -> frozenset[State]:
        """Return what the selected rules read of the scan."""
        return frozenset[State]().union(*(rule.scans for rule in self.rules))

    def asks_for(self, evidence: str) -> bool:
        """Tell whether a selected rule needs this evidence."""
        return any(evidence in rule.needs for rule in self.rules)

    def evidence(self, states: frozenset[State] = EVERYTHING) -> Evidence:
        """Scan the data as the recipe selects it; a loss that is not named is the one for the number of classes."""
        recipe = self.config.recipe
        profile = scan(self.dataset, recipe, states)
        if len(profile.classes) > 2 and not self.config.sets_loss:
            recipe = recipe.edited({"loss.kind": "cross-entropy"})
        if self.dataset.valid is None and self.dataset.test is None:
            return Evidence(self.dataset, profile, recipe)
        # Imported here, as most checks have no parts to compare.
        from bindoctor.compare import compare_parts

        return Evidence(self.dataset, profile, recipe, parts=compare_parts(self.dataset, recipe, profile))

    @property
    def baseline_path(self) -> Path:
        """Return where the baseline of the data is recorded: as the settings say, else beside them."""
        named = "" if self.foreign else self.config.check.baseline
        return self.config.folder / (named or BASELINE_NAME)

    def baseline(self, given: Path | None) -> Baseline | None:
        """Return the baseline to check against: the one given, else the settings', else one beside them.

        One that nobody named counts only when it was recorded for the same data file and target.

        Raises:
            InputError: a baseline that is named is not there or is about another target, or one is damaged.
        """
        if given is None and not (self.config.check.baseline and not self.foreign):
            if not self.baseline_path.is_file():
                return None
            found = read_baseline(self.baseline_path)
            return found if found.is_about(Path(self.dataset.source.name), self.dataset.target) else None
        named = read_baseline(given or self.baseline_path)
        if named.target != self.dataset.target:
            raise InputError(
                f"{named.path}: was recorded for the target {named.target!r}, and this is {self.dataset.target!r}; "
                "run 'bindoctor baseline' to record one."
            )
        return named

    def run_key(self, evidence: Evidence) -> RunKey:
        """Return what identifies a run of the evidence's recipe on this data."""
        assert evidence.recipe is not None
        # Imported here, as most checks know of no run.
        from bindoctor.own_source import code_digest

        code = code_digest(evidence.recipe, self.config.folder.absolute())
        return RunKey(evidence.recipe.digest() + code, self.data_digest)

    def examine(self, evidence: Evidence, baseline: Baseline | None = None) -> tuple[Outcome, ...]:
        """Ask the selected rules about evidence; findings that the baseline knows are not reported."""
        return examine(self.rules, evidence, options=self.options, ignores=self.ignores, baseline=baseline)

    def report(
        self,
        outcomes: Sequence[Outcome],
        evidence: Evidence,
        fail_on: str | None,
        baseline: Baseline | None = None,
        run: Path | None = None,
    ) -> Report:
        """Put together what a command reports; ``run`` is where the evidence's history was read from, if anywhere."""
        assert evidence.profile is not None
        return Report(
            VERSION,
            summarise(self.dataset, evidence.profile, evidence.parts),
            tuple(outcomes),
            fail_on=msgspec.convert(fail_on or self.config.check.fail_on, FailOn),
            broken_packs=tuple(f"{pack.name}: {pack.why}" for pack in self.registry.broken),
            baseline=str(baseline.path) if baseline else "",
            run=summarise_run(run, evidence.history) if run and evidence.history else None,
        )


class RunWorkspace(msgspec.Struct, frozen=True):
    """The inputs of a check of a training run without data."""

    config: Config
    registry: Registry
    rules: tuple[Rule, ...]
    options: dict[str, dict[str, Any]]
    ignores: tuple[Ignore, ...]

    def report(self, path: Path, history: History, fail_on: str | None, baseline: Baseline | None = None) -> Report:
        """Ask the selected rules about a run: those that need more than it are skipped."""
        outcomes = examine(
            self.rules, Evidence(history=history), options=self.options, ignores=self.ignores, baseline=baseline
        )
        return Report(
            VERSION,
            None,
            outcomes,
            fail_on=msgspec.convert(fail_on or self.config.check.fail_on, FailOn),
            broken_packs=tuple(f"{pack.name}: {pack.why}" for pack in self.registry.broken),
            baseline=str(baseline.path) if baseline else "",
            run=summarise_run(path, history),
        )


def names_data(asked: DataSettings) -> bool:
    """Tell whether the caller or the settings name data, so that there is more to check than a run.

    Raises:
        InputError: the settings cannot be used.
    """
    return bool(asked.path or load_config(find_config(Path())).data.path)


def open_run_workspace(choice: RuleChoice | None = None) -> RunWorkspace:
    """Read the settings in the current folder, where there are any, for a check without data.

    Raises:
        InputError: anything in settings or selection that cannot be used.
    """
    config = load_config(find_config(Path()))
    registry = discover()
    options = check_rule_options(config, registry)
    return RunWorkspace(
        config,
        registry,
        _select(registry, config, choice or RuleChoice()),
        {code: dict(values) for code, values in options.items()},
        accepted_findings(config, registry),
    )


def open_workspace(asked: DataSettings, choice: RuleChoice | None = None) -> Workspace:
    """Read the settings in the current folder and open the data that they or the caller name.

    The recipe, the target and the accepted findings of another data file do not apply: a file given explicitly is
    looked at with the defaults, unless the settings name the same file or none. The choice of rules and their options
    apply to any data.

    Args:
        asked: what the caller says about the data; what it leaves at its default is taken from the settings.
        choice: the rules that the caller asks for.

    Raises:
        InputError: no data, or anything in settings, data or selection that cannot be used.
    """
    config = load_config(find_config(Path()))
    if config.recipe.model.own:
        from bindoctor.own_code import forget_own_code

        forget_own_code()
    stored, foreign = config.data, ""
    if asked.path and stored.path and not _same_file(config, asked):
        foreign = stored.path
        config, stored = replace(config, recipe=Recipe(), sets_loss=False), DataSettings()
    data = DataSettings(
        stored.path or asked.path,
        asked.target or stored.target,
        asked.positive or stored.positive,
        asked.delimiter or stored.delimiter,
        stored.header if asked.header is None else asked.header,
        asked.encoding or stored.encoding,
        asked.null_tokens or stored.null_tokens,
        asked.skip_bad_rows or stored.skip_bad_rows,
        asked.valid or stored.valid,
        asked.test or stored.test,
    )
    path = Path(asked.path) if asked.path else _stored_path(config)
    registry = discover()
    options = check_rule_options(config, registry)
    ignores = accepted_findings(config, registry)
    source = open_source(path, read_options(data))
    if source.name.endswith(".npy"):
        from bindoctor.readers.arrays import with_labels

        source = with_labels(source, config.folder / data.target if data.target.endswith(".npy") else None)
    dataset = open_dataset(source, data.target or None, data.positive)
    dataset = replace(
        dataset,
        valid=_open_part(dataset, "valid", data.valid, data, config.recipe),
        test=_open_part(dataset, "test", data.test, data, config.recipe),
    )
    return Workspace(
        replace(config, data=msgspec.structs.replace(data, target=dataset.target)),
        dataset,
        registry,
        _select(registry, config, choice or RuleChoice()),
        {code: dict(values) for code, values in options.items()},
        () if foreign else ignores,
        foreign,
    )


def read_options(data: DataSettings) -> ReadOptions:
    """Return what the settings say about reading a file.

    Raises:
        InputError: a delimiter that cannot be one, or an unknown encoding.
    """
    return ReadOptions(data.delimiter or None, data.header, data.encoding or None, data.null_tokens, data.skip_bad_rows)


def summarise(dataset: Dataset, profile: Profile, parts: Parts | None = None) -> DataSummary:
    """Return the report's description of the data and of the parts kept apart."""
    return DataSummary(
        dataset.source.name,
        profile.rows,
        len(dataset.source.columns) - bool(dataset.row_shape),
        dataset.target,
        profile.classes[1] if len(profile.classes) == 2 else None,
        dict(zip(profile.classes, profile.class_counts, strict=True)),
        roles={
            name: _role(name, dataset, profile)
            for name in dataset.source.columns
            if not (dataset.row_shape and name == ARRAY)
        }
        if "cells" in profile.states
        else {},
        parts={part.name: PartSummary(part.path, part.profile.rows, part.classes) for part in parts.given}
        if parts
        else {},
        remarks=(*_remarks(dataset), *profile.remarks),
    )


def summarise_run(path: Path, history: History) -> RunSummary:
    """Return the report's description of a training run: of the last one, where the log holds several."""
    # Imported here, as most checks have no run.
    from bindoctor.logs import METRICS

    last = [series for series in history.series if series.run == history.runs - 1]
    points = {
        f"{series.part} {series.metric}".strip(): len(series.values) for series in last if series.metric in METRICS
    }
    if not history.series:
        curves = {name: history.curve(name) for name in ("train_loss", "valid_loss", "train_score", "valid_score")}
        known = {name: int((~np.isnan(curve)).sum()) for name, curve in curves.items()}
        points = {name.replace("_", " "): count for name, count in known.items() if count}
    longest = max([len(history.epochs), *(len(one.values) for one in last if one.metric == "loss")])
    too_short = ""
    if points and max(points.values()) == 1 and len(history.epochs) <= 1:
        too_short = "every metric was logged once: there is no curve to judge"
    elif longest < MIN_POINTS:
        epochs = f"{len(history.epochs)} epoch{'s' if len(history.epochs) != 1 else ''}"
        too_short = f"{epochs if history.epochs else 'no epochs'}: too few to judge a curve"
    elif longest < MIN_TREND_POINTS:
        too_short = f"{len(history.epochs)} epochs: few to judge a curve, only coarse faults show"
    return RunSummary(str(path), history.source, history.runs, len(history.epochs), points, too_short, history.remarks)


def _role(name: str, dataset: Dataset, profile: Profile) -> str:
    if name == dataset.target:
        return "target"
    return profile.columns[name].role if name in profile.columns else "dropped"


def _remarks(dataset: Dataset) -> tuple[str, ...]:
    parts = [(name, part) for name, part in (("valid", dataset.valid), ("test", dataset.test)) if part is not None]
    return (*dataset.source.remarks, *(f"{name}: {remark}" for name, part in parts for remark in part.remarks))


def _open_part(dataset: Dataset, name: str, path: str, data: DataSettings, recipe: Recipe) -> Source | None:
    """Open validation or test rows, which have the features of the data; settings lie in the current folder."""
    if not path:
        return None
    from bindoctor.compare import no_features

    return part_of(dataset.source, open_source(path, read_options(data)), name, no_features(dataset, recipe))


def _stored_path(config: Config) -> Path:
    if not config.data.path:
        where = f"{config.path} names none under [data] path" if config.path else f"there is no {FILE_NAME} here"
        raise InputError(
            f"no data file given, and {where}; run 'bindoctor check DATA.csv' or 'bindoctor init DATA.csv'."
        )
    return config.folder / config.data.path


def _same_file(config: Config, asked: DataSettings) -> bool:
    return (config.folder / config.data.path).resolve() == Path(asked.path).resolve()


def _select(registry: Registry, config: Config, choice: RuleChoice) -> tuple[Rule, ...]:
    """Return the rules to ask; what a command selects takes the place of what the settings select."""
    selected = [(name, "--select") for name in choice.select]
    if not selected:
        selected = [(name, f"{config.path}: check.select") for name in config.check.select]
        selected += [(name, f"{config.path}: check.extend-select") for name in config.check.extend_select]
    selected += [(name, "--extend-select") for name in choice.extend_select]
    return registry.choose(selected, [(name, "--ignore") for name in choice.ignore])
