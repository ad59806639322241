"""The whole accelerator, modelled: cycles and memory traffic of an engine, and where it works.

Imports numpy and the standard library alone: figures of other rooms reach it as data.
"""
