"""Tests of ``software/study``."""
