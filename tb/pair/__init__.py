"""Testbenches of ``hw/pair``."""
