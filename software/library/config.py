"""What token reduction does to a model: one validated object, made without torch.

Source: docs/definition.md, 'Steps', 'Reduce and restore' and 'Restore with residual'.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from golden.options import MatchOptions, ResidualOptions
from golden.scalars import flag, integer, integers, number, shown

Guide = Literal["output", "input", "query_value"]
MatcherName = Literal["datm", "random", "bsm", "bsm2d", "asymrnr"]
Targets = Literal["qkv", "q"]
Restore = Literal["copy", "residual", "cache"]

BLOCKS = {"bsm": (2, 2, 2), "bsm2d": (1, 2, 2), "asymrnr": (2, 2, 2)}
"""Of the matchers that have a dst in each block: its tokens along frames, rows and columns."""
GUIDES: tuple[Guide, ...] = get_args(Guide)
MATCHERS: tuple[MatcherName, ...] = get_args(MatcherName)
TARGETS: tuple[Targets, ...] = get_args(Targets)
RESTORES: tuple[Restore, ...] = get_args(Restore)


def reduced_count(ratio: float, num_tokens: int, num_dst: int) -> int:
    """K for a reduction ratio: ``round(ratio N)``.

    Raises:
        ValueError: ratio outside 0..1, or more src than M dst leave.
    """
    _check_fraction("ratio", ratio)
    if num_dst >= num_tokens:
        raise ValueError(
            f"num_dst is {num_dst}, but the video has {num_tokens} tokens; it must be fewer."
        )
    count = round(ratio * num_tokens)
    if count > num_tokens - num_dst:
        raise ValueError(
            f"ratio {ratio} reduces {count} of {num_tokens} tokens, but with {num_dst} dst tokens "
            f"at most {num_tokens - num_dst} can be reduced "
            f"(ratio {(num_tokens - num_dst) / num_tokens:.4g})."
        )
    return count


_KINDS: dict[Callable[[str, Any], Any], tuple[str, ...]] = {
    integer: ("rc_steps", "last_full_steps", "num_steps", "num_dst", "max_iterations", "bits",
              "scale_group", "residual_bits", "seed"),
    number: ("ratio", "warmup_steps", "dst_fraction", "epsilon", "residual_gain"),
    flag: ("spread", "warm_start", "proportional"),
    integers: ("layers",),
}  # fmt: skip
"""What brings each field's value to its type; names are checked by their lists."""
_LEAST = {"rc_steps": 0, "last_full_steps": 0, "num_steps": 1, "num_dst": 1, "scale_group": 1,
          "max_iterations": 1, "seed": 0}  # fmt: skip
_MAY_BE_NONE = ("num_steps", "num_dst", "bits", "layers")


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie in 0..1.")


