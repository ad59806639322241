"""The reference in PyTorch, exact to the bit where the hardware is. Imports torch only."""

from golden.asymrnr import match_asymrnr
from golden.bsm import match_bsm
from golden.convergence import epsilon_to_q16
from golden.datm import Match, match
from golden.qe import Quantized, quantize
from golden.reduce import Reduction
from golden.sampler import sample

__all__ = [
    "Match",
    "Quantized",
    "Reduction",
    "epsilon_to_q16",
    "match",
    "match_asymrnr",
    "match_bsm",
    "quantize",
    "sample",
]
