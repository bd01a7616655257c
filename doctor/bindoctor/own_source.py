"""Finds the files of the user's that a reference "module:function" is made of, without running any of them."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from bindoctor.recipe import Recipe


def code_digest(recipe: Recipe, folder: Path) -> str:
    """Return a SHA-256 of the code that a recipe's own model is made of, "" where it names none of the user's.

    What a training of it came to holds for this code alone.
    """
    references = [reference for reference in (recipe.model.factory, recipe.model.estimator) if reference]
    files = sorted({path for reference in references for path in source_files(reference, folder)})
    if not files:
        return ""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def module_file(module: str, folder: Path) -> Path | None:
    """Return the file of a dotted module in a folder, or None where it is not there."""
    place = folder.joinpath(*module.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in found if path.is_file()), None)


def source_files(reference: str, folder: Path) -> tuple[Path, ...]:
    """Return the files in a folder that make up a module and what it imports from that folder, sorted.

    Empty for a module of an installed package. What code reads otherwise than by importing it (a file of weights, a
    module whose name is put together as it runs) is not found.
    """
    found: set[Path] = set()
    waiting = [reference.partition(":")[0]]
    while waiting:
        module = waiting.pop()
        parents = [module]
        while "." in parents[-1]:
            parents.append(parents[-1].rpartition(".")[0])
        for name in parents:
            path = module_file(name, folder)
            if path is not None and path not in found:
                found.add(path)
                waiting += _imported(path, name)
    return tuple(sorted(found))


def _imported(path: Path, module: str) -> Iterator[str]:
    """Yield the names that a file may import as modules; none where it is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names if alias.name != "*")
