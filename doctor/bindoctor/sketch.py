"""What is kept of a column's values when there are too many to count each."""

import msgspec
import numpy as np

from bindoctor.bins import Counts
from bindoctor.hashing import Hashes
from bindoctor.levels import Levels
from bindoctor.texts import TextFacts


class Sketch(msgspec.Struct, frozen=True, eq=False):
    """How many distinct values there are, a sample of them, and a histogram.

    Attributes:
        smallest: the smallest hashes, ascending, at most ``size``: a KMV sketch (Bar-Yossef et al. 2002).
        size: how many hashes are kept.
        bins: histogram of the numbers by class code, shape (codes, bins); without columns for text. The state that has
            the sketch adds to it in place.
        sample: the values with the smallest hashes, which is an even sample of all, each with all of its rows counted.
        texts: what the cells that are no numbers look like.
        digest: the sum of all cells' hashes times their rows' hashes, modulo 2⁶⁴.
    """

    smallest: Hashes
    size: int
    bins: Counts
    sample: Levels
    texts: TextFacts
    digest: int

    def merged(self, other: "Sketch", most: int) -> "Sketch":
        """Return the sketch of both, with at most ``most`` sampled values; their class codes must be the same."""
        smallest = smallest_of_both(self.smallest, other.smallest, self.size)
        sample = self.sample.merged(other.sample).smallest(most)
        texts, digest = self.texts.merged(other.texts), (self.digest + other.digest) % 2**64
        return Sketch(smallest, self.size, self.bins + other.bins, sample, texts, digest)

    @property
    def distinct(self) -> int:
        """Return about how many distinct values there are: (k − 1) over the k-th smallest hash as a share of 2⁶⁴."""
        if len(self.smallest) < self.size:
            return len(self.smallest)
        return round((self.size - 1) / (float(self.smallest[-1]) / 2.0**64))


def smallest_of(values: Hashes, size: int) -> Hashes:
    """Return the smallest distinct values, ascending, at most ``size``; Polars spreads its hashes evenly."""
    if len(values) > 4 * size:
        few = _distinct(np.sort(np.partition(values, 2 * size)[: 2 * size]))
        if len(few) >= size:
            return few[:size]
    return _distinct(np.sort(values))[:size]


def smallest_of_both(first: Hashes, second: Hashes, size: int) -> Hashes:
    """Return the smallest distinct values of two ascending runs, ascending, at most ``size``."""
    # The stable sort merges runs in linear time.
    return _distinct(np.sort(np.concatenate([first, second]), kind="stable"))[:size]


def _distinct(ordered: Hashes) -> Hashes:
    """Return the distinct values of an ascending run; ``numpy.unique`` is ten times slower here."""
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]
