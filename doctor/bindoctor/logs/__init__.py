"""Reads the log of a training run, whatever wrote it, into one normalised history."""

from bindoctor.logs.files import read_history, read_log
from bindoctor.logs.names import METRIC_NAMES as METRICS
from bindoctor.logs.objects import history_in

__all__ = ["METRICS", "history_in", "read_history", "read_log"]
