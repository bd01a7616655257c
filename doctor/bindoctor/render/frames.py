"""Findings and trials as data frames."""

import json

import polars as pl

from bindoctor.report import Report

FINDINGS = pl.Schema(
    {
        "code": pl.String,
        "slug": pl.String,
        "severity": pl.String,
        "confidence": pl.String,
        "kind": pl.String,
        "name": pl.String,
        "message": pl.String,
        "rows": pl.Int64,
        "fixes": pl.List(pl.String),
        "measured": pl.String,
    }
)
TRIALS = pl.Schema(
    {
        "code": pl.String,
        "title": pl.String,
        "status": pl.String,
        "kept": pl.Boolean,
        "placebo": pl.Boolean,
        "score": pl.String,
        "gain": pl.Float64,
        "t": pl.Float64,
        "repeats": pl.Int64,
        "edits": pl.String,
        "why": pl.String,
    }
)


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
