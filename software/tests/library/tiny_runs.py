"""Runs of several steps of the tiny models, and a matcher that notes what it is asked."""

from typing import Any

from torch import Tensor, nn

from software.library.config import OrbisConfig
from software.library.matchers import MatchRequest, make_matcher
from software.tests.library.tiny import Tiny
from software.tests.library.tiny_models import TINY, VARIANTS, run

CONFIG = OrbisConfig(warmup_steps=1, rc_steps=3)
COPYING = OrbisConfig(warmup_steps=1, ratio=0.38, matcher="bsm", targets="qkv", restore="copy")
"""Copies change by no more than results do, and random floats are far from ties: what rounding
changes in either is nothing but rounding."""
NAMES = [name for name in TINY if name not in VARIANTS]


class Log:
    """A matcher that notes the (step, layer) of each request."""

    def __init__(self, config: OrbisConfig = CONFIG) -> None:
        self.seen: list[tuple[int, int]] = []
        self.matcher = make_matcher(config)

    def __call__(self, shown: Tensor, request: MatchRequest) -> Any:
        """Note it, and match as the config says."""
        self.seen.append((request.step, request.layer))
        return self.matcher(shown, request)

    @property
    def steps(self) -> list[int]:
        """Steps that matched."""
        return sorted({step for step, _ in self.seen})


def times(steps: int) -> list[float]:
    """Falling times, as pipelines have them."""
    return [1000 - 1000 * step / steps for step in range(steps)]


def run_all(tiny: Tiny, model: nn.Module, steps: int, *, batch: int = 1) -> list[Tensor]:
    """A run of several steps, each with inputs of its own."""
    return [run(model, tiny.inputs(batch, n), time) for n, time in enumerate(times(steps))]
