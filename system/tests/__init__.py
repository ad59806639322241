"""Tests of the system models."""
