"""Reads the log of a training run, whatever wrote it, into one normalised history."""

from bindoctor.logs.files import files_of, read_history

__all__ = ["files_of", "read_history"]
