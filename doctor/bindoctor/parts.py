"""What the parts that a user keeps in files of their own share with the training rows, and where they differ."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from bindoctor.findings import RowList
from bindoctor.profile import Profile

PartName = Literal["valid", "test"]

LONG_NAMES: Mapping[PartName, str] = {"valid": "validation", "test": "test"}


class Shift(msgspec.Struct, frozen=True):
    """How one column of a part is spread, held against the training rows.

    The training rows count so that each class has the share it has in the part: a part with more rows of one class is
    not shifted for that alone. The cells compared are up to ten ranges of about equally many training rows for
    numbers, the common levels for text, and the missing values; cells in which a part of this size leads to expect
    fewer than five rows are one.

    Attributes:
        column: the column's name.
        psi: population stability index, Σ (q − p) ln (q / p) over the cells, in nats.
        noise: what the index comes to on average between two samples of these sizes from one distribution.
        ks: the largest distance between the cumulative distributions of the non-missing numbers (Kolmogorov–Smirnov);
            None for text.
        p: probability of as large a difference between two samples of one distribution.
        by: difference of the means of a number column, in standard deviations of the training rows; None for text, and
            where the training rows have one value.
    """

    column: str
    psi: float
    noise: float
    ks: float | None
    p: float
    by: float | None


class Unseen(msgspec.Struct, frozen=True):
    """What a column of a part holds and the training rows do not.

    Attributes:
        column: the column's name.
        levels: levels of a text column, or cells of a number column that are no numbers: up to ten with their rows,
            most frequent first.
        distinct: how many such levels there are.
        rows: the part's rows with one of them.
        number: whether the column is a number column of the training rows.
    """

    column: str
    levels: tuple[tuple[str, int], ...]
    distinct: int
    rows: int
    number: bool = False


class Part(msgspec.Struct, frozen=True):
    """A part that training must not see, scanned as the recipe reads cells; no row of it is left out.

    Attributes:
        name: what it is for.
        path: where its rows are.
        profile: its scan; classes and their order may differ from the training rows'.
        same_file: whether it is the file that the training rows are in.
        same_rows: whether it holds the training rows, all of them and no others, in any order.
        overlap: its rows that stand among the training rows as well, features and target; the features alone where
            the part has no target.
        relabelled: its rows whose features stand among the training rows with other labels only.
        training_rows: how many training rows stand in it.
        shifts: its columns held against the training rows', in file order; without identifiers, dates and running text.
        unseen: its columns with values that the training rows do not have.
    """

    name: PartName
    path: str
    profile: Profile
    same_file: bool
    same_rows: bool
    overlap: RowList
    relabelled: RowList
    training_rows: int
    shifts: tuple[Shift, ...]
    unseen: tuple[Unseen, ...]

    @property
    def long_name(self) -> str:
        """Return "validation part" or "test part"."""
        return f"{LONG_NAMES[self.name]} part"

    @property
    def classes(self) -> dict[str, int]:
        """Return the rows of each class, by label."""
        return dict(zip(self.profile.classes, self.profile.class_counts, strict=True))


class Parts(msgspec.Struct, frozen=True):
    """The parts that a user gave; at least one.

    Attributes:
        valid: the validation part.
        test: the test part.
        same_file: whether both are one file.
        same_rows: whether both hold the same rows, in any order.
        shared: rows of the test part that stand in the validation part as well, features and target.
    """

    valid: Part | None
    test: Part | None
    same_file: bool
    same_rows: bool
    shared: RowList

    @property
    def given(self) -> tuple[Part, ...]:
        """Return the parts that there are, validation first."""
        return tuple(part for part in (self.valid, self.test) if part is not None)
