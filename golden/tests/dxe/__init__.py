"""Tests of the twins of ``hw/dxe``, one file a module."""
