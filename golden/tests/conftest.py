"""Hypothesis draws the same examples in every run, and a loaded machine is no failure."""

from hypothesis import settings

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")
