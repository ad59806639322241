"""Testbenches of ``hw/blocks``."""
