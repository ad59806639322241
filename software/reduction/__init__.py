"""Token reduction of diffusers' video transformers.

A hook on the transformer counts the steps (hook), an attention processor in the place of each
layer's own attends over fewer rows (attention, rows), and apply puts them there and takes them
away. What differs between model families is in software.families.
"""

from software.reduction.apply import (
    AppliedOrbis,
    OrbisSummary,
    apply_orbis,
    orbis_summary,
    remove_orbis,
)
from software.reduction.hook import Usage

__all__ = ["AppliedOrbis", "OrbisSummary", "Usage", "apply_orbis", "orbis_summary", "remove_orbis"]
