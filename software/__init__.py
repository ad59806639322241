"""Token-reduced video diffusion: the library, the shipped demo model, the study, the commands.

What users import is in the package ``orbis``.
"""
