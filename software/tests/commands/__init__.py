"""Tests of ``software/commands``."""
