"""The rows that hold certain numbers of a column, as far as a scan has kept them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bindoctor import Profile, RowList
from bindoctor_rules._spread import Floats


def rows_with(profile: Profile, name: str, chosen: Callable[[Floats], npt.NDArray[np.bool_]]) -> RowList:
    """Return the rows whose number in a column is chosen: among the 128 smallest, the 128 largest, and the sample.

    That is all of them in files of up to 20 000 labelled rows.
    """
    moments = profile.columns[name].moments
    pairs = (*moments.extremes.smallest, *moments.extremes.largest) if moments else ()
    ends = np.array([value for value, _ in pairs])
    found = [np.array([row for _, row in pairs], dtype=np.int64)[chosen(ends)]] if pairs else []
    if profile.sample is not None:
        found.append(profile.sample.row_ids[chosen(profile.sample.features[name].to_numpy())])
    return RowList.of(np.unique(np.concatenate(found)) if found else [])
