"""Histogram bins that fit any column: fine around its centre, coarser in proportion to the distance from it."""

import numpy as np
import numpy.typing as npt

OCTAVES = 24

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def standardise(numbers: Floats, centre: float, scale: float, out: Floats | None = None) -> Floats:
    """Return (x − centre) / scale, shape (n,); a number gets the same bits wherever it stands in an array."""
    z = np.subtract(numbers, centre, out=out)
    if centre == 0.0:
        # −0 and 0 are one number, and have to get one bin.
        z += 0.0
    z *= 1.0 / scale
    return z


def bins_of(z: Floats, octave_bits: int, room: Floats | None = None) -> Counts:
    """Return the bin of each standardised number, shape (n,): log-linear in 1 + |z| on both sides.

    ``room``, of shape (2, n), is overwritten and holds the result: fresh memory costs more than the arithmetic.

    The width is 2^−octave_bits of the scale at the centre and grows in proportion to the distance, as in HDR
    histograms. Integer arithmetic on the bits of a float stands in for the logarithm.
    """
    side = OCTAVES << octave_bits
    room = np.empty((2, len(z))) if room is None else room
    distance: Counts = np.add(np.abs(z, out=room[0]), 1.0, out=room[0]).view(np.int64)
    distance >>= 52 - octave_bits
    distance -= 1023 << octave_bits
    np.minimum(distance, side - 1, out=distance)
    # All bits set for negative numbers, so that d becomes −1 − d.
    distance ^= np.right_shift(z.view(np.int64), 63, out=room[1].view(np.int64))
    distance += side
    return distance


def bin_count(octave_bits: int) -> int:
    """Return how many bins there are."""
    return 2 * (OCTAVES << octave_bits)


def bin_edges(centre: float, scale: float, octave_bits: int) -> Floats:
    """Return the edges of the bins, ascending, shape (``bin_count(octave_bits)`` + 1,)."""
    whole, part = np.divmod(np.arange((OCTAVES << octave_bits) + 1), 1 << octave_bits)
    distance = np.ldexp(1.0 + part / (1 << octave_bits), whole) - 1.0
    return centre + scale * np.concatenate([-distance[:0:-1], distance])
