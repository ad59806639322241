"""Mutation coverage of hw: each unit broken a little in many ways, and what notices it.

``python -m mutants`` makes the mutants (`mutants.operators`), tries them (`mutants.trial`) and
writes what became of them to docs (`mutants.report`).
"""
