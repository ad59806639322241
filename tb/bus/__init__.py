"""Testbenches of ``hw/bus``."""
