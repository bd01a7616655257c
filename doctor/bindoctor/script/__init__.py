"""Renders a recipe as one standalone script of pandas, scikit-learn and PyTorch."""

from bindoctor.dataset import Dataset
from bindoctor.errors import InputError
from bindoctor.evidence import Evidence
from bindoctor.rows import rows_of
from bindoctor.script.assemble import assembled
from bindoctor.script.deciding import deciding_constants, deciding_functions, main_lines
from bindoctor.script.layout import literal
from bindoctor.script.parts import DECIDING, MAKING, READING, SELECTING, SPLITTING, TRAINING
from bindoctor.script.plan import Plan, check_plan
from bindoctor.script.preparing import making_functions, preparing_constants
from bindoctor.script.reading import reading_constants, reading_function
from bindoctor.script.resampling import resampling_functions
from bindoctor.script.training import device, fit_function, training_constants

__all__ = ["render_script"]


def render_script(dataset: Dataset, evidence: Evidence) -> str:
    """Return a Python script that trains the evidence's recipe on all rows and writes ``predictions.csv``.

    It makes the same model as ``final.train_final``, but for a fold whose training collapses: there it has no class
    shares to stand in. It holds what the recipe uses and nothing else, and is formatted as ``ruff format`` does. Texts
    from the data and the recipe are only ever literals in it. A script of a Parquet file reads it with polars.

    Args:
        dataset: a file and its target.
        evidence: with a recipe; the profile is used where there is one.

    Raises:
        InputError: the data is not in a file, or the recipe does not fit it.
    """
    if evidence.recipe is None:
        raise InputError("a script needs a recipe.")
    plan = Plan(dataset, evidence.recipe, rows_of(dataset, evidence.recipe, evidence.profile))
    check_plan(plan)
    constants = {
        **reading_constants(plan),
        **preparing_constants(plan),
        "RATIO": plan.recipe.resample.ratio,
        **training_constants(plan),
        **deciding_constants(plan),
    }
    functions = {
        **READING,
        "read_rows": reading_function(plan),
        **SELECTING,
        **SPLITTING,
        **MAKING,
        **making_functions(plan),
        **TRAINING,
        **resampling_functions(plan),
        "fit": fit_function(plan),
        **deciding_functions(plan),
        **DECIDING,
    }
    expressions = {name: literal(value) for name, value in constants.items()}
    return assembled(
        {**expressions, "DEVICE": device(plan)}, functions, "\n".join(main_lines(plan)), plan.recipe.model.own
    )
