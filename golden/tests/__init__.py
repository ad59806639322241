"""Tests of the golden model, one file a module."""
