"""Brings together what a command works on: settings, data, rules, and the folder that results go to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from bindoctor.compare import compare_parts, no_features
from bindoctor.config import FILE_NAME, Config, DataSettings, FailOn, check_rule_options, find_config, load_config
from bindoctor.dataset import Dataset, Source
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.examine import Outcome, examine
from bindoctor.outputs import RunKey
from bindoctor.parts import Parts
from bindoctor.profile import Profile
from bindoctor.readers import ReadOptions, open_dataset, open_source, part_of
from bindoctor.recipe import Recipe
from bindoctor.registry import Registry, discover
from bindoctor.report import DataSummary, PartSummary, Report
from bindoctor.rules import Rule
from bindoctor.scan import scan
from bindoctor.version import VERSION

OUT_FOLDER = "bindoctor-out"


@dataclass(frozen=True)
class RuleChoice:
    """Codes, prefixes or slugs that a command was given; an empty ``select`` leaves the choice to the settings."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """One command's inputs, opened and checked."""

    config: Config
    dataset: Dataset
    registry: Registry
    rules: tuple[Rule, ...]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
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

    def evidence(self) -> Evidence:
        """Scan the data as the recipe selects it, and the parts kept apart.

        A loss that is not named is the one for the number of classes.
        """
        recipe = self.config.recipe
        profile = scan(self.dataset, recipe)
        if len(profile.classes) > 2 and not self.config.sets_loss:
            recipe = recipe.edited({"loss.kind": "cross-entropy"})
        return Evidence(self.dataset, profile, recipe, parts=compare_parts(self.dataset, recipe, profile))

    def run_key(self, evidence: Evidence) -> RunKey:
        """Return what identifies a run of the evidence's recipe on this data."""
        assert evidence.recipe is not None
        return RunKey(evidence.recipe.digest(), self.data_digest)

    def examine(self, evidence: Evidence) -> tuple[Outcome, ...]:
        """Ask the selected rules about evidence."""
        return examine(self.rules, evidence, options=self.options, ignores=self.config.ignores)

    def report(self, outcomes: Sequence[Outcome], evidence: Evidence, fail_on: str | None) -> Report:
        """Put together what a command reports."""
        assert evidence.profile is not None
        return Report(
            VERSION,
            summarise(self.dataset, evidence.profile, evidence.parts),
            tuple(outcomes),
            fail_on=msgspec.convert(fail_on or self.config.check.fail_on, FailOn),
            broken_packs=tuple(f"{pack.name}: {pack.why}" for pack in self.registry.broken),
        )


def open_workspace(asked: DataSettings, choice: RuleChoice | None = None) -> Workspace:
    """Read the settings in the current folder and open the data that they or the caller name.

    The recipe and the target of another data file do not apply: a file given explicitly is looked at with the
    defaults, unless the settings name the same file or none. The choice of rules applies to any data.

    Args:
        asked: what the caller says about the data; what it leaves at its default is taken from the settings.
        choice: the rules that the caller asks for.

    Raises:
        InputError: no data, or anything in settings, data or selection that cannot be used.
    """
    config = load_config(find_config(Path()))
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
    dataset = open_dataset(open_source(path, read_options(data)), data.target or None, data.positive)
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
        len(dataset.source.columns),
        dataset.target,
        profile.classes[1] if len(profile.classes) == 2 else None,
        dict(zip(profile.classes, profile.class_counts, strict=True)),
        _remarks(dataset),
        {part.name: PartSummary(part.path, part.profile.rows, part.classes) for part in parts.given} if parts else {},
    )


def _remarks(dataset: Dataset) -> tuple[str, ...]:
    parts = [(name, part) for name, part in (("valid", dataset.valid), ("test", dataset.test)) if part is not None]
    return (*dataset.source.remarks, *(f"{name}: {remark}" for name, part in parts for remark in part.remarks))


def _open_part(dataset: Dataset, name: str, path: str, data: DataSettings, recipe: Recipe) -> Source | None:
    """Open validation or test rows, which have the features of the data; settings lie in the current folder."""
    if not path:
        return None
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
    stored = str(config.path)
    if choice.select:
        chosen = registry.select(choice.select, option="--select")
    else:
        chosen = registry.select(config.check.select, option=f"{stored}: check.select")
    extended = registry.select(choice.extend_select, option="--extend-select")
    extended += registry.select(config.check.extend_select, option=f"{stored}: check.extend-select")
    ignored = registry.select(choice.ignore, option="--ignore")
    codes = {rule.code for rule in (*chosen, *extended)} - {rule.code for rule in ignored}
    return tuple(rule for rule in registry.rules if rule.code in codes)
