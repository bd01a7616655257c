"""Callbacks that watch the trainings of other libraries: ``lightning``, ``transformers`` and ``skorch``."""
