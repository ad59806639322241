"""Tests of ``software/library``."""
