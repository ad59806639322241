"""Testbenches of ``hw/sort``."""
