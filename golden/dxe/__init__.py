"""Twins of ``hw/dxe``: float32 arithmetic in a given order."""
