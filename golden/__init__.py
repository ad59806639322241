"""The reference in PyTorch, exact to the bit where the hardware is. Imports torch only.

A module a stage, named as its twin in hw. What users need of it is in the package ``orbis``.
"""
