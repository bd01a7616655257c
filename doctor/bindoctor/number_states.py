"""The mergeable statistics of all number columns together: moments by class, extremes, order, and sums of products."""

from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from bindoctor.bins import Counts, Floats
from bindoctor.cells import Cells
from bindoctor.column_states import ColumnPlan, with_classes
from bindoctor.levels import RowCodes

MAX_CORRELATED = 512
MIN_CORRELATED_ROWS = 3
MAX_ONE_THREAD_PRODUCTS = 262_144
MIN_BLOCK_ROWS = 16
MAX_EXTREMES = 128
PROBED = 64

Flags = npt.NDArray[np.bool_]


class Ends(msgspec.Struct, frozen=True, eq=False):
    """The smallest numbers of a column, or the largest: values, the most extreme first, and rows, shape (k,).

    ``sign`` is 1 for the smallest and −1 for the largest.
    """

    sign: int
    values: Floats = msgspec.field(default_factory=lambda: np.empty(0))
    rows: Counts = msgspec.field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def admits(self, value: float) -> bool:
        """Tell whether a number would be among the ends."""
        return len(self.values) < MAX_EXTREMES or self.sign * value < self.sign * self.values[-1]

    def with_more(self, values: Floats, rows: Counts) -> "Ends":
        """Return the ends of these numbers and of n more; of equal numbers the first rows stay."""
        if len(self.values) == MAX_EXTREMES:
            last = self.values[-1]
            closer = np.flatnonzero(values < last if self.sign > 0 else values > last)
        elif len(values) > 4 * MAX_EXTREMES:
            signed = self.sign * values
            closer = np.flatnonzero(signed <= np.partition(signed, MAX_EXTREMES)[MAX_EXTREMES])
        else:
            closer = np.arange(len(values))
        return self.merged(Ends(self.sign, values[closer], rows[closer])) if len(closer) else self

    def merged(self, other: "Ends") -> "Ends":
        """Return the ends of both."""
        values, rows = np.concatenate([self.values, other.values]), np.concatenate([self.rows, other.rows])
        order = np.lexsort([rows, self.sign * values])[:MAX_EXTREMES]
        return Ends(self.sign, values[order], rows[order])


class Segment(msgspec.Struct, frozen=True, eq=False):
    """What a chunk says about order: each column's first and last number, NaN where it has none, shape (p,)."""

    first_row: int
    first: Floats
    last: Floats


