"""The mergeable statistics of all number columns together: moments, extremes, order, and sums of products."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bindoctor.column_states import ColumnPlan, Counts, Floats, with_classes

MAX_CORRELATED = 1024
MIN_CORRELATED_ROWS = 3
MAX_ONE_THREAD_PRODUCTS = 262_144
MIN_BLOCK_ROWS = 16


@dataclass(frozen=True, eq=False)
class Segment:
    """What a chunk says about order: whether each column's numbers rise, and its first and last, shape (p,)."""

    first_row: int
    rising: npt.NDArray[np.bool_]
    first: Floats
    last: Floats


@dataclass(eq=False)
class NumberState:
    """Running sums over the p numeric columns of the plan, of z = (x − centre) / scale, 0 where missing.

    ``valid`` counts the rows where both columns are present, ``sums[i, j]`` adds up column i over the rows where j is
    present, ``squares`` likewise, ``products[i, j]`` adds up z_i z_j (the first ``MAX_CORRELATED`` columns only).
    """

    plans: tuple[ColumnPlan, ...]
    valid: Floats = field(init=False)
    sums: Floats = field(init=False)
    squares: Floats = field(init=False)
    products: Floats = field(init=False)
    powers: Floats = field(init=False)
    minimum: Floats = field(init=False)
    maximum: Floats = field(init=False)
    integer: npt.NDArray[np.bool_] = field(init=False)
    zeros: Counts = field(init=False)
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        p = len(self.plans)
        correlated = min(p, MAX_CORRELATED)
        self._centre = np.array([plan.centre for plan in self.plans])
        self._scale = np.array([plan.scale for plan in self.plans])
        self.valid, self.sums, self.squares, self.products = (np.zeros((correlated, correlated)) for _ in range(4))
        self.powers = np.zeros((4, p))
        self.minimum, self.maximum = np.full(p, np.inf), np.full(p, -np.inf)
        self.integer = np.ones(p, dtype=np.bool_)
        self.zeros = np.zeros((1, p), dtype=np.int64)

    def update(self, numbers: Floats, codes: Counts, rows: Counts, size: int) -> None:
        """Take in a chunk.

        Args:
            numbers: shape (n, p), NaN where missing, rows contiguous.
            codes: class codes, shape (n,).
            rows: row numbers, shape (n,).
            size: the number of class codes.
        """
        self._recode(np.arange(len(self.zeros)), size)
        if not numbers.size:
            return
        present = ~np.isnan(numbers)
        with np.errstate(over="ignore", invalid="ignore"):
            z = (numbers - self._centre) / self._scale
            z[~present] = 0.0
            self._add_products(z, present)
            square = z * z
            self.powers += np.array([present.sum(axis=0), z.sum(axis=0), square.sum(axis=0), (square * z).sum(axis=0)])
        self.minimum = np.fmin(self.minimum, np.fmin.reduce(numbers, axis=0))
        self.maximum = np.fmax(self.maximum, np.fmax.reduce(numbers, axis=0))
        self.integer &= ((numbers == np.floor(numbers)) | ~present).all(axis=0)
        zero = numbers == 0.0
        for code in range(size):
            self.zeros[code] += np.count_nonzero(zero[codes == code], axis=0)
        self.segments.append(_segment(numbers, int(rows[0])))

    def merge(self, other: "NumberState", codes: Counts, size: int) -> None:
        """Take in another state of the same plan, whose class codes become ``codes`` of ``size``."""
        self._recode(np.arange(len(self.zeros)), size)
        for name in ("valid", "sums", "squares", "products", "powers"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.minimum = np.minimum(self.minimum, other.minimum)
        self.maximum = np.maximum(self.maximum, other.maximum)
        self.integer &= other.integer
        self.zeros = self.zeros + with_classes(other.zeros, codes, size)
        self.segments.extend(other.segments)

    def correlation(self) -> Floats:
        """Return Pearson's r of each two columns over the rows where both are present; NaN where it is not defined."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            variance = self.valid * self.squares - self.sums**2
            # A variance within rounding of the sums it is the difference of is that of a constant.
            variance[variance <= 1e-11 * self.valid * self.squares] = np.nan
            r = (self.valid * self.products - self.sums * self.sums.T) / np.sqrt(variance * variance.T)
        r[self.valid < MIN_CORRELATED_ROWS] = np.nan
        return np.clip(r, -1.0, 1.0)

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return mean, population standard deviation and skewness of each column, shape (p,).

        The last two are infinite where the squares of the numbers are too large for a float.
        """
        count, first, second, third = self.powers
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shift, square, cube = first / count, second / count, third / count
            variance = np.maximum(square - shift**2, 0.0)
            central = cube - 3.0 * shift * square + 2.0 * shift**3
            constant = (variance <= 1e-15 * square) | (self.minimum == self.maximum)
            std = np.where(constant, 0.0, np.sqrt(variance))
            skew = np.where(constant, 0.0, central / variance**1.5)
            overflown = (count > 0) & ~np.isfinite(skew)
            std[overflown] = np.inf
            skew[overflown] = np.copysign(np.inf, self.minimum + self.maximum)[overflown]
            return self._centre + self._scale * shift, self._scale * std, skew

    def increasing(self) -> npt.NDArray[np.bool_]:
        """Tell of each column whether every number is greater than the one before it in the file, shape (p,)."""
        rising = np.ones(len(self.plans), dtype=np.bool_)
        last = np.full(len(self.plans), -np.inf)
        for segment in sorted(self.segments, key=lambda segment: segment.first_row):
            rising &= segment.rising & ~(segment.first <= last)
            last = np.where(np.isnan(segment.last), last, segment.last)
        return rising

    def _add_products(self, z: Floats, present: npt.NDArray[np.bool_]) -> None:
        z, present = z[:, :MAX_CORRELATED], present[:, :MAX_CORRELATED]
        self.products += _products(z, z)
        if present.all():
            self.valid += len(z)
            self.sums += z.sum(axis=0)[:, None]
            self.squares += (z * z).sum(axis=0)[:, None]
        else:
            valid = present.astype(np.float64)
            self.valid += _products(valid, valid)
            self.sums += _products(z, valid)
            self.squares += _products(z * z, valid)

    def _recode(self, codes: Counts, size: int) -> None:
        self.zeros = with_classes(self.zeros, codes, size)


def _products(a: Floats, b: Floats) -> Floats:
    """Return aᵀb of two (n, p) matrices, multiplied in blocks that OpenBLAS leaves to one thread.

    With narrow matrices its threads cost more than they save, a hundred times more on a machine that is busy.
    """
    n, p = a.shape
    block = MAX_ONE_THREAD_PRODUCTS // (p * p)
    if block < MIN_BLOCK_ROWS:
        return a.T @ b
    whole = n // block * block
    left, right = a[:whole].reshape(-1, block, p), b[:whole].reshape(-1, block, p)
    products: Floats = (left.transpose(0, 2, 1) @ right).sum(axis=0) + a[whole:].T @ b[whole:]
    return products


def _segment(numbers: Floats, first_row: int) -> Segment:
    p = numbers.shape[1]
    rising = np.ones(p, dtype=np.bool_)
    first, last = np.full(p, np.nan), np.full(p, np.nan)
    for column in range(p):
        present = numbers[:, column]
        present = present[~np.isnan(present)]
        if len(present):
            rising[column] = _rises(present[:64]) and _rises(present)
            first[column], last[column] = present[0], present[-1]
    return Segment(first_row, rising, first, last)


def _rises(numbers: Floats) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())
