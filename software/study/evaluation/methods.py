"""The ways of reducing that are compared over the ratios."""

from dataclasses import dataclass, field
from typing import Any

from software.library.config import OrbisConfig
from software.study.evaluation.experiment import Experiment

OURS = "DATM 4-bit on output"
"""The method whose claims are checked."""
ASYMRNR = "AsymRnR"
"""The method that the paper's headline compares with."""
_PLAIN = ", plain drop"


@dataclass(frozen=True)
class Method:
    """A way of reducing.

    Attributes:
        name: what it is called everywhere.
        options: what it sets in an OrbisConfig.
        baseline: whether it is one that DATM is to beat.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    baseline: bool = False

    @property
    def plain(self) -> bool:
        """Whether src are dropped without counting their dst for more."""
        return not self.options.get("proportional", True)

    def config(self, experiment: Experiment, ratio: float) -> OrbisConfig:
        """Its reduction at a ratio, but for the run's seed."""
        return experiment.reduction(ratio, **self.options)


_PROPORTIONAL = (
    Method("BSM 2x2 on input", {"matcher": "bsm2d", "guide": "input"}, baseline=True),
    Method("BSM 2x2x2 on input", {"matcher": "bsm", "guide": "input"}, baseline=True),
    Method("BSM 2x2x2 on output", {"matcher": "bsm"}, baseline=True),
    Method(ASYMRNR, {"matcher": "asymrnr", "guide": "query_value"}, baseline=True),
    Method("random dst on output", {"matcher": "random", "bits": None}, baseline=True),
    Method("DATM 4-bit on input", {"guide": "input"}),
    Method("DATM float on output", {"bits": None}),
    Method(OURS),
)


def plain_name(name: str) -> str:
    """What a method is called with a plain drop."""
    return name + _PLAIN


def without_plain(name: str) -> str:
    """What the same method is called with proportional attention."""
    return name.removesuffix(_PLAIN)


def _plain(method: Method) -> Method:
    """A method as the paper has it: src leave Q, K and V, and no dst counts for more."""
    return Method(
        plain_name(method.name), {**method.options, "proportional": False}, method.baseline
    )


METHODS = (
    *_PROPORTIONAL,
    *(_plain(method) for method in _PROPORTIONAL
      if method.name in ("BSM 2x2x2 on output", ASYMRNR, OURS)),
)  # fmt: skip
"""All that are compared, baselines first, those with a plain drop last."""
