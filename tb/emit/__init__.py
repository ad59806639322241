"""Testbenches of ``hw/emit``."""
