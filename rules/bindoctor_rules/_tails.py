"""Probabilities of large test statistics under chance."""

import math


def chi2_above(value: float, freedom: int) -> float:
    """Return P(χ² ≥ value) by the cube-root approximation of Wilson & Hilferty (1931)."""
    root, width = (max(value, 0.0) / freedom) ** (1 / 3), 2 / (9 * freedom)
    return math.erfc((root - (1 - width)) / math.sqrt(2 * width)) / 2


def f_above(value: float, freedom: int, other: int) -> float:
    """Return P(F ≥ value) by the cube-root approximation of Paulson (1942), good from three degrees of freedom on."""
    root, width, others = max(value, 0.0) ** (1 / 3), 2 / (9 * freedom), 2 / (9 * other)
    return math.erfc(((1 - others) * root - (1 - width)) / math.sqrt(2 * (others * root**2 + width))) / 2
