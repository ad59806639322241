"""The matching engine's RTL, generated with Amaranth. Imports amaranth only, never ``golden``."""
