"""The layers of the architecture, held by reading the imports of every module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import bindoctor
import bindoctor_rules

ENGINE = Path(bindoctor.__file__).parent
PACK = Path(bindoctor_rules.__file__).parent
HEAVY = {"torch", "numba", "sklearn", "imblearn", "scipy", "pandas", "safetensors", "skops"}

VALUES = """errors findings audit recipe_sections recipe dataset column_profile profile parts part_names history
inspection task predictions evidence scores treatment version"""
READING = """readers logs given_recipe dates cells selection cleaning left_out hashing tokens classes bins levels
texts sketch series own_source own_code column_states number_states row_states order_states sample_state spread
summary scan_state scan rows shifts compare"""
RECORDS = "files journal trial_journal outputs"
RULES = "rules registry baseline examine testing explain config settings_text"
TRAINING = """engineering build schedules progress losses compiled compiled_optimizers compiled_steps torch_steps
undisturbed calling expectations activations fitting parameter_facts facts first_loss passes hooks probe module_edits
own_mlp own_model own_estimator own_inspection loop stacked stacked_optimizers boosting channels prepare resampling
sampling splits decide train simple_models final store skops_files classifier script"""
TREATMENT = "verdict budget trial_rows attempt laboratory race course corrections confirm bundle treat"
EDGES = "workspace first report render extras fixing arguments api fix_result cli before live callbacks __main__"

LAYERS = {
    "face": "__init__",
    "values": VALUES,
    "reading": READING,
    "records": RECORDS,
    "rules": RULES,
    "training": TRAINING,
    "treatment": TREATMENT,
    "edges": EDGES,
}
"""Every module, or package of modules, by layer."""

MAY_IMPORT = {
    "face": {"values", "reading", "rules"},
    "values": {"values"},
    "reading": {"values", "reading"},
    "rules": {"values", "reading", "rules"},
    "records": {"values", "records"},
    "training": {"values", "reading", "records", "training"},
    "treatment": {"values", "reading", "records", "training", "treatment"},
    "edges": {"face", "values", "reading", "records", "rules", "edges"},
}
"""What a layer's modules import when they are imported."""

MAY_IMPORT_LATER = {**MAY_IMPORT, "edges": set(LAYERS)}
"""What they import inside functions as well: the edges reach training only once a command needs it."""

LAYER_OF = {module: layer for layer, modules in LAYERS.items() for module in modules.split()}


@dataclass(frozen=True)
class Import:
    """One imported module, and whether importing the importing module imports it."""

    name: str
    at_once: bool


def modules_in(folder: Path) -> dict[str, Path]:
    """Return a package's modules by dotted name within it; the package itself is ``__init__``."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = path
    return found


MODULES = modules_in(ENGINE)
RULE_FILES = modules_in(PACK)


def imports_of(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node not in later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner.removeprefix("bindoctor.") in MODULES and inner.startswith("bindoctor.")
                yield Import(inner if is_module else node.module, node not in later)


def within_engine(found: Import) -> str | None:
    """Return the engine's module that is imported, or None for another package's."""
    if found.name == "bindoctor":
        return "__init__"
    return found.name.removeprefix("bindoctor.") if found.name.startswith("bindoctor.") else None


def layer_of(module: str) -> str:
    return LAYER_OF[module.partition(".")[0]]


def test_every_module_has_a_layer() -> None:
    assert [module for module in MODULES if module.partition(".")[0] not in LAYER_OF] == []


def test_every_module_of_the_table_exists() -> None:
    assert set(LAYER_OF) <= {module.partition(".")[0] for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    layer = layer_of(module)
    wrong = []
    for found in imports_of(MODULES[module]):
        other = within_engine(found)
        allowed = MAY_IMPORT if found.at_once else MAY_IMPORT_LATER
        if other is not None and layer_of(other) not in allowed[layer]:
            wrong.append(other)
    assert wrong == []


def test_no_two_modules_import_each_other() -> None:
    graph = {
        module: {other for found in imports_of(path) if found.at_once and (other := within_engine(found))} - {module}
        for module, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_only_training_imports_the_training_packages(module: str) -> None:
    heavy = [found for found in imports_of(MODULES[module]) if found.name.partition(".")[0] in HEAVY]
    if layer_of(module) == "edges":
        heavy = [found for found in heavy if found.at_once]
    if layer_of(module) not in ("training", "treatment"):
        assert heavy == []


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_knows_no_rule_pack(module: str) -> None:
    assert [found for found in imports_of(MODULES[module]) if found.name.startswith("bindoctor_rules")] == []


@pytest.mark.parametrize("module", RULE_FILES)
def test_a_rule_imports_the_face_numpy_and_the_standard_library_only(module: str) -> None:
    allowed = {"bindoctor", "bindoctor.scores", "numpy", "numpy.typing"}
    wrong = [
        found.name
        for found in imports_of(RULE_FILES[module])
        if found.name not in allowed
        and found.name.partition(".")[0] not in sys.stdlib_module_names
        and not found.name.startswith("bindoctor_rules._")
    ]
    assert wrong == []


@pytest.mark.parametrize("module", [name for name in RULE_FILES if name.startswith("_") and name != "__init__"])
def test_what_rules_share_holds_no_rule(module: str) -> None:
    names = {
        alias.name
        for node in ast.walk(ast.parse(RULE_FILES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert not {"rule", "example"} & names


CHECK = """
import sys
from pathlib import Path
import bindoctor
from bindoctor.evidence import Evidence
from bindoctor.examine import examine
from bindoctor.readers import open_dataset, open_source
from bindoctor.recipe import Recipe
from bindoctor.registry import discover
from bindoctor.scan import scan

dataset = open_dataset(open_source(Path(sys.argv[1])), "y")
evidence = Evidence(dataset, scan(dataset, Recipe()), Recipe())
outcomes = examine(discover().rules, evidence)
assert len(outcomes) > 20 and not [outcome.why for outcome in outcomes if outcome.status == "error"]
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""

COMMAND = """
import sys
from bindoctor.cli import commands

commands(["check", sys.argv[1], "--target", "y", "--output-format", "json", "--output-file", sys.argv[2]],
         standalone_mode=False)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("code", [CHECK, COMMAND], ids=["as a library", "as a command"])
def test_checking_data_imports_no_training_package(code: str, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("x,colour,y\n" + "".join(f"{i * 37 % 101},{'rgb'[i % 3]},{i % 2}\n" for i in range(200)))
    done = subprocess.run(
        [sys.executable, "-c", code, str(data), str(tmp_path / "out.json")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & HEAVY == set()
    assert "polars" in done.stdout
