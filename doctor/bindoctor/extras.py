"""Tells whether the packages that training needs are installed, and what to do where they are not."""

import importlib.util

from bindoctor.errors import InputError

TRAINING = ("torch", "numba", "sklearn", "imblearn", "safetensors", "skops")


def require_training() -> None:
    """Make sure that what training needs is installed.

    Raises:
        InputError: a package of the extra is missing; says what to install.
    """
    missing = _missing()
    if missing:
        raise InputError(f"this trains a model and needs {', '.join(missing)}; run: pip install 'bindoctor[train]'")


def training_is_installed() -> bool:
    """Tell whether ``require_training`` would find what it needs."""
    return not _missing()


def _missing() -> list[str]:
    return [name for name in TRAINING if not importlib.util.find_spec(name)]
