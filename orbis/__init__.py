"""ORBIS: output-guided token reduction for video diffusion transformers. What users import.

    from orbis import OrbisConfig, apply_orbis

Names only; docs/interface.md lists them. Each is loaded from its module at its first use, so that
``import orbis`` loads neither torch nor diffusers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from golden.asymrnr import HeadMatch as HeadMatch
    from golden.asymrnr import match_asymrnr as match_asymrnr
    from golden.bsm import match_bsm as match_bsm
    from golden.datm import Match as Match
    from golden.datm import match as match
    from golden.options import MatchOptions as MatchOptions
    from golden.options import ResidualOptions as ResidualOptions
    from golden.qe import Quantized as Quantized
    from golden.qe import quantize as quantize
    from golden.reduce import Reduction as Reduction
    from golden.residual import Residual as Residual
    from software.library.backends import MatchingBackend as MatchingBackend
    from software.library.backends import make_backend as make_backend
    from software.library.backends.clocked_match import ClockedMatch as ClockedMatch
    from software.library.config import OrbisConfig as OrbisConfig
    from software.library.errors import LinkError as LinkError
    from software.library.errors import SetupError as SetupError
    from software.library.errors import SimulationError as SimulationError
    from software.library.matchers import MatchRequest as MatchRequest
    from software.library.matchers import make_matcher as make_matcher
    from software.library.mp4 import write_mp4 as write_mp4
    from software.library.reduction.apply import AppliedOrbis as AppliedOrbis
    from software.library.reduction.apply import apply_orbis as apply_orbis
    from software.library.reduction.apply import orbis_summary as orbis_summary
    from software.library.reduction.apply import remove_orbis as remove_orbis
    from software.library.reduction.summary import OrbisSummary as OrbisSummary
    from software.library.reduction.usage import Usage as Usage

HOME = {
    "AppliedOrbis": "software.library.reduction.apply",
    "ClockedMatch": "software.library.backends.clocked_match",
    "HeadMatch": "golden.asymrnr",
    "LinkError": "software.library.errors",
    "Match": "golden.datm",
    "MatchOptions": "golden.options",
    "MatchRequest": "software.library.matchers",
    "MatchingBackend": "software.library.backends",
    "OrbisConfig": "software.library.config",
    "OrbisSummary": "software.library.reduction.summary",
    "Quantized": "golden.qe",
    "Reduction": "golden.reduce",
    "Residual": "golden.residual",
    "ResidualOptions": "golden.options",
    "SetupError": "software.library.errors",
    "SimulationError": "software.library.errors",
    "Usage": "software.library.reduction.usage",
    "apply_orbis": "software.library.reduction.apply",
    "make_backend": "software.library.backends",
    "make_matcher": "software.library.matchers",
    "match": "golden.datm",
    "match_asymrnr": "golden.asymrnr",
    "match_bsm": "golden.bsm",
    "orbis_summary": "software.library.reduction.apply",
    "quantize": "golden.qe",
    "remove_orbis": "software.library.reduction.apply",
    "write_mp4": "software.library.mp4",
}
"""The module of each name."""

__all__ = [*HOME]


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module 'orbis' has no attribute {name!r}")
    return getattr(import_module(HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOME})
