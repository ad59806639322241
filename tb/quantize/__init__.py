"""Testbenches of ``hw/quantize``."""
