"""Engines of many sizes side by side: area, time and memory traffic, and what is not exact.

Area is that of the mapped netlist, time and traffic are the cycle model's on counts of real tokens,
and quality is measured on the shipped model.
"""
