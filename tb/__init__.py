"""Testbenches that hold the RTL in ``hw`` against ``golden``, one per component."""
