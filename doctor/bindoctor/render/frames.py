"""Findings and trials as data frames."""

import json
from collections.abc import Mapping

import polars as pl

from bindoctor.report import Report

TEXT, COUNT, NUMBER, FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

FINDINGS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("code", "slug", "severity", "confidence", "kind", "name", "message"), TEXT),
    "rows": COUNT,
    "fixes": pl.List(TEXT),
    "measured": TEXT,
}
TRIALS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("code", "title", "status"), TEXT),
    **dict.fromkeys(("kept", "placebo"), FLAG),
    "score": TEXT,
    **dict.fromkeys(("gain", "t"), NUMBER),
    "repeats": COUNT,
    **dict.fromkeys(("edits", "why"), TEXT),
}


def findings_frame(report: Report) -> pl.DataFrame:
    """Return one row a finding, loudest first: what and where it is, how many rows it is about, its fixes' titles.

    ``measured`` holds the numbers as JSON, because each rule has its own.
    """
    rows = [
        {
            **{name: found[name] for name in ("code", "slug", "severity", "confidence", "message")},
            **found["where"],
            "rows": found["rows"]["count"],
            "fixes": [fix["title"] for fix in found["fixes"]],
            "measured": json.dumps(found["measured"], ensure_ascii=False),
        }
        for found in report.to_dict()["findings"]
    ]
    return pl.DataFrame(rows, schema=FINDINGS)


def trials_frame(report: Report) -> pl.DataFrame:
    """Return one row a trial in the order of the trials, placebos included; without rows where nothing was tried.

    ``gain`` is positive where the fix was better; ``edits`` holds the settings as JSON.
    """
    if report.treatment is None:
        return pl.DataFrame(schema=TRIALS)
    stored = report.to_dict()["treatment"]["trials"]
    rows = [
        {
            **{name: getattr(trial, name) for name in TRIALS if name != "edits"},
            "edits": json.dumps(plain["edits"], ensure_ascii=False),
        }
        for trial, plain in zip(report.treatment.trials, stored, strict=True)
    ]
    return pl.DataFrame(rows, schema=TRIALS)
