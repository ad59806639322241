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
    PACK = 5
    PAIR = 6
    CONVERGE = 7
    UPDATE = 8
    TOPK = 9
    REPORT_DST = 10
    REPORT_HISTORY = 11
    DONE = 12


STAGE_PHASES: dict[str, tuple[Any, ...]] = {
    "quantize": (Phase.DERIVE, Phase.QUANTIZE, Phase.SORT_CHANNELS),
    "init": (Phase.INIT,),
    "pack": (Phase.PACK,),
    "pair": (Phase.PAIR, Phase.CONVERGE),
    "update": (Phase.UPDATE,),
    "topk": (Phase.TOPK, Phase.REPORT_DST, Phase.REPORT_HISTORY),
}
"""The phases that each stage's cycle counter counts (``STAGES`` of hw/bus/registers.py)."""
