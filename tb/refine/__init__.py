"""Testbenches of ``hw/refine``."""
