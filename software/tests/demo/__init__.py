"""Tests of ``software/demo``."""
