"""Runs the command line: ``python -m bindoctor``."""

from bindoctor.cli import main

main()
