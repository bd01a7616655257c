"""The fixes that make a score honest: applied whatever they do to it, until a fresh scan offers none."""

from bindoctor.compare import compare_parts
from bindoctor.course import Diagnose
from bindoctor.dataset import Dataset
from bindoctor.evidence import Evidence
from bindoctor.findings import Aim
from bindoctor.own_inspection import with_own_model
from bindoctor.recipe import Recipe
from bindoctor.scan import scan
from bindoctor.treatment import Correction

MAX_CORRECTION_ROUNDS = 8


def correct(evidence: Evidence, diagnose: Diagnose) -> tuple[Recipe, tuple[Correction, ...], Evidence]:
    """Apply correcting fixes, the best of each finding, until a fresh scan offers none.

    Returns:
        the corrected recipe, the corrections in order, and the evidence on the rows that it selects.
    """
    assert evidence.dataset is not None and evidence.recipe is not None
    made: list[Correction] = []
    recipe = evidence.recipe
    for _ in range(MAX_CORRECTION_ROUNDS):
        before = recipe
        for finding in diagnose(evidence):
            fix = next((fix for fix in finding.fixes if fix.aim is Aim.CORRECT), None)
            edited = recipe.edited(fix.edits) if fix else recipe
            if fix and edited != recipe:
                recipe = edited
                made.append(Correction(finding.code, fix.title, fix.edits))
        if recipe == before:
            break
        evidence = evidence_on(evidence.dataset, recipe)
    return recipe, tuple(made), evidence


def evidence_on(dataset: Dataset, recipe: Recipe) -> Evidence:
    """Scan the rows that a recipe selects, and what is in files of their own."""
    profile = scan(dataset, recipe)
    return with_own_model(Evidence(dataset, profile, recipe, parts=compare_parts(dataset, recipe, profile)))
