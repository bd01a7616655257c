"""All rows that findings are about, as CSV."""

import csv
import io
from collections.abc import Iterable

from bindoctor.findings import Finding


def rows_csv(findings: Iterable[Finding]) -> str:
    """Return ``code, place, name, row`` for each row of each finding: 0-based numbers of data rows in the file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["code", "place", "name", "row"])
    for finding in findings:
        if finding.rows is not None:
            where = finding.where
            writer.writerows((finding.code, where.kind, where.name, row) for row in finding.rows.numbers.tolist())
    return out.getvalue()
