"""Puts a script together from its main lines and what they need: functions, constants and imports."""

import ast
from collections.abc import Mapping

from bindoctor.errors import InputError
from bindoctor.script.layout import WIDTH, Expression, indented, lay_out

STANDARD = {
    "copy": "import copy",
    "math": "import math",
    "unicodedata": "import unicodedata",
    "Fraction": "from fractions import Fraction",
}
PACKAGES = {
    "np": "numpy as np",
    "pd": "pandas as pd",
    "pl": "polars as pl",
    "torch": "torch",
}
MODULES = {
    "imblearn.combine": ("SMOTEENN", "SMOTETomek"),
    "imblearn.over_sampling": ("ADASYN", "SMOTE", "SMOTENC", "BorderlineSMOTE", "RandomOverSampler"),
    "imblearn.under_sampling": ("RandomUnderSampler",),
    "scipy.optimize": ("minimize_scalar",),
    "scipy.special": ("logit", "logsumexp", "softmax"),
    "sklearn.base": ("clone",),
    "sklearn.compose": ("make_column_transformer",),
    "sklearn.ensemble": ("HistGradientBoostingClassifier",),
    "sklearn.feature_extraction": ("FeatureHasher",),
    "sklearn.feature_selection": ("SelectKBest",),
    "sklearn.impute": ("MissingIndicator", "SimpleImputer"),
    "sklearn.isotonic": ("IsotonicRegression",),
    "sklearn.linear_model": ("LogisticRegression",),
    "sklearn.metrics": ("average_precision_score",),
    "sklearn.model_selection": (
        "GroupKFold",
        "KFold",
        "StratifiedGroupKFold",
        "StratifiedKFold",
        "train_test_split",
    ),
    "sklearn.pipeline": ("make_pipeline",),
    "sklearn.preprocessing": (
        "FunctionTransformer",
        "MinMaxScaler",
        "OneHotEncoder",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
        "TargetEncoder",
    ),
    "torch": ("nn",),
    "torch.nn": ("functional as F",),
    "torch.optim.lr_scheduler": ("CosineAnnealingLR", "ReduceLROnPlateau", "StepLR"),
}
DOCSTRING = """Train a classifier and write what it answers for each row to predictions.csv.

bindoctor rendered this from a recipe; it runs without it.
"""
OWN_DOCSTRING = """Train a classifier and write what it answers for each row to predictions.csv.

bindoctor rendered this from a recipe; it runs without it, where {module} can be imported.
"""
COMMENTS = {
    "CLASSES": "In the order of the probabilities; of two, the second is the positive class.",
    "FOLD_SEED": "Shuffles the rows into folds.",
}


def assembled(constants: Mapping[str, Expression], functions: Mapping[str, str], main: str, own: str = "") -> str:
    """Return a script of the main lines, and of those functions, constants and imports that they come to use.

    Args:
        constants: values by name, in the order of the script.
        functions: source by name, in the order of the script.
        main: the lines that run.
        own: the user's function that the script imports, as "module:function", or "".

    Raises:
        InputError: the script has something else of that name.
    """
    names = _reached(main, {**functions, **{name: str(value) for name, value in constants.items()}})
    docstring = OWN_DOCSTRING.format(module=own.partition(":")[0]) if own else DOCSTRING
    blocks = [f'"""{docstring}"""', _imports(names)]
    if own:
        module, _, function = own.partition(":")
        blocks[-1] += f"\n\nfrom {module} import {function}"
    settings = [_setting(name, value) for name, value in constants.items() if name in names]
    if "torch" in names:
        settings += ["", "torch.set_num_threads(1)  # small networks train faster so, and always alike"]
    blocks.append("\n".join(settings))
    functions_used = [source.strip("\n") for name, source in functions.items() if name in names]
    body = "\n\n\n".join([*functions_used, main]) + "\n"
    if own and own.partition(":")[2] in _bound(body) | set(constants):
        raise InputError(
            f"a script uses the name {own.partition(':')[2]!r} itself; give the function of {own} another."
        )
    return "\n\n".join(blocks) + "\n\n\n" + body


def _reached(code: str, definitions: Mapping[str, str]) -> set[str]:
    """Return the names in some code and, as far as they are defined, in their definitions."""
    reached: set[str] = set()
    open_names = _names(code)
    while open_names:
        reached |= open_names
        sources = (definitions[name] for name in open_names if name in definitions)
        open_names = set[str]().union(*map(_names, sources)) - reached
    return reached


def _names(code: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def _bound(code: str) -> set[str]:
    """Return the names that some code gives to something."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def _setting(name: str, value: Expression) -> str:
    comment = f"# {COMMENTS[name]}\n" if name in COMMENTS else ""
    return f"{comment}{lay_out(value, before=f'{name} = ')}"


def _imports(names: set[str]) -> str:
    """Return import statements for the known names among these, ordered as isort does."""
    standard = [statement for name, statement in STANDARD.items() if name in names]
    packages = [f"import {module}" for name, module in PACKAGES.items() if name in names]
    for module, members in MODULES.items():
        used = [member for member in members if member.rpartition(" ")[2] in names]
        if used:
            line = f"from {module} import {', '.join(used)}"
            listed = indented(f"{member}," for member in used)
            packages.append(line if len(line) <= WIDTH else f"from {module} import (\n{listed}\n)")
    return "\n\n".join("\n".join(group) for group in (standard, packages) if group)
