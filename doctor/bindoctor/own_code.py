"""Imports what a recipe names as "module:function", and says where the user's code fails."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from bindoctor.errors import InputError
from bindoctor.own_source import module_file

IMPORTING = RLock()
_loaded: dict[str, Path] = {}
"""The modules that were imported from a user's folder, and the folder."""


def forget_own_code() -> None:
    """Let every module of the user's be imported anew when it is next asked for: it may have been edited since.

    A command does so once, at its start: what it trains first and last must be of the same code.
    """
    with IMPORTING:
        _forget(_loaded)


def load_function(reference: str, setting: str) -> Callable[..., Any]:
    """Import the function, or the class, that a setting names; its module from the current folder, or else installed.

    Args:
        reference: as "module:function".
        setting: what names it, for messages: "recipe.model.factory".

    Raises:
        InputError: the module or the function is not there, or importing it fails, with the file and line.
    """
    module, _, name = reference.partition(":")
    folder = Path.cwd()
    with IMPORTING, users_folder():
        _forget([loaded for loaded, place in _loaded.items() if place != folder])
        top = module.partition(".")[0]
        ours, file = sys.modules.get(top), module_file(module, folder)
        if file is not None and ours is not None and top not in _loaded and _is_in(ours, folder):
            # Somebody imported it before us, and may have edited it since.
            _remember({name for name in sys.modules if f"{name}.".startswith(f"{top}.")}, folder)
            _forget(list(_loaded))
        elif file is not None and ours is not None and top not in _loaded:
            raise InputError(
                f"{file}: is called as the module {top!r}, which Python or bindoctor has imported already; rename it, "
                f"and name it so in {setting}."
            )
        before, cached = set(sys.modules), sys.dont_write_bytecode
        importlib.invalidate_caches()
        # Compiled code is known by its source's size and second: an edit may change neither.
        sys.dont_write_bytecode = True
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and f"{module}.".startswith(f"{error.name}."):
                raise InputError(
                    f"{setting} is {reference!r}, but there is no {module.replace('.', '/')}.py beside the settings, "
                    f"and no package {top!r} is installed; name a module that is there."
                ) from None
            raise failure(error, f"importing {module!r}, which {setting} names") from error
        except (Exception, SystemExit) as error:
            raise failure(error, f"importing {module!r}, which {setting} names") from error
        finally:
            sys.dont_write_bytecode = cached
            _remember(set(sys.modules) - before, folder)
    function = getattr(found, name, None)
    if not callable(function):
        functions = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        there = f"; there are {', '.join(functions[:10])}" if functions else ""
        raise InputError(
            f"{getattr(found, '__file__', module)}: has no function {name!r}, which {setting} names{there}."
        )
    return function  # type: ignore[no-any-return]


def call(
    function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any], reference: str, setting: str
) -> Any:
    """Call a user's function; what it prints goes to standard error.

    Raises:
        InputError: it does not take these arguments, or fails, with the file and line.
    """
    try:
        inspect.signature(function).bind(*arguments, **options)
    except TypeError as error:
        given = ", ".join([*map(repr, arguments), *(f"{name}={value!r}" for name, value in options.items())])
        raise InputError(f"{setting}: {reference} cannot be called with ({given}): {error}.") from None
    except ValueError:
        pass  # A class of an extension has no signature to look at.
    with users_folder():
        try:
            return function(*arguments, **options)
        except (Exception, SystemExit) as error:
            raise failure(error, f"{reference}, which {setting} names") from error


def takes(function: Callable[..., Any], name: str) -> bool:
    """Tell whether a function has a keyword argument of this name; one that takes any is not asked."""
    try:
        parameter = inspect.signature(function).parameters.get(name)
    except ValueError:
        return False
    return parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def failure(error: BaseException, where: str) -> InputError:
    """Return what to tell of an error in a user's code: the last line of theirs that it went through."""
    folder = str(Path.cwd())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(folder) and "site-packages" not in frame.filename]
    place = f"{Path(own[-1].filename).relative_to(folder)}:{own[-1].lineno}: " if own else ""
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(folder):
        place = f"{Path(error.filename).relative_to(folder)}:{error.lineno}: "
    said = (str(error).strip().splitlines() or [""])[0]
    return InputError(f"{place}{where}, fails: {type(error).__name__}{f': {said}' if said else ''}.")


@contextmanager
def users_folder() -> Iterator[None]:
    """Let code import what lies in the current folder, and keep what it prints out of the report.

    Several threads may be inside at once.
    """
    _inside.enter()
    try:
        yield
    finally:
        _inside.leave()


class _Inside:
    """Counts the threads that run a user's code: the first one in and the last one out change what all share."""

    def __init__(self) -> None:
        self._lock, self._threads, self._folder = Lock(), 0, ""
        self._stdout = sys.stdout

    def enter(self) -> None:
        with self._lock:
            if not self._threads:
                self._folder, self._stdout = str(Path.cwd()), sys.stdout
                sys.path.insert(0, self._folder)
                sys.stdout = sys.stderr
            self._threads += 1

    def leave(self) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                sys.stdout = self._stdout
                sys.path.remove(self._folder)


_inside = _Inside()


def _remember(names: set[str], folder: Path) -> None:
    _loaded.update({name: folder for name in names if _is_in(sys.modules.get(name), folder)})


def _is_in(module: Any, folder: Path) -> bool:
    """Tell whether a module's file is one of the user's in a folder, and of no package installed there."""
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts


def _forget(names: Iterable[str]) -> None:
    for name in list(names):
        sys.modules.pop(name, None)
        del _loaded[name]
