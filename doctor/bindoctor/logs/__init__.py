"""Reads the log of a training run, whatever wrote it, into one normalised history."""

from bindoctor.logs.columns import read_columns
from bindoctor.logs.files import read_history, read_log
from bindoctor.logs.names import METRIC_NAMES as METRICS

__all__ = ["METRICS", "read_columns", "read_history", "read_log"]