@dataclass(frozen=True)
class OrbisConfig:
    """Token reduction, as `orbis.apply_orbis` applies it.

    Steps of a run are *full* (FC: every token takes part, and the last full one before a reduced
    one matches) or *reduced* (RC: attention without the src tokens of the last match).

    Attributes:
        ratio: share of the video tokens that reduced steps drop, 0..1; 0 changes no bit. The dst
            stay: ``bsm2d``'s and ``asymrnr``'s may leave less than the default.
        rc_steps: reduced steps after each full one; 0 reduces nothing.
        warmup_steps: full steps first, at least 1: a number, or below 1 a share of the run, rounded
            up. A quarter by default (13 of 50): a video's layout is decided in them
            (software/study/evaluation/experiment.py).
        last_full_steps: full steps at the end of a run.
        num_steps: steps of a run, for where nobody else tells: a transformer without its pipeline,
            if ``warmup_steps`` is a share or ``last_full_steps`` is not 0.
        num_dst: M, dst tokens of ``datm`` and ``random``; ``dst_fraction`` of the video tokens if
            None.
        dst_fraction: likewise, as a fraction.
        epsilon: DATM stops refining when its loss changes by less than this share.
        max_iterations: most pairings of a match.
        bits: 4 as the engine has them, or None for the float tokens as they are.
        scale_group: channels that share a scale; 1 is a scale a channel. Only for 4 bits.
        spread: DATM starts from dst that are spread over the tokens, farthest first, and not from
            dst drawn at random as the engine does by itself.
        warm_start: DATM starts from the dst of the layer's last match.
        guide: what is matched: a layer's SDPA ``output`` (heads concatenated, before the output
            projection), its ``input`` (what the attention layer receives), or ``query_value``, Q
            and V as they enter SDPA, each for itself (what ``asymrnr`` alone matches).
        matcher: ``datm``; ``random`` (random dst, each src to its nearest); ``bsm`` and ``bsm2d``
            (one random dst in each 2x2x2 block, or in each 2x2 block of a frame); ``asymrnr`` (as
            bsm, each head for itself, Q by Q and keys and values by V). ``num_dst``, ``bits`` and
            what refines are of no effect on the last three.
        targets: what is reduced: Q, K and V, or Q alone, which leaves attention without a mask.
        restore: what a src's result is in a reduced step. ``copy``: its dst's, as in the paper.
            ``residual``: that, and how the two differed at the full step, coded in a few bits.
            ``cache``: its own of the full step. With ``cache`` and a ratio of 1 the layer's whole
            result of the full step stands, text included, and nothing is matched or computed:
            attention broadcast.
        residual_bits: of a channel of a residual: 4, or 2.
        residual_gain: what a dst's row counts in its src's beside the residual, in sixteenths.
        layers: numbers of the attention layers to patch, in ``orbis_summary``'s order; None is all.
        proportional: where K and V are reduced, a dst's key counts once for each token that it
            stands for, so that dropping exact copies changes nothing; it adds a mask to attention.
            False is the paper's plain drop.
        seed: of all random choices, 0..2^32 - 1.

    Raises:
        ValueError: a value out of its range, or two that exclude each other.
    """

    ratio: float = 0.75
    rc_steps: int = 3
    warmup_steps: float = 0.25
    last_full_steps: int = 0
    num_steps: int | None = None
    num_dst: int | None = None
    dst_fraction: float = 0.25
    epsilon: float = MatchOptions.epsilon
    max_iterations: int = MatchOptions.max_iterations
    bits: int | None = 4
    scale_group: int = 1
    spread: bool = True
    warm_start: bool = False
    guide: Guide = "output"
    matcher: MatcherName = "datm"
    targets: Targets = "q"
    restore: Restore = "residual"
    residual_bits: int = ResidualOptions.bits
    residual_gain: float = ResidualOptions.gain
    layers: tuple[int, ...] | None = None
    proportional: bool = True
    seed: int = MatchOptions.seed

    def __post_init__(self) -> None:
        self._check_types()
        self._check_ranges()
        for name, known in (("guide", GUIDES), ("matcher", MATCHERS), ("targets", TARGETS),
                            ("restore", RESTORES)):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise ValueError(f"{name} is {shown(value)}; it must be one of {', '.join(known)}.")
        if (self.matcher == "asymrnr") != (self.guide == "query_value"):
            raise ValueError(
                f"matcher {self.matcher!r} does not go with guide {self.guide!r}: asymrnr matches "
                "query_value, and only asymrnr does."
            )
        if (
            self.matcher not in BLOCKS
            and not self.keeps_results
            and self.num_dst is None
            and self.ratio > 1 - self.dst_fraction
        ):
            raise ValueError(
                f"ratio is {self.ratio}, but dst_fraction {self.dst_fraction} leaves at most "
                f"{1 - self.dst_fraction:g} of the tokens to reduce."
            )

    def _check_types(self) -> None:
        """Bring each value to its field's type, where it means the same in it."""
        for convert, names in _KINDS.items():
            for name in names:
                value = getattr(self, name)
                if value is not None or name not in _MAY_BE_NONE:
                    object.__setattr__(self, name, convert(name, value))

    def _check_ranges(self) -> None:
        _check_fraction("ratio", self.ratio)
        if not 0 < self.dst_fraction < 1:
            raise ValueError(
                f"dst_fraction is {self.dst_fraction}; it must be above 0 and below 1."
            )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}.")
        if not self.warmup_steps > 0 or (self.warmup_steps > 1 and self.warmup_steps % 1):
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}; it must be a whole number of at least 1, or"
                " a share of the steps above 0 and below 1."
            )
        if self.bits not in (4, None):
            raise ValueError(f"bits is {self.bits}; it must be 4, or None for floats.")
        if self.bits is None and self.scale_group != 1:
            raise ValueError(
                f"scale_group is {self.scale_group}, but float tokens have no scale to share."
            )
        _ = self.match_options, self.residual_options  # they check what they hold

    @property
    def match_options(self) -> MatchOptions:
        """How each match starts and when it stops."""
        return MatchOptions(
            seed=self.seed, spread=self.spread, epsilon=self.epsilon,
            max_iterations=self.max_iterations,
        )  # fmt: skip

    @property
    def residual_options(self) -> ResidualOptions:
        """How residuals are coded and added."""
        try:
            return ResidualOptions(self.residual_bits, self.residual_gain)
        except ValueError as error:
            raise ValueError(f"residual_{error}") from None

    @property
    def keeps_results(self) -> bool:
        """Whether layers' whole results are kept and nothing is matched: attention broadcast."""
        return self.restore == "cache" and self.ratio == 1

    def counts(self, grid: tuple[int, int, int]) -> tuple[int, int]:
        """M and K for a video's tokens; 0 and all of them where results are kept whole.

        Args:
            grid: its tokens along frames, rows and columns.

        Raises:
            ValueError: more src than the dst leave.
        """
        num_tokens = math.prod(grid)
        if self.keeps_results:
            return 0, num_tokens
        if self.matcher in BLOCKS:
            sides = zip(grid, BLOCKS[self.matcher], strict=True)
            num_dst = math.prod(-(-size // length) for size, length in sides)
        else:
            num_dst = self.num_dst or max(1, round(self.dst_fraction * num_tokens))
        return num_dst, reduced_count(self.ratio, num_tokens, num_dst)

    @property
    def needs_steps(self) -> bool:
        """Whether the number of steps of a run must be known."""
        return self.warmup_steps < 1 or self.last_full_steps > 0

    def warmup(self, steps: int | None) -> int:
        """Full steps first, in a run of ``steps``.

        Raises:
            ValueError: they are a share of a number that is not known.
        """
        if self.warmup_steps >= 1:
            return int(self.warmup_steps)
        if steps is None:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps} of a run, but nobody tells how many steps it "
                "has: give num_steps, or a whole number."
            )
        return math.ceil(self.warmup_steps * steps)

    def is_full(self, step: int, since_match: int | None, steps: int | None = None) -> bool:
        """Whether a step is full.

        Args:
            step: its number, from 0.
            since_match: steps since the last match, None where there is none to use.
            steps: of the whole run, where known.
        """
        return (
            step < self.warmup(steps)
            or since_match is None
            or since_match > self.rc_steps
            or (steps is not None and step >= steps - self.last_full_steps)
        )

    def matches(self, step: int, steps: int | None = None) -> bool:
        """Whether a full step matches: only where the next one can use the pairs."""
        return self.rc_steps > 0 and not self.is_full(step + 1, 1, steps)

    def full_steps(self, steps: int) -> list[bool]:
        """For each step of an undisturbed run of ``steps``, whether it is full."""
        kinds: list[bool] = []
        last_match: int | None = None
        for step in range(steps):
            kinds.append(self.is_full(step, None if last_match is None else step - last_match,
                                      steps))  # fmt: skip
            if kinds[-1] and self.matches(step, steps):
                last_match = step
        return kinds