@dataclass(eq=False)
class NumberState:
    """Running sums over the p numeric columns of the plan, of z = (x − centre) / scale.

    ``sums`` holds the sums of 1, z, z² by class code and column, shape (3, codes, p), ``cubes`` those of z³. For the
    first ``MAX_CORRELATED`` columns: ``products[i, j]`` adds up z_i z_j, ``absent[i, j]`` counts the rows where both
    are missing, ``lost[0][i, j]`` adds up z_i over the rows where j is missing, ``lost[1][i, j]`` z_i².
    """

    plans: tuple[ColumnPlan, ...]
    correlate: bool
    sums: Floats = field(init=False)
    cubes: Floats = field(init=False)
    products: Floats = field(init=False)
    absent: Floats = field(init=False)
    lost: Floats = field(init=False)
    minimum: Floats = field(init=False)
    maximum: Floats = field(init=False)
    integer: Flags = field(init=False)
    rising: Flags = field(init=False)
    zeros: Counts = field(init=False)
    rows: int = 0
    smallest: list[Ends] = field(init=False)
    largest: list[Ends] = field(init=False)
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        p = len(self.plans)
        correlated = min(p, MAX_CORRELATED) if self.correlate else 0
        self._centre = np.array([plan.centre for plan in self.plans])
        self._scale = np.array([plan.scale for plan in self.plans])
        self._room = np.empty((2, p, 0))
        self.sums = np.zeros((3, 1, p))
        self.cubes = np.zeros(p)
        self.products, self.absent = (np.zeros((correlated, correlated)) for _ in range(2))
        self.lost = np.zeros((2, correlated, correlated))
        self.minimum, self.maximum = np.full(p, np.inf), np.full(p, -np.inf)
        self.integer, self.rising = np.ones(p, dtype=np.bool_), np.ones(p, dtype=np.bool_)
        self.zeros = np.zeros((1, p), dtype=np.int64)
        self.smallest, self.largest = [Ends(1)] * p, [Ends(-1)] * p

    def room(self, rows: int) -> Floats:
        """Return an array for a chunk's standardised numbers, shape (p, rows): fresh memory costs more than sums."""
        if rows > self._room.shape[2]:
            self._room = np.empty((2, len(self.plans), rows))
        return self._room[0, :, :rows]

    def take_column(self, position: int, cells: Cells, numbers: Floats, rows: RowCodes) -> None:
        """Take in what one column's numbers say by themselves.

        Args:
            position: of the column in the plan.
            cells: the column's cells.
            numbers: its numbers, NaN where missing, shape (n,).
            rows: what they are counted by.
        """
        low, high = cells.numbers.min(), cells.numbers.max()
        if low is None:
            return
        assert isinstance(low, float) and isinstance(high, float)
        self.minimum[position] = min(self.minimum[position], low)
        self.maximum[position] = max(self.maximum[position], high)
        present, at = numbers, rows.rows
        if cells.numbers.null_count():
            known = ~np.isnan(numbers)
            present, at = numbers[known], at[known]
        if self.integer[position]:
            self.integer[position] = _whole(present[:PROBED]) and _whole(present)
        if self.rising[position]:
            self.rising[position] = _rises(present[:PROBED]) and _rises(present)
        if low <= 0 <= high:
            zero = numbers == 0.0
            if zero.any():
                self.zeros[:, position] += np.bincount(rows.codes[zero], minlength=rows.size)
        if self.smallest[position].admits(low):
            self.smallest[position] = self.smallest[position].with_more(present, at)
        if self.largest[position].admits(high):
            self.largest[position] = self.largest[position].with_more(present, at)

    def take_chunk(self, z: Floats, missing: dict[int, Flags], rows: RowCodes) -> None:
        """Take in sums over a chunk.

        Args:
            z: the standardised numbers, 0 where missing, shape (p, n), in the ``room`` of this state.
            missing: for the columns that lack some, where, shape (n,).
            rows: what they are counted by.
        """
        self.rows += z.shape[1]
        if not z.size:
            return
        correlated = len(self.products)
        gaps = [position for position in missing if position < correlated]
        of_class = np.zeros((rows.size, z.shape[1]))
        of_class[rows.codes, np.arange(z.shape[1])] = 1.0
        absent = np.array([missing[position] for position in gaps], dtype=np.float64).reshape(len(gaps), z.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            square = np.multiply(z, z, out=self._room[1, :, : z.shape[1]])
            by = np.vstack([of_class, absent])
            first, second = _products(by, z), _products(by, square)
            self.cubes += np.einsum("ij,ij->i", square, z)
            if correlated:
                self.products += _products(z[:correlated], z[:correlated])
        size = rows.size
        counts = np.bincount(rows.codes, minlength=size).astype(np.float64)
        self.sums[0] += counts[:, None]
        for position, where in missing.items():
            self.sums[0, :, position] -= np.bincount(rows.codes[where], minlength=size)
        self.sums[1] += first[:size]
        self.sums[2] += second[:size]
        if gaps:
            self.absent[np.ix_(gaps, gaps)] += _products(absent, absent)
            self.lost[0][:, gaps] += first[size:, :correlated].T
            self.lost[1][:, gaps] += second[size:, :correlated].T

    def take_order(self, numbers: list[Floats], first_row: int) -> None:
        """Take in each column's first and last number of a chunk, in which every column is NaN where missing."""
        first, last = np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
        for position, column in enumerate(numbers):
            if self.rising[position] and len(column):
                known = column if not np.isnan(column[[0, -1]]).any() else column[~np.isnan(column)]
                if len(known):
                    first[position], last[position] = known[0], known[-1]
        self.segments.append(Segment(first_row, first, last))

    def recode(self, codes: Counts, size: int) -> None:
        """Give the class codes other numbers, ``codes``, of ``size``."""
        self.zeros = with_classes(self.zeros, codes, size)
        self.sums = np.stack([with_classes(part, codes, size) for part in self.sums])

    def merge(self, other: "NumberState", codes: Counts, size: int) -> None:
        """Take in another state of the same plan, whose class codes become ``codes`` of ``size``."""
        self.recode(np.arange(len(self.zeros)), size)
        self.sums = self.sums + np.stack([with_classes(part, codes, size) for part in other.sums])
        self.zeros = self.zeros + with_classes(other.zeros, codes, size)
        for name in ("cubes", "products", "absent", "lost", "rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.minimum, self.maximum = np.minimum(self.minimum, other.minimum), np.maximum(self.maximum, other.maximum)
        self.integer &= other.integer
        self.rising &= other.rising
        self.smallest = [mine.merged(theirs) for mine, theirs in zip(self.smallest, other.smallest, strict=True)]
        self.largest = [mine.merged(theirs) for mine, theirs in zip(self.largest, other.largest, strict=True)]
        self.segments.extend(other.segments)

    def correlation(self) -> Floats:
        """Return Pearson's r of each two columns over the rows where both are present; NaN where it is not defined."""
        correlated = len(self.products)
        total = self.sums.sum(axis=1)[:, :correlated]
        gone = self.rows - total[0]
        valid = self.rows - gone[:, None] - gone[None, :] + self.absent
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sums, squares = total[1][:, None] - self.lost[0], total[2][:, None] - self.lost[1]
            variance = valid * squares - sums**2
            # A variance within rounding of the sums it is the difference of is that of a constant.
            variance[variance <= 1e-11 * valid * squares] = np.nan
            r = (valid * self.products - sums * sums.T) / np.sqrt(variance * variance.T)
        r[valid < MIN_CORRELATED_ROWS] = np.nan
        return np.asarray(np.clip(r, -1.0, 1.0))

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return mean, population standard deviation and skewness of each column, shape (p,).

        The last two are infinite where the squares of the numbers are too large for a float.
        """
        count, first, second = self.sums.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shift, square, cube = first / count, second / count, self.cubes / count
            variance = np.maximum(square - shift**2, 0.0)
            central = cube - 3.0 * shift * square + 2.0 * shift**3
            constant = (variance <= 1e-15 * square) | (self.minimum == self.maximum)
            std = np.where(constant, 0.0, np.sqrt(variance))
            skew = np.where(constant, 0.0, central / variance**1.5)
            overflown = (count > 0) & ~np.isfinite(skew)
            std[overflown] = np.inf
            skew[overflown] = np.copysign(np.inf, self.minimum + self.maximum)[overflown]
            return self._centre + self._scale * shift, self._scale * std, skew

    def class_moments(self) -> tuple[Floats, Floats]:
        """Return mean and population standard deviation by class code and column, NaN without rows, (codes, p)."""
        count, first, second = self.sums
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shift = first / count
            std = np.sqrt(np.maximum(second / count - shift**2, 0.0))
            means, deviations = self._centre + self._scale * shift, self._scale * std
        return np.asarray(means), np.asarray(deviations)

    def increasing(self) -> Flags:
        """Tell of each column whether every number is greater than the one before it in the file, shape (p,)."""
        rising = self.rising.copy()
        last = np.full(len(self.plans), -np.inf)
        for segment in sorted(self.segments, key=lambda segment: segment.first_row):
            rising &= ~(segment.first <= last)
            last = np.where(np.isnan(segment.last), last, segment.last)
        return rising


def _whole(numbers: Floats) -> bool:
    return bool((numbers == np.floor(numbers)).all())


def _rises(numbers: Floats) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _products(a: Floats, b: Floats) -> Floats:
    """Return a bᵀ of two matrices (p, n) and (q, n), multiplied in blocks that OpenBLAS leaves to one thread.

    With narrow matrices its threads cost more than they save, a hundred times more on a machine that is busy.
    """
    (p, n), q = a.shape, len(b)
    block = MAX_ONE_THREAD_PRODUCTS // max(p * q, 1)
    if not MIN_BLOCK_ROWS <= block < n:
        return np.asarray(a @ b.T)
    whole = n // block * block
    left = a[:, :whole].reshape(p, -1, block).transpose(1, 0, 2)
    right = b[:, :whole].reshape(q, -1, block).transpose(1, 2, 0)
    products: Floats = (left @ right).sum(axis=0) + a[:, whole:] @ b[:, whole:].T
    return products
