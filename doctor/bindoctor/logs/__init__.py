"""Reads the log of a training run, whatever wrote it, into one normalised history."""

from bindoctor.logs.files import read_history, read_log
from bindoctor.logs.names import METRIC_NAMES as METRICS

__all__ = ["METRICS", "read_history", "read_log"]
