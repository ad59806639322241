"""Testbenches of hw/fpga."""
