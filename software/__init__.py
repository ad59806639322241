"""Token-reduced video diffusion: what people import. Torch is loaded at the first use.

from software import OrbisConfig, apply_orbis
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from software.library.config import OrbisConfig

if TYPE_CHECKING:
    from software.library.reduction import OrbisSummary, apply_orbis, orbis_summary, remove_orbis

__all__ = ["OrbisConfig", "OrbisSummary", "apply_orbis", "orbis_summary", "remove_orbis"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'software' has no attribute {name!r}")
    return getattr(import_module("software.library.reduction"), name)
