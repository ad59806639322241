"""What a job is doing, phase by phase, and which stage's time each phase counts as."""

from typing import Any

from amaranth.lib import enum


class Phase(enum.Enum, shape=4):  # type: ignore[call-arg]
    """What a job is doing, finely enough to say who owns the memory ports."""

    IDLE = 0
    DERIVE = 1
    QUANTIZE = 2
    SORT_CHANNELS = 3
    INIT = 4
    PAIR_MOVED = 5
    PAIR_FULL = 6
    CONVERGE = 7
    SORT_GROUPS = 8
    UPDATE = 9
    SORT_PAIRS = 10
    RESOLVE = 11
    DONE = 12


STAGE_PHASES: dict[str, tuple[Any, ...]] = {
    "quantize": (Phase.DERIVE, Phase.QUANTIZE, Phase.SORT_CHANNELS),
    "init": (Phase.INIT,),
    "pair": (Phase.PAIR_MOVED, Phase.PAIR_FULL, Phase.CONVERGE),
    "sort": (Phase.SORT_GROUPS,),
    "update": (Phase.UPDATE,),
    "topk": (Phase.SORT_PAIRS, Phase.RESOLVE),
}
"""The phases that each stage's cycle counter counts (``STAGES`` of hw/bus/registers.py)."""
