"""Testbenches of ``hw/dxe``."""
