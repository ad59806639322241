"""Token reduction of diffusers' video transformers.

Hooks on the transformer say which calls are full (hook, step_counter), an attention processor in
the place of each layer's own attends over fewer rows (attention, rows), and apply puts them there
and takes them away. What differs between model families is in software.library.families.
"""

from software.library.reduction.apply import (
    AppliedOrbis,
    apply_orbis,
    orbis_summary,
    remove_orbis,
)
from software.library.reduction.summary import OrbisSummary
from software.library.reduction.usage import Usage

__all__ = ["AppliedOrbis", "OrbisSummary", "Usage", "apply_orbis", "orbis_summary", "remove_orbis"]
